/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading seSparse extents: see sesparse.h. */
#include "image/vmdk/sesparse.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

#define VERSION        UINT64_C(0x0000000200000001) /* 2.1 */
#define VOLATILE_MAGIC UINT64_C(0x00000000cafecafe)
#define CAPACITY_MAX   (UINT64_C(1) << 37) /* sectors: 64 TiB, where vSphere ends */

#define TABLE_BYTES    (SV_VMDK_SE_GTES * 8)
#define TABLE_SECTORS  (TABLE_BYTES / SV_SECTOR)
#define GRAIN_SECTORS  (SV_VMDK_SE_GRAIN / SV_SECTOR)

/* Pieces of tables that one map() looks at: one table. */
#define PIECES (SV_VMDK_SE_GTES / SV_VMDK_SE_PIECE)
/* The directory's pieces stand in the cache of tables behind all tables' pieces. */
#define DIRECTORY_PIECES (UINT64_C(1) << 40)
/* Tables that are read to count what is allocated: 32 MiB of them, 16 GiB of the disk. */
#define COUNTED_TABLES 1024

struct disk_header {
	sv_le64 magic;
	sv_le64 version;
	sv_le64 capacity;
	sv_le64 grain;
	sv_le64 table;
	sv_le64 flags;
	sv_le64 reserved[4];
	sv_le64 volatile_at, volatile_sectors;
	sv_le64 journal_header_at, journal_header_sectors;
	sv_le64 journal_at, journal_sectors;
	sv_le64 gd_at, gd_sectors;
	sv_le64 tables_at, tables_sectors;
	sv_le64 free_bitmap_at, free_bitmap_sectors;
	sv_le64 back_map_at, back_map_sectors;
	sv_le64 grains_at, grains_sectors;
	uint8_t pad[304];
};
static_assert(sizeof(struct disk_header) == SV_VMDK_SE_HEADER, "header size");

struct disk_volatile {
	sv_le64 magic;
	sv_le64 free_table;
	sv_le64 next_transaction;
	sv_le64 replay_journal;
	uint8_t pad[480];
};
static_assert(sizeof(struct disk_volatile) == SV_VMDK_SE_HEADER, "volatile header size");

#define AT(field) offsetof(struct disk_header, field)

/* ---- headers ---- */

static int check_kind(const struct disk_header *d, struct sv_err *err)
{
	if (memcmp(&d->magic, SV_VMDK_SE_MAGIC, sizeof d->magic))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the magic of a seSparse extent (0xcafebabe) is missing");
	if (sv_get_le64(d->version) != VERSION)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(version),
			"seSparse version %#llx is not known (%#llx is)",
			(unsigned long long)sv_get_le64(d->version),
			(unsigned long long)VERSION);
	if (sv_get_le64(d->grain) != GRAIN_SECTORS)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(grain),
			"the grain size is %llu sectors, only %llu is known",
			(unsigned long long)sv_get_le64(d->grain),
			(unsigned long long)GRAIN_SECTORS);
	if (sv_get_le64(d->table) != TABLE_SECTORS)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(table),
			"a grain table has %llu sectors, only %llu is known",
			(unsigned long long)sv_get_le64(d->table),
			(unsigned long long)TABLE_SECTORS);
	if (sv_get_le64(d->flags))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(flags),
			"flags %#llx are not known", (unsigned long long)sv_get_le64(d->flags));
	if (sv_is_zero(d->reserved, sizeof d->reserved) && sv_is_zero(d->pad, sizeof d->pad))
		return 0;
	return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(reserved),
		"reserved bytes of the header are not 0");
}

/* Do `bytes` bytes of something lie in the `sectors` that the header gives it, and those in
 * the file? */
static bool fits(uint64_t at, uint64_t sectors, uint64_t bytes, uint64_t file_size)
{
	uint64_t start, room;

	return at && sv_mul(at, SV_SECTOR, &start) && sv_mul(sectors, SV_SECTOR, &room) &&
	       bytes <= room && sv_in_range(start, bytes, file_size);
}

