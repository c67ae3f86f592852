/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing VHDs. A sector of a block is stored when its bit is set; sectors are stored whole,
 * so that a part of one is first filled up with what showed there before. vhd.h tells the
 * order of writes.
 */
#include "image/vhd/vhd.h"

#include <string.h>

/* Blocks' data begin at multiples of this, which host blocks and reflinks like. */
#define DATA_ALIGN 4096

int sv_vhd_write_footer(struct sv_vhd *v, uint64_t at, struct sv_err *err)
{
	return sv_dev_write(v->file, &v->disk_footer, sizeof v->disk_footer, at, err);
}

int sv_vhd_begin_change(struct sv_vhd *v, struct sv_err *err)
{
	bool fixed = v->footer.type == SV_VHD_FIXED;

	v->dirty = true;
	if (fixed)
		return 0;
	if (v->front_bad &&
		(sv_vhd_write_footer(v, 0, err) < 0 || sv_dev_flush(v->file, err) < 0))
		return -1;
	if (v->end_bad && (sv_dev_resize(v->file, v->next + SV_VHD_FOOTER_SIZE, err) < 0 ||
				  sv_vhd_write_footer(v, v->next, err) < 0 ||
				  sv_dev_flush(v->file, err) < 0))
		return -1;
	v->front_bad = v->end_bad = false;
	return 0;
}

/* ---- new blocks ---- */

static int write_new_bitmap(struct sv_vhd *v, uint64_t at, struct sv_err *err)
{
	size_t n = (size_t)v->header.bitmap_size; /* at most 64 KiB */
	sv_autofree uint8_t *bytes = malloc(n);

	if (!bytes)
		return sv_fail_nomem(err);
	/* the block reads as zeros: without a parent that is the truth of all its sectors */
	memset(bytes, v->footer.type == SV_VHD_DYNAMIC ? 0xff : 0, n);
	return sv_dev_write(v->file, bytes, n, at, err);
}

/* Where the next block's data go, and where its bitmap. */
static int next_place(
	const struct sv_vhd *v, uint64_t *ret_at, uint64_t *ret_data, struct sv_err *err)
{
	uint64_t bitmap = v->header.bitmap_size;

	*ret_data = sv_align_up(v->next + bitmap, DATA_ALIGN);
	*ret_at = *ret_data - bitmap;
	if (*ret_at / SV_SECTOR < SV_VHD_FREE)
		return 0;
	return sv_fail_at(err, SV_NOSPACE, sv_dev_name(v->file), *ret_at,
		"a dynamic VHD file holds at most 2 TiB");
}

static int take_place(
	struct sv_vhd *v, uint64_t block, uint64_t at, uint64_t data, struct sv_err *err)
{
	if (write_new_bitmap(v, at, err) < 0 || sv_vhd_add_fresh(v, block, err) < 0)
		return -1;
	v->bat[block] = (uint32_t)(at / SV_SECTOR);
	v->next = data + v->header.block_size;
	return 0;
}

static int add_block(struct sv_vhd *v, uint64_t block, struct sv_err *err)
{
	uint64_t at, data, end;

	if (next_place(v, &at, &data, err) < 0)
		return -1;
	end = data + v->header.block_size;
	if (sv_dev_resize(v->file, end + SV_VHD_FOOTER_SIZE, err) < 0 ||
		sv_vhd_write_footer(v, end, err) < 0)
		return -1;
	return take_place(v, block, at, data, err);
}

int sv_vhd_place_block(struct sv_vhd *v, uint64_t block, struct sv_err *err)
{
	uint64_t at, data;

	if (next_place(v, &at, &data, err) < 0 ||
		sv_fill_reach(v->file, data + v->header.block_size, err) < 0)
		return -1;
	return take_place(v, block, at, data, err);
}

/* ---- writing ---- */

/* A range within one unit of a block's bitmap. NULL bytes: zeros. */
struct piece {
	uint64_t block, unit, in_unit; /* in_unit: byte offset from the unit's first sector */
	uint64_t off, n;
	const uint8_t *bytes;
};

static struct piece piece_at(
	const struct sv_vhd *v, uint64_t off, uint64_t max, const uint8_t *bytes)
{
	const uint64_t unit_bytes = SV_SECTOR * 8 * SV_SECTOR; /* 2 MiB */
	uint64_t block = off / v->header.block_size, in = off % v->header.block_size;
	uint64_t rest = SV_MIN(v->header.block_size - in, unit_bytes - in % unit_bytes);

	return (struct piece){
		block, in / unit_bytes, in % unit_bytes, off, SV_MIN(max, rest), bytes};
}

