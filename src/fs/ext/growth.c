/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plan of growing an ext file system: how many groups there will be, and where their
 * descriptors have room. Linux, Documentation/filesystems/ext4 (blockgroup.rst: flexible and
 * meta block groups; group_descr.rst). A last group that could hold little beside its own
 * tables is left out, by the rule of resize2fs.
 */
#include "fs/ext/growth.h"

#include "base/num.h"

#include <string.h>

#define FLEX_MAX     64u                  /* groups whose tables are laid together */
#define TABLE_CAP    (16 * SV_MIB)        /* of descriptors: 32 TiB with blocks of 4 KiB */
#define SHORT_BLOCKS UINT64_C(0xffffffff) /* what counts without the feature 64bit can say */
#define PAGE         (4 * SV_KIB)
#define WRITE_CAP    (40 * SV_MIB) /* of metadata, in the overlay of who grows it */
#define RUNT         50u           /* data blocks that a last group must have */

/* ---- geometry ---- */

struct ext_group sv_ext_get_descriptor(const struct sv_ext_growth *g, uint32_t group)
{
	struct ext_group d = {0};

	memcpy(&d, g->table + (size_t)group * g->now.desc_size,
		SV_MIN(sizeof d, (size_t)g->now.desc_size));
	return d;
}

void sv_ext_put_descriptor(
	const struct sv_ext_growth *g, uint32_t group, const struct ext_group *d)
{
	memcpy(g->table + (size_t)group * g->now.desc_size, d,
		SV_MIN(sizeof *d, (size_t)g->now.desc_size));
}

static uint32_t per_block(const struct sv_ext_super *s)
{
	return s->block_size / s->desc_size;
}

uint32_t sv_ext_plain_table(const struct sv_ext_growth *g, uint32_t table_blocks)
{
	return sv_ext_has(&g->now, EXT_INCOMPAT_META_BG)
		       ? SV_MIN(g->now.first_meta_bg, table_blocks)
		       : table_blocks;
}

uint32_t sv_ext_head_blocks(const struct sv_ext_growth *g, uint32_t group)
{
	const struct sv_ext_super *s = &g->now;
	uint32_t has_super = sv_ext_has_super(s, group), within = group % per_block(s);

	if (sv_ext_has(s, EXT_INCOMPAT_META_BG) && group / per_block(s) >= s->first_meta_bg)
		return has_super + (within == 0 || within == 1 || within == per_block(s) - 1);
	return has_super ? 1 + sv_ext_plain_table(g, g->new_table_blocks) + g->new_reserved : 0;
}

uint32_t sv_ext_group_blocks(const struct sv_ext_super *s, uint32_t group)
{
	return (uint32_t)SV_MIN(
		(uint64_t)s->blocks_per_group, s->blocks - sv_ext_first_block(s, group));
}

uint32_t sv_ext_overlap(
	const struct sv_ext_super *s, uint32_t group, uint64_t start, uint32_t n)
{
	uint64_t from = sv_ext_first_block(s, group);
	uint64_t to = from + sv_ext_group_blocks(s, group);

	from = SV_MAX(from, start);
	to = SV_MIN(to, start + n);
	return from < to ? (uint32_t)(to - from) : 0;
}

/* ---- sizes ---- */

static int too_large(struct sv_dev *volume, uint64_t most, const char *why, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(volume),
		"this ext file system cannot be larger than %llu bytes: %s",
		(unsigned long long)most, why);
	return sv_hint(err, "choose a size up to that");
}

/* Blocks and groups that fill the volume. */
static int set_blocks(struct sv_ext_growth *g, uint64_t volume_size, struct sv_err *err)
{
	struct sv_ext_super *s = &g->now;
	uint64_t groups, inodes;

	s->blocks = volume_size / s->block_size;
	if (!sv_ext_has(s, EXT_INCOMPAT_64BIT) && s->blocks > SHORT_BLOCKS)
		return too_large(g->dev, SHORT_BLOCKS * s->block_size,
			"it lacks the feature 64bit", err);
	groups = sv_div_up(s->blocks - s->first_data_block, s->blocks_per_group);
	if (groups * s->desc_size > TABLE_CAP)
		return too_large(g->dev,
			TABLE_CAP / s->desc_size * s->blocks_per_group * s->block_size,
			"its table of groups would not fit into memory", err);
	if (!sv_mul(groups, s->inodes_per_group, &inodes) || inodes > UINT32_MAX)
		return too_large(g->dev,
			(uint64_t)(UINT32_MAX / s->inodes_per_group) * s->blocks_per_group *
				s->block_size,
			"it would have more inodes than it can count", err);
	s->groups = (uint32_t)groups;
	s->inodes = inodes;
	return 0;
}

