/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Makes new hosted sparse extents and gives existing ones a larger directory. Both copies of
 * every grain table exist from the beginning, as holes of the host's file: qemu 7.2 overwrites
 * the header of an extent through a directory entry of 0, and an 8 TiB disk costs 2 MiB of
 * directories, not 1 GiB of tables.
 */
#include "image/vmdk_sparse.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define CHUNK_ENTRIES (16U * 1024)

int sv_vmdk_sparse_check_size(uint64_t sectors, struct sv_err *err)
{
	if (sv_vmdk_tables(sectors, SV_VMDK_GRAIN) <= SV_VMDK_GD_MAX)
		return 0;
	return sv_fail(err, SV_UNSUPPORTED, NULL,
		"a sparse VMDK extent of %llu sectors is larger than its directory can hold",
		(unsigned long long)sectors);
}

/* A directory at sector `at` of n tables that follow each other from sector `first`. */
static int write_directory(
	struct sv_dev *file, uint64_t at, uint64_t first, uint64_t n, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(CHUNK_ENTRIES * 4);

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < n; i += CHUNK_ENTRIES) {
		size_t run = (size_t)SV_MIN(n - i, CHUNK_ENTRIES);

		for (size_t k = 0; k < run; k++)
			sv_store_le32(
				buf + 4 * k, (uint32_t)(first + (i + k) * SV_VMDK_GT_SECTORS));
		if (sv_dev_write(file, buf, run * 4, at * SV_SECTOR + i * 4, err) < 0)
			return -1;
	}
	return 0;
}

/* The directory and the room for its tables behind it. */
static int write_copy(struct sv_dev *file, uint64_t at, uint64_t tables, struct sv_err *err)
{
	return write_directory(file, at, at + sv_vmdk_directory_sectors(tables), tables, err);
}

int sv_vmdk_sparse_make(struct sv_dev *file, uint64_t sectors, uint64_t desc_sectors,
	const char *desc, struct sv_err *err)
{
	uint8_t head[SV_VMDK_HEADER_SIZE];
	struct sv_vmdk_header h;
	uint64_t tables;

	if (sv_vmdk_sparse_check_size(sectors, err) < 0)
		return -1;
	sv_vmdk_header_plan(sectors, desc_sectors, &h);
	sv_vmdk_header_print(&h, head);
	tables = sv_vmdk_tables(h.capacity, h.grain);
	if (desc && strlen(desc) > desc_sectors * SV_SECTOR)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(file),
			"the descriptor has %zu bytes, there is room for %llu", strlen(desc),
			(unsigned long long)(desc_sectors * SV_SECTOR));
	if (sv_dev_resize(file, h.overhead * SV_SECTOR, err) < 0 ||
		write_copy(file, h.rgd_at, tables, err) < 0 ||
		write_copy(file, h.gd_at, tables, err) < 0 ||
		(desc &&
			sv_dev_write(file, desc, strlen(desc), h.desc_at * SV_SECTOR, err) < 0))
		return -1;
	return sv_dev_write(file, head, sizeof head, 0, err);
}

uint64_t sv_vmdk_sparse_make_cost(uint64_t sectors)
{
	const uint64_t block = 4096; /* of the host's file system */
	uint64_t tables = sv_vmdk_tables(sectors, SV_VMDK_GRAIN);
	uint64_t head = (1 + SV_VMDK_DESC_SECTORS) * SV_SECTOR, directory = tables * 4;

	/* a directory that begins within a block touches one more */
	return sv_align_up(head, block) + 2 * (sv_align_up(directory, block) + block);
}

/* ---- grow ---- */

/* Where the new tables go, in sectors. */
struct relay {
	uint64_t tables;
	uint64_t rgd_at, gd_at, end;
};

static int plan_relay(
	const struct sv_vmdk_sparse *s, uint64_t sectors, struct relay *ret, struct sv_err *err)
{
	uint64_t at = sv_align_up(sv_dev_size(s->file), s->grain_bytes) / SV_SECTOR;
	uint64_t tables = sv_vmdk_tables(sectors, s->h.grain), copy;

	if (tables > SV_VMDK_GD_MAX)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(s->file),
			"the grain directory would have %llu entries, the largest allowed is %u",
			(unsigned long long)tables, SV_VMDK_GD_MAX);
	copy = sv_vmdk_directory_sectors(tables) + tables * SV_VMDK_GT_SECTORS;
	*ret = (struct relay){tables, at, at + copy, 0};
	ret->end = sv_align_up(at + 2 * copy, s->h.grain);
	if (ret->end > UINT32_MAX) {
		sv_fail(err, SV_UNSUPPORTED, sv_dev_name(s->file),
			"its tables would pass 2 TiB, where a sparse VMDK extent ends");
		return sv_hint(
			err, "convert it to a split (twoGbMaxExtentSparse) or flat disk");
	}
	return 0;
}

