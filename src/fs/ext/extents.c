/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Extent trees: Linux, Documentation/filesystems/ext4/ifork.rst. The root lies in the inode, a
 * node fills a block; each level is one less deep than the one above it, so that no tree, made
 * for it or not, goes round in a circle. A child is only asked for what its parent's index
 * covers.
 */
#include "fs/ext/ext.h"

#include "base/num.h"

#define END_OF_FILE (UINT64_C(1) << 32) /* block numbers within a file have 32 bits */

static uint32_t first_of(const struct sv_ext_node *node, unsigned i)
{
	/* extents and indexes both begin with their first block */
	return sv_load_le32(
		node->bytes + sizeof(struct ext_extent_header) + i * sizeof(struct ext_extent));
}

static struct ext_extent extent_of(const struct sv_ext_node *node, unsigned i)
{
	struct ext_extent e;

	memcpy(&e, node->bytes + sizeof(struct ext_extent_header) + i * sizeof e, sizeof e);
	return e;
}

static uint64_t blocks_of(const struct ext_extent *e)
{
	uint32_t n = sv_get_le16(e->length);

	return n <= EXT_EXTENT_WRITTEN ? n : n - EXT_EXTENT_WRITTEN;
}

static int check_order(const struct sv_ext_node *node, struct sv_err *err)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < node->entries; i++) {
		uint64_t first = first_of(node, i), n = 1;
		struct ext_extent e = extent_of(node, i);

		if (!node->depth)
			n = blocks_of(&e);
		if (first < end || !n)
			return sv_fail_at(err, SV_CORRUPT, NULL,
				sizeof(struct ext_extent_header) + i * sizeof e,
				"extent %u of a node covers %llu blocks from %llu on, those "
				"before it end at %llu",
				i, (unsigned long long)n, (unsigned long long)first,
				(unsigned long long)end);
		end = first + n;
	}
	return 0;
}

int sv_ext_parse_node(
	const uint8_t *bytes, size_t n, int depth, struct sv_ext_node *ret, struct sv_err *err)
{
	struct sv_ext_node node = {.bytes = bytes};
	struct ext_extent_header h;
	size_t room;

	if (n < sizeof h)
		return sv_fail_at(err, SV_CORRUPT, NULL, n, "an extent node is cut");
	memcpy(&h, bytes, sizeof h);
	room = (n - sizeof h) / sizeof(struct ext_extent);
	node.depth = sv_get_le16(h.depth);
	node.entries = sv_get_le16(h.entries);
	if (sv_get_le16(h.magic) != EXT_EXTENT_MAGIC)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"an extent node begins with %#x, expected %#x", sv_get_le16(h.magic),
			EXT_EXTENT_MAGIC);
	if (node.depth > SV_EXT_TREE_DEPTH || (depth >= 0 && node.depth != (unsigned)depth))
		return sv_fail_at(err, SV_CORRUPT, NULL, 6,
			"an extent node has depth %u, expected %d", node.depth,
			depth >= 0 ? depth : (int)SV_EXT_TREE_DEPTH);
	if (sv_get_le16(h.max) > room || node.entries > sv_get_le16(h.max))
		return sv_fail_at(err, SV_CORRUPT, NULL, 2,
			"an extent node has %u of %u entries, %zu have room", node.entries,
			sv_get_le16(h.max), room);
	if (check_order(&node, err) < 0)
		return -1;
	*ret = node;
	return 0;
}

