/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making VHDXs. A new file: [identifier, headers, region tables][log][metadata][block table],
 * each from a multiple of 1 MiB on, then the blocks of a fixed disk.
 *
 * A differencing image may be larger than its parent. Not every program expects to be asked
 * for what a parent does not have, so none is: the blocks of the tail are marked as zeros, and
 * the one that the parent ends in is stored in part, from the parent's end on.
 */
#include "image/vhdx/vhdx.h"

#include "base/str.h"

#include <string.h>

#define LOG_AT        SV_VHDX_UNIT
#define LOG_SIZE      SV_VHDX_UNIT
#define METADATA_AT   (LOG_AT + LOG_SIZE)
#define METADATA_SIZE SV_VHDX_UNIT
#define BAT_AT        (METADATA_AT + METADATA_SIZE)

/* As Hyper-V makes them. */
#define BLOCK_DEFAULT      (32 * SV_MIB)
#define BLOCK_DIFFERENCING (2 * SV_MIB)

struct plan {
	struct sv_vhdx_params params;
	struct sv_vhdx_header header;
	struct sv_vhdx_locator locator;
	const struct sv_vhdx *parent;
	uint64_t bat_size;
	uint64_t data_at; /* of the first block */
	uint64_t end;     /* of the file */
};

/* ---- plan ---- */

int sv_vhdx_refuse_large(const char *path, uint64_t size, struct sv_err *err)
{
	if (size <= SV_VHDX_SIZE_MAX)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"a VHDX has at most 64 TiB, the disk would have %llu bytes",
		(unsigned long long)size);
	return sv_hint(err, "choose a smaller size");
}

static int plan_kind(
	struct plan *p, const char *path, const struct sv_image_spec *spec, struct sv_err *err)
{
	const char *kind = spec->subformat;

	p->params.has_parent = spec->parent != NULL;
	p->params.block = spec->parent ? BLOCK_DIFFERENCING : BLOCK_DEFAULT;
	if (!kind || !strcmp(kind, spec->parent ? "differencing" : "dynamic"))
		return 0;
	if (spec->parent || strcmp(kind, "fixed") != 0)
		return sv_fail(err, SV_USAGE, path,
			"no VHDX of kind \"%s\" can be made %s a parent", kind,
			spec->parent ? "over" : "without");
	p->params.leave_allocated = true;
	return 0;
}

/* Sectors as another VHDX has them: a guest's partitions count in them. */
static void take_sectors(struct plan *p, struct sv_image *like)
{
	const struct sv_link *l = sv_image_driver_link(like, 0);
	const struct sv_vhdx *v = (const struct sv_vhdx *)l;

	if (l->driver != &sv_vhdx_driver)
		return;
	p->params.sector = v->params.sector;
	if (v->params.physical_sector)
		p->params.physical_sector = v->params.physical_sector;
}

/* ".\disk.vhdx" of "disk.vhdx", "..\base\disk.vhdx" of "../base/disk.vhdx". Caller frees. */
static char *windows_path(const char *relative)
{
	char *text = sv_format("%s%s", *relative == '.' ? "" : "./", relative);

	for (char *c = text; c && *c; c++) {
		if (*c == '/')
			*c = '\\';
	}
	return text;
}

static int plan_locator(
	struct sv_host *host, struct plan *p, const char *path, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path), *home = NULL, *way = NULL;

	home = dir ? sv_host_real_path(host, dir, err) : NULL;
	if (!home)
		return dir ? -1 : sv_fail_nomem(err);
	way = sv_path_relative(home, p->parent->link.info.path);
	p->locator.relative = way ? windows_path(way) : NULL;
	p->locator.linkage = p->parent->header.data_write;
	return p->locator.relative ? 0 : sv_fail_nomem(err);
}

static int plan_parent(struct sv_host *host, struct plan *p, const char *path,
	struct sv_image *parent, struct sv_err *err)
{
	const struct sv_link *l = sv_image_driver_link(parent, 0);

	if (l->driver != &sv_vhdx_driver)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"the parent of a VHDX must be a VHDX, this is %s", l->driver->name);
	p->parent = (const struct sv_vhdx *)l;
	if (p->parent->params.size > p->params.size)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"a differencing VHDX cannot be made smaller than its parent");
	take_sectors(p, parent);
	/* to the guest it is the same disk */
	p->params.disk_id = p->parent->params.disk_id;
	return plan_locator(host, p, path, err);
}

static int plan_ids(struct plan *p, const struct sv_image_spec *spec, struct sv_err *err)
{
	const struct sv_image_identity keep = sv_spec_identity(spec);

	if (!p->parent && sv_vhdx_guid_new(&p->params.disk_id, err) < 0)
		return -1;
	if (keep.has_id)
		sv_guid_swap(keep.id, p->params.disk_id.b);
	p->header =
		(struct sv_vhdx_header){.sequence = 1, .log_at = LOG_AT, .log_size = LOG_SIZE};
	if (sv_vhdx_guid_new(&p->header.file_write, err) < 0)
		return -1;
	return sv_vhdx_guid_new(&p->header.data_write, err);
}

