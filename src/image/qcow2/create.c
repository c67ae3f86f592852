/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New qcow2 disks, with a parent of any format or none, and larger disks linked to existing
 * ones: an overlay whose space behind the original's end is marked as zeros, so that nothing
 * can show through there, whatever becomes of the original's size.
 */
#include "image/qcow2/qcow2.h"
#include "image/qcow2/make.h"

#include "base/str.h"

#include <string.h>

/* QEMU calls some formats by other names than we do. */
static const char *qemu_format(const char *ours)
{
	return strcmp(ours, "vhd") ? ours : "vpc";
}

/* The parent by its name where it lies in the same folder, else by its absolute path. A colon
 * before the first slash would make a protocol of it. Caller frees. */
static char *name_parent(struct sv_host *host, const char *path, const struct sv_link *parent,
	struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);
	sv_autofree char *home = sv_path_dir(parent->info.path);
	sv_autofree char *real = NULL;
	const char *base = sv_path_base(parent->info.path);
	char *name;

	if (!dir || !home) {
		sv_fail_nomem(err);
		return NULL;
	}
	real = sv_host_real_path(host, dir, err);
	if (!real)
		return NULL;
	if (strcmp(real, home))
		name = strdup(parent->info.path);
	else
		name = sv_format("%s%s", strchr(base, ':') ? "./" : "", base);
	if (!name)
		sv_fail_nomem(err);
	return name;
}

static uint32_t cluster_bits(const struct sv_image *like)
{
	const struct sv_link *l = like ? sv_image_driver_link(like, 0) : NULL;

	return l && l->driver == &sv_qcow2_driver ? ((const struct sv_qcow2 *)l)->h.cluster_bits
						  : SV_QCOW2_CLUSTER_BITS;
}

static struct sv_qcow2_new plan_new(
	const struct sv_image *like, struct sv_image *parent, uint64_t size)
{
	struct sv_qcow2_new n = {size, cluster_bits(like), size, "", ""};

	if (parent)
		n.zero_from = sv_dev_size(sv_image_dev(parent));
	return n;
}

static int check_spec(const char *path, const struct sv_image_spec *spec, struct sv_err *err)
{
	if (spec->subformat && *spec->subformat && strcmp(spec->subformat, "v3"))
		return sv_fail(err, SV_USAGE, path, "no qcow2 kind \"%s\" can be made",
			spec->subformat);
	if (spec->parent && sv_image_driver_link(spec->parent, 0)->snapshot)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"a snapshot inside another image cannot be a backing file");
	if (spec->parent && !sv_image_driver_link(spec->parent, 0)->driver->create)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"QEMU reads no %s disks: none can be a backing file",
			sv_image_driver_link(spec->parent, 0)->driver->name);
	return 0;
}

static int write_new(struct sv_host *host, const char *path, const struct sv_qcow2_new *n,
	struct sv_made *made, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;
	sv_autofree char *dir = sv_path_dir(path);

	if (!dir)
		return sv_fail_nomem(err);
	if (sv_host_open(host, path, SV_OPEN_CREATE, &file, err) < 0 ||
		sv_made_add(made, path, err) < 0)
		return -1;
	if (sv_qcow2_make(file, n, err) < 0)
		return sv_err_path(err, path);
	return sv_dev_flush(file, err) < 0 ? -1 : sv_host_sync_dir(host, dir, err);
}

int sv_qcow2_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	struct sv_qcow2_new n = plan_new(spec->like, spec->parent, spec->size);
	sv_autofree char *backing = NULL;

	if (check_spec(path, spec, err) < 0)
		return -1;
	if (spec->parent) {
		const struct sv_link *l = sv_image_driver_link(spec->parent, 0);

		backing = name_parent(host, path, l, err);
		if (!backing)
			return -1;
		n.backing = backing;
		n.backing_format = qemu_format(l->driver->name);
	}
	if (write_new(host, path, &n, &made, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}

/* ---- linked ---- */

int sv_qcow2_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err)
{
	const struct sv_image_spec spec = {.format = "qcow2", .size = size, .parent = original};
	sv_autofree char *name = sv_format("%s.qcow2", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_qcow2_create(host, path, &spec, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

uint64_t sv_qcow2_linked_cost(struct sv_image *original, uint64_t size)
{
	struct sv_qcow2_new n = plan_new(NULL, original, size);
	uint64_t cost = 0;

	return sv_qcow2_make_cost(&n, &cost, NULL) < 0 ? 0 : cost;
}

int sv_qcow2_check_linked(struct sv_image *original, uint64_t size, struct sv_err *err)
{
	const struct sv_link *l = sv_image_driver_link(original, 0);
	struct sv_qcow2_new n = plan_new(NULL, original, size);
	uint64_t cost;

	if (l->snapshot) {
		sv_fail(err, SV_UNSUPPORTED, l->info.path,
			"a snapshot inside an image cannot be linked to");
		return sv_hint(err, "make an independent copy instead: --copy");
	}
	if (strlen(l->info.path) > SV_QCOW2_NAME_MAX)
		return sv_fail(err, SV_UNSUPPORTED, l->info.path,
			"its path has more than the %d bytes that a qcow2 image can name",
			SV_QCOW2_NAME_MAX);
	if (sv_qcow2_make_cost(&n, &cost, err) < 0)
		return sv_err_path(err, l->info.path);
	return 0;
}