static int check_places(
	const struct sv_vmdk_se_header *h, uint64_t file_size, struct sv_err *err)
{
	uint64_t tables = sv_div_up(h->capacity, SV_VMDK_SE_TABLE_SPAN / SV_SECTOR);

	if (!h->capacity || h->capacity > CAPACITY_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(capacity),
			"the capacity is %llu sectors (1 to %llu are possible)",
			(unsigned long long)h->capacity, (unsigned long long)CAPACITY_MAX);
	if (!fits(h->volatile_at, 1, SV_VMDK_SE_HEADER, file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(volatile_at),
			"the volatile header is at sector %llu, the file has %llu bytes",
			(unsigned long long)h->volatile_at, (unsigned long long)file_size);
	if (!fits(h->gd_at, h->gd_sectors, tables * 8, file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(gd_at),
			"the grain directory has %llu sectors at sector %llu; %llu entries "
			"do not lie there in the file's %llu bytes",
			(unsigned long long)h->gd_sectors, (unsigned long long)h->gd_at,
			(unsigned long long)tables, (unsigned long long)file_size);
	if (!fits(h->tables_at, 0, 0, file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(tables_at),
			"the grain tables are at sector %llu, the file has %llu bytes",
			(unsigned long long)h->tables_at, (unsigned long long)file_size);
	if (!fits(h->grains_at, 0, 0, file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(grains_at),
			"the grains are at sector %llu, the file has %llu bytes",
			(unsigned long long)h->grains_at, (unsigned long long)file_size);
	return 0;
}

int sv_vmdk_se_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vmdk_se_header *ret, struct sv_err *err)
{
	struct disk_header d;
	struct sv_vmdk_se_header h;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"the file ends within the header of the extent");
	memcpy(&d, bytes, sizeof d);
	if (check_kind(&d, err) < 0)
		return -1;
	h = (struct sv_vmdk_se_header){
		.capacity = sv_get_le64(d.capacity),
		.volatile_at = sv_get_le64(d.volatile_at),
		.gd_at = sv_get_le64(d.gd_at),
		.gd_sectors = sv_get_le64(d.gd_sectors),
		.tables_at = sv_get_le64(d.tables_at),
		.tables_sectors = sv_get_le64(d.tables_sectors),
		.grains_at = sv_get_le64(d.grains_at),
	};
	if (check_places(&h, file_size, err) < 0)
		return -1;
	*ret = h;
	return 0;
}

int sv_vmdk_se_volatile_parse(const void *bytes, size_t n, struct sv_err *err)
{
	struct disk_volatile d;

	if (n < sizeof d)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, n, "the file ends within the volatile header");
	memcpy(&d, bytes, sizeof d);
	if (sv_get_le64(d.magic) != VOLATILE_MAGIC)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the magic of the volatile header (0xcafecafe) is missing");
	if (!sv_get_le64(d.replay_journal))
		return 0;
	sv_fail_at(err, SV_UNSUPPORTED, NULL, offsetof(struct disk_volatile, replay_journal),
		"it was not closed cleanly: its journal must be replayed, which only ESXi can");
	return sv_hint(
		err, "start the machine on ESXi, shut it down, and copy its disks again");
}

/* ---- entries ---- */

bool sv_vmdk_se_decode(uint64_t raw, struct sv_vmdk_se_entry *ret)
{
	*ret = (struct sv_vmdk_se_entry){.kind = SV_RUN_ABSENT};
	switch (raw >> 60) {
	case 0:
		return raw == 0;
	case 1: /* unmapped by the guest; which grain it was does not matter */
	case 2:
		ret->kind = SV_RUN_ZERO;
		return true;
	case 3:
		ret->kind = SV_RUN_DATA;
		ret->grain = (raw >> 48 & 0xfff) | (raw & UINT64_C(0xffffffffffff)) << 12;
		return true;
	default:
		return false;
	}
}

bool sv_vmdk_se_decode_directory(uint64_t raw, uint64_t *ret_table)
{
	*ret_table = raw ? raw & UINT32_MAX : UINT64_MAX;
	return !raw || raw >> 32 == 0x10000000;
}

uint64_t sv_vmdk_se_place(const struct sv_vmdk_sesparse *s, uint64_t number)
{
	uint64_t at, first = s->h.grains_at * SV_SECTOR; /* lies in the file */

	if (!sv_mul(number, SV_VMDK_SE_GRAIN, &at) || !sv_add(at, first, &at) ||
		!sv_in_range(at, SV_VMDK_SE_GRAIN, sv_dev_size(s->file)))
		return UINT64_MAX;
	return at;
}

/* Entries of 64 bits through the cache of tables of 32 bits: a piece of 2 KiB at `offset`. */
static int get_entries(struct sv_vmdk_sesparse *s, uint64_t piece, uint64_t offset,
	unsigned first, unsigned n, uint64_t *ret, struct sv_err *err)
{
	uint32_t halves[2 * SV_VMDK_SE_PIECE];

	if (sv_vmdk_tables_get(s->tables, s->file, s->id, piece, offset, 2 * first, 2 * n,
		    halves, err) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		ret[i] = halves[2 * i] | (uint64_t)halves[2 * i + 1] << 32;
	return 0;
}

int sv_vmdk_se_entries(struct sv_vmdk_sesparse *s, uint64_t table, uint64_t grain, unsigned n,
	uint64_t *ret, struct sv_err *err)
{
	uint64_t piece = grain / SV_VMDK_SE_PIECE;

	return get_entries(s, piece, table + piece % PIECES * SV_VMDK_SE_PIECE * 8,
		(unsigned)(grain % SV_VMDK_SE_PIECE), n, ret, err);
}

int sv_vmdk_se_table(
	struct sv_vmdk_sesparse *s, uint64_t grain, uint64_t *ret, struct sv_err *err)
{
	uint64_t index = grain / SV_VMDK_SE_GTES, piece = index / SV_VMDK_SE_PIECE;
	uint64_t directory = s->h.gd_at * SV_SECTOR, raw, number, at;
	uint64_t piece_at = directory + piece * SV_VMDK_SE_PIECE * 8;

	/* a directory near the end of the file may have less than a whole piece */
	if (sv_in_range(piece_at, SV_VMDK_SE_PIECE * 8, sv_dev_size(s->file))) {
		if (get_entries(s, DIRECTORY_PIECES + piece, piece_at,
			    (unsigned)(index % SV_VMDK_SE_PIECE), 1, &raw, err) < 0)
			return -1;
	} else {
		uint8_t bytes[8];

		if (sv_dev_read(s->file, bytes, sizeof bytes, directory + index * 8, err) < 0)
			return -1;
		raw = sv_load_le64(bytes);
	}
	*ret = 0;
	if (!raw)
		return 0;
	if (sv_vmdk_se_decode_directory(raw, &number) &&
		(number + 1) * TABLE_SECTORS <= s->h.tables_sectors) {
		at = s->h.tables_at * SV_SECTOR + number * TABLE_BYTES;
		if (sv_in_range(at, TABLE_BYTES, sv_dev_size(s->file))) {
			*ret = at;
			return 0;
		}
	}
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file), directory + index * 8,
		"grain directory entry %llu is %#llx: no table of %llu sectors of tables "
		"in the file's %llu bytes",
		(unsigned long long)index, (unsigned long long)raw,
		(unsigned long long)s->h.tables_sectors,
		(unsigned long long)sv_dev_size(s->file));
}

