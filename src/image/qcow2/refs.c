/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Refcounts, free clusters, and those that are given back: see qcow2_refs.h. */
#include "image/qcow2/qcow2.h"

#include "base/endian.h"

#include <string.h>

uint64_t sv_qcow2_block_entries(const struct sv_qcow2 *q)
{
	return UINT64_C(1) << (q->h.cluster_bits + 3 - q->h.refcount_order);
}

/* ---- one refcount ---- */

uint64_t sv_qcow2_count_load(const uint8_t *bytes, uint64_t i, uint32_t order)
{
	unsigned bits = 1U << order;

	switch (order) {
	case 3:
		return bytes[i];
	case 4:
		return sv_load_be16(bytes + 2 * i);
	case 5:
		return sv_load_be32(bytes + 4 * i);
	case 6:
		return sv_load_be64(bytes + 8 * i);
	default:
		return bytes[i * bits / 8] >> (i * bits % 8) & ((1U << bits) - 1);
	}
}

void sv_qcow2_count_store(uint8_t *bytes, uint64_t i, uint32_t order, uint64_t value)
{
	unsigned bits = 1U << order, shift = (unsigned)(i * bits % 8);
	uint8_t *byte = bytes + i * bits / 8;

	switch (order) {
	case 3:
		*byte = (uint8_t)value;
		break;
	case 4:
		sv_store_be16(byte, (uint16_t)value);
		break;
	case 5:
		sv_store_be32(byte, (uint32_t)value);
		break;
	case 6:
		sv_store_be64(byte, value);
		break;
	default:
		*byte = (uint8_t)(*byte & ~(((1U << bits) - 1) << shift));
		*byte = (uint8_t)(*byte | value << shift);
	}
}

/* The offset of a block; 0 where it does not exist. */
static int block_at(const struct sv_qcow2 *q, uint64_t i, uint64_t *ret, struct sv_err *err)
{
	uint64_t at = i < q->refs.n ? q->refs.table[i] : 0;

	if (at % q->cluster == 0 &&
		sv_in_range(at, at ? q->cluster : 0, sv_dev_size(q->file))) {
		*ret = at;
		return 0;
	}
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(q->file), q->h.reftable_at + i * 8,
		"refcount table entry %llu is %#llx: no block of %llu bytes lies there in the "
		"file's %llu",
		(unsigned long long)i, (unsigned long long)at, (unsigned long long)q->cluster,
		(unsigned long long)sv_dev_size(q->file));
}

/* Where in the file the byte of the cluster's refcount is (0: its block does not exist), and
 * which refcount from that byte on. */
static int count_at(const struct sv_qcow2 *q, uint64_t cluster, uint64_t *ret_at,
	uint64_t *ret_i, struct sv_err *err)
{
	uint64_t per_block = sv_qcow2_block_entries(q), in_block = cluster % per_block;
	uint64_t bit = in_block << q->h.refcount_order, block = 0;

	if (block_at(q, cluster / per_block, &block, err) < 0)
		return -1;
	*ret_at = block ? block + bit / 8 : 0;
	*ret_i = bit % 8 >> q->h.refcount_order;
	return 0;
}

static size_t count_bytes(const struct sv_qcow2 *q)
{
	return q->h.refcount_order > 3 ? (size_t)1 << (q->h.refcount_order - 3) : 1;
}

int sv_qcow2_refcount(struct sv_qcow2 *q, uint64_t cluster, uint64_t *ret, struct sv_err *err)
{
	uint8_t bytes[8];
	uint64_t at, i;

	if (count_at(q, cluster, &at, &i, err) < 0)
		return -1;
	*ret = 0;
	if (!at)
		return 0;
	if (sv_qcow2_cache_get(q->cache, at, bytes, count_bytes(q), err) < 0)
		return -1;
	*ret = sv_qcow2_count_load(bytes, i, q->h.refcount_order);
	return 0;
}

int sv_qcow2_set_refcount(
	struct sv_qcow2 *q, uint64_t cluster, uint64_t value, struct sv_err *err)
{
	uint8_t bytes[8];
	uint64_t at, i;

	if (count_at(q, cluster, &at, &i, err) < 0 ||
		sv_qcow2_cache_get(q->cache, at, bytes, count_bytes(q), err) < 0)
		return -1;
	sv_qcow2_count_store(bytes, i, q->h.refcount_order, value);
	return sv_qcow2_cache_put(q->cache, SV_QCOW2_REFCOUNTS, at, bytes, count_bytes(q), err);
}

/* ---- finding free clusters ---- */

