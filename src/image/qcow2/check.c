/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checks one qcow2 image: every table of the active state, of all snapshots and of the bitmaps
 * is looked at, and everything that they refer to is counted. Each L2 table is read once for a
 * window, however many snapshots share it, so that the work is bounded by the file's size.
 */
#include "image/qcow2/bitmap.h"
#include "image/qcow2/check.h"

#include "base/endian.h"
#include "base/str.h"

#include <string.h>

#define CHUNK_ENTRIES 8192U
#define TABLES_MAX    (8U << 20) /* L1 entries of all states: 64 MiB of offsets */
#define ACTIVE        UINT64_C(1)

/* ---- L1 tables ---- */

static int add_table(struct sv_qcow2_check *c, uint64_t value, struct sv_err *err)
{
	if (c->n_tables == c->max_tables) {
		size_t more = c->max_tables ? 2 * c->max_tables : 1024;
		uint64_t *grown;

		if (c->n_tables >= TABLES_MAX)
			return sv_fail(err, SV_NOMEM, c->path,
				"more than %u L2 tables in all its snapshots: too many to check",
				TABLES_MAX);
		grown = realloc(c->tables, more * sizeof *grown);
		if (!grown)
			return sv_fail_nomem(err);
		c->tables = grown;
		c->max_tables = more;
	}
	c->tables[c->n_tables++] = value;
	return 0;
}

static int take_l1_entry(
	struct sv_qcow2_check *c, uint64_t entry, uint64_t at, bool active, struct sv_err *err)
{
	uint64_t table = entry & SV_QCOW2_OFFSET;

	if (entry & ~(SV_QCOW2_OFFSET | SV_QCOW2_COPIED) || (entry && !table) ||
		table % c->q->cluster ||
		!sv_in_range(table, table ? c->q->cluster : 0, c->file_size)) {
		sv_qcow2_fault(c, at,
			"an L1 entry is %#llx: no L2 table lies there, the file has %llu bytes",
			(unsigned long long)entry, (unsigned long long)c->file_size);
		return 0;
	}
	return table ? add_table(c, table | (active ? ACTIVE : 0), err) : 0;
}

static int take_l1(struct sv_qcow2_check *c, uint64_t at, uint32_t n, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc(CHUNK_ENTRIES * 8);

	if (!bytes)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < n && !sv_qcow2_too_many(c); i++) {
		uint32_t k = i % CHUNK_ENTRIES, run = SV_MIN(n - i, CHUNK_ENTRIES);

		if (!k && (sv_job_check(c->job, err) < 0 ||
				  sv_dev_read(c->q->file, bytes, run * 8, at + i * UINT64_C(8),
					  err) < 0))
			return -1;
		if (take_l1_entry(c, sv_load_be64(bytes + 8 * k), at + i * UINT64_C(8),
			    at == c->q->l1_at, err) < 0)
			return -1;
	}
	return 0;
}

