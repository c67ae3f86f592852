/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a place on the guest's disk to its place in the file: L1 table, L2 table, entry (docs/
 * interop/qcow2.txt, section "Cluster mapping"). Entries are checked when they are used. The
 * L1 table is in memory, pages of L2 tables come from the cache; neighbours that lie together
 * become one run.
 */
#include "image/qcow2/qcow2.h"

#include "base/endian.h"

/* Entries that one call looks at: 1 GiB in clusters of 64 KiB. A caller comes back for more,
 * and can be cancelled in between. */
#define ENTRIES_MAX 16384U

/* ---- entries ---- */

static uint32_t entries_of_table(const struct sv_qcow2 *q)
{
	return (uint32_t)(q->cluster / sv_qcow2_entry_bytes(&q->layout));
}

/* The table of an L1 entry; 0 where there is none. */
static int table_at(const struct sv_qcow2 *q, uint64_t i, uint64_t *ret, struct sv_err *err)
{
	uint64_t entry = q->l1[i], at = entry & SV_QCOW2_OFFSET;

	if (!(entry & ~(SV_QCOW2_OFFSET | SV_QCOW2_COPIED)) && (at || !entry) &&
		at % q->cluster == 0 &&
		sv_in_range(at, at ? q->cluster : 0, sv_dev_size(q->file))) {
		*ret = at;
		return 0;
	}
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(q->file), q->l1_at + i * 8,
		"L1 entry %llu is %#llx: no L2 table of %llu bytes lies there in the file's %llu",
		(unsigned long long)i, (unsigned long long)entry,
		(unsigned long long)q->cluster, (unsigned long long)sv_dev_size(q->file));
}

int sv_qcow2_entry_at(const struct sv_qcow2 *q, uint64_t index, uint64_t *ret_at,
	uint32_t *ret_n, struct sv_err *err)
{
	uint32_t bytes = sv_qcow2_entry_bytes(&q->layout), per_table = entries_of_table(q);
	uint32_t per_page = (uint32_t)SV_MIN(q->cluster, SV_QCOW2_PAGE) / bytes;
	uint64_t table;

	if (table_at(q, index / per_table, &table, err) < 0)
		return -1;
	*ret_n = per_page - (uint32_t)(index % per_page);
	*ret_at = table ? table + index % per_table * bytes : 0;
	return 0;
}

int sv_qcow2_entries(struct sv_qcow2 *q, uint64_t index, uint32_t n,
	struct sv_qcow2_raw ret[SV_QCOW2_BATCH], uint32_t *ret_n, uint64_t *ret_at,
	struct sv_err *err)
{
	uint32_t bytes = sv_qcow2_entry_bytes(&q->layout), in_page;
	uint8_t buf[SV_QCOW2_BATCH * 16];