/* Where a smaller parent ends inside a block of a larger child; UINT64_MAX: there is none. */
static uint64_t straddling_block(const struct plan *p)
{
	uint64_t end = p->parent ? p->parent->params.size : 0;

	return end % p->params.block && end < p->params.size ? end / p->params.block
							     : UINT64_MAX;
}

static void plan_places(struct plan *p)
{
	uint64_t bytes = sv_vhdx_entries(&p->params, p->params.size) * 8;

	p->bat_size = sv_align_up(bytes, SV_VHDX_UNIT);
	p->data_at = p->end = BAT_AT + p->bat_size;
	if (p->params.leave_allocated)
		p->end += sv_vhdx_blocks(&p->params, p->params.size) * p->params.block;
	if (straddling_block(p) < UINT64_MAX)
		p->end += SV_VHDX_BITMAP + p->params.block;
}

static int make_plan(struct sv_host *host, struct plan *p, const char *path,
	const struct sv_image_spec *spec, struct sv_err *err)
{
	*p = (struct plan){
		.params = {.size = spec->size, .sector = 512, .physical_sector = 4096}};
	if (sv_vhdx_refuse_large(path, spec->size, err) < 0 ||
		plan_kind(p, path, spec, err) < 0)
		return -1;
	if (spec->like)
		take_sectors(p, spec->like);
	if (spec->parent && plan_parent(host, p, path, spec->parent, err) < 0)
		return -1;
	if (p->params.size % p->params.sector)
		return sv_fail(err, SV_USAGE, path,
			"a disk of %llu bytes cannot be made: its sectors have %u bytes",
			(unsigned long long)p->params.size, p->params.sector);
	if (plan_ids(p, spec, err) < 0)
		return -1;
	plan_places(p);
	return 0;
}

/* ---- file ---- */

static int write_identifier(struct sv_dev *d, struct sv_err *err)
{
	sv_autofree void *creator = NULL;
	uint8_t bytes[SV_VHDX_PAGE] = SV_VHDX_SIGNATURE;
	size_t n;

	creator = sv_utf8_to_utf16("sharevm " SV_VERSION, &n);
	if (!creator)
		return sv_fail_nomem(err);
	memcpy(bytes + 8, creator, SV_MIN(n * 2, (size_t)510));
	return sv_dev_write(d, bytes, sizeof bytes, 0, err);
}

static int write_headers(struct sv_dev *d, struct plan *p, struct sv_err *err)
{
	struct sv_vhdx_disk_header h;

	for (unsigned i = 0; i < 2; i++) {
		p->header.sequence = i + 1;
		sv_vhdx_header_print(&p->header, &h);
		if (sv_dev_write(d, &h, sizeof h, SV_VHDX_HEADER_AT(i), err) < 0)
			return -1;
	}
	return 0;
}

static int write_regions(struct sv_dev *d, const struct plan *p, struct sv_err *err)
{
	const struct sv_vhdx_region bat = {.at = BAT_AT, .length = p->bat_size};
	const struct sv_vhdx_region metadata = {.at = METADATA_AT, .length = METADATA_SIZE};
	sv_autofree uint8_t *table = malloc(SV_VHDX_TABLE_SIZE);

	if (!table)
		return sv_fail_nomem(err);
	sv_vhdx_regions_print(&bat, &metadata, table);
	if (sv_dev_write(d, table, SV_VHDX_TABLE_SIZE, SV_VHDX_TABLE_AT(0), err) < 0)
		return -1;
	return sv_dev_write(d, table, SV_VHDX_TABLE_SIZE, SV_VHDX_TABLE_AT(1), err);
}

static int write_metadata(struct sv_dev *d, const struct plan *p, struct sv_err *err)
{
	size_t n_locator = 0, n = SV_VHDX_ITEMS_AT + SV_VHDX_NEW_ITEMS;
	sv_autofree uint8_t *bytes = calloc(1, n);
	sv_autofree void *locator = NULL;

	if (!bytes)
		return sv_fail_nomem(err);
	if (p->parent) {
		locator = sv_vhdx_locator_print(&p->locator, &n_locator, err);
		if (!locator)
			return -1;
	}
	if (n_locator + SV_VHDX_PAGE > SV_VHDX_NEW_ITEMS)
		return sv_fail(err, SV_USAGE, p->parent->link.info.path,
			"the path to the parent is too long for a parent locator");
	sv_vhdx_items_print(&p->params, locator, n_locator, bytes);
	return sv_dev_write(d, bytes, n, METADATA_AT, err);
}

