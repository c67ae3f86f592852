/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VHDX driver: fixed, dynamic and differencing images (format.h tells the format, vhdx.h
 * what is in memory). A block that is stored in part has a bit per sector in a bitmap block;
 * sectors without one are the parent's. Blocks whose content nobody cares for (undefined,
 * unmapped) read as zeros.
 */
#include "image/vhdx/vhdx.h"

#include "base/str.h"

#include <string.h>

static bool vhdx_probe(const struct sv_probe *p)
{
	const size_t n = strlen(SV_VHDX_SIGNATURE);

	return p->n_head >= n && !memcmp(p->head, SV_VHDX_SIGNATURE, n);
}

/* ---- what is told about the link ---- */

static char *note_of(const struct sv_vhdx *v)
{
	if (v->n_replayed)
		return sv_format("its log has %u entries that were not written to their "
				 "places: they are shown",
			v->n_replayed);
	if (v->log_lost)
		return strdup("the header names a log, but it has no whole entry: the power "
			      "went before anything was changed, or the log is damaged");
	if (v->header_bad[0] || v->header_bad[1])
		return strdup("one of the two headers is broken; the other one is used");
	if (v->table_bad[0] || v->table_bad[1])
		return strdup("one of the two region tables is broken; the other one is used");
	return strdup("");
}

/* What the file holds besides its structures, in whole blocks. */
static uint64_t stored_bytes(const struct sv_vhdx *v)
{
	uint64_t size = sv_dev_size(v->file), other = SV_VHDX_UNIT + v->header.log_size;

	for (size_t i = 0; i < v->regions.n; i++)
		other += v->regions.all[i].length;
	size = size > other ? size - other : 0;
	return SV_MIN(sv_align_down(size, v->params.block), v->params.size);
}

static char *guid_text(const struct sv_vhdx_guid *g)
{
	char text[SV_VHDX_GUID_TEXT];

	sv_vhdx_guid_text(g, text);
	return strdup(text);
}

static char *hint_text(const struct sv_vhdx *v)
{
	if (!v->params.has_parent)
		return strdup("");
	return v->hints[0] ? strdup(v->hints[0]) : guid_text(&v->locator.linkage);
}

static int describe(
	const struct sv_link_env *env, struct sv_vhdx *v, const char *path, struct sv_err *err)
{
	struct sv_image_link *info = &v->link.info;
	sv_autofree char *note = note_of(v);

	info->subformat = strdup(v->params.has_parent        ? "differencing"
				 : v->params.leave_allocated ? "fixed"
							     : "dynamic");
	info->id = guid_text(&v->header.data_write);
	info->parent_hint = hint_text(v);
	info->virtual_size = v->params.size;
	info->block_size = (uint32_t)v->params.block;
	info->dirty = !sv_vhdx_guid_is_nil(&v->header.log);
	info->allocated = stored_bytes(v);
	if (!note || !info->subformat || !info->id || !info->parent_hint)
		return sv_fail_nomem(err);
	info->note = *note ? SV_STEAL(note) : NULL;
	return sv_link_add_file(&v->link, env->host, path, true, err);
}

static int vhdx_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_vhdx *v;

	if (sv_vhdx_load(file, env->writable, &v, err) < 0)
		return -1;
	if (describe(env, v, path, err) < 0) {
		sv_link_close(&v->link);
		return -1;
	}
	*ret = &v->link;
	return 0;
}

/* ---- ranges ---- */

/* Where the host stores nothing it reads as zeros. */
static int look_for_hole(struct sv_run *run, struct sv_err *err)
{
	struct sv_extent e;

	if (sv_dev_extent(run->dev, run->host_offset, run->length, &e, err) < 0)
		return -1;
	run->length = e.length;
	if (e.kind != SV_EXTENT_DATA)
		run->kind = SV_RUN_ZERO;
	return 0;
}

