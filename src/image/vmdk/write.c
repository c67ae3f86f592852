/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing hosted sparse extents. New grains go to the end of the file, as many in one go as
 * one grain table takes. What must hold at any moment: a table entry in the file points to a
 * grain whose data are durable (sparse.h says what a cut leaves behind).
 */
#include "image/vmdk/sparse.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define SECTOR_MAX UINT32_MAX /* the last sector that a table entry can name */

static int set_flag(struct sv_vmdk_sparse *s, uint8_t value, struct sv_err *err)
{
	return sv_dev_write(s->file, &value, 1, SV_VMDK_UNCLEAN_AT, err);
}

/* Before a table changes: the copies must be where they can be written. The flag is durable
 * before they are: they are written behind a flush. */
static int begin_change(struct sv_vmdk_sparse *s, uint64_t table, struct sv_err *err)
{
	if (s->rgd && sv_vmdk_directory_need(s->rgd, table, err) < 0)
		return -1;
	if (s->rgd && s->rgd->entries[table] &&
		sv_vmdk_sparse_check_table(s, table, true, err) < 0)
		return -1;
	s->dirty = true;
	if (s->flagged)
		return 0;
	if (set_flag(s, 1, err) < 0)
		return -1;
	s->flagged = true;
	return 0;
}

int sv_vmdk_sparse_flush(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	if (!s->dirty)
		return 0;
	if (sv_vmdk_tables_write_back(s->tables, s->id, err) < 0 ||
		sv_dev_flush(s->file, err) < 0)
		return -1;
	s->dirty = false;
	/* a flag that was there before us tells of a fault that is not ours to forgive */
	if (!s->flagged || s->h.unclean)
		return 0;
	if (set_flag(s, 0, err) < 0)
		return -1;
	s->flagged = false;
	return sv_dev_flush(s->file, err);
}

static bool has_room(const struct sv_vmdk_sparse *s, uint64_t n)
{
	return s->next / SV_SECTOR <= SECTOR_MAX &&
	       (s->next + n - s->grain_bytes) / SV_SECTOR <= SECTOR_MAX;
}

static int refuse_full(const struct sv_vmdk_sparse *s, enum sv_code code, struct sv_err *err)
{
	sv_fail_at(err, code, sv_dev_name(s->file), s->next,
		"a sparse VMDK extent holds at most 2 TiB of data");
	return sv_hint(err, "use a split (twoGbMaxExtentSparse) or a flat disk");
}

/* Makes room for n bytes, a multiple of the grain, at the end of the file. It reads as zeros.
 */
static int append(struct sv_vmdk_sparse *s, uint64_t n, uint64_t *ret_at, struct sv_err *err)
{
	uint64_t end = s->next + n;

	if (!has_room(s, n))
		return refuse_full(s, SV_NOSPACE, err);
	if ((s->filling ? sv_fill_reach(s->file, end, err) : sv_dev_resize(s->file, end, err)) <
		0)
		return -1;
	*ret_at = s->next;
	s->next = end;
	return 0;
}

static int change_entries(struct sv_vmdk_sparse *s, uint64_t table, unsigned first, unsigned n,
	const uint32_t *entries, struct sv_err *err)
{
	uint64_t copy = s->rgd ? s->rgd->entries[table] * SV_SECTOR : 0;

	return sv_vmdk_tables_change(s->tables, s->file, s->id, table,
		s->gd->entries[table] * SV_SECTOR, copy, first, n, entries, err);
}

/* Filling: nothing is durable before its end. */
static int write_entries(struct sv_vmdk_sparse *s, uint64_t table, unsigned first, unsigned n,
	const uint32_t *entries, struct sv_err *err)
{
	const uint64_t at = first * UINT64_C(4);
	uint32_t bytes[SV_VMDK_GTES];

	for (unsigned i = 0; i < n; i++)
		sv_store_le32(&bytes[i], entries[i]);
	if (sv_dev_write(s->file, bytes, n * 4, s->gd->entries[table] * SV_SECTOR + at, err) <
		0)
		return -1;
	sv_vmdk_tables_put(s->tables, s->id, table, first, n, entries);
	if (!s->rgd || !s->rgd->entries[table])
		return 0;
	return sv_dev_write(
		s->file, bytes, n * 4, s->rgd->entries[table] * SV_SECTOR + at, err);
}

