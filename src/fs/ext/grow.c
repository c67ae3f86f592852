/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a planned growth of ext2, ext3 or ext4: the new groups' bitmaps; the resize inode;
 * the table of groups and its copies; the copies of the superblock; a flush; the superblock. It
 * is written to an overlay, so that nothing hangs on the order but what a reader of the overlay
 * would see.
 */
#include "fs/ext/growth.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct ext_super, field)

/* ---- the table of groups ---- */

static void seal_table(struct sv_ext_growth *g)
{
	for (uint32_t i = 0; g->sums && i < g->now.groups; i++) {
		struct ext_group d = sv_ext_get_descriptor(g, i);

		d.checksum = sv_put_le16(sv_ext_group_checksum(
			g->table + (size_t)i * g->now.desc_size, &g->now, i));
		sv_ext_put_descriptor(g, i, &d);
	}
}

static int write_table_at(
	struct sv_ext_growth *g, uint32_t block, uint32_t n, uint64_t to, struct sv_err *err)
{
	uint32_t size = g->now.block_size;

	return sv_dev_write(
		g->dev, g->table + (size_t)block * size, (size_t)n * size, to * size, err);
}

/* A block of the table that lies in the groups that it describes: in the first, the second and
 * the last of them. */
static int write_meta_block(struct sv_ext_growth *g, uint32_t block, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;
	uint32_t per = s->block_size / s->desc_size, first = block * per;
	const uint32_t groups[] = {first, first + 1, first + per - 1};

	for (size_t i = 0; i < SV_ARRAY_LEN(groups); i++) {
		if (groups[i] < s->groups && write_table_at(g, block, 1,
						     sv_ext_first_block(s, groups[i]) +
							     sv_ext_has_super(s, groups[i]),
						     err) < 0)
			return -1;
	}
	return 0;
}

