/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small inputs that stand for volumes: a header of four bytes (size in units of 4 KiB, sector
 * of a $UpCase table or 0), then pieces (sector, number of bytes, bytes), all numbers of two
 * bytes, little endian. What no piece fills is zero. make_corpus.py writes them.
 */
#ifndef SV_TESTS_FUZZ_FS_SPARSE_H
#define SV_TESTS_FUZZ_FS_SPARSE_H

#include "base/endian.h"
#include "base/num.h"
#include "io/dev.h"

#include <stdlib.h>
#include <string.h>

#ifndef SPARSE_MAX
#define SPARSE_MAX (4u << 20) /* largest volume; at most 32 MiB */
#endif

/* Table of upper case as it is for ASCII; the other characters stand for themselves. */
static inline void sparse_upcase(uint8_t *image, size_t size, size_t at)
{
	if (!at || !sv_in_range(at, 131072, size))
		return;
	for (unsigned i = 0; i < 65536; i++)
		sv_store_le16(
			image + at + 2 * i, (uint16_t)(i >= 'a' && i <= 'z' ? i - 32 : i));
}

/* The volume, NULL where the input is too short to be one. Caller frees. */
static inline uint8_t *sparse_image(const uint8_t *bytes, size_t n, size_t *ret_size)
{
	size_t size, at = 4;
	uint8_t *image;

	if (n < 4)
		return NULL;
	size = SV_MIN((size_t)sv_load_le16(bytes) * 4096, SPARSE_MAX);
	image = calloc(1, size ? size : 1);
	if (!image)
		abort();
	sparse_upcase(image, size, sv_load_le16(bytes + 2) * 512u);
	while (n - at >= 4) {
		size_t off = sv_load_le16(bytes + at) * 512u;
		size_t len = SV_MIN(sv_load_le16(bytes + at + 2), n - at - 4);

		if (sv_in_range(off, len, size))
			memcpy(image + off, bytes + at + 4, len);
		at += 4 + len;
	}
	*ret_size = size;
	return image;
}

/* Makes the update sequence of a block hold, so that a changed byte gets further than it. */
static inline void sparse_protect(uint8_t *block, size_t size)
{
	size_t usa = sv_load_le16(block + 4), count = sv_load_le16(block + 6);

	if (count != size / 512 + 1 || !sv_in_range(usa, 2 * count, 510))
		return;
	for (size_t i = 1; i < count; i++)
		memcpy(block + i * 512 - 2, block + usa, 2);
}

/* All FILE blocks of 1 KiB and INDX blocks of 4 KiB of a volume. */
static inline void sparse_protect_all(uint8_t *image, size_t size)
{
	for (size_t at = 0; at + 4096 <= size; at += 512) {
		if (!memcmp(image + at, "FILE", 4))
			sparse_protect(image + at, 1024);
		else if (!memcmp(image + at, "INDX", 4))
			sparse_protect(image + at, 4096);
	}
}

#endif
