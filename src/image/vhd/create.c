/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making VHDs. A new file: [footer copy][header][block table][parent's name] footer; a fixed
 * one: the disk, footer. A differencing image names its parent by its unique id, and by its
 * path relative to the child (locator W2ru): an absolute one would be of this machine.
 */
#include "image/vhd/vhd.h"

#include "base/hash.h"
#include "base/str.h"

#include <string.h>
#include <time.h>

#define TABLE_AT (SV_VHD_FOOTER_SIZE + SV_VHD_HEADER_SIZE)

static int new_id(uint8_t id[SV_VHD_ID_SIZE], struct sv_err *err)
{
	if (sv_random(id, SV_VHD_ID_SIZE, err) < 0)
		return -1;
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	return 0;
}

/* ---- the parent's name ---- */

/* "../base/disk.vhd" as UTF-16LE "..\base\disk.vhd". Caller frees. */
static void *windows_path(const char *relative, size_t *ret_units)
{
	sv_autofree char *text = sv_format("%s%s", *relative == '.' ? "" : "./", relative);

	for (char *c = text; c && *c; c++) {
		if (*c == '/')
			*c = '\\';
	}
	return text ? sv_utf8_to_utf16(text, ret_units) : NULL;
}

/* The parent's file name in the header, the path in a locator at `at`. */
static int put_parent(struct sv_vhd_disk_header *h, const struct sv_vhd *parent,
	const char *relative, uint64_t at, void **ret_path, size_t *ret_n, struct sv_err *err)
{
	size_t n = 0, units = 0;
	sv_autofree uint8_t *name = sv_utf8_to_utf16(sv_path_base(relative), &n);
	sv_autofree void *path = windows_path(relative, &units);

	if (!name || !path)
		return sv_fail_nomem(err);
	n = SV_MIN(n, sizeof h->parent_name / 2 - 1);
	for (size_t i = 0; i < n; i++) {
		h->parent_name[2 * i] = name[2 * i + 1];
		h->parent_name[2 * i + 1] = name[2 * i];
	}
	memcpy(h->parent_id, parent->footer.id, SV_VHD_ID_SIZE);
	h->parent_time = sv_put_be32(parent->modified);
	memcpy(h->locators[0].code, "W2ru", 4);
	/* in bytes, as Hyper-V writes it */
	h->locators[0].space = sv_put_be32((uint32_t)sv_align_up(units * 2, SV_SECTOR));
	h->locators[0].length = sv_put_be32((uint32_t)(units * 2));
	h->locators[0].offset = sv_put_be64(at);
	sv_vhd_header_sum(h);
	*ret_path = SV_STEAL(path);
	*ret_n = units * 2;
	return 0;
}

/* ---- files ---- */

struct plan {
	enum sv_vhd_type type;
	uint64_t size, block, entries;
	struct sv_vhd_disk_footer footer;
	struct sv_vhd_disk_header header;
	const struct sv_vhd *parent;
};

static uint64_t table_bytes(uint64_t entries)
{
	return sv_align_up(entries * 4, SV_SECTOR);
}

static int write_table(struct sv_dev *d, uint64_t entries, struct sv_err *err)
{
	uint8_t free_entries[4096];
	uint64_t end = TABLE_AT + table_bytes(entries);

	memset(free_entries, 0xff, sizeof free_entries);
	for (uint64_t at = TABLE_AT; at < end; at += sizeof free_entries) {
		if (sv_dev_write(d, free_entries, (size_t)SV_MIN(end - at, sizeof free_entries),
			    at, err) < 0)
			return -1;
	}
	return 0;
}

static char *relative_to(
	struct sv_host *host, const char *path, const struct sv_vhd *parent, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);
	sv_autofree char *home = dir ? sv_host_real_path(host, dir, err) : NULL;

	return home ? sv_path_relative(home, parent->link.info.path) : NULL;
}

