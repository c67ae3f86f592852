/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Logical volumes as devices. A volume is a row of segments; a segment lies on areas, which
 * are extents of physical volumes or of other (hidden) logical volumes. So a device is built
 * from the bottom, with a cap on depth and on the number of segments: a description in which
 * a volume lies on itself ends there.
 *
 * Segment types: lvmraid(7), lvmthin(7), and lvm2's metadata as vgcfgbackup(8) prints it.
 */
#include "volume/lvm2/vg.h"

#include "base/num.h"
#include "base/str.h"
#include "volume/join.h"
#include "volume/raid.h"

#include <stdio.h>
#include <string.h>

struct segment {
	const struct sv_lvm2_node *node;
	const char *name; /* of the logical volume, for messages */
	const char *type;
	uint64_t start, size; /* bytes within the volume */
};

/* Devices that a segment lies on. */
struct areas {
	struct sv_dev *dev[SV_RAID_PARTS_MAX];
	size_t n;
};

static void areas_free(struct areas *a)
{
	for (size_t i = 0; i < a->n; i++)
		sv_dev_close(a->dev[i]);
	free(a);
}

static void areas_freep(struct areas **a)
{
	if (*a)
		areas_free(*a);
}

static int bad(const struct segment *s, struct sv_err *err, const char *what)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, s->node->at, "LVM2 metadata: %s of %s: %s",
		s->node->key, s->name, what);
}

/* ---- areas ---- */

static struct sv_dev *missing_pv(
	struct sv_lvm2_build *b, const struct sv_lvm2_pv *pv, uint64_t size, struct sv_err *err)
{
	sv_autofree char *why = sv_format("physical volume %s (%s) of group %s is missing",
		pv->name, pv->uuid, b->vg->name);

	if (!why) {
		sv_fail_nomem(err);
		return NULL;
	}
	return sv_join_missing(size, b->vg->name, why, err);
}

static struct sv_dev *pv_area(
	struct sv_lvm2_build *b, size_t i, uint64_t extent, uint64_t size, struct sv_err *err)
{
	const struct sv_lvm2_pv *pv = &b->vg->pvs[i];

	if (extent > pv->extents || sv_div_up(size, b->vg->extent) > pv->extents - extent) {
		sv_fail(err, SV_CORRUPT, b->vg->name,
			"LVM2 metadata: extents %llu and on of %s, which has %llu",
			(unsigned long long)extent, pv->name, (unsigned long long)pv->extents);
		return NULL;
	}
	if (!pv->dev)
		return missing_pv(b, pv, size, err);
	b->used[i] = true;
	return sv_window_open(
		pv->dev, pv->start + extent * b->vg->extent, size, sv_dev_name(pv->dev), err);
}

/* `size` bytes from extent `extent` of the physical or logical volume called `name`. */
static struct sv_dev *named_area(struct sv_lvm2_build *b, const char *name, uint64_t extent,
	uint64_t size, struct sv_err *err)
{
	SV_CLEANUP(sv_dev_closep) struct sv_dev *lv = NULL;

	for (size_t i = 0; i < b->vg->n_pvs; i++) {
		if (!strcmp(b->vg->pvs[i].name, name))
			return pv_area(b, i, extent, size, err);
	}
	lv = sv_lvm2_open_lv(b, name, err);
	if (!lv)
		return NULL;
	if (extent > INT64_MAX / b->vg->extent) {
		sv_fail(err, SV_CORRUPT, name, "LVM2 metadata: extent %llu of it",
			(unsigned long long)extent);
		return NULL;
	}
	return sv_window_open(lv, extent * b->vg->extent, size, sv_dev_name(lv), err);
}

/* A list of ("name", extent) pairs; each area has `size` bytes. */
static int pair_areas(struct sv_lvm2_build *b, const struct segment *s, const char *key,
	uint64_t size, struct areas *ret, struct sv_err *err)
{
	const struct sv_lvm2_node *list = sv_lvm2_find(s->node, key, SV_LVM2_LIST);

	for (const struct sv_lvm2_node *c = list ? list->first : NULL; c; c = c->next->next) {
		if (c->kind != SV_LVM2_STRING || !c->next || c->next->kind != SV_LVM2_NUMBER)
			return bad(s, err, "its areas are no pairs of a name and a number");
		if (ret->n == SV_RAID_PARTS_MAX)
			return bad(s, err, "it has too many areas");
		ret->dev[ret->n] = named_area(b, c->text, c->next->number, size, err);
		if (!ret->dev[ret->n])
			return -1;
		ret->n++;
	}
	return ret->n ? 0 : bad(s, err, "it has no areas");
}

