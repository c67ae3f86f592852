/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One hosted sparse extent: a file with a header, two grain directories with their grain
 * tables, and grains. Reads are safe from several threads; changes need one caller alone.
 */
#ifndef SV_IMAGE_VMDK_SPARSE_H
#define SV_IMAGE_VMDK_SPARSE_H

#include "image/driver.h"
#include "image/vmdk/directory.h"
#include "image/vmdk/header.h"
#include "image/vmdk/tables.h"

/* The remedy for extents that are only read. */
#define SV_VMDK_CONVERT_HINT                                                                   \
	"make an independent copy, or convert it: sharevm image convert OLD.vmdk NEW.vmdk"

struct sv_vmdk_kept;

struct sv_vmdk_sparse {
	struct sv_dev *file;           /* own reference */
	struct sv_dev *tables_file;    /* holds directory and tables: `file`, or rebuilt ones */
	struct sv_vmdk_tables *tables; /* borrowed */
	uint32_t id;                   /* of the extent in `tables` */
	struct sv_vmdk_header h;
	uint64_t grain_bytes, table_span; /* guest bytes of a grain, of a table */
	uint64_t n_tables;
	/* Sectors of the tables, and of the redundant ones: NULL where there are none, or not
	 * writable. */
	struct sv_vmdk_directory *gd, *rgd;
	uint64_t next;             /* writable: where the next grain goes, bytes in the file */
	bool dirty;                /* written since the last flush */
	bool flagged;              /* we have set the unclean-shutdown flag */
	bool filling;              /* the file is larger than `next` */
	struct sv_vmdk_fill *fill; /* while filling: entries that are not in the file yet */
	const char *note;          /* what a person should know of it; NULL: nothing */
	struct sv_vmdk_kept *kept; /* packed: grains that were unpacked lately */
	/* For filling new grains: what lies below, and where this extent begins on the guest's
	 * disk. NULL: zeros lie below. */
	struct sv_dev *const *below;
	uint64_t start;
};

/*
 * Reads and checks the header. The directory is read as it is needed, and its entries are
 * checked when they are used, so that a check can go on after the first bad one.
 */
struct sv_vmdk_sparse *sv_vmdk_sparse_open(struct sv_dev *file, struct sv_vmdk_tables *tables,
	uint32_t id, bool writable, struct sv_err *err);
void sv_vmdk_sparse_close(struct sv_vmdk_sparse *s); /* NULL-safe; does not flush */
SV_DEFINE_CLEANUP(struct sv_vmdk_sparse, sv_vmdk_sparse_close)

/* See sv_image_driver.map; offsets are bytes within the extent. */
int sv_vmdk_sparse_map(struct sv_vmdk_sparse *s, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err);

/* Bytes of DATA runs without a device: packed grains, unpacked. */
int sv_vmdk_packed_read(
	struct sv_vmdk_sparse *s, void *buf, size_t n, uint64_t off, struct sv_err *err);
/* One packed grain that begins at sector `at` of the file: *ret_n packed bytes, and into
 * `ret` (NULL: not unpacked) the whole grain. `guess`: bytes to read at first. */
int sv_vmdk_unpack(struct sv_vmdk_sparse *s, uint64_t grain, uint32_t at, uint64_t guess,
	uint8_t *ret, uint32_t *ret_n, struct sv_err *err);
/* SV_UNSUPPORTED with the remedy: packed grains cannot be changed. */
int sv_vmdk_refuse_packed(const char *path, struct sv_err *err);
struct sv_vmdk_kept *sv_vmdk_kept_new(uint64_t grain_bytes, struct sv_err *err);
void sv_vmdk_kept_free(struct sv_vmdk_kept *k); /* NULL-safe */

/* Does a table that a directory names lie in the file? SV_CORRUPT at the directory's entry,
 * which was read before. */
int sv_vmdk_sparse_check_table(
	const struct sv_vmdk_sparse *s, uint64_t table, bool redundant, struct sv_err *err);

/*
 * Writes (zeros for NULL bytes). The data of new grains and the unclean-shutdown flag are
 * written and flushed, then the table entries and the redundant ones (tables.h); the last is
 * that the flag is taken back. A cut leaves the old entry or the new one, in each copy of the
 * table on its own, and in the worst case space at the end of the file that nothing points to.
 */
int sv_vmdk_sparse_write(struct sv_vmdk_sparse *s, const void *bytes, uint64_t n, uint64_t off,
	struct sv_err *err);
/* Reads as zeros afterwards. Allocated grains stay where they are and become holes of the
 * host file: no table changes. */
int sv_vmdk_sparse_discard(
	struct sv_vmdk_sparse *s, uint64_t off, uint64_t len, struct sv_err *err);
/* Flushes, then takes back the flag that we set. */
int sv_vmdk_sparse_flush(struct sv_vmdk_sparse *s, struct sv_err *err);

/*
 * Filling a new, empty extent, see driver.h: no flag is set, and nothing is flushed. The range
 * is within the capacity and begins with a grain. SV_UNSUPPORTED where `data` bytes are more
 * than the format can hold.
 */
int sv_vmdk_sparse_fill_begin(struct sv_vmdk_sparse *s, uint64_t data, struct sv_err *err);
int sv_vmdk_sparse_place(struct sv_vmdk_sparse *s, uint64_t off, uint64_t len,
	struct sv_run *ret, struct sv_err *err);
int sv_vmdk_sparse_fill_end(struct sv_vmdk_sparse *s, struct sv_err *err);

/* Guest bytes whose grains are allocated, from the size of the file: exact unless space
 * leaked. Of packed grains it is counted by their tables. */
int sv_vmdk_sparse_allocated(struct sv_vmdk_sparse *s, uint64_t *ret, struct sv_err *err);

/*
 * Makes an extent in the new, empty file: header, `desc` (at most desc_sectors; may be NULL),
 * both directories. The tables are holes of the file: they are there, and take no space.
 * Not flushed.
 */
int sv_vmdk_sparse_make(struct sv_dev *file, uint64_t sectors, uint64_t desc_sectors,
	const char *desc, struct sv_err *err);
/* Host bytes that sv_vmdk_sparse_make() writes. */
uint64_t sv_vmdk_sparse_make_cost(uint64_t sectors);
/* SV_UNSUPPORTED above what the format (32-bit sectors of tables) can hold. */
int sv_vmdk_sparse_check_size(uint64_t sectors, struct sv_err *err);

/* Writes at sector `at` a directory of `tables` tables that follow it. */
int sv_vmdk_sparse_make_copy(
	struct sv_dev *file, uint64_t at, uint64_t tables, struct sv_err *err);

/*
 * Gives the extent a larger capacity; the new space reads as zeros. Where more tables are
 * needed, both directories and all tables are laid anew behind the end of the file and
 * flushed; then the header is switched. Until that one sector is written the old tables rule.
 * `desc` (of desc_n bytes, at most the room there is; may be NULL) replaces the embedded
 * descriptor in the same write. The extent is flushed.
 */
int sv_vmdk_sparse_grow(struct sv_vmdk_sparse *s, uint64_t sectors, const char *desc,
	size_t desc_n, struct sv_err *err);
/* SV_UNSUPPORTED where that would pass a limit of the format. */
int sv_vmdk_sparse_check_grow(
	const struct sv_vmdk_sparse *s, uint64_t sectors, struct sv_err *err);

#endif
