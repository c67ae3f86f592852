/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing VHDXs. Without a parent a block is stored whole. With one, a block of which a part is
 * written is stored in part: its sectors have bits, and are written whole, so that a part of
 * one is first filled up with what showed there before. vhdx.h tells the order of writes.
 */
#include "image/vhdx/vhdx.h"

#include <string.h>

/* A range within a block, and within the sectors of one page of its bitmap. NULL bytes:
 * zeros. */
struct piece {
	uint64_t block, off, n;
	const uint8_t *bytes;
};

static struct piece piece_at(
	const struct sv_vhdx *v, uint64_t off, uint64_t max, const uint8_t *bytes)
{
	uint64_t unit = SV_VHDX_PAGE * UINT64_C(8) * v->params.sector;
	uint64_t block = v->params.block, rest = block - off % block;

	if (v->params.has_parent)
		rest = SV_MIN(rest, unit - off % unit);
	return (struct piece){off / block, off, SV_MIN(max, rest), bytes};
}

/* Is it all of the block that the guest can see? */
static bool is_whole(const struct sv_vhdx *v, const struct piece *p)
{
	uint64_t start = p->block * v->params.block;

	return p->off == start && p->n == SV_MIN(v->params.block, v->params.size - start);
}

static int write_bytes(
	struct sv_vhdx *v, const struct piece *p, uint64_t at, struct sv_err *err)
{
	at += p->off % v->params.block;
	if (!p->bytes)
		return sv_dev_discard(v->file, at, p->n, err);
	return sv_dev_write(v->file, p->bytes, (size_t)p->n, at, err);
}

/* ---- space ---- */

int sv_vhdx_make_room(struct sv_vhdx *v, uint64_t n, struct sv_err *err)
{
	if (v->next + n > SV_VHDX_FILE_MAX)
		return sv_fail_at(err, SV_NOSPACE, sv_dev_name(v->file), v->next,
			"the file would have more bytes than any disk of 64 TiB takes");
	if (v->tail_used && sv_dev_size(v->file) > v->next &&
		sv_dev_resize(v->file, v->next, err) < 0)
		return -1;
	v->tail_used = true;
	return sv_dev_resize(v->file, v->next + n, err);
}

void sv_vhdx_take_room(struct sv_vhdx *v, uint64_t n)
{
	v->next += n;
	v->tail_used = false;
}

/* ---- sectors and their bits ---- */

/* The sector around `off`, as the parents show it, into the block at `at`. */
static int fill_sector(struct sv_vhdx *v, uint64_t off, uint64_t at, struct sv_err *err)
{
	size_t sector = v->params.sector;
	uint64_t start = sv_align_down(off, sector);
	struct sv_dev *below = v->link.below;
	uint8_t buf[4096] = {0};

	if (below && start < sv_dev_size(below) &&
		sv_dev_read(below, buf, (size_t)SV_MIN(sector, sv_dev_size(below) - start),
			start, err) < 0)
		return -1;
	return sv_dev_write(v->file, buf, sector, at + start % v->params.block, err);
}

