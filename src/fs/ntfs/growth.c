/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plan of growing NTFS: the new geometry, and the MFT records as they will be.
 *
 * The new clusters of $Bitmap are the first ones beyond the old end, so that no allocator is
 * needed and a full volume grows. Its runs get one more while its MFT record has room;
 * otherwise it moves there as a whole, as one run, and never comes to need an attribute list.
 *
 * $LogFile is left alone. ntfsresize fills it with 0xFF because it may follow an unclean one;
 * here a journal that is not clean is refused, a clean one has nothing to redo, and what it
 * would take to empty it (64 MiB on a large volume) is more than all the rest.
 */
#include "fs/ntfs/growth.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"
#include "fs/ntfs/state.h"

#include <string.h>

#define PAGE 4096U

void sv_ntfs_free_growth(struct sv_ntfs_growth *g)
{
	sv_ntfs_raw_free_stream(&g->old_bitmap);
	sv_ntfs_raw_free_stream(&g->bitmap);
	sv_ntfs_free_edits(&g->edits);
	sv_ntfs_free_leftover(&g->leftover);
}

static int no_room(struct sv_ntfs_growth *g, const char *file, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, g->v->dev->name, "the MFT record of %s has no room", file);
	return sv_hint(err,
		"grow the partition only (Windows keeps its size until then), start "
		"Windows and run diskpart: select volume C, extend filesystem");
}

/* ---- geometry ---- */

static int plan_geometry(struct sv_ntfs_growth *g, uint64_t volume_size, struct sv_err *err)
{
	const struct sv_ntfs_raw_geometry *geo = &g->v->geo;
	uint64_t sectors = volume_size / geo->sector_size;
	uint64_t per_cluster = geo->cluster_size / geo->sector_size;

	if (!sectors || sectors - 1 < geo->sectors)
		return sv_fail(err, SV_USAGE, g->v->dev->name,
			"%llu bytes are less than the file system covers already (%llu)",
			(unsigned long long)volume_size,
			(unsigned long long)((geo->sectors + 1) * geo->sector_size));
	g->sectors = sectors - 1;
	g->clusters = g->sectors / per_cluster;
	if (g->clusters <= NTFS_CLUSTERS_MAX)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, g->v->dev->name,
		"%llu clusters of %u bytes are more than the %llu that NTFS can count",
		(unsigned long long)g->clusters, geo->cluster_size,
		(unsigned long long)NTFS_CLUSTERS_MAX);
	return sv_hint(err, "this volume can grow to %llu bytes",
		(unsigned long long)(NTFS_CLUSTERS_MAX * geo->cluster_size));
}

/* ---- $Bitmap ---- */

struct bitmap_plan {
	struct sv_ntfs_raw_part *parts;
	size_t count;
	uint64_t size; /* bytes */
	uint64_t have; /* clusters */
	uint64_t need;
};

static void set_bitmap_sizes(struct sv_ntfs_growth *g, const struct bitmap_plan *p,
	uint8_t *record, const struct sv_ntfs_raw_attr *first)
{
	g->bitmap.size = g->bitmap.initialized = p->size;
	g->bitmap.allocated = SV_MAX(p->have, p->need) * g->v->geo.cluster_size;
	if (g->moved)
		g->bitmap.allocated = p->need * g->v->geo.cluster_size;
	sv_ntfs_set_sizes(record, first, g->bitmap.allocated, p->size, p->size);
}

/* The runs that the last part will hold: its own, and the new one. */
static int extended_runs(
	struct sv_ntfs_growth *g, const struct bitmap_plan *p, struct sv_err *err)
{
	const struct sv_ntfs_raw_stream *old = &g->old_bitmap;
	struct sv_ntfs_raw_run *last;

	for (size_t i = 0; i < old->count; i++)
		if (sv_ntfs_raw_add_run(&g->bitmap, old->runs[i], err) < 0)
			return -1;
	if (p->need <= p->have)
		return 0;
	g->added = (struct sv_ntfs_raw_run){p->have, g->v->geo.clusters, p->need - p->have};
	last = g->bitmap.count ? &g->bitmap.runs[g->bitmap.count - 1] : NULL;
	if (last && last->lcn != NTFS_HOLE && last->lcn + last->length == g->added.lcn) {
		last->length += g->added.length;
		return 0;
	}
	return sv_ntfs_raw_add_run(&g->bitmap, g->added, err);
}

/* Returns 1, 0 where the record has no room, -1. */
static int extend_bitmap(
	struct sv_ntfs_growth *g, const struct bitmap_plan *p, struct sv_err *err)
{
	const struct sv_ntfs_raw_part *tail = &p->parts[p->count - 1];
	struct sv_ntfs_raw_attr a;
	uint8_t *record;
	size_t first = 0;

