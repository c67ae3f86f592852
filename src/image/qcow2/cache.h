/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pages of L2 tables and refcount blocks in memory, least recently used first out. Changed
 * pages stay until they are written, one class at a time: the driver decides when, and in
 * which order (qcow2_flush.c). Reads are safe from several threads.
 */
#ifndef SV_IMAGE_QCOW2_CACHE_H
#define SV_IMAGE_QCOW2_CACHE_H

#include "io/dev.h"

/* Of one link. A page of 4 KiB stands for 32 MiB of the guest's disk in clusters of 64 KiB. */
#define SV_QCOW2_CACHE_BYTES (2U << 20)
#define SV_QCOW2_PAGE        4096U
/* Changed bytes beyond which the driver should write them. */
#define SV_QCOW2_DIRTY_BYTES (8U << 20)

enum sv_qcow2_class {
	SV_QCOW2_CLEAN,
	SV_QCOW2_L2,
	SV_QCOW2_REFCOUNTS,
};

struct sv_qcow2_cache;

/* `page`: bytes of a page, at most SV_QCOW2_PAGE and the cluster size. */
struct sv_qcow2_cache *sv_qcow2_cache_new(
	struct sv_dev *file, uint32_t page, struct sv_err *err);
void sv_qcow2_cache_free(struct sv_qcow2_cache *c); /* NULL-safe; changes are lost */

/* Bytes [off, off+n) of the file, which lie in one page, as they were last put. */
int sv_qcow2_cache_get(
	struct sv_qcow2_cache *c, uint64_t off, void *ret, size_t n, struct sv_err *err);
/* Changes them in memory; the class is that of the whole page. */
int sv_qcow2_cache_put(struct sv_qcow2_cache *c, enum sv_qcow2_class class, uint64_t off,
	const void *bytes, size_t n, struct sv_err *err);
/* Writes the changed pages of a class in the order of the file; not flushed. */
int sv_qcow2_cache_write(
	struct sv_qcow2_cache *c, enum sv_qcow2_class class, struct sv_err *err);
/* Forgets the range, changes included: its clusters are free, or were written otherwise. */
void sv_qcow2_cache_drop(struct sv_qcow2_cache *c, uint64_t off, uint64_t len);

bool sv_qcow2_cache_dirty(const struct sv_qcow2_cache *c, enum sv_qcow2_class class);
uint64_t sv_qcow2_cache_dirty_bytes(const struct sv_qcow2_cache *c);

#endif
