/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads XFS' superblock: what every later place is computed from is checked here. */
#include "fs/xfs/super.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"

#include <string.h>

#define KNOWN_INCOMPAT 0x1ffu
#define V4_NUMBER      0x000fu
#define V4_DIRV2       0x2000u
#define V4_MORE_BITS   0x8000u
#define V4_FTYPE       0x0200u /* in features2 */

bool sv_xfs_crc_ok(const uint8_t *bytes, size_t n, size_t at)
{
	static const uint8_t zeros[4];
	uint32_t crc = sv_crc32c(0, bytes, at);

	crc = sv_crc32c(crc, zeros, sizeof zeros);
	crc = sv_crc32c(crc, bytes + at + 4, n - at - 4);
	return crc == sv_load_le32(bytes + at);
}

static int bad(struct sv_err *err, uint64_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "the superblock says %s %llu", what,
		(unsigned long long)found);
}

/* Sizes, each with its logarithm beside it. */
static int parse_sizes(const uint8_t *b, struct sv_xfs_super *ret, struct sv_err *err)
{
	ret->block = sv_load_be32(b + 4);
	ret->block_log = b[120];
	ret->sector = sv_load_be16(b + 102);
	ret->inode = sv_load_be16(b + 104);
	ret->inode_log = b[122];
	ret->per_block_log = b[123];
	if (ret->block_log < 9 || ret->block_log > 16 || ret->block != 1u << ret->block_log)
		return bad(err, 4, "bytes per block:", ret->block);
	if (!sv_is_pow2(ret->sector) || ret->sector < 512 || ret->sector > 32768)
		return bad(err, 102, "bytes per sector:", ret->sector);
	if (ret->inode_log < 8 || ret->inode_log > 11 || ret->inode != 1u << ret->inode_log ||
		ret->inode > ret->block ||
		ret->per_block_log != ret->block_log - ret->inode_log)
		return bad(err, 104, "bytes per inode:", ret->inode);
	if (b[192] > 16 - ret->block_log)
		return bad(err, 192, "blocks per folder block: 2 to the power of", b[192]);
	ret->dir_block = ret->block << b[192];
	return 0;
}

static int parse_groups(const uint8_t *b, struct sv_xfs_super *ret, struct sv_err *err)
{
	ret->blocks = sv_load_be64(b + 8);
	ret->ag_blocks = sv_load_be32(b + 84);
	ret->ags = sv_load_be32(b + 88);
	ret->ag_log = b[124];
	if (ret->ag_blocks < 16 || ret->ag_log > 31 || ret->ag_blocks > 1u << ret->ag_log)
		return bad(err, 84, "blocks per allocation group:", ret->ag_blocks);
	if (!ret->ags || !ret->blocks || ret->blocks > (uint64_t)INT64_MAX >> ret->block_log ||
		sv_div_up(ret->blocks, ret->ag_blocks) != ret->ags)
		return bad(err, 88, "allocation groups, not as its blocks make:", ret->ags);
	return 0;
}

static int parse_features(const uint8_t *b, struct sv_xfs_super *ret, struct sv_err *err)
{
	uint16_t version = sv_load_be16(b + 100);

	ret->v5 = (version & V4_NUMBER) == 5;
	if (!ret->v5 && (version & V4_NUMBER) != 4)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 100,
			"XFS of version %u, versions 4 and 5 are read", version & V4_NUMBER);
	if (!ret->v5 && !(version & V4_DIRV2))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 100,
			"XFS with folders of version 1, version 2 is read");
	ret->incompat = ret->v5 ? sv_load_be32(b + 216) : 0;
	ret->ftype = ret->v5 ? ret->incompat & XFS_INCOMPAT_FTYPE
			     : version & V4_MORE_BITS && sv_load_be32(b + 200) & V4_FTYPE;
	ret->realtime = sv_load_be64(b + 16) != 0;
	if (ret->incompat & ~KNOWN_INCOMPAT) {
		sv_fail_at(err, SV_UNSUPPORTED, NULL, 216,
			"XFS with features that are not known (%#x)",
			ret->incompat & ~KNOWN_INCOMPAT);
		return sv_hint(err, "a newer sharevm may read it");
	}
	return 0;
}

int sv_xfs_parse_super(
	const uint8_t *bytes, size_t n, struct sv_xfs_super *ret, struct sv_err *err)
{
	*ret = (struct sv_xfs_super){.checksum_ok = true};
	if (n < XFS_SUPER_SIZE || memcmp(bytes, "XFSB", 4) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the superblock does not begin with \"XFSB\"");
	if (parse_sizes(bytes, ret, err) < 0 || parse_groups(bytes, ret, err) < 0 ||
		parse_features(bytes, ret, err) < 0)
		return -1;
	ret->free_blocks = SV_MIN(sv_load_be64(bytes + 144), ret->blocks);
	ret->root_ino = sv_load_be64(bytes + 56);
	ret->log_start = sv_load_be64(bytes + 48);
	ret->log_blocks = sv_load_be32(bytes + 96);
	memcpy(ret->uuid, bytes + 32, 16);
	memcpy(ret->meta_uuid,
		ret->incompat & XFS_INCOMPAT_META_UUID ? bytes + 248 : bytes + 32, 16);
	memcpy(ret->label, bytes + 108, 12);
	return 0;
}
