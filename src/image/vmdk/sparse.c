/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading hosted sparse extents ("Virtual Disk Format 5.0", section "Hosted Sparse Extents").
 * A directory entry is the sector of a grain table, a table entry the sector of a grain: 0 is
 * a table or grain that does not exist, and 1 is a grain of zeros where the header says so.
 * COWD extents (cowd.h) are read by the same code.
 */
#include "image/vmdk/sparse.h"

#include "base/endian.h"
#include "base/num.h"
#include "image/vmdk/cowd.h"
#include "image/vmdk/stream.h"

#include <string.h>

/* Of packed grains only their tables tell how many there are: 2 TiB of them are counted. */
#define COUNTED_TABLES UINT64_C(65536)

int sv_vmdk_refuse_packed(const char *path, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, path,
		"it is a compressed (streamOptimized) VMDK, which is only read, not written");
	return sv_hint(err, "convert it first: sharevm image convert OLD.vmdk NEW.vmdk");
}

static int check_writable(const struct sv_vmdk_sparse *s, struct sv_err *err)
{
	if (sv_vmdk_is_packed(&s->h))
		return sv_vmdk_refuse_packed(sv_dev_name(s->file), err);
	if (s->h.table_shift) {
		sv_fail_at(err, SV_UNSUPPORTED, sv_dev_name(s->file), 0,
			"VMFS sparse (COWD) extents are only read, not written");
		return sv_hint(err, SV_VMDK_CONVERT_HINT);
	}
	if (s->h.version < 3)
		return 0;
	sv_fail_at(err, SV_UNSUPPORTED, sv_dev_name(s->file), 4,
		"extent version 3 (changed block tracking) is only read, not written");
	return sv_hint(err, SV_VMDK_CONVERT_HINT);
}

/* Where the directory is, and what unpacking needs. */
static int find_tables(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	struct sv_vmdk_found found = {0};

	if (s->h.gd_at == SV_VMDK_GD_AT_END &&
		sv_vmdk_find_directory(s->file, &s->h, &found, err) < 0)
		return -1;
	s->note = found.note;
	s->tables_file = found.rebuilt ? found.rebuilt : sv_dev_ref(s->file);
	if (found.rebuilt)
		s->h.gd_at = 0;
	if (!sv_vmdk_is_packed(&s->h))
		return 0;
	s->kept = sv_vmdk_kept_new(s->grain_bytes, err);
	return s->kept ? 0 : -1;
}

/* A hosted extent's header, or a COWD one's, which is longer. */
static int load_header(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	uint8_t head[SV_VMDK_COWD_SIZE];
	uint64_t size = sv_dev_size(s->file);
	size_t all = SV_MIN(size, sizeof head),
	       first = SV_MIN(all, (size_t)SV_VMDK_HEADER_SIZE);
	int rc;

	if (sv_dev_read(s->file, head, first, 0, err) < 0)
		return -1;
	if (first < 4 || memcmp(head, SV_VMDK_COWD_MAGIC, 4)) {
		rc = sv_vmdk_header_parse(head, first, size, &s->h, err);
	} else {
		if (sv_dev_read(s->file, head + first, all - first, first, err) < 0)
			return -1;
		rc = sv_vmdk_cowd_parse(head, all, size, &s->h, err);
	}
	return rc < 0 ? sv_err_path(err, sv_dev_name(s->file)) : 0;
}

static int load(struct sv_vmdk_sparse *s, bool writable, struct sv_err *err)
{
	if (load_header(s, err) < 0)
		return -1;
	s->grain_bytes = s->h.grain * SV_SECTOR;
	s->table_span = s->grain_bytes * SV_VMDK_GTES;
	s->n_tables = sv_vmdk_tables(s->h.capacity, s->h.grain);
	if (writable && check_writable(s, err) < 0)
		return -1;
	if (find_tables(s, err) < 0)
		return -1;
	s->gd = sv_vmdk_directory_new(
		s->tables_file, s->h.gd_at, s->n_tables, s->h.table_shift, err);
	if (!s->gd)
		return -1;
	if (!writable)
		return 0;
	s->next = sv_align_up(sv_dev_size(s->file), s->grain_bytes);
	if (!s->h.rgd_at)
		return 0;
	s->rgd = sv_vmdk_directory_new(s->file, s->h.rgd_at, s->n_tables, 0, err);
	return s->rgd ? 0 : -1;
}

struct sv_vmdk_sparse *sv_vmdk_sparse_open(struct sv_dev *file, struct sv_vmdk_tables *tables,
	uint32_t id, bool writable, struct sv_err *err)
{
	struct sv_vmdk_sparse *s = calloc(1, sizeof *s);

	if (!s) {
		sv_fail_nomem(err);
		return NULL;
	}
	s->file = sv_dev_ref(file);
	s->tables = tables;
	s->id = id;
	if (load(s, writable, err) < 0) {
		sv_vmdk_sparse_close(s);
		return NULL;
	}
	return s;
}

