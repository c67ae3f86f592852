/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An open VHDX, shared by the files of this folder.
 *
 * A log that holds changes is replayed: into memory for who only reads (`file` is then an
 * overlay), into the file for who writes.
 *
 * Memory: at most 16 MiB of pages of the block table and of sector bitmaps; 64 MiB more for
 * what a log holds, where that is replayed into memory.
 */
#ifndef SV_IMAGE_VHDX_VHDX_H
#define SV_IMAGE_VHDX_VHDX_H

#include "image/driver.h"
#include "image/vhdx/log.h"
#include "image/vhdx/metadata.h"

#include <pthread.h>

#define SV_VHDX_CACHED     4096 /* pages */
#define SV_VHDX_REPLAY_MAX (64 * SV_MIB)
#define SV_VHDX_HINTS      6

struct sv_vhdx_cached; /* pages.c */

struct sv_vhdx {
	struct sv_link link;
	struct sv_dev *file; /* as the log says that it is */
	struct sv_vhdx_header header;
	unsigned current;    /* which of both headers that is */
	bool header_bad[2];  /* that copy is missing or broken */
	bool table_bad[2];   /* the same of the region table */
	uint32_t n_replayed; /* log entries */
	bool log_lost;       /* the header names a log, but there is no whole entry */
	struct sv_vhdx_regions regions;
	struct sv_vhdx_items items;
	struct sv_vhdx_params params;
	struct sv_vhdx_locator locator;
	char *hints[SV_VHDX_HINTS + 1]; /* where the parent may be, best first */

	pthread_mutex_t lock; /* of the cache */
	struct sv_vhdx_cached *cached[SV_VHDX_CACHED];
};

static inline struct sv_vhdx *sv_vhdx_of(struct sv_link *l)
{
	return (struct sv_vhdx *)l;
}

static inline const struct sv_vhdx_region *sv_vhdx_bat(const struct sv_vhdx *v)
{
	return &v->regions.all[v->regions.bat];
}

static inline const struct sv_vhdx_region *sv_vhdx_metadata(const struct sv_vhdx *v)
{
	return &v->regions.all[v->regions.metadata];
}

/* ---- load.c ---- */

/* Reads all structures, and replays the log. The link's info is not filled in. Free with
 * sv_vhdx_close(). */
int sv_vhdx_load(struct sv_dev *file, bool writable, struct sv_vhdx **ret, struct sv_err *err);
void sv_vhdx_close(struct sv_link *l);

/* ---- pages.c: the block table and sector bitmaps, by pages; safe from several threads ---- */

/* Bytes within one page of the file. */
int sv_vhdx_page_read(struct sv_vhdx *v, uint64_t at, void *buf, size_t n, struct sv_err *err);
void sv_vhdx_pages_free(struct sv_vhdx *v);

/* The table entry of a block, and of the bitmap that covers it. A reserved state is an error,
 * and so is a place that is none. */
int sv_vhdx_block_entry(
	struct sv_vhdx *v, uint64_t block, struct sv_vhdx_entry *ret, struct sv_err *err);
int sv_vhdx_bitmap_entry(
	struct sv_vhdx *v, uint64_t block, struct sv_vhdx_entry *ret, struct sv_err *err);
static inline uint64_t sv_vhdx_entry_at(const struct sv_vhdx *v, uint64_t index)
{
	return sv_vhdx_bat(v)->at + index * 8;
}
/* Where the bit of the sector at this byte of the guest's disk is, given its bitmap's place. */
struct sv_vhdx_bit {
	uint64_t page; /* of the bitmap: place in the file */
	uint32_t bit;  /* in the page */
};
struct sv_vhdx_bit sv_vhdx_bit_of(const struct sv_vhdx *v, uint64_t bitmap_at, uint64_t off);

/* ---- the driver's functions, by file ---- */

int sv_vhdx_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
int sv_vhdx_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);
int sv_vhdx_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);

#endif
