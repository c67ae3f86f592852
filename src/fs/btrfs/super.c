/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads btrfs' superblock: what every later place is computed from is checked here, and what
 * cannot be read is refused by its name.
 */
#include "fs/btrfs/super.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define KNOWN_INCOMPAT 0x10fffu
#define DEVICE_AT      0xc9u
#define LABEL_AT       0x12bu
#define META_UUID_AT   0x23bu
#define SYSTEM_AT      0x32bu
#define LEVELS         8u

static const struct {
	const char *name;
	size_t size;
} sums[] = {
	[BTRFS_CRC32C] = {"crc32c", 4},
	[BTRFS_XXHASH64] = {"xxhash64", 8},
	[BTRFS_SHA256] = {"sha256", 32},
	[BTRFS_BLAKE2B] = {"blake2b", 32},
};

/* ---- checksums ---- */

size_t sv_btrfs_sum_size(enum sv_btrfs_sum type)
{
	return sums[type].size;
}

void sv_btrfs_sum(
	enum sv_btrfs_sum type, const void *bytes, size_t n, uint8_t ret[BTRFS_SUM_MAX])
{
	memset(ret, 0, BTRFS_SUM_MAX);
	switch (type) {
	case BTRFS_CRC32C:
		sv_store_le32(ret, sv_crc32c(0, bytes, n));
		break;
	case BTRFS_XXHASH64:
		sv_store_le64(ret, sv_xxh64(bytes, n));
		break;
	case BTRFS_SHA256:
		/* where libcrypto fails nothing fits, and that is told */
		(void)sv_sha256_bytes(bytes, n, ret, NULL);
		break;
	case BTRFS_BLAKE2B:
		sv_blake2b256(bytes, n, ret);
		break;
	}
}

bool sv_btrfs_sum_ok(enum sv_btrfs_sum type, const uint8_t *bytes, size_t n)
{
	uint8_t sum[BTRFS_SUM_MAX];

	sv_btrfs_sum(type, bytes + BTRFS_SUMMED_FROM, n - BTRFS_SUMMED_FROM, sum);
	return !memcmp(sum, bytes, sums[type].size);
}

const char *sv_btrfs_sum_text(
	enum sv_btrfs_sum type, const uint8_t *sum, char ret[BTRFS_SUM_TEXT])
{
	memcpy(ret, "0x", 2);
	if (type == BTRFS_CRC32C) /* as the kernel prints it */
		snprintf(ret + 2, BTRFS_SUM_TEXT - 2, "%08x", sv_load_le32(sum));
	else
		sv_hex(sum, 8, ret + 2);
	return ret;
}

/* ---- the superblock ---- */

static int bad(struct sv_err *err, uint64_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "the superblock says %s %llu", what,
		(unsigned long long)found);
}

static int refuse(struct sv_err *err, const char *what)
{
	sv_fail_at(err, SV_UNSUPPORTED, NULL, 0xbc, "btrfs with %s", what);
	return sv_hint(err, "this is not read yet; a newer sharevm may read it");
}

static int parse_features(const uint8_t *b, struct sv_btrfs_super *ret, struct sv_err *err)
{
	unsigned sum = sv_load_le16(b + 0xc4);

	ret->compat_ro = sv_load_le64(b + 0xb4);
	ret->incompat = sv_load_le64(b + 0xbc);
	if (sum >= SV_ARRAY_LEN(sums))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 0xc4,
			"btrfs with checksums of an unknown type (%u)", sum);
	ret->sum = (enum sv_btrfs_sum)sum;
	return 0;
}

static int check_features(const struct sv_btrfs_super *s, struct sv_err *err)
{
	char text[80];

	if (s->incompat & BTRFS_INCOMPAT_ZONED)
		return refuse(err, "zones (zoned block devices)");
	if (s->incompat & BTRFS_INCOMPAT_TREE_V2)
		return refuse(err, "the experimental extent-tree-v2");
	if (s->incompat & BTRFS_INCOMPAT_STRIPES)
		return refuse(err, "a RAID stripe tree");
	if (s->incompat & BTRFS_INCOMPAT_REMAP)
		return refuse(err, "a remap tree");
	if (!(s->incompat & ~(uint64_t)KNOWN_INCOMPAT))
		return 0;
	snprintf(text, sizeof text, "features that are not known (%#llx)",
		(unsigned long long)(s->incompat & ~(uint64_t)KNOWN_INCOMPAT));
	return refuse(err, text);
}

