/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Group descriptors: Linux, Documentation/filesystems/ext4/group_descr.rst and
 * blockgroup.rst (meta block groups, sparse_super). They are read one at a time when they are
 * needed: a volume of 64 TiB has half a million.
 */
#include "fs/ext/super.h"

#include "base/num.h"

#include <string.h>

/* Is n a power of `base`? */
static bool is_power(uint32_t n, uint32_t base)
{
	while (n % base == 0)
		n /= base;
	return n == 1;
}

bool sv_ext_has_super(const struct sv_ext_super *s, uint32_t group)
{
	if (group == 0)
		return true;
	if (s->compat & EXT_COMPAT_SPARSE_SUPER2)
		return group == s->backup_groups[0] || group == s->backup_groups[1];
	if (!(s->ro_compat & EXT_RO_SPARSE_SUPER) || group == 1)
		return true;
	return is_power(group, 3) || is_power(group, 5) || is_power(group, 7);
}

uint64_t sv_ext_first_block(const struct sv_ext_super *s, uint32_t group)
{
	return s->first_data_block + (uint64_t)group * s->blocks_per_group;
}

static bool in_meta_group(const struct sv_ext_super *s, uint64_t table_block)
{
	return sv_ext_has(s, EXT_INCOMPAT_META_BG) && table_block >= s->first_meta_bg;
}

uint64_t sv_ext_group_place(const struct sv_ext_super *s, uint32_t group)
{
	uint32_t per_block = s->block_size / s->desc_size;
	uint32_t table_block = group / per_block;
	uint64_t within = (uint64_t)(group % per_block) * s->desc_size, block;

	if (in_meta_group(s, table_block)) {
		uint32_t first = table_block * per_block;

		block = sv_ext_first_block(s, first) + sv_ext_has_super(s, first);
		/* bigalloc counts from block 0 also where the superblock is in block 1 */
		if (s->block_size == 1024 && first == 0 && s->first_data_block == 0)
			block++;
	} else {
		block = (s->block_size == 1024 ? 2 : 1) + (uint64_t)table_block;
	}
	return block * s->block_size + within;
}

bool sv_ext_group_backup(const struct sv_ext_super *s, uint32_t group, uint64_t *ret)
{
	uint32_t per_block = s->block_size / s->desc_size;
	uint32_t table_block = group / per_block, home = 1;
	uint64_t within = (uint64_t)(group % per_block) * s->desc_size, block;

	if (in_meta_group(s, table_block)) {
		home = table_block * per_block + 1;
		block = sv_ext_first_block(s, home) + sv_ext_has_super(s, home);
	} else {
		if (s->compat & EXT_COMPAT_SPARSE_SUPER2)
			home = s->backup_groups[0];
		if (!home)
			return false;
		block = sv_ext_first_block(s, home) + 1 + table_block;
	}
	*ret = block * s->block_size + within;
	return home < s->groups;
}

/* CRC-16 (ARC), which ext4 had before it took CRC-32C. */
static uint16_t crc16(uint16_t crc, const uint8_t *p, size_t n)
{
	for (; n; n--, p++) {
		crc ^= *p;
		for (unsigned i = 0; i < 8; i++)
			crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
	}
	return crc;
}

uint16_t sv_ext_group_checksum(
	const uint8_t *bytes, const struct sv_ext_super *s, uint32_t group)
{
	static const uint8_t zeros[2];
	const size_t at = offsetof(struct ext_group, checksum);
	sv_le32 number = sv_put_le32(group);
	uint32_t crc;
	uint16_t old;

	if (s->checksums) {
		crc = sv_ext_crc(s->seed, &number, sizeof number);
		crc = sv_ext_crc(crc, bytes, at);
		crc = sv_ext_crc(crc, zeros, sizeof zeros);
		return (uint16_t)sv_ext_crc(crc, bytes + at + 2, s->desc_size - at - 2);
	}
	old = crc16(UINT16_MAX, s->uuid, sizeof s->uuid);
	old = crc16(old, number.b, sizeof number);
	old = crc16(old, bytes, at);
	return crc16(old, bytes + at + 2, s->desc_size - at - 2);
}

static uint32_t join(sv_le16 lo, sv_le16 hi)
{
	return (uint32_t)sv_get_le16(hi) << 16 | sv_get_le16(lo);
}

/* Inodes [0, n) of its table were written at some time. */
static uint32_t written_inodes(
	const struct ext_group *d, const struct sv_ext_super *s, bool has_checksum)
{
	uint32_t unused = join(d->unused_inodes_lo, d->unused_inodes_hi);

	if (!has_checksum) /* else nobody keeps this count */
		return s->inodes_per_group;
	if (sv_get_le16(d->flags) & EXT_GROUP_INODE_UNINIT)
		return 0;
	return s->inodes_per_group - SV_MIN(unused, s->inodes_per_group);
}

int sv_ext_parse_group(const uint8_t *bytes, size_t n, const struct sv_ext_super *s,
	uint32_t group, struct sv_ext_group *ret, struct sv_err *err)
{
	uint64_t table_blocks =
		sv_div_up((uint64_t)s->inodes_per_group * s->inode_size, s->block_size);
	bool has_checksum = s->checksums || s->ro_compat & EXT_RO_GDT_CSUM;
	struct ext_group d = {0};
	uint64_t table;

	if (n < s->desc_size)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, n, "group %u: its descriptor is cut", group);
	memcpy(&d, bytes, SV_MIN(sizeof d, (size_t)s->desc_size));
	table = (uint64_t)sv_get_le32(d.inode_table_hi) << 32 | sv_get_le32(d.inode_table_lo);
	if (table <= s->first_data_block || !sv_in_range(table, table_blocks, s->blocks))
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ext_group, inode_table_lo),
			"group %u: the inode table at block %llu does not lie on the volume of "
			"%llu blocks",
			group, (unsigned long long)table, (unsigned long long)s->blocks);
	*ret = (struct sv_ext_group){
		.inode_table = table,
		.inodes = written_inodes(&d, s, has_checksum),
		.checksum_ok = !has_checksum || sv_get_le16(d.checksum) ==
							sv_ext_group_checksum(bytes, s, group),
		.free_blocks =
			(uint64_t)join(d.free_blocks_lo, d.free_blocks_hi) * s->cluster_blocks,
	};
	return 0;
}