static int compare_offsets(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int collect_tables(struct sv_qcow2_check *c, struct sv_err *err)
{
	const struct sv_qcow2_snapshots *s = &c->q->snapshots;

	if (take_l1(c, c->q->l1_at, c->q->l1_size, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		if (take_l1(c, s->all[i].l1_at, s->all[i].l1_size, err) < 0)
			return -1;
	}
	if (c->n_tables)
		qsort(c->tables, c->n_tables, sizeof *c->tables, compare_offsets);
	return 0;
}

/* ---- L2 tables ---- */

/* How the references to one table are spread. */
struct shared {
	uint64_t at;
	uint32_t times;
	bool active;
};

static void visit_compressed(
	struct sv_qcow2_check *c, const struct sv_qcow2_entry *e, uint64_t at, uint32_t times)
{
	uint64_t first = sv_align_down(e->host, SV_SECTOR);

	if (e->copied && c->first_window)
		sv_qcow2_fault(
			c, at, "the entry of a compressed cluster has the flag \"copied\"");
	if (e->host < c->file_size)
		sv_qcow2_count(c, first, e->host + e->packed - first, SV_QCOW2_USE_DATA, times);
	else if (c->first_window)
		sv_qcow2_fault(c, at,
			"a compressed cluster is at %llu, the file has %llu bytes",
			(unsigned long long)e->host, (unsigned long long)c->file_size);
}

static void visit_entry(
	struct sv_qcow2_check *c, struct sv_qcow2_raw raw, uint64_t at, const struct shared *s)
{
	struct sv_qcow2_entry e;
	const char *fault = sv_qcow2_decode(&c->q->layout, raw, &e);

	if (fault) {
		if (c->first_window)
			sv_qcow2_fault(c, at, "an L2 entry is %#llx: %s",
				(unsigned long long)raw.entry, fault);
		return;
	}
	if (e.compressed)
		visit_compressed(c, &e, at, s->times);
	if (!e.has_host || c->q->layout.data_file)
		return;
	/* zeros may have a place behind the end that was never written */
	if (e.host >= c->file_size && (e.data || e.host > c->file_size)) {
		if (c->first_window)
			sv_qcow2_fault(c, at, "a cluster is at %llu, the file has %llu bytes",
				(unsigned long long)e.host, (unsigned long long)c->file_size);
		return;
	}
	sv_qcow2_count(c, e.host, c->q->cluster, SV_QCOW2_USE_DATA, s->times);
	if (s->active)
		sv_qcow2_count_flag(c, e.host, e.copied);
}

/* In a data file, every guest cluster has its own place. */
static void check_place(
	struct sv_qcow2_check *c, uint64_t index, struct sv_qcow2_raw raw, uint64_t at)
{
	struct sv_qcow2_entry e;

	if (sv_qcow2_decode(&c->q->layout, raw, &e) || !e.has_host ||
		e.host == index * c->q->cluster)
		return;
	sv_qcow2_fault(c, at,
		"guest cluster %llu is at %llu of the data file, not its own place",
		(unsigned long long)index, (unsigned long long)e.host);
}

static int visit_table(
	struct sv_qcow2_check *c, const struct shared *s, uint8_t *bytes, struct sv_err *err)
{
	uint32_t size = sv_qcow2_entry_bytes(&c->q->layout);

	sv_qcow2_count(c, s->at, c->q->cluster, SV_QCOW2_USE_TABLE, s->times);
	if (sv_job_check(c->job, err) < 0 ||
		sv_dev_read(c->q->file, bytes, (size_t)c->q->cluster, s->at, err) < 0)
		return -1;
	for (uint64_t i = 0; i < c->q->cluster && !sv_qcow2_too_many(c); i += size) {
		struct sv_qcow2_raw raw = sv_qcow2_raw_load(&c->q->layout, bytes + i);

		if (raw.entry || raw.bits)
			visit_entry(c, raw, s->at + i, s);
	}
	return 0;
}

static int visit_tables(struct sv_qcow2_check *c, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc((size_t)c->q->cluster);
	size_t n;

	if (!bytes)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < c->n_tables && !sv_qcow2_too_many(c); i += n) {
		struct shared s = {.at = c->tables[i] & ~ACTIVE};

		for (n = 0; i + n < c->n_tables && (c->tables[i + n] & ~ACTIVE) == s.at; n++)
			s.active |= c->tables[i + n] & ACTIVE;
		s.times = (uint32_t)n;
		if (visit_table(c, &s, bytes, err) < 0)
			return -1;
		sv_job_progress(c->job, "checking tables", i + n, c->n_tables);
	}
	return 0;
}

/* What only the active state has: flags of L1 entries, places in the data file. */
static int check_active(struct sv_qcow2_check *c, struct sv_err *err)
{
	struct sv_qcow2 *q = c->q;
	uint64_t per_table = q->l2_span / q->cluster;
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];

	for (uint64_t i = 0; i < q->l1_size; i++) {
		uint64_t at = q->l1[i] & SV_QCOW2_OFFSET;
		uint32_t n = 0;

		if (!at || at % q->cluster || !sv_in_range(at, q->cluster, c->file_size))
			continue;
		sv_qcow2_count_flag(c, at, q->l1[i] & SV_QCOW2_COPIED);
		for (uint64_t k = 0; q->layout.data_file && k < per_table; k += n) {
			uint64_t index = i * per_table + k;

			if (sv_qcow2_entries(q, index, SV_QCOW2_BATCH, raw, &n, &at, err) < 0)
				return -1;
			for (uint32_t m = 0; m < n && c->first_window; m++)
				check_place(c, index + m, raw[m],
					at + m * sv_qcow2_entry_bytes(&q->layout));
		}
	}
	return 0;
}

