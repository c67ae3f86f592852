/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Grain tables kept in memory: one cache per link, shared by its extents, at most
 * SV_VMDK_TABLES tables of 2 KiB (each stands for 32 MiB of the guest's disk at the usual
 * grain size: 32 GiB within 2 MiB of memory). Safe from several threads.
 *
 * Entries change in memory first. They are written back when they must be durable, or when
 * their place in memory is needed, in either case after the file was flushed: a power cut never
 * finds an entry whose grain is not all there.
 */
#ifndef SV_IMAGE_VMDK_TABLES_H
#define SV_IMAGE_VMDK_TABLES_H

#include "image/vmdk/header.h"
#include "io/dev.h"

#define SV_VMDK_TABLES 1024

struct sv_vmdk_tables;

struct sv_vmdk_tables *sv_vmdk_tables_new(struct sv_err *err);
void sv_vmdk_tables_free(struct sv_vmdk_tables *t); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_vmdk_tables, sv_vmdk_tables_free)

/*
 * Copies entries [first, first+n) of table `table` of extent `extent` into ret. The table is
 * read from `file` at `offset` (bytes) where it is not held.
 */
int sv_vmdk_tables_get(struct sv_vmdk_tables *t, struct sv_dev *file, uint32_t extent,
	uint64_t table, uint64_t offset, unsigned first, unsigned n, uint32_t *ret,
	struct sv_err *err);
/* Is the table held? (Then looking for holes in the file would be of no use.) */
bool sv_vmdk_tables_held(struct sv_vmdk_tables *t, uint32_t extent, uint64_t table);
/* Changes entries; they are not in the file yet. `copy`: where the redundant table is, 0 for
 * none. */
int sv_vmdk_tables_change(struct sv_vmdk_tables *t, struct sv_dev *file, uint32_t extent,
	uint64_t table, uint64_t offset, uint64_t copy, unsigned first, unsigned n,
	const uint32_t *entries, struct sv_err *err);
/* Flushes the extent's file, then writes its changed entries, unless there are none. */
int sv_vmdk_tables_write_back(struct sv_vmdk_tables *t, uint32_t extent, struct sv_err *err);
/* Changes a held table whose entries were written to the file. */
void sv_vmdk_tables_put(struct sv_vmdk_tables *t, uint32_t extent, uint64_t table,
	unsigned first, unsigned n, const uint32_t *entries);
/* Forgets everything, what is not in the file too: the tables have moved. */
void sv_vmdk_tables_clear(struct sv_vmdk_tables *t);

#endif
