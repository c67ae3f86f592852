/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filling new VHDXs (driver.h): blocks get places behind each other. Nobody else has seen the
 * disk, so that its ids stay and its table is written without the log.
 */
#include "image/vhdx/vhdx.h"

#define FILL_UNIT (4 * SV_KIB)

/* Pages of the table that are kept before they are written. */
#define FILL_PAGES 128

int sv_vhdx_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err)
{
	(void)data;
	(void)err;
	sv_vhdx_of(l)->begun = true;
	*ret_unit = FILL_UNIT;
	return 0;
}

static int add_block(
	struct sv_vhdx *v, uint64_t block, struct sv_vhdx_entry *ret, struct sv_err *err)
{
	uint64_t end = v->next + v->params.block;

	*ret = (struct sv_vhdx_entry){SV_VHDX_FULL, v->next};
	if (end > SV_VHDX_FILE_MAX)
		return sv_fail_at(err, SV_NOSPACE, sv_dev_name(v->file), v->next,
			"the file would have more bytes than any disk of 64 TiB takes");
	if (sv_fill_reach(v->file, end, err) < 0)
		return -1;
	if (sv_pagemap_count(v->pending) >= FILL_PAGES && sv_vhdx_pages_apply(v, err) < 0)
		return -1;
	v->next = end;
	return sv_vhdx_set_entry(v, sv_vhdx_index(&v->params, block), *ret, err);
}

int sv_vhdx_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	struct sv_vhdx *v = sv_vhdx_of(l);
	uint64_t block = off / v->params.block, in = off % v->params.block;
	struct sv_vhdx_entry e;

	if (sv_vhdx_block_entry(v, block, &e, err) < 0 ||
		(!sv_vhdx_has_place(e.state) && add_block(v, block, &e, err) < 0))
		return -1;
	*ret = (struct sv_run){
		SV_MIN(len, v->params.block - in), SV_RUN_DATA, e.at + in, v->file};
	return 0;
}

int sv_vhdx_fill_end(struct sv_link *l, struct sv_err *err)
{
	struct sv_vhdx *v = sv_vhdx_of(l);

	if (sv_vhdx_pages_apply(v, err) < 0)
		return -1;
	return sv_dev_size(v->file) > v->next ? sv_dev_resize(v->file, v->next, err) : 0;
}
