/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filling new VDIs (driver.h): blocks get places behind each other; the map is written by the
 * flush at the end. */
#include "image/vdi/vdi.h"

int sv_vdi_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err)
{
	struct sv_vdi *v = (struct sv_vdi *)l;

	(void)data;
	(void)err;
	/* a new image has a new modification id already */
	v->dirty = v->marked = true;
	*ret_unit = (uint32_t)SV_MIN(v->header.block_size, 64 * SV_KIB);
	return 0;
}

static int take_place(struct sv_vdi *v, uint64_t block, struct sv_err *err)
{
	if (sv_vdi_is_place(v->map[block]))
		return 0;
	if (v->next >= SV_VDI_BLOCKS_MAX)
		return sv_fail_at(err, SV_NOSPACE, sv_dev_name(v->file),
			sv_vdi_place_at(v, v->next), "the VDI has no place for another block");
	if (sv_fill_reach(v->file, sv_vdi_place_at(v, v->next + UINT64_C(1)), err) < 0)
		return -1;
	return sv_vdi_set_entry(v, block, v->next++, err);
}

int sv_vdi_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	struct sv_vdi *v = (struct sv_vdi *)l;
	uint64_t size = v->header.block_size, block = off / size, in = off % size;

	if (take_place(v, block, err) < 0)
		return -1;
	*ret = (struct sv_run){SV_MIN(len, size - in), SV_RUN_DATA,
		sv_vdi_place_at(v, v->map[block]) + in, v->file};
	return 0;
}

int sv_vdi_fill_end(struct sv_link *l, struct sv_err *err)
{
	struct sv_vdi *v = (struct sv_vdi *)l;
	uint64_t end = sv_vdi_place_at(v, v->next);

	return sv_dev_size(v->file) > end ? sv_dev_resize(v->file, end, err) : 0;
}