/* ---- map ---- */

/* A run as it is put together. */
struct walk {
	struct sv_vmdk_sesparse *s;
	uint64_t grain, end; /* the next one, and the first behind the range */
	uint64_t n;          /* grains of the run */
	enum sv_run_kind kind;
	uint64_t at; /* DATA: where the run begins in the file */
};

static int fail_entry(
	const struct walk *w, uint64_t table, uint64_t grain, uint64_t raw, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->s->file),
		table + grain % SV_VMDK_SE_GTES * 8,
		"the entry of grain %llu is %#llx: no grain of the file's %llu bytes",
		(unsigned long long)grain, (unsigned long long)raw,
		(unsigned long long)sv_dev_size(w->s->file));
}

/* Adds entries as long as they continue the run; *ret_ended tells that one did not. A bad one
 * behind the first ends it. */
static int add_entries(struct walk *w, uint64_t table, const uint64_t *raw, unsigned n,
	bool *ret_ended, struct sv_err *err)
{
	for (unsigned i = 0; i < n; i++) {
		struct sv_vmdk_se_entry e;
		bool good = sv_vmdk_se_decode(raw[i], &e);
		uint64_t at = 0;

		if (good && e.kind == SV_RUN_DATA)
			at = sv_vmdk_se_place(w->s, e.grain);
		good = good && at != UINT64_MAX;
		if (!good && !w->n)
			return fail_entry(w, table, w->grain, raw[i], err);
		if (!w->n) {
			w->kind = e.kind;
			w->at = at;
		}
		*ret_ended = !good || e.kind != w->kind ||
			     (at && at != w->at + w->n * SV_VMDK_SE_GRAIN);
		if (*ret_ended)
			return 0;
		w->n++;
		w->grain++;
	}
	return 0;
}

/* One piece of a table, or a table that does not exist. */
static int add_piece(struct walk *w, bool *ret_ended, struct sv_err *err)
{
	uint64_t raw[SV_VMDK_SE_PIECE], table, n;

	if (sv_vmdk_se_table(w->s, w->grain, &table, err) < 0)
		return -1;
	if (!table) {
		*ret_ended = w->n && w->kind != SV_RUN_ABSENT;
		if (*ret_ended)
			return 0;
		n = SV_MIN(SV_VMDK_SE_GTES - w->grain % SV_VMDK_SE_GTES, w->end - w->grain);
		w->kind = SV_RUN_ABSENT;
		w->n += n;
		w->grain += n;
		return 0;
	}
	n = SV_MIN(SV_VMDK_SE_PIECE - w->grain % SV_VMDK_SE_PIECE, w->end - w->grain);
	if (sv_vmdk_se_entries(w->s, table, w->grain, (unsigned)n, raw, err) < 0)
		return -1;
	return add_entries(w, table, raw, (unsigned)n, ret_ended, err);
}

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

