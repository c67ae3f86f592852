/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bitmaps of new block groups, and of the group that was the last: Linux,
 * Documentation/filesystems/ext4/bitmaps.rst and checksums.rst. What lies beyond the end of a
 * group is marked as used. An inode table that nobody would clear later is made zeros.
 */
#include "fs/ext/growth.h"

#include "base/num.h"

#include <string.h>

#define PIECE (64 * SV_KIB)

static void set_bits(uint8_t *bits, uint32_t from, uint32_t to, bool value)
{
	for (uint32_t i = from; i < to; i++) {
		if (i % 8 == 0 && to - i >= 8) {
			bits[i / 8] = value ? 0xff : 0;
			i += 7;
		} else if (value) {
			bits[i / 8] |= (uint8_t)(1u << i % 8);
		} else {
			bits[i / 8] &= (uint8_t) ~(1u << i % 8);
		}
	}
}

/* Marks the blocks [start, start + n) as far as they lie in the group. */
static void mark(
	const struct sv_ext_super *s, uint8_t *bits, uint32_t group, uint64_t start, uint32_t n)
{
	uint32_t inside = sv_ext_overlap(s, group, start, n);
	uint64_t first = sv_ext_first_block(s, group);
	uint32_t from = start > first ? (uint32_t)(start - first) : 0;

	if (inside)
		set_bits(bits, from, from + inside, true);
}

static void mark_tables(
	const struct sv_ext_growth *g, uint8_t *bits, uint32_t group, uint32_t i)
{
	struct ext_group d = sv_ext_get_descriptor(g, i);

	mark(&g->now, bits, group, sv_ext_join32(d.block_bitmap_lo, d.block_bitmap_hi), 1);
	mark(&g->now, bits, group, sv_ext_join32(d.inode_bitmap_lo, d.inode_bitmap_hi), 1);
	mark(&g->now, bits, group, sv_ext_join32(d.inode_table_lo, d.inode_table_hi),
		g->inode_table_blocks);
}

static int put_block_bitmap(
	struct sv_ext_growth *g, struct ext_group *d, const uint8_t *bits, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;
	uint32_t crc = sv_ext_crc(s->seed, bits, s->blocks_per_group / 8);

	if (s->checksums) {
		d->block_bitmap_csum_lo = sv_put_le16((uint16_t)crc);
		d->block_bitmap_csum_hi = sv_put_le16((uint16_t)(crc >> 16));
	}
	return sv_dev_write(g->dev, bits, s->block_size,
		sv_ext_join32(d->block_bitmap_lo, d->block_bitmap_hi) * s->block_size, err);
}

static int write_block_bitmap(struct sv_ext_growth *g, uint32_t group, uint8_t *bits,
	struct ext_group *d, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;
	uint32_t first = SV_MAX(g->old.groups, group / g->flex * g->flex);
	uint32_t end = SV_MIN(s->groups, (group / g->flex + 1) * g->flex);

	memset(bits, 0, s->block_size);
	set_bits(bits, 0, sv_ext_head_blocks(g, group), true);
	set_bits(bits, sv_ext_group_blocks(s, group), 8 * s->block_size, true);
	for (uint32_t i = first; i < end; i++)
		mark_tables(g, bits, group, i);
	return put_block_bitmap(g, d, bits, err);
}

static int write_inode_bitmap(
	struct sv_ext_growth *g, uint8_t *bits, const struct ext_group *d, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;

	memset(bits, 0, s->block_size);
	set_bits(bits, s->inodes_per_group, 8 * s->block_size, true);
	return sv_dev_write(g->dev, bits, s->block_size,
		sv_ext_join32(d->inode_bitmap_lo, d->inode_bitmap_hi) * s->block_size, err);
}

/* Makes a range read as zeros; what does so already is not written. */
static int clear(
	struct sv_dev *dev, uint64_t off, uint64_t len, struct sv_job *job, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(PIECE);
	struct sv_extent e;

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t end = off + len; off < end; off += e.length) {
		if (sv_job_check(job, err) < 0 ||
			sv_dev_extent(dev, off, SV_MIN(end - off, PIECE), &e, err) < 0)
			return -1;
		if (e.kind != SV_EXTENT_DATA)
			continue;
		if (sv_dev_read(dev, buf, (size_t)e.length, off, err) < 0)
			return -1;
		if (sv_is_zero(buf, (size_t)e.length))
			continue;
		memset(buf, 0, (size_t)e.length);
		if (sv_dev_write(dev, buf, (size_t)e.length, off, err) < 0)
			return -1;
	}
	return 0;
}

static int write_group(struct sv_ext_growth *g, uint32_t group, uint8_t *bits,
	struct sv_job *job, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;
	struct ext_group d = sv_ext_get_descriptor(g, group);
	uint16_t flags = sv_get_le16(d.flags);

	if (!(flags & EXT_GROUP_BLOCK_UNINIT) &&
		write_block_bitmap(g, group, bits, &d, err) < 0)
		return -1;
	sv_ext_put_descriptor(g, group, &d);
	if (flags & EXT_GROUP_INODE_UNINIT)
		return 0;
	if (write_inode_bitmap(g, bits, &d, err) < 0)
		return -1;
	return clear(g->dev, sv_ext_join32(d.inode_table_lo, d.inode_table_hi) * s->block_size,
		(uint64_t)g->inode_table_blocks * s->block_size, job, err);
}

/* The group that was the last may have been short: the blocks behind its end are free now. */
static int lengthen_last(struct sv_ext_growth *g, uint8_t *bits, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;
	uint32_t group = g->old.groups - 1;
	uint32_t had = sv_ext_group_blocks(&g->old, group), has = sv_ext_group_blocks(s, group);
	struct ext_group d = sv_ext_get_descriptor(g, group);
	uint32_t unused = sv_ext_join16(d.free_blocks_lo, d.free_blocks_hi) + has - had;

	if (has == had)
		return 0;
	d.free_blocks_lo = sv_put_le16((uint16_t)unused);
	d.free_blocks_hi = sv_put_le16((uint16_t)(unused >> 16));
	if (!g->sums || !(sv_get_le16(d.flags) & EXT_GROUP_BLOCK_UNINIT)) {
		uint64_t block = sv_ext_join32(d.block_bitmap_lo, d.block_bitmap_hi);

		if (sv_dev_read(g->dev, bits, s->block_size, block * s->block_size, err) < 0)
			return -1;
		set_bits(bits, had, has, false);
		set_bits(bits, has, 8 * s->block_size, true);
		if (put_block_bitmap(g, &d, bits, err) < 0)
			return -1;
	}
	sv_ext_put_descriptor(g, group, &d);
	return 0;
}

int sv_ext_write_groups(struct sv_ext_growth *g, struct sv_job *job, struct sv_err *err)
{
	sv_autofree uint8_t *bits = malloc(g->now.block_size);

	if (!bits)
		return sv_fail_nomem(err);
	if (lengthen_last(g, bits, err) < 0)
		return -1;
	for (uint32_t i = g->old.groups; i < g->now.groups; i++) {
		if (sv_job_check(job, err) < 0 || write_group(g, i, bits, job, err) < 0)
			return -1;
	}
	return 0;
}
