/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing ext2, ext3 and ext4. First a plan in memory: the descriptors of all groups that there
 * will be, with the places of the new groups' bitmaps and inode tables. Then the writing.
 *
 * Descriptors need room at the start of the volume. The room that the resize inode keeps is
 * used; a file system that has no such inode goes on with meta block groups, where descriptors
 * lie in the groups that they describe, as the kernel does when it grows one that is mounted.
 * What was there before stays where it is. Private to the fs room.
 */
#ifndef SV_FS_EXT_GROWTH_H
#define SV_FS_EXT_GROWTH_H

#include "fs/ext/ext.h"
#include "fs/grow.h"

struct sv_ext_growth {
	struct sv_dev *dev;          /* the volume; borrowed */
	uint8_t raw[EXT_SUPER_SIZE]; /* its superblock as it is */
	struct sv_ext_super old, now;
	uint32_t table_blocks, reserved;         /* of descriptors, and kept for more: before */
	uint32_t new_table_blocks, new_reserved; /* and after */
	uint32_t flex;                           /* groups whose tables lie together */
	uint32_t inode_table_blocks;             /* of a group */
	bool sums;      /* descriptors have checksums, and groups may be left unwritten */
	uint8_t *table; /* new_table_blocks of descriptors, without their checksums */
	uint64_t write_bytes;
};

/* SV_UNSUPPORTED where the format or the state do not allow it, SV_USAGE where nothing would
 * grow, SV_CORRUPT. Reads only. *ret is to be freed also after a failure. */
int sv_ext_plan_growth(struct sv_dev *volume, uint64_t volume_size, struct sv_ext_growth *ret,
	struct sv_err *err);
void sv_ext_free_growth(struct sv_ext_growth *g);

/* ---- geometry: growth.c ---- */

/* Copies of superblock and descriptors, and room for more, at a group's start: blocks. */
uint32_t sv_ext_head_blocks(const struct sv_ext_growth *g, uint32_t group);
/* Blocks of a group: fewer in the last one. */
uint32_t sv_ext_group_blocks(const struct sv_ext_super *s, uint32_t group);
/* How many of the blocks [start, start + n) lie in a group. */
uint32_t sv_ext_overlap(
	const struct sv_ext_super *s, uint32_t group, uint64_t start, uint32_t n);
/* Descriptor blocks that lie together after each copy of the superblock. */
uint32_t sv_ext_plain_table(const struct sv_ext_growth *g, uint32_t table_blocks);

/* A group's descriptor; short ones have no upper halves. */
struct ext_group sv_ext_get_descriptor(const struct sv_ext_growth *g, uint32_t group);
void sv_ext_put_descriptor(
	const struct sv_ext_growth *g, uint32_t group, const struct ext_group *d);
static inline uint64_t sv_ext_join32(sv_le32 lo, sv_le32 hi)
{
	return (uint64_t)sv_get_le32(hi) << 32 | sv_get_le32(lo);
}
static inline uint32_t sv_ext_join16(sv_le16 lo, sv_le16 hi)
{
	return (uint32_t)sv_get_le16(hi) << 16 | sv_get_le16(lo);
}

/* ---- the new groups: layout.c ---- */

/* Fills in their descriptors; SV_UNSUPPORTED where their tables find no room. */
int sv_ext_lay_out(struct sv_ext_growth *g, struct sv_err *err);

/* ---- checking: grow_check.c ---- */

/* Is it in a state to be changed? */
int sv_ext_check_state(struct sv_dev *volume, const uint8_t raw[EXT_SUPER_SIZE],
	const struct sv_ext_super *s, struct sv_err *err);
/* Compares every group's bitmaps with its descriptor, and says how many blocks are in use. */
int sv_ext_check_bitmaps(const struct sv_ext_growth *g, uint64_t *ret_used, struct sv_job *job,
	struct sv_err *err);

/* ---- writing: grow_groups.c, grow_reserve.c, grow.c ---- */

/* Bitmaps (and where they must be zeros, inode tables) of the new groups, and of the group that
 * was the last; fills in their checksums. */
int sv_ext_write_groups(struct sv_ext_growth *g, struct sv_job *job, struct sv_err *err);
/* The resize inode gives up the blocks that hold descriptors now, and learns of the new copies
 * of those that it keeps. */
int sv_ext_write_reserve(struct sv_ext_growth *g, struct sv_err *err);

int sv_ext_check_grow(struct sv_dev *volume, uint64_t new_volume_size,
	const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret, struct sv_err *err);
int sv_ext_grow(struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err);

#endif