static int check_in_file(
	const struct sv_vhdx *v, uint64_t block, uint64_t at, uint64_t n, struct sv_err *err)
{
	if (sv_in_range(at, n, sv_dev_size(v->file)))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file),
		sv_vhdx_entry_at(v, sv_vhdx_index(&v->params, block)),
		"block %llu has bytes at %llu, the file ends at %llu",
		(unsigned long long)block, (unsigned long long)at,
		(unsigned long long)sv_dev_size(v->file));
}

/* Blocks [block, ...) that are stored one behind the other, or alike in not being stored:
 * bytes from off on. */
static int extend_run(struct sv_vhdx *v, uint64_t off, const struct sv_vhdx_entry *first,
	uint64_t max, uint64_t *ret, struct sv_err *err)
{
	uint64_t block = off / v->params.block, end = block + 1;
	struct sv_vhdx_entry e, want = *first;

	while (end * v->params.block - off < max) {
		if (sv_vhdx_block_entry(v, end, &e, err) < 0)
			return -1;
		want.at += v->params.block;
		if (e.state != want.state || (e.state == SV_VHDX_FULL && e.at != want.at))
			break;
		end++;
	}
	*ret = SV_MIN(max, end * v->params.block - off);
	return 0;
}

/* How many of the bits [first, first+n) of the page are alike. */
static uint64_t same_bits(const uint8_t *bits, uint64_t first, uint64_t n, bool *ret_value)
{
	bool value = bits[first / 8] >> (first % 8) & 1;
	uint64_t i = first + 1, end = first + n;

	while (i < end) {
		if (i % 8 == 0 && end - i >= 8 && bits[i / 8] == (value ? 0xff : 0))
			i += 8;
		else if ((bits[i / 8] >> (i % 8) & 1) == value)
			i++;
		else
			break;
	}
	*ret_value = value;
	return i - first;
}

/* A run within a block that is stored in part. */
static int map_partial(struct sv_vhdx *v, uint64_t off, uint64_t max,
	const struct sv_vhdx_entry *e, struct sv_run *ret, struct sv_err *err)
{
	uint64_t sector = v->params.sector, block = off / v->params.block, n;
	uint64_t in = off % v->params.block;
	struct sv_vhdx_entry bitmap;
	struct sv_vhdx_bit bit;
	uint8_t bits[SV_VHDX_PAGE];
	bool stored;

	if (sv_vhdx_bitmap_entry(v, block, &bitmap, err) < 0)
		return -1;
	if (bitmap.state != SV_VHDX_FULL)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file),
			sv_vhdx_entry_at(v, sv_vhdx_bitmap_index(&v->params, block)),
			"block %llu is stored in part, but its sector bitmap is missing",
			(unsigned long long)block);
	bit = sv_vhdx_bit_of(v, bitmap.at, off);
	if (sv_vhdx_page_read(v, bit.page, bits, sizeof bits, err) < 0)
		return -1;
	max = SV_MIN(max, v->params.block - in);
	n = SV_MIN(sv_div_up(off % sector + max, sector), SV_VHDX_PAGE * 8 - bit.bit);
	n = same_bits(bits, bit.bit, n, &stored);
	ret->length = SV_MIN(max, n * sector - off % sector);
	ret->kind = stored ? SV_RUN_DATA : SV_RUN_ABSENT;
	ret->host_offset = stored ? e->at + in : SV_NO_HOST_OFFSET;
	ret->dev = stored ? v->file : NULL;
	return 0;
}

static int map_stored(struct sv_vhdx *v, uint64_t off, uint64_t max,
	const struct sv_vhdx_entry *e, struct sv_run *ret, struct sv_err *err)
{
	*ret = (struct sv_run){0, SV_RUN_DATA, e->at + off % v->params.block, v->file};
	if (e->state == SV_VHDX_PARTIAL)
		return map_partial(v, off, max, e, ret, err);
	return extend_run(v, off, e, max, &ret->length, err);
}