/* How many free clusters lie together at `cluster`, at most max, within one page of a block. */
static int count_free(struct sv_qcow2 *q, uint64_t cluster, uint64_t max, uint64_t *ret,
	uint64_t *ret_used, struct sv_err *err)
{
	uint32_t order = q->h.refcount_order, page = (uint32_t)SV_MIN(q->cluster, 4096U);
	uint64_t per_page = (uint64_t)page * 8 >> order, left = per_page - cluster % per_page;
	uint64_t per_block = sv_qcow2_block_entries(q), at, i, n = 0;
	uint8_t bytes[SV_QCOW2_PAGE];

	*ret_used = 0;
	if (count_at(q, cluster, &at, &i, err) < 0)
		return -1;
	if (!at) {
		*ret = SV_MIN(max, per_block - cluster % per_block);
		return 0;
	}
	if (sv_qcow2_cache_get(q->cache, at, bytes, page - at % page, err) < 0)
		return -1;
	max = SV_MIN(max, left);
	while (n < max && !sv_qcow2_count_load(bytes, i + n, order))
		n++;
	*ret = n;
	while (n + *ret_used < left && sv_qcow2_count_load(bytes, i + n + *ret_used, order))
		++*ret_used;
	return 0;
}

/* The first free clusters from the cursor on, of which at least min lie together. */
static int find_free(struct sv_qcow2 *q, uint64_t min, uint64_t max, uint64_t *ret_first,
	uint64_t *ret_n, struct sv_err *err)
{
	uint64_t first = q->refs.cursor, n = 0, last = SV_QCOW2_HOST_MAX / q->cluster;
	bool moved = false; /* the cursor: to the first free one of all */

	while (n < max && first + n < last) {
		uint64_t more, used;

		if (count_free(q, first + n, max - n, &more, &used, err) < 0)
			return -1;
		if (!moved && (n || more)) {
			q->refs.cursor = first;
			moved = true;
		}
		n += more;
		if (!used)
			continue;
		if (n >= min)
			break;
		first += n + used;
		n = 0;
	}
	if (n < min)
		return sv_fail(err, SV_NOSPACE, sv_dev_name(q->file),
			"the file has reached the format's largest size (%llu bytes)",
			(unsigned long long)SV_QCOW2_HOST_MAX);
	*ret_first = first;
	*ret_n = n;
	return 0;
}

/* Makes a block that the run lacks, in the run's first cluster, which has a block by then or
 * is described by the new one. *ret_made: it did, and the run begins later now. */
static int make_block(
	struct sv_qcow2 *q, uint64_t first, uint64_t n, bool *ret_made, struct sv_err *err)
{
	uint64_t per_block = sv_qcow2_block_entries(q);

	*ret_made = false;
	for (uint64_t i = first / per_block; i <= (first + n - 1) / per_block; i++) {
		if (i < q->refs.n && q->refs.table[i])
			continue;
		*ret_made = true;
		return sv_qcow2_make_block(q, i, first, err);
	}
	return 0;
}

/* Takes a run: its refcounts become 1. */
static int take(struct sv_qcow2 *q, uint64_t first, uint64_t n, struct sv_err *err)
{
	for (uint64_t c = first; c < first + n; c++) {
		if (sv_qcow2_places_has(&q->refs.places, c)) {
			sv_fail_at(err, SV_CORRUPT, sv_dev_name(q->file), c * q->cluster,
				"a cluster that holds a table has the refcount 0");
			return sv_hint(err, "repair the image: qemu-img check -r all IMAGE");
		}
	}
	for (uint64_t c = first; c < first + n; c++) {
		if (sv_qcow2_set_refcount(q, c, 1, err) < 0)
			return -1;
	}
	if (q->refs.cursor == first)
		q->refs.cursor = first + n;
	return 0;
}

/* The file reaches to `end`; what it had of [at, end) is cleared. */
static int prepare(struct sv_qcow2 *q, uint64_t at, uint64_t end, bool zero, struct sv_err *err)
{
	uint64_t size = sv_dev_size(q->file);

	if (size < end && (q->filling ? sv_fill_reach(q->file, end, err)
				      : sv_dev_resize(q->file, end, err)) < 0)
		return -1;
	q->fill_end = SV_MAX(q->fill_end, end);
	if (!zero || at >= size)
		return 0;
	return sv_dev_discard(q->file, at, SV_MIN(size, end) - at, err);
}

int sv_qcow2_alloc(struct sv_qcow2 *q, uint64_t min, uint64_t max, bool zero, uint64_t *ret_at,
	uint64_t *ret_n, struct sv_err *err)
{
	uint64_t first = 0, n = 0, at;
	bool made;

	do {
		if (find_free(q, min, max, &first, &n, err) < 0 ||
			make_block(q, first, n, &made, err) < 0)
			return -1;
	} while (made);
	at = first * q->cluster;
	if (prepare(q, at, at + n * q->cluster, zero, err) < 0 || take(q, first, n, err) < 0)
		return -1;
	*ret_at = at;
	*ret_n = n;
	return 0;
}