/* How many entries begin at or before lblk. */
static unsigned count_to(const struct sv_ext_node *node, uint64_t lblk)
{
	unsigned low = 0, high = node->entries;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (first_of(node, mid) <= lblk)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Where what begins after lblk begins, at most `end`. */
static uint64_t next_after(const struct sv_ext_node *node, unsigned upto, uint64_t end)
{
	return upto < node->entries ? SV_MIN((uint64_t)first_of(node, upto), end) : end;
}

struct sv_ext_run sv_ext_leaf_at(const struct sv_ext_node *node, uint64_t lblk, uint64_t end)
{
	unsigned upto = count_to(node, lblk);
	struct sv_ext_run run = {lblk, next_after(node, upto, end) - lblk, SV_EXT_HOLE};
	struct ext_extent e;
	uint64_t within;

	if (!upto)
		return run;
	e = extent_of(node, upto - 1);
	within = lblk - sv_get_le32(e.block);
	if (within >= blocks_of(&e))
		return run;
	run.len = SV_MIN(run.len, blocks_of(&e) - within);
	if (sv_get_le16(e.length) <= EXT_EXTENT_WRITTEN)
		run.pblk = ((uint64_t)sv_get_le16(e.start_hi) << 32 | sv_get_le32(e.start_lo)) +
			   within;
	return run;
}

struct sv_ext_run sv_ext_child_at(const struct sv_ext_node *node, uint64_t lblk, uint64_t end)
{
	unsigned upto = count_to(node, lblk);
	struct sv_ext_run run = {lblk, next_after(node, upto, end) - lblk, SV_EXT_HOLE};
	struct ext_extent_index x;

	if (!upto)
		return run;
	memcpy(&x, node->bytes + sizeof(struct ext_extent_header) + (upto - 1) * sizeof x,
		sizeof x);
	run.pblk = (uint64_t)sv_get_le16(x.child_hi) << 32 | sv_get_le32(x.child_lo);
	return run;
}

/* The sum lies behind the room for entries and covers all before it. */
static int check_sum(struct sv_ext *v, const struct sv_ext_inode *i, uint64_t pblk,
	const uint8_t *bytes, struct sv_err *err)
{
	size_t at = sizeof(struct ext_extent_header) +
		    sv_load_le16(bytes + 4) * sizeof(struct ext_extent);

	if (!v->super.checksums || at + 4 > v->super.block_size ||
		sv_ext_crc(i->seed, bytes, at) == sv_load_le32(bytes + at))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), pblk * v->super.block_size + at,
		"inode %llu: the checksum of an extent block is wrong",
		(unsigned long long)i->ino);
}

static int load_node(struct sv_ext *v, struct sv_ext_map *m, unsigned depth, uint64_t pblk,
	struct sv_ext_node *ret, struct sv_err *err)
{
	uint8_t *bytes;
	bool fresh;

	if (sv_ext_map_hold(v, m, depth, pblk, &fresh, err) < 0)
		return -1;
	bytes = m->held[depth].bytes;
	if (!fresh) { /* it was looked at when it was loaded */
		*ret = (struct sv_ext_node){bytes, depth, sv_load_le16(bytes + 2)};
		return 0;
	}
	if (sv_ext_parse_node(bytes, v->super.block_size, (int)depth, ret, err) < 0) {
		sv_err_shift(err, pblk * v->super.block_size);
		sv_err_path(err, sv_dev_name(v->dev));
	} else if (check_sum(v, &m->inode, pblk, bytes, err) == 0) {
		return 0;
	}
	m->held[depth].pblk = 0;
	return -1;
}

int sv_ext_extents_at(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk,
	struct sv_ext_run *ret, struct sv_err *err)
{
	struct sv_ext_run run = {.len = END_OF_FILE};
	uint64_t end = END_OF_FILE;
	struct sv_ext_node node;

	if (lblk >= end) {
		*ret = (struct sv_ext_run){lblk, SV_DEV_SIZE_MAX, SV_EXT_HOLE};
		return 0;
	}
	if (sv_ext_parse_node(m->inode.block, sizeof m->inode.block, -1, &node, err) < 0)
		return sv_ext_blame(v, m->inode.ino, offsetof(struct ext_inode, block), err);
	while (node.depth) {
		run = sv_ext_child_at(&node, lblk, end);
		if (run.pblk == SV_EXT_HOLE) {
			*ret = run;
			return 0;
		}
		end = lblk + run.len;
		if (load_node(v, m, node.depth - 1, run.pblk, &node, err) < 0)
			return -1;
	}
	*ret = sv_ext_leaf_at(&node, lblk, end);
	return 0;
}
