/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Changing L2 tables. A table that a snapshot shares (its L1 entry lacks the flag "copied") is
 * copied before its first change.
 */
#include "image/qcow2/qcow2.h"

static void set_l1(struct sv_qcow2 *q, uint32_t i, uint64_t at)
{
	q->l1[i] = at | SV_QCOW2_COPIED;
	q->l1_changed_from = SV_MIN(q->l1_changed_from, i);
	q->l1_changed_to = SV_MAX(q->l1_changed_to, i + 1);
}

static int copy_table(struct sv_qcow2 *q, uint64_t from, uint64_t to, struct sv_err *err)
{
	uint32_t page = (uint32_t)SV_MIN(q->cluster, (uint64_t)SV_QCOW2_PAGE);
	uint8_t bytes[SV_QCOW2_PAGE];

	for (uint64_t at = 0; at < q->cluster; at += page) {
		if (sv_qcow2_cache_get(q->cache, from + at, bytes, page, err) < 0 ||
			sv_qcow2_cache_put(q->cache, SV_QCOW2_L2, to + at, bytes, page, err) <
				0)
			return -1;
	}
	return 0;
}

int sv_qcow2_own_table(struct sv_qcow2 *q, uint64_t index, struct sv_err *err)
{
	uint32_t i = (uint32_t)(index * q->cluster / q->l2_span), n;
	uint64_t old = q->l1[i] & SV_QCOW2_OFFSET, entry_at, at;

	/* checks the old one */
	if (sv_qcow2_entry_at(q, index, &entry_at, &n, err) < 0)
		return -1;
	if (old && q->l1[i] & SV_QCOW2_COPIED)
		return 0;
	if (sv_qcow2_alloc_table(q, 1, &at, err) < 0)
		return -1;
	if (old && (copy_table(q, old, at, err) < 0 ||
			   sv_qcow2_release(q, old, q->cluster, err) < 0))
		return -1;
	set_l1(q, i, at);
	return 0;
}

int sv_qcow2_put_entries(struct sv_qcow2 *q, uint64_t index, uint32_t n,
	const struct sv_qcow2_raw *raw, struct sv_err *err)
{
	uint32_t size = sv_qcow2_entry_bytes(&q->layout), in_page;
	uint8_t bytes[SV_QCOW2_BATCH * 16];
	uint64_t at;

	if (sv_qcow2_entry_at(q, index, &at, &in_page, err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		sv_qcow2_raw_store(&q->layout, raw[i], bytes + i * size);
	return sv_qcow2_cache_put(q->cache, SV_QCOW2_L2, at, bytes, n * size, err);
}

int sv_qcow2_release_entry(
	struct sv_qcow2 *q, const struct sv_qcow2_entry *e, struct sv_err *err)
{
	uint64_t first = sv_align_down(e->host, SV_SECTOR);

	if (e->compressed) /* each cluster that its sectors touch counts it */
		return sv_qcow2_release(q, first, e->host + e->packed - first, err);
	if (e->has_host && !q->layout.data_file)
		return sv_qcow2_release(q, e->host, q->cluster, err);
	return 0;
}
