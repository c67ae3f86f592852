/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The order in which changes reach the file. Changed tables are kept in memory and go out
 * together, each step flushed before the next:
 *
 *   1. guest data, refcounts that have grown, new refcount blocks
 *   2. the refcount table
 *   3. L2 tables, new ones and changed ones
 *   4. the L1 table
 *   5. refcounts that have fallen; freed clusters are punched, and may be taken again
 *
 * So a writer that is killed at any moment leaves no table that points to a cluster without
 * its refcount or its data, and no cluster that was taken again while a table on disk still
 * pointed to it. What it may leave is a refcount that is too high: a leak, no fault.
 */
#include "image/qcow2/qcow2.h"

#include "base/endian.h"

int sv_qcow2_flush_refs(struct sv_qcow2 *q, struct sv_err *err)
{
	if (sv_qcow2_cache_write(q->cache, SV_QCOW2_REFCOUNTS, err) < 0 ||
		sv_dev_flush(q->file, err) < 0)
		return -1;
	if (q->refs.changed_from >= q->refs.changed_to)
		return 0;
	return sv_qcow2_reftable_write(q, err) < 0 ? -1 : sv_dev_flush(q->file, err);
}

static int write_l1(struct sv_qcow2 *q, struct sv_err *err)
{
	uint32_t from = q->l1_changed_from, n = q->l1_changed_to - from;
	sv_autofree uint8_t *bytes = malloc(n * sizeof(uint64_t));

	if (!bytes)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < n; i++)
		sv_store_be64(bytes + 8 * i, q->l1[from + i]);
	if (sv_qcow2_change_bytes(
		    q, q->l1_at + from * UINT64_C(8), bytes, n * sizeof(uint64_t), err) < 0)
		return -1;
	q->l1_changed_from = q->l1_size;
	q->l1_changed_to = 0;
	return 0;
}

static bool l1_changed(const struct sv_qcow2 *q)
{
	return q->l1_changed_from < q->l1_changed_to;
}

static int flush_tables(struct sv_qcow2 *q, struct sv_err *err)
{
	if (!l1_changed(q) && !sv_qcow2_cache_dirty(q->cache, SV_QCOW2_L2))
		return 0;
	if (sv_qcow2_cache_write(q->cache, SV_QCOW2_L2, err) < 0 ||
		sv_dev_flush(q->file, err) < 0)
		return -1;
	if (!l1_changed(q))
		return 0;
	return write_l1(q, err) < 0 ? -1 : sv_dev_flush(q->file, err);
}

int sv_qcow2_write_tables(struct sv_qcow2 *q, struct sv_err *err)
{
	if (sv_qcow2_cache_write(q->cache, SV_QCOW2_REFCOUNTS, err) < 0 ||
		(q->refs.changed_from < q->refs.changed_to &&
			sv_qcow2_reftable_write(q, err) < 0) ||
		sv_qcow2_cache_write(q->cache, SV_QCOW2_L2, err) < 0)
		return -1;
	return l1_changed(q) ? write_l1(q, err) : 0;
}

static int commit(struct sv_qcow2 *q, struct sv_err *err)
{
	if (q->layout.data_file && sv_dev_flush(q->data, err) < 0)
		return -1;
	if (sv_qcow2_flush_refs(q, err) < 0 || flush_tables(q, err) < 0 ||
		sv_qcow2_apply_releases(q, err) < 0)
		return -1;
	/* needs no flush: until it is in the file there is a leak */
	return sv_qcow2_cache_write(q->cache, SV_QCOW2_REFCOUNTS, err);
}

/* After a flush that failed nobody knows what is in the file: nothing more is written. */
int sv_qcow2_commit(struct sv_qcow2 *q, struct sv_err *err)
{
	if (!q->dirty)
		return 0;
	if (sv_qcow2_check_failed(q, err) < 0)
		return -1;
	q->failed = commit(q, err) < 0;
	q->dirty = q->failed;
	return q->failed ? -1 : 0;
}

int sv_qcow2_commit_when_due(struct sv_qcow2 *q, struct sv_err *err)
{
	if (sv_qcow2_cache_dirty_bytes(q->cache) < SV_QCOW2_DIRTY_BYTES &&
		q->refs.n_releases < SV_QCOW2_RELEASES_MAX)
		return 0;
	return sv_qcow2_commit(q, err);
}

int sv_qcow2_flush(struct sv_link *l, struct sv_err *err)
{
	return sv_qcow2_commit(sv_qcow2_of(l), err);
}