static int write_table(struct sv_ext_growth *g, struct sv_err *err)
{
	const struct sv_ext_super *s = &g->now;
	uint32_t plain = sv_ext_plain_table(g, g->new_table_blocks);

	seal_table(g);
	for (uint32_t i = 0; plain && i < s->groups; i++) {
		bool meta = sv_ext_has(s, EXT_INCOMPAT_META_BG) &&
			    i / (s->block_size / s->desc_size) >= s->first_meta_bg;

		if (sv_ext_has_super(s, i) && !meta &&
			write_table_at(g, 0, plain, sv_ext_first_block(s, i) + 1, err) < 0)
			return -1;
	}
	for (uint32_t i = plain; i < g->new_table_blocks; i++) {
		if (write_meta_block(g, i, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the superblock ---- */

static void put_wide(
	const struct sv_ext_super *s, uint8_t *raw, size_t lo, size_t hi, uint64_t n)
{
	sv_store_le32(raw + lo, (uint32_t)n);
	if (sv_ext_has(s, EXT_INCOMPAT_64BIT))
		sv_store_le32(raw + hi, (uint32_t)(n >> 32));
}

static uint64_t get_wide(const struct sv_ext_super *s, const uint8_t *raw, size_t lo, size_t hi)
{
	uint64_t n = sv_load_le32(raw + lo);

	return sv_ext_has(s, EXT_INCOMPAT_64BIT) ? n | (uint64_t)sv_load_le32(raw + hi) << 32
						 : n;
}

/* What is kept for root stays the same share. */
static uint64_t reserved_share(const struct sv_ext_growth *g)
{
	uint64_t kept = get_wide(&g->old, g->raw, AT(reserved_lo), AT(reserved_hi));
	double share = (double)kept / (double)g->old.blocks;

	return (uint64_t)(share * (double)g->now.blocks);
}

static void fill_super(const struct sv_ext_growth *g, uint8_t *raw)
{
	const struct sv_ext_super *s = &g->now;
	uint64_t blocks = 0, inodes = 0;

	for (uint32_t i = 0; i < s->groups; i++) {
		struct ext_group d = sv_ext_get_descriptor(g, i);

		blocks += sv_ext_join16(d.free_blocks_lo, d.free_blocks_hi);
		inodes += sv_ext_join16(d.free_inodes_lo, d.free_inodes_hi);
	}
	memcpy(raw, g->raw, EXT_SUPER_SIZE);
	put_wide(s, raw, AT(blocks_lo), AT(blocks_hi), s->blocks);
	put_wide(s, raw, AT(free_lo), AT(free_hi), blocks);
	put_wide(s, raw, AT(reserved_lo), AT(reserved_hi), reserved_share(g));
	sv_store_le32(raw + AT(inodes), (uint32_t)s->inodes);
	sv_store_le32(raw + AT(free_inodes), (uint32_t)inodes);
	sv_store_le32(raw + AT(incompat), s->incompat);
	sv_store_le32(raw + AT(first_meta_bg), s->first_meta_bg);
	sv_store_le32(raw + AT(overhead), 0); /* the kernel counts it anew */
	if (s->compat & EXT_COMPAT_RESIZE_INODE)
		sv_store_le16(raw + AT(reserved_gdt_blocks), (uint16_t)g->new_reserved);
}

static int write_super(
	struct sv_ext_growth *g, uint8_t *raw, uint32_t group, struct sv_err *err)
{
	uint64_t at = group ? sv_ext_first_block(&g->now, group) * g->now.block_size
			    : EXT_SUPER_OFFSET;

	sv_store_le16(raw + AT(group), (uint16_t)group);
	if (g->now.checksums)
		sv_store_le32(raw + AT(checksum), sv_ext_crc(UINT32_MAX, raw, AT(checksum)));
	return sv_dev_write(g->dev, raw, EXT_SUPER_SIZE, at, err);
}

static int write_supers(struct sv_ext_growth *g, struct sv_err *err)
{
	uint8_t raw[EXT_SUPER_SIZE];

	fill_super(g, raw);
	for (uint32_t i = g->now.groups - 1; i; i--) {
		if (sv_ext_has_super(&g->now, i) && write_super(g, raw, i, err) < 0)
			return -1;
	}
	if (sv_dev_flush(g->dev, err) < 0 || write_super(g, raw, 0, err) < 0)
		return -1;
	return sv_dev_flush(g->dev, err);
}

/* ---- the door ---- */

/* What the new groups' tables take. */
static uint64_t overhead_of(const struct sv_ext_growth *g)
{
	const struct sv_ext_super *s = &g->now;
	uint64_t blocks = 0;

	for (uint32_t i = g->old.groups; i < s->groups; i++) {
		struct ext_group d = sv_ext_get_descriptor(g, i);

		blocks += sv_ext_group_blocks(s, i) -
			  sv_ext_join16(d.free_blocks_lo, d.free_blocks_hi);
	}
	return blocks * s->block_size;
}

static const char *type_of(const struct sv_ext_super *s)
{
	if (s->incompat & (EXT_INCOMPAT_EXTENTS | EXT_INCOMPAT_64BIT | EXT_INCOMPAT_FLEX_BG))
		return "ext4";
	return s->compat & EXT_COMPAT_JOURNAL ? "ext3" : "ext2";
}

int sv_ext_check_grow(struct sv_dev *volume, uint64_t new_volume_size,
	const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_ext_free_growth) struct sv_ext_growth g = {0};
	uint64_t used = 0;

	if (sv_ext_plan_growth(volume, new_volume_size, &g, err) < 0 ||
		(!opts->quick && sv_ext_check_bitmaps(&g, &used, opts->job, err) < 0))
		return -1;
	*ret = (struct sv_fs_grow_plan){
		.type = type_of(&g.old),
		.old_size = g.old.blocks * g.old.block_size,
		.new_size = g.now.blocks * g.now.block_size,
		.used = used,
		.free = opts->quick ? 0 : g.old.blocks * g.old.block_size - used,
		.overhead = overhead_of(&g),
		.block_size = g.old.block_size,
		.write_bytes = g.write_bytes,
	};
	if (g.now.incompat != g.old.incompat)
		snprintf(ret->note, sizeof ret->note,
			"its table of groups goes on in the new space (meta_bg)");
	return 0;
}

int sv_ext_grow(struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err)
{
	SV_CLEANUP(sv_ext_free_growth) struct sv_ext_growth g = {0};

	if (sv_ext_plan_growth(volume, sv_dev_size(volume), &g, err) < 0)
		return -1;
	sv_job_progress(opts->job, "growing the file system", 0, 0);
	if (sv_ext_write_groups(&g, opts->job, err) < 0 || sv_ext_write_reserve(&g, err) < 0 ||
		write_table(&g, err) < 0)
		return -1;
	return write_supers(&g, err);
}
