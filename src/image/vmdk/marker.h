/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Markers: what stands before each grain and each table of a stream-optimized extent
 * ("Virtual Disk Format 5.0", section "Stream-Optimized Compressed Sparse Extents"). Every
 * marker begins at a sector; what it announces follows it, and is padded to sectors. Pure.
 */
#ifndef SV_IMAGE_VMDK_MARKER_H
#define SV_IMAGE_VMDK_MARKER_H

#include "image/vmdk/header.h"

#define SV_VMDK_MARKER_SIZE 512
#define SV_VMDK_GRAIN_DATA  12 /* of a grain's marker: where the packed bytes begin */

enum sv_vmdk_marker_kind {
	SV_VMDK_MARKER_END = 0, /* these four are the numbers on disk */
	SV_VMDK_MARKER_TABLE = 1,
	SV_VMDK_MARKER_DIRECTORY = 2,
	SV_VMDK_MARKER_FOOTER = 3,
	SV_VMDK_MARKER_GRAIN,
};

struct sv_vmdk_marker {
	enum sv_vmdk_marker_kind kind;
	uint64_t value; /* GRAIN: its first sector in the extent; else sectors that follow */
	uint32_t size;  /* GRAIN: packed bytes */
};

/*
 * Reads a marker that stands at byte `at` of an extent with this header. SV_CORRUPT for kinds
 * that are not known, and for grains that lie beyond the capacity, or within a grain, or have
 * more packed bytes than sv_vmdk_packed_max().
 */
int sv_vmdk_marker_parse(const uint8_t bytes[SV_VMDK_MARKER_SIZE], uint64_t at,
	const struct sv_vmdk_header *h, struct sv_vmdk_marker *ret, struct sv_err *err);
/* Prints a marker that is no grain's. */
void sv_vmdk_marker_print(
	enum sv_vmdk_marker_kind kind, uint64_t sectors, uint8_t ret[SV_VMDK_MARKER_SIZE]);
/* The first SV_VMDK_GRAIN_DATA bytes of a grain's. */
void sv_vmdk_marker_print_grain(
	uint64_t sector, uint32_t size, uint8_t ret[SV_VMDK_GRAIN_DATA]);

/* Sectors that the marker and what belongs to it take. */
uint64_t sv_vmdk_marker_sectors(const struct sv_vmdk_marker *m);
/* The most bytes that a grain may be packed into: deflate adds 5 bytes to 16 KiB that it
 * cannot pack, and QEMU reads no more than twice a grain. */
uint64_t sv_vmdk_packed_max(const struct sv_vmdk_header *h);

#endif