static int write_directory_entry(struct sv_vmdk_sparse *s, uint64_t directory, uint64_t table,
	uint64_t at, struct sv_err *err)
{
	uint8_t entry[4];

	sv_store_le32(entry, (uint32_t)(at / SV_SECTOR));
	return sv_dev_write(s->file, entry, 4, directory * SV_SECTOR + table * 4, err);
}

/* A table that does not exist (other programs leave such holes in their directories). */
static int make_table(struct sv_vmdk_sparse *s, uint64_t table, struct sv_err *err)
{
	const uint64_t table_bytes = SV_VMDK_GTES * 4;
	uint64_t at;

	/* both copies; the rest of the last grain stays unused */
	if (append(s, sv_align_up(2 * table_bytes, s->grain_bytes), &at, err) < 0 ||
		(!s->filling && sv_dev_flush(s->file, err) < 0))
		return -1;
	if (s->rgd && !s->rgd->entries[table]) {
		if (write_directory_entry(s, s->h.rgd_at, table, at + table_bytes, err) < 0)
			return -1;
		s->rgd->entries[table] = (uint32_t)((at + table_bytes) / SV_SECTOR);
		if (!s->filling && sv_dev_flush(s->file, err) < 0)
			return -1;
	}
	if (write_directory_entry(s, s->h.gd_at, table, at, err) < 0)
		return -1;
	s->gd->entries[table] = (uint32_t)(at / SV_SECTOR);
	return 0;
}

/* Bytes [off, off+n) of the extent from below to `at` in the file, which reads as zeros. */
static int fill(
	struct sv_vmdk_sparse *s, uint64_t off, uint64_t n, uint64_t at, struct sv_err *err)
{
	struct sv_dev *below = s->below ? *s->below : NULL;
	uint64_t guest = s->start + off, below_size = below ? sv_dev_size(below) : 0;
	sv_autofree uint8_t *buf = NULL;

	if (guest >= below_size || !n)
		return 0;
	n = SV_MIN(n, below_size - guest);
	buf = malloc((size_t)n); /* less than a grain: at most 4 MiB */
	if (!buf)
		return sv_fail_nomem(err);
	if (sv_dev_read(below, buf, (size_t)n, guest, err) < 0)
		return -1;
	return sv_is_zero(buf, (size_t)n) ? 0 : sv_dev_write(s->file, buf, (size_t)n, at, err);
}

/* A range of one table whose grains are all new, and the bytes for it (NULL: zeros). */
struct fresh {
	uint64_t off, len;
	const uint8_t *bytes;
	bool covers; /* grains of zeros: what lies below does not show through */
};

/* The data of the new grains that begin at `at`, first and last filled up from below. */
static int write_grains(
	struct sv_vmdk_sparse *s, const struct fresh *f, uint64_t at, struct sv_err *err)
{
	uint64_t start = sv_align_down(f->off, s->grain_bytes), end = f->off + f->len;
	uint64_t full = SV_MIN(sv_align_up(end, s->grain_bytes), s->h.capacity * SV_SECTOR);

	if (f->bytes &&
		sv_dev_write(s->file, f->bytes, (size_t)f->len, at + (f->off - start), err) < 0)
		return -1;
	if (f->covers)
		return 0;
	if (fill(s, start, f->off - start, at, err) < 0)
		return -1;
	return fill(s, end, full - end, at + (end - start), err);
}

