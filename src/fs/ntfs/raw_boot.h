/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The NTFS boot sector: the volume's geometry. Every number is checked here once, so that
 * what is computed from it later cannot overflow. Private to the fs room.
 */
#ifndef SV_FS_NTFS_RAW_BOOT_H
#define SV_FS_NTFS_RAW_BOOT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sv_ntfs_raw_geometry {
	uint32_t sector_size;  /* 512 to 4096, a power of two */
	uint32_t cluster_size; /* sector_size to 2 MiB, a power of two */
	uint32_t record_size;  /* of an MFT record: 512 to 64 KiB, a power of two */
	uint64_t sectors;      /* as the boot sector counts them: without its backup */
	uint64_t clusters;     /* whole clusters in them: 1 to 2^32-1 */
	uint64_t mft_lcn;      /* below `clusters`, as is the next */
	uint64_t mftmirr_lcn;
	uint64_t hidden_sectors; /* the partition's start, as the BPB has it */
	uint64_t serial;
};

/* `bytes` is the first sector, at least 512 bytes. SV_UNSUPPORTED, by name, for a BitLocker
 * volume and for what is not NTFS; SV_CORRUPT with the offset for a field that cannot be. */
int sv_ntfs_raw_parse_boot(
	const void *bytes, size_t n, struct sv_ntfs_raw_geometry *ret, struct sv_err *err);

#endif