	*ret_n = 0;
	if (sv_qcow2_entry_at(q, index, ret_at, &in_page, err) < 0)
		return -1;
	if (!*ret_at)
		return 0;
	n = SV_MIN(n, in_page);
	n = SV_MIN(n, (uint32_t)SV_QCOW2_BATCH);
	if (sv_qcow2_cache_get(q->cache, *ret_at, buf, n * bytes, err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = sv_qcow2_raw_load(&q->layout, buf + i * bytes);
	*ret_n = n;
	return 0;
}

static int bad_entry(const struct sv_qcow2 *q, uint64_t index, struct sv_qcow2_raw raw,
	uint64_t at, const char *fault, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(q->file), at,
		"the entry of guest cluster %llu is %#llx: %s", (unsigned long long)index,
		(unsigned long long)raw.entry, fault);
}

int sv_qcow2_take_entry(const struct sv_qcow2 *q, uint64_t index, struct sv_qcow2_raw raw,
	uint64_t at, struct sv_qcow2_entry *ret, struct sv_err *err)
{
	const char *fault = sv_qcow2_decode(&q->layout, raw, ret);

	if (fault)
		return bad_entry(q, index, raw, at, fault, err);
	if (!ret->data)
		return 0;
	if (q->layout.data_file && ret->host != index * q->cluster)
		return bad_entry(q, index, raw, at,
			"its place in the data file is not the guest's", err);
	/* the last cluster may be cut short; one that begins beyond the end is lost */
	if (!q->layout.data_file && ret->host >= sv_dev_size(q->file)) {
		bad_entry(q, index, raw, at, "it lies beyond the end of the file", err);
		return sv_hint(err, "a copy of the disk that was cut short looks like this");
	}
	return 0;
}

/* ---- runs ---- */

/* L2 tables from `table` on that do not exist; guest bytes up to the end of the last. */
static uint64_t missing_tables(
	const struct sv_qcow2 *q, uint64_t table, uint64_t off, uint64_t max)
{
	uint64_t end = table + 1;

	while (end < q->l1_size && !q->l1[end] && end * q->l2_span - off < max)
		end++;
	return SV_MIN(max, end * q->l2_span - off);
}

/* A run as it is put together. */
struct walk {
	struct sv_qcow2 *q;
	uint64_t off, max;
	uint64_t length;
	enum sv_run_kind kind;
	uint64_t host; /* DATA: of the first byte */
	bool packed;   /* DATA: in packed clusters */
	bool ended;
};

/* Adds the subclusters of one entry, which begins at or before off + length. */
static void add_entry(struct walk *w, const struct sv_qcow2_entry *e)
{
	const struct sv_qcow2_layout *l = &w->q->layout;
	const uint64_t sub = sv_qcow2_subcluster(l);
	uint64_t within = (w->off + w->length) % w->q->cluster;

	while (within < w->q->cluster && w->length < w->max) {
		uint32_t n;
		enum sv_run_kind kind = sv_qcow2_kind(l, e, (uint32_t)(within / sub), &n);
		uint64_t len = n * sub - within % sub, host = e->host + within;
		bool data = kind == SV_RUN_DATA;

		if (!w->length) {
			w->kind = kind;
			w->host = host;
			w->packed = data && e->compressed;
		}
		w->ended = kind != w->kind || (data && w->packed != e->compressed) ||
			   (data && !w->packed && host != w->host + w->length);
		if (w->ended)
			return;
		w->length += len;
		within += len;
	}
	w->length = SV_MIN(w->length, w->max);
}

static int add_entries(struct walk *w, uint64_t index, uint32_t *ret_n, struct sv_err *err)
{
	uint64_t end = sv_div_up(w->off + w->max, w->q->cluster), at;
	uint32_t want = (uint32_t)SV_MIN(end - index, (uint64_t)SV_QCOW2_BATCH);
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];

	if (sv_qcow2_entries(w->q, index, want, raw, ret_n, &at, w->length ? NULL : err) < 0)
		return -1;
	for (uint32_t i = 0; i < *ret_n && !w->ended; i++) {
		struct sv_qcow2_entry e;

		if (sv_qcow2_take_entry(w->q, index + i, raw[i],
			    at + i * sv_qcow2_entry_bytes(&w->q->layout), &e,
			    w->length ? NULL : err) < 0)
			return -1;
		add_entry(w, &e);
	}
	return 0;
}

/* The run, entry after entry. A bad entry behind the first ones only ends it. */
static int walk_entries(struct walk *w, struct sv_err *err)
{
	uint64_t index = w->off / w->q->cluster;
	uint32_t n, seen = 0;

	do {
		if (add_entries(w, index, &n, err) < 0)
			return w->length ? 0 : -1;
		if (!n && (!w->length || w->kind == SV_RUN_ABSENT)) {
			w->kind = SV_RUN_ABSENT;
			w->length += missing_tables(w->q, index * w->q->cluster / w->q->l2_span,
				w->off + w->length, w->max - w->length);
			return 0;
		}
		index += n;
		seen += n;
	} while (n && !w->ended && w->length < w->max && seen < ENTRIES_MAX);
	return 0;
}

/* Where the host stores nothing for it, it reads as zeros. */
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

/* The device that has a DATA run; what it does not reach to reads as zeros. */
static int place_data(const struct walk *w, bool holes, struct sv_run *run, struct sv_err *err)
{
	uint64_t size = sv_dev_size(w->q->data);

	if (w->packed)
		return 0;
	if (w->host >= size) {
		run->kind = SV_RUN_ZERO;
		return 0;
	}
	run->length = SV_MIN(run->length, size - w->host);
	run->host_offset = w->host;
	run->dev = w->q->data;
	return holes ? look_for_hole(run, err) : 0;
}

int sv_qcow2_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	struct walk w = {.q = sv_qcow2_of(l), .off = off, .max = max};
	struct sv_run run = {.host_offset = SV_NO_HOST_OFFSET};

	if (walk_entries(&w, err) < 0)
		return -1;
	run.length = w.length;
	run.kind = w.kind;
	if (run.kind == SV_RUN_DATA && place_data(&w, holes, &run, err) < 0)
		return -1;
	*ret = run;
	return 0;
}