static bool has_bit(const uint8_t *bits, uint64_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/* Sectors that the piece covers in part only, and that the block does not have. */
static int fill_ends(struct sv_vhdx *v, const struct piece *p, uint64_t at, const uint8_t *bits,
	uint32_t first, struct sv_err *err)
{
	uint64_t sector = v->params.sector, end = p->off + p->n;
	uint64_t last = first + (end - 1) / sector - p->off / sector;
	bool head = p->off % sector && !has_bit(bits, first);
	bool tail = end % sector && !has_bit(bits, last) && (last != first || !head);

	if (head && fill_sector(v, p->off, at, err) < 0)
		return -1;
	return tail ? fill_sector(v, end - 1, at, err) : 0;
}

static int set_bits(struct sv_vhdx *v, const struct piece *p, struct sv_vhdx_bit bit,
	uint8_t *bits, struct sv_err *err)
{
	uint64_t sector = v->params.sector;
	uint64_t n = (p->off + p->n - 1) / sector - p->off / sector + 1;
	uint64_t first = bit.bit / 8, end = (bit.bit + n - 1) / 8 + 1;
	bool changed = false;

	for (uint64_t i = bit.bit; i < bit.bit + n; i++) {
		changed = changed || !has_bit(bits, i);
		bits[i / 8] |= (uint8_t)(1 << (i % 8));
	}
	if (!changed)
		return 0;
	return sv_vhdx_page_write(
		v, bit.page + first, bits + first, (size_t)(end - first), err);
}

/* The piece into a block that is stored in part at `at`. */
static int write_partial(struct sv_vhdx *v, const struct piece *p, uint64_t at,
	uint64_t bitmap_at, struct sv_err *err)
{
	struct sv_vhdx_bit bit = sv_vhdx_bit_of(v, bitmap_at, p->off);
	uint8_t bits[SV_VHDX_PAGE];

	if (sv_vhdx_page_read(v, bit.page, bits, sizeof bits, err) < 0 ||
		fill_ends(v, p, at, bits, bit.bit, err) < 0 || write_bytes(v, p, at, err) < 0)
		return -1;
	return set_bits(v, p, bit, bits, err);
}

/* ---- new blocks ---- */

/* Stored whole: what is not written is zeros. */
static int add_full(struct sv_vhdx *v, const struct piece *p, struct sv_err *err)
{
	uint64_t at = v->next;

	if (sv_vhdx_make_room(v, v->params.block, err) < 0 || write_bytes(v, p, at, err) < 0)
		return -1;
	sv_vhdx_take_room(v, v->params.block);
	return sv_vhdx_set_entry(v, sv_vhdx_index(&v->params, p->block),
		(struct sv_vhdx_entry){SV_VHDX_FULL, at}, err);
}

/* Bits of earlier days mean nothing while a block is not stored in part. */
static int clear_bits(struct sv_vhdx *v, uint64_t block, uint64_t bitmap_at, struct sv_err *err)
{
	uint64_t bytes = v->params.block / v->params.sector / 8;
	uint64_t covers = SV_VHDX_BITMAP * 8 * v->params.sector;
	uint64_t at = bitmap_at + block * v->params.block % covers / v->params.sector / 8;
	uint8_t bits[SV_VHDX_PAGE];
	size_t n;

	for (uint64_t end = at + bytes; at < end; at += n) {
		n = (size_t)SV_MIN(end - at, SV_VHDX_PAGE - at % SV_VHDX_PAGE);
		if (sv_vhdx_page_read(v, at, bits, n, err) < 0)
			return -1;
		if (sv_is_zero(bits, n))
			continue;
		memset(bits, 0, n);
		if (sv_vhdx_page_write(v, at, bits, n, err) < 0)
			return -1;
	}
	return 0;
}

/* A bitmap of zeros, unless there is one. */
static int find_bitmap(struct sv_vhdx *v, uint64_t block, uint64_t *ret, struct sv_err *err)
{
	struct sv_vhdx_entry e;

	if (sv_vhdx_bitmap_entry(v, block, &e, err) < 0)
		return -1;
	if (e.state != SV_VHDX_FULL) {
		e = (struct sv_vhdx_entry){SV_VHDX_FULL, v->next};
		if (sv_vhdx_make_room(v, SV_VHDX_BITMAP, err) < 0)
			return -1;
		sv_vhdx_take_room(v, SV_VHDX_BITMAP);
		if (sv_vhdx_set_entry(v, sv_vhdx_bitmap_index(&v->params, block), e, err) < 0)
			return -1;
	}
	*ret = e.at;
	return 0;
}

static int add_partial(struct sv_vhdx *v, const struct piece *p, struct sv_err *err)
{
	uint64_t bitmap_at, at;

	if (find_bitmap(v, p->block, &bitmap_at, err) < 0 ||
		clear_bits(v, p->block, bitmap_at, err) < 0)
		return -1;
	at = v->next;
	if (sv_vhdx_make_room(v, v->params.block, err) < 0 ||
		write_partial(v, p, at, bitmap_at, err) < 0)
		return -1;
	sv_vhdx_take_room(v, v->params.block);
	return sv_vhdx_set_entry(v, sv_vhdx_index(&v->params, p->block),
		(struct sv_vhdx_entry){SV_VHDX_PARTIAL, at}, err);
}

/* ---- writing ---- */

static int check_place(const struct sv_vhdx *v, const struct piece *p,
	const struct sv_vhdx_entry *e, struct sv_err *err)
{
	if (sv_in_range(e->at, v->params.block, sv_dev_size(v->file)))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file),
		sv_vhdx_entry_at(v, sv_vhdx_index(&v->params, p->block)),
		"block %llu at byte %llu ends beyond the end of the file (%llu)",
		(unsigned long long)p->block, (unsigned long long)e->at,
		(unsigned long long)sv_dev_size(v->file));
}

