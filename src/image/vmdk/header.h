/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header of a hosted sparse extent ("Virtual Disk Format 5.0", section "Hosted Sparse
 * Extents"), and the place of its tables. Pure: no I/O. Sectors are 512 bytes.
 */
#ifndef SV_IMAGE_VMDK_HEADER_H
#define SV_IMAGE_VMDK_HEADER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SV_VMDK_HEADER_SIZE  512
#define SV_VMDK_MAGIC        "KDMV"
#define SV_VMDK_GTES         512 /* entries of a grain table; the only value in use */
#define SV_VMDK_GT_SECTORS   4   /* of 4 bytes each */
#define SV_VMDK_GRAIN        128 /* sectors; what VMware makes, and we */
#define SV_VMDK_GRAIN_MIN    8
#define SV_VMDK_GRAIN_MAX    8192 /* 4 MiB; VMware's own are 64 KiB to 1 MiB */
#define SV_VMDK_DESC_SECTORS 20   /* what VMware reserves, and all that qemu 7.2 reads */
#define SV_VMDK_DESC_SECTOR  1
#define SV_VMDK_UNCLEAN_AT   72 /* the byte of the unclean-shutdown flag */
/* Grain directory entries that we load: 32 MiB of them, a 256 TiB disk with 64 KiB grains. */
#define SV_VMDK_GD_MAX         (8U * 1024 * 1024)

#define SV_VMDK_FLAG_NEWLINES  0x1U       /* the newline bytes are valid */
#define SV_VMDK_FLAG_REDUNDANT 0x2U       /* there is a second directory with its own tables */
#define SV_VMDK_FLAG_ZEROED    0x4U       /* a table entry of 1 is a grain of zeros */
#define SV_VMDK_FLAG_COMPRESS  0x10000U   /* streamOptimized: grains are zlib streams */
#define SV_VMDK_FLAG_MARKERS   0x20000U   /* each grain, and each table, has a marker */
#define SV_VMDK_GD_AT_END      UINT64_MAX /* the footer knows where the directory is */

struct sv_vmdk_header {
	uint32_t version; /* 1 to 3 */
	uint32_t flags;
	uint64_t capacity; /* sectors, at least 1 */
	uint64_t grain;    /* sectors, a power of two */
	uint64_t desc_at;  /* sector of the embedded descriptor; 0 for none */
	uint64_t desc_sectors;
	uint64_t rgd_at;   /* sector of the redundant directory; 0 for none */
	uint64_t gd_at;    /* or SV_VMDK_GD_AT_END */
	uint64_t overhead; /* sectors before the first grain */
	bool unclean;
	/* A directory entry names 1 << this many tables that follow each other: more than one
	 * in COWD extents (cowd.h) only. */
	unsigned table_shift;
	uint64_t used; /* COWD: sectors of the file that are in use; else 0: all */
};

static inline bool sv_vmdk_is_packed(const struct sv_vmdk_header *h)
{
	return h->flags & SV_VMDK_FLAG_COMPRESS;
}

/*
 * Reads the first SV_VMDK_HEADER_SIZE bytes of a file of `file_size` bytes. SV_CORRUPT with
 * the offset of the field; SV_UNSUPPORTED for unknown versions and compression methods.
 * Guarantees: both directories and the descriptor lie in the file, or the directory is at the
 * end and there are markers to find it.
 */
int sv_vmdk_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vmdk_header *ret, struct sv_err *err);
void sv_vmdk_header_print(const struct sv_vmdk_header *h, uint8_t ret[SV_VMDK_HEADER_SIZE]);

/* How many grain tables the capacity needs, and how many sectors a directory of n has. */
uint64_t sv_vmdk_tables(uint64_t capacity, uint64_t grain);
uint64_t sv_vmdk_directory_sectors(uint64_t tables);

/*
 * The layout of a new extent: header, descriptor (of desc_sectors, may be 0), redundant
 * directory and its tables, directory and its tables, then grains.
 */
void sv_vmdk_header_plan(uint64_t capacity, uint64_t desc_sectors, struct sv_vmdk_header *ret);

#endif
