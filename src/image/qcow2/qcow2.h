/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One link of a qcow2 chain. Shared by the files of the driver, qcow2*.c.
 */
#ifndef SV_IMAGE_QCOW2_H
#define SV_IMAGE_QCOW2_H

#include "image/driver.h"
#include "image/qcow2/cache.h"
#include "image/qcow2/entry.h"
#include "image/qcow2/header.h"
#include "image/qcow2/refs.h"
#include "image/qcow2/snapshot.h"

#include "base/num.h"

#include <pthread.h>

/* The last cluster that was unpacked: small reads of packed clusters come in series. */
struct sv_qcow2_unpacked {
	pthread_mutex_t lock;
	uint64_t cluster; /* of the guest's disk */
	uint8_t *bytes;   /* NULL: none yet */
};

struct sv_qcow2 {
	struct sv_link link;
	struct sv_dev *file; /* own reference */
	struct sv_dev *data; /* guest clusters: the data file's, else `file` */
	char *data_path;     /* canonical; NULL: no data file */
	struct sv_qcow2_header h;
	struct sv_qcow2_layout layout;
	uint64_t cluster, l2_span; /* bytes */
	uint64_t l1_at;            /* the active table's, or a snapshot's */
	uint32_t l1_size;
	uint64_t *l1; /* host order */
	struct sv_qcow2_snapshots snapshots;
	struct sv_qcow2_cache *cache;
	struct sv_qcow2_unpacked unpacked;
	/* writing */
	struct sv_qcow2_refs refs;
	uint32_t l1_changed_from, l1_changed_to; /* entries that differ from the file's */
	bool began;                              /* the header was prepared for changes */
	bool dirty;                              /* changed since the last flush */
	bool failed; /* a flush failed: nobody knows what is in the file */
	/* filling a new image */
	bool filling;               /* the file is larger than needed */
	uint64_t fill_end;          /* where it will end; 0: nothing was taken */
	uint64_t filled, filled_at; /* the guest cluster that got its place last, the place */
};

static inline struct sv_qcow2 *sv_qcow2_of(struct sv_link *l)
{
	return (struct sv_qcow2 *)l;
}

/* ---- reading: qcow2_map.c, qcow2_read.c ---- */

/* See sv_image_driver.map. */
int sv_qcow2_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
/* See sv_image_driver.read: packed clusters. */
int sv_qcow2_read_packed(
	struct sv_link *l, void *buf, size_t n, uint64_t off, struct sv_err *err);

/* Where entry `index` (a guest cluster) lies in the file; *ret is 0 where its table does not
 * exist. *ret_n: how many entries from it on lie in the same page. */
int sv_qcow2_entry_at(const struct sv_qcow2 *q, uint64_t index, uint64_t *ret_at,
	uint32_t *ret_n, struct sv_err *err);
/* Up to n entries from index on, all of one page; *ret_n is 0 where the table does not exist,
 * *ret_at where the first lies. */
#define SV_QCOW2_BATCH 256
int sv_qcow2_entries(struct sv_qcow2 *q, uint64_t index, uint32_t n,
	struct sv_qcow2_raw ret[SV_QCOW2_BATCH], uint32_t *ret_n, uint64_t *ret_at,
	struct sv_err *err);
/* Decodes and checks against the file; `at` is where the entry lies. */
int sv_qcow2_take_entry(const struct sv_qcow2 *q, uint64_t index, struct sv_qcow2_raw raw,
	uint64_t at, struct sv_qcow2_entry *ret, struct sv_err *err);
/* What the guest sees in [off, off+n), which may go beyond the disk's end: zeros there. */
int sv_qcow2_read_view(
	struct sv_qcow2 *q, uint8_t *buf, uint64_t n, uint64_t off, struct sv_err *err);
/* Unpacks the packed cluster e into `ret` of one cluster. */
int sv_qcow2_unpack(const struct sv_qcow2 *q, const struct sv_qcow2_entry *e, uint8_t *ret,
	struct sv_err *err);

