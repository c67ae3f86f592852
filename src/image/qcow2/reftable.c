/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New refcount blocks, and a refcount table with more room. A block is put where it describes
 * itself, or where a block is already, so that making one never asks for another. A larger
 * table is laid with the blocks that it needs behind everything that the old one describes; all
 * of it is flushed before the header, in one write, turns to it: at any moment the header names
 * a whole table.
 */
#include "image/qcow2/qcow2.h"

#include "base/endian.h"

#include <string.h>

int sv_qcow2_reftable_write(struct sv_qcow2 *q, struct sv_err *err)
{
	struct sv_qcow2_refs *r = &q->refs;
	uint32_t from = r->changed_from, n = r->changed_to - from;
	sv_autofree uint8_t *bytes = NULL;

	if (r->changed_from >= r->changed_to)
		return 0;
	bytes = malloc(n * sizeof(uint64_t));
	if (!bytes)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < n; i++)
		sv_store_be64(bytes + 8 * i, r->table[from + i]);
	if (sv_qcow2_change_bytes(q, q->h.reftable_at + from * UINT64_C(8), bytes,
		    n * sizeof(uint64_t), err) < 0)
		return -1;
	r->changed_from = r->n;
	r->changed_to = 0;
	return 0;
}

/* ---- a larger table ---- */

/* What is laid behind the range of the old table, in clusters from `first` on. */
struct relay {
	uint64_t first;
	uint64_t n_blocks; /* that describe the relay itself */
	uint64_t n_table;
	uint32_t n; /* entries of the new table */
};

static int plan_relay(
	const struct sv_qcow2 *q, uint64_t need, struct relay *ret, struct sv_err *err)
{
	uint64_t per_block = sv_qcow2_block_entries(q), per_cluster = q->cluster / 8;
	uint64_t old = q->refs.n, want = SV_MAX(need + 1, old + old / 2) + 1;
	struct relay r = {.first = old * per_block};

	/* the table describes its own blocks, which describe the table */
	for (;;) {
		r.n_table = sv_div_up(want, per_cluster);
		r.n_blocks = sv_div_up(r.n_table, per_block - 1);
		if (old + r.n_blocks <= r.n_table * per_cluster)
			break;
		want = old + r.n_blocks;
	}
	if (r.n_table * q->cluster > SV_QCOW2_REFTABLE_BYTES) {
		sv_fail(err, SV_NOSPACE, sv_dev_name(q->file),
			"the refcount table would be larger than %u bytes",
			SV_QCOW2_REFTABLE_BYTES);
		return sv_hint(err, "convert the disk to one with larger clusters: "
				    "qemu-img convert -O qcow2 -o cluster_size=64K IN OUT");
	}
	r.n = (uint32_t)(r.n_table * per_cluster);
	*ret = r;
	return 0;
}

/* The blocks of the relay: all that they count is the relay itself. */
static int write_blocks(struct sv_qcow2 *q, const struct relay *r, struct sv_err *err)
{
	size_t bytes = (size_t)(r->n_blocks * q->cluster);
	sv_autofree uint8_t *blocks = calloc(1, bytes);

	if (!blocks)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < r->n_blocks + r->n_table; i++)
		sv_qcow2_count_store(blocks, i, q->h.refcount_order, 1);
	return sv_dev_write(q->file, blocks, bytes, r->first * q->cluster, err);
}

/* The new table in memory, and in the file. */
static int write_table(
	struct sv_qcow2 *q, const struct relay *r, uint64_t *table, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = calloc(r->n, 8);

	if (!bytes)
		return sv_fail_nomem(err);
	memcpy(table, q->refs.table, q->refs.n * sizeof *table);
	for (uint64_t i = 0; i < r->n_blocks; i++)
		table[q->refs.n + i] = (r->first + i) * q->cluster;
	for (uint32_t i = 0; i < r->n; i++)
		sv_store_be64(bytes + 8 * i, table[i]);
	return sv_dev_write(
		q->file, bytes, r->n * UINT64_C(8), (r->first + r->n_blocks) * q->cluster, err);
}