/* Room for the descriptors of the new groups. */
static int set_table(struct sv_ext_growth *g, struct sv_err *err)
{
	struct sv_ext_super *s = &g->now;
	uint32_t more;

	g->new_table_blocks = (uint32_t)sv_div_up(s->groups, per_block(s));
	g->new_reserved = g->reserved;
	more = g->new_table_blocks - g->table_blocks;
	if (!more || sv_ext_has(s, EXT_INCOMPAT_META_BG))
		return 0;
	if (!(s->compat & EXT_COMPAT_RESIZE_INODE)) {
		s->incompat |= EXT_INCOMPAT_META_BG;
		s->first_meta_bg = g->table_blocks;
		return 0;
	}
	if (more > g->reserved) {
		too_large(g->dev,
			(uint64_t)(g->table_blocks + g->reserved) * per_block(s) *
				s->blocks_per_group * s->block_size,
			"no more room is reserved for its table of groups", err);
		return sv_hint(err,
			"choose a size up to that, or grow the partition only and run "
			"resize2fs DEVICE in the guest");
	}
	g->new_reserved -= more;
	return 0;
}

/* Leaves a last group out that has no room for its own tables and some data. */
static int drop_runt(struct sv_ext_growth *g, struct sv_err *err)
{
	struct sv_ext_super *s = &g->now;
	uint32_t last = s->groups - 1;

	if (last < g->old.groups ||
		sv_ext_group_blocks(s, last) >=
			sv_ext_head_blocks(g, last) + 2 + g->inode_table_blocks + RUNT)
		return 0;
	s->blocks = sv_ext_first_block(s, last);
	s->groups = last;
	s->inodes -= s->inodes_per_group;
	s->incompat = g->old.incompat;
	s->first_meta_bg = g->old.first_meta_bg;
	return set_table(g, err);
}

/* ---- the table of groups ---- */

static int load_table(struct sv_ext_growth *g, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->old;

	g->table = calloc(g->new_table_blocks, s->block_size);
	if (!g->table)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < g->table_blocks; i++) {
		uint64_t at = sv_ext_group_place(s, i * per_block(s));
		uint32_t groups = SV_MIN(per_block(s), s->groups - i * per_block(s));

		if (sv_dev_read(g->dev, g->table + (size_t)i * s->block_size,
			    (size_t)groups * s->desc_size, at, err) < 0)
			return -1;
	}
	return 0;
}

static int damaged(struct sv_ext_growth *g, uint32_t group, struct sv_err *err)
{
	if (err && !err->has_offset)
		err->offset = 0, err->has_offset = true;
	sv_err_shift(err, sv_ext_group_place(&g->old, group));
	sv_err_path(err, sv_dev_name(g->dev));
	return sv_hint(err, "start the guest and let it check the file system: e2fsck -f");
}

static int check_table(struct sv_ext_growth *g, struct sv_err *err)
{
	for (uint32_t i = 0; i < g->old.groups; i++) {
		struct sv_ext_group group;
		struct ext_group d = sv_ext_get_descriptor(g, i);
		uint64_t blocks = sv_ext_join32(d.block_bitmap_lo, d.block_bitmap_hi);
		uint64_t inodes = sv_ext_join32(d.inode_bitmap_lo, d.inode_bitmap_hi);

		if (sv_ext_parse_group(g->table + (size_t)i * g->old.desc_size,
			    g->old.desc_size, &g->old, i, &group, err) < 0)
			return damaged(g, i, err);
		if (!group.checksum_ok) {
			sv_fail_at(err, SV_CORRUPT, NULL, 0,
				"group %u: the checksum of its descriptor is wrong", i);
			return damaged(g, i, err);
		}
		if (blocks < g->old.first_data_block || blocks >= g->old.blocks ||
			inodes < g->old.first_data_block || inodes >= g->old.blocks) {
			sv_fail_at(err, SV_CORRUPT, NULL, 0,
				"group %u: its bitmaps at blocks %llu and %llu do not lie on the "
				"volume of %llu blocks",
				i, (unsigned long long)blocks, (unsigned long long)inodes,
				(unsigned long long)g->old.blocks);
			return damaged(g, i, err);
		}
	}
	return 0;
}

