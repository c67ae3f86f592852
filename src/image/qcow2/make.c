/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lays a new image into an empty file: header, refcount table, refcount blocks, L1 table, and
 * L2 tables of clusters that are marked as zeros. All of it together, in the order of the
 * file; empty parts of tables stay holes.
 */
#include "image/qcow2/make.h"

#include "base/endian.h"
#include "base/num.h"
#include "image/qcow2/entry.h"
#include "image/qcow2/refs.h"

#include <string.h>

#define REFCOUNT_ORDER 4

/* Where everything goes, in clusters. */
struct plan {
	uint64_t cluster;
	uint64_t n_reftable, n_blocks, n_l1, n_l2;
	uint64_t first_zero, end_zero; /* guest clusters that are marked */
	uint64_t first_table;          /* the L1 entry of the first of them */
	struct sv_qcow2_header h;
};

static uint64_t total(const struct plan *p)
{
	return 1 + p->n_reftable + p->n_blocks + p->n_l1 + p->n_l2;
}

static void plan_zeros(const struct sv_qcow2_new *n, struct plan *p)
{
	uint64_t per_table = p->cluster / 8;

	p->first_zero = sv_div_up(n->zero_from, p->cluster);
	p->end_zero = sv_div_up(n->size, p->cluster);
	if (p->first_zero >= p->end_zero)
		return;
	p->first_table = p->first_zero / per_table;
	p->n_l2 = sv_div_up(p->end_zero, per_table) - p->first_table;
}

static int plan(const struct sv_qcow2_new *n, struct plan *ret, struct sv_err *err)
{
	struct plan p = {.cluster = UINT64_C(1) << n->cluster_bits};
	uint64_t needed, per_block = p.cluster * 8 >> REFCOUNT_ORDER;

	p.h = (struct sv_qcow2_header){.version = 3,
		.cluster_bits = n->cluster_bits,
		.size = n->size,
		.refcount_order = REFCOUNT_ORDER};
	needed = sv_qcow2_l1_needed(&p.h, n->size);
	if (needed > SV_QCOW2_L1_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"a qcow2 image of %llu bytes with clusters of %llu needs an L1 table of "
			"%llu entries, the largest possible has %u",
			(unsigned long long)n->size, (unsigned long long)p.cluster,
			(unsigned long long)needed, SV_QCOW2_L1_MAX);
	p.n_l1 = sv_div_up(needed * 8, p.cluster);
	plan_zeros(n, &p);
	while (p.n_blocks * per_block < total(&p) ||
		p.n_reftable * p.cluster < p.n_blocks * 8) {
		p.n_blocks = sv_div_up(total(&p), per_block);
		p.n_reftable = sv_div_up(p.n_blocks * 8, p.cluster);
	}
	p.h.reftable_at = p.cluster;
	p.h.reftable_clusters = (uint32_t)p.n_reftable;
	p.h.l1_size = (uint32_t)needed;
	p.h.l1_at = (1 + p.n_reftable + p.n_blocks) * p.cluster;
	*ret = p;
	return 0;
}

int sv_qcow2_make_cost(const struct sv_qcow2_new *n, uint64_t *ret, struct sv_err *err)
{
	struct plan p;

	if (plan(n, &p, err) < 0)
		return -1;
	*ret = total(&p) * p.cluster;
	return 0;
}

/* ---- writing ---- */

/* n offsets that follow each other from `first` on, at `at` in the file. */
static int write_offsets(struct sv_dev *file, uint64_t at, uint64_t n, uint64_t first,
	uint64_t flag, uint64_t step, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc((size_t)n * 8); /* at most 32 MiB: an L1 table */

	if (!bytes)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < n; i++)
		sv_store_be64(bytes + 8 * i, (first + i * step) | flag);
	return sv_dev_write(file, bytes, (size_t)n * 8, at, err);
}

static int write_refcounts(struct sv_dev *file, const struct plan *p, struct sv_err *err)
{
	uint64_t at = (1 + p->n_reftable) * p->cluster;
	sv_autofree uint8_t *block = malloc((size_t)p->cluster);
	uint64_t left = total(p), per_block = p->cluster * 8 >> REFCOUNT_ORDER;

	if (!block)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < p->n_blocks; i++) {
		uint64_t n = SV_MIN(left, per_block);

		memset(block, 0, (size_t)p->cluster);
		for (uint64_t k = 0; k < n; k++)
			sv_qcow2_count_store(block, k, REFCOUNT_ORDER, 1);
		if (sv_dev_write(file, block, (size_t)p->cluster, at + i * p->cluster, err) < 0)
			return -1;
		left -= n;
	}
	return write_offsets(file, p->h.reftable_at, p->n_blocks, at, 0, p->cluster, err);
}

static int write_l2(struct sv_dev *file, const struct plan *p, struct sv_err *err)
{
	uint64_t at = p->h.l1_at + p->n_l1 * p->cluster, per_table = p->cluster / 8;
	sv_autofree uint8_t *table = malloc((size_t)p->cluster);

	if (!table)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < p->n_l2; i++) {
		uint64_t first = (p->first_table + i) * per_table;

		for (uint64_t k = 0; k < per_table; k++) {
			bool zero = first + k >= p->first_zero && first + k < p->end_zero;

			sv_store_be64(table + 8 * k, zero ? SV_QCOW2_ZERO : 0);
		}
		if (sv_dev_write(file, table, (size_t)p->cluster, at + i * p->cluster, err) < 0)
			return -1;
	}
	return write_offsets(file, p->h.l1_at + p->first_table * 8, p->n_l2, at,
		SV_QCOW2_COPIED, p->cluster, err);
}

static int take_text(char *ret, size_t room, const char *text, struct sv_err *err)
{
	if (strlen(text) >= room)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the backing file's name has %zu bytes, the most possible are %zu",
			strlen(text), room - 1);
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

int sv_qcow2_make(struct sv_dev *file, const struct sv_qcow2_new *n, struct sv_err *err)
{
	sv_autofree uint8_t *head = NULL;
	struct plan p;

	if (plan(n, &p, err) < 0 ||
		take_text(p.h.backing, sizeof p.h.backing, n->backing, err) < 0 ||
		take_text(p.h.backing_format, sizeof p.h.backing_format, n->backing_format,
			err) < 0)
		return -1;
	head = calloc(1, (size_t)p.cluster);
	if (!head)
		return sv_fail_nomem(err);
	if (sv_qcow2_header_print(&p.h, head, (size_t)p.cluster, err) < 0 ||
		sv_dev_resize(file, total(&p) * p.cluster, err) < 0 ||
		write_refcounts(file, &p, err) < 0 || write_l2(file, &p, err) < 0)
		return -1;
	return sv_dev_write(file, head, (size_t)p.cluster, 0, err);
}