static int write_sparse(struct sv_host *host, struct sv_dev *d, const char *path,
	struct plan *p, struct sv_err *err)
{
	uint64_t name_at = TABLE_AT + table_bytes(p->entries), end = name_at;
	sv_autofree char *relative = NULL;
	sv_autofree void *name = NULL;
	size_t n = 0;

	sv_vhd_header_make(&p->header, TABLE_AT, p->entries, p->block);
	if (p->parent) {
		relative = relative_to(host, path, p->parent, err);
		if (!relative || put_parent(&p->header, p->parent, relative, name_at, &name, &n,
					 err) < 0)
			return -1;
		end += sv_align_up(n, SV_SECTOR);
	}
	if (sv_dev_resize(d, end + SV_VHD_FOOTER_SIZE, err) < 0 ||
		sv_dev_write(d, &p->footer, sizeof p->footer, 0, err) < 0 ||
		sv_dev_write(d, &p->header, sizeof p->header, SV_VHD_FOOTER_SIZE, err) < 0 ||
		write_table(d, p->entries, err) < 0 ||
		sv_dev_write(d, name, n, name_at, err) < 0)
		return -1;
	return sv_dev_write(d, &p->footer, sizeof p->footer, end, err);
}

static int write_fixed(struct sv_dev *d, const struct plan *p, struct sv_err *err)
{
	if (sv_dev_resize(d, p->size + SV_VHD_FOOTER_SIZE, err) < 0)
		return -1;
	return sv_dev_write(d, &p->footer, sizeof p->footer, p->size, err);
}

/* ---- create ---- */

static int refuse_large(const char *path, uint64_t size, struct sv_err *err)
{
	if (size <= SV_VHD_SIZE_MAX)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"a VHD has at most 2040 GiB, the disk would have %llu bytes",
		(unsigned long long)size);
	return sv_hint(err, "convert the disk to VHDX, which holds 64 TiB");
}

static int plan_parent(
	struct plan *p, const char *path, struct sv_image *parent, struct sv_err *err)
{
	const struct sv_link *l = sv_image_driver_link(parent, 0);

	if (l->driver != &sv_vhd_driver)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"the parent of a VHD must be a VHD, this is %s", l->driver->name);
	p->parent = (const struct sv_vhd *)l;
	if (p->parent->footer.size != p->size)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"a differencing VHD has its parent's size, %llu bytes, not %llu",
			(unsigned long long)p->parent->footer.size,
			(unsigned long long)p->size);
	p->type = SV_VHD_DIFFERENCING;
	return 0;
}

static int plan_kind(
	struct plan *p, const char *path, const struct sv_image_spec *spec, struct sv_err *err)
{
	const char *kind = spec->subformat;

	p->type = SV_VHD_DYNAMIC;
	if (spec->parent && (!kind || !strcmp(kind, "differencing")))
		return plan_parent(p, path, spec->parent, err);
	if (!spec->parent && kind && !strcmp(kind, "fixed"))
		p->type = SV_VHD_FIXED;
	else if (spec->parent || (kind && strcmp(kind, "dynamic") != 0))
		return sv_fail(err, SV_USAGE, path,
			"no VHD of kind \"%s\" can be made %s a parent", kind,
			spec->parent ? "over" : "without");
	return 0;
}

static int make_plan(
	struct plan *p, const char *path, const struct sv_image_spec *spec, struct sv_err *err)
{
	const struct sv_image_identity keep = sv_spec_identity(spec);
	uint8_t id[SV_VHD_ID_SIZE];

	*p = (struct plan){.size = spec->size, .block = SV_VHD_BLOCK_DEFAULT};
	if (refuse_large(path, spec->size, err) < 0 || plan_kind(p, path, spec, err) < 0 ||
		new_id(id, err) < 0)
		return -1;
	/* the geometry follows from the size: some readers take the size from it */
	if (keep.has_id)
		memcpy(id, keep.id, sizeof id);
	p->entries = sv_div_up(p->size, p->block);
	sv_vhd_footer_make(
		&p->footer, p->type, p->size, id, (uint32_t)(time(NULL) - SV_VHD_EPOCH));
	return 0;
}

