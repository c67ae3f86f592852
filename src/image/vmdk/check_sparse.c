/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tables of a hosted sparse extent, all of them. Two walks: the first looks at each entry
 * by itself and finds out to which power of two all grains are aligned; the second marks the
 * grains in a bitmap of that unit, window after window of the file where one is not enough,
 * and so finds grains that overlap each other or the tables, and space that nobody uses.
 */
#include "image/vmdk/check.h"
#include "image/vmdk/cowd.h"
#include "image/vmdk/marker.h"

#include "base/endian.h"

#include <string.h>

#define CHECK_BITMAP (UINT64_C(4) << 20) /* bytes: 2 TiB of 64 KiB grains in one window */
#define ERRORS_MAX                                                                             \
	10000 /* of one extent: beyond it the check ends, a hostile image has 2^32             \
	       */
#define TABLE_BYTES (SV_VMDK_GTES * UINT64_C(4))

struct check {
	struct sv_vmdk_sparse *s;
	const char *path;
	struct sv_image_faults *faults;
	struct sv_job *job;
	struct sv_vmdk_directory *rgd; /* NULL: no redundant directory */
	uint64_t size;                 /* of the file, in sectors, cut */
	uint64_t n_grains;
	uint64_t errors_before;
	uint8_t *unpacked; /* packed grains: room for one */
	/* second walk; sectors */
	uint64_t unit;
	uint64_t window, window_end;
	size_t map_bytes; /* of each bitmap */
	uint8_t *grains, *used;
};

/* ---- tables ---- */

static bool table_fits(const struct check *c, uint32_t sector)
{
	return sector && sv_in_range(sector, SV_VMDK_GT_SECTORS,
				 sv_dev_size(c->s->tables_file) / SV_SECTOR);
}

/* The table in host order; all zeros without reading where it lies in a hole of the file. */
static int read_table(const struct check *c, uint32_t sector, uint32_t entries[SV_VMDK_GTES],
	bool *ret_empty, struct sv_err *err)
{
	struct sv_extent e;

	if (sv_dev_extent(c->s->tables_file, sector * SV_SECTOR, TABLE_BYTES, &e, err) < 0)
		return -1;
	*ret_empty = e.kind == SV_EXTENT_HOLE && e.length == TABLE_BYTES;
	if (*ret_empty)
		memset(entries, 0, TABLE_BYTES);
	else if (sv_dev_read(c->s->tables_file, entries, TABLE_BYTES, sector * SV_SECTOR, err) <
		 0)
		return -1;
	for (size_t i = 0; i < SV_VMDK_GTES && !*ret_empty; i++)
		entries[i] = sv_load_le32(&entries[i]);
	return 0;
}

static bool is_data(const struct check *c, uint32_t entry)
{
	return entry && !(entry == 1 && (c->s->h.flags & SV_VMDK_FLAG_ZEROED));
}

/* Do the tables lie in the file? (Not those that were put together from markers.) */
static bool has_tables(const struct check *c)
{
	return c->s->tables_file == c->s->file;
}

/* Sectors that grain g has in the file: the last may be cut by the capacity. */
static uint64_t grain_sectors(const struct check *c, uint64_t g)
{
	return SV_MIN(c->s->h.grain, c->s->h.capacity - g * c->s->h.grain);
}

/* The same of a packed grain; unpacks it into `out` unless that is NULL. *ret is 0 where its
 * bytes are damaged, which is reported when it is unpacked. */
static int packed_sectors(struct check *c, uint64_t g, uint32_t entry, uint8_t *out,
	uint64_t *ret, struct sv_err *err)
{
	bool markers = c->s->h.flags & SV_VMDK_FLAG_MARKERS;
	struct sv_err own = SV_ERR_INIT;
	uint32_t n;

	*ret = 0;
	if (sv_vmdk_unpack(c->s, g, entry, out ? c->s->grain_bytes : 0, out, &n, &own) == 0) {
		/* without markers nobody knows where it ends */
		*ret = markers ? sv_div_up(SV_VMDK_GRAIN_DATA + (uint64_t)n, SV_SECTOR) : 1;
		return 0;
	}
	if (own.code != SV_CORRUPT) {
		sv_err_copy(err, &own);
		return -1;
	}
	if (out)
		sv_vmdk_fault(c->faults, c->path, own.offset, "%s", own.message);
	return 0;
}

