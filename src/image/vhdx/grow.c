/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing VHDXs. The old table stays as it is until one entry of the log has put all in force:
 * the new size and, where the table's region has no room, the region tables, which then name a
 * larger copy of it at the end of the file (the old region's space is not used any more).
 *
 *	1. the new entries, behind those that count or in a copy of the table; the space of
 *	   new blocks of a fixed disk; flush
 *	2. size and region tables, through the log
 */
#include "image/vhdx/vhdx.h"

#include <string.h>

#define COPY_CHUNK SV_MIB

struct growth {
	struct sv_vhdx *v;
	uint64_t size;
	uint64_t old_entries, entries;
	uint64_t bat_at, bat_length; /* the region afterwards */
	uint64_t data_at;            /* first new block of a fixed disk */
	uint64_t room;               /* at the end of the file */
};

static bool moves(const struct growth *g)
{
	return g->bat_at != sv_vhdx_bat(g->v)->at;
}

static int plan(struct growth *g, struct sv_err *err)
{
	struct sv_vhdx *v = g->v;
	uint64_t bytes, end = v->next, blocks = 0;

	g->old_entries = sv_vhdx_entries(&v->params, v->params.size);
	g->entries = sv_vhdx_entries(&v->params, g->size);
	g->bat_at = sv_vhdx_bat(v)->at;
	g->bat_length = sv_vhdx_bat(v)->length;
	bytes = sv_align_up(g->entries * 8, SV_VHDX_UNIT);
	if (bytes > g->bat_length) {
		g->bat_at = end;
		g->bat_length = bytes;
		end += bytes;
	}
	g->data_at = end;
	if (v->params.leave_allocated)
		blocks = sv_vhdx_blocks(&v->params, g->size) -
			 sv_vhdx_blocks(&v->params, v->params.size);
	end += blocks * v->params.block;
	g->room = end - v->next;
	return g->room ? sv_vhdx_make_room(v, g->room, err) : 0;
}

static int copy_bytes(
	struct sv_dev *d, uint64_t from, uint64_t to, uint64_t n, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(COPY_CHUNK);

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t done = 0; done < n; done += COPY_CHUNK) {
		size_t now = (size_t)SV_MIN(n - done, COPY_CHUNK);

		if (sv_dev_read(d, buf, now, from + done, err) < 0 ||
			sv_dev_write(d, buf, now, to + done, err) < 0)
			return -1;
	}
	return 0;
}

/* What is behind the entries that count may be anything. */
static int clear_entries(const struct growth *g, struct sv_err *err)
{
	uint64_t at = g->bat_at + g->old_entries * 8, end = g->bat_at + g->entries * 8;

	if (end > at && sv_dev_size(g->v->file) < end)
		return sv_fail_at(err, SV_CORRUPT, NULL, g->bat_at,
			"the region of the block table ends beyond the end of the file");
	return end > at ? sv_dev_discard(g->v->file, at, end - at, err) : 0;
}

static int add_blocks(const struct growth *g, struct sv_err *err)
{
	const struct sv_vhdx_params *p = &g->v->params;
	uint64_t at = g->data_at;

	if (!p->leave_allocated)
		return 0;
	for (uint64_t i = sv_vhdx_blocks(p, p->size); i < sv_vhdx_blocks(p, g->size); i++) {
		uint8_t raw[8];

		sv_vhdx_entry_store(raw, (struct sv_vhdx_entry){SV_VHDX_FULL, at});
		if (sv_dev_write(g->v->file, raw, sizeof raw,
			    g->bat_at + sv_vhdx_index(p, i) * 8, err) < 0)
			return -1;
		at += p->block;
	}
	return 0;
}

static int write_entries(const struct growth *g, struct sv_err *err)
{
	if (moves(g) && copy_bytes(g->v->file, sv_vhdx_bat(g->v)->at, g->bat_at,
				g->old_entries * 8, err) < 0)
		return -1;
	if (clear_entries(g, err) < 0 || add_blocks(g, err) < 0)
		return -1;
	return sv_dev_flush(g->v->file, err);
}

/* ---- what puts it in force ---- */

/* Only pages that differ go through the log. */
static int change_pages(struct sv_vhdx *v, const uint8_t *old, const uint8_t *bytes,
	uint64_t at, struct sv_err *err)
{
	for (size_t i = 0; i < SV_VHDX_TABLE_SIZE; i += SV_VHDX_PAGE) {
		if (memcmp(old + i, bytes + i, SV_VHDX_PAGE) != 0 &&
			sv_vhdx_page_write(v, at + i, bytes + i, SV_VHDX_PAGE, err) < 0)
			return -1;
	}
	return 0;
}

/* Both tables are made what the whole one says, with the new place. */
static int change_regions(const struct growth *g, struct sv_err *err)
{
	struct sv_vhdx *v = g->v;
	const size_t n = SV_VHDX_TABLE_SIZE;
	sv_autofree uint8_t *old = malloc(n), *table = malloc(n);

	if (!old || !table)
		return sv_fail_nomem(err);
	if (sv_dev_read(v->file, table, n, SV_VHDX_TABLE_AT(v->table_bad[0]), err) < 0)
		return -1;
	sv_vhdx_regions_move(table, v->regions.bat, g->bat_at, g->bat_length);
	for (unsigned i = 0; i < 2; i++) {
		if (sv_dev_read(v->file, old, n, SV_VHDX_TABLE_AT(i), err) < 0 ||
			change_pages(v, old, table, SV_VHDX_TABLE_AT(i), err) < 0)
			return -1;
	}
	return 0;
}

static int change_size(const struct growth *g, struct sv_err *err)
{
	struct sv_vhdx *v = g->v;
	uint64_t at = sv_vhdx_metadata(v)->at + v->items.known[SV_VHDX_ITEM_SIZE].at;
	uint8_t raw[8];

	sv_store_le64(raw, g->size);
	return sv_vhdx_bytes_write(v, at, raw, sizeof raw, err);
}

/* All of it, or nothing, is kept for the next commit. */
static int change_all(const struct growth *g, struct sv_err *err)
{
	if ((!moves(g) || change_regions(g, err) == 0) && change_size(g, err) == 0)
		return 0;
	sv_vhdx_pages_drop(g->v);
	return -1;
}

int sv_vhdx_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	struct sv_vhdx *v = sv_vhdx_of(l);
	struct sv_vhdx_region *bat = &v->regions.all[v->regions.bat];
	struct growth g = {.v = v, .size = size};

	(void)host;
	if (sv_vhdx_begin(v, err) < 0 || sv_vhdx_flush(l, err) < 0 || plan(&g, err) < 0 ||
		write_entries(&g, err) < 0 || change_all(&g, err) < 0)
		return -1;
	bat->at = g.bat_at;
	bat->length = g.bat_length;
	v->params.size = size;
	if (g.room)
		sv_vhdx_take_room(v, g.room);
	sv_vhdx_pages_forget(v);
	return sv_vhdx_flush(l, err);
}
