/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A larger virtual size. Whatever the old tables have beyond the old end is given back first
 * (saved machine states lie there), so that the new space reads as zeros. A larger L1 table is
 * laid elsewhere and flushed; one write of the header turns to it and to the new size.
 */
#include "image/qcow2/qcow2.h"
#include "image/qcow2/bitmap.h"

#include "base/endian.h"

#include <assert.h>
#include <string.h>

int sv_qcow2_check_grow(const struct sv_qcow2 *q, uint64_t size, struct sv_err *err)
{
	const char *path = sv_dev_name(q->file);

	if (sv_qcow2_l1_needed(&q->h, size) > SV_QCOW2_L1_MAX) {
		sv_fail(err, SV_UNSUPPORTED, path,
			"with clusters of %llu bytes the disk cannot have %llu bytes: the L1 table "
			"would have more than %u entries",
			(unsigned long long)q->cluster, (unsigned long long)size,
			SV_QCOW2_L1_MAX);
		return sv_hint(err, "convert it to one with larger clusters: "
				    "qemu-img convert -O qcow2 -o cluster_size=64K IN OUT");
	}
	for (size_t i = 0; i < q->snapshots.n; i++) {
		if (q->snapshots.all[i].knows_size)
			continue;
		sv_fail(err, SV_UNSUPPORTED, path,
			"its snapshot \"%.100s\" does not record the disk's size: the disk "
			"cannot grow",
			q->snapshots.all[i].info.name);
		return sv_hint(err, "bring it to version 3: qemu-img amend -o compat=1.1 "
				    "IMAGE, or delete its snapshots");
	}
	return sv_qcow2_check_writable(q, err);
}

/* ---- the old tables ---- */

/* Entries of guest clusters from `index` on up to the end of the L1 table. */
static int drop_entries(struct sv_qcow2 *q, uint64_t index, struct sv_err *err)
{
	uint64_t end = q->l1_size * (q->l2_span / q->cluster), n;
	uint64_t per_table = q->l2_span / q->cluster;

	for (; index < end; index += n) {
		n = per_table - index % per_table;
		if (!q->l1[index / per_table])
			continue;
		if (sv_qcow2_drop(q, index, n, &n, err) < 0 ||
			sv_qcow2_commit_when_due(q, err) < 0)
			return -1;
	}
	return 0;
}

/* The part of the last cluster that was beyond the end. */
static int clear_last(struct sv_qcow2 *q, uint64_t size, struct sv_err *err)
{
	uint64_t n = sv_align_up(size, q->cluster) - size;
	struct sv_image_link *info = &q->link.info;
	int rc;

	if (!n)
		return 0;
	info->virtual_size = size + n; /* it must be within the disk to be changed */
	rc = sv_qcow2_discard(&q->link, size, n, err);
	info->virtual_size = size;
	return rc;
}

static int see_to_bitmaps(struct sv_qcow2 *q, uint64_t size, struct sv_err *err)
{
	struct sv_qcow2_bitmaps b;
	bool fit = true;

	if (!(q->h.autoclear & SV_QCOW2_BITMAPS))
		return 0;
	if (sv_qcow2_bitmaps_load(q->file, &q->h, &b, NULL) < 0)
		fit = false;
	for (size_t i = 0; i < b.n; i++)
		fit &= b.all[i].table_size ==
		       sv_qcow2_bitmap_entries(&q->h, b.all[i].granularity_bits, size);
	sv_qcow2_bitmaps_free(&b);
	return fit ? 0 : sv_qcow2_drop_bitmaps(q, err);
}

/* ---- the new one ---- */

static int write_header(
	struct sv_qcow2 *q, uint64_t size, uint32_t l1_size, uint64_t l1_at, struct sv_err *err)
{
	uint8_t bytes[24];

	static_assert(SV_QCOW2_AT_L1 == SV_QCOW2_AT_SIZE + 12, "one write has both");
	sv_store_be64(bytes, size);
	sv_store_be32(bytes + 8, 0); /* no encryption */
	sv_store_be32(bytes + 12, l1_size);
	sv_store_be64(bytes + 16, l1_at);
	if (sv_qcow2_change_header(q, SV_QCOW2_AT_SIZE, bytes, sizeof bytes, err) < 0)
		return -1;
	q->h.size = size;
	q->h.l1_size = q->l1_size = q->l1_changed_from = l1_size;
	q->h.l1_at = q->l1_at = l1_at;
	return 0;
}

static int write_l1(struct sv_qcow2 *q, uint64_t at, uint32_t n, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc(n * sizeof(uint64_t));

	if (!bytes)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < n; i++)
		sv_store_be64(bytes + 8 * i, i < q->l1_size ? q->l1[i] : 0);
	if (sv_dev_write(q->file, bytes, n * sizeof(uint64_t), at, err) < 0)
		return -1;
	return sv_qcow2_flush_refs(q, err);
}

static int move_l1(struct sv_qcow2 *q, uint64_t size, uint32_t n, struct sv_err *err)
{
	uint64_t old_at = q->l1_at, old_bytes = q->l1_size * UINT64_C(8), at;
	uint64_t *grown;

	if (sv_qcow2_alloc_table(q, sv_div_up(n * UINT64_C(8), q->cluster), &at, err) < 0 ||
		write_l1(q, at, n, err) < 0)
		return -1;
	grown = realloc(q->l1, n * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	memset(grown + q->l1_size, 0, (n - q->l1_size) * sizeof *grown);
	q->l1 = grown;
	if (write_header(q, size, n, at, err) < 0)
		return -1;
	return old_bytes ? sv_qcow2_release(q, old_at, old_bytes, err) : 0;
}

static int grow(struct sv_qcow2 *q, uint64_t size, struct sv_err *err)
{
	uint32_t needed = (uint32_t)sv_qcow2_l1_needed(&q->h, size);
	uint64_t old = q->link.info.virtual_size;

	if (sv_qcow2_begin_change(q, err) < 0 || clear_last(q, old, err) < 0 ||
		drop_entries(q, sv_div_up(old, q->cluster), err) < 0 ||
		see_to_bitmaps(q, size, err) < 0 || sv_qcow2_commit(q, err) < 0 ||
		sv_qcow2_begin_change(q, err) < 0)
		return -1;
	if ((q->h.autoclear & SV_QCOW2_RAW_DATA) && sv_dev_size(q->data) < size &&
		sv_dev_resize(q->data, size, err) < 0)
		return -1;
	if ((needed > q->l1_size ? move_l1(q, size, needed, err)
				 : write_header(q, size, q->l1_size, q->l1_at, err)) < 0)
		return -1;
	return sv_qcow2_commit(q, err);
}

int sv_qcow2_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	(void)host;
	if (sv_qcow2_check_grow(sv_qcow2_of(l), size, err) < 0)
		return -1;
	return grow(sv_qcow2_of(l), size, err);
}