static bool too_many(const struct check *c)
{
	return c->faults->errors - c->errors_before >= ERRORS_MAX;
}

/* ---- first walk ---- */

static int check_entry(
	struct check *c, uint64_t table, unsigned i, uint32_t entry, struct sv_err *err)
{
	uint64_t n, g = table * SV_VMDK_GTES + i;
	uint64_t at = c->s->gd->entries[table] * SV_SECTOR + i * UINT64_C(4);

	if (!is_data(c, entry))
		return 0;
	if (g >= c->n_grains) {
		sv_vmdk_fault(c->faults, c->path, at,
			"a table entry beyond the capacity is %u, not 0", entry);
		return 0;
	}
	if (c->unpacked)
		return sv_job_check(c->job, err) < 0
			       ? -1
			       : packed_sectors(c, g, entry, c->unpacked, &n, err);
	if (!sv_in_range(entry, grain_sectors(c, g), c->size)) {
		sv_vmdk_fault(c->faults, c->path, at,
			"grain %llu is said to be at sector %u, the file has %llu sectors",
			(unsigned long long)g, entry, (unsigned long long)c->size);
		return 0;
	}
	while (entry % c->unit)
		c->unit /= 2;
	return 0;
}

static int compare_copies(
	struct check *c, uint64_t table, const uint32_t *entries, struct sv_err *err)
{
	uint32_t copy[SV_VMDK_GTES];
	bool empty;

	if (read_table(c, c->rgd->entries[table], copy, &empty, err) < 0)
		return -1;
	for (unsigned i = 0; i < SV_VMDK_GTES; i++) {
		if (copy[i] == entries[i])
			continue;
		sv_vmdk_fault(c->faults, c->path,
			c->rgd->entries[table] * SV_SECTOR + i * UINT64_C(4),
			"the redundant copy of grain table %llu says %u, the table %u",
			(unsigned long long)table, copy[i], entries[i]);
		break; /* one report for each table */
	}
	return 0;
}

/* The first table of an entry stands for all: of COWD's, it has eight. */
static bool is_first(const struct check *c, uint64_t table)
{
	return !(table & ((UINT64_C(1) << c->s->h.table_shift) - 1));
}

static void check_directory_entry(
	struct check *c, const struct sv_vmdk_directory *d, uint64_t table, const char *what)
{
	uint32_t sector = d->entries[table];

	if (!sector || table_fits(c, sector))
		return;
	if (!is_first(c, table) && !table_fits(c, d->entries[table - 1]))
		return; /* told already */
	sv_vmdk_fault(c->faults, c->path, sv_vmdk_directory_at(d, table),
		"%s entry %llu is sector %u, the file has %llu", what,
		(unsigned long long)table, sector, (unsigned long long)c->size);
}

static int check_table(struct check *c, uint64_t table, struct sv_err *err)
{
	uint32_t sector = c->s->gd->entries[table], copy = c->rgd ? c->rgd->entries[table] : 0;
	uint32_t entries[SV_VMDK_GTES];
	bool empty;

	check_directory_entry(c, c->s->gd, table, "grain directory");
	if (c->rgd) {
		check_directory_entry(c, c->rgd, table, "redundant grain directory");
		if (!sector != !copy)
			sv_vmdk_fault(c->faults, c->path, sv_vmdk_directory_at(c->rgd, table),
				"grain table %llu exists in one of the directories only",
				(unsigned long long)table);
	}
	if (!table_fits(c, sector))
		return 0;
	if (read_table(c, sector, entries, &empty, err) < 0)
		return -1;
	for (unsigned i = 0; i < SV_VMDK_GTES && !empty; i++) {
		if (check_entry(c, table, i, entries[i], err) < 0)
			return -1;
	}
	return table_fits(c, copy) ? compare_copies(c, table, entries, err) : 0;
}

static int first_walk(struct check *c, struct sv_err *err)
{
	for (uint64_t t = 0; t < c->s->n_tables && !too_many(c); t++) {
		if (sv_job_check(c->job, err) < 0 || check_table(c, t, err) < 0)
			return -1;
		sv_job_progress(c->job, "checking tables", t + 1, c->s->n_tables);
	}
	return 0;
}