/* The sector around `off`, as the guest sees it without this block, into the block. */
static int fill_sector(struct sv_vhd *v, uint64_t off, uint64_t at, struct sv_err *err)
{
	uint64_t start = sv_align_down(off, SV_SECTOR);
	struct sv_dev *below = v->link.below;
	uint8_t sector[SV_SECTOR] = {0};

	if (below && start < sv_dev_size(below) &&
		sv_dev_read(below, sector,
			(size_t)SV_MIN(SV_SECTOR, sv_dev_size(below) - start), start, err) < 0)
		return -1;
	return sv_dev_write(v->file, sector, sizeof sector, at - (off - start), err);
}

static int fill_ends(struct sv_vhd *v, const struct piece *p, uint64_t at, struct sv_err *err)
{
	uint64_t last = p->in_unit + p->n - 1;
	uint8_t bits[SV_SECTOR];

	if (p->in_unit % SV_SECTOR == 0 && p->n % SV_SECTOR == 0)
		return 0;
	if (sv_vhd_bits_get(v, p->block, p->unit, bits, err) < 0)
		return -1;
	if (p->in_unit % SV_SECTOR && !sv_vhd_bit(bits, p->in_unit / SV_SECTOR) &&
		fill_sector(v, p->off, at, err) < 0)
		return -1;
	if ((last + 1) % SV_SECTOR == 0 || sv_vhd_bit(bits, last / SV_SECTOR))
		return 0;
	if (p->in_unit % SV_SECTOR && last / SV_SECTOR == p->in_unit / SV_SECTOR)
		return 0; /* the same sector */
	return fill_sector(v, p->off + p->n - 1, at + p->n - 1, err);
}

static int write_piece(struct sv_vhd *v, const struct piece *p, struct sv_err *err)
{
	uint64_t first = p->in_unit / SV_SECTOR, at;
	uint64_t end = sv_div_up(p->in_unit + p->n, SV_SECTOR);
	bool fresh = v->bat[p->block] == SV_VHD_FREE;

	if ((fresh ? add_block(v, p->block, err)
		   : sv_vhd_check_place(
			     v, p->block, p->off % v->header.block_size, p->n, err)) < 0)
		return -1;
	at = sv_vhd_data_at(v, p->block) + p->off % v->header.block_size;
	if (fill_ends(v, p, at, err) < 0)
		return -1;
	if ((p->bytes ? sv_dev_write(v->file, p->bytes, (size_t)p->n, at, err)
		      : sv_dev_discard(v->file, at, p->n, err)) < 0)
		return -1;
	return sv_vhd_bits_set(v, p->block, p->unit, first, end - first, err);
}

static int write_range(
	struct sv_vhd *v, const uint8_t *bytes, uint64_t n, uint64_t off, struct sv_err *err)
{
	while (n) {
		struct piece p = piece_at(v, off, n, bytes);

		if (write_piece(v, &p, err) < 0)
			return -1;
		bytes = bytes ? bytes + p.n : NULL;
		off += p.n;
		n -= p.n;
	}
	return 0;
}

int sv_vhd_write(struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct sv_vhd *v = (struct sv_vhd *)l;

	if (sv_vhd_begin_change(v, err) < 0)
		return -1;
	if (v->footer.type == SV_VHD_FIXED)
		return sv_dev_write(v->file, buf, n, off, err);
	return write_range(v, buf, n, off, err);
}

/* ---- discard ---- */

/* How far from off the parents show zeros; 0 where they do not. */
static int zeros_below(
	struct sv_vhd *v, uint64_t off, uint64_t len, uint64_t *ret, struct sv_err *err)
{
	struct sv_dev *below = v->link.below;
	struct sv_extent e;

	*ret = len;
	if (!below || off >= sv_dev_size(below))
		return 0;
	if (sv_dev_extent(below, off, len, &e, err) < 0)
		return -1;
	*ret = e.kind == SV_EXTENT_DATA ? 0 : e.length;
	return 0;
}

/* One run of what this link does not store, or does: *len is cut to what was done. */
static int discard_run(struct sv_vhd *v, uint64_t off, uint64_t *len, struct sv_err *err)
{
	struct sv_run run;
	uint64_t zeros = 0;

	if (sv_vhd_map(&v->link, off, *len, false, &run, err) < 0)
		return -1;
	*len = run.length;
	if (run.kind == SV_RUN_DATA)
		return sv_dev_discard(v->file, run.host_offset, run.length, err);
	if (zeros_below(v, off, run.length, &zeros, err) < 0)
		return -1;
	if (zeros) {
		*len = zeros;
		return 0;
	}
	return write_range(v, NULL, run.length, off, err);
}

int sv_vhd_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct sv_vhd *v = (struct sv_vhd *)l;

	if (sv_vhd_begin_change(v, err) < 0)
		return -1;
	if (v->footer.type == SV_VHD_FIXED)
		return sv_dev_discard(v->file, off, len, err);
	while (len) {
		uint64_t done = len;

		if (discard_run(v, off, &done, err) < 0)
			return -1;
		off += done;
		len -= done;
	}
	return 0;
}