int sv_vmdk_se_map(struct sv_vmdk_sesparse *s, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	uint64_t within = off % SV_VMDK_SE_GRAIN;
	struct walk w = {
		s, off / SV_VMDK_SE_GRAIN, sv_div_up(off + max, SV_VMDK_SE_GRAIN), 0, 0, 0};
	struct sv_run run = {.host_offset = SV_NO_HOST_OFFSET};
	bool ended = false;

	for (unsigned i = 0; i < PIECES && w.grain < w.end && !ended; i++) {
		if (add_piece(&w, &ended, w.n ? NULL : err) < 0) {
			if (!w.n)
				return -1;
			break;
		}
	}
	run.kind = w.kind;
	run.length = SV_MIN(w.n * SV_VMDK_SE_GRAIN - within, max);
	if (run.kind == SV_RUN_DATA) {
		run.dev = s->file;
		run.host_offset = w.at + within;
		if (holes && look_for_hole(&run, err) < 0)
			return -1;
	}
	*ret = run;
	return 0;
}

/* ---- open ---- */

static int load(struct sv_vmdk_sesparse *s, struct sv_err *err)
{
	uint8_t bytes[SV_VMDK_SE_HEADER];
	uint64_t size = sv_dev_size(s->file);
	size_t n = (size_t)SV_MIN(size, (uint64_t)sizeof bytes);

	if (sv_dev_read(s->file, bytes, n, 0, err) < 0)
		return -1;
	if (sv_vmdk_se_header_parse(bytes, n, size, &s->h, err) < 0)
		return sv_err_path(err, sv_dev_name(s->file));
	if (sv_dev_read(s->file, bytes, n, s->h.volatile_at * SV_SECTOR, err) < 0)
		return -1;
	if (sv_vmdk_se_volatile_parse(bytes, n, err) < 0) {
		sv_err_shift(err, s->h.volatile_at * SV_SECTOR);
		return sv_err_path(err, sv_dev_name(s->file));
	}
	return 0;
}

struct sv_vmdk_sesparse *sv_vmdk_se_open(
	struct sv_dev *file, struct sv_vmdk_tables *tables, uint32_t id, struct sv_err *err)
{
	SV_CLEANUP(sv_vmdk_se_closep) struct sv_vmdk_sesparse *s = calloc(1, sizeof *s);

	if (!s) {
		sv_fail_nomem(err);
		return NULL;
	}
	s->file = sv_dev_ref(file);
	s->tables = tables;
	s->id = id;
	return load(s, err) < 0 ? NULL : SV_STEAL(s);
}

void sv_vmdk_se_close(struct sv_vmdk_sesparse *s)
{
	if (!s)
		return;
	sv_dev_close(s->file);
	free(s);
}

int sv_vmdk_se_allocated(struct sv_vmdk_sesparse *s, uint64_t *ret, struct sv_err *err)
{
	uint64_t end = sv_div_up(s->h.capacity, GRAIN_SECTORS), grains = 0, tables = 0, table;
	uint64_t raw[SV_VMDK_SE_PIECE];
	struct sv_vmdk_se_entry e;

	for (uint64_t g = 0; g < end; g += SV_VMDK_SE_GTES) {
		/* of a table that is nowhere whoever reads there is told */
		if (sv_vmdk_se_table(s, g, &table, NULL) < 0 || !table)
			continue;
		if (tables++ >= COUNTED_TABLES) {
			grains += SV_VMDK_SE_GTES;
			continue;
		}
		for (uint64_t p = g; p < g + SV_VMDK_SE_GTES; p += SV_VMDK_SE_PIECE) {
			if (sv_vmdk_se_entries(s, table, p, SV_VMDK_SE_PIECE, raw, err) < 0)
				return -1;
			for (unsigned i = 0; i < SV_VMDK_SE_PIECE; i++)
				grains +=
					sv_vmdk_se_decode(raw[i], &e) && e.kind == SV_RUN_DATA;
		}
	}
	*ret = SV_MIN(grains * SV_VMDK_SE_GRAIN, s->h.capacity * SV_SECTOR);
	return 0;
}