/* ---- metadata that overlaps ---- */

struct region {
	uint64_t sector, n;
	const char *what;
};

enum { REGIONS = 4 };

static uint64_t header_sectors(const struct check *c)
{
	return c->s->h.table_shift ? SV_VMDK_COWD_SIZE / SV_SECTOR : 1;
}

static uint64_t directory_sectors(const struct check *c)
{
	return sv_vmdk_directory_sectors(
		sv_div_up(c->s->n_tables, UINT64_C(1) << c->s->h.table_shift));
}

static void list_regions(const struct check *c, struct region ret[REGIONS])
{
	const struct sv_vmdk_header *h = &c->s->h;
	uint64_t directory = directory_sectors(c);

	ret[0] = (struct region){0, header_sectors(c), "the header"};
	ret[1] =
		(struct region){h->desc_at, h->desc_at ? h->desc_sectors : 0, "the descriptor"};
	ret[2] = (struct region){h->gd_at, directory, "the grain directory"};
	ret[3] = (struct region){
		h->rgd_at, c->rgd ? directory : 0, "the redundant grain directory"};
}

static void check_regions(struct check *c, const struct region regions[REGIONS])
{
	for (size_t i = 0; i < REGIONS; i++) {
		for (size_t k = 0; k < i; k++) {
			if (sv_overlaps(regions[i].sector, regions[i].n, regions[k].sector,
				    regions[k].n))
				sv_vmdk_fault(c->faults, c->path, regions[i].sector * SV_SECTOR,
					"%s lies over %s", regions[i].what, regions[k].what);
		}
	}
}

static void check_table_place(
	struct check *c, const struct region regions[REGIONS], uint32_t sector)
{
	for (size_t i = 0; i < REGIONS; i++) {
		if (sv_overlaps(sector, SV_VMDK_GT_SECTORS, regions[i].sector, regions[i].n))
			sv_vmdk_fault(c->faults, c->path, sector * SV_SECTOR,
				"a grain table lies over %s", regions[i].what);
	}
}

