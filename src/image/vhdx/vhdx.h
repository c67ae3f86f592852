/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An open VHDX, shared by the files of this folder.
 *
 * A log that holds changes is replayed: into memory for who only reads (`file` is then an
 * overlay), into the file for who writes.
 *
 * Crash order. Before the first change both headers get new GUIDs. New blocks and bitmaps go
 * to the end of the file. Changes of the block table and of bitmaps are kept in memory, by
 * pages (`pending`), until they are committed:
 *
 *	1. if the header names the log: flush the data that they point to
 *	2. an entry in the log with all these pages; flush, the data too
 *	3. the header names the log, by a new id; flush
 *	4. the pages to their places
 *	5. at the end of a flush of the disk: flush, and the header names no log
 *
 * So a power cut leaves the old pages or all the new ones. Each entry stands alone and takes
 * the half of the log that the last one did not: that one stays whole until the next is. What
 * a cut can leave is space at the end that nothing points to (a leak).
 *
 * Memory: at most 16 MiB of pages of the block table and of sector bitmaps; 64 MiB more for
 * what a log holds, where that is replayed into memory.
 */
#ifndef SV_IMAGE_VHDX_VHDX_H
#define SV_IMAGE_VHDX_VHDX_H

#include "image/driver.h"
#include "image/vhdx/log.h"
#include "image/vhdx/metadata.h"
#include "io/pagemap.h"

#include <pthread.h>

#define SV_VHDX_CACHED     4096 /* pages */
#define SV_VHDX_REPLAY_MAX (64 * SV_MIB)
#define SV_VHDX_PENDING    SV_MIB /* twice what a commit takes */
#define SV_VHDX_HINTS      6
/* Pages that one write changes at most: the bits of a block, the two table entries. */
#define SV_VHDX_STEP (SV_VHDX_BLOCK_MAX / 512 / 8 / SV_VHDX_PAGE + 3)

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

	/* for who writes */
	struct sv_pagemap *pending; /* pages that the file does not have yet */
	bool begun;                 /* the headers have GUIDs of ours */
	bool tail_used;             /* a failure left something behind `next` */
	uint64_t next;              /* where the next block goes */
	uint64_t log_sequence;      /* of the last entry */
	struct sv_vhdx_guid log_id;
	unsigned log_half; /* where the next one goes */
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
/* Keeps the change in memory; sv_vhdx_reserve() comes before. One writer, no reader. */
int sv_vhdx_page_write(
	struct sv_vhdx *v, uint64_t at, const void *buf, size_t n, struct sv_err *err);
/* The same over any number of pages. */
int sv_vhdx_bytes_write(
	struct sv_vhdx *v, uint64_t at, const void *buf, size_t n, struct sv_err *err);
/* Writes all that is kept to its places, without the log. */
int sv_vhdx_pages_apply(struct sv_vhdx *v, struct sv_err *err);
void sv_vhdx_pages_drop(struct sv_vhdx *v); /* all that is kept: it is in the file, or void */
/* What was read is forgotten: the file was changed under it. */
void sv_vhdx_pages_forget(struct sv_vhdx *v);
void sv_vhdx_pages_free(struct sv_vhdx *v);

/* The table entry of a block, and of the bitmap that covers it. A reserved state is an error,
 * and so is a place that is none. */
int sv_vhdx_block_entry(
	struct sv_vhdx *v, uint64_t block, struct sv_vhdx_entry *ret, struct sv_err *err);
int sv_vhdx_bitmap_entry(
	struct sv_vhdx *v, uint64_t block, struct sv_vhdx_entry *ret, struct sv_err *err);
int sv_vhdx_set_entry(
	struct sv_vhdx *v, uint64_t index, struct sv_vhdx_entry e, struct sv_err *err);
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

/* ---- commit.c ---- */

/* The log of an image that is opened for writing is done with: its entries go to their places,
 * the header names it no more. */
int sv_vhdx_settle_log(
	struct sv_vhdx *v, const struct sv_vhdx_log_found *found, struct sv_err *err);
/* Before the first change: new GUIDs. */
int sv_vhdx_begin(struct sv_vhdx *v, struct sv_err *err);
/* Makes room for the pages of one step (SV_VHDX_STEP), by a commit where there is none. */
int sv_vhdx_reserve(struct sv_vhdx *v, struct sv_err *err);
int sv_vhdx_flush(struct sv_link *l, struct sv_err *err);

/* ---- the driver's functions, by file ---- */

int sv_vhdx_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
int sv_vhdx_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_vhdx_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);
int sv_vhdx_fill_begin(
	struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err);
int sv_vhdx_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err);
int sv_vhdx_fill_end(struct sv_link *l, struct sv_err *err);
/* n bytes of zeros at v->next, at the end of the file; free until they are taken. */
int sv_vhdx_make_room(struct sv_vhdx *v, uint64_t n, struct sv_err *err);
void sv_vhdx_take_room(struct sv_vhdx *v, uint64_t n);
int sv_vhdx_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err);
void sv_vhdx_identity(const struct sv_link *l, struct sv_image_identity *ret);
int sv_vhdx_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);
int sv_vhdx_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err);
int sv_vhdx_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
uint64_t sv_vhdx_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size);
int sv_vhdx_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);
/* Is this more than any VHDX can hold? */
int sv_vhdx_refuse_large(const char *path, uint64_t size, struct sv_err *err);
int sv_vhdx_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);

#endif
