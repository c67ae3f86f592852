/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What speaks against writing an ext file system, and what to do about it; and whether its
 * bitmaps say what its descriptors say.
 */
#include "fs/ext/growth.h"

#include "base/num.h"

#include <string.h>

#define AT(field)  offsetof(struct ext_super, field)
#define MMP_MAGIC  0x004d4d50u
#define MMP_CLEAN  0xff4d4d50u
#define MMP_SEQ_AT 4u

/* Features with which growing is understood; large files, access times, quotas and the like
 * change nothing here. */
#define COMPAT_FINE    0x1c3fu /* all but lazy_bg, snapshots and sparse_super2 */
#define RO_COMPAT_FINE 0xa57bu /* all but bigalloc, replicas, read-only, shared blocks */

static int hint_check(struct sv_err *err)
{
	return sv_hint(err, "start the guest and let it check the file system: e2fsck -f, then "
			    "shut it down");
}

/* ---- state ---- */

static int check_features(
	struct sv_dev *volume, const struct sv_ext_super *s, struct sv_err *err)
{
	static const struct {
		uint32_t ro_compat;
		const char *name;
	} named[] = {
		{EXT_RO_BIGALLOC, "clusters of several blocks (bigalloc)"},
		{EXT_RO_READONLY, "a mark that it is read-only"},
		{EXT_RO_SHARED_BLOCKS, "blocks that files share (shared_blocks)"},
	};
	const char *what = NULL;

	for (size_t i = 0; i < SV_ARRAY_LEN(named); i++)
		if (s->ro_compat & named[i].ro_compat)
			what = named[i].name;
	if (s->compat & EXT_COMPAT_SPARSE_SUPER2)
		what = "copies of the superblock in places of its own (sparse_super2)";
	if (!what &&
		(s->compat & ~COMPAT_FINE || s->ro_compat & ~(RO_COMPAT_FINE | EXT_RO_ORPHANS)))
		what = "features that are not known here";
	if (!what && s->compat & EXT_COMPAT_RESIZE_INODE && sv_ext_has(s, EXT_INCOMPAT_META_BG))
		what = "both a resize inode and meta block groups";
	if (!what)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(volume),
		"this ext file system has %s (features %#x, %#x, %#x)", what, s->compat,
		s->incompat, s->ro_compat);
	return sv_hint(err, "grow the partition only; then, in the guest: resize2fs DEVICE");
}

static int check_clean(struct sv_dev *volume, const uint8_t *raw, const struct sv_ext_super *s,
	struct sv_err *err)
{
	const char *why = NULL;

	if (sv_ext_has(s, EXT_INCOMPAT_RECOVER))
		why = "its journal holds changes that were not written back";
	else if (s->state & EXT_STATE_ERRORS)
		why = "the guest met errors in it";
	else if (!(s->state & EXT_STATE_VALID))
		why = "it was not unmounted";
	else if (sv_load_le32(raw + AT(last_orphan)) || s->ro_compat & EXT_RO_ORPHANS)
		why = "it holds files that were being deleted";
	if (!why)
		return 0;
	sv_fail_at(err, SV_UNSUPPORTED, sv_dev_name(volume), EXT_SUPER_OFFSET + AT(state),
		"the file system is not clean: %s", why);
	return sv_hint(err, "start the guest and shut it down properly (if that does not help, "
			    "let it run: e2fsck -f)");
}

/* Multiple mount protection: a node that has it mounted counts in this block. */
static int check_mmp(struct sv_dev *volume, const uint8_t *raw, const struct sv_ext_super *s,
	struct sv_err *err)
{
	uint64_t block = sv_load_le64(raw + AT(mmp_block));
	uint8_t head[8];

	if (!sv_ext_has(s, EXT_INCOMPAT_MMP))
		return 0;
	if (block < s->first_data_block || block >= s->blocks)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(volume),
			EXT_SUPER_OFFSET + AT(mmp_block),
			"the block of the mount protection is %llu, the volume has %llu",
			(unsigned long long)block, (unsigned long long)s->blocks);
	if (sv_dev_read(volume, head, sizeof head, block * s->block_size, err) < 0)
		return -1;
	if (sv_load_le32(head) == MMP_MAGIC && sv_load_le32(head + MMP_SEQ_AT) == MMP_CLEAN)
		return 0;
	sv_fail_at(err, SV_BUSY, sv_dev_name(volume), block * s->block_size,
		"the file system's mount protection says that a machine has it mounted");
	return sv_hint(err, "shut down every machine that uses this disk");
}

