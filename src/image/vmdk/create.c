/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Makes new VMDKs: the four hosted kinds, and deltas of the two sparse ones. Extent files come
 * first, the descriptor that names them last, so that a run that is killed leaves no disk that
 * looks whole.
 */
#include "image/vmdk/vmdk.h"

#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct kind {
	const char *name;
	enum sv_vmdk_extent_type type;
	bool split;
};

static const struct kind kinds[] = {
	{"monolithicSparse", SV_VMDK_SPARSE, false}, /* the default */
	{"monolithicFlat", SV_VMDK_FLAT, false},
	{"twoGbMaxExtentSparse", SV_VMDK_SPARSE, true},
	{"twoGbMaxExtentFlat", SV_VMDK_FLAT, true},
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		if (!name || !strcasecmp(kinds[i].name, name))
			return &kinds[i];
	}
	return NULL;
}

/* ---- the disk data base ---- */

static int set_number(struct sv_vmdk_desc *d, const char *key, uint64_t n, struct sv_err *err)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	return sv_vmdk_desc_set(d, key, text, err);
}

static uint64_t get_number(const struct sv_vmdk_desc *d, const char *key)
{
	const char *text = sv_vmdk_desc_get(d, key);

	return text ? strtoull(text, NULL, 10) : 0;
}

/*
 * Cylinders follow from the size; heads and sectors stay as they are where they are known:
 * old guests have them in their boot sectors. IDE stops at 16383 cylinders (ATA).
 */
int sv_vmdk_set_geometry(struct sv_vmdk_desc *d, struct sv_err *err)
{
	const char *adapter = sv_vmdk_desc_get(d, "ddb.adapterType");
	bool ide = adapter && !strcasecmp(adapter, "ide");
	uint64_t heads = get_number(d, "ddb.geometry.heads");
	uint64_t sectors = get_number(d, "ddb.geometry.sectors");
	uint64_t cylinders;

	if (heads < 1 || heads > 255)
		heads = ide ? 16 : 255;
	if (sectors < 1 || sectors > 63)
		sectors = 63;
	cylinders = SV_MAX(d->sectors / (heads * sectors), UINT64_C(1));
	if (ide)
		cylinders = SV_MIN(cylinders, UINT64_C(16383));
	/* disks above 2 TB came with virtual hardware 10 */
	if (d->sectors > UINT32_MAX && get_number(d, "ddb.virtualHWVersion") < 10 &&
		set_number(d, "ddb.virtualHWVersion", 10, err) < 0)
		return -1;
	if (set_number(d, "ddb.geometry.cylinders", cylinders, err) < 0 ||
		set_number(d, "ddb.geometry.heads", heads, err) < 0)
		return -1;
	return set_number(d, "ddb.geometry.sectors", sectors, err);
}

/* Settings of the parent or the pattern that the new disk shares; those of one file do not
 * belong to another. */
static bool is_inherited(const char *key)
{
	static const char *const own[] = {"ddb.longContentID", "ddb.deletable",
		"ddb.nativeParentHint", "ddb.nativeParentCID", "ddb.uuid.image",
		"ddb.uuid.modification", "ddb.uuid.parent", "ddb.uuid.parentmodification"};

	for (size_t i = 0; i < SV_ARRAY_LEN(own); i++) {
		if (!strcasecmp(key, own[i]))
			return false;
	}
	return !strncasecmp(key, "ddb.", 4);
}

int sv_vmdk_inherit(struct sv_vmdk_desc *d, const struct sv_vmdk_desc *from, struct sv_err *err)
{
	for (size_t i = 0; i < from->n_pairs; i++) {
		if (is_inherited(from->pairs[i].key) &&
			sv_vmdk_desc_set(d, from->pairs[i].key, from->pairs[i].value, err) < 0)
			return -1;
	}
	return 0;
}

static const struct sv_vmdk_desc *desc_of(struct sv_image *img)
{
	struct sv_link *l = img ? sv_image_driver_link(img, 0) : NULL;

	return l && l->driver == &sv_vmdk_driver ? &((struct sv_vmdk *)l)->desc : NULL;
}

int sv_vmdk_fill_ddb(
	struct sv_vmdk_desc *d, const struct sv_image_spec *spec, struct sv_err *err)
{
	const struct sv_vmdk_desc *from = desc_of(spec->parent ? spec->parent : spec->like);

