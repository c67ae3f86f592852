/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an expanding Parallels image looks like on the disk (QEMU's docs/interop/parallels.rst):
 * a header, a block allocation table (BAT) with one entry per cluster of the guest's disk, then
 * clusters in the order in which they were first written. All numbers are little-endian. An
 * entry is the place of the cluster's bytes, or 0: the parent's bytes, zeros without one. The
 * two kinds differ in the unit of entries: "WithoutFreeSpace" counts sectors,
 * "WithouFreSpacExt" clusters. The parser is pure.
 */
#ifndef SV_IMAGE_PARALLELS_FORMAT_H
#define SV_IMAGE_PARALLELS_FORMAT_H

#include "base/endian.h"
#include "base/err.h"
#include "base/num.h"
#include "io/dev.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#define SV_PRL_MAGIC       "WithoutFreeSpace" /* entries in sectors, disks up to 2 TiB */
#define SV_PRL_MAGIC_EXT   "WithouFreSpacExt" /* entries in clusters */
#define SV_PRL_VERSION     2
#define SV_PRL_CLUSTER     SV_MIB /* of what we make */
#define SV_PRL_CLUSTER_MAX (64 * SV_MIB)
/* The BAT is kept in memory: at most 64 MiB, a disk of 16 TiB in clusters of 1 MiB. */
#define SV_PRL_BAT_MAX (UINT64_C(16) << 20)

#define SV_PRL_IN_USE  0x746f6e59U /* a writer has it, or died with it */
#define SV_PRL_CLOSED  0x312e3276U /* closed by a writer that knows the extension */
#define SV_PRL_EMPTY   1U          /* flag: no cluster is stored */

#define SV_PRL_HEADS   16U
#define SV_PRL_SECTORS 32U /* per track: what one cylinder has is 256 KiB */

struct sv_prl_disk_header {
	char magic[16];
	sv_le32 version;
	sv_le32 heads, cylinders;
	sv_le32 cluster_sectors;
	sv_le32 n_bat;
	sv_le64 n_sectors; /* SV_PRL_MAGIC: only the lower half counts */
	sv_le32 in_use;
	sv_le32 data_at; /* sectors; 0: behind the BAT */
	sv_le32 flags;
	sv_le64 ext_at; /* sectors; 0: no format extension */
};
static_assert(sizeof(struct sv_prl_disk_header) == 64, "Parallels header");
static_assert(offsetof(struct sv_prl_disk_header, n_sectors) == 36, "n_sectors");
static_assert(offsetof(struct sv_prl_disk_header, in_use) == 44, "in_use");
static_assert(offsetof(struct sv_prl_disk_header, ext_at) == 56, "ext_at");

struct sv_prl_header {
	bool wide;        /* entries count clusters */
	uint64_t size;    /* of the guest's disk */
	uint64_t cluster; /* bytes */
	uint64_t unit;    /* bytes that 1 in an entry stands for */
	uint64_t n_bat;   /* entries in the file */
	uint64_t n_used;  /* entries that the disk needs */
	uint64_t data_at; /* the first cluster may begin here; also where the file says nonsense
			   */
	bool data_wrong;  /* ... which is why nothing can be written */
	uint64_t ext_at;  /* bytes; 0: none */
	uint32_t in_use, flags;
};

int sv_prl_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_prl_header *ret, struct sv_err *err);

/* A new image's header; SV_UNSUPPORTED where the BAT would be too large. `size` is whole
 * sectors. */
int sv_prl_header_make(uint64_t size, struct sv_prl_disk_header *ret, struct sv_err *err);
/* Size, geometry, and the number of entries. */
void sv_prl_header_resize(struct sv_prl_disk_header *h, uint64_t size, uint64_t cluster);

/* Where an entry lies in the file. */
static inline uint64_t sv_prl_entry_at(uint64_t i)
{
	return sizeof(struct sv_prl_disk_header) + i * 4;
}

#endif
