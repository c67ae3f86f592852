/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Discarding: the range reads as zeros afterwards, and whole clusters are given back. Where a
 * backing file lies below, a cluster becomes "zeros" instead of absent; version 2 knows no
 * such mark, and gets zeros written. In a data file, places are fixed: only its space is given
 * back.
 */
#include "image/qcow2/qcow2.h"

/* Does all of [off, off+len) read as zeros from below? *ret_len: how far the answer goes. */
static int zeros_below(struct sv_qcow2 *q, uint64_t off, uint64_t len, bool *ret,
	uint64_t *ret_len, struct sv_err *err)
{
	struct sv_dev *below = q->link.below;
	struct sv_extent e;

	*ret = true;
	*ret_len = len;
	if (!below || off >= sv_dev_size(below))
		return 0;
	if (sv_dev_extent(below, off, len, &e, err) < 0)
		return -1;
	*ret = e.kind != SV_EXTENT_DATA;
	*ret_len = e.length;
	return 0;
}

/* ---- part of a cluster ---- */

/* Subclusters that [off, off+len), within one cluster, covers as a whole. */
static uint32_t covered(const struct sv_qcow2 *q, uint64_t off, uint64_t len)
{
	const uint64_t sub = sv_qcow2_subcluster(&q->layout), within = off % q->cluster;
	uint64_t from = sv_div_up(within, sub), to = (within + len) / sub;

	if (from >= to)
		return 0;
	return (uint32_t)(((UINT64_C(1) << to) - 1) & ~((UINT64_C(1) << from) - 1));
}

static int load_entry(
	struct sv_qcow2 *q, uint64_t index, struct sv_qcow2_entry *ret, struct sv_err *err)
{
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];
	uint64_t at;
	uint32_t n;

	*ret = (struct sv_qcow2_entry){0};
	if (sv_qcow2_entries(q, index, 1, raw, &n, &at, err) < 0)
		return -1;
	return n ? sv_qcow2_take_entry(q, index, raw[0], at, ret, err) : 0;
}

/* Marks whole subclusters as zeros; their space in the file stays, as holes where possible. */
static int mark_zero(struct sv_qcow2 *q, uint64_t index, struct sv_qcow2_entry *e,
	uint32_t mask, struct sv_err *err)
{
	struct sv_qcow2_raw raw;

	if (sv_qcow2_own_table(q, index, err) < 0)
		return -1;
	e->data &= ~mask;
	e->zero |= mask;
	raw = sv_qcow2_encode(&q->layout, e);
	return sv_qcow2_put_entries(q, index, 1, &raw, err);
}

/* A run of one kind within a cluster. */
static int discard_run(struct sv_qcow2 *q, const struct sv_qcow2_entry *e,
	const struct sv_run *run, uint64_t off, struct sv_err *err)
{
	uint64_t done = 0, len;
	bool zeros;

	if (run->kind == SV_RUN_DATA && e->has_host && e->copied)
		return sv_qcow2_clear_data(q, run->host_offset, run->length, err);
	if (run->kind == SV_RUN_DATA)
		return sv_qcow2_write_zeros(q, run->length, off, err);
	for (; run->kind == SV_RUN_ABSENT && done < run->length; done += len) {
		if (zeros_below(q, off + done, run->length - done, &zeros, &len, err) < 0)
			return -1;
		if (!zeros)
			return sv_qcow2_write_zeros(q, run->length - done, off + done, err);
	}
	return 0;
}