int sv_vmdk_sparse_check_grow(
	const struct sv_vmdk_sparse *s, uint64_t sectors, struct sv_err *err)
{
	struct relay r;

	return plan_relay(s, sectors, &r, err);
}

/* Entries of the last old table beyond the old capacity must not come to life. */
static void clear_tail(const struct sv_vmdk_sparse *s, uint64_t table, uint32_t *entries)
{
	uint64_t grains = sv_div_up(s->h.capacity, s->h.grain);
	uint64_t valid = grains - table * SV_VMDK_GTES;

	for (uint64_t i = valid; i < SV_VMDK_GTES; i++)
		entries[i] = 0;
}

/* Copies one old table to both new places; an empty one stays a hole. */
static int move_table(
	struct sv_vmdk_sparse *s, const struct relay *r, uint64_t table, struct sv_err *err)
{
	uint64_t dir = sv_vmdk_directory_sectors(r->tables);
	uint64_t at = (dir + table * SV_VMDK_GT_SECTORS) * SV_SECTOR;
	uint32_t entries[SV_VMDK_GTES];

	if (!s->gd[table])
		return 0;
	if (sv_vmdk_tables_get(s->tables, s->file, s->id, table, s->gd[table] * SV_SECTOR, 0,
		    SV_VMDK_GTES, entries, err) < 0)
		return -1;
	clear_tail(s, table, entries);
	if (sv_is_zero(entries, sizeof entries))
		return 0;
	for (size_t i = 0; i < SV_VMDK_GTES; i++)
		sv_store_le32(&entries[i], entries[i]);
	if (sv_dev_write(s->file, entries, sizeof entries, r->rgd_at * SV_SECTOR + at, err) < 0)
		return -1;
	return sv_dev_write(s->file, entries, sizeof entries, r->gd_at * SV_SECTOR + at, err);
}

static int move_tables(struct sv_vmdk_sparse *s, const struct relay *r, struct sv_err *err)
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
			run.length = s->table_span - off % s->table_span;
		}
		off += sv_align_down(run.length, s->table_span);
	}
	return 0;
}

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
	if (h->desc_at == SV_VMDK_DESC_SECTOR)
		return sv_dev_write(s->file, buf, SV_VMDK_HEADER_SIZE + room, 0, err);
	if (sv_dev_write(s->file, buf, SV_VMDK_HEADER_SIZE, 0, err) < 0 ||
		sv_dev_flush(s->file, err) < 0)
		return -1;
	return sv_dev_write(
		s->file, buf + SV_VMDK_HEADER_SIZE, room, h->desc_at * SV_SECTOR, err);
}

static int reload(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	struct sv_vmdk_sparse *again;

	sv_vmdk_tables_clear(s->tables);
	again = sv_vmdk_sparse_open(s->file, s->tables, s->id, true, err);
	if (!again)
		return -1;
	again->below = s->below;
	again->start = s->start;
	sv_dev_close(s->file);
	free(s->gd);
	free(s->rgd);
	*s = *again;
	free(again);
	return 0;
}

int sv_vmdk_sparse_grow(struct sv_vmdk_sparse *s, uint64_t sectors, const char *desc,
	size_t desc_n, struct sv_err *err)
{
	struct sv_vmdk_header h = s->h;
	struct relay r;

	if (sv_vmdk_sparse_flush(s, err) < 0 || plan_relay(s, sectors, &r, err) < 0)
		return -1;
	if (sv_dev_resize(s->file, r.end * SV_SECTOR, err) < 0 ||
		write_copy(s->file, r.rgd_at, r.tables, err) < 0 ||
		write_copy(s->file, r.gd_at, r.tables, err) < 0 ||
		move_tables(s, &r, err) < 0 || sv_dev_flush(s->file, err) < 0)
		return -1;
	h.capacity = sectors;
	h.rgd_at = r.rgd_at;
	h.gd_at = r.gd_at;
	h.flags |= SV_VMDK_FLAG_REDUNDANT | SV_VMDK_FLAG_NEWLINES;
	if (switch_header(s, &h, desc, desc_n, err) < 0 || sv_dev_flush(s->file, err) < 0)
		return -1;
	return reload(s, err);
}
