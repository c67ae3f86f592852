/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Gives a hosted sparse extent a larger capacity: see sv_vmdk_sparse_grow(). The directories
 * cannot grow in their place, grains lie behind them; moving grains would cost by their size.
 * So directories and tables move, and the header's sector decides between old and new.
 */
#include "image/vmdk/sparse.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

struct relay {
	uint64_t tables;
	uint64_t rgd_at, gd_at, end; /* sectors */
	bool moves;                  /* else the tables that there are suffice */
	/* Both old copies as one range of bytes, when they lie as we lay them and no grain
	 * lies among them: it can be given back. */
	uint64_t old_at, old_len;
};

/* ---- plan ---- */

static uint64_t copy_sectors(uint64_t tables)
{
	return sv_vmdk_directory_sectors(tables) + tables * SV_VMDK_GT_SECTORS;
}

static bool follows(const struct sv_vmdk_directory *gd, uint64_t at)
{
	uint64_t first = at + sv_vmdk_directory_sectors(gd->n);

	for (uint64_t i = 0; i < gd->n; i++) {
		if (gd->entries[i] != first + i * SV_VMDK_GT_SECTORS)
			return false;
	}
	return true;
}

static void find_old(const struct sv_vmdk_sparse *s, struct relay *r)
{
	uint64_t copy = copy_sectors(s->n_tables);

	if (!s->rgd || s->h.gd_at != s->h.rgd_at + copy || !follows(s->rgd, s->h.rgd_at) ||
		!follows(s->gd, s->h.gd_at))
		return;
	r->old_at = s->h.rgd_at * SV_SECTOR;
	r->old_len = 2 * copy * SV_SECTOR;
	/* those that an earlier grow laid fill their last grain */
	if (s->h.rgd_at >= s->h.overhead)
		r->old_len = sv_align_up(r->old_at + r->old_len, s->grain_bytes) - r->old_at;
}

static int plan(
	const struct sv_vmdk_sparse *s, uint64_t sectors, struct relay *ret, struct sv_err *err)
{
	uint64_t at = sv_align_up(sv_dev_size(s->file), s->grain_bytes) / SV_SECTOR;
	uint64_t tables = sv_vmdk_tables(sectors, s->h.grain);

	if (tables > SV_VMDK_GD_MAX)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(s->file),
			"the grain directory would have %llu entries, the largest allowed is %u",
			(unsigned long long)tables, SV_VMDK_GD_MAX);
	*ret = (struct relay){.tables = tables};
	if (tables == s->n_tables)
		return 0;
	ret->moves = true;
	ret->rgd_at = at;
	ret->gd_at = at + copy_sectors(tables);
	ret->end = sv_align_up(ret->gd_at + copy_sectors(tables), s->h.grain);
	if (ret->end <= UINT32_MAX)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(s->file),
		"its tables would pass 2 TiB, where a sparse VMDK extent ends");
	return sv_hint(err, "link to it instead (--linked), or convert it to a flat disk");
}

int sv_vmdk_sparse_check_grow(
	const struct sv_vmdk_sparse *s, uint64_t sectors, struct sv_err *err)
{
	struct relay r;

	return plan(s, sectors, &r, err);
}

/* ---- what lies beyond the old capacity must not come to life ---- */

static int clear_last_grain(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	uint64_t end = s->h.capacity * SV_SECTOR, within = end % s->grain_bytes, rest;
	struct sv_run run;

	if (!within)
		return 0;
	if (sv_vmdk_sparse_map(s, end - 1, 1, false, &run, err) < 0)
		return -1;
	if (run.kind != SV_RUN_DATA)
		return 0;
	rest = run.host_offset + 1 + s->grain_bytes - within;
	if (rest > sv_dev_size(s->file) && sv_dev_resize(s->file, rest, err) < 0)
		return -1;
	return sv_dev_discard(s->file, run.host_offset + 1, s->grain_bytes - within, err);
}

/* Entries of a table for grains that the old capacity does not have; true if one was set. */
static bool clear_entries(const struct sv_vmdk_sparse *s, uint64_t table, uint32_t *entries)
{
	uint64_t grains = sv_div_up(s->h.capacity, s->h.grain);
	bool was_set = false;

	for (uint64_t i = grains - table * SV_VMDK_GTES; i < SV_VMDK_GTES; i++) {
		was_set |= entries[i] != 0;
		entries[i] = 0;
	}
	return was_set;
}

static int read_table(struct sv_vmdk_sparse *s, uint64_t table, uint32_t entries[SV_VMDK_GTES],
	struct sv_err *err)
{
	if (sv_vmdk_sparse_check_table(s, table, false, err) < 0)
		return -1;
	return sv_vmdk_tables_get(s->tables, s->file, s->id, table,
		s->gd->entries[table] * SV_SECTOR, 0, SV_VMDK_GTES, entries, err);
}

static int write_table(
	struct sv_vmdk_sparse *s, uint64_t at, const uint32_t *entries, struct sv_err *err)
{
	uint32_t bytes[SV_VMDK_GTES];

	for (size_t i = 0; i < SV_VMDK_GTES; i++)
		sv_store_le32(&bytes[i], entries[i]);
	return sv_dev_write(s->file, bytes, sizeof bytes, at * SV_SECTOR, err);
}

/* The last table stays in its place. */
static int clear_last_table(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	uint64_t last = s->n_tables - 1;
	uint32_t entries[SV_VMDK_GTES];

	if (!s->gd->entries[last])
		return 0;
	if (read_table(s, last, entries, err) < 0)
		return -1;
	if (!clear_entries(s, last, entries))
		return 0;
	if (write_table(s, s->gd->entries[last], entries, err) < 0)
		return -1;
	if (!s->rgd || !s->rgd->entries[last])
		return 0;
	return sv_vmdk_sparse_check_table(s, last, true, err) < 0
		       ? -1
		       : write_table(s, s->rgd->entries[last], entries, err);
}