static int discard_part(struct sv_qcow2 *q, uint64_t off, uint64_t len, struct sv_err *err)
{
	uint64_t index = off / q->cluster, end = off + len;
	struct sv_qcow2_entry e;
	struct sv_run run;
	uint32_t mask;

	if (load_entry(q, index, &e, err) < 0)
		return -1;
	mask = q->layout.extended && !e.compressed ? covered(q, off, len) : 0;
	mask &= e.data | (*q->h.backing ? ~e.zero : 0);
	if (mask && !q->layout.data_file && mark_zero(q, index, &e, mask, err) < 0)
		return -1;
	for (; off < end; off += run.length) {
		if (load_entry(q, index, &e, err) < 0 ||
			sv_qcow2_map(&q->link, off, end - off, false, &run, err) < 0 ||
			discard_run(q, &e, &run, off, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- whole clusters ---- */

/* What the entry becomes: absent, or zeros that hide what lies below. */
static struct sv_qcow2_raw dropped(const struct sv_qcow2 *q)
{
	struct sv_qcow2_entry e = {.zero = *q->h.backing ? sv_qcow2_all(&q->layout) : 0};

	return sv_qcow2_encode(&q->layout, &e);
}

int sv_qcow2_drop(
	struct sv_qcow2 *q, uint64_t index, uint64_t n, uint64_t *ret_n, struct sv_err *err)
{
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];
	struct sv_qcow2_entry e;
	uint32_t count, want = (uint32_t)SV_MIN(n, (uint64_t)SV_QCOW2_BATCH);
	uint64_t at;

	if (sv_qcow2_own_table(q, index, err) < 0 ||
		sv_qcow2_entries(q, index, want, raw, &count, &at, err) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		if (sv_qcow2_take_entry(q, index + i, raw[i],
			    at + i * sv_qcow2_entry_bytes(&q->layout), &e, err) < 0 ||
			sv_qcow2_release_entry(q, &e, err) < 0)
			return -1;
		raw[i] = dropped(q);
	}
	*ret_n = count;
	return sv_qcow2_put_entries(q, index, count, raw, err);
}

/* Version 2 over a backing file, or a data file: cluster by cluster. */
static int discard_each(struct sv_qcow2 *q, uint64_t off, uint64_t len, struct sv_err *err)
{
	uint64_t n;

	for (; len; off += n, len -= n) {
		n = SV_MIN(len, q->cluster - off % q->cluster);
		if (discard_part(q, off, n, err) < 0)
			return -1;
	}
	return 0;
}

/* Whole clusters that are absent: only what lies below matters. */
static int discard_absent(
	struct sv_qcow2 *q, uint64_t off, uint64_t len, uint64_t *ret_len, struct sv_err *err)
{
	uint64_t n, clusters;
	bool zeros;

	if (zeros_below(q, off, len, &zeros, ret_len, err) < 0)
		return -1;
	if (zeros && *ret_len >= q->cluster) {
		*ret_len = *ret_len == len ? len : sv_align_down(*ret_len, q->cluster);
		return 0;
	}
	/* the part of it that has data, or begins with zeros that do not fill a cluster */
	clusters = sv_div_up(*ret_len, q->cluster);
	if (sv_qcow2_drop(q, off / q->cluster, clusters, &n, err) < 0)
		return -1;
	*ret_len = SV_MIN(len, n * q->cluster);
	return 0;
}

/* [off, off+len) begins with a cluster and ends with one, or with the disk. */
static int discard_clusters(
	struct sv_qcow2 *q, uint64_t off, uint64_t len, uint64_t *ret_len, struct sv_err *err)
{
	struct sv_run run;
	uint64_t n;

	if (sv_qcow2_map(&q->link, off, len, false, &run, err) < 0)
		return -1;
	if (run.length < len) /* the cluster in which it ends may have other parts */
		run.length = sv_align_down(run.length, q->cluster);
	*ret_len = run.length;
	if (run.length && run.kind == SV_RUN_ZERO)
		return 0;
	if (run.length && run.kind == SV_RUN_ABSENT)
		return discard_absent(q, off, run.length, ret_len, err);
	n = sv_div_up(SV_MAX(run.length, q->cluster), q->cluster);
	if (sv_qcow2_drop(q, off / q->cluster, n, &n, err) < 0)
		return -1;
	*ret_len = SV_MIN(len, n * q->cluster);
	return 0;
}

/* ---- */

/* The first step of a range, *ret_len of it. */
static int discard_step(
	struct sv_qcow2 *q, uint64_t off, uint64_t len, uint64_t *ret_len, struct sv_err *err)
{
	uint64_t within = off % q->cluster, end = off + len;
	bool to_end = end == q->link.info.virtual_size;

	if (!within && (q->layout.data_file || (q->layout.v2 && *q->h.backing))) {
		*ret_len = SV_MIN(len, q->l2_span - off % q->l2_span);
		return discard_each(q, off, *ret_len, err);
	}
	if (!within && (len >= q->cluster || to_end))
		return discard_clusters(
			q, off, to_end ? len : sv_align_down(len, q->cluster), ret_len, err);
	*ret_len = SV_MIN(len, q->cluster - within);
	return discard_part(q, off, *ret_len, err);
}

int sv_qcow2_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct sv_qcow2 *q = sv_qcow2_of(l);
	uint64_t n;

	if (sv_qcow2_begin_change(q, err) < 0)
		return -1;
	for (; len; off += n, len -= n) {
		if (discard_step(q, off, len, &n, err) < 0 ||
			sv_qcow2_commit_when_due(q, err) < 0)
			return -1;
	}
	return 0;
}
