/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One expanding image file (format.h): a whole disk, or a part of one in a .hdd folder.
 *
 * Crash order: a new cluster's data, and dirty bitmaps, are flushed first, then BAT entries are
 * written and flushed, then clusters that no entry names any more may be used again. A power
 * cut leaves an entry as it was or pointing to a cluster whose data are all there; what can be
 * left is clusters that nothing names. The header says "in use" from the first change of the
 * BAT to the end of the next flush. Where the file has dirty bitmaps that may be believed, it
 * says so, durably, before any data change: after a cut nobody believes them (ext.h).
 *
 * A file that says "in use" is written like any other once its BAT was found sound, which
 * sv_hds_open() looks at in any case: entries must not overlap or lie outside the file.
 *
 * Memory: 4 bytes a cluster, and for writing one bit more.
 */
#ifndef SV_IMAGE_PARALLELS_HDS_H
#define SV_IMAGE_PARALLELS_HDS_H

#include "image/driver.h"
#include "image/parallels/format.h"
#include "image/parallels/space.h"

struct sv_prl_ext;

struct sv_hds {
	struct sv_dev *file;
	struct sv_prl_header h;
	uint32_t *bat;         /* host order, h.n_used entries */
	struct sv_dev **below; /* what the parents show of the whole disk; may be NULL */
	uint64_t start;        /* of this part on the whole disk */

	/* ---- for writing ---- */
	bool writable;
	struct sv_prl_space space;
	uint8_t *pages;         /* a flag per 4 KiB of header and BAT: to be written */
	bool bat_changed;       /* one of them is set */
	bool dirty;             /* something is not flushed */
	bool filling;           /* a new image, whose file is longer than needed */
	bool marked;            /* the header in the file says "in use" */
	bool failed;            /* what is in the file is not known any more */
	uint32_t closed;        /* what the header says once all is flushed */
	struct sv_prl_ext *ext; /* dirty bitmaps that are kept right; NULL: none */
};

/* The file is referenced. Free with sv_hds_close(), which does not flush. */
int sv_hds_open(struct sv_dev *file, bool writable, struct sv_hds **ret, struct sv_err *err);
void sv_hds_close(struct sv_hds *h); /* NULL-safe */

/* Offsets are those of this part. */
int sv_hds_map(struct sv_hds *h, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
int sv_hds_write(
	struct sv_hds *h, const void *buf, uint64_t n, uint64_t off, struct sv_err *err);
int sv_hds_discard(struct sv_hds *h, uint64_t off, uint64_t len, struct sv_err *err);
int sv_hds_flush(struct sv_hds *h, struct sv_err *err);
uint64_t sv_hds_stored(const struct sv_hds *h); /* guest bytes that the file has */

/* Makes an empty image in a new file; not flushed. */
int sv_hds_make(struct sv_dev *file, uint64_t size, struct sv_err *err);
/* See grow.c for the order. */
int sv_hds_grow(struct sv_hds *h, uint64_t size, struct sv_err *err);
/* SV_UNSUPPORTED where it cannot be that large. */
int sv_hds_check_size(const struct sv_prl_header *h, uint64_t size, struct sv_err *err);
/* What growth writes at most. */
uint64_t sv_hds_grow_cost(const struct sv_prl_header *h, uint64_t size);
int sv_hds_check(struct sv_dev *file, struct sv_image_faults *faults, struct sv_job *job,
	struct sv_err *err);

/* ---- shared by the files of this folder ---- */

/* Places are numbers of clusters; place 0 begins where counting back from the data ends. */
static inline uint64_t sv_hds_place_at(const struct sv_prl_header *h, uint64_t place)
{
	return h->data_at % h->cluster + place * h->cluster;
}

static inline uint64_t sv_hds_first_place(const struct sv_prl_header *h)
{
	return h->data_at / h->cluster;
}

/* Where the bytes of cluster i lie; 0: nowhere. */
static inline uint64_t sv_hds_cluster_at(const struct sv_hds *h, uint64_t i)
{
	return h->bat[i] * h->h.unit;
}

/* The place that begins at a byte of the file; false where none does. */
bool sv_hds_place_of(const struct sv_prl_header *h, uint64_t at, uint64_t *ret);
/* How many bytes of cluster i the guest can see. */
uint64_t sv_hds_cluster_len(const struct sv_hds *h, uint64_t i);

/* Reads the BAT as it is; nothing is looked at. */
int sv_hds_load(struct sv_dev *file, struct sv_hds **ret, struct sv_err *err);
/* Finds out what is taken. SV_CORRUPT where clusters overlap or lie outside the file. */
int sv_hds_prepare_writing(struct sv_hds *h, struct sv_err *err);

/* The header in the file says "in use" and "not empty". */
int sv_hds_mark(struct sv_hds *h, struct sv_err *err);
/* Changes an entry in memory, and in the file with the next flush; `at` is where the cluster's
 * bytes lie, 0 for nowhere. */
int sv_hds_set_entry(struct sv_hds *h, uint64_t i, uint64_t at, struct sv_err *err);
/* Space for a cluster that reads as zeros. */
int sv_hds_new_cluster(struct sv_hds *h, uint64_t *ret_at, struct sv_err *err);
/* A flush that leaves the mark "in use" in the file. */
int sv_hds_commit(struct sv_hds *h, struct sv_err *err);

#endif