void sv_vmdk_sparse_close(struct sv_vmdk_sparse *s)
{
	if (!s)
		return;
	sv_vmdk_kept_free(s->kept);
	free(s->fill);
	sv_dev_close(s->tables_file);
	sv_dev_close(s->file);
	sv_vmdk_directory_free(s->gd);
	sv_vmdk_directory_free(s->rgd);
	free(s);
}

/* ---- map ---- */

/* Tables from `table` on that do not exist, as far as the page of the directory goes; guest
 * bytes up to the end of the last. */
static uint64_t missing_tables(
	const struct sv_vmdk_sparse *s, uint64_t table, uint64_t off, uint64_t max)
{
	uint64_t end = table + 1, known = sv_vmdk_directory_page_end(s->gd, table);

	while (end < known && !s->gd->entries[end] && end * s->table_span - off < max)
		end++;
	return SV_MIN(max, end * s->table_span - off);
}

/*
 * Whole tables from `table` on, as far as the page of the directory goes, that lie in a hole
 * of the file: all their entries are 0. This is what makes a walk over a large empty disk
 * cheap. *ret is 0 where the first does not.
 */
static int tables_in_hole(struct sv_vmdk_sparse *s, uint64_t table, uint64_t off, uint64_t max,
	uint64_t *ret, struct sv_err *err)
{
	const uint64_t table_bytes = SV_VMDK_GTES * 4;
	uint64_t at = s->gd->entries[table] * SV_SECTOR, end = table;
	uint64_t known = sv_vmdk_directory_page_end(s->gd, table);
	struct sv_extent e;

	*ret = 0;
	if (sv_vmdk_tables_held(s->tables, s->id, table))
		return 0;
	if (sv_dev_extent(s->tables_file, at, UINT64_MAX, &e, err) < 0)
		return -1;
	if (e.kind != SV_EXTENT_HOLE)
		return 0;
	while (end < known &&
		s->gd->entries[end] * SV_SECTOR == at + (end - table) * table_bytes &&
		(end - table + 1) * table_bytes <= e.length &&
		!sv_vmdk_tables_held(s->tables, s->id, end))
		end++;
	if (end > table)
		*ret = SV_MIN(max, end * s->table_span - off);
	return 0;
}

int sv_vmdk_sparse_check_table(
	const struct sv_vmdk_sparse *s, uint64_t table, bool redundant, struct sv_err *err)
{
	const struct sv_vmdk_directory *d = redundant ? s->rgd : s->gd;
	uint32_t sector = d->entries[table];

	if (sv_in_range(sector * SV_SECTOR, SV_VMDK_GTES * 4, sv_dev_size(s->tables_file)))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file), sv_vmdk_directory_at(d, table),
		"%sgrain directory entry %llu is sector %u, the file has %llu",
		redundant ? "redundant " : "", (unsigned long long)table, sector,
		(unsigned long long)(sv_dev_size(s->file) / SV_SECTOR));
}

static enum sv_run_kind kind_of(const struct sv_vmdk_sparse *s, uint32_t entry)
{
	if (!entry)
		return SV_RUN_ABSENT;
	return entry == 1 && (s->h.flags & SV_VMDK_FLAG_ZEROED) ? SV_RUN_ZERO : SV_RUN_DATA;
}

/* How many of the entries continue the first: the same kind, and data without a gap (packed
 * grains have no place to follow each other in). */
static unsigned same_entries(
	const struct sv_vmdk_sparse *s, const uint32_t *entries, unsigned n)
{
	enum sv_run_kind kind = kind_of(s, entries[0]);
	unsigned i = 1;

	while (i < n && kind_of(s, entries[i]) == kind &&
		(kind != SV_RUN_DATA || s->kept || entries[i] == entries[0] + i * s->h.grain))
		i++;
	return i;
}

/* The data's place; grains that the file does not hold are left out, the first must be. */
static int place_data(struct sv_vmdk_sparse *s, uint64_t table, unsigned first, uint32_t entry,
	uint64_t within, struct sv_run *run, struct sv_err *err)
{
	uint64_t at = entry * SV_SECTOR + within, size = sv_dev_size(s->file);
	uint64_t in_grain = SV_MIN(run->length, s->grain_bytes - within);

	if (entry > 1 && sv_in_range(at, in_grain, size)) {
		run->host_offset = at;
		run->dev = s->file;
		run->length = SV_MIN(run->length, size - at);
		return 0;
	}
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file),
		s->gd->entries[table] * SV_SECTOR + first * 4,
		"a grain is said to be at sector %u, the file has %llu sectors", entry,
		(unsigned long long)(size / SV_SECTOR));
}

/* Where the host stores nothing for a grain it reads as zeros. */
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

