/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filling new Parallels disks (driver.h), piece by piece: clusters get places behind each
 * other; the BAT is written by the flush at the end. A plain piece has every place already.
 */
#include "image/parallels/parallels.h"

#include "base/num.h"

#define PLAIN_UNIT (4 * SV_KIB)

static uint32_t unit_of(const struct sv_prl_part *part)
{
	uint64_t cluster = part->hds ? part->hds->h.cluster : PLAIN_UNIT;

	return sv_is_pow2(cluster) && cluster >= SV_SECTOR
		       ? (uint32_t)SV_MIN(cluster, 64 * SV_KIB)
		       : SV_SECTOR;
}

int sv_prl_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err)
{
	struct sv_prl *p = sv_prl_of(l);

	(void)data;
	(void)err;
	*ret_unit = 64 * SV_KIB;
	for (size_t i = 0; i < p->n_parts; i++) {
		*ret_unit = SV_MIN(*ret_unit, unit_of(&p->parts[i]));
		if (p->parts[i].hds)
			p->parts[i].hds->filling = true;
	}
	return 0;
}

static int place_in_cluster(
	struct sv_hds *h, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	uint64_t i = off / h->h.cluster, in = off % h->h.cluster, at;

	if (!h->bat[i] &&
		(sv_hds_new_cluster(h, &at, err) < 0 || sv_hds_set_entry(h, i, at, err) < 0))
		return -1;
	*ret = (struct sv_run){SV_MIN(len, h->h.cluster - in), SV_RUN_DATA,
		sv_hds_cluster_at(h, i) + in, h->file};
	return 0;
}

int sv_prl_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	struct sv_prl_part *part = sv_prl_part_at(sv_prl_of(l), off);

	off -= part->start;
	len = SV_MIN(len, part->length - off);
	part->dirty = true;
	if (part->hds)
		return place_in_cluster(part->hds, off, len, ret, err);
	*ret = (struct sv_run){len, SV_RUN_DATA, off, part->file};
	return 0;
}

/* A file that nothing was put into is as short as it was made. */
static int end_part(struct sv_hds *h, struct sv_err *err)
{
	uint64_t end = sv_hds_place_at(&h->h, h->space.n);

	h->filling = false;
	return h->dirty && sv_dev_size(h->file) > end ? sv_dev_resize(h->file, end, err) : 0;
}

int sv_prl_fill_end(struct sv_link *l, struct sv_err *err)
{
	struct sv_prl *p = sv_prl_of(l);

	for (size_t i = 0; i < p->n_parts; i++) {
		if (p->parts[i].hds && end_part(p->parts[i].hds, err) < 0)
			return -1;
	}
	return 0;
}