/* ---- writing: qcow2_begin.c, qcow2_write.c, qcow2_discard.c, qcow2_flush.c ---- */

/* SV_UNSUPPORTED where the image must not be changed (it is marked as corrupt, or its
 * refcounts as out of date). */
int sv_qcow2_check_writable(const struct sv_qcow2 *q, struct sv_err *err);
/* Before any change: loads the refcounts, and sees to what other programs keep in the image. */
int sv_qcow2_begin_change(struct sv_qcow2 *q, struct sv_err *err);

/* SV_IO once a write failed that leaves nobody knowing what is in the file. */
int sv_qcow2_check_failed(const struct sv_qcow2 *q, struct sv_err *err);
/* Changes a table that exists. Where that fails the old bytes are put back, so that no entry is
 * half written, and nothing more is written to the image. */
int sv_qcow2_change_bytes(
	struct sv_qcow2 *q, uint64_t at, const void *bytes, size_t n, struct sv_err *err);
/* The same for a few bytes of the header's first sector, flushed. */
int sv_qcow2_change_header(
	struct sv_qcow2 *q, uint64_t at, const void *bytes, size_t n, struct sv_err *err);
/* Says that the bitmaps cannot be trusted any more. */
int sv_qcow2_drop_bitmaps(struct sv_qcow2 *q, struct sv_err *err);

int sv_qcow2_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_qcow2_write_zeros(struct sv_qcow2 *q, uint64_t n, uint64_t off, struct sv_err *err);
int sv_qcow2_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);

/* Makes the L2 table of guest cluster `index` exist, for this state of the disk alone. */
int sv_qcow2_own_table(struct sv_qcow2 *q, uint64_t index, struct sv_err *err);
/* Changes n entries from index on, of one page; their table is its own. */
int sv_qcow2_put_entries(struct sv_qcow2 *q, uint64_t index, uint32_t n,
	const struct sv_qcow2_raw *raw, struct sv_err *err);
/* Up to n clusters from index on, of one page, are given back: absent without a backing file,
 * zeros over one. *ret_n: how many it were, at least 1. */
int sv_qcow2_drop(
	struct sv_qcow2 *q, uint64_t index, uint64_t n, uint64_t *ret_n, struct sv_err *err);
/* Gives back what an entry refers to. */
int sv_qcow2_release_entry(
	struct sv_qcow2 *q, const struct sv_qcow2_entry *e, struct sv_err *err);
/* Bytes [at, at+len) of the data's file as zeros. */
int sv_qcow2_clear_data(struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err);

int sv_qcow2_fill_begin(
	struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err);
int sv_qcow2_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err);
int sv_qcow2_fill_end(struct sv_link *l, struct sv_err *err);

int sv_qcow2_flush(struct sv_link *l, struct sv_err *err);
/* Writes all changed tables, in no order that a cut would respect, and flushes nothing. */
int sv_qcow2_write_tables(struct sv_qcow2 *q, struct sv_err *err);
/* Brings all changes into the file, in order. */
int sv_qcow2_commit(struct sv_qcow2 *q, struct sv_err *err);
/* The same, when much has gathered in memory. */
int sv_qcow2_commit_when_due(struct sv_qcow2 *q, struct sv_err *err);
/* Only the refcounts. */
int sv_qcow2_flush_refs(struct sv_qcow2 *q, struct sv_err *err);

/* ---- the functions of the driver that have their own files ---- */

int sv_qcow2_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err);
int sv_qcow2_check_grow(const struct sv_qcow2 *q, uint64_t size, struct sv_err *err);
int sv_qcow2_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);
int sv_qcow2_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err);
const char *sv_qcow2_flat_subformat(const struct sv_link *l);
uint64_t sv_qcow2_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size);
int sv_qcow2_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);

#endif
