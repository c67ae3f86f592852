/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XFS' superblock, versions 4 and 5. Everything on the disk is big-endian but the checksums.
 * Source: "XFS Algorithms & Data Structures" (3rd edition, xfs.wiki.kernel.org), chapter
 * "Superblocks"; newer feature bits: xfsprogs' mkfs.xfs(8) and xfs_info(8).
 */
#ifndef SV_FS_XFS_SUPER_H
#define SV_FS_XFS_SUPER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XFS_SUPER_SIZE           512 /* what is read of it */

#define XFS_INCOMPAT_FTYPE       0x01u
#define XFS_INCOMPAT_SPINODES    0x02u
#define XFS_INCOMPAT_META_UUID   0x04u
#define XFS_INCOMPAT_BIGTIME     0x08u
#define XFS_INCOMPAT_NEEDSREPAIR 0x10u
#define XFS_INCOMPAT_NREXT64     0x20u
#define XFS_INCOMPAT_EXCHRANGE   0x40u
#define XFS_INCOMPAT_PARENT      0x80u
#define XFS_INCOMPAT_METADIR     0x100u

struct sv_xfs_super {
	bool v5;
	uint32_t block, sector, inode;                /* bytes */
	unsigned block_log, inode_log, per_block_log; /* per_block_log: inodes of a block */
	uint64_t blocks, free_blocks, root_ino;
	uint32_t ag_blocks, ags;
	unsigned ag_log;
	uint64_t log_start; /* fsblock; 0: on another device */
	uint32_t log_blocks;
	uint32_t dir_block; /* bytes */
	uint32_t incompat;
	bool ftype; /* entries of folders tell types */
	bool realtime;
	uint8_t uuid[16], meta_uuid[16];
	char label[13];
	bool checksum_ok;
};

int sv_xfs_parse_super(
	const uint8_t *bytes, size_t n, struct sv_xfs_super *ret, struct sv_err *err);

/* Does the CRC-32C of a version 5 block hold, which lies at `at` within it? */
bool sv_xfs_crc_ok(const uint8_t *bytes, size_t n, size_t at);

#endif