/* ---- block table ---- */

static struct sv_vhdx_entry first_entry(const struct plan *p, uint64_t block)
{
	uint64_t parent_end = p->parent ? p->parent->params.size : UINT64_MAX;

	if (p->params.leave_allocated)
		return (struct sv_vhdx_entry){
			SV_VHDX_FULL, p->data_at + block * p->params.block};
	if (block == straddling_block(p))
		return (struct sv_vhdx_entry){SV_VHDX_PARTIAL, p->data_at + SV_VHDX_BITMAP};
	return (struct sv_vhdx_entry){
		block * p->params.block >= parent_end ? SV_VHDX_ZERO : SV_VHDX_NOT_PRESENT, 0};
}

static int write_entry(
	struct sv_dev *d, uint64_t index, struct sv_vhdx_entry e, struct sv_err *err)
{
	uint8_t raw[8];

	sv_vhdx_entry_store(raw, e);
	return sv_dev_write(d, raw, sizeof raw, BAT_AT + index * 8, err);
}

/* Entries [from, n) of the table; bitmaps' entries among them are none yet. */
static int write_table(
	struct sv_dev *d, const struct plan *p, uint64_t from, struct sv_err *err)
{
	uint64_t n = sv_vhdx_blocks(&p->params, p->params.size), index = 0, used = 0;
	uint8_t buf[SV_VHDX_PAGE];

	for (uint64_t block = from; block < n; block++) {
		uint64_t at = sv_vhdx_index(&p->params, block);

		if (!used)
			index = at;
		else
			memset(buf + used, 0, (at - index) * 8 - used);
		sv_vhdx_entry_store(buf + (at - index) * 8, first_entry(p, block));
		used = (at - index + 1) * 8;
		if (used + 16 <= sizeof buf && block + 1 < n)
			continue;
		if (sv_dev_write(d, buf, used, BAT_AT + index * 8, err) < 0)
			return -1;
		used = 0;
	}
	return 0;
}

/* The block that the parent ends in: its sectors from there on are the child's. */
static int write_straddling(struct sv_dev *d, const struct plan *p, struct sv_err *err)
{
	uint64_t block = straddling_block(p), sector = p->params.sector;
	uint64_t first, end, covers = SV_VHDX_BITMAP * 8;
	sv_autofree uint8_t *bits = NULL;

	if (block == UINT64_MAX)
		return 0;
	bits = calloc(1, SV_VHDX_BITMAP);
	if (!bits)
		return sv_fail_nomem(err);
	first = p->parent->params.size / sector % covers;
	end = first + ((block + 1) * p->params.block - p->parent->params.size) / sector;
	for (uint64_t i = first; i < end; i++)
		bits[i / 8] |= (uint8_t)(1 << (i % 8));
	if (sv_dev_write(d, bits, SV_VHDX_BITMAP, p->data_at, err) < 0)
		return -1;
	return write_entry(d, sv_vhdx_bitmap_index(&p->params, block),
		(struct sv_vhdx_entry){SV_VHDX_FULL, p->data_at}, err);
}

static int write_blocks(struct sv_dev *d, const struct plan *p, struct sv_err *err)
{
	if (p->params.leave_allocated)
		return write_table(d, p, 0, err);
	if (!p->parent)
		return 0; /* all zeros: not present */
	if (write_table(d, p, p->parent->params.size / p->params.block, err) < 0)
		return -1;
	return write_straddling(d, p, err);
}

static int write_file(struct sv_dev *d, struct plan *p, struct sv_err *err)
{
	if (sv_dev_resize(d, p->end, err) < 0 || write_identifier(d, err) < 0 ||
		write_headers(d, p, err) < 0 || write_regions(d, p, err) < 0 ||
		write_metadata(d, p, err) < 0 || write_blocks(d, p, err) < 0)
		return -1;
	return sv_dev_flush(d, err);
}

static int make_file(struct sv_host *host, const char *path, struct plan *p, struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *dir = sv_path_dir(path);
	sv_autodev struct sv_dev *d = NULL;

	if (!dir)
		return sv_fail_nomem(err);
	if (sv_host_open(host, path, SV_OPEN_CREATE, &d, err) < 0 ||
		sv_made_add(&made, path, err) < 0 || write_file(d, p, err) < 0 ||
		sv_host_sync_dir(host, dir, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}

void sv_vhdx_identity(const struct sv_link *l, struct sv_image_identity *ret)
{
	ret->has_id = true;
	sv_guid_swap(((const struct sv_vhdx *)l)->params.disk_id.b, ret->id);
}

int sv_vhdx_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	struct plan p;
	int rc = make_plan(host, &p, path, spec, err);

	if (!rc)
		rc = make_file(host, path, &p, err);
	sv_vhdx_locator_free(&p.locator);
	return rc;
}