/* ---- the plan ---- */

/* An upper bound: each piece that is written touches one page more than it fills. */
static int add_cost(struct sv_ext_growth *g, struct sv_err *err)
{
	uint64_t copies = 0, block = SV_MAX(g->now.block_size, PAGE) + PAGE;
	uint64_t plain = sv_ext_plain_table(g, g->new_table_blocks);

	for (uint32_t i = 0; i < g->now.groups; i++)
		copies += sv_ext_has_super(&g->now, i);
	g->write_bytes += copies * (2 * block + plain * g->now.block_size);
	g->write_bytes += 3 * block * (g->new_table_blocks - plain);
	g->write_bytes += (uint64_t)g->new_reserved * g->now.block_size + 4 * block;
	if (g->write_bytes <= WRITE_CAP)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(g->dev),
		"so much larger, its tables would take %llu bytes, more than is kept in memory",
		(unsigned long long)g->write_bytes);
	return sv_hint(err, "choose a smaller size");
}

static int read_super(struct sv_ext_growth *g, struct sv_err *err)
{
	if (sv_dev_read(g->dev, g->raw, sizeof g->raw, EXT_SUPER_OFFSET, err) < 0)
		return -1;
	if (sv_ext_parse_super(g->raw, sizeof g->raw, &g->old, err) == 0)
		return sv_ext_check_state(g->dev, g->raw, &g->old, err);
	sv_err_shift(err, EXT_SUPER_OFFSET);
	return sv_err_path(err, sv_dev_name(g->dev));
}

static void take_geometry(struct sv_ext_growth *g)
{
	const struct sv_ext_super *s = &g->old;
	uint8_t log = g->raw[offsetof(struct ext_super, log_groups_per_flex)];

	g->now = *s;
	g->sums = s->checksums || s->ro_compat & EXT_RO_GDT_CSUM;
	g->table_blocks = (uint32_t)sv_div_up(s->groups, per_block(s));
	g->reserved =
		s->compat & EXT_COMPAT_RESIZE_INODE
			? sv_load_le16(g->raw + offsetof(struct ext_super, reserved_gdt_blocks))
			: 0;
	g->flex = 1;
	if (sv_ext_has(s, EXT_INCOMPAT_FLEX_BG))
		g->flex = log < 6 ? 1u << log : FLEX_MAX;
	g->inode_table_blocks = (uint32_t)sv_div_up(
		(uint64_t)s->inodes_per_group * s->inode_size, s->block_size);
}

int sv_ext_plan_growth(struct sv_dev *volume, uint64_t volume_size, struct sv_ext_growth *ret,
	struct sv_err *err)
{
	struct sv_ext_growth *g = ret;

	*g = (struct sv_ext_growth){.dev = volume};
	if (read_super(g, err) < 0)
		return -1;
	take_geometry(g);
	if (set_blocks(g, volume_size, err) < 0)
		return -1;
	if (g->now.blocks > g->old.blocks && (set_table(g, err) < 0 || drop_runt(g, err) < 0))
		return -1;
	if (g->now.blocks <= g->old.blocks)
		return sv_fail(err, SV_USAGE, sv_dev_name(volume),
			"the file system covers %llu bytes already and would not grow",
			(unsigned long long)(g->old.blocks * g->old.block_size));
	if (load_table(g, err) < 0 || check_table(g, err) < 0 || sv_ext_lay_out(g, err) < 0)
		return -1;
	return add_cost(g, err);
}

void sv_ext_free_growth(struct sv_ext_growth *g)
{
	free(g->table);
	g->table = NULL;
}
