/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Persistent dirty bitmaps (docs/interop/qcow2.txt, section "Bitmaps"): what backup programs
 * keep in an image to know what has changed. They are not maintained here. Disabled bitmaps
 * stay valid whatever is written; enabled ones (flag "auto") are marked "in use" before the
 * first change, which says that their content is not to be trusted.
 */
#ifndef SV_IMAGE_QCOW2_BITMAP_H
#define SV_IMAGE_QCOW2_BITMAP_H

#include "image/qcow2/header.h"
#include "io/dev.h"

/* QEMU's own limit of the directory. */
#define SV_QCOW2_BITMAP_DIRECTORY_MAX (64U << 20)
#define SV_QCOW2_BITMAP_TABLE_MAX     0x8000000U /* entries, also QEMU's */

enum sv_qcow2_bitmap_flags {
	SV_QCOW2_BITMAP_IN_USE = 1 << 0,
	SV_QCOW2_BITMAP_AUTO = 1 << 1,
};

struct sv_qcow2_bitmap {
	uint64_t table_at;
	uint32_t table_size; /* entries */
	uint32_t flags;
	uint64_t flags_at; /* where they are in the file */
	uint32_t granularity_bits;
};

struct sv_qcow2_bitmaps {
	struct sv_qcow2_bitmap *all;
	size_t n;
};

/* Reads one directory entry from `bytes`, which lie at `at` in the file; *ret_n: its length. */
int sv_qcow2_bitmap_parse(const uint8_t *bytes, size_t n, uint64_t at,
	const struct sv_qcow2_header *h, uint64_t file_size, struct sv_qcow2_bitmap *ret,
	size_t *ret_n, struct sv_err *err);

/* Reads the directory; an image without bitmaps has an empty one. The caller frees it, also
 * after a failure. */
int sv_qcow2_bitmaps_load(struct sv_dev *file, const struct sv_qcow2_header *h,
	struct sv_qcow2_bitmaps *ret, struct sv_err *err);
void sv_qcow2_bitmaps_free(struct sv_qcow2_bitmaps *b);

/* How many table entries a bitmap of a disk of `size` bytes has. */
uint64_t sv_qcow2_bitmap_entries(
	const struct sv_qcow2_header *h, uint32_t granularity_bits, uint64_t size);

#endif
