/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making VDIs. A differencing image may be larger than its parent: VirtualBox asks a parent
 * for every block that the child does not have, and the parent refuses what lies beyond its
 * end. So the blocks of the tail are marked as zeros, and the one that the parent ends in is
 * stored.
 */
#include "image/vdi/vdi.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct plan {
	struct sv_vdi_disk_header header;
	enum sv_vdi_type type;
	uint64_t size, n_blocks;
	struct sv_image *parent;
};

/* ---- plan ---- */

static int refuse_large(const char *path, uint64_t size, uint64_t block, struct sv_err *err)
{
	if (size <= SV_VDI_BLOCKS_MAX * block)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"a VDI in blocks of %llu bytes has at most %llu, the disk would have %llu",
		(unsigned long long)block, (unsigned long long)(SV_VDI_BLOCKS_MAX * block),
		(unsigned long long)size);
	return sv_hint(err, "choose a smaller size");
}

static int plan_kind(
	struct plan *p, const char *path, const struct sv_image_spec *spec, struct sv_err *err)
{
	const char *kind = spec->subformat;

	p->type = spec->parent ? SV_VDI_DIFFERENCING : SV_VDI_DYNAMIC;
	if (!kind || !strcmp(kind, spec->parent ? "differencing" : "dynamic"))
		return 0;
	if (spec->parent || strcmp(kind, "fixed") != 0)
		return sv_fail(err, SV_USAGE, path,
			"no VDI of kind \"%s\" can be made %s a parent", kind,
			spec->parent ? "over" : "without");
	p->type = SV_VDI_FIXED;
	return 0;
}

/* What names the parent: its ids, and a comment for those who have no library of disks. */
static int plan_parent(
	struct sv_host *host, struct plan *p, const char *path, struct sv_err *err)
{
	const struct sv_link *l = sv_image_driver_link(p->parent, 0);
	const struct sv_vdi *v = (const struct sv_vdi *)l;
	sv_autofree char *dir = sv_path_dir(path), *home = NULL, *way = NULL;

	if (l->driver != &sv_vdi_driver)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"the parent of a VDI must be a VDI, this is %s", l->driver->name);
	if (v->header.size > p->size)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"a differencing VDI cannot be smaller than its parent");
	home = dir ? sv_host_real_path(host, dir, err) : NULL;
	way = home ? sv_path_relative(home, l->info.path) : NULL;
	if (!way)
		return sv_err_path(err, path);
	memcpy(p->header.parent_id, v->header.id, SV_VDI_UUID_SIZE);
	memcpy(p->header.parent_modified, v->header.modified, SV_VDI_UUID_SIZE);
	if (strlen(way) + sizeof "parent: " <= sizeof p->header.comment)
		snprintf(p->header.comment, sizeof p->header.comment, "parent: %s", way);
	return 0;
}

/* VirtualBox's geometry has at most 16 heads, and 63 sectors in a track. */
static void keep_identity(struct plan *p, const struct sv_image_spec *spec)
{
	const struct sv_image_identity keep = sv_spec_identity(spec);
	struct sv_vdi_disk_geometry *g = &p->header.legacy_geometry;
	uint64_t track = (uint64_t)keep.heads * keep.sectors;

	if (keep.has_id)
		sv_guid_swap(keep.id, p->header.id);
	if (!track || keep.heads > 16 || keep.sectors > 63)
		return;
	g->cylinders = sv_put_le32((uint32_t)SV_MIN(p->size / SV_SECTOR / track, 16383U));
	g->heads = sv_put_le32(keep.heads);
	g->sectors = sv_put_le32(keep.sectors);
}

static int make_plan(struct sv_host *host, struct plan *p, const char *path,
	const struct sv_image_spec *spec, struct sv_err *err)
{
	*p = (struct plan){.size = spec->size, .parent = spec->parent};
	if (refuse_large(path, p->size, SV_VDI_BLOCK, err) < 0 ||
		plan_kind(p, path, spec, err) < 0)
		return -1;
	p->n_blocks = sv_div_up(p->size, SV_VDI_BLOCK);
	sv_vdi_header_make(&p->header, p->type, p->size);
	if (sv_vdi_new_uuid(p->header.id, err) < 0 ||
		sv_vdi_new_uuid(p->header.modified, err) < 0)
		return -1;
	keep_identity(p, spec);
	return p->parent ? plan_parent(host, p, path, err) : 0;
}

/* ---- file ---- */

/* Where a smaller parent ends inside a block of a larger child: nobody asks beyond its end in
 * VirtualBox, so that block is stored whole. UINT64_MAX: there is none. */
static uint64_t straddling_block(const struct plan *p)
{
	uint64_t end = p->parent ? sv_dev_size(sv_image_dev(p->parent)) : 0;

	return end % SV_VDI_BLOCK && end < p->size ? end / SV_VDI_BLOCK : UINT64_MAX;
}

static uint32_t first_entry(const struct plan *p, uint64_t block)
{
	uint64_t parent_size = p->parent ? sv_dev_size(sv_image_dev(p->parent)) : 0;

	if (p->type == SV_VDI_FIXED)
		return (uint32_t)block;
	if (block == straddling_block(p))
		return 0; /* the first block of the data area */
	return p->parent && block * SV_VDI_BLOCK >= parent_size ? SV_VDI_ZERO : SV_VDI_FREE;
}