	if (from && sv_vmdk_inherit(d, from, err) < 0)
		return -1;
	if (sv_vmdk_set_identity(d, spec, err) < 0)
		return -1;
	if (spec->adapter && sv_vmdk_desc_set(d, "ddb.adapterType", spec->adapter, err) < 0)
		return -1;
	if (!sv_vmdk_desc_get(d, "ddb.adapterType") &&
		sv_vmdk_desc_set(d, "ddb.adapterType", "lsilogic", err) < 0)
		return -1;
	if (!sv_vmdk_desc_get(d, "ddb.virtualHWVersion") &&
		sv_vmdk_desc_set(d, "ddb.virtualHWVersion", "4", err) < 0)
		return -1;
	return sv_vmdk_set_geometry(d, err);
}

/* ---- files ---- */

int sv_vmdk_make_extent(struct sv_host *host, const char *path, enum sv_vmdk_extent_type type,
	uint64_t sectors, struct sv_made *made, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;

	if (sv_host_open(host, path, SV_OPEN_CREATE, &file, err) < 0 ||
		sv_made_add(made, path, err) < 0)
		return -1;
	if ((type == SV_VMDK_FLAT ? sv_dev_resize(file, sectors * SV_SECTOR, err)
				  : sv_vmdk_sparse_make(file, sectors, 0, NULL, err)) < 0)
		return sv_err_path(err, path);
	return sv_dev_flush(file, err);
}

int sv_vmdk_make_text(struct sv_host *host, const char *path, const struct sv_vmdk_desc *d,
	struct sv_made *made, struct sv_err *err)
{
	sv_autostr struct sv_str s = {0};

	sv_vmdk_desc_print(d, &s);
	if (s.failed)
		return sv_fail_nomem(err);
	if (s.len > SV_VMDK_DESC_MAX)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"its descriptor would have %zu bytes, the largest allowed is %d", s.len,
			SV_VMDK_DESC_MAX);
	/* made first: a write that fails half-way is taken back too */
	if (sv_host_exists(host, path))
		return sv_fail(err, SV_EXISTS, path, "there is a file of this name already");
	if (sv_made_add(made, path, err) < 0)
		return -1;
	return sv_host_write_file(host, path, s.data, s.len, err);
}

int sv_vmdk_make_monolithic(struct sv_host *host, const char *path,
	const struct sv_vmdk_desc *d, struct sv_made *made, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;
	sv_autostr struct sv_str s = {0};

	sv_vmdk_desc_print(d, &s);
	if (s.failed)
		return sv_fail_nomem(err);
	if (sv_host_open(host, path, SV_OPEN_CREATE, &file, err) < 0 ||
		sv_made_add(made, path, err) < 0 ||
		sv_vmdk_sparse_make(file, d->sectors, SV_VMDK_DESC_SECTORS, s.data, err) < 0)
		return sv_err_path(err, path);
	return sv_dev_flush(file, err);
}

/* ---- the whole disk ---- */

/* Adds the extents of a new disk to its descriptor. */
static int add_extents(struct sv_vmdk_desc *d, const struct kind *kind, const char *path,
	uint64_t sectors, struct sv_err *err)
{
	sv_autofree char *stem = sv_vmdk_stem(path);
	uint64_t most = kind->split ? SV_VMDK_SPLIT_SECTORS : sectors;

	if (!stem)
		return sv_fail_nomem(err);
	if (sv_div_up(sectors, most) > SV_VMDK_EXTENTS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"it would have %llu extents of 2 GB, the most possible are %d",
			(unsigned long long)sv_div_up(sectors, most), SV_VMDK_EXTENTS_MAX);
	for (size_t i = 0; sectors; i++) {
		uint64_t n = SV_MIN(sectors, most);
		sv_autofree char *name =
			kind->split || kind->type == SV_VMDK_FLAT
				? sv_vmdk_part_name(stem, kind->type, kind->split, i)
				: strdup(sv_path_base(path));

		if (!name)
			return sv_fail_nomem(err);
		if (sv_vmdk_desc_add_extent(d, kind->type, n, name, 0, err) < 0)
			return -1;
		sectors -= n;
	}
	return 0;
}

static int make_split(struct sv_host *host, const char *path, const struct sv_vmdk_desc *d,
	struct sv_made *made, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);

	if (!dir)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < d->n_extents; i++) {
		const struct sv_vmdk_extent *e = &d->extents[i];
		sv_autofree char *part = sv_path_join(dir, e->file);

		if (!part)
			return sv_fail_nomem(err);
		if (sv_vmdk_make_extent(host, part, e->type, e->sectors, made, err) < 0)
			return -1;
	}
	return sv_vmdk_make_text(host, path, d, made, err);
}

