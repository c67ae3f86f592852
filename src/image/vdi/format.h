/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a VDI looks like on the disk (VirtualBox's VDICore.h, image version 1.1): a header, a
 * block map with one entry per block of the guest's disk, then the blocks in the order in
 * which they were first written. All numbers are little-endian. The parser is pure.
 *
 * An entry is the number of the block's place, FREE (the parent's bytes, zeros without one) or
 * ZERO (zeros whatever the parent has).
 */
#ifndef SV_IMAGE_VDI_FORMAT_H
#define SV_IMAGE_VDI_FORMAT_H

#include "base/endian.h"
#include "base/err.h"
#include "base/num.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#define SV_VDI_SIGNATURE 0xbeda107fU
#define SV_VDI_FREE      0xffffffffU
#define SV_VDI_ZERO      0xfffffffeU
#define SV_VDI_UUID_SIZE 16
#define SV_VDI_BLOCK     SV_MIB /* of what we make; QEMU reads no other */
#define SV_VDI_BLOCK_MIN (64 * SV_KIB)
#define SV_VDI_BLOCK_MAX (64 * SV_MIB)
/* The map is kept in memory: at most 64 MiB, a disk of 16 TiB in blocks of 1 MiB. */
#define SV_VDI_BLOCKS_MAX (UINT64_C(16) << 20)

struct sv_vdi_disk_geometry {
	sv_le32 cylinders, heads, sectors, sector_size;
};

struct sv_vdi_disk_header {
	char text[64];
	sv_le32 signature;
	sv_le32 version;
	sv_le32 header_size; /* from this field on */
	sv_le32 type;
	sv_le32 flags;
	char comment[256];
	sv_le32 map_at;
	sv_le32 data_at;
	struct sv_vdi_disk_geometry legacy_geometry;
	sv_le32 unused;
	sv_le64 disk_size;
	sv_le32 block_size;
	sv_le32 block_extra;
	sv_le32 n_blocks;
	sv_le32 n_allocated;
	uint8_t id[SV_VDI_UUID_SIZE];
	uint8_t modified[SV_VDI_UUID_SIZE];
	uint8_t parent_id[SV_VDI_UUID_SIZE];
	uint8_t parent_modified[SV_VDI_UUID_SIZE];
	struct sv_vdi_disk_geometry geometry;
	uint8_t rest[40];
};
static_assert(sizeof(struct sv_vdi_disk_header) == 512, "VDI header");
static_assert(offsetof(struct sv_vdi_disk_header, map_at) == 0x154, "map_at");
static_assert(offsetof(struct sv_vdi_disk_header, disk_size) == 0x170, "disk_size");
static_assert(offsetof(struct sv_vdi_disk_header, id) == 0x188, "id");
static_assert(offsetof(struct sv_vdi_disk_header, geometry) == 0x1c8, "geometry");

enum sv_vdi_type { SV_VDI_DYNAMIC = 1, SV_VDI_FIXED = 2, SV_VDI_DIFFERENCING = 4 };

struct sv_vdi_header {
	enum sv_vdi_type type;
	uint64_t size; /* of the guest's disk, whole sectors */
	uint64_t map_at, data_at;
	uint64_t block_size;
	uint64_t n_blocks; /* that the disk needs */
	uint32_t n_allocated;
	uint32_t heads, sectors; /* of the geometry; as they are, for nothing depends on them */
	uint8_t id[SV_VDI_UUID_SIZE], modified[SV_VDI_UUID_SIZE];
	uint8_t parent_id[SV_VDI_UUID_SIZE], parent_modified[SV_VDI_UUID_SIZE];
	char comment[257];
};

int sv_vdi_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vdi_header *ret, struct sv_err *err);

void sv_vdi_header_make(struct sv_vdi_disk_header *h, enum sv_vdi_type type, uint64_t size);
/* Size, geometry, and how many blocks that are. */
void sv_vdi_header_resize(struct sv_vdi_disk_header *h, uint64_t size, uint64_t block_size);

#define SV_VDI_UUID_TEXT 37
/* As VirtualBox prints it: the first three fields are little-endian. */
void sv_vdi_uuid_text(const uint8_t id[SV_VDI_UUID_SIZE], char text[SV_VDI_UUID_TEXT]);

#endif