/* A list of names of logical volumes, of which every `step`th counts, the last of each. */
static int named_areas(struct sv_lvm2_build *b, const struct segment *s, const char *key,
	size_t step, struct areas *ret, struct sv_err *err)
{
	const struct sv_lvm2_node *list = sv_lvm2_find(s->node, key, SV_LVM2_LIST);
	size_t i = 0;

	for (const struct sv_lvm2_node *c = list ? list->first : NULL; c; c = c->next) {
		if (c->kind != SV_LVM2_STRING)
			return bad(s, err, "its images are no list of names");
		if (++i % step)
			continue;
		if (ret->n == SV_RAID_PARTS_MAX)
			return bad(s, err, "it has too many images");
		ret->dev[ret->n] = sv_lvm2_open_lv(b, c->text, err);
		if (!ret->dev[ret->n])
			return -1;
		ret->n++;
	}
	return ret->n ? 0 : bad(s, err, "it has no images");
}

/* ---- striped, mirrored ---- */

static struct sv_dev *open_striped(
	struct sv_lvm2_build *b, const struct segment *s, struct areas *a, struct sv_err *err)
{
	uint64_t n = sv_lvm2_number(s->node, "stripe_count", 1);
	uint64_t chunk = sv_lvm2_number(s->node, "stripe_size", 0);

	if (!n || s->size % n || chunk > INT32_MAX) {
		bad(s, err, "its size is no multiple of its stripes");
		return NULL;
	}
	if (pair_areas(b, s, "stripes", s->size / n, a, err) < 0)
		return NULL;
	if (a->n != n) {
		bad(s, err, "it has another number of areas than of stripes");
		return NULL;
	}
	if (n == 1)
		return sv_dev_ref(a->dev[0]);
	return sv_join_striped(a->dev, a->n, chunk * SV_SECTOR, s->size, s->name, err);
}

static struct sv_dev *open_mirror(
	struct sv_lvm2_build *b, const struct segment *s, struct areas *a, struct sv_err *err)
{
	if (pair_areas(b, s, "mirrors", s->size, a, err) < 0)
		return NULL;
	return sv_join_mirrored(a->dev, a->n, s->size, s->name, err);
}

/* ---- raid ---- */

static const struct raid_type {
	const char *name;
	unsigned level, layout;
} raid_types[] = {
	{"raid0", 0, 0},
	{"raid0_meta", 0, 0},
	{"raid1", 1, 0},
	/* dm-raid(8): parity on the first part */
	{"raid4", 5, SV_RAID_PARITY_FIRST},
	{"raid5", 5, SV_RAID_LEFT_SYMMETRIC},
	{"raid5_n", 5, SV_RAID_PARITY_LAST},
	{"raid5_la", 5, SV_RAID_LEFT_ASYMMETRIC},
	{"raid5_ra", 5, SV_RAID_RIGHT_ASYMMETRIC},
	{"raid5_ls", 5, SV_RAID_LEFT_SYMMETRIC},
	{"raid5_rs", 5, SV_RAID_RIGHT_SYMMETRIC},
	{"raid6", 6, SV_RAID_ZERO_RESTART},
	{"raid6_zr", 6, SV_RAID_ZERO_RESTART},
	{"raid6_nr", 6, SV_RAID_N_RESTART},
	{"raid6_nc", 6, SV_RAID_N_CONTINUE},
	{"raid6_n_6", 6, SV_RAID_PARITY_LAST},
	{"raid6_la_6", 6, SV_RAID_LEFT_ASYMMETRIC_6},
	{"raid6_ra_6", 6, SV_RAID_RIGHT_ASYMMETRIC_6},
	{"raid6_ls_6", 6, SV_RAID_LEFT_SYMMETRIC_6},
	{"raid6_rs_6", 6, SV_RAID_RIGHT_SYMMETRIC_6},
	{"raid10", 10, 0x102},
	{"raid10_near", 10, 0x102},
};