static int write_map(struct sv_dev *d, const struct plan *p, struct sv_err *err)
{
	uint64_t at = sv_get_le32(p->header.map_at);
	uint32_t buf[1024];

	for (uint64_t i = 0; i < p->n_blocks;) {
		size_t n = (size_t)SV_MIN(p->n_blocks - i, SV_ARRAY_LEN(buf));

		for (size_t k = 0; k < n; k++)
			sv_store_le32(&buf[k], first_entry(p, i + k));
		if (sv_dev_write(d, buf, n * 4, at + i * 4, err) < 0)
			return -1;
		i += n;
	}
	return 0;
}

static int write_straddling(struct sv_dev *d, const struct plan *p, struct sv_err *err)
{
	uint64_t block = straddling_block(p), start = block * SV_VDI_BLOCK;
	sv_autofree uint8_t *buf = NULL;
	struct sv_dev *parent;
	size_t n;

	if (block == UINT64_MAX)
		return 0;
	buf = malloc(SV_VDI_BLOCK);
	if (!buf)
		return sv_fail_nomem(err);
	parent = sv_image_dev(p->parent);
	n = (size_t)(sv_dev_size(parent) - start);
	if (sv_dev_read(parent, buf, n, start, err) < 0)
		return -1;
	return sv_dev_write(d, buf, n, sv_get_le32(p->header.data_at), err);
}

static int write_file(struct sv_dev *d, struct plan *p, struct sv_err *err)
{
	uint64_t blocks = p->type == SV_VDI_FIXED            ? p->n_blocks
			  : straddling_block(p) < UINT64_MAX ? 1
							     : 0;

	p->header.n_allocated = sv_put_le32((uint32_t)blocks);
	if (sv_dev_resize(d, sv_get_le32(p->header.data_at) + blocks * SV_VDI_BLOCK, err) < 0 ||
		write_straddling(d, p, err) < 0 ||
		sv_dev_write(d, &p->header, sizeof p->header, 0, err) < 0)
		return -1;
	return write_map(d, p, err);
}

void sv_vdi_identity(const struct sv_link *l, struct sv_image_identity *ret)
{
	const struct sv_vdi *v = (const struct sv_vdi *)l;

	ret->has_id = true;
	sv_guid_swap(v->header.id, ret->id);
	ret->heads = v->header.heads;
	ret->sectors = v->header.sectors;
}

int sv_vdi_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *dir = sv_path_dir(path);
	sv_autodev struct sv_dev *d = NULL;
	struct plan p;

	if (!dir)
		return sv_fail_nomem(err);
	if (make_plan(host, &p, path, spec, err) < 0 ||
		sv_host_open(host, path, SV_OPEN_CREATE, &d, err) < 0 ||
		sv_made_add(&made, path, err) < 0 || write_file(d, &p, err) < 0 ||
		sv_dev_flush(d, err) < 0 || sv_host_sync_dir(host, dir, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}

/* ---- derivation ---- */

/* A copy is another disk: VirtualBox refuses two of one id. */
static int give_new_id(struct sv_host *host, const char *path, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;
	struct sv_vdi_disk_header h;

	if (sv_host_open(host, path, SV_OPEN_WRITE | SV_OPEN_NOFOLLOW, &file, err) < 0 ||
		sv_dev_read(file, &h, sizeof h, 0, err) < 0 || sv_vdi_new_uuid(h.id, err) < 0 ||
		sv_vdi_new_uuid(h.modified, err) < 0 ||
		sv_dev_write(file, &h, sizeof h, 0, err) < 0)
		return -1;
	return sv_dev_flush(file, err);
}

int sv_vdi_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	sv_autofree char *name = sv_format("%s.vdi", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_made_copy(made, l->info.path, path, reflink, job, err) < 0 ||
		give_new_id(host, path, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

int sv_vdi_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err)
{
	const struct sv_image_spec spec = {.format = "vdi", .size = size, .parent = original};
	sv_autofree char *name = sv_format("%s.vdi", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_image_create(host, path, &spec, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

uint64_t sv_vdi_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	const struct sv_vdi *v = (const struct sv_vdi *)sv_image_driver_link(original, 0);
	uint64_t block = v->header.block_size, map = sv_div_up(size, block) * 4;

	/* header and map; the straddling block, or blocks that make room for the map */
	if (how == SV_DERIVE_LINKED || sv_image_links(original) > 1)
		return sizeof(struct sv_vdi_disk_header) + map + SV_VDI_BLOCK;
	return sizeof(struct sv_vdi_disk_header) + map + (map / block + 2) * block;
}

int sv_vdi_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	const struct sv_vdi *v = (const struct sv_vdi *)sv_image_driver_link(original, 0);
	bool own = how != SV_DERIVE_LINKED && sv_image_links(original) == 1;

	return refuse_large(
		v->link.info.path, size, own ? v->header.block_size : SV_VDI_BLOCK, err);
}