/* ---- the rest ---- */

static void visit_refcount_table(struct sv_qcow2_check *c)
{
	const struct sv_qcow2 *q = c->q;

	sv_qcow2_count(c, q->h.reftable_at, q->h.reftable_clusters * q->cluster,
		SV_QCOW2_USE_TABLE, 1);
	for (uint32_t i = 0; i < q->refs.n && !sv_qcow2_too_many(c); i++) {
		uint64_t at = q->refs.table[i];

		if (!at)
			continue;
		if (at % q->cluster == 0 && sv_in_range(at, q->cluster, c->file_size))
			sv_qcow2_count(c, at, q->cluster, SV_QCOW2_USE_TABLE, 1);
		else if (c->first_window)
			sv_qcow2_fault(c, q->h.reftable_at + i * UINT64_C(8),
				"a refcount block is at %llu, the file has %llu bytes",
				(unsigned long long)at, (unsigned long long)c->file_size);
	}
}

static void visit_snapshots(struct sv_qcow2_check *c)
{
	const struct sv_qcow2_snapshots *s = &c->q->snapshots;

	if (s->n)
		sv_qcow2_count(c, c->q->h.snapshots_at, s->bytes, SV_QCOW2_USE_TABLE, 1);
	for (size_t i = 0; i < s->n; i++)
		sv_qcow2_count(c, s->all[i].l1_at, s->all[i].l1_size * UINT64_C(8),
			SV_QCOW2_USE_TABLE, 1);
}

static void visit_bitmap_entry(struct sv_qcow2_check *c, uint64_t entry, uint64_t at)
{
	uint64_t data = entry & SV_QCOW2_OFFSET;

	if (entry & ~SV_QCOW2_OFFSET & (data ? ~UINT64_C(0) : ~UINT64_C(1)) ||
		data % c->q->cluster || data > c->file_size) {
		if (c->first_window)
			sv_qcow2_fault(c, at,
				"a bitmap's table entry is %#llx: nothing lies there",
				(unsigned long long)entry);
		return;
	}
	if (data)
		sv_qcow2_count(c, data, c->q->cluster, SV_QCOW2_USE_DATA, 1);
}

static int visit_bitmap(
	struct sv_qcow2_check *c, const struct sv_qcow2_bitmap *b, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc(CHUNK_ENTRIES * 8);

	if (!bytes)
		return sv_fail_nomem(err);
	sv_qcow2_count(c, b->table_at, b->table_size * UINT64_C(8), SV_QCOW2_USE_TABLE, 1);
	for (uint32_t i = 0; i < b->table_size && !sv_qcow2_too_many(c); i++) {
		uint32_t k = i % CHUNK_ENTRIES, run = SV_MIN(b->table_size - i, CHUNK_ENTRIES);
		uint64_t at = b->table_at + i * UINT64_C(8);

		if (!k && (sv_job_check(c->job, err) < 0 ||
				  sv_dev_read(c->q->file, bytes, run * 8, at, err) < 0))
			return -1;
		visit_bitmap_entry(c, sv_load_be64(bytes + 8 * k), at);
	}
	return 0;
}

static int visit_bitmaps(
	struct sv_qcow2_check *c, const struct sv_qcow2_bitmaps *b, struct sv_err *err)
{
	if (b->n)
		sv_qcow2_count(
			c, c->q->h.bitmaps_at, c->q->h.bitmaps_size, SV_QCOW2_USE_TABLE, 1);
	for (size_t i = 0; i < b->n; i++) {
		if (visit_bitmap(c, &b->all[i], err) < 0)
			return -1;
	}
	return 0;
}