static int switch_header(struct sv_qcow2 *q, const struct relay *r, struct sv_err *err)
{
	uint64_t at = (r->first + r->n_blocks) * q->cluster;
	uint8_t bytes[12];

	sv_store_be64(bytes, at);
	sv_store_be32(bytes + 8, (uint32_t)r->n_table);
	if (sv_qcow2_change_header(q, SV_QCOW2_AT_REFTABLE, bytes, sizeof bytes, err) < 0)
		return -1;
	q->h.reftable_at = at;
	q->h.reftable_clusters = (uint32_t)r->n_table;
	return 0;
}

static int lay(struct sv_qcow2 *q, const struct relay *r, uint64_t *table, struct sv_err *err)
{
	uint64_t end = (r->first + r->n_blocks + r->n_table) * q->cluster;

	if (end > SV_QCOW2_HOST_MAX)
		return sv_fail(err, SV_NOSPACE, sv_dev_name(q->file),
			"the file has reached the format's largest size");
	if (sv_dev_size(q->file) < end && sv_dev_resize(q->file, end, err) < 0)
		return -1;
	/* what the old table says must be in the file before the new one says it again */
	if (sv_qcow2_flush_refs(q, err) < 0 || write_blocks(q, r, err) < 0 ||
		write_table(q, r, table, err) < 0 || sv_dev_flush(q->file, err) < 0)
		return -1;
	return switch_header(q, r, err);
}

static int grow_table(struct sv_qcow2 *q, uint64_t need, struct sv_err *err)
{
	uint64_t old_at = q->h.reftable_at, old_bytes = q->refs.n * UINT64_C(8);
	sv_autofree uint64_t *table = NULL;
	struct relay r = {0};

	if (plan_relay(q, need, &r, err) < 0)
		return -1;
	table = calloc(r.n, sizeof *table);
	if (!table)
		return sv_fail_nomem(err);
	if (sv_qcow2_places_add(&q->refs.places, r.first, r.n_blocks + r.n_table, err) < 0 ||
		lay(q, &r, table, err) < 0)
		return -1;
	free(q->refs.table);
	q->refs.table = SV_STEAL(table);
	q->refs.n = r.n;
	q->refs.changed_from = r.n;
	return sv_qcow2_release(q, old_at, old_bytes, err);
}

/* ---- a block ---- */

/* The cluster, which is free, as a block that counts nothing. */
static int clear_block(struct sv_qcow2 *q, uint64_t at, struct sv_err *err)
{
	uint64_t size = sv_dev_size(q->file);

	if (size < at + q->cluster && sv_dev_resize(q->file, at + q->cluster, err) < 0)
		return -1;
	sv_qcow2_cache_drop(q->cache, at, q->cluster);
	if (at >= size)
		return 0;
	return sv_dev_discard(q->file, at, SV_MIN(size - at, q->cluster), err);
}

int sv_qcow2_make_block(struct sv_qcow2 *q, uint64_t i, uint64_t cluster, struct sv_err *err)
{
	struct sv_qcow2_refs *r = &q->refs;

	if (i >= r->n)
		return grow_table(q, i, err);
	if (sv_qcow2_places_has(&r->places, cluster)) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(q->file), cluster * q->cluster,
			"a cluster that holds a table has no refcount");
		return sv_hint(err, "repair the image: qemu-img check -r all IMAGE");
	}
	if (clear_block(q, cluster * q->cluster, err) < 0 ||
		sv_qcow2_places_add(&r->places, cluster, 1, err) < 0)
		return -1;
	r->table[i] = cluster * q->cluster;
	r->changed_from = SV_MIN(r->changed_from, (uint32_t)i);
	r->changed_to = SV_MAX(r->changed_to, (uint32_t)i + 1);
	return sv_qcow2_set_refcount(q, cluster, 1, err);
}