static const struct raid_type *find_raid(const char *type)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(raid_types); i++) {
		if (!strcmp(raid_types[i].name, type))
			return &raid_types[i];
	}
	return NULL;
}

/* Images on missing physical volumes are not there at all: the rest makes up for them. */
static int raid_images(
	struct sv_lvm2_build *b, const struct segment *s, struct areas *a, struct sv_err *err)
{
	bool meta = sv_lvm2_find(s->node, "raids", SV_LVM2_LIST) != NULL;

	return meta ? named_areas(b, s, "raids", 2, a, err)
		    : named_areas(b, s, "raid0_lvs", 1, a, err);
}

static bool is_missing(struct sv_dev *d)
{
	uint8_t byte;
	struct sv_err why = SV_ERR_INIT;

	return sv_dev_read(d, &byte, 1, 0, &why) < 0 && why.code == SV_NOTFOUND;
}

static struct sv_dev *open_raid(struct sv_lvm2_build *b, const struct segment *s,
	const struct raid_type *type, struct areas *a, struct sv_err *err)
{
	uint64_t chunk = sv_lvm2_number(s->node, "stripe_size", 128);
	struct sv_dev *parts[SV_RAID_PARTS_MAX];
	struct sv_raid r = {.level = type->level,
		.layout = type->layout,
		.chunk = SV_MIN(chunk, (uint64_t)INT32_MAX) * SV_SECTOR,
		.part_size = UINT64_MAX,
		.parts = parts};

	if (sv_lvm2_number(s->node, "data_offset", 0) ||
		sv_lvm2_number(s->node, "reshape_count", 0)) {
		sv_fail(err, SV_UNSUPPORTED, s->name,
			"its RAID was being reshaped: its data lie in two layouts");
		sv_hint(err, "start the guest and let the reshape end");
		return NULL;
	}
	if (raid_images(b, s, a, err) < 0)
		return NULL;
	for (r.n = 0; r.n < a->n; r.n++) {
		r.part_size = SV_MIN(r.part_size, sv_dev_size(a->dev[r.n]));
		parts[r.n] = is_missing(a->dev[r.n]) ? NULL : a->dev[r.n];
	}
	if (type->level == 1)
		return sv_join_mirrored(parts, r.n, s->size, s->name, err);
	return sv_raid_open(&r, s->size, s->name, err);
}

/* ---- thin, snapshot ---- */

static const struct sv_lvm2_node *find_lv(const struct sv_lvm2_vg *vg, const char *name)
{
	return vg->lvs ? sv_lvm2_find(vg->lvs, name, SV_LVM2_SECTION) : NULL;
}

static const struct sv_lvm2_node *first_segment(const struct sv_lvm2_node *lv)
{
	return sv_lvm2_find(lv, "segment1", SV_LVM2_SECTION);
}

static struct sv_dev *open_thin(
	struct sv_lvm2_build *b, const struct segment *s, struct areas *a, struct sv_err *err)
{
	const char *outside = sv_lvm2_string(s->node, "external_origin", "");
	const struct sv_lvm2_node *pool =
		find_lv(b->vg, sv_lvm2_string(s->node, "thin_pool", ""));
	const struct sv_lvm2_node *in_pool = pool ? first_segment(pool) : NULL;
	const char *names[] = {in_pool ? sv_lvm2_string(in_pool, "metadata", "") : "",
		in_pool ? sv_lvm2_string(in_pool, "pool", "") : "", outside};
	SV_CLEANUP(sv_dev_closep) struct sv_dev *whole = NULL;

	if (!in_pool) {
		bad(s, err, "its thin pool is not there");
		return NULL;
	}
	for (size_t i = 0; i < 2 + (size_t)(outside[0] != 0); i++) {
		a->dev[a->n] = sv_lvm2_open_lv(b, names[i], err);
		if (!a->dev[a->n])
			return NULL;
		a->n++;
	}
	whole = sv_lvm2_thin_open(a->dev[0], a->dev[1],
		sv_lvm2_number(s->node, "device_id", UINT64_MAX), s->start + s->size,
		a->n > 2 ? a->dev[2] : NULL, s->name, err);
	return whole ? sv_window_open(whole, s->start, s->size, s->name, err) : NULL;
}