int sv_vhdx_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	struct sv_vhdx *v = sv_vhdx_of(l);
	uint64_t block = off / v->params.block;
	struct sv_vhdx_entry e;
	struct sv_run run = {.host_offset = SV_NO_HOST_OFFSET};

	if (sv_vhdx_block_entry(v, block, &e, err) < 0)
		return -1;
	if (sv_vhdx_has_place(e.state)) {
		if (map_stored(v, off, max, &e, &run, err) < 0)
			return -1;
	} else {
		run.kind = e.state == SV_VHDX_NOT_PRESENT ? SV_RUN_ABSENT : SV_RUN_ZERO;
		if (extend_run(v, off, &e, max, &run.length, err) < 0)
			return -1;
	}
	if (run.kind == SV_RUN_DATA &&
		(check_in_file(v, block, run.host_offset, run.length, err) < 0 ||
			(holes && look_for_hole(&run, err) < 0)))
		return -1;
	*ret = run;
	return 0;
}

/* ---- parents ---- */

static char *vhdx_parent(const struct sv_link *l, unsigned nth)
{
	const struct sv_vhdx *v = (const struct sv_vhdx *)l;
	sv_autofree char *home = NULL;

	if (!v->params.has_parent)
		return NULL;
	if (nth > SV_VHDX_HINTS || !v->hints[nth]) {
		/* no name at all: the error must name something */
		return nth ? NULL : strdup(l->info.parent_hint);
	}
	home = sv_path_dir(l->info.path);
	return home ? sv_path_join(home, v->hints[nth]) : NULL;
}

static bool is_linkage(const struct sv_vhdx_guid *linkage, const struct sv_vhdx_guid *id)
{
	return !sv_vhdx_guid_is_nil(linkage) && sv_vhdx_guid_equal(linkage, id);
}

static int vhdx_match_parent(
	const struct sv_link *child, const struct sv_link *parent, struct sv_err *err)
{
	const struct sv_vhdx *c = (const struct sv_vhdx *)child;
	const struct sv_vhdx *p = (const struct sv_vhdx *)parent;
	const char *name = sv_path_base(child->info.path);
	char expected[SV_VHDX_GUID_TEXT];

	if (parent->driver != &sv_vhdx_driver)
		return sv_fail(err, SV_CORRUPT, parent->info.path,
			"the parent of a VHDX must be a VHDX, this is %s",
			parent->driver->name);
	if (!is_linkage(&c->locator.linkage, &p->header.data_write) &&
		!is_linkage(&c->locator.linkage2, &p->header.data_write)) {
		sv_vhdx_guid_text(&c->locator.linkage, expected);
		sv_fail(err, SV_CORRUPT, parent->info.path,
			"its data id is %s, %s was made for %s", parent->info.id, name,
			expected);
		return sv_hint(err, "the parent was changed after the child was made, or is "
				    "another disk: bring back the right file");
	}
	if (p->params.sector == c->params.sector)
		return 0;
	return sv_fail(err, SV_CORRUPT, parent->info.path,
		"its sectors have %u bytes, those of %s have %u", p->params.sector, name,
		c->params.sector);
}

static const char *vhdx_flat_subformat(const struct sv_link *l)
{
	(void)l;
	return "dynamic";
}

static const char *const subformats[] = {"dynamic", "fixed", NULL};

const struct sv_image_driver sv_vhdx_driver = {
	.name = "vhdx",
	.extension = ".vhdx",
	.subformats = subformats,
	.probe = vhdx_probe,
	.open = vhdx_open,
	.close = sv_vhdx_close,
	.map = sv_vhdx_map,
	.write = sv_vhdx_write,
	.discard = sv_vhdx_discard,
	.flush = sv_vhdx_flush,
	.fill_begin = sv_vhdx_fill_begin,
	.fill_place = sv_vhdx_fill_place,
	.fill_end = sv_vhdx_fill_end,
	.grow = sv_vhdx_grow,
	.parent = vhdx_parent,
	.match_parent = vhdx_match_parent,
	.check = sv_vhdx_check,
	.create = sv_vhdx_create,
	.identity = sv_vhdx_identity,
	.derive_linked = sv_vhdx_derive_linked,
	.copy = sv_vhdx_copy,
	.flat_subformat = vhdx_flat_subformat,
	.metadata_cost = sv_vhdx_metadata_cost,
	.limits = sv_vhdx_limits,
};