static int write_fresh(struct sv_vmdk_sparse *s, const struct fresh *f, struct sv_err *err)
{
	uint64_t table = f->off / s->table_span, at;
	unsigned first = (unsigned)(f->off % s->table_span / s->grain_bytes);
	unsigned n = (unsigned)sv_div_up(f->off % s->grain_bytes + f->len, s->grain_bytes);
	uint32_t entries[SV_VMDK_GTES];

	if (begin_change(s, table, err) < 0)
		return -1;
	if (!s->gd->entries[table] && make_table(s, table, err) < 0)
		return -1;
	if (append(s, n * s->grain_bytes, &at, err) < 0 || write_grains(s, f, at, err) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		entries[i] = (uint32_t)(at / SV_SECTOR + i * s->h.grain);
	return change_entries(s, table, first, n, entries, err);
}

/* Over grains that exist. */
static int write_over(struct sv_vmdk_sparse *s, const struct sv_run *run, const void *bytes,
	struct sv_err *err)
{
	s->dirty = true;
	if (!bytes)
		return sv_dev_discard(s->file, run->host_offset, run->length, err);
	return sv_dev_write(s->file, bytes, (size_t)run->length, run->host_offset, err);
}

int sv_vmdk_sparse_write(struct sv_vmdk_sparse *s, const void *bytes, uint64_t n, uint64_t off,
	struct sv_err *err)
{
	const uint8_t *in = bytes;

	while (n) {
		/* runs end where a table ends, so that new grains belong to one */
		uint64_t max = SV_MIN(n, s->table_span - off % s->table_span);
		struct sv_run run;
		struct fresh f;

		if (sv_vmdk_sparse_map(s, off, max, false, &run, err) < 0)
			return -1;
		f = (struct fresh){off, run.length, in, run.kind == SV_RUN_ZERO};
		if ((run.kind == SV_RUN_DATA ? write_over(s, &run, in, err)
					     : write_fresh(s, &f, err)) < 0)
			return -1;
		in = in ? in + run.length : NULL;
		off += run.length;
		n -= run.length;
	}
	return 0;
}

/* ---- filling ---- */

/* Entries of the table in work. They are written once a table, not once a range: a write
 * through the host's cache waits for those that go past it at the time. */
struct sv_vmdk_fill {
	uint64_t table;
	unsigned first, end; /* alike: none */
	uint32_t entries[SV_VMDK_GTES];
};

static int write_filled(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	struct sv_vmdk_fill *f = s->fill;

	if (!f || f->first == f->end)
		return 0;
	return write_entries(
		s, f->table, f->first, f->end - f->first, f->entries + f->first, err);
}

/* Grains that lie behind each other from `at` on. Tables come in order. */
static int fill_entries(struct sv_vmdk_sparse *s, uint64_t table, unsigned first, unsigned n,
	uint64_t at, struct sv_err *err)
{
	struct sv_vmdk_fill *f = s->fill;

	if (!f)
		f = s->fill = calloc(1, sizeof *f);
	if (!f)
		return sv_fail_nomem(err);
	if (table != f->table || f->first == f->end) {
		if (write_filled(s, err) < 0)
			return -1;
		*f = (struct sv_vmdk_fill){.table = table, .first = first};
	}
	for (unsigned i = 0; i < n; i++)
		f->entries[first + i] = (uint32_t)(at / SV_SECTOR + i * s->h.grain);
	f->end = first + n;
	return 0;
}

int sv_vmdk_sparse_fill_begin(struct sv_vmdk_sparse *s, uint64_t data, struct sv_err *err)
{
	if (data > s->grain_bytes && !has_room(s, sv_align_down(data, s->grain_bytes)))
		return refuse_full(s, SV_UNSUPPORTED, err);
	s->filling = true;
	return 0;
}

int sv_vmdk_sparse_place(struct sv_vmdk_sparse *s, uint64_t off, uint64_t len,
	struct sv_run *ret, struct sv_err *err)
{
	uint64_t table = off / s->table_span, in_table = off % s->table_span, at;
	unsigned first = (unsigned)(in_table / s->grain_bytes), n;

	len = SV_MIN(len, s->table_span - in_table);
	n = (unsigned)sv_div_up(len, s->grain_bytes);
	s->dirty = true;
	if (sv_vmdk_directory_need(s->gd, table, err) < 0 ||
		(s->rgd && sv_vmdk_directory_need(s->rgd, table, err) < 0) ||
		(!s->gd->entries[table] && make_table(s, table, err) < 0) ||
		append(s, n * s->grain_bytes, &at, err) < 0)
		return -1;
	*ret = (struct sv_run){len, SV_RUN_DATA, at, s->file};
	return fill_entries(s, table, first, n, at, err);
}

int sv_vmdk_sparse_fill_end(struct sv_vmdk_sparse *s, struct sv_err *err)
{
	s->filling = false;
	if (write_filled(s, err) < 0)
		return -1;
	free(SV_STEAL(s->fill));
	return sv_dev_size(s->file) > s->next ? sv_dev_resize(s->file, s->next, err) : 0;
}

/* ---- discard ---- */

/* Does all of [off, off+len) read as zeros from below? */
static int zeros_below(
	struct sv_vmdk_sparse *s, uint64_t off, uint64_t len, bool *ret, struct sv_err *err)
{
	struct sv_dev *below = s->below ? *s->below : NULL;
	uint64_t guest = s->start + off, end = guest + len;
	struct sv_extent e;

	*ret = true;
	end = SV_MIN(end, below ? sv_dev_size(below) : 0);
	for (; guest < end && *ret; guest += e.length) {
		if (sv_dev_extent(below, guest, end - guest, &e, err) < 0)
			return -1;
		*ret = e.kind != SV_EXTENT_DATA;
	}
	return 0;
}

/* Marks the whole grains of an absent range as zeros. */
static int mark_zero(struct sv_vmdk_sparse *s, uint64_t off, uint64_t len, struct sv_err *err)
{
	uint64_t table = off / s->table_span;
	unsigned first = (unsigned)(off % s->table_span / s->grain_bytes);
	unsigned n = (unsigned)sv_div_up(len, s->grain_bytes);
	uint32_t entries[SV_VMDK_GTES];

	if (begin_change(s, table, err) < 0 ||
		(!s->gd->entries[table] && make_table(s, table, err) < 0))
		return -1;
	for (unsigned i = 0; i < n; i++)
		entries[i] = 1;
	return change_entries(s, table, first, n, entries, err);
}

/* A range that this extent does not hold, within one table: it must hide what lies below. */
static int discard_absent(
	struct sv_vmdk_sparse *s, uint64_t off, uint64_t len, struct sv_err *err)
{
	uint64_t first = sv_align_up(off, s->grain_bytes), end = off + len;
	uint64_t last =
		end == s->h.capacity * SV_SECTOR ? end : sv_align_down(end, s->grain_bytes);
	bool zeros;

	if (zeros_below(s, off, len, &zeros, err) < 0)
		return -1;
	if (zeros)
		return 0;
	if (!(s->h.flags & SV_VMDK_FLAG_ZEROED) || first >= last)
		return sv_vmdk_sparse_write(s, NULL, len, off, err);
	if (sv_vmdk_sparse_write(s, NULL, first - off, off, err) < 0 ||
		mark_zero(s, first, last - first, err) < 0)
		return -1;
	return sv_vmdk_sparse_write(s, NULL, end - last, last, err);
}

int sv_vmdk_sparse_discard(
	struct sv_vmdk_sparse *s, uint64_t off, uint64_t len, struct sv_err *err)
{
	while (len) {
		uint64_t max = SV_MIN(len, s->table_span - off % s->table_span);
		struct sv_run run;
		int rc = 0;

		if (sv_vmdk_sparse_map(s, off, max, false, &run, err) < 0)
			return -1;
		if (run.kind == SV_RUN_DATA)
			rc = write_over(s, &run, NULL, err);
		else if (run.kind == SV_RUN_ABSENT)
			rc = discard_absent(s, off, run.length, err);
		if (rc < 0)
			return -1;
		off += run.length;
		len -= run.length;
	}
	return 0;
}
