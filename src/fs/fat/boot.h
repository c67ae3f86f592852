/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Boot sectors of FAT12, FAT16, FAT32 (Microsoft's "FAT32 File System Specification", 1.03)
 * and exFAT (Microsoft's "exFAT file system specification") as one struct. Places and sizes
 * are bytes from the volume's start.
 */
#ifndef SV_FS_FAT_BOOT_H
#define SV_FS_FAT_BOOT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SV_FAT_BOOT_SIZE     512
#define SV_FAT_FIRST_CLUSTER 2

enum sv_fat_kind { SV_FAT12 = 12, SV_FAT16 = 16, SV_FAT32 = 32, SV_EXFAT = 64 };

struct sv_fat_boot {
	enum sv_fat_kind kind;
	uint32_t sector, cluster;    /* bytes */
	uint64_t fat, fat_size;      /* of the copy in use */
	uint64_t heap;               /* where cluster 2 lies */
	uint32_t clusters;           /* numbers 2 to clusters + 1 are valid */
	uint32_t root;               /* FAT32 and exFAT: its first cluster */
	uint64_t root_at, root_size; /* FAT12 and FAT16: a fixed area */
	uint64_t size;               /* bytes that the file system covers */
	uint64_t fsinfo;             /* FAT32: where FSInfo lies; 0 for none */
	uint32_t serial;
	char label[12];  /* of the boot sector, without the spaces behind it */
	bool dirty;      /* not unmounted; FAT keeps another mark in its second entry */
	uint8_t percent; /* exFAT: in use; 255 where it is not known */
};

/* SV_CORRUPT, with the offset, where a field cannot be. `n` is at least SV_FAT_BOOT_SIZE. */
int sv_fat_parse_boot(
	const uint8_t *bytes, size_t n, struct sv_fat_boot *ret, struct sv_err *err);

#endif