int sv_qcow2_alloc_table(struct sv_qcow2 *q, uint64_t n, uint64_t *ret_at, struct sv_err *err)
{
	uint64_t at;

	if (sv_qcow2_alloc(q, n, n, true, &at, &n, err) < 0)
		return -1;
	sv_qcow2_cache_drop(q->cache, at, n * q->cluster);
	if (sv_qcow2_places_add(&q->refs.places, at / q->cluster, n, err) < 0)
		return -1;
	*ret_at = at;
	return 0;
}

/* ---- giving back ---- */

int sv_qcow2_release(struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err)
{
	struct sv_qcow2_refs *r = &q->refs;
	uint64_t first = at / q->cluster, n = sv_div_up(at + len, q->cluster) - first;
	struct sv_qcow2_release *last = r->n_releases ? &r->releases[r->n_releases - 1] : NULL;

	if (last && last->first + last->n == first) {
		last->n += n;
		return 0;
	}
	if (r->n_releases == r->max_releases) {
		size_t more = r->max_releases ? 2 * r->max_releases : 64;
		struct sv_qcow2_release *grown = realloc(r->releases, more * sizeof *grown);

		if (!grown)
			return sv_fail_nomem(err);
		r->releases = grown;
		r->max_releases = more;
	}
	r->releases[r->n_releases++] = (struct sv_qcow2_release){first, n};
	return 0;
}

/* Nobody uses the clusters any more: the host gets their space back. */
static int let_go(struct sv_qcow2 *q, uint64_t first, uint64_t n, struct sv_err *err)
{
	uint64_t at = first * q->cluster, size = sv_dev_size(q->file);

	if (!n)
		return 0;
	q->refs.cursor = SV_MIN(q->refs.cursor, first);
	sv_qcow2_cache_drop(q->cache, at, n * q->cluster);
	for (uint64_t c = first; c < first + n; c++)
		sv_qcow2_places_remove(&q->refs.places, c);
	if (at >= size)
		return 0;
	return sv_dev_discard(q->file, at, SV_MIN(n * q->cluster, size - at), err);
}

/* A refcount of 0 is one that was too low before: it stays. */
static int lower(struct sv_qcow2 *q, const struct sv_qcow2_release *r, struct sv_err *err)
{
	uint64_t first = r->first, n = 0;

	for (uint64_t c = r->first; c < r->first + r->n; c++) {
		uint64_t count;

		if (sv_qcow2_refcount(q, c, &count, err) < 0 ||
			(count && sv_qcow2_set_refcount(q, c, count - 1, err) < 0))
			return -1;
		if (count == 1) {
			n++;
			continue;
		}
		if (let_go(q, first, n, err) < 0)
			return -1;
		first = c + 1;
		n = 0;
	}
	return let_go(q, first, n, err);
}

int sv_qcow2_apply_releases(struct sv_qcow2 *q, struct sv_err *err)
{
	struct sv_qcow2_refs *r = &q->refs;
	size_t n = r->n_releases;

	r->n_releases = 0;
	for (size_t i = 0; i < n; i++) {
		if (lower(q, &r->releases[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- */

int sv_qcow2_check_place(
	const struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err)
{
	for (uint64_t c = at / q->cluster; c < sv_div_up(at + len, q->cluster); c++) {
		if (!sv_qcow2_places_has(&q->refs.places, c))
			continue;
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(q->file), c * q->cluster,
			"guest data are said to be where a table of the image is");
		return sv_hint(err, "the image is damaged, or made to do harm: "
				    "`sharevm image check` tells more");
	}
	return 0;
}

static int load_table(struct sv_qcow2 *q, struct sv_err *err)
{
	struct sv_qcow2_refs *r = &q->refs;
	size_t bytes = (size_t)(q->h.reftable_clusters * q->cluster); /* at most 8 MiB */

	r->n = (uint32_t)(bytes / 8);
	r->table = malloc(bytes);
	if (!r->table)
		return sv_fail_nomem(err);
	if (sv_dev_read(q->file, r->table, bytes, q->h.reftable_at, err) < 0)
		return -1;
	for (uint32_t i = 0; i < r->n; i++)
		r->table[i] = sv_load_be64(&r->table[i]);
	r->changed_from = r->n;
	return 0;
}

int sv_qcow2_refs_load(struct sv_qcow2 *q, struct sv_err *err)
{
	if (q->refs.loaded)
		return 0;
	sv_qcow2_refs_free(&q->refs);
	if (load_table(q, err) < 0 || sv_qcow2_places_find(q, err) < 0)
		return -1;
	q->refs.loaded = true;
	return 0;
}

void sv_qcow2_refs_free(struct sv_qcow2_refs *r)
{
	free(r->table);
	free(r->releases);
	free(r->places.slots);
	*r = (struct sv_qcow2_refs){0};
}
