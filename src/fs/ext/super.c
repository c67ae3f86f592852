/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The superblock: Linux, Documentation/filesystems/ext4/super.rst. What the numbers say must
 * fit together before any other place of the volume is looked at: block and inode sizes are
 * powers of two within bounds, and a group's bitmaps fit into one block each.
 */
#include "fs/ext/super.h"

#include "base/hash.h"
#include "base/num.h"

#include <string.h>

#define AT(field)     offsetof(struct ext_super, field)
#define BLOCK_LOG_MAX 6u /* 64 KiB */
#define REVISION_MAX  1u

#define INCOMPAT_KNOWN                                                                         \
	(EXT_INCOMPAT_COMPRESSION | EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_RECOVER |             \
		EXT_INCOMPAT_META_BG | EXT_INCOMPAT_EXTENTS | EXT_INCOMPAT_64BIT |             \
		EXT_INCOMPAT_MMP | EXT_INCOMPAT_FLEX_BG | EXT_INCOMPAT_EA_INODE |              \
		EXT_INCOMPAT_DIRDATA | EXT_INCOMPAT_CSUM_SEED | EXT_INCOMPAT_LARGEDIR |        \
		EXT_INCOMPAT_INLINE_DATA | EXT_INCOMPAT_ENCRYPT | EXT_INCOMPAT_CASEFOLD)

uint32_t sv_ext_crc(uint32_t seed, const void *bytes, size_t n)
{
	return ~sv_crc32c(~seed, bytes, n);
}

static int wrong(
	struct sv_err *err, size_t at, const char *what, uint64_t found, const char *expected)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "ext superblock: %s is %llu, expected %s",
		what, (unsigned long long)found, expected);
}

static int take_features(const struct ext_super *d, struct sv_ext_super *s, struct sv_err *err)
{
	uint32_t unknown = sv_get_le32(d->incompat) & ~(uint32_t)INCOMPAT_KNOWN;

	s->compat = sv_get_le32(d->compat);
	s->incompat = sv_get_le32(d->incompat);
	s->ro_compat = sv_get_le32(d->ro_compat);
	if (unknown)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(incompat),
			"this ext4 has features that are not known here (%#x)", unknown);
	s->checksums = s->ro_compat & EXT_RO_METADATA_CSUM;
	if (s->checksums && d->checksum_type != 1)
		return wrong(err, AT(checksum_type), "the checksum type", d->checksum_type,
			"1 (CRC-32C)");
	return 0;
}

static int take_sizes(const struct ext_super *d, struct sv_ext_super *s, struct sv_err *err)
{
	uint32_t log = sv_get_le32(d->log_block_size), revision = sv_get_le32(d->revision);
	uint32_t cluster_log = sv_get_le32(d->log_cluster_size);

	if (log > BLOCK_LOG_MAX)
		return wrong(err, AT(log_block_size), "the block size's logarithm", log,
			"at most 6 (64 KiB)");
	if (revision > REVISION_MAX)
		return wrong(err, AT(revision), "the revision", revision, "0 or 1");
	s->block_size = 1024u << log;
	s->inode_size = revision ? sv_get_le16(d->inode_size) : EXT_OLD_INODE;
	if (!sv_is_pow2(s->inode_size) || s->inode_size < EXT_OLD_INODE ||
		s->inode_size > s->block_size)
		return wrong(err, AT(inode_size), "the inode size", s->inode_size,
			"a power of two from 128 to the block size");
	s->desc_size = EXT_GROUP_SHORT;
	if (sv_ext_has(s, EXT_INCOMPAT_64BIT))
		s->desc_size = sv_get_le16(d->desc_size);
	if (!sv_is_pow2(s->desc_size) || s->desc_size < EXT_GROUP_SHORT ||
		s->desc_size > 1024 ||
		(sv_ext_has(s, EXT_INCOMPAT_64BIT) && s->desc_size < sizeof(struct ext_group)))
		return wrong(err, AT(desc_size), "the size of group descriptors", s->desc_size,
			"a power of two from 64 to 1024");
	s->cluster_blocks = 1;
	if (!(s->ro_compat & EXT_RO_BIGALLOC))
		return 0;
	if (cluster_log < log || cluster_log > 20)
		return wrong(err, AT(log_cluster_size), "the cluster size's logarithm",
			cluster_log, "from the block size's to 20");
	s->cluster_blocks = 1u << (cluster_log - log);
	return 0;
}

