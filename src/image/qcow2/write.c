/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing. Clusters that are this state's alone, and whose subclusters have data, are written
 * in place. Others (absent, zeros, compressed, shared with a snapshot) get a new place, as
 * many as lie together in one go; what the write does not cover of their first and last
 * subcluster is filled up with what the guest saw there. The tables change in memory only:
 * qcow2_flush.c says how they reach the file.
 */
#include "image/qcow2/qcow2.h"

#include <string.h>

/* What is written, and the entries of the clusters that it touches, of one page. */
struct job {
	struct sv_qcow2 *q;
	const uint8_t *bytes;
	uint64_t off, len;
	uint64_t index; /* of the first cluster */
	uint32_t n;     /* clusters whose entries follow; 0: their table does not exist */
	struct sv_qcow2_entry e[SV_QCOW2_BATCH];
};

static uint64_t end_of(const struct job *j)
{
	return j->off + j->len;
}

/* ---- entries ---- */

static int load_entries(struct job *j, struct sv_err *err)
{
	struct sv_qcow2 *q = j->q;
	uint64_t last = (end_of(j) - 1) / q->cluster, at;
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];
	uint32_t want, in_page;

	j->index = j->off / q->cluster;
	if (sv_qcow2_entry_at(q, j->index, &at, &in_page, err) < 0)
		return -1;
	want = (uint32_t)SV_MIN(last - j->index + 1, (uint64_t)SV_QCOW2_BATCH);
	want = SV_MIN(want, in_page);
	memset(j->e, 0, want * sizeof *j->e);
	j->n = want;
	if (!at)
		return 0;
	if (sv_qcow2_entries(q, j->index, want, raw, &j->n, &at, err) < 0)
		return -1;
	for (uint32_t i = 0; i < j->n; i++) {
		if (sv_qcow2_take_entry(q, j->index + i, raw[i],
			    at + i * sv_qcow2_entry_bytes(&q->layout), &j->e[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Has it a place that nobody else uses? */
static bool is_own(const struct sv_qcow2_entry *e)
{
	return e->has_host && e->copied;
}

/* The subclusters of cluster i that the guest range [off, end) touches. */
static uint32_t touched(const struct job *j, uint32_t i, uint64_t off, uint64_t end)
{
	const uint64_t start = (j->index + i) * j->q->cluster;
	const uint64_t sub = sv_qcow2_subcluster(&j->q->layout);
	uint64_t from = off > start ? (off - start) / sub : 0;
	uint64_t to = SV_MIN(
		sv_div_up(end - start, sub), (uint64_t)sv_qcow2_subclusters(&j->q->layout));

	/* bits [from, to) */
	return (uint32_t)(((UINT64_C(1) << to) - 1) & ~((UINT64_C(1) << from) - 1));
}

/* Can cluster i be written without a change of its entry? */
static bool is_ready(const struct job *j, uint32_t i)
{
	uint32_t mask = touched(j, i, j->off, end_of(j));

	return is_own(&j->e[i]) && (j->e[i].data & mask) == mask;
}

/* Cuts the job to its first n clusters. */
static void cut(struct job *j, uint32_t n)
{
	uint64_t end = (j->index + n) * j->q->cluster;

	j->n = n;
	j->len = SV_MIN(end_of(j), end) - j->off;
}

/* ---- data ---- */

/* The file of the data reaches to `end`. */
static int reach(struct sv_qcow2 *q, uint64_t end, struct sv_err *err)
{
	return sv_dev_size(q->data) < end ? sv_dev_resize(q->data, end, err) : 0;
}

int sv_qcow2_clear_data(struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err)
{
	uint64_t size = sv_dev_size(q->data);

	if (at >= size || !len)
		return 0;
	return sv_dev_discard(q->data, at, SV_MIN(len, size - at), err);
}

static int write_data(struct job *j, uint64_t at, struct sv_err *err)
{
	struct sv_qcow2 *q = j->q;

	if (!q->layout.data_file && sv_qcow2_check_place(q, at, j->len, err) < 0)
		return -1;
	if (reach(q, at + j->len, err) < 0)
		return -1;
	return sv_dev_write(q->data, j->bytes, (size_t)j->len, at, err);
}

/* Guest bytes [off, off+n) as they are now, less than a cluster, to `at`; `cleared`: zeros
 * are there already. */
static int fill(struct sv_qcow2 *q, uint64_t off, uint64_t n, uint64_t at, bool cleared,
	struct sv_err *err)
{
	sv_autofree uint8_t *buf = NULL;

	if (!n)
		return 0;
	buf = malloc((size_t)n);
	if (!buf)
		return sv_fail_nomem(err);
	if (sv_qcow2_read_view(q, buf, n, off, err) < 0)
		return -1;
	if (sv_is_zero(buf, (size_t)n))
		return cleared ? 0 : sv_qcow2_clear_data(q, at, n, err);
	if (reach(q, at + n, err) < 0)
		return -1;
	return sv_dev_write(q->data, buf, (size_t)n, at, err);
}

/* ---- in place ---- */

/* Clusters from the first on that lie together. */
static int write_ready(struct job *j, struct sv_err *err)
{
	uint32_t n = 1;

	while (n < j->n && is_ready(j, n) && j->e[n].host == j->e[0].host + n * j->q->cluster)
		n++;
	cut(j, n);
	return write_data(j, j->e[0].host + j->off % j->q->cluster, err);
}

/* One cluster that has a place, but not all touched subclusters have data: those at the ends
 * are filled up. */
static int write_held(struct job *j, struct sv_err *err)
{
	struct sv_qcow2 *q = j->q;
	const uint64_t sub = sv_qcow2_subcluster(&q->layout), start = j->index * q->cluster;
	struct sv_qcow2_entry *e = &j->e[0];
	uint64_t from, to;
	struct sv_qcow2_raw raw;
	uint32_t mask;

	cut(j, 1);
	from = j->off, to = end_of(j);
	mask = touched(j, 0, from, to);
	if (!(e->data >> (from - start) / sub & 1))
		from = sv_align_down(from, sub);
	if (!(e->data >> (to - 1 - start) / sub & 1))
		to = sv_align_up(to, sub);
	if (sv_qcow2_own_table(q, j->index, err) < 0 ||
		fill(q, from, j->off - from, e->host + (from - start), false, err) < 0 ||
		fill(q, end_of(j), to - end_of(j), e->host + (end_of(j) - start), false, err) <
			0 ||
		write_data(j, e->host + (j->off - start), err) < 0)
		return -1;
	e->data |= mask;
	e->zero &= ~mask;
	raw = sv_qcow2_encode(&q->layout, e);
	return sv_qcow2_put_entries(q, j->index, 1, &raw, err);
}

/* ---- new places ---- */

/* A cluster whose data lie where they must not be changed moves as a whole. */
static bool moves(const struct sv_qcow2_entry *e)
{
	return e->data != 0;
}

/* What is written with the fill at both ends. */
static void widen(const struct job *j, uint64_t *ret_from, uint64_t *ret_to)
{
	const uint64_t sub = sv_qcow2_subcluster(&j->q->layout), cluster = j->q->cluster;

	*ret_from = sv_align_down(j->off, moves(&j->e[0]) ? cluster : sub);
	*ret_to = sv_align_up(end_of(j), moves(&j->e[j->n - 1]) ? cluster : sub);
}

/* Places for the clusters of the job, which is cut to as many as lie together. */
static int take_place(struct job *j, bool partial, uint64_t *ret_at, struct sv_err *err)
{
	uint64_t n;

	if (j->q->layout.data_file) {
		*ret_at = j->index * j->q->cluster;
		return 0;
	}
	if (sv_qcow2_alloc(j->q, 1, j->n, partial, ret_at, &n, err) < 0)
		return -1;
	cut(j, (uint32_t)n);
	return 0;
}

static int put_new_entries(
	struct job *j, uint64_t at, uint64_t from, uint64_t to, struct sv_err *err)
{
	struct sv_qcow2 *q = j->q;
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];

	for (uint32_t i = 0; i < j->n; i++) {
		struct sv_qcow2_entry e = j->e[i];
		uint32_t mask = touched(j, i, from, to);

		if (sv_qcow2_release_entry(q, &e, err) < 0)
			return -1;
		e.has_host = e.copied = true;
		e.compressed = false;
		e.host = at + i * q->cluster;
		e.data |= mask;
		e.zero &= ~mask;
		raw[i] = sv_qcow2_encode(&q->layout, &e);
	}
	return sv_qcow2_put_entries(q, j->index, j->n, raw, err);
}

static int write_new(struct job *j, struct sv_err *err)
{
	struct sv_qcow2 *q = j->q;
	const uint64_t start = j->index * q->cluster;
	uint64_t from, to, at;
	uint32_t n = 1;
	bool partial;

	while (n < j->n && !is_own(&j->e[n]))
		n++;
	cut(j, n);
	widen(j, &from, &to);
	partial = from != j->off || to != end_of(j);
	if (sv_qcow2_own_table(q, j->index, err) < 0 || take_place(j, partial, &at, err) < 0)
		return -1;
	widen(j, &from, &to);
	if (fill(q, from, j->off - from, at + (from - start), !q->layout.data_file, err) < 0 ||
		fill(q, end_of(j), to - end_of(j), at + (end_of(j) - start),
			!q->layout.data_file, err) < 0 ||
		write_data(j, at + (j->off - start), err) < 0)
		return -1;
	return put_new_entries(j, at, from, to, err);
}

/* ---- */

static int write_step(struct job *j, struct sv_err *err)
{
	if (load_entries(j, err) < 0)
		return -1;
	if (is_ready(j, 0))
		return write_ready(j, err);
	if (is_own(&j->e[0]))
		return write_held(j, err);
	return write_new(j, err);
}

int sv_qcow2_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	sv_autofree struct job *j = malloc(sizeof *j);
	uint64_t end = off + n;

	if (!j)
		return sv_fail_nomem(err);
	j->q = sv_qcow2_of(l);
	j->bytes = buf;
	if (sv_qcow2_begin_change(j->q, err) < 0)
		return -1;
	for (; off < end; off = end_of(j), j->bytes += j->len) {
		j->off = off;
		j->len = end - off;
		if (write_step(j, err) < 0 || sv_qcow2_commit_when_due(j->q, err) < 0)
			return -1;
	}
	return 0;
}

int sv_qcow2_write_zeros(struct sv_qcow2 *q, uint64_t n, uint64_t off, struct sv_err *err)
{
	static const uint8_t zeros[64 * 1024];

	while (n) {
		size_t len = (size_t)SV_MIN(n, (uint64_t)sizeof zeros);

		if (sv_qcow2_write(&q->link, zeros, len, off, err) < 0)
			return -1;
		off += len;
		n -= len;
	}
	return 0;
}
