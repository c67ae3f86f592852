/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An open VHD, shared by this folder's files.
 *
 * Crash order of a dynamic or differencing image. A new block goes to the end of the file,
 * over the footer, which is written anew behind it; the copy at byte 0 is never touched by
 * that. A table entry, and a sector's bit in a block that the table names already, are kept in
 * memory until the data are flushed, then written, then flushed: a power cut leaves the entry
 * (or bit) as it was, or pointing to data that are all there. What a cut can leave is a
 * block that nothing points to (a leak) and a broken footer at the end, which the copy at
 * byte 0 stands in for.
 *
 * A fixed image has its footer at the end only. Growing it appends the new one, which makes the
 * file larger in the same step (sv_dev_append), flushes, then clears the old one. A cut leaves
 * the old size; or the new one, perhaps with the old footer in its first new sector. On a file
 * system that makes a file's size durable before the bytes there (none of ext4, XFS, btrfs in
 * their usual modes) a cut could leave a file without a footer, the disk's bytes all there.
 *
 * Memory: 4 bytes a block (2 MiB) for the table, 32 KiB of sector bitmaps for an image that is
 * read and 2 MiB for the one that is written.
 */
#ifndef SV_IMAGE_VHD_H
#define SV_IMAGE_VHD_H

#include "image/driver.h"
#include "image/vhd/format.h"

#include <pthread.h>

/* 512 bytes of a sector bitmap: 4096 sectors. */
struct sv_vhd_bits {
	uint64_t block, unit; /* unit: which 512 bytes of the block's bitmap */
	bool used;
	bool dirty;
	uint8_t bytes[SV_SECTOR];
};

struct sv_vhd {
	struct sv_link link;
	struct sv_dev *file;
	struct sv_vhd_disk_footer disk_footer; /* what the end and the front hold */
	struct sv_vhd_footer footer;
	uint64_t footer_at;          /* of the copy that counts */
	struct sv_vhd_header header; /* not for fixed images */
	bool front_bad, end_bad;     /* that copy of the footer is missing or broken */
	bool front_old;              /* front_bad: sound, but not what the end says */
	bool damaged;                /* wrong checksums in what there is no good copy of */
	char *hints[SV_VHD_LOCATORS * 2 + 2]; /* where the parent may be, best first */
	char *parent_name;
	uint32_t modified; /* the file's time, seconds since 2000 */

	uint32_t *bat;  /* sector of each block, host order */
	uint64_t next;  /* end of the blocks: where the footer is and the next block goes */
	uint8_t *fresh; /* a bit per block: not in the file's table yet */
	uint32_t *fresh_list;
	size_t n_fresh, cap_fresh;
	bool dirty;
	pthread_mutex_t lock; /* of the slots */
	struct sv_vhd_bits *slots;
	size_t n_slots;
};

/* ---- load.c ---- */

/* Reads footer, header, table and parent's names. The link's info is not filled in. Free with
 * sv_vhd_close(). */
int sv_vhd_load(struct sv_dev *file, bool writable, struct sv_vhd **ret, struct sv_err *err);
void sv_vhd_close(struct sv_link *l);

/* ---- names.c ---- */

/* Fills in hints and parent_name from the header and its locators. */
int sv_vhd_read_names(struct sv_vhd *v, const struct sv_vhd_disk_header *h, struct sv_err *err);

/* ---- bits.c ---- */

static inline uint64_t sv_vhd_data_at(const struct sv_vhd *v, uint64_t block)
{
	return v->bat[block] * SV_SECTOR + v->header.bitmap_size;
}

static inline bool sv_vhd_bit(const uint8_t *bits, uint64_t i)
{
	return bits[i / 8] >> (7 - i % 8) & 1;
}

/* 512 bytes of the block's bitmap, copied. Safe from several threads. */
int sv_vhd_bits_get(struct sv_vhd *v, uint64_t block, uint64_t unit, uint8_t ret[SV_SECTOR],
	struct sv_err *err);
/* Sets n bits from `first`, within the unit. */
int sv_vhd_bits_set(struct sv_vhd *v, uint64_t block, uint64_t unit, uint64_t first, uint64_t n,
	struct sv_err *err);
/* Records a block that the file's table does not name yet. */
int sv_vhd_add_fresh(struct sv_vhd *v, uint64_t block, struct sv_err *err);
int sv_vhd_write_footer(struct sv_vhd *v, uint64_t at, struct sv_err *err);

/* ---- the driver's functions, by file ---- */

/* Do bytes [in, in+n) of a stored block, and its bitmap, lie in the file? */
int sv_vhd_check_place(
	const struct sv_vhd *v, uint64_t block, uint64_t in, uint64_t n, struct sv_err *err);
int sv_vhd_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);

int sv_vhd_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_vhd_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);
int sv_vhd_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err);
int sv_vhd_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err);
int sv_vhd_fill_end(struct sv_link *l, struct sv_err *err);
int sv_vhd_flush(struct sv_link *l, struct sv_err *err);
/* A place for a block that has none, behind the last, and its bitmap. The file is made longer
 * as for filling, and has no footer at its end then. */
int sv_vhd_place_block(struct sv_vhd *v, uint64_t block, struct sv_err *err);
/* Before the first change: both copies of the footer are made sound. */
int sv_vhd_begin_change(struct sv_vhd *v, struct sv_err *err);

int sv_vhd_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err);
void sv_vhd_identity(const struct sv_link *l, struct sv_image_identity *ret);
int sv_vhd_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);
int sv_vhd_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err);
int sv_vhd_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
uint64_t sv_vhd_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size);
int sv_vhd_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);
/* What must not be written: blocks that share space, lie on structures or reach beyond the end.
 * A write to one of them would change another one's bytes. */
int sv_vhd_refuse_faults(struct sv_vhd *v, struct sv_err *err);
int sv_vhd_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);

#endif