int sv_vmdk_init_desc(struct sv_vmdk_desc *d, const char *kind, struct sv_err *err)
{
	*d = (struct sv_vmdk_desc){.version = 1, .parent_cid = SV_VMDK_CID_NONE};
	d->encoding = strdup("UTF-8");
	d->create_type = strdup(kind);
	d->parent_hint = strdup("");
	if (!d->encoding || !d->create_type || !d->parent_hint)
		return sv_fail_nomem(err);
	return sv_vmdk_random_cid(&d->cid, err);
}

int sv_vmdk_set_parent(
	struct sv_vmdk_desc *d, const char *hint, uint32_t cid, struct sv_err *err)
{
	char *copy;

	if (!sv_vmdk_text_valid(hint))
		return sv_fail(err, SV_UNSUPPORTED, hint,
			"a VMDK descriptor cannot name it: it holds a quote or a control character");
	copy = strdup(hint);
	if (!copy)
		return sv_fail_nomem(err);
	free(d->parent_hint);
	d->parent_hint = copy;
	d->parent_cid = cid;
	return 0;
}

/* The parent by its name where it lies in the same folder, else by its absolute path. */
static int name_parent(struct sv_host *host, struct sv_vmdk_desc *d, const char *path,
	struct sv_image *parent, struct sv_err *err)
{
	struct sv_link *l = sv_image_driver_link(parent, 0);
	sv_autofree char *dir = sv_path_dir(path);
	sv_autofree char *home = sv_path_dir(l->info.path);
	sv_autofree char *real = NULL;

	if (l->driver != &sv_vmdk_driver)
		return sv_fail(err, SV_UNSUPPORTED, l->info.path,
			"the parent of a VMDK must be a VMDK, this is %s", l->driver->name);
	if (!dir || !home)
		return sv_fail_nomem(err);
	real = sv_host_real_path(host, dir, err);
	if (!real)
		return -1;
	return sv_vmdk_set_parent(d,
		strcmp(real, home) ? l->info.path : sv_path_base(l->info.path),
		((struct sv_vmdk *)l)->desc.cid, err);
}

int sv_vmdk_check_size(const char *path, uint64_t size, struct sv_err *err)
{
	if (size <= SV_VMDK_SIZE_MAX)
		return 0;
	return sv_fail(err, SV_UNSUPPORTED, path,
		"a VMDK of %llu bytes is larger than VMware's largest (62 TiB)",
		(unsigned long long)size);
}

static int check_spec(const char *path, const struct sv_image_spec *spec,
	const struct kind *kind, struct sv_err *err)
{
	if (sv_vmdk_is_whole(spec->subformat))
		return sv_fail(err, SV_USAGE, path,
			"an empty disk of kind %s is of no use: it could not be written",
			spec->subformat);
	if (!kind)
		return sv_fail(err, SV_USAGE, path, "no VMDK kind \"%s\" can be made",
			spec->subformat);
	if (sv_vmdk_check_size(path, spec->size, err) < 0)
		return -1;
	if (spec->parent && kind->type == SV_VMDK_FLAT)
		return sv_fail(err, SV_USAGE, path, "a disk of kind %s cannot have a parent",
			kind->name);
	if (spec->parent && spec->size != sv_dev_size(sv_image_dev(spec->parent)))
		return sv_fail(err, SV_UNSUPPORTED, path,
			"a VMDK delta must be as large as its parent (%llu bytes), not %llu",
			(unsigned long long)sv_dev_size(sv_image_dev(spec->parent)),
			(unsigned long long)spec->size);
	return 0;
}

static int create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_vmdk_desc *d, struct sv_made *made, struct sv_err *err)
{
	const struct kind *kind = find_kind(spec->subformat);

	if (check_spec(path, spec, kind, err) < 0 ||
		sv_vmdk_init_desc(d, kind->name, err) < 0 ||
		add_extents(d, kind, path, spec->size / SV_SECTOR, err) < 0 ||
		(spec->parent && name_parent(host, d, path, spec->parent, err) < 0) ||
		sv_vmdk_fill_ddb(d, spec, err) < 0)
		return -1;
	if (kind->type == SV_VMDK_SPARSE && !kind->split)
		return sv_vmdk_make_monolithic(host, path, d, made, err);
	return make_split(host, path, d, made, err);
}

int sv_vmdk_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *dir = sv_path_dir(path);
	struct sv_vmdk_desc d = {0};
	int rc;

	if (!dir)
		return sv_fail_nomem(err);
	rc = create(host, path, spec, &d, &made, err);
	sv_vmdk_desc_free(&d);
	if (rc < 0 || sv_host_sync_dir(host, dir, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}
