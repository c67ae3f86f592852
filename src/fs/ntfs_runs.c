/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mapping pairs: where the clusters of a stream lie. Pure.
 *
 * A pair is a byte with two lengths (low nibble: of the count, high: of the distance), then
 * the count of clusters and the signed distance from the place before; without a distance it
 * is a hole. A zero byte ends them.
 */
#include "fs/ntfs.h"

#include "base/num.h"

#include <stdlib.h>

/* A signed little-endian number of 0 to 8 bytes. */
static int64_t load_signed(const uint8_t *p, unsigned n)
{
	uint64_t u = 0;

	for (unsigned i = 0; i < n; i++)
		u |= (uint64_t)p[i] << (8 * i);
	if (n && n < 8 && p[n - 1] & 0x80)
		u |= UINT64_MAX << (8 * n);
	return (int64_t)u;
}

static int append(struct sv_ntfs_runs *r, uint64_t lcn, uint64_t len, struct sv_err *err)
{
	struct sv_ntfs_run *last = r->n ? &r->v[r->n - 1] : NULL;
	bool hole = lcn == SV_NTFS_HOLE;

	if (last && hole == (last->lcn == SV_NTFS_HOLE) &&
		(hole || last->lcn + last->len == lcn)) {
		last->len += len;
	} else {
		if (r->n == SV_NTFS_RUNS_MAX)
			return sv_fail(err, SV_NOMEM, NULL,
				"a stream in more than %u fragments", SV_NTFS_RUNS_MAX);
		if (r->n == r->cap) {
			size_t cap = r->cap ? 2 * r->cap : 8;
			void *v = realloc(r->v, cap * sizeof *r->v);

			if (!v)
				return sv_fail_nomem(err);
			r->v = v;
			r->cap = cap;
		}
		r->v[r->n++] = (struct sv_ntfs_run){r->end, lcn, len};
	}
	r->end += len;
	r->allocated += hole ? 0 : len;
	return 0;
}

static int bad(size_t at, const char *what, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "mapping pairs: %s", what);
}

/* One pair at *pos; *lcn is the place before it and after it. */
static int add_pair(struct sv_ntfs_runs *r, const uint8_t *pairs, size_t n, size_t *pos,
	int64_t *lcn, uint64_t end, uint64_t clusters, struct sv_err *err)
{
	size_t at = *pos;
	unsigned len_n = pairs[at] & 15, off_n = pairs[at] >> 4;
	int64_t len, delta;

	if (!len_n || len_n > 8 || off_n > 8 || n - at - 1 < len_n + off_n)
		return bad(at, "lengths that do not fit", err);
	len = load_signed(pairs + at + 1, len_n);
	delta = load_signed(pairs + at + 1 + len_n, off_n);
	*pos = at + 1 + len_n + off_n;
	if (len <= 0 || (uint64_t)len > end - r->end)
		return bad(at, "a run beyond the last cluster of the stream", err);
	if (__builtin_add_overflow(*lcn, delta, lcn))
		return bad(at, "a place that cannot be", err);
	if (!off_n || *lcn == -1) /* the second: NTFS before version 3 */
		return append(r, SV_NTFS_HOLE, (uint64_t)len, err);
	if (*lcn < 0 || !sv_in_range((uint64_t)*lcn, (uint64_t)len, clusters))
		return bad(at, "a run outside the volume", err);
	if ((uint64_t)len > clusters - r->allocated)
		return bad(at, "more clusters than the volume has", err);
	return append(r, (uint64_t)*lcn, (uint64_t)len, err);
}

int sv_ntfs_runs_add(struct sv_ntfs_runs *runs, const uint8_t *pairs, size_t n, uint64_t end,
	uint64_t clusters, struct sv_err *err)
{
	int64_t lcn = 0;
	size_t pos = 0;

	if (end < runs->end)
		return bad(0, "pieces of the stream overlap", err);
	while (pos < n && pairs[pos]) {
		if (add_pair(runs, pairs, n, &pos, &lcn, end, clusters, err) < 0)
			return -1;
	}
	if (runs->end != end)
		return bad(pos, "they end before the last cluster of the stream", err);
	return 0;
}

const struct sv_ntfs_run *sv_ntfs_runs_at(const struct sv_ntfs_runs *runs, uint64_t vcn)
{
	size_t low = 0, high = runs->n;

	if (vcn >= runs->end)
		return NULL;
	while (high - low > 1) { /* v[low].vcn <= vcn < v[high].vcn */
		size_t mid = low + (high - low) / 2;

		if (runs->v[mid].vcn <= vcn)
			low = mid;
		else
			high = mid;
	}
	return &runs->v[low];
}