static int write_present(struct sv_vhdx *v, const struct piece *p,
	const struct sv_vhdx_entry *e, struct sv_err *err)
{
	struct sv_vhdx_entry bitmap;

	if (check_place(v, p, e, err) < 0)
		return -1;
	if (e->state == SV_VHDX_FULL)
		return write_bytes(v, p, e->at, err);
	if (is_whole(v, p)) {
		if (write_bytes(v, p, e->at, err) < 0)
			return -1;
		return sv_vhdx_set_entry(v, sv_vhdx_index(&v->params, p->block),
			(struct sv_vhdx_entry){SV_VHDX_FULL, e->at}, err);
	}
	if (sv_vhdx_bitmap_entry(v, p->block, &bitmap, err) < 0)
		return -1;
	if (bitmap.state == SV_VHDX_FULL)
		return write_partial(v, p, e->at, bitmap.at, err);
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file),
		sv_vhdx_entry_at(v, sv_vhdx_bitmap_index(&v->params, p->block)),
		"block %llu is stored in part, but its sector bitmap is missing",
		(unsigned long long)p->block);
}

static int write_piece(struct sv_vhdx *v, const struct piece *p, struct sv_err *err)
{
	struct sv_vhdx_entry e;

	if (sv_vhdx_reserve(v, err) < 0 || sv_vhdx_block_entry(v, p->block, &e, err) < 0)
		return -1;
	if (sv_vhdx_has_place(e.state))
		return write_present(v, p, &e, err);
	if (v->params.has_parent && e.state == SV_VHDX_NOT_PRESENT && !is_whole(v, p))
		return add_partial(v, p, err);
	return add_full(v, p, err);
}

static int write_range(
	struct sv_vhdx *v, const uint8_t *bytes, uint64_t n, uint64_t off, struct sv_err *err)
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

int sv_vhdx_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct sv_vhdx *v = sv_vhdx_of(l);

	return sv_vhdx_begin(v, err) < 0 ? -1 : write_range(v, buf, n, off, err);
}

/* ---- discard ---- */

/* How far from off the parents show zeros; 0 where they do not. */
static int zeros_below(
	struct sv_vhdx *v, uint64_t off, uint64_t len, uint64_t *ret, struct sv_err *err)
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

/* A whole block of zeros; one that has space keeps it, which is zeros when this is committed.
 */
static int mark_zero(struct sv_vhdx *v, const struct piece *p, struct sv_err *err)
{
	struct sv_vhdx_entry e;

	if (sv_vhdx_reserve(v, err) < 0 || sv_vhdx_block_entry(v, p->block, &e, err) < 0)
		return -1;
	if (!sv_vhdx_has_place(e.state))
		e = (struct sv_vhdx_entry){SV_VHDX_ZERO, 0};
	else if (check_place(v, p, &e, err) < 0 ||
		 sv_dev_discard(v->file, e.at, v->params.block, err) < 0)
		return -1;
	else
		e.state = SV_VHDX_FULL;
	return sv_vhdx_set_entry(v, sv_vhdx_index(&v->params, p->block), e, err);
}

/* What the parents have: nothing needs to be done where they show zeros. */
static int discard_below(
	struct sv_vhdx *v, const struct piece *p, uint64_t *len, struct sv_err *err)
{
	uint64_t zeros;

	if (zeros_below(v, p->off, *len, &zeros, err) < 0)
		return -1;
	if (zeros) {
		*len = zeros;
		return 0;
	}
	if (is_whole(v, p)) {
		*len = p->n;
		return mark_zero(v, p, err);
	}
	return write_range(v, NULL, *len, p->off, err);
}

/* One run of what this link does, or does not, store: *len is cut to what was done. */
static int discard_run(struct sv_vhdx *v, uint64_t off, uint64_t *len, struct sv_err *err)
{
	struct piece p = piece_at(v, off, *len, NULL);
	struct sv_run run;

	if (sv_vhdx_map(&v->link, off, *len, false, &run, err) < 0)
		return -1;
	*len = run.length;
	if (run.kind == SV_RUN_ZERO)
		return 0;
	if (run.kind == SV_RUN_ABSENT)
		return discard_below(v, &p, len, err);
	if (run.length >= p.n || !is_whole(v, &p))
		return sv_dev_discard(v->file, run.host_offset, run.length, err);
	*len = p.n;
	return mark_zero(v, &p, err);
}

int sv_vhdx_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct sv_vhdx *v = sv_vhdx_of(l);

	if (sv_vhdx_begin(v, err) < 0)
		return -1;
	while (len) {
		uint64_t done = len;

		if (discard_run(v, off, &done, err) < 0)
			return -1;
		off += done;
		len -= done;
	}
	return 0;
}
