/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the bitmaps and inode tables of new block groups lie, and their descriptors: Linux,
 * Documentation/filesystems/ext4/blockgroup.rst. With flexible groups the tables of several lie
 * one after the other from the first of them on, around the copies of the superblock; without,
 * each group holds its own.
 */
#include "fs/ext/growth.h"

#include "base/num.h"

/* n blocks from *next on, over which no group's head lies. */
static uint64_t take(const struct sv_ext_growth *g, uint64_t *next, uint32_t n)
{
	const struct sv_ext_super *s = &g->now;
	uint64_t group = (*next - s->first_data_block) / s->blocks_per_group, at;

	for (; group < s->groups; group++) {
		uint64_t start = sv_ext_first_block(s, (uint32_t)group);
		uint32_t head = sv_ext_head_blocks(g, (uint32_t)group);

		if (head && *next<start + head && * next + n> start)
			*next = start + head;
		if (*next + n <= start + s->blocks_per_group)
			break;
	}
	at = *next;
	*next += n;
	return at;
}

static void place_tables(struct sv_ext_growth *g, uint32_t first, uint32_t end, uint64_t *next)
{
	enum { BLOCK_BITMAP, INODE_BITMAP, INODE_TABLE, KINDS };

	*next = sv_ext_first_block(&g->now, first);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (uint32_t i = first; i < end; i++) {
			struct ext_group d = sv_ext_get_descriptor(g, i);
			uint64_t at =
				take(g, next, kind == INODE_TABLE ? g->inode_table_blocks : 1);
			sv_le32 lo = sv_put_le32((uint32_t)at);
			sv_le32 hi = sv_put_le32((uint32_t)(at >> 32));

			switch (kind) {
			case BLOCK_BITMAP:
				d.block_bitmap_lo = lo, d.block_bitmap_hi = hi;
				break;
			case INODE_BITMAP:
				d.inode_bitmap_lo = lo, d.inode_bitmap_hi = hi;
				break;
			default:
				d.inode_table_lo = lo, d.inode_table_hi = hi;
			}
			sv_ext_put_descriptor(g, i, &d);
		}
	}
}

/* Of a run of groups whose tables lie together: how many blocks of `group` they take. */
static uint32_t taken_by(
	const struct sv_ext_growth *g, uint32_t group, uint32_t first, uint32_t end)
{
	const struct sv_ext_super *s = &g->now;
	uint32_t n = 0;

	for (uint32_t i = first; i < end; i++) {
		struct ext_group d = sv_ext_get_descriptor(g, i);

		n += sv_ext_overlap(
			s, group, sv_ext_join32(d.block_bitmap_lo, d.block_bitmap_hi), 1);
		n += sv_ext_overlap(
			s, group, sv_ext_join32(d.inode_bitmap_lo, d.inode_bitmap_hi), 1);
		n += sv_ext_overlap(s, group, sv_ext_join32(d.inode_table_lo, d.inode_table_hi),
			g->inode_table_blocks);
	}
	return n;
}

static bool is_hole(struct sv_dev *dev, uint64_t off, uint64_t len)
{
	struct sv_extent e;

	for (uint64_t end = SV_MIN(off + len, sv_dev_size(dev)); off < end; off += e.length)
		if (sv_dev_extent(dev, off, end - off, &e, NULL) < 0 ||
			e.kind == SV_EXTENT_DATA)
			return false;
	return true;
}

/* A group is left unwritten where the file system has a mark for it: its inode table always,
 * its block bitmap where none of its blocks is in use. The last group's is always written. */
static uint16_t flags_of(const struct sv_ext_growth *g, uint32_t group, uint32_t used)
{
	struct ext_group d = sv_ext_get_descriptor(g, group);
	uint16_t flags = EXT_GROUP_INODE_UNINIT;

	if (!g->sums)
		return 0;
	if (!used && group != g->now.groups - 1)
		flags |= EXT_GROUP_BLOCK_UNINIT;
	if (is_hole(g->dev,
		    sv_ext_join32(d.inode_table_lo, d.inode_table_hi) * g->now.block_size,
		    (uint64_t)g->inode_table_blocks * g->now.block_size))
		flags |= EXT_GROUP_INODE_ZEROED;
	return flags;
}

static void describe(struct sv_ext_growth *g, uint32_t group, uint32_t first, uint32_t end)
{
	struct ext_group d = sv_ext_get_descriptor(g, group);
	uint32_t used = sv_ext_head_blocks(g, group) + taken_by(g, group, first, end);
	uint32_t unused = sv_ext_group_blocks(&g->now, group) - used;
	uint32_t inodes = g->now.inodes_per_group;
	uint32_t bitmap = SV_MAX(g->now.block_size, (uint32_t)(4 * SV_KIB));

	d.free_blocks_lo = sv_put_le16((uint16_t)unused);
	d.free_blocks_hi = sv_put_le16((uint16_t)(unused >> 16));
	d.free_inodes_lo = sv_put_le16((uint16_t)inodes);
	d.free_inodes_hi = sv_put_le16((uint16_t)(inodes >> 16));
	if (g->sums) {
		d.unused_inodes_lo = d.free_inodes_lo;
		d.unused_inodes_hi = d.free_inodes_hi;
	}
	d.flags = sv_put_le16(flags_of(g, group, used));
	if (!(sv_get_le16(d.flags) & EXT_GROUP_BLOCK_UNINIT))
		g->write_bytes += bitmap;
	if (!g->sums)
		g->write_bytes += bitmap;
	sv_ext_put_descriptor(g, group, &d);
}

int sv_ext_lay_out(struct sv_ext_growth *g, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;
	uint64_t next = 0;

	for (uint32_t first = g->old.groups, end; first < s->groups; first = end) {
		end = (uint32_t)SV_MIN(
			(uint64_t)s->groups, ((uint64_t)first / g->flex + 1) * g->flex);
		place_tables(g, first, end, &next);
		if (next > SV_MIN(s->blocks, sv_ext_first_block(s, end)))
			return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(g->dev),
				"the tables of block group %u do not fit into it", first);
		for (uint32_t i = first; i < end; i++)
			describe(g, i, first, end);
	}
	return 0;
}
