/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Larger disks made from existing ones: linked to them, or copies. What is the same for all
 * formats: limits first, a copy of a single link is made of its files and then grown, a chain
 * is flattened by copying what the guest sees.
 */
#include "image/driver.h"
#include "image/fill.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

/* Are its files of no use for a copy? */
static bool is_flattened(const struct sv_image *img)
{
	return sv_image_links(img) > 1 || sv_image_driver_link(img, 0)->flatten;
}

int sv_image_check_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	struct sv_link *leaf = sv_image_driver_link(original, 0);

	if (!size || size % SV_SECTOR || size > SV_DEV_SIZE_MAX ||
		size < sv_dev_size(sv_image_dev(original)))
		return sv_fail(err, SV_USAGE, leaf->info.path,
			"a disk of %llu bytes cannot be made from one of %llu",
			(unsigned long long)size,
			(unsigned long long)sv_dev_size(sv_image_dev(original)));
	if (how == SV_DERIVE_REFLINK && is_flattened(original)) {
		sv_fail(err, SV_UNSUPPORTED, leaf->info.path,
			"it is a chain, a snapshot or a disk in several files: one file cannot "
			"share its blocks");
		return sv_hint(err, "make an independent copy instead: --copy");
	}
	return leaf->driver->limits(original, how, size, err);
}

int sv_image_derive_cost(struct sv_image *original, enum sv_image_derive how, uint64_t size,
	uint64_t *ret_bytes, struct sv_err *err)
{
	struct sv_link *leaf = sv_image_driver_link(original, 0);
	uint64_t cost;

	if (sv_image_check_limits(original, how, size, err) < 0)
		return -1;
	cost = leaf->driver->metadata_cost(original, how, size);
	for (size_t i = 0; how == SV_DERIVE_COPY && i < sv_image_links(original); i++) {
		const struct sv_image_link *l = sv_image_link(original, i);

		cost += l->compressed ? SV_MAX(l->allocated, l->host_size) : l->host_size;
	}
	*ret_bytes = cost;
	return 0;
}

/* ---- flattening ---- */

/* Everything that the guest sees as data; the new disk reads as zeros elsewhere. */
static int copy_data(
	struct sv_image *from, struct sv_image *to, struct sv_job *job, struct sv_err *err)
{
	struct sv_fill_opts opts = {.stage = "copying"};

	for (size_t i = 0; i < sv_image_links(from); i++)
		opts.expected += sv_image_link(from, i)->allocated;
	return sv_image_fill(sv_image_dev(from), to, &opts, job, NULL, err);
}

static int record_files(const struct sv_image_link *l, struct sv_made *made, struct sv_err *err)
{
	for (size_t i = 0; i < l->n_files; i++) {
		if (sv_made_add(made, l->files[i].path, err) < 0)
			return -1;
	}
	return 0;
}

/* The format of a flattened copy. */
static int flat_format(
	const struct sv_link *leaf, struct sv_image_format *ret, struct sv_err *err)
{
	const struct sv_image_driver *d = leaf->driver;

	return sv_image_choose_format(
		leaf->info.path, d->flat_format ? d->flat_format : d->name, ret, err);
}

static int flatten(struct sv_host *host, struct sv_image *original, const char *format,
	const char *path, uint64_t size, struct sv_made *made, struct sv_job *job,
	struct sv_err *err)
{
	struct sv_link *leaf = sv_image_driver_link(original, 0);
	struct sv_image_spec spec = {
		.format = format,
		.subformat = leaf->driver->flat_subformat(leaf),
		.size = size,
		.like = original,
	};
	struct sv_image_opts opts = {.writable = true, .format = spec.format};
	SV_CLEANUP(sv_image_closep) struct sv_image *copy = NULL;

	if (sv_image_create(host, path, &spec, err) < 0 || sv_made_add(made, path, err) < 0 ||
		sv_image_open(host, path, &opts, &copy, err) < 0 ||
		record_files(sv_image_link(copy, 0), made, err) < 0 ||
		copy_data(original, copy, job, err) < 0)
		return -1;
	return sv_dev_flush(sv_image_dev(copy), err);
}

/* ---- the three ways ---- */

static int derive_flat(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, struct sv_job *job, char **ret, struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *name = NULL, *path = NULL;
	struct sv_image_format format;

	if (flat_format(sv_image_driver_link(original, 0), &format, err) < 0)
		return -1;
	name = sv_format("%s%s", stem, format.extension);
	path = name ? sv_path_join(dir, name) : NULL;
	if (!path)
		return sv_fail_nomem(err);
	if (flatten(host, original, format.name, path, size, &made, job, err) < 0)
		return -1;
	sv_made_keep(&made);
	*ret = SV_STEAL(path);
	return 0;
}

static int derive_copy(struct sv_host *host, struct sv_image *original, bool reflink,
	const char *dir, const char *stem, uint64_t size, struct sv_job *job, char **ret,
	struct sv_err *err)
{
	struct sv_link *leaf = sv_image_driver_link(original, 0);
	struct sv_image_opts opts = {.writable = true, .format = leaf->driver->name};
	sv_automade struct sv_made made = {.host = host};
	SV_CLEANUP(sv_image_closep) struct sv_image *copy = NULL;
	sv_autofree char *path = NULL;

	if (leaf->driver->copy(host, leaf, reflink, dir, stem, &made, job, &path, err) < 0 ||
		sv_image_open(host, path, &opts, &copy, err) < 0 ||
		sv_image_grow(copy, size, err) < 0)
		return -1;
	sv_made_keep(&made);
	*ret = SV_STEAL(path);
	return 0;
}

/* "NAME" of "NAME.vmdk". Caller frees. */
static char *stem_of(const char *name, const char *extension)
{
	size_t n = strlen(name);

	if (sv_ends_with_nocase(name, extension))
		n -= strlen(extension);
	return strndup(name, n);
}

int sv_image_derive(struct sv_host *host, struct sv_image *original, enum sv_image_derive how,
	const char *dir, const char *name, uint64_t size, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	struct sv_link *leaf = sv_image_driver_link(original, 0);
	sv_autofree char *stem = stem_of(name, leaf->driver->extension);
	sv_autofree char *path = NULL;
	int rc;

	if (!stem)
		return sv_fail_nomem(err);
	if (sv_image_check_limits(original, how, size, err) < 0)
		return -1;
	if (how == SV_DERIVE_LINKED)
		rc = leaf->driver->derive_linked(host, original, dir, stem, size, &path, err);
	else if (is_flattened(original))
		rc = derive_flat(host, original, dir, stem, size, job, &path, err);
	else
		rc = derive_copy(host, original, how == SV_DERIVE_REFLINK, dir, stem, size, job,
			&path, err);
	if (rc < 0 || sv_host_sync_dir(host, dir, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}
