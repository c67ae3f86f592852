/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Claims on clusters, as a sorted list of runs. */
#include "fs/ntfs/claims.h"

#include "base/num.h"

#include <stdlib.h>

int sv_ntfs_claims_new(size_t max, struct sv_ntfs_claims *ret, struct sv_err *err)
{
	*ret = (struct sv_ntfs_claims){.max = max};
	ret->list = calloc(max, sizeof *ret->list);
	return ret->list ? 0 : sv_fail_nomem(err);
}

void sv_ntfs_claims_free(struct sv_ntfs_claims *c)
{
	free(c->list);
	c->list = NULL;
}

void sv_ntfs_claims_begin(struct sv_ntfs_claims *c, uint64_t low, uint64_t high)
{
	c->count = 0;
	c->low = low;
	c->high = high;
}

static int by_cluster(const void *a, const void *b)
{
	const struct sv_ntfs_claim *x = a, *y = b;

	return x->lcn < y->lcn ? -1 : x->lcn > y->lcn;
}

int sv_ntfs_claims_sort(struct sv_ntfs_claims *c, struct sv_err *err)
{
	qsort(c->list, c->count, sizeof *c->list, by_cluster);
	for (size_t i = 1; i < c->count; i++) {
		const struct sv_ntfs_claim *a = &c->list[i - 1], *b = &c->list[i];

		if ((uint64_t)a->lcn + a->length > b->lcn)
			return sv_fail(err, SV_CORRUPT, NULL,
				"cluster %u is used twice, by MFT records %u and %u", b->lcn,
				SV_MIN(a->record, b->record), SV_MAX(a->record, b->record));
	}
	return 0;
}

/* Keeps the lower half. No two claims overlap, so that the window shrinks by at least one
 * cluster and keeps at least one. */
static int halve(struct sv_ntfs_claims *c, struct sv_err *err)
{
	struct sv_ntfs_claim *last;

	if (sv_ntfs_claims_sort(c, err) < 0)
		return -1;
	c->count /= 2;
	c->high = c->list[c->count].lcn;
	last = &c->list[c->count - 1];
	last->length = (uint32_t)SV_MIN(last->length, c->high - last->lcn);
	return 0;
}

int sv_ntfs_claim(struct sv_ntfs_claims *c, uint64_t lcn, uint64_t length, uint64_t record,
	struct sv_err *err)
{
	uint64_t end;

	if (c->count == c->max && halve(c, err) < 0)
		return -1;
	end = SV_MIN(lcn + length, c->high);
	lcn = SV_MAX(lcn, c->low);
	if (lcn >= end)
		return 0;
	c->list[c->count++] =
		(struct sv_ntfs_claim){(uint32_t)lcn, (uint32_t)(end - lcn), (uint32_t)record};
	return 0;
}
