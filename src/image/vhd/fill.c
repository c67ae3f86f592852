/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filling new VHDs (driver.h): blocks get places behind each other, each with the bitmap of a
 * block that is there from end to end; the footer goes behind the last of them, and the table
 * is written by the flush. A fixed image has every place already.
 */
#include "image/vhd/vhd.h"

#define UNIT (64 * SV_KIB)

int sv_vhd_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err)
{
	struct sv_vhd *v = (struct sv_vhd *)l;
	bool fixed = v->footer.type == SV_VHD_FIXED;

	(void)data;
	(void)err;
	v->dirty = true;
	*ret_unit = (uint32_t)(fixed ? 4 * SV_KIB : SV_MIN(v->header.block_size, UNIT));
	return 0;
}

int sv_vhd_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	struct sv_vhd *v = (struct sv_vhd *)l;
	uint64_t block, in;

	if (v->footer.type == SV_VHD_FIXED) {
		*ret = (struct sv_run){len, SV_RUN_DATA, off, v->file};
		return 0;
	}
	block = off / v->header.block_size;
	in = off % v->header.block_size;
	if (v->bat[block] == SV_VHD_FREE && sv_vhd_place_block(v, block, err) < 0)
		return -1;
	*ret = (struct sv_run){SV_MIN(len, v->header.block_size - in), SV_RUN_DATA,
		sv_vhd_data_at(v, block) + in, v->file};
	return 0;
}

int sv_vhd_fill_end(struct sv_link *l, struct sv_err *err)
{
	struct sv_vhd *v = (struct sv_vhd *)l;

	if (v->footer.type == SV_VHD_FIXED)
		return 0;
	if (sv_dev_resize(v->file, v->next + SV_VHD_FOOTER_SIZE, err) < 0)
		return -1;
	return sv_vhd_write_footer(v, v->next, err);
}
