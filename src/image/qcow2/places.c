/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The clusters that hold metadata: see qcow2_refs.h. A hash set with open addressing; at usual
 * sizes some thousand entries. L2 tables of snapshots are not in it: they are as many as the
 * snapshots, and their refcounts protect them.
 */
#include "image/qcow2/qcow2.h"

#include "base/endian.h"

#include <string.h>

/* 64 MiB of slots; the active tables of any image within qcow2_header.h's limits fit. */
#define PLACES_MAX (UINT64_C(1) << 22)

static size_t slot_of(const struct sv_qcow2_places *p, uint64_t cluster)
{
	return (size_t)((cluster * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (p->cap - 1);
}

/* The slot that holds the cluster, or the empty one where it would be put. */
static size_t find(const struct sv_qcow2_places *p, uint64_t cluster)
{
	size_t i = slot_of(p, cluster);

	while (p->slots[i] && p->slots[i] != cluster + 1)
		i = (i + 1) & (p->cap - 1);
	return i;
}

bool sv_qcow2_places_has(const struct sv_qcow2_places *p, uint64_t cluster)
{
	return p->cap && p->slots[find(p, cluster)];
}

static int make_room(struct sv_qcow2_places *p, struct sv_err *err)
{
	struct sv_qcow2_places more = {.cap = p->cap ? 2 * p->cap : 256};

	if (2 * (p->n + 1) <= p->cap)
		return 0;
	if (p->n >= PLACES_MAX)
		return sv_fail(err, SV_NOMEM, NULL,
			"more than %llu clusters of tables: the image can only be read",
			(unsigned long long)PLACES_MAX);
	more.slots = calloc(more.cap, sizeof *more.slots);
	if (!more.slots)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < p->cap; i++) {
		if (p->slots[i])
			more.slots[find(&more, p->slots[i] - 1)] = p->slots[i];
	}
	more.n = p->n;
	free(p->slots);
	*p = more;
	return 0;
}

int sv_qcow2_places_add(
	struct sv_qcow2_places *p, uint64_t cluster, uint64_t n, struct sv_err *err)
{
	for (; n; cluster++, n--) {
		size_t i;

		if (make_room(p, err) < 0)
			return -1;
		i = find(p, cluster);
		p->n += !p->slots[i];
		p->slots[i] = cluster + 1;
	}
	return 0;
}

/* Those behind it move up, so that no search ends before them. */
void sv_qcow2_places_remove(struct sv_qcow2_places *p, uint64_t cluster)
{
	size_t hole, i;

	if (!sv_qcow2_places_has(p, cluster))
		return;
	hole = i = find(p, cluster);
	p->n--;
	for (;;) {
		size_t home;

		i = (i + 1) & (p->cap - 1);
		if (!p->slots[i])
			break;
		home = slot_of(p, p->slots[i] - 1);
		/* it may move when its home is not between the hole and itself */
		if (((i - home) & (p->cap - 1)) < ((i - hole) & (p->cap - 1)))
			continue;
		p->slots[hole] = p->slots[i];
		hole = i;
	}
	p->slots[hole] = 0;
}

/* ---- what an image has ---- */

int sv_qcow2_places_add_range(struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err)
{
	uint64_t first = at / q->cluster, end = sv_div_up(at + len, q->cluster);

	return sv_qcow2_places_add(&q->refs.places, first, end - first, err);
}

static int add_entries(struct sv_qcow2 *q, const uint64_t *table, uint32_t n, uint64_t mask,
	struct sv_err *err)
{
	for (uint32_t i = 0; i < n; i++) {
		if ((table[i] & mask) && sv_qcow2_places_add(&q->refs.places,
						 (table[i] & mask) / q->cluster, 1, err) < 0)
			return -1;
	}
	return 0;
}

static int add_snapshots(struct sv_qcow2 *q, struct sv_err *err)
{
	if (q->h.n_snapshots &&
		sv_qcow2_places_add_range(q, q->h.snapshots_at, q->snapshots.bytes, err) < 0)
		return -1;
	for (size_t i = 0; i < q->snapshots.n; i++) {
		const struct sv_qcow2_snapshot *s = &q->snapshots.all[i];

		if (sv_qcow2_places_add_range(q, s->l1_at, s->l1_size * UINT64_C(8), err) < 0)
			return -1;
	}
	return 0;
}

int sv_qcow2_places_find(struct sv_qcow2 *q, struct sv_err *err)
{
	const struct sv_qcow2_header *h = &q->h;

	if (sv_qcow2_places_add_range(q, 0, 1, err) < 0 ||
		sv_qcow2_places_add_range(
			q, h->reftable_at, h->reftable_clusters * q->cluster, err) < 0 ||
		sv_qcow2_places_add_range(q, h->l1_at, h->l1_size * UINT64_C(8), err) < 0 ||
		add_entries(q, q->refs.table, q->refs.n, ~UINT64_C(0x1ff), err) < 0 ||
		add_entries(q, q->l1, q->l1_size, SV_QCOW2_OFFSET, err) < 0 ||
		add_snapshots(q, err) < 0)
		return sv_err_path(err, sv_dev_name(q->file));
	return 0;
}