/* ---- moving the tables ---- */

/* Old tables are not given back when a damaged image has a grain among them. */
static void look_for_grains(
	const struct sv_vmdk_sparse *s, struct relay *r, const uint32_t *entries)
{
	for (size_t i = 0; i < SV_VMDK_GTES && r->old_len; i++) {
		if (entries[i] && sv_overlaps(entries[i] * SV_SECTOR, s->grain_bytes, r->old_at,
					  r->old_len))
			r->old_len = 0;
	}
}

/* Copies one old table to both new places; an empty one stays a hole. */
static int move_table(
	struct sv_vmdk_sparse *s, struct relay *r, uint64_t table, struct sv_err *err)
{
	uint64_t at = sv_vmdk_directory_sectors(r->tables) + table * SV_VMDK_GT_SECTORS;
	uint32_t entries[SV_VMDK_GTES];

	if (!s->gd->entries[table])
		return 0;
	if (read_table(s, table, entries, err) < 0)
		return -1;
	clear_entries(s, table, entries);
	if (sv_is_zero(entries, sizeof entries))
		return 0;
	look_for_grains(s, r, entries);
	if (write_table(s, r->rgd_at + at, entries, err) < 0)
		return -1;
	return write_table(s, r->gd_at + at, entries, err);
}

static int move_tables(struct sv_vmdk_sparse *s, struct relay *r, struct sv_err *err)
{
	uint64_t off = 0, end = s->h.capacity * SV_SECTOR;

	while (off < end) {
		struct sv_run run;

		/* a long run without data needs no table */
		if (sv_vmdk_sparse_map(s, off, end - off, true, &run, err) < 0)
			return -1;
		if (run.kind != SV_RUN_ABSENT || run.length < s->table_span) {
			if (move_table(s, r, off / s->table_span, err) < 0)
				return -1;
			run.length = s->table_span;
		}
		off += sv_align_down(run.length, s->table_span);
	}
	return 0;
}

static int lay_anew(struct sv_vmdk_sparse *s, struct relay *r, struct sv_err *err)
{
	if (sv_dev_resize(s->file, r->end * SV_SECTOR, err) < 0 ||
		sv_vmdk_sparse_make_copy(s->file, r->rgd_at, r->tables, err) < 0 ||
		sv_vmdk_sparse_make_copy(s->file, r->gd_at, r->tables, err) < 0)
		return -1;
	find_old(s, r);
	return move_tables(s, r, err);
}

/* ---- the switch ---- */

/* Header and descriptor in one write where they are neighbours, as everybody lays them. */
static int switch_header(struct sv_vmdk_sparse *s, const struct sv_vmdk_header *h,
	const char *desc, size_t desc_n, struct sv_err *err)
{
	size_t room = (size_t)(desc ? h->desc_sectors * SV_SECTOR : 0);
	sv_autofree uint8_t *buf = calloc(1, SV_VMDK_HEADER_SIZE + room);

	if (!buf)
		return sv_fail_nomem(err);
	sv_vmdk_header_print(h, buf);
	if (desc)
		memcpy(buf + SV_VMDK_HEADER_SIZE, desc, desc_n);
	if (!desc || h->desc_at == SV_VMDK_DESC_SECTOR)
		return sv_dev_write(s->file, buf, SV_VMDK_HEADER_SIZE + room, 0, err);
	if (sv_dev_write(s->file, buf, SV_VMDK_HEADER_SIZE, 0, err) < 0 ||
		sv_dev_flush(s->file, err) < 0)
		return -1;
	return sv_dev_write(
		s->file, buf + SV_VMDK_HEADER_SIZE, room, h->desc_at * SV_SECTOR, err);
}

/* Everything from the file again, by the new header. */
static int reload(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	struct sv_vmdk_sparse *again, old = *s;

	sv_vmdk_tables_clear(s->tables);
	again = sv_vmdk_sparse_open(s->file, s->tables, s->id, true, err);
	if (!again)
		return -1;
	again->below = s->below;
	again->start = s->start;
	*s = *again;
	*again = old;
	sv_vmdk_sparse_close(again);
	return 0;
}

int sv_vmdk_sparse_grow(struct sv_vmdk_sparse *s, uint64_t sectors, const char *desc,
	size_t desc_n, struct sv_err *err)
{
	struct sv_vmdk_header h = s->h;
	struct relay r;

	if (sv_vmdk_sparse_flush(s, err) < 0 || plan(s, sectors, &r, err) < 0 ||
		sv_vmdk_directory_need_all(s->gd, err) < 0 ||
		(s->rgd && sv_vmdk_directory_need_all(s->rgd, err) < 0) ||
		clear_last_grain(s, err) < 0 ||
		(r.moves ? lay_anew(s, &r, err) : clear_last_table(s, err)) < 0 ||
		sv_dev_flush(s->file, err) < 0)
		return -1;
	h.capacity = sectors;
	if (r.moves) {
		h.rgd_at = r.rgd_at;
		h.gd_at = r.gd_at;
		h.flags |= SV_VMDK_FLAG_REDUNDANT;
	}
	h.flags |= SV_VMDK_FLAG_NEWLINES; /* the bytes are written with every header */
	if (switch_header(s, &h, desc, desc_n, err) < 0 || sv_dev_flush(s->file, err) < 0)
		return -1;
	if (r.old_len) /* only a service: a host that cannot loses nothing */
		sv_dev_discard(s->file, r.old_at, r.old_len, NULL);
	return reload(s, err);
}