static int parse_sizes(const uint8_t *b, struct sv_btrfs_super *ret, struct sv_err *err)
{
	ret->sector = sv_load_le32(b + 0x90);
	ret->node = sv_load_le32(b + 0x94);
	if (!sv_is_pow2(ret->sector) || ret->sector < 512 || ret->sector > 65536)
		return bad(err, 0x90, "bytes per sector:", ret->sector);
	if (!sv_is_pow2(ret->node) || ret->node < 4096 || ret->node > 65536 ||
		ret->node < ret->sector)
		return bad(err, 0x94, "bytes per node:", ret->node);
	ret->total = sv_load_le64(b + 0x70);
	ret->used = SV_MIN(sv_load_le64(b + 0x78), ret->total);
	ret->devices = sv_load_le64(b + 0x88);
	if (!ret->total || ret->total > INT64_MAX)
		return bad(err, 0x70, "bytes in all:", ret->total);
	if (!ret->devices)
		return bad(err, 0x88, "devices:", ret->devices);
	ret->system_chunks_size = sv_load_le32(b + 0xa0);
	if (ret->system_chunks_size > BTRFS_SYSTEM_CHUNKS_MAX)
		return bad(err, 0xa0, "bytes of system chunks:", ret->system_chunks_size);
	memcpy(ret->system_chunks, b + SYSTEM_AT, ret->system_chunks_size);
	return 0;
}

static int parse_roots(const uint8_t *b, struct sv_btrfs_super *ret, struct sv_err *err)
{
	ret->generation = sv_load_le64(b + 0x48);
	ret->root = sv_load_le64(b + 0x50);
	ret->chunk_root = sv_load_le64(b + 0x58);
	ret->log_root = sv_load_le64(b + 0x60);
	ret->chunk_root_generation = sv_load_le64(b + 0xa4);
	ret->root_level = b[0xc6];
	ret->chunk_root_level = b[0xc7];
	ret->log_root_level = b[0xc8];
	for (unsigned i = 0; i < 3; i++) {
		if (b[0xc6 + i] >= LEVELS)
			return bad(err, 0xc6 + i, "the level of a tree:", b[0xc6 + i]);
	}
	return 0;
}

static void parse_device(const uint8_t *b, struct sv_btrfs_super *ret)
{
	ret->devid = sv_load_le64(b + DEVICE_AT);
	ret->device_size = sv_load_le64(b + DEVICE_AT + 8);
	memcpy(ret->device_uuid, b + DEVICE_AT + 66, 16);
	memcpy(ret->label, b + LABEL_AT, 256);
	memcpy(ret->fsid, b + 0x20, 16);
	memcpy(ret->meta_fsid,
		ret->incompat & BTRFS_INCOMPAT_META_UUID ? b + META_UUID_AT : b + 0x20, 16);
}

static int check_sum(const uint8_t *b, const struct sv_btrfs_super *s, struct sv_err *err)
{
	char found[BTRFS_SUM_TEXT], expected[BTRFS_SUM_TEXT];
	uint8_t sum[BTRFS_SUM_MAX];

	if (sv_btrfs_sum_ok(s->sum, b, BTRFS_SUPER_SIZE))
		return 0;
	sv_btrfs_sum(s->sum, b + BTRFS_SUMMED_FROM, BTRFS_SUPER_SIZE - BTRFS_SUMMED_FROM, sum);
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"the superblock's checksum (%s) is %s, expected %s", sums[s->sum].name,
		sv_btrfs_sum_text(s->sum, sum, found), sv_btrfs_sum_text(s->sum, b, expected));
}

int sv_btrfs_parse_super(const uint8_t *bytes, size_t n, uint64_t at,
	struct sv_btrfs_super *ret, struct sv_err *err)
{
	*ret = (struct sv_btrfs_super){0};
	if (n < BTRFS_SUPER_SIZE || memcmp(bytes + 0x40, "_BHRfS_M", 8) != 0)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0x40, "the superblock has no \"_BHRfS_M\"");
	if (parse_features(bytes, ret, err) < 0 || check_sum(bytes, ret, err) < 0)
		return -1;
	if (sv_load_le64(bytes + 0x30) != at)
		return bad(err, 0x30, "it lies at byte", sv_load_le64(bytes + 0x30));
	if (check_features(ret, err) < 0 || parse_sizes(bytes, ret, err) < 0 ||
		parse_roots(bytes, ret, err) < 0)
		return -1;
	parse_device(bytes, ret);
	return 0;
}
