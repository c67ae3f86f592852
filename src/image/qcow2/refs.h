/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which host clusters are in use: the refcount table and its blocks (docs/interop/qcow2.txt,
 * section "Host cluster management"), taking free clusters and giving used ones back.
 *
 * What must hold: a cluster is only taken when no table on disk points to it any more. So
 * clusters are given back to a list, and their refcounts fall when the tables that pointed to
 * them have been written and flushed (qcow2_flush.c).
 */
#ifndef SV_IMAGE_QCOW2_REFS_H
#define SV_IMAGE_QCOW2_REFS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sv_qcow2;

/* A set of the clusters that hold metadata: guest data must never be written over them, not
 * even when a hostile image says that they are data, or free. */
struct sv_qcow2_places {
	uint64_t *slots; /* cluster + 1; 0 is empty */
	size_t n, cap;   /* cap: a power of two, or 0 */
};

/* Clusters to be given back. */
struct sv_qcow2_release {
	uint64_t first, n;
};

struct sv_qcow2_refs {
	bool loaded;
	uint64_t *table;                   /* offsets of blocks, host order */
	uint32_t n;                        /* entries */
	uint32_t changed_from, changed_to; /* entries that differ from the file's */
	uint64_t cursor;                   /* no cluster before it is free */
	struct sv_qcow2_release *releases;
	size_t n_releases, max_releases;
	struct sv_qcow2_places places;
};

/* Entries of the list of releases beyond which the driver should flush. */
#define SV_QCOW2_RELEASES_MAX 65536

/* Loads the refcount table, and finds all metadata of the image. */
int sv_qcow2_refs_load(struct sv_qcow2 *q, struct sv_err *err);
void sv_qcow2_refs_free(struct sv_qcow2_refs *r);

/* How many refcounts a block has. */
uint64_t sv_qcow2_block_entries(const struct sv_qcow2 *q);
/* A width of 1 to 64 bits (2^order), entry i of a block or a part of it that begins with a
 * whole byte. */
uint64_t sv_qcow2_count_load(const uint8_t *bytes, uint64_t i, uint32_t order);
void sv_qcow2_count_store(uint8_t *bytes, uint64_t i, uint32_t order, uint64_t value);

int sv_qcow2_refcount(struct sv_qcow2 *q, uint64_t cluster, uint64_t *ret, struct sv_err *err);
/* The cluster's block exists. */
int sv_qcow2_set_refcount(
	struct sv_qcow2 *q, uint64_t cluster, uint64_t value, struct sv_err *err);

/*
 * Takes free clusters that lie together: at least `min`, at most `max`; *ret_at is their
 * offset, *ret_n how many. The file is long enough for them, and they read as zeros when
 * `zero` is set. SV_NOSPACE where the format ends.
 */
int sv_qcow2_alloc(struct sv_qcow2 *q, uint64_t min, uint64_t max, bool zero, uint64_t *ret_at,
	uint64_t *ret_n, struct sv_err *err);
/* The same for tables: their clusters are protected from guest data. */
int sv_qcow2_alloc_table(struct sv_qcow2 *q, uint64_t n, uint64_t *ret_at, struct sv_err *err);

/* Gives back the clusters that [at, at+len) touches, after the next flush. */
int sv_qcow2_release(struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err);
/* Lowers the refcounts of all clusters that were given back; the tables that pointed to them
 * have been flushed. */
int sv_qcow2_apply_releases(struct sv_qcow2 *q, struct sv_err *err);

/* SV_CORRUPT where guest data would be written over metadata; `at` and len are offsets. */
int sv_qcow2_check_place(
	const struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err);

/* ---- qcow2_places.c ---- */

int sv_qcow2_places_add(
	struct sv_qcow2_places *p, uint64_t cluster, uint64_t n, struct sv_err *err);
/* Clusters that [at, at+len) of the file touches. */
int sv_qcow2_places_add_range(
	struct sv_qcow2 *q, uint64_t at, uint64_t len, struct sv_err *err);
void sv_qcow2_places_remove(struct sv_qcow2_places *p, uint64_t cluster);
bool sv_qcow2_places_has(const struct sv_qcow2_places *p, uint64_t cluster);
/* Header, tables, blocks, snapshots. */
int sv_qcow2_places_find(struct sv_qcow2 *q, struct sv_err *err);

/* ---- qcow2_reftable.c ---- */

/* Makes block i of the refcount table exist, at `cluster`, which is free, and which block i or
 * an existing one describes. Where the table ends before i it gets more room, no block. */
int sv_qcow2_make_block(struct sv_qcow2 *q, uint64_t i, uint64_t cluster, struct sv_err *err);
/* Writes the changed entries of the table; not flushed. */
int sv_qcow2_reftable_write(struct sv_qcow2 *q, struct sv_err *err);

#endif
