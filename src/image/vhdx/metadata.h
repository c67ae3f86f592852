/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The metadata region of a VHDX (MS-VHDX 2.6): a table of items, each with an id. Six items
 * are the format's own; items that a user or another program added are left alone, unless they
 * are marked as required, which means: who does not know me must not open this file.
 */
#ifndef SV_IMAGE_VHDX_METADATA_H
#define SV_IMAGE_VHDX_METADATA_H

#include "image/vhdx/format.h"

struct sv_vhdx_disk_items {
	uint8_t signature[8];
	uint8_t reserved[2];
	sv_le16 n_entries;
	uint8_t reserved2[20];
};
static_assert(sizeof(struct sv_vhdx_disk_items) == 32, "metadata table");

struct sv_vhdx_disk_item {
	struct sv_vhdx_guid id;
	sv_le32 at; /* from the region's beginning */
	sv_le32 length;
	sv_le32 flags;
	sv_le32 reserved;
};
static_assert(sizeof(struct sv_vhdx_disk_item) == 32, "metadata entry");

enum sv_vhdx_item_kind {
	SV_VHDX_ITEM_FILE,            /* block size, and what kind of file */
	SV_VHDX_ITEM_SIZE,            /* of the guest's disk */
	SV_VHDX_ITEM_DISK_ID,         /* SCSI page 83 */
	SV_VHDX_ITEM_SECTOR,          /* logical */
	SV_VHDX_ITEM_PHYSICAL_SECTOR, /* what the guest is told of the hardware */
	SV_VHDX_ITEM_PARENT,          /* parent locator */
	SV_VHDX_ITEM_KINDS
};

struct sv_vhdx_item {
	uint32_t at, length; /* length 0: not there */
};

struct sv_vhdx_items {
	struct sv_vhdx_item known[SV_VHDX_ITEM_KINDS];
	unsigned n_others;
};

/* The table at the beginning of a region of so many bytes. */
int sv_vhdx_items_parse(const void *bytes, size_t n, uint64_t region, struct sv_vhdx_items *ret,
	struct sv_err *err);

/* What the items say together. */
struct sv_vhdx_params {
	uint64_t size;
	uint64_t block;                   /* bytes */
	uint32_t sector, physical_sector; /* bytes; physical 0: not told */
	struct sv_vhdx_guid disk_id;
	bool leave_allocated; /* a fixed disk */
	bool has_parent;
};

/* The bytes of one item but the parent's; `ret` collects. */
int sv_vhdx_item_parse(enum sv_vhdx_item_kind kind, const void *bytes, size_t n,
	struct sv_vhdx_params *ret, struct sv_err *err);
/* Do they fit together, once all are there? */
int sv_vhdx_params_check(const struct sv_vhdx_params *p, struct sv_err *err);

/* Table and items, SV_VHDX_ITEMS_AT + SV_VHDX_NEW_ITEMS bytes at `ret`, which are zeros; the
 * parent locator, if any, ends them. */
#define SV_VHDX_NEW_ITEMS UINT64_C(65536)
void sv_vhdx_items_print(
	const struct sv_vhdx_params *p, const void *locator, size_t n_locator, uint8_t *ret);

/* ---- shape of the block allocation table (2.5) ---- */

/* Sectors of a bitmap block, times the sector: what one bitmap block covers. */
static inline uint64_t sv_vhdx_chunk_ratio(const struct sv_vhdx_params *p)
{
	return SV_VHDX_BITMAP * 8 * p->sector / p->block;
}

static inline uint64_t sv_vhdx_blocks(const struct sv_vhdx_params *p, uint64_t size)
{
	return sv_div_up(size, p->block);
}

/* The entry of a block, and that of the bitmap which covers it. */
static inline uint64_t sv_vhdx_index(const struct sv_vhdx_params *p, uint64_t block)
{
	return block + block / sv_vhdx_chunk_ratio(p);
}

static inline uint64_t sv_vhdx_bitmap_index(const struct sv_vhdx_params *p, uint64_t block)
{
	uint64_t ratio = sv_vhdx_chunk_ratio(p);

	return (block / ratio + 1) * (ratio + 1) - 1;
}

/* Entries of the table of a disk of `size` bytes (not 0). */
static inline uint64_t sv_vhdx_entries(const struct sv_vhdx_params *p, uint64_t size)
{
	uint64_t last = sv_vhdx_blocks(p, size) - 1;

	return 1 + (p->has_parent ? sv_vhdx_bitmap_index(p, last) : sv_vhdx_index(p, last));
}

/* ---- parent locator (2.6.2.6) ---- */

struct sv_vhdx_locator {
	struct sv_vhdx_guid linkage, linkage2; /* nil where there is none */
	char *relative, *volume, *absolute;    /* NULL where there is none; owned */
};

int sv_vhdx_locator_parse(
	const void *bytes, size_t n, struct sv_vhdx_locator *ret, struct sv_err *err);
void sv_vhdx_locator_free(struct sv_vhdx_locator *l);
/* Only linkage and relative are printed. Caller frees. */
void *sv_vhdx_locator_print(const struct sv_vhdx_locator *l, size_t *ret_n, struct sv_err *err);

#endif
