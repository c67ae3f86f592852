/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a VHD looks like on the disk ("Virtual Hard Disk Image Format Specification" 1.0 and
 * MS-VHD): a footer of 512 bytes at the end of every image; dynamic and differencing images
 * also have a copy of it at byte 0, and a header with the place of the block allocation table
 * (BAT). All numbers are big-endian. The parsers are pure; offsets in errors count from the
 * bytes' beginning.
 *
 * The size of the guest's disk is the footer's current size, whoever made the image. Virtual
 * PC and old QEMU show their guests only what the geometry reaches (its cylinders round down);
 * Hyper-V, VirtualBox, 7-Zip and libvhdi, and QEMU for images of "win ", "d2v ", "qem2", go by
 * the current size. A tail that a guest never saw does no harm; a disk cut short would. What
 * we write is marked "win ", so that every program goes by the current size.
 */
#ifndef SV_IMAGE_VHD_FORMAT_H
#define SV_IMAGE_VHD_FORMAT_H

#include "base/endian.h"
#include "base/err.h"
#include "base/num.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#define SV_VHD_COOKIE        "conectix"
#define SV_VHD_HEADER_COOKIE "cxsparse"
#define SV_VHD_FOOTER_SIZE   512
#define SV_VHD_HEADER_SIZE   1024
#define SV_VHD_ID_SIZE       16
#define SV_VHD_LOCATORS      8
#define SV_VHD_FREE          UINT32_MAX /* BAT: the block is not stored */
#define SV_VHD_SIZE_MAX      (2040 * SV_GIB)
#define SV_VHD_BLOCK_DEFAULT (2 * SV_MIB)
#define SV_VHD_BLOCK_MIN     (4 * SV_KIB)
#define SV_VHD_BLOCK_MAX     (256 * SV_MIB)
/* 2040 GiB in blocks of 512 KiB: the table is kept in memory, 16 MiB of it */
#define SV_VHD_BLOCKS_MAX (UINT64_C(4) << 20)
/* 4 KiB-aligned locators hold at most a long Windows path (32767 UTF-16 units) */
#define SV_VHD_LOCATOR_MAX 65536
#define SV_VHD_EPOCH       INT64_C(946684800) /* 2000-01-01 UTC */

struct sv_vhd_disk_footer {
	uint8_t cookie[8];
	sv_be32 features;
	sv_be32 version;
	sv_be64 header_at;
	sv_be32 time;
	uint8_t creator[4];
	sv_be32 creator_version;
	uint8_t creator_os[4];
	sv_be64 original_size;
	sv_be64 size;
	sv_be16 cylinders;
	uint8_t heads;
	uint8_t sectors;
	sv_be32 type;
	sv_be32 checksum;
	uint8_t id[SV_VHD_ID_SIZE];
	uint8_t saved;
	uint8_t reserved[427];
};
static_assert(sizeof(struct sv_vhd_disk_footer) == SV_VHD_FOOTER_SIZE, "footer");
static_assert(offsetof(struct sv_vhd_disk_footer, type) == 60, "footer type");

struct sv_vhd_disk_locator {
	uint8_t code[4];
	sv_be32 space;
	sv_be32 length;
	sv_be32 reserved;
	sv_be64 offset;
};
static_assert(sizeof(struct sv_vhd_disk_locator) == 24, "locator");

struct sv_vhd_disk_header {
	uint8_t cookie[8];
	sv_be64 data_offset;
	sv_be64 table_at;
	sv_be32 version;
	sv_be32 max_entries;
	sv_be32 block_size;
	sv_be32 checksum;
	uint8_t parent_id[SV_VHD_ID_SIZE];
	sv_be32 parent_time;
	sv_be32 reserved;
	uint8_t parent_name[512]; /* UTF-16BE */
	struct sv_vhd_disk_locator locators[SV_VHD_LOCATORS];
	uint8_t reserved2[256];
};
static_assert(sizeof(struct sv_vhd_disk_header) == SV_VHD_HEADER_SIZE, "header");
static_assert(offsetof(struct sv_vhd_disk_header, locators) == 576, "header locators");

enum sv_vhd_type { SV_VHD_FIXED = 2, SV_VHD_DYNAMIC = 3, SV_VHD_DIFFERENCING = 4 };

struct sv_vhd_footer {
	enum sv_vhd_type type;
	uint64_t size;
	uint64_t header_at;
	uint32_t time; /* seconds since 2000 */
	uint8_t id[SV_VHD_ID_SIZE];
	char creator[5];
	bool saved;  /* a machine in saved state uses it */
	bool sum_ok; /* the checksum is right */
};

struct sv_vhd_locator {
	char code[5]; /* "W2ru", ... "" for none */
	uint32_t length;
	uint64_t offset;
};

struct sv_vhd_header {
	uint64_t table_at;
	uint32_t max_entries;
	uint64_t block_size, bitmap_size; /* bytes */
	uint64_t n_blocks;                /* that the guest's disk needs */
	uint8_t parent_id[SV_VHD_ID_SIZE];
	uint32_t parent_time; /* 0: not recorded */
	bool sum_ok;
	struct sv_vhd_locator locators[SV_VHD_LOCATORS];
};

/* n may be 511 (Virtual PC before 2004 wrote footers of that size). */
int sv_vhd_footer_parse(
	const void *bytes, size_t n, struct sv_vhd_footer *ret, struct sv_err *err);
/* `size` of the guest's disk, `file_size` of the image. */
int sv_vhd_header_parse(const void *bytes, size_t n, uint64_t size, uint64_t file_size,
	struct sv_vhd_header *ret, struct sv_err *err);

/* The checksum of a structure whose checksum field is at `at`: one's complement of the sum. */
uint32_t sv_vhd_checksum(const void *bytes, size_t n, size_t at);

/* New structures, and changes of existing ones (their other bytes are kept); checksummed. */
void sv_vhd_footer_make(struct sv_vhd_disk_footer *f, enum sv_vhd_type type, uint64_t size,
	const uint8_t id[SV_VHD_ID_SIZE], uint32_t time);
void sv_vhd_footer_resize(struct sv_vhd_disk_footer *f, uint64_t size);
void sv_vhd_footer_sum(struct sv_vhd_disk_footer *f);
void sv_vhd_header_make(
	struct sv_vhd_disk_header *h, uint64_t table_at, uint64_t entries, uint64_t block);
void sv_vhd_header_sum(struct sv_vhd_disk_header *h);

#endif
