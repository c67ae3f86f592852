/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * btrfs' superblock and its checksums. Everything on the disk is little-endian.
 * Source: "On-disk Format" of the btrfs documentation (btrfs.readthedocs.io,
 * dev/On-disk-format) and Linux' public header uapi/linux/btrfs_tree.h.
 */
#ifndef SV_FS_BTRFS_SUPER_H
#define SV_FS_BTRFS_SUPER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTRFS_SUPER_SIZE         4096u
#define BTRFS_SUPER_AT           (64u << 10)
#define BTRFS_SUMMED_FROM        32u /* what is before it holds the checksum */
#define BTRFS_SUM_MAX            32u
#define BTRFS_SYSTEM_CHUNKS_MAX  2048u

#define BTRFS_INCOMPAT_META_UUID 0x400u
#define BTRFS_INCOMPAT_ZONED     0x1000u
#define BTRFS_INCOMPAT_TREE_V2   0x2000u
#define BTRFS_INCOMPAT_STRIPES   0x4000u
#define BTRFS_INCOMPAT_REMAP     0x20000u

enum sv_btrfs_sum { BTRFS_CRC32C, BTRFS_XXHASH64, BTRFS_SHA256, BTRFS_BLAKE2B };

struct sv_btrfs_super {
	uint8_t fsid[16], meta_fsid[16];
	uint64_t generation;
	uint64_t root, chunk_root, log_root; /* logical addresses; log_root 0: no log */
	uint64_t chunk_root_generation;
	uint8_t root_level, chunk_root_level, log_root_level;
	uint64_t total, used; /* bytes, of all devices */
	uint64_t devices;
	uint32_t sector, node; /* bytes */
	uint64_t incompat, compat_ro;
	enum sv_btrfs_sum sum;
	uint64_t devid, device_size; /* of the device that it lies on */
	uint8_t device_uuid[16];
	char label[257];
	uint32_t system_chunks_size;
	uint8_t system_chunks[BTRFS_SYSTEM_CHUNKS_MAX];
};

/* Pure. The checksum is verified; `at` is where the bytes lie on their device. */
int sv_btrfs_parse_super(const uint8_t *bytes, size_t n, uint64_t at,
	struct sv_btrfs_super *ret, struct sv_err *err);

/* Bytes of a checksum. */
size_t sv_btrfs_sum_size(enum sv_btrfs_sum type);
void sv_btrfs_sum(
	enum sv_btrfs_sum type, const void *bytes, size_t n, uint8_t ret[BTRFS_SUM_MAX]);
/* Of a superblock or a node, whose checksum lies at its begin. */
bool sv_btrfs_sum_ok(enum sv_btrfs_sum type, const uint8_t *bytes, size_t n);
/* "0x1234abcd" for messages; the first eight bytes. */
#define BTRFS_SUM_TEXT 20
const char *sv_btrfs_sum_text(
	enum sv_btrfs_sum type, const uint8_t *sum, char ret[BTRFS_SUM_TEXT]);

#endif