	if (extended_runs(g, p, err) < 0 || sv_ntfs_edit_part(&g->edits, g->v, tail,
						    NTFS_ATTR_DATA, "", &record, &a, err) < 0)
		return -1;
	while (first < g->bitmap.count && g->bitmap.runs[first].vcn < tail->lowest_vcn)
		first++;
	if (!sv_ntfs_set_runs(record, g->v->geo.record_size, &a, g->bitmap.runs + first,
		    g->bitmap.count - first))
		return 0;
	if (sv_ntfs_edit_part(&g->edits, g->v, p->parts, NTFS_ATTR_DATA, "", &record, &a, err) <
		0)
		return -1;
	set_bitmap_sizes(g, p, record, &a);
	return 1;
}

static int move_bitmap(
	struct sv_ntfs_growth *g, const struct bitmap_plan *p, struct sv_err *err)
{
	size_t size = g->v->geo.record_size;
	struct sv_ntfs_raw_attr a;
	uint8_t *record;
	bool fits;

	g->moved = true;
	g->added = (struct sv_ntfs_raw_run){0, g->v->geo.clusters, p->need};
	g->bitmap.count = 0;
	if (sv_ntfs_raw_add_run(&g->bitmap, g->added, err) < 0 ||
		sv_ntfs_edit_part(
			&g->edits, g->v, p->parts, NTFS_ATTR_DATA, "", &record, &a, err) < 0)
		return -1;
	fits = a.mapped ? sv_ntfs_set_runs(record, size, &a, g->bitmap.runs, 1)
			: sv_ntfs_make_mapped(record, size, &a, g->bitmap.runs, 1);
	if (!fits)
		return no_room(g, "$Bitmap", err);
	set_bitmap_sizes(g, p, record, &a);
	if (p->count == 1)
		return 0;
	return sv_ntfs_forget_parts(&g->edits, g->v, NTFS_FILE_BITMAP, NTFS_ATTR_DATA, "",
		p->parts, p->count, &g->leftover, err);
}

static int place_bitmap(
	struct sv_ntfs_growth *g, const struct bitmap_plan *p, struct sv_err *err)
{
	uint64_t fresh = g->clusters - g->v->geo.clusters;
	bool can_move = p->need <= fresh;

	if (!g->old_bitmap.value && (p->count == 1 || !can_move)) {
		int extended = extend_bitmap(g, p, err);

		if (extended)
			return extended < 0 ? -1 : 0;
	}
	if (can_move)
		return move_bitmap(g, p, err);
	sv_fail(err, SV_UNSUPPORTED, g->v->dev->name,
		"the MFT record of $Bitmap has no room for another run, and the %llu new clusters "
		"do not hold all its %llu",
		(unsigned long long)fresh, (unsigned long long)p->need);
	return sv_hint(err, "grow the volume by at least %llu bytes",
		(unsigned long long)((p->need + 1) * g->v->geo.cluster_size));
}

