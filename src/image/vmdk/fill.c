/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filling new VMDKs (driver.h): grains get places behind each other, and the tables' entries
 * are written as they come, as many in one go as lie together. Flat extents have every place
 * already.
 */
#include "image/vmdk/vmdk.h"

#include <string.h>

#define FLAT_UNIT (4 * SV_KIB)

int sv_vmdk_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err)
{
	struct sv_vmdk *v = (struct sv_vmdk *)l;

	*ret_unit = FLAT_UNIT;
	for (size_t i = 0; i < v->n_parts; i++) {
		struct sv_vmdk_part *p = &v->parts[i];

		if (!p->sparse)
			continue;
		*ret_unit = (uint32_t)SV_MIN(p->sparse->grain_bytes, 64 * SV_KIB);
		if (sv_vmdk_sparse_fill_begin(p->sparse, SV_MIN(data, p->length), err) < 0)
			return -1;
	}
	return 0;
}

int sv_vmdk_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	struct sv_vmdk_part *p = sv_vmdk_part_at((struct sv_vmdk *)l, off);

	off -= p->start;
	len = SV_MIN(len, p->length - off);
	if (p->sparse)
		return sv_vmdk_sparse_place(p->sparse, off, len, ret, err);
	p->dirty = true;
	*ret = (struct sv_run){len, SV_RUN_DATA, p->flat_at + off, p->file};
	return 0;
}

int sv_vmdk_fill_end(struct sv_link *l, struct sv_err *err)
{
	struct sv_vmdk *v = (struct sv_vmdk *)l;

	for (size_t i = 0; i < v->n_parts; i++) {
		if (v->parts[i].sparse && sv_vmdk_sparse_fill_end(v->parts[i].sparse, err) < 0)
			return -1;
	}
	return 0;
}