int sv_vmdk_sparse_map(struct sv_vmdk_sparse *s, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	uint64_t table = off / s->table_span, in_table = off % s->table_span;
	uint64_t within = off % s->grain_bytes, empty = 0;
	unsigned first = (unsigned)(in_table / s->grain_bytes), n;
	uint32_t entries[SV_VMDK_GTES];
	struct sv_run run = {.kind = SV_RUN_ABSENT, .host_offset = SV_NO_HOST_OFFSET};

	if (sv_vmdk_directory_need(s->gd, table, err) < 0)
		return -1;
	if (!s->gd->entries[table]) {
		run.length = missing_tables(s, table, off, max);
		*ret = run;
		return 0;
	}
	if (sv_vmdk_sparse_check_table(s, table, false, err) < 0)
		return -1;
	if (holes && max > s->table_span && tables_in_hole(s, table, off, max, &empty, err) < 0)
		return -1;
	if (empty) {
		run.length = empty;
		*ret = run;
		return 0;
	}
	max = SV_MIN(max, s->table_span - in_table);
	n = (unsigned)sv_div_up(within + max, s->grain_bytes);
	if (sv_vmdk_tables_get(s->tables, s->tables_file, s->id, table,
		    s->gd->entries[table] * SV_SECTOR, first, n, entries, err) < 0)
		return -1;
	n = same_entries(s, entries, n);
	run.kind = kind_of(s, entries[0]);
	run.length = SV_MIN(max, n * s->grain_bytes - within);
	if (run.kind == SV_RUN_DATA && !s->kept &&
		(place_data(s, table, first, entries[0], within, &run, err) < 0 ||
			(holes && look_for_hole(&run, err) < 0)))
		return -1;
	*ret = run;
	return 0;
}

/* ---- how much is allocated ---- */

/* Tables that lie behind the overhead, among the grains or behind them: in bytes. */
static int late_tables(struct sv_vmdk_sparse *s, uint64_t *ret, struct sv_err *err)
{
	uint64_t copies = s->h.rgd_at ? 2 : 1, n = s->n_tables;

	if (s->h.table_shift) { /* COWD makes them one by one */
		if (sv_vmdk_directory_need_all(s->gd, err) < 0)
			return -1;
		for (uint64_t t = n = 0; t < s->n_tables; t++)
			n += s->gd->entries[t] != 0;
		*ret = n * SV_VMDK_GT_SECTORS * SV_SECTOR;
		return 0;
	}
	/* those that a grow has laid behind the grains, with their directories */
	n = copies * (sv_vmdk_directory_sectors(n) + n * SV_VMDK_GT_SECTORS) * SV_SECTOR;
	*ret = s->h.gd_at >= s->h.overhead ? n : 0;
	return 0;
}

static int allocated_by_size(struct sv_vmdk_sparse *s, uint64_t *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(s->file), from = s->h.overhead * SV_SECTOR, tables;

	*ret = 0;
	if (s->h.used)
		size = SV_MIN(size, s->h.used * SV_SECTOR);
	if (s->h.overhead > UINT64_MAX / SV_SECTOR || from >= size)
		return 0;
	if (late_tables(s, &tables, err) < 0)
		return -1;
	size -= from;
	*ret = size > tables ? size - tables : 0;
	return 0;
}

/* The same of packed grains, by their tables. */
static int count_packed(struct sv_vmdk_sparse *s, uint64_t *ret, struct sv_err *err)
{
	uint32_t entries[SV_VMDK_GTES];
	uint64_t grains = 0, t;

	for (t = 0; t < SV_MIN(s->n_tables, COUNTED_TABLES); t++) {
		if (sv_vmdk_directory_need(s->gd, t, err) < 0)
			return -1;
		/* of a table that is nowhere whoever reads there is told */
		if (!s->gd->entries[t] || sv_vmdk_sparse_check_table(s, t, false, NULL) < 0)
			continue;
		if (sv_vmdk_tables_get(s->tables, s->tables_file, s->id, t,
			    s->gd->entries[t] * SV_SECTOR, 0, SV_VMDK_GTES, entries, err) < 0)
			return -1;
		for (unsigned i = 0; i < SV_VMDK_GTES; i++)
			grains += kind_of(s, entries[i]) == SV_RUN_DATA;
	}
	/* enough was read: the rest counts as full */
	*ret = (grains + (s->n_tables - t) * SV_VMDK_GTES) * s->grain_bytes;
	return 0;
}

int sv_vmdk_sparse_allocated(struct sv_vmdk_sparse *s, uint64_t *ret, struct sv_err *err)
{
	uint64_t n;

	if ((s->kept ? count_packed(s, &n, err) : allocated_by_size(s, &n, err)) < 0)
		return -1;
	*ret = SV_MIN(n, s->h.capacity * SV_SECTOR);
	return 0;
}