static int take_groups(const struct ext_super *d, struct sv_ext_super *s, struct sv_err *err)
{
	uint32_t bits = 8 * s->block_size; /* of a bitmap */
	uint64_t groups;

	s->blocks_per_group = sv_get_le32(d->blocks_per_group);
	s->inodes_per_group = sv_get_le32(d->inodes_per_group);
	s->first_data_block = sv_get_le32(d->first_data_block);
	if (!s->blocks_per_group || s->blocks_per_group / s->cluster_blocks > bits)
		return wrong(err, AT(blocks_per_group), "the number of blocks of a group",
			s->blocks_per_group, "1 to eight for each byte of a block");
	if (!s->inodes_per_group || s->inodes_per_group > bits)
		return wrong(err, AT(inodes_per_group), "the number of inodes of a group",
			s->inodes_per_group, "1 to eight for each byte of a block");
	if (s->first_data_block > 1 || s->first_data_block >= s->blocks)
		return wrong(err, AT(first_data_block), "the first data block",
			s->first_data_block, "0 or 1");
	groups = sv_div_up(s->blocks - s->first_data_block, s->blocks_per_group);
	if (groups > UINT32_MAX)
		return wrong(err, AT(blocks_lo), "the number of groups", groups,
			"at most 4294967295");
	s->groups = (uint32_t)groups;
	s->first_meta_bg = sv_get_le32(d->first_meta_bg);
	return 0;
}

static int take_counts(const struct ext_super *d, struct sv_ext_super *s, struct sv_err *err)
{
	bool wide = sv_ext_has(s, EXT_INCOMPAT_64BIT);

	s->blocks = sv_get_le32(d->blocks_lo);
	s->free_blocks = sv_get_le32(d->free_lo);
	if (wide) {
		s->blocks |= (uint64_t)sv_get_le32(d->blocks_hi) << 32;
		s->free_blocks |= (uint64_t)sv_get_le32(d->free_hi) << 32;
	}
	s->inodes = sv_get_le32(d->inodes);
	if (!s->blocks || s->blocks >= UINT64_C(1) << 46) /* below 2^62 bytes */
		return wrong(err, AT(blocks_lo), "the number of blocks", s->blocks,
			"1 to 70368744177663");
	if (s->inodes < EXT_ROOT_INO)
		return wrong(err, AT(inodes), "the number of inodes", s->inodes, "2 and more");
	return 0;
}

static void take_journal(const struct ext_super *d, struct sv_ext_super *s)
{
	s->journal_ino = sv_get_le32(d->journal_ino);
	memcpy(s->journal_uuid, d->journal_uuid, sizeof s->journal_uuid);
	s->journal_backup = d->journal_backup_type == 1;
	memcpy(s->journal_blocks, d->journal_blocks, sizeof s->journal_blocks);
}

static void take_rest(const uint8_t *bytes, const struct ext_super *d, struct sv_ext_super *s)
{
	s->state = sv_get_le16(d->state);
	s->errors = sv_get_le32(d->error_count);
	memcpy(s->uuid, d->uuid, sizeof s->uuid);
	memcpy(s->label, d->label, sizeof d->label);
	s->backup_groups[0] = sv_get_le32(d->backup_groups[0]);
	s->backup_groups[1] = sv_get_le32(d->backup_groups[1]);
	s->seed = sv_ext_has(s, EXT_INCOMPAT_CSUM_SEED)
			  ? sv_get_le32(d->checksum_seed)
			  : sv_ext_crc(UINT32_MAX, d->uuid, sizeof d->uuid);
	s->checksum_ok = !s->checksums || sv_ext_crc(UINT32_MAX, bytes, AT(checksum)) ==
						  sv_get_le32(d->checksum);
}

int sv_ext_parse_super(
	const uint8_t *bytes, size_t n, struct sv_ext_super *ret, struct sv_err *err)
{
	struct sv_ext_super s = {0};
	struct ext_super d;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"ext superblock: %zu bytes, expected %zu", n, sizeof d);
	memcpy(&d, bytes, sizeof d);
	if (sv_get_le16(d.magic) != EXT_MAGIC)
		return wrong(
			err, AT(magic), "the magic", sv_get_le16(d.magic), "61267 (0xef53)");
	if (take_features(&d, &s, err) < 0 || take_sizes(&d, &s, err) < 0 ||
		take_counts(&d, &s, err) < 0 || take_groups(&d, &s, err) < 0)
		return -1;
	take_journal(&d, &s);
	take_rest(bytes, &d, &s);
	*ret = s;
	return 0;
}