int sv_ext_check_state(struct sv_dev *volume, const uint8_t raw[EXT_SUPER_SIZE],
	const struct sv_ext_super *s, struct sv_err *err)
{
	uint32_t per_block = s->block_size / s->desc_size;

	if (!s->checksum_ok) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(volume), EXT_SUPER_OFFSET,
			"the checksum of the ext superblock is wrong");
		return hint_check(err);
	}
	if (s->blocks * s->block_size > sv_dev_size(volume)) {
		sv_fail_at(err, SV_UNSUPPORTED, sv_dev_name(volume), EXT_SUPER_OFFSET,
			"the file system covers %llu bytes, its partition has only %llu",
			(unsigned long long)(s->blocks * s->block_size),
			(unsigned long long)sv_dev_size(volume));
		return sv_hint(err, "the partition was cut: first give it its old size again");
	}
	if (s->inodes != (uint64_t)s->groups * s->inodes_per_group ||
		(sv_ext_has(s, EXT_INCOMPAT_META_BG) &&
			s->first_meta_bg > sv_div_up(s->groups, per_block))) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(volume), EXT_SUPER_OFFSET,
			"ext superblock: %llu inodes or the first meta group %u do not fit to "
			"%u groups of %u inodes",
			(unsigned long long)s->inodes, s->first_meta_bg, s->groups,
			s->inodes_per_group);
		return hint_check(err);
	}
	return check_features(volume, s, err) < 0 || check_clean(volume, raw, s, err) < 0
		       ? -1
		       : check_mmp(volume, raw, s, err);
}

/* ---- bitmaps ---- */

struct bitmaps {
	const struct sv_ext_growth *g;
	uint8_t *bytes;
};

static uint32_t count_zeros(const uint8_t *bits, uint32_t n)
{
	uint32_t zeros = 0;

	for (uint32_t i = 0; i < n / 8; i++)
		zeros += 8 - (uint32_t)__builtin_popcount(bits[i]);
	for (uint32_t i = n / 8 * 8; i < n; i++)
		zeros += !(bits[i / 8] >> i % 8 & 1);
	return zeros;
}

/* One bitmap of a group, at `block`: its checksum, and how many of its n bits are zero. */
static int check_one(struct bitmaps *b, uint32_t group, const char *what, uint64_t block,
	uint32_t n, uint32_t summed, uint32_t sum, uint32_t unused, struct sv_err *err)
{
	const struct sv_ext_super *s = &b->g->old;
	uint32_t mask = s->desc_size >= sizeof(struct ext_group) ? UINT32_MAX : UINT16_MAX;
	uint32_t found, zeros;

	if (sv_dev_read(b->g->dev, b->bytes, s->block_size, block * s->block_size, err) < 0)
		return -1;
	found = sv_ext_crc(s->seed, b->bytes, summed / 8) & mask;
	zeros = count_zeros(b->bytes, n);
	if (s->checksums && found != sum)
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(b->g->dev), block * s->block_size,
			"the %s bitmap of group %u has checksum %#x, expected %#x", what, group,
			found, sum);
	else if (zeros != unused)
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(b->g->dev), block * s->block_size,
			"the %s bitmap of group %u has %u free, its descriptor says %u", what,
			group, zeros, unused);
	else
		return 0;
	return hint_check(err);
}

static int check_group(struct bitmaps *b, uint32_t i, uint64_t *free_blocks, struct sv_err *err)
{
	const struct sv_ext_super *s = &b->g->old;
	struct ext_group d = sv_ext_get_descriptor(b->g, i);
	uint16_t flags = b->g->sums ? sv_get_le16(d.flags) : 0;
	uint32_t unused = sv_ext_join16(d.free_blocks_lo, d.free_blocks_hi);
	uint32_t inodes = sv_ext_join16(d.free_inodes_lo, d.free_inodes_hi);

	*free_blocks += unused;
	if (!(flags & EXT_GROUP_BLOCK_UNINIT) &&
		check_one(b, i, "block", sv_ext_join32(d.block_bitmap_lo, d.block_bitmap_hi),
			sv_ext_group_blocks(s, i), s->blocks_per_group,
			sv_ext_join16(d.block_bitmap_csum_lo, d.block_bitmap_csum_hi), unused,
			err) < 0)
		return -1;
	if (flags & EXT_GROUP_INODE_UNINIT)
		return 0;
	return check_one(b, i, "inode", sv_ext_join32(d.inode_bitmap_lo, d.inode_bitmap_hi),
		s->inodes_per_group, s->inodes_per_group,
		sv_ext_join16(d.inode_bitmap_csum_lo, d.inode_bitmap_csum_hi), inodes, err);
}

int sv_ext_check_bitmaps(const struct sv_ext_growth *g, uint64_t *ret_used, struct sv_job *job,
	struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc(g->old.block_size);
	struct bitmaps b = {.g = g, .bytes = bytes};
	uint64_t free_blocks = 0;

	if (!bytes)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < g->old.groups; i++) {
		if (sv_job_check(job, err) < 0 || check_group(&b, i, &free_blocks, err) < 0)
			return -1;
	}
	if (free_blocks > g->old.blocks) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(g->dev), EXT_SUPER_OFFSET,
			"%llu blocks are free of %llu", (unsigned long long)free_blocks,
			(unsigned long long)g->old.blocks);
		return hint_check(err);
	}
	*ret_used = (g->old.blocks - free_blocks) * g->old.block_size;
	return 0;
}