static int compare_sectors(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t collect(const struct check *c, const struct sv_vmdk_directory *gd, uint32_t *out)
{
	size_t n = 0;

	for (uint64_t t = 0; gd && t < c->s->n_tables; t++) {
		if (table_fits(c, gd->entries[t]))
			out[n++] = gd->entries[t];
	}
	return n;
}

static int check_metadata(struct check *c, struct sv_err *err)
{
	sv_autofree uint32_t *all = malloc((size_t)c->s->n_tables * 2 * sizeof *all);
	struct region regions[REGIONS];
	size_t n;

	if (!all)
		return sv_fail_nomem(err);
	if (!has_tables(c))
		return 0;
	list_regions(c, regions);
	check_regions(c, regions);
	n = collect(c, c->s->gd, all);
	n += collect(c, c->rgd, all + n);
	if (n)
		qsort(all, n, sizeof *all, compare_sectors);
	for (size_t i = 0; i < n && !too_many(c); i++) {
		check_table_place(c, regions, all[i]);
		if (i && all[i] - all[i - 1] < SV_VMDK_GT_SECTORS)
			sv_vmdk_fault(c->faults, c->path, all[i] * SV_SECTOR,
				"two grain tables overlap");
	}
	return 0;
}

/* ---- second walk ---- */

/* Sets the units of [sector, sector+n) that lie in the window; true when one was set. */
static bool mark(struct check *c, uint8_t *map, uint64_t sector, uint64_t n)
{
	uint64_t from = SV_MAX(sector, c->window), to = SV_MIN(sector + n, c->window_end);
	bool was_set = false;

	if (from >= to)
		return false;
	for (uint64_t u = (from - c->window) / c->unit; u <= (to - 1 - c->window) / c->unit;
		u++) {
		uint8_t bit = (uint8_t)(1U << (u % 8));

		was_set |= (map[u / 8] & bit) != 0;
		map[u / 8] |= bit;
	}
	return was_set;
}

static bool is_marked(const struct check *c, const uint8_t *map, uint64_t sector)
{
	uint64_t u = (sector - c->window) / c->unit;

	return map[u / 8] >> (u % 8) & 1;
}

/* Can a packed grain that begins at the sector reach into the window? */
static bool may_reach(const struct check *c, uint32_t sector)
{
	uint64_t most = sv_div_up(sv_vmdk_packed_max(&c->s->h), SV_SECTOR) + 1;

	return sector < c->window_end && sector + most > c->window;
}

static int mark_grain(
	struct check *c, uint64_t table, unsigned i, uint32_t entry, struct sv_err *err)
{
	uint64_t g = table * SV_VMDK_GTES + i, n = 0;

	if (!is_data(c, entry) || g >= c->n_grains)
		return 0;
	if (!c->unpacked)
		n = grain_sectors(c, g);
	else if (may_reach(c, entry) && packed_sectors(c, g, entry, NULL, &n, err) < 0)
		return -1;
	if (!sv_in_range(entry, n, c->size) || !mark(c, c->grains, entry, n))
		return 0;
	/* in the window where it begins, so that it is told once */
	if (entry >= c->window && entry < c->window_end)
		sv_vmdk_fault(c->faults, c->path,
			c->s->gd->entries[table] * SV_SECTOR + i * UINT64_C(4),
			"grain %llu at sector %u overlaps another grain", (unsigned long long)g,
			entry);
	return 0;
}

static int mark_grains(struct check *c, struct sv_err *err)
{
	uint32_t entries[SV_VMDK_GTES];
	bool empty;

	for (uint64_t t = 0; t < c->s->n_tables && !too_many(c); t++) {
		if (!table_fits(c, c->s->gd->entries[t]))
			continue;
		if (sv_job_check(c->job, err) < 0 ||
			read_table(c, c->s->gd->entries[t], entries, &empty, err) < 0)
			return -1;
		for (unsigned i = 0; i < SV_VMDK_GTES && !empty; i++) {
			if (mark_grain(c, t, i, entries[i], err) < 0)
				return -1;
		}
	}
	return 0;
}

/* Something that is no grain: is it in one's place? Each unit that is marked is all grain. */
static void mark_metadata(struct check *c, uint64_t sector, uint64_t n, const char *what)
{
	uint64_t from = SV_MAX(sector, c->window), to = SV_MIN(sector + n, c->window_end);

	for (uint64_t at = from; at < to; at += c->unit - (at - c->window) % c->unit) {
		if (is_marked(c, c->grains, at)) {
			sv_vmdk_fault(c->faults, c->path, at * SV_SECTOR,
				"a grain lies over %s", what);
			break;
		}
	}
	mark(c, c->used, sector, n);
}

static void mark_directory(struct check *c, uint64_t at, const struct sv_vmdk_directory *gd,
	const char *what, const char *table)
{
	mark_metadata(c, at, directory_sectors(c), what);
	for (uint64_t t = 0; t < c->s->n_tables; t++) {
		if (is_first(c, t) && table_fits(c, gd->entries[t]))
			mark_metadata(c, gd->entries[t],
				(uint64_t)SV_VMDK_GT_SECTORS << c->s->h.table_shift, table);
	}
}

/* The sectors before the tables of a stream, and what ends it. Where there are no markers they
 * hold nothing else: the tables of what QEMU makes lie in one piece. */
static void mark_markers(struct check *c)
{
	mark(c, c->used, c->s->h.gd_at - 1, 1);
	for (uint64_t t = 0; t < c->s->n_tables; t++) {
		if (table_fits(c, c->s->gd->entries[t]))
			mark(c, c->used, c->s->gd->entries[t] - UINT64_C(1), 1);
	}
	mark(c, c->used, SV_MAX(c->size, UINT64_C(3)) - 3, 3);
}

static void mark_all_metadata(struct check *c)
{
	const struct sv_vmdk_header *h = &c->s->h;

	mark_metadata(c, 0, header_sectors(c), "the header");
	if (h->desc_at)
		mark_metadata(c, h->desc_at, h->desc_sectors, "the descriptor");
	if (!has_tables(c))
		return;
	mark_directory(c, h->gd_at, c->s->gd, "the grain directory", "a grain table");
	if (h->flags & SV_VMDK_FLAG_MARKERS)
		mark_markers(c);
	if (c->rgd)
		mark_directory(c, h->rgd_at, c->rgd, "the redundant grain directory",
			"a redundant grain table");
}

/* What the host stores of [from, to) although nothing points there. */
static int report_leak(struct check *c, uint64_t from, uint64_t to, struct sv_err *err)
{
	uint64_t off = from * SV_SECTOR, end = to * SV_SECTOR;
	struct sv_extent e;

	/* VMFS makes files larger in steps: what was not in use yet is no leak */
	if (c->s->h.used)
		end = SV_MIN(end, c->s->h.used * SV_SECTOR);

	for (; off < end; off += e.length) {
		if (sv_dev_extent(c->s->file, off, end - off, &e, err) < 0)
			return -1;
		if (e.kind == SV_EXTENT_DATA)
			sv_vmdk_leak(c->faults, c->path, off, e.length, c->s->grain_bytes);
	}
	return 0;
}

static int find_leaks(struct check *c, struct sv_err *err)
{
	uint64_t at =
		SV_MAX(c->window, sv_align_up(SV_MIN(c->s->h.overhead, c->size), c->unit));

	while (at < c->window_end) {
		uint64_t from = at;

		while (at < c->window_end && !is_marked(c, c->grains, at) &&
			!is_marked(c, c->used, at))
			at += c->unit;
		if (at > from && report_leak(c, from, SV_MIN(at, c->window_end), err) < 0)
			return -1;
		at += at == from ? c->unit : 0;
	}
	return 0;
}

static int check_window(struct check *c, struct sv_err *err)
{
	memset(c->grains, 0, c->map_bytes);
	memset(c->used, 0, c->map_bytes);
	if (mark_grains(c, err) < 0)
		return -1;
	mark_all_metadata(c);
	return find_leaks(c, err);
}

static int second_walk(struct check *c, struct sv_err *err)
{
	uint64_t all = sv_div_up(sv_div_up(c->size, c->unit), 8);
	sv_autofree uint8_t *grains = NULL;
	sv_autofree uint8_t *used = NULL;

	c->map_bytes = (size_t)SV_MIN(all, CHECK_BITMAP);
	c->grains = grains = malloc(c->map_bytes);
	c->used = used = malloc(c->map_bytes);
	if (!grains || !used)
		return sv_fail_nomem(err);
	for (c->window = 0; c->window < c->size && !too_many(c); c->window = c->window_end) {
		c->window_end = SV_MIN(c->size, c->window + c->map_bytes * 8 * c->unit);
		if (check_window(c, err) < 0)
			return -1;
		sv_job_progress(c->job, "checking grains", c->window_end, c->size);
	}
	return 0;
}

/* ---- */

static int load_directories(struct check *c, struct sv_err *err)
{
	struct sv_vmdk_sparse *s = c->s;

	if (sv_vmdk_directory_need_all(s->gd, err) < 0)
		return -1;
	if (!s->h.rgd_at)
		return 0;
	c->rgd = sv_vmdk_directory_new(s->file, s->h.rgd_at, s->n_tables, 0, err);
	return c->rgd ? sv_vmdk_directory_need_all(c->rgd, err) : -1;
}

int sv_vmdk_check_sparse(struct sv_vmdk_sparse *s, const char *path,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct check c = {
		.s = s,
		.path = path,
		.faults = faults,
		.job = job,
		.size = sv_dev_size(s->file) / SV_SECTOR,
		.errors_before = faults->errors,
		.n_grains = sv_div_up(s->h.capacity, s->h.grain),
		.unit = sv_vmdk_is_packed(&s->h) ? 1 : s->h.grain,
	};
	sv_autofree uint8_t *unpacked = NULL;
	int rc;

	if (sv_vmdk_is_packed(&s->h))
		c.unpacked = unpacked = malloc((size_t)s->grain_bytes);
	if (sv_vmdk_is_packed(&s->h) && !unpacked)
		return sv_fail_nomem(err);
	if (s->note)
		sv_vmdk_fault(faults, path, sv_dev_size(s->file), "%s", s->note);
	rc = load_directories(&c, err);
	if (!rc)
		rc = first_walk(&c, err);
	if (!rc)
		rc = check_metadata(&c, err);
	if (!rc)
		rc = second_walk(&c, err);
	sv_vmdk_directory_free(c.rgd);
	if (!rc && too_many(&c))
		sv_vmdk_fault(
			faults, path, 0, "more than %d errors: the check ended", ERRORS_MAX);
	return rc;
}
