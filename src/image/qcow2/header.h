/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header of a qcow2 image and its extensions (QEMU's docs/interop/qcow2.txt, sections
 * "Header" and "Header extensions"). Pure: no I/O. Numbers on disk are big-endian.
 */
#ifndef SV_IMAGE_QCOW2_HEADER_H
#define SV_IMAGE_QCOW2_HEADER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SV_QCOW2_MAGIC            "QFI\xfb"
#define SV_QCOW2_V2_LENGTH        72
#define SV_QCOW2_V3_LENGTH        112 /* what QEMU writes since 5.1, and we */
#define SV_QCOW2_V3_LENGTH_MIN    104
#define SV_QCOW2_CLUSTER_BITS_MIN 9
#define SV_QCOW2_CLUSTER_BITS_MAX 21 /* QEMU's own limit */
#define SV_QCOW2_CLUSTER_BITS     16 /* what QEMU makes, and we */

/* Limits of QEMU, which hold its and our memory down: 32 MiB, 8 MiB, 65536. */
#define SV_QCOW2_L1_MAX         (4U * 1024 * 1024) /* entries */
#define SV_QCOW2_REFTABLE_BYTES (8U * 1024 * 1024)
#define SV_QCOW2_SNAPSHOTS_MAX  65536U
#define SV_QCOW2_BITMAPS_MAX    65535U
#define SV_QCOW2_NAME_MAX       1023 /* bytes of the backing file's name */
#define SV_QCOW2_FORMAT_MAX     63   /* bytes of its format's name; QEMU's longest has 18 */

/* Offsets of the fields that are changed in place. */
#define SV_QCOW2_AT_SIZE      24 /* 64 bits */
#define SV_QCOW2_AT_L1        36 /* 32 bits of entries, 64 of offset */
#define SV_QCOW2_AT_REFTABLE  48 /* 64 bits of offset, 32 of clusters */
#define SV_QCOW2_AT_AUTOCLEAR 88 /* 64 bits */

enum sv_qcow2_incompatible {
	SV_QCOW2_DIRTY = 1 << 0,
	SV_QCOW2_CORRUPT = 1 << 1,
	SV_QCOW2_DATA_FILE = 1 << 2,
	SV_QCOW2_COMPRESSION = 1 << 3,
	SV_QCOW2_EXTENDED_L2 = 1 << 4,
};

enum sv_qcow2_autoclear {
	SV_QCOW2_BITMAPS = 1 << 0,  /* the bitmaps are consistent */
	SV_QCOW2_RAW_DATA = 1 << 1, /* the data file reads as a raw image */
};

enum sv_qcow2_codec { SV_QCOW2_ZLIB = 0, SV_QCOW2_ZSTD = 1 };

struct sv_qcow2_header {
	uint32_t version; /* 2 or 3 */
	uint32_t cluster_bits;
	uint64_t size; /* of the guest's disk, bytes */
	uint64_t l1_at;
	uint32_t l1_size; /* entries; enough for the size */
	uint64_t reftable_at;
	uint32_t reftable_clusters; /* at least 1 */
	uint64_t snapshots_at;
	uint32_t n_snapshots;
	uint64_t incompatible, compatible, autoclear;
	uint32_t refcount_order; /* 0 to 6: widths of 1 to 64 bits */
	uint32_t length;
	enum sv_qcow2_codec codec;
	char backing[SV_QCOW2_NAME_MAX + 1];          /* "" for none */
	char backing_format[SV_QCOW2_FORMAT_MAX + 1]; /* "" where it is not told */
	char data_file[SV_QCOW2_NAME_MAX + 1];        /* "" where it is not told */
	uint32_t n_bitmaps;                           /* 0: no bitmaps extension */
	uint64_t bitmaps_at, bitmaps_size;            /* their directory, bytes */
};

/* How many bytes from the beginning of the file sv_qcow2_header_parse() wants: the first
 * cluster. `first` are the first 24 bytes or more; nonsense gives 512. */
size_t sv_qcow2_header_room(const uint8_t *first, size_t n, uint64_t file_size);

/*
 * Reads the header and its extensions from the first cluster of a file of `file_size` bytes.
 * SV_CORRUPT with the offset of the field; SV_UNSUPPORTED for encryption and for features that
 * are not known, by name. Guarantees: alignment of all tables; the L1 table lies in the file
 * and is large enough for the size; the limits above; reserved combinations do not occur.
 */
int sv_qcow2_header_parse(const uint8_t *bytes, size_t n, uint64_t file_size,
	struct sv_qcow2_header *ret, struct sv_err *err);

/*
 * Prints a version 3 header with its extensions (format of the backing file, name of the data
 * file) and the backing file's name into a first cluster of n zeroed bytes. -1 (SV_UNSUPPORTED)
 * where the names do not fit. Bitmaps are not printed.
 */
int sv_qcow2_header_print(
	const struct sv_qcow2_header *h, uint8_t *ret, size_t n, struct sv_err *err);

/* Guest bytes of one L2 table, and how many tables a size needs. */
uint64_t sv_qcow2_l2_span(const struct sv_qcow2_header *h);
uint64_t sv_qcow2_l1_needed(const struct sv_qcow2_header *h, uint64_t size);

#endif
