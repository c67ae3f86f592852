/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw images: the file is the disk. Whatever no other format claims is raw, so this driver's
 * probe is never asked; image.c falls back to it.
 */
#include "image/raw.h"
#include "image/qcow2/make.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

static struct sv_dev *file_of(struct sv_link *l)
{
	return ((struct sv_raw *)l)->file;
}

static bool raw_probe(const struct sv_probe *p)
{
	(void)p;
	return false;
}

struct sv_raw *sv_raw_new(const struct sv_link_env *env, const struct sv_image_driver *driver,
	const char *path, struct sv_dev *file, struct sv_err *err)
{
	struct sv_raw *r = calloc(1, sizeof *r);
	struct sv_image_link *info;

	if (!r) {
		sv_fail_nomem(err);
		return NULL;
	}
	info = &r->link.info;
	r->link.driver = driver;
	r->link.writable = env->writable;
	r->file = sv_dev_ref(file);
	info->subformat = strdup("");
	info->id = strdup("");
	info->parent_hint = strdup("");
	info->virtual_size = sv_dev_size(file);
	if (!info->subformat || !info->id || !info->parent_hint)
		sv_fail_nomem(err);
	else if (!info->virtual_size)
		sv_fail(err, SV_CORRUPT, path, "the file is empty: it is no disk image");
	else
		return r;
	sv_link_close(&r->link);
	return NULL;
}

static int raw_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_raw *r = sv_raw_new(env, &sv_raw_driver, path, file, err);

	if (!r)
		return -1;
	if (sv_link_add_file(&r->link, env->host, path, true, err) < 0) {
		sv_link_close(&r->link);
		return -1;
	}
	r->link.info.allocated = SV_MIN(r->link.info.host_size, r->link.info.virtual_size);
	*ret = &r->link;
	return 0;
}

void sv_raw_close(struct sv_link *l)
{
	sv_dev_close(file_of(l));
	free(l);
}

int sv_raw_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	struct sv_extent e = {.length = max, .kind = SV_EXTENT_DATA};

	if (holes && sv_dev_extent(file_of(l), off, max, &e, err) < 0)
		return -1;
	*ret = (struct sv_run){e.length, e.kind == SV_EXTENT_DATA ? SV_RUN_DATA : SV_RUN_HOLE,
		off, file_of(l)};
	return 0;
}

int sv_raw_write(struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	return sv_dev_write(file_of(l), buf, n, off, err);
}

int sv_raw_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	return sv_dev_discard(file_of(l), off, len, err);
}

int sv_raw_flush(struct sv_link *l, struct sv_err *err)
{
	return sv_dev_flush(file_of(l), err);
}

/* Every place is there already. */
static int raw_fill_begin(
	struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err)
{
	(void)l;
	(void)data;
	(void)err;
	*ret_unit = 4 * SV_KIB;
	return 0;
}

static int raw_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	(void)err;
	*ret = (struct sv_run){len, SV_RUN_DATA, off, file_of(l)};
	return 0;
}

static int raw_fill_end(struct sv_link *l, struct sv_err *err)
{
	(void)l;
	(void)err;
	return 0;
}

static int raw_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	(void)host;
	if (sv_dev_resize(file_of(l), size, err) < 0)
		return -1;
	return sv_dev_flush(file_of(l), err);
}

/* Any bytes are a sound raw disk; a size that is no whole number of sectors is not. */
int sv_raw_check_size(
	uint64_t size, const char *path, struct sv_image_faults *faults, struct sv_err *err)
{
	(void)err;
	if (size && size % SV_SECTOR == 0)
		return 0;
	faults->errors++;
	if (faults->report)
		faults->report(faults->user, false, path, size,
			"the disk's size is no whole number of sectors");
	return 0;
}

static int raw_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	(void)env;
	(void)job;
	return sv_raw_check_size(sv_dev_size(file), path, faults, err);
}

static int raw_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *dir = sv_path_dir(path);
	sv_autodev struct sv_dev *d = NULL;

	if (spec->parent)
		return sv_fail(err, SV_UNSUPPORTED, path, "a raw image cannot have a parent");
	if (spec->subformat && *spec->subformat)
		return sv_fail(
			err, SV_USAGE, path, "raw images have no kind \"%s\"", spec->subformat);
	if (!dir)
		return sv_fail_nomem(err);
	if (sv_host_open(host, path, SV_OPEN_CREATE, &d, err) < 0 ||
		sv_made_add(&made, path, err) < 0 || sv_dev_resize(d, spec->size, err) < 0 ||
		sv_dev_flush(d, err) < 0 || sv_host_sync_dir(host, dir, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}

static int raw_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	const char *dot = strrchr(sv_path_base(l->info.path), '.');
	sv_autofree char *name = sv_format("%s%s", stem, dot ? dot : ".img");
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_made_copy(made, l->info.path, path, reflink, job, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

const char *sv_raw_flat_subformat(const struct sv_link *l)
{
	(void)l;
	return NULL;
}

/* A raw image has no metadata; what is linked to it is a qcow2 overlay. */
static uint64_t raw_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	return how == SV_DERIVE_LINKED ? sv_qcow2_linked_cost(original, size) : 0;
}

static int raw_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	return how == SV_DERIVE_LINKED ? sv_qcow2_check_linked(original, size, err) : 0;
}

const struct sv_image_driver sv_raw_driver = {
	.name = "raw",
	.extension = ".img",
	.probe = raw_probe,
	.open = raw_open,
	.close = sv_raw_close,
	.map = sv_raw_map,
	.write = sv_raw_write,
	.discard = sv_raw_discard,
	.flush = sv_raw_flush,
	.fill_begin = raw_fill_begin,
	.fill_place = raw_fill_place,
	.fill_end = raw_fill_end,
	.grow = raw_grow,
	.check = raw_check,
	.create = raw_create,
	.derive_linked = sv_qcow2_derive_linked,
	.copy = raw_copy,
	.flat_subformat = sv_raw_flat_subformat,
	.metadata_cost = raw_metadata_cost,
	.limits = raw_limits,
};
