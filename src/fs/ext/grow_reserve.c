/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The resize inode: it owns the blocks that are kept for more descriptors, so that nobody else
 * takes them. Its double indirect block names those of the first group; each of them names
 * its copies behind the other superblocks. Linux, Documentation/filesystems/ext4
 * (special_inodes.rst), and what e2fsck demands of it.
 */
#include "fs/ext/growth.h"

#include "base/num.h"

#include <string.h>

#define DOUBLE_INDIRECT 13u /* in i_block */

struct reserve {
	struct sv_ext_growth *g;
	uint64_t inode_at; /* byte of the volume */
	uint8_t *inode;
	struct sv_ext_inode parsed;
	uint64_t double_at; /* byte of the double indirect block */
	uint8_t *blocks;    /* its bytes */
	uint8_t *copies;    /* of one kept block */
	uint64_t first;     /* the kept block that comes first, before */
};

static uint32_t words(const struct reserve *r)
{
	return r->g->now.block_size / 4;
}

static int damaged(const struct reserve *r, uint64_t at, const char *what, struct sv_err *err)
{
	sv_fail_at(err, SV_CORRUPT, sv_dev_name(r->g->dev), at, "the resize inode: %s", what);
	return sv_hint(err, "start the guest and let it check the file system: e2fsck -f");
}

static int load(struct reserve *r, struct sv_err *err)
{
	const struct sv_ext_super *s = &r->g->old;
	struct ext_group d = sv_ext_get_descriptor(r->g, 0);
	uint64_t table = sv_ext_join32(d.inode_table_lo, d.inode_table_hi);
	uint32_t block;

	r->inode_at = table * s->block_size + (uint64_t)(EXT_RESIZE_INO - 1) * s->inode_size;
	if (sv_dev_read(r->g->dev, r->inode, s->inode_size, r->inode_at, err) < 0)
		return -1;
	if (sv_ext_parse_inode(r->inode, s->inode_size, s, EXT_RESIZE_INO, &r->parsed, err) <
		0) {
		sv_err_shift(err, r->inode_at);
		return sv_err_path(err, sv_dev_name(r->g->dev));
	}
	block = sv_load_le32(r->parsed.block + 4 * DOUBLE_INDIRECT);
	if (!r->parsed.checksum_ok)
		return damaged(r, r->inode_at, "its checksum is wrong", err);
	if (block <= s->first_data_block || block >= s->blocks)
		return damaged(r, r->inode_at, "its double indirect block is outside", err);
	r->double_at = (uint64_t)block * s->block_size;
	return sv_dev_read(r->g->dev, r->blocks, s->block_size, r->double_at, err);
}

static uint32_t count_supers(const struct sv_ext_super *s, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++)
		n += sv_ext_has_super(s, i);
	return n;
}

/* Each kept block must be where the one after the descriptors lies. */
static int check_kept(const struct reserve *r, struct sv_err *err)
{
	for (uint32_t i = 0; i < r->g->reserved; i++) {
		uint32_t at = (r->g->table_blocks + i) % words(r);

		if (sv_load_le32(r->blocks + 4 * (size_t)at) != r->first + i)
			return damaged(r, r->double_at + 4ULL * at,
				"it does not name the blocks that follow the descriptors", err);
	}
	return 0;
}

/* Adds the copies in new groups to one kept block; `had` are there. */
static int add_copies(const struct reserve *r, uint64_t block, uint32_t had, struct sv_err *err)
{
	const struct sv_ext_super *s = &r->g->now;
	uint64_t at = block * s->block_size;
	uint32_t n = had;

	if (sv_dev_read(r->g->dev, r->copies, s->block_size, at, err) < 0)
		return -1;
	for (uint32_t i = r->g->old.groups; i < s->groups; i++) {
		if (!sv_ext_has_super(s, i))
			continue;
		sv_store_le32(r->copies + 4 * (size_t)n++,
			(uint32_t)(block + (uint64_t)i * s->blocks_per_group));
	}
	return sv_dev_write(r->g->dev, r->copies, s->block_size, at, err);
}

static void set_sectors(struct reserve *r, uint32_t had, uint32_t has)
{
	const struct sv_ext_growth *g = r->g;
	uint64_t unit = r->parsed.flags & EXT_FL_HUGE_FILE ? 1 : g->now.block_size / 512;
	const size_t lo = offsetof(struct ext_inode, blocks_lo);
	const size_t hi = offsetof(struct ext_inode, blocks_hi);
	uint64_t sectors = sv_load_le32(r->inode + lo) | (uint64_t)sv_load_le16(r->inode + hi)
								 << 32;

	/* each kept block and its copies */
	sectors -= unit * (1 + had) * g->reserved;
	sectors += unit * (1 + has) * g->new_reserved;
	sv_store_le32(r->inode + lo, (uint32_t)sectors);
	sv_store_le16(r->inode + hi, (uint16_t)(sectors >> 32));
	sv_ext_seal_inode(r->inode, &g->now, &r->parsed);
}

static int rewrite(struct reserve *r, struct sv_err *err)
{
	struct sv_ext_growth *g = r->g;
	uint32_t used = g->reserved - g->new_reserved;
	uint32_t had = count_supers(&g->now, 1, g->old.groups);
	uint32_t has = count_supers(&g->now, 1, g->now.groups);

	if (has > words(r)) {
		sv_fail(err, SV_UNSUPPORTED, sv_dev_name(g->dev),
			"the resize inode cannot name %u copies of a block", has);
		return sv_hint(err, "grow the partition only; then, in the guest: resize2fs");
	}
	if (load(r, err) < 0 || check_kept(r, err) < 0)
		return -1;
	for (uint32_t i = 0; i < used; i++)
		sv_store_le32(r->blocks + 4 * (size_t)((g->table_blocks + i) % words(r)), 0);
	for (uint32_t i = used; has > had && i < g->reserved; i++) {
		if (add_copies(r, r->first + i, had, err) < 0)
			return -1;
	}
	set_sectors(r, had, has);
	if (sv_dev_write(g->dev, r->blocks, g->now.block_size, r->double_at, err) < 0)
		return -1;
	return sv_dev_write(g->dev, r->inode, g->now.inode_size, r->inode_at, err);
}

int sv_ext_write_reserve(struct sv_ext_growth *g, struct sv_err *err)
{
	sv_autofree uint8_t *inode = malloc(g->now.inode_size);
	sv_autofree uint8_t *blocks = malloc(g->now.block_size);
	sv_autofree uint8_t *copies = malloc(g->now.block_size);
	struct reserve r = {
		.g = g,
		.inode = inode,
		.blocks = blocks,
		.copies = copies,
		.first = (uint64_t)g->now.first_data_block + 1 + g->table_blocks,
	};

	if (!g->reserved)
		return 0;
	return inode && blocks && copies ? rewrite(&r, err) : sv_fail_nomem(err);
}