static int visit_all(
	struct sv_qcow2_check *c, const struct sv_qcow2_bitmaps *b, struct sv_err *err)
{
	const struct sv_qcow2 *q = c->q;

	sv_qcow2_count(c, 0, q->cluster, SV_QCOW2_USE_TABLE, 1);
	sv_qcow2_count(c, q->h.l1_at, q->h.l1_size * UINT64_C(8), SV_QCOW2_USE_TABLE, 1);
	visit_refcount_table(c);
	visit_snapshots(c);
	if (visit_bitmaps(c, b, err) < 0 || visit_tables(c, err) < 0)
		return -1;
	return check_active(c, err);
}

/* ---- windows ---- */

static int check_windows(
	struct sv_qcow2_check *c, const struct sv_qcow2_bitmaps *b, struct sv_err *err)
{
	for (; c->first < c->n_clusters && !sv_qcow2_too_many(c); c->first = c->end) {
		c->first_window = !c->first;
		c->end = SV_MIN(c->n_clusters, c->first + SV_QCOW2_WINDOW);
		memset(c->counts, 0, (size_t)(c->end - c->first) * sizeof *c->counts);
		if (visit_all(c, b, err) < 0 || sv_qcow2_compare_window(c, err) < 0)
			return -1;
	}
	if (sv_qcow2_too_many(c))
		sv_qcow2_fault(
			c, 0, "more than %d errors: the check ended", SV_QCOW2_ERRORS_MAX);
	return 0;
}

/* A fault of the image becomes a report; anything else stays an error. */
static int take_error(struct sv_qcow2_check *c, const struct sv_err *e, struct sv_err *err)
{
	if (e->code != SV_CORRUPT && e->code != SV_NOTFOUND) {
		sv_err_copy(err, e);
		return sv_err_path(err, c->path);
	}
	sv_qcow2_fault(c, e->has_offset ? e->offset : 0, "%s", e->message);
	return 0;
}

static int check_tables(struct sv_qcow2_check *c, struct sv_err *err)
{
	struct sv_err e = SV_ERR_INIT;
	struct sv_qcow2_bitmaps b = {0};
	bool trusted = c->q->h.autoclear & SV_QCOW2_BITMAPS;
	int rc = 0;

	if (sv_qcow2_refs_load(c->q, &e) < 0 ||
		(trusted && sv_qcow2_bitmaps_load(c->q->file, &c->q->h, &b, &e) < 0))
		rc = take_error(c, &e, err);
	else if (collect_tables(c, err) < 0 || check_windows(c, &b, err) < 0)
		rc = -1;
	sv_qcow2_bitmaps_free(&b);
	return rc;
}

static int check_link(struct sv_qcow2_check *c, struct sv_link *l, struct sv_err *err)
{
	sv_autofree uint32_t *counts = NULL;
	int rc;

	c->q = sv_qcow2_of(l);
	c->file_size = sv_dev_size(c->q->file);
	c->n_clusters = sv_div_up(c->file_size, c->q->cluster);
	counts = malloc((size_t)SV_MIN(c->n_clusters, SV_QCOW2_WINDOW) * sizeof *counts);
	if (!counts)
		return sv_fail_nomem(err);
	c->counts = counts;
	if (c->q->h.incompatible & SV_QCOW2_CORRUPT)
		sv_qcow2_fault(c, SV_QCOW2_V2_LENGTH, "the image is marked as corrupt");
	rc = check_tables(c, err);
	free(c->tables);
	return rc;
}

int sv_qcow2_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct sv_qcow2_check c = {
		.path = path, .faults = faults, .job = job, .errors_before = faults->errors};
	struct sv_err e = SV_ERR_INIT;
	struct sv_link *l;
	int rc;

	if (sv_qcow2_driver.open(env, path, file, &l, &e) < 0)
		return take_error(&c, &e, err);
	rc = check_link(&c, l, err);
	sv_link_close(l);
	return rc;
}
