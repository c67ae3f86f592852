/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The master boot record and the chain of extended boot records behind it. A record is the
 * first 512 bytes of a sector; entries count in the disk's sectors, of 512 or 4096 bytes, and
 * nothing in the table says which. A chain is a list: each EBR holds one logical partition
 * (relative to that EBR) and a link to the next EBR (relative to the container's start).
 */
#ifndef SV_VOLUME_MBR_H
#define SV_VOLUME_MBR_H

#include "base/endian.h"
#include "volume/table.h"

#include <assert.h>

#define SV_MBR_ENTRIES  4
#define SV_MBR_ENTRY_AT 446 /* offset of the first entry in its sector */

/* Linux names at most 256 minors of a disk; a longer chain is damage. */
#define SV_EBRS_MAX 256

enum sv_mbr_type {
	SV_MBR_EXTENDED_CHS = 0x05,
	SV_MBR_EXTENDED_LBA = 0x0F,
	SV_MBR_EXTENDED_LINUX = 0x85,
	SV_MBR_PROTECTIVE = 0xEE,
};

/* As it lies on the disk. */
struct sv_mbr_disk_entry {
	uint8_t status; /* 0x80 active, 0 not; nothing else in a table */
	uint8_t first_chs[3];
	uint8_t type;
	uint8_t last_chs[3];
	sv_le32 start;
	sv_le32 count;
};
static_assert(sizeof(struct sv_mbr_disk_entry) == 16, "an MBR entry has 16 bytes");

struct sv_mbr_disk_sector {
	uint8_t code[440];
	sv_le32 signature;
	uint8_t reserved[2];
	struct sv_mbr_disk_entry entries[SV_MBR_ENTRIES];
	uint8_t magic[2]; /* 55 AA */
};
static_assert(sizeof(struct sv_mbr_disk_sector) == 512, "an MBR has 512 bytes");
static_assert(offsetof(struct sv_mbr_disk_sector, entries) == SV_MBR_ENTRY_AT, "entries");

struct sv_mbr_entry {
	uint8_t status;
	uint8_t type;
	uint32_t start;
	uint32_t count; /* 0: the entry is empty, whatever its type says */
};

enum sv_mbr_kind {
	SV_MBR_NONE,        /* no 55 AA, or nothing in it at all */
	SV_MBR_BOOT_SECTOR, /* a file system's own first sector */
	SV_MBR_GARBAGE,     /* 55 AA, but no table: `why` says what is wrong */
	SV_MBR_TABLE,
	SV_MBR_GPT,    /* announces a GPT */
	SV_MBR_HYBRID, /* announces a GPT and lists partitions too */
};

struct sv_mbr {
	enum sv_mbr_kind kind;
	uint32_t signature;
	struct sv_mbr_entry entries[SV_MBR_ENTRIES];
	const char *why;
};

/* The four entries of any boot record; false without 55 AA. */
bool sv_mbr_entries(const uint8_t sector[512], struct sv_mbr_entry ret[SV_MBR_ENTRIES]);
bool sv_mbr_is_extended(uint8_t type);

/* Decides what sector 0 of a disk of disk_sectors is. Pure; never fails. */
void sv_mbr_parse(const uint8_t sector[512], uint64_t disk_sectors, struct sv_mbr *ret);

/*
 * The sector size that the entries count in: 512, unless no volume begins where that puts the
 * partitions, and a volume begins where 4096 puts them which says itself that its sectors have
 * 4096 bytes (NTFS, FAT and exFAT do).
 */
int sv_mbr_sector_size(
	struct sv_dev *disk, const struct sv_mbr *mbr, uint32_t *ret, struct sv_err *err);

/* Adds the primaries of `mbr` and the logicals of its chains to t, whose sector size is set. */
int sv_mbr_read(
	struct sv_dev *disk, const struct sv_mbr *mbr, struct sv_table *t, struct sv_err *err);

/* Cylinder, head and sector of `lba` as Windows writes them. */
void sv_mbr_chs(uint64_t lba, uint8_t ret[3]);

#endif