const struct sv_lvm2_node *sv_lvm2_find_snapshot(const struct sv_lvm2_vg *vg, const char *name)
{
	for (const struct sv_lvm2_node *c = vg->lvs ? vg->lvs->first : NULL; c; c = c->next) {
		const struct sv_lvm2_node *in =
			c->kind == SV_LVM2_SECTION ? first_segment(c) : NULL;

		if (in && !strcmp(sv_lvm2_string(in, "type", ""), "snapshot") &&
			!strcmp(sv_lvm2_string(in, "cow_store", ""), name))
			return in;
	}
	return NULL;
}

static struct sv_dev *over_origin(struct sv_lvm2_build *b, const struct sv_lvm2_node *snapshot,
	struct sv_dev *store, const char *name, struct sv_err *err)
{
	SV_CLEANUP(sv_dev_closep)
	struct sv_dev *origin = sv_lvm2_open_lv(b, sv_lvm2_string(snapshot, "origin", ""), err);

	if (!origin)
		return NULL;
	return sv_lvm2_snapshot_open(origin, store, sv_dev_size(origin), name, err);
}

/* ---- segments and volumes ---- */

static const struct {
	const char *type, *why;
} refused[] = {
	{"cache", "it is cached: newer data may lie in the cache"},
	{"writecache", "it has a write cache: newer data may lie there"},
	{"vdo", "it is deduplicated by VDO"},
	{"vdo-pool", "it is deduplicated by VDO"},
	{"integrity", "it has integrity tags"},
	{"thin-pool", "it is a pool of thin volumes, no disk"},
	{"cache-pool", "it is a cache, no disk"},
};

static int refuse_type(const struct segment *s, struct sv_err *err)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(refused); i++) {
		if (!strcmp(refused[i].type, s->type))
			return sv_fail(err, SV_UNSUPPORTED, s->name, "%s (LVM2 type %s)",
				refused[i].why, s->type);
	}
	return sv_fail(
		err, SV_UNSUPPORTED, s->name, "LVM2 segments of type \"%.40s\"", s->type);
}

static struct sv_dev *open_segment(
	struct sv_lvm2_build *b, const struct segment *s, struct sv_err *err)
{
	const struct raid_type *raid = find_raid(s->type);
	SV_CLEANUP(areas_freep) struct areas *a = calloc(1, sizeof *a);

	if (!a) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (raid)
		return open_raid(b, s, raid, a, err);
	if (!strcmp(s->type, "striped") || !strcmp(s->type, "linear"))
		return open_striped(b, s, a, err);
	if (!strcmp(s->type, "mirror"))
		return open_mirror(b, s, a, err);
	if (!strcmp(s->type, "thin"))
		return open_thin(b, s, a, err);
	if (!strcmp(s->type, "zero"))
		return sv_join_zeros(s->size, s->name, err);
	if (!strcmp(s->type, "error"))
		return sv_join_missing(
			s->size, s->name, "this part of it is an error target", err);
	refuse_type(s, err);
	return NULL;
}

static int read_segment(const struct sv_lvm2_build *b, const struct sv_lvm2_node *lv, size_t i,
	uint64_t start, struct segment *ret, struct sv_err *err)
{
	char key[32];
	uint64_t extents;

	snprintf(key, sizeof key, "segment%zu", i);
	*ret = (struct segment){
		.node = sv_lvm2_find(lv, key, SV_LVM2_SECTION), .name = lv->key};
	if (!ret->node)
		return sv_fail_at(err, SV_CORRUPT, NULL, lv->at, "LVM2 metadata: %s has no %s",
			lv->key, key);
	ret->type = sv_lvm2_string(ret->node, "type", "");
	extents = sv_lvm2_number(ret->node, "extent_count", 0);
	if (!extents || extents > INT64_MAX / b->vg->extent - start / b->vg->extent)
		return bad(ret, err, "its number of extents cannot be");
	if (sv_lvm2_number(ret->node, "start_extent", 0) != start / b->vg->extent)
		return bad(ret, err, "it does not begin where the one before it ends");
	ret->start = start;
	ret->size = extents * b->vg->extent;
	return 0;
}

