/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a stream lies: runs gathered from the pieces of an attribute, and found by VCN. Pure.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"

#include <stdlib.h>

static int append(struct sv_ntfs_runs *r, const struct sv_ntfs_raw_run *run, struct sv_err *err)
{
	struct sv_ntfs_raw_run *last = r->n ? &r->v[r->n - 1] : NULL;
	bool hole = run->lcn == NTFS_HOLE;

	if (last && hole == (last->lcn == NTFS_HOLE) &&
		(hole || last->lcn + last->length == run->lcn)) {
		last->length += run->length;
		return 0;
	}
	if (r->n == SV_NTFS_RUNS_MAX)
		return sv_fail(err, SV_NOMEM, NULL, "a stream in more than %u fragments",
			SV_NTFS_RUNS_MAX);
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 8;
		void *v = realloc(r->v, cap * sizeof *r->v);

		if (!v)
			return sv_fail_nomem(err);
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = *run;
	return 0;
}

static int bad(
	const struct sv_ntfs_raw_run_reader *reader, const char *what, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, reader->at, "runs: %s", what);
}

int sv_ntfs_runs_add(struct sv_ntfs_runs *runs, const uint8_t *pairs, size_t n, uint64_t end,
	uint64_t clusters, struct sv_err *err)
{
	struct sv_ntfs_raw_run_reader reader;
	struct sv_ntfs_raw_run run;
	int more;

	sv_ntfs_raw_runs_begin(&reader, pairs, n, runs->end, clusters);
	while ((more = sv_ntfs_raw_next_run(&reader, &run, err)) > 0) {
		if (end < runs->end || run.length > end - runs->end)
			return bad(&reader, "one goes beyond the last cluster", err);
		if (run.lcn != NTFS_HOLE && run.length > clusters - runs->allocated)
			return bad(&reader, "more clusters than the volume has", err);
		if (append(runs, &run, err) < 0)
			return -1;
		runs->end += run.length;
		runs->allocated += run.lcn == NTFS_HOLE ? 0 : run.length;
	}
	if (!more && runs->end != end)
		return bad(&reader, "they do not end at the last cluster", err);
	return more;
}

const struct sv_ntfs_raw_run *sv_ntfs_runs_at(const struct sv_ntfs_runs *runs, uint64_t vcn)
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
