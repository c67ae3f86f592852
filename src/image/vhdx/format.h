/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a VHDX looks like on the disk (MS-VHDX 2.1 to 2.6): an identifier at byte 0, two
 * headers, two copies of the region table, all in the first MiB; then, at multiples of 1 MiB
 * and in any order, the log, the block allocation table (BAT), the metadata and the blocks.
 * Numbers are little-endian, checksums CRC-32C. The parsers are pure; offsets in their errors
 * count from the bytes' beginning.
 */
#ifndef SV_IMAGE_VHDX_FORMAT_H
#define SV_IMAGE_VHDX_FORMAT_H

#include "base/endian.h"
#include "base/err.h"
#include "base/num.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#define SV_VHDX_SIGNATURE    "vhdxfile"
#define SV_VHDX_UNIT         SV_MIB /* places of regions and blocks are multiples of it */
#define SV_VHDX_PAGE         4096   /* the unit of the log */
#define SV_VHDX_TABLE_SIZE   65536
#define SV_VHDX_HEADER_SIZE  4096
#define SV_VHDX_HEADER_AT(i) (UINT64_C(65536) * (1 + (i)))
#define SV_VHDX_TABLE_AT(i)  (UINT64_C(65536) * (3 + (i)))
#define SV_VHDX_ENTRIES_MAX  2047 /* of a region table and of a metadata table */
#define SV_VHDX_SIZE_MAX     (64 * SV_TIB)
/* No file of a disk of 64 TiB is larger: keeps all sums small. */
#define SV_VHDX_FILE_MAX  (128 * SV_TIB)
#define SV_VHDX_BLOCK_MIN SV_MIB
#define SV_VHDX_BLOCK_MAX (256 * SV_MIB)
#define SV_VHDX_ITEM_MAX  SV_MIB          /* bytes of a metadata item */
#define SV_VHDX_ITEMS_AT  UINT64_C(65536) /* items begin behind the table */
#define SV_VHDX_LOG_MAX   (256 * SV_MIB)  /* Hyper-V and QEMU make logs of 1 MiB */
#define SV_VHDX_BITMAP    SV_MIB          /* a sector bitmap block */

/* ---- GUIDs ---- */

struct sv_vhdx_guid {
	uint8_t b[16]; /* as on the disk: the first three groups are little-endian */
};
static_assert(sizeof(struct sv_vhdx_guid) == 16, "guid");

#define SV_VHDX_GUID_TEXT 37
/* "2dc27766-f623-4200-9d64-115e9bfd4a08" */
void sv_vhdx_guid_text(const struct sv_vhdx_guid *g, char ret[SV_VHDX_GUID_TEXT]);
/* The same in braces or without, in letters of either case. */
bool sv_vhdx_guid_parse(const char *text, struct sv_vhdx_guid *ret);
bool sv_vhdx_guid_equal(const struct sv_vhdx_guid *a, const struct sv_vhdx_guid *b);
bool sv_vhdx_guid_is_nil(const struct sv_vhdx_guid *g);
int sv_vhdx_guid_new(struct sv_vhdx_guid *ret, struct sv_err *err);

/* ---- header ---- */

struct sv_vhdx_disk_header {
	uint8_t signature[4];
	sv_le32 checksum;
	sv_le64 sequence;
	struct sv_vhdx_guid file_write, data_write, log;
	sv_le16 log_version, version;
	sv_le32 log_size;
	sv_le64 log_at;
	uint8_t reserved[4016];
};
static_assert(sizeof(struct sv_vhdx_disk_header) == SV_VHDX_HEADER_SIZE, "header");

struct sv_vhdx_header {
	uint64_t sequence;              /* the copy with the larger one counts */
	struct sv_vhdx_guid file_write; /* changes before the file is first changed */
	struct sv_vhdx_guid
		data_write;      /* changes before the guest's data are; children know it */
	struct sv_vhdx_guid log; /* of the entries that count; nil: the log is empty */
	uint64_t log_at;
	uint32_t log_size;
	uint16_t log_version;
};

int sv_vhdx_header_parse(
	const void *bytes, size_t n, struct sv_vhdx_header *ret, struct sv_err *err);
void sv_vhdx_header_print(const struct sv_vhdx_header *h, struct sv_vhdx_disk_header *ret);

/* ---- region table ---- */

struct sv_vhdx_disk_table {
	uint8_t signature[4];
	sv_le32 checksum;
	sv_le32 n_entries;
	sv_le32 reserved;
};
static_assert(sizeof(struct sv_vhdx_disk_table) == 16, "region table");

struct sv_vhdx_disk_region {
	struct sv_vhdx_guid id;
	sv_le64 at;
	sv_le32 length;
	sv_le32 required; /* bit 0 */
};
static_assert(sizeof(struct sv_vhdx_disk_region) == 32, "region");

struct sv_vhdx_region {
	struct sv_vhdx_guid id;
	uint64_t at;
	uint64_t length;
};

struct sv_vhdx_regions {
	size_t n, bat, metadata; /* indices of the two that are known */
	struct sv_vhdx_region all[SV_VHDX_ENTRIES_MAX];
};

/* Refuses unknown regions that are required, and regions on each other. */
int sv_vhdx_regions_parse(
	const void *bytes, size_t n, struct sv_vhdx_regions *ret, struct sv_err *err);
/* A table of both, SV_VHDX_TABLE_SIZE bytes at `ret`. */
void sv_vhdx_regions_print(
	const struct sv_vhdx_region *bat, const struct sv_vhdx_region *metadata, uint8_t *ret);
/* Moves the region of this index in a table that was parsed; its other bytes are kept. */
void sv_vhdx_regions_move(uint8_t *table, size_t index, uint64_t at, uint64_t length);

/* ---- block allocation table ---- */

enum sv_vhdx_state {
	SV_VHDX_NOT_PRESENT = 0,
	SV_VHDX_UNDEFINED = 1,
	SV_VHDX_ZERO = 2,
	SV_VHDX_UNMAPPED = 3,
	SV_VHDX_FULL = 6, /* FULLY_PRESENT; of a bitmap: PRESENT */
	SV_VHDX_PARTIAL = 7,
};

struct sv_vhdx_entry {
	unsigned state;
	uint64_t at; /* bytes; only FULL and PARTIAL have a place */
};

static inline struct sv_vhdx_entry sv_vhdx_entry_load(const void *bytes)
{
	uint64_t raw = sv_load_le64(bytes);

	return (struct sv_vhdx_entry){raw & 7, raw >> 20 << 20};
}

static inline void sv_vhdx_entry_store(void *bytes, struct sv_vhdx_entry e)
{
	sv_store_le64(bytes, e.at | e.state);
}

static inline bool sv_vhdx_has_place(unsigned state)
{
	return state == SV_VHDX_FULL || state == SV_VHDX_PARTIAL;
}

#endif