/* The copies of the sizes that go with the file's names. */
static int copy_sizes(struct sv_ntfs_growth *g, struct sv_err *err)
{
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	size_t count = 0;

	if (sv_ntfs_raw_find_parts(
		    g->v, NTFS_FILE_BITMAP, NTFS_ATTR_FILE_NAME, "", &parts, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct sv_ntfs_raw_attr a;
		uint8_t *record;

		if (sv_ntfs_edit_part(&g->edits, g->v, &parts[i], NTFS_ATTR_FILE_NAME, "",
			    &record, &a, err) < 0)
			return -1;
		if (a.mapped || a.value_length < sizeof(struct ntfs_file_name))
			return sv_fail(err, SV_CORRUPT, g->v->dev->name,
				"the name of $Bitmap has %u bytes", a.value_length);
		record += a.value_offset;
		sv_store_le64(record + offsetof(struct ntfs_file_name, allocated),
			g->bitmap.allocated);
		sv_store_le64(record + offsetof(struct ntfs_file_name, size), g->bitmap.size);
	}
	return 0;
}

static int open_bitmap(struct sv_ntfs_growth *g, struct sv_err *err)
{
	uint64_t need = sv_div_up(g->v->geo.clusters, 8);
	int found = sv_ntfs_raw_open_stream(
		g->v, NTFS_FILE_BITMAP, NTFS_ATTR_DATA, "", &g->old_bitmap, err);

	if (found < 0)
		return -1;
	if (!found || g->old_bitmap.size < need)
		return sv_fail(err, SV_CORRUPT, g->v->dev->name,
			"$Bitmap has %llu bytes, %llu clusters need %llu",
			(unsigned long long)g->old_bitmap.size,
			(unsigned long long)g->v->geo.clusters, (unsigned long long)need);
	if (g->old_bitmap.flags)
		return sv_fail(err, SV_UNSUPPORTED, g->v->dev->name,
			"$Bitmap is compressed, encrypted or sparse (flags %#x)",
			g->old_bitmap.flags);
	for (size_t i = 0; i < g->old_bitmap.count; i++)
		if (g->old_bitmap.runs[i].lcn == NTFS_HOLE)
			return sv_fail(err, SV_CORRUPT, g->v->dev->name, "$Bitmap has a hole");
	return 0;
}

static int plan_bitmap(struct sv_ntfs_growth *g, struct sv_err *err)
{
	struct bitmap_plan p = {0};
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	const struct sv_ntfs_raw_stream *old = &g->old_bitmap;

	if (sv_ntfs_raw_find_parts(
		    g->v, NTFS_FILE_BITMAP, NTFS_ATTR_DATA, "", &parts, &p.count, err) < 0)
		return -1;
	p.parts = parts;
	p.size = sv_align_up(sv_div_up(g->clusters, 8), 8);
	p.size = SV_MAX(p.size, old->size); /* some makers leave room */
	p.need = sv_div_up(p.size, g->v->geo.cluster_size);
	p.have = old->count ? old->runs[old->count - 1].vcn + old->runs[old->count - 1].length
			    : 0;
	if (place_bitmap(g, &p, err) < 0)
		return -1;
	return copy_sizes(g, err);
}

/* ---- $BadClus and $Volume ---- */

static int plan_bad_clusters(struct sv_ntfs_growth *g, struct sv_err *err)
{
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	struct sv_ntfs_raw_run hole = {0, NTFS_HOLE, g->clusters};
	uint64_t bytes = g->clusters * g->v->geo.cluster_size;
	struct sv_ntfs_raw_attr a;
	uint8_t *record;
	size_t count;

	if (sv_ntfs_raw_find_parts(
		    g->v, NTFS_FILE_BADCLUS, NTFS_ATTR_DATA, "$Bad", &parts, &count, err) < 0)
		return -1;
	if (count != 1)
		return sv_fail(err, SV_UNSUPPORTED, g->v->dev->name,
			"$BadClus:$Bad lies in %zu parts, expected one", count);
	if (sv_ntfs_edit_part(
		    &g->edits, g->v, parts, NTFS_ATTR_DATA, "$Bad", &record, &a, err) < 0)
		return -1;
	if (!a.mapped)
		return sv_fail(err, SV_CORRUPT, g->v->dev->name, "$BadClus:$Bad is resident");
	if (!sv_ntfs_set_runs(record, g->v->geo.record_size, &a, &hole, 1))
		return no_room(g, "$BadClus", err);
	sv_ntfs_set_sizes(record, &a, bytes, bytes, a.initialized);
	return 0;
}

static int plan_dirty_flag(struct sv_ntfs_growth *g, struct sv_err *err)
{
	sv_autofree uint8_t *scratch = malloc(g->v->geo.record_size);
	uint8_t *record;
	uint64_t number;
	size_t at;

	if (!scratch)
		return sv_fail_nomem(err);
	if (sv_ntfs_find_volume_info(g->v, scratch, &number, &at, err) < 0)
		return -1;
	record = sv_ntfs_edit(&g->edits, g->v, number, err);
	if (!record)
		return -1;
	at += offsetof(struct ntfs_volume_info, flags);
	sv_store_le16(record + at, sv_load_le16(record + at) | NTFS_VOLUME_DIRTY);
	return 0;
}

int sv_ntfs_plan_growth(struct sv_ntfs_raw_vol *v, uint64_t volume_size, bool ask_check,
	struct sv_ntfs_growth *ret, struct sv_err *err)
{
	*ret = (struct sv_ntfs_growth){.v = v};
	if (plan_geometry(ret, volume_size, err) < 0 || open_bitmap(ret, err) < 0)
		return -1;
	if (ret->clusters > v->geo.clusters &&
		(plan_bitmap(ret, err) < 0 || plan_bad_clusters(ret, err) < 0))
		return -1;
	return ask_check ? plan_dirty_flag(ret, err) : 0;
}

uint64_t sv_ntfs_growth_cost(const struct sv_ntfs_growth *g)
{
	uint64_t pages = 2; /* both boot sectors */

	for (size_t i = 0; i < g->edits.count; i++)
		pages += sv_in_range(g->edits.list[i].number * g->v->geo.record_size,
				 g->v->geo.record_size, g->v->mirror.size)
				 ? 2
				 : 1;
	if (!g->bitmap.count)
		return pages * PAGE;
	/* the root folder's entry, the old end, the new end, the bits of its own clusters */
	pages += 3 + sv_div_up(g->added.length, 8 * PAGE) + 1;
	if (g->moved)
		pages += sv_div_up(g->old_bitmap.size, PAGE);
	return (pages + g->leftover.freed_count + g->leftover.size / PAGE) * PAGE;
}