int sv_vhd_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *dir = sv_path_dir(path);
	sv_autodev struct sv_dev *d = NULL;
	struct plan p;

	if (!dir)
		return sv_fail_nomem(err);
	if (make_plan(&p, path, spec, err) < 0 ||
		sv_host_open(host, path, SV_OPEN_CREATE, &d, err) < 0 ||
		sv_made_add(&made, path, err) < 0 ||
		(p.type == SV_VHD_FIXED ? write_fixed(d, &p, err)
					: write_sparse(host, d, path, &p, err)) < 0 ||
		sv_dev_flush(d, err) < 0 || sv_host_sync_dir(host, dir, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}

void sv_vhd_identity(const struct sv_link *l, struct sv_image_identity *ret)
{
	const struct sv_vhd *v = (const struct sv_vhd *)l;

	ret->has_id = true;
	memcpy(ret->id, v->footer.id, sizeof ret->id);
	ret->heads = v->disk_footer.heads;
	ret->sectors = v->disk_footer.sectors;
}

/* ---- derivation ---- */

/* A copy is another disk: children of the original must not take it for their parent. */
static int give_new_id(struct sv_host *host, const char *path, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;
	struct sv_vhd *v;
	int rc;

	if (sv_host_open(host, path, SV_OPEN_WRITE | SV_OPEN_NOFOLLOW, &file, err) < 0 ||
		sv_vhd_load(file, true, &v, err) < 0)
		return -1;
	rc = sv_vhd_begin_change(v, err);
	if (!rc)
		rc = new_id(v->disk_footer.id, err);
	if (!rc) {
		uint64_t end = sv_dev_size(file) - SV_VHD_FOOTER_SIZE;

		sv_vhd_footer_sum(&v->disk_footer);
		rc = sv_vhd_write_footer(v, end, err);
	}
	if (!rc && v->footer.type != SV_VHD_FIXED)
		rc = sv_vhd_write_footer(v, 0, err);
	if (!rc)
		rc = sv_dev_flush(file, err);
	sv_vhd_close(&v->link);
	return rc;
}

int sv_vhd_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	sv_autofree char *name = sv_format("%s.vhd", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_made_copy(made, l->info.path, path, reflink, job, err) < 0 ||
		give_new_id(host, path, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

int sv_vhd_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err)
{
	const struct sv_image_spec spec = {.format = "vhd", .size = size, .parent = original};
	sv_autofree char *name = sv_format("%s.vhd", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_image_create(host, path, &spec, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

uint64_t sv_vhd_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	const struct sv_vhd *v = (const struct sv_vhd *)sv_image_driver_link(original, 0);
	uint64_t block = v->bat ? v->header.block_size : SV_VHD_BLOCK_DEFAULT;
	uint64_t table = table_bytes(sv_div_up(size, block));
	uint64_t cost = TABLE_AT + table + SV_VHD_LOCATOR_MAX + SV_VHD_FOOTER_SIZE;

	if (how == SV_DERIVE_LINKED)
		return cost;
	/* flattened: a bitmap for each block; grown: blocks that make room for the table */
	if (sv_image_links(original) > 1)
		return cost + sv_div_up(sv_dev_size(sv_image_dev(original)), block) * SV_SECTOR;
	return v->bat ? cost + (table / block + 2) * (block + v->header.bitmap_size) : cost;
}

int sv_vhd_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	const struct sv_vhd *v = (const struct sv_vhd *)sv_image_driver_link(original, 0);
	const char *path = v->link.info.path;

	if (refuse_large(path, size, err) < 0)
		return -1;
	if (how == SV_DERIVE_LINKED && size != v->footer.size) {
		sv_fail(err, SV_UNSUPPORTED, path,
			"a differencing VHD cannot be larger than its parent");
		return sv_hint(err, "make an independent copy: --copy");
	}
	if (how == SV_DERIVE_LINKED || sv_image_links(original) > 1 || !v->damaged)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"the checksum of the VHD's footer or header is wrong: it can only be read");
	return sv_hint(err, "copy what it shows into a new image and use that");
}