/* The volume's segments while they are opened. */
struct row {
	struct sv_dev **parts;
	size_t n;
};

static void row_free(struct row *r)
{
	for (size_t i = 0; i < r->n; i++)
		sv_dev_close(r->parts[i]);
	free(r->parts);
}

static struct sv_dev *open_segments(
	struct sv_lvm2_build *b, const struct sv_lvm2_node *lv, struct sv_err *err)
{
	uint64_t n = sv_lvm2_number(lv, "segment_count", 0), start = 0;
	SV_CLEANUP(row_free) struct row row = {0};

	if (!n || n > SV_MIN(b->budget, (unsigned)SV_JOIN_MAX)) {
		sv_fail_at(err, SV_CORRUPT, NULL, lv->at,
			"LVM2 metadata: %s has %llu segments, expected 1 to %u", lv->key,
			(unsigned long long)n, SV_MIN(b->budget, (unsigned)SV_JOIN_MAX));
		return NULL;
	}
	b->budget -= (unsigned)n;
	row.parts = calloc(n, sizeof *row.parts);
	if (!row.parts) {
		sv_fail_nomem(err);
		return NULL;
	}
	for (; row.n < n; row.n++) {
		struct segment s;

		if (read_segment(b, lv, row.n + 1, start, &s, err) < 0)
			return NULL;
		row.parts[row.n] = open_segment(b, &s, err);
		if (!row.parts[row.n])
			return NULL;
		start += s.size;
	}
	return n == 1 ? sv_dev_ref(row.parts[0]) : sv_join_linear(row.parts, n, lv->key, err);
}

static struct sv_dev *open_plain(
	struct sv_lvm2_build *b, const struct sv_lvm2_node *lv, struct sv_err *err)
{
	const struct sv_lvm2_node *snapshot = sv_lvm2_find_snapshot(b->vg, lv->key);
	SV_CLEANUP(sv_dev_closep) struct sv_dev *dev = open_segments(b, lv, err);

	if (!dev || !snapshot)
		return SV_STEAL(dev);
	return over_origin(b, snapshot, dev, lv->key, err);
}

struct sv_dev *sv_lvm2_open_lv(struct sv_lvm2_build *b, const char *name, struct sv_err *err)
{
	const struct sv_lvm2_node *lv = find_lv(b->vg, name);
	struct sv_dev *dev;

	if (!lv) {
		sv_fail(err, SV_CORRUPT, b->vg->name,
			"LVM2 metadata names a volume \"%.60s\" that it does not describe",
			name);
		return NULL;
	}
	if (b->depth == SV_LVM2_DEPTH_MAX) {
		sv_fail_at(err, SV_CORRUPT, NULL, lv->at,
			"LVM2 metadata: %s lies on itself, or more than %d deep", lv->key,
			SV_LVM2_DEPTH_MAX);
		return NULL;
	}
	b->depth++;
	dev = open_plain(b, lv, err);
	b->depth--;
	return dev;
}

/* ---- for people ---- */

char *sv_lvm2_describe(const struct sv_lvm2_vg *vg, const struct sv_lvm2_node *lv)
{
	const struct sv_lvm2_node *in = first_segment(lv);
	const char *type = in ? sv_lvm2_string(in, "type", "") : "";
	const struct raid_type *raid = find_raid(type);
	uint64_t stripes = in ? sv_lvm2_number(in, "stripe_count", 1) : 1;

	if (sv_lvm2_find_snapshot(vg, lv->key))
		return strdup("LVM2 snapshot");
	if (raid && !strcmp(type, "raid4"))
		return strdup("LVM2 RAID 4");
	if (raid)
		return sv_format("LVM2 RAID %u", raid->level);
	if (strcmp(type, "striped") != 0)
		return sv_format("LVM2 %.20s", type);
	return stripes > 1 ? sv_format("LVM2 striped over %llu", (unsigned long long)stripes)
			   : strdup("LVM2");
}
