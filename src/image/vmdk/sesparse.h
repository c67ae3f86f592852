/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * seSparse extents, what vSphere makes for snapshots on VMFS 6 and for disks above 2 TiB.
 * VMware publishes no specification; the facts are those of QEMU's source (block/vmdk.c,
 * VMDKSESparseConstHeader and what reads it): all numbers have 64 bits; a directory entry
 * names a grain table by its number, a table entry a grain of 4 KiB by its number, and says in
 * its top four bits whether there is one. Only read: how the journal, the free bitmap and the
 * back map are kept is not known.
 */
#ifndef SV_IMAGE_VMDK_SESPARSE_H
#define SV_IMAGE_VMDK_SESPARSE_H

#include "image/driver.h"
#include "image/vmdk/tables.h"

#define SV_VMDK_SE_MAGIC      "\xbe\xba\xfe\xca\0\0\0\0"
#define SV_VMDK_SE_HEADER     512
#define SV_VMDK_SE_GRAIN      UINT64_C(4096) /* bytes; the one size there is */
#define SV_VMDK_SE_GTES       UINT64_C(4096) /* entries of a table, 8 bytes each */
#define SV_VMDK_SE_TABLE_SPAN (SV_VMDK_SE_GRAIN * SV_VMDK_SE_GTES)

/* Sectors, all of them. */
struct sv_vmdk_se_header {
	uint64_t capacity;
	uint64_t volatile_at;
	uint64_t gd_at, gd_sectors;
	uint64_t tables_at, tables_sectors;
	uint64_t grains_at;
};

/*
 * Reads the first SV_VMDK_SE_HEADER bytes of a file of `file_size` bytes. SV_CORRUPT with the
 * offset of the field; SV_UNSUPPORTED for other versions, sizes and flags than the known.
 * Guarantees: the volatile header and the directory that the capacity needs lie in the file.
 */
int sv_vmdk_se_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vmdk_se_header *ret, struct sv_err *err);
/* The volatile header, of as many bytes. SV_UNSUPPORTED where its journal must be replayed. */
int sv_vmdk_se_volatile_parse(const void *bytes, size_t n, struct sv_err *err);

/* What a table entry says. */
struct sv_vmdk_se_entry {
	enum sv_run_kind kind;
	uint64_t grain; /* DATA: number of the grain */
};
/* False for an entry that is none. */
bool sv_vmdk_se_decode(uint64_t raw, struct sv_vmdk_se_entry *ret);
/* A directory entry: *ret_table is UINT64_MAX where there is no table. */
bool sv_vmdk_se_decode_directory(uint64_t raw, uint64_t *ret_table);

struct sv_vmdk_sesparse {
	struct sv_dev *file;           /* own reference */
	struct sv_vmdk_tables *tables; /* borrowed */
	uint32_t id;                   /* of the extent in `tables` */
	struct sv_vmdk_se_header h;
};

struct sv_vmdk_sesparse *sv_vmdk_se_open(
	struct sv_dev *file, struct sv_vmdk_tables *tables, uint32_t id, struct sv_err *err);
void sv_vmdk_se_close(struct sv_vmdk_sesparse *s); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_vmdk_sesparse, sv_vmdk_se_close)

/* See sv_image_driver.map; offsets are bytes within the extent. */
int sv_vmdk_se_map(struct sv_vmdk_sesparse *s, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err);

/* Where the table of grain `grain` of the guest is in the file, bytes; 0 where there is none.
 * SV_CORRUPT at the directory's entry. */
int sv_vmdk_se_table(
	struct sv_vmdk_sesparse *s, uint64_t grain, uint64_t *ret, struct sv_err *err);
/* n entries from the guest's grain `grain` on, which lie in one table at `table` and in one
 * piece of SV_VMDK_SE_PIECE entries. */
#define SV_VMDK_SE_PIECE 256U
int sv_vmdk_se_entries(struct sv_vmdk_sesparse *s, uint64_t table, uint64_t grain, unsigned n,
	uint64_t *ret, struct sv_err *err);
/* Where a grain is in the file, bytes; UINT64_MAX where it is beyond the end. */
uint64_t sv_vmdk_se_place(const struct sv_vmdk_sesparse *s, uint64_t number);

/* Guest bytes whose grains are allocated; large extents are counted in part, the rest as
 * full. */
int sv_vmdk_se_allocated(struct sv_vmdk_sesparse *s, uint64_t *ret, struct sv_err *err);

#endif
