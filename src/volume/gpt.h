/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The GUID partition table: UEFI 2.10 section 5.3. LBAs count in the table's sector size. */
#ifndef SV_VOLUME_GPT_H
#define SV_VOLUME_GPT_H

#include "base/endian.h"
#include "volume/table.h"

#include <assert.h>

#define SV_GPT_ENTRY_MIN   128         /* entries are 128 * 2^n bytes */
#define SV_GPT_ENTRIES_MAX (16u << 20) /* bytes of an entry array; usual are 16 KiB */
#define SV_GPT_RESERVED    (16u << 10) /* bytes that every array has kept for it at least */

struct sv_gpt_disk_header {
	char signature[8]; /* "EFI PART" */
	sv_le32 revision;  /* 0x00010000 */
	sv_le32 header_size;
	sv_le32 header_crc; /* over header_size bytes, itself as zero */
	sv_le32 reserved;
	sv_le64 my_lba;
	sv_le64 alternate_lba;
	sv_le64 first_usable;
	sv_le64 last_usable; /* inclusive */
	uint8_t disk_guid[16];
	sv_le64 entries_lba;
	sv_le32 n_entries;
	sv_le32 entry_size;
	sv_le32 entries_crc;
};
static_assert(sizeof(struct sv_gpt_disk_header) == 92, "a GPT header has 92 bytes");
static_assert(offsetof(struct sv_gpt_disk_header, entries_crc) == 88, "entries_crc");

struct sv_gpt_disk_entry {
	uint8_t type[16]; /* all zero: unused */
	uint8_t guid[16];
	sv_le64 first;
	sv_le64 last; /* inclusive */
	sv_le64 attributes;
	sv_le16 name[36]; /* UTF-16LE, NUL-terminated where shorter */
};
static_assert(sizeof(struct sv_gpt_disk_entry) == 128, "a GPT entry has 128 bytes");

struct sv_gpt_header {
	uint64_t my_lba, alternate_lba;
	uint64_t first_usable, last_usable; /* inclusive */
	uint64_t entries_lba;
	uint8_t disk_guid[16];
	uint32_t header_size;
	uint32_t n_entries, entry_size, entries_crc;
	uint32_t entries_bytes; /* n_entries * entry_size, at most SV_GPT_ENTRIES_MAX */
};

/*
 * Checks the header in the n bytes (one sector) read from `lba` of a disk of disk_sectors.
 * SV_CORRUPT with the offset in those bytes.
 */
int sv_gpt_parse_header(const uint8_t *bytes, size_t n, uint64_t lba, uint64_t disk_sectors,
	struct sv_gpt_header *ret, struct sv_err *err);

/* Adds the used entries of an array of h->entries_bytes to t, whose sector size is set. The
 * offset of an error, and sv_partition.entry, count from the disk's start. */
int sv_gpt_parse_entries(const uint8_t *bytes, size_t n, const struct sv_gpt_header *h,
	struct sv_table *t, struct sv_err *err);

/* One of the two copies of a table as it lies on the disk, found good. */
struct sv_gpt_copy {
	struct sv_gpt_header header;
	uint8_t *sector;     /* of the header */
	uint8_t *entries;    /* whole sectors */
	size_t entries_size; /* of `entries`: header.entries_bytes rounded up to sectors */
};

/* Reads and checks the copy whose header is at lba: SV_CORRUPT when it is no good. */
int sv_gpt_load(struct sv_dev *disk, uint32_t sector_size, uint64_t lba,
	struct sv_gpt_copy *ret, struct sv_err *err);
void sv_gpt_copy_free(struct sv_gpt_copy *c);
#define sv_autogpt SV_CLEANUP(sv_gpt_copy_free)

/* Is "EFI PART" where a primary header would be, with any sector size? */
int sv_gpt_has_primary(struct sv_dev *disk, bool *ret, struct sv_err *err);

int sv_gpt_read(struct sv_dev *disk, struct sv_table *t, struct sv_err *err);

#endif
