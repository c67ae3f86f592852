/* SPDX-License-Identifier: GPL-3.0-or-later */
/* $Bitmap in place: zeroing, marking, copying, each with as few writes as it can. */
#include "fs/ntfs/bitmap.h"

#include "base/num.h"

#include <string.h>

#define BLOCK 4096 /* what is written for one byte that is not zero: a page of an overlay */

/* Zeros those blocks of the buffer, which begins at `at` of the volume, that are not. */
static int zero_blocks(const struct sv_ntfs_bits *b, uint64_t at, size_t n, struct sv_err *err)
{
	for (size_t off = 0, piece; off < n; off += piece) {
		piece = (size_t)SV_MIN(n - off, BLOCK - (at + off) % BLOCK);
		if (sv_is_zero(b->buffer + off, piece))
			continue;
		memset(b->buffer + off, 0, piece);
		if (sv_dev_write(b->v->dev, b->buffer + off, piece, at + off, err) < 0)
			return -1;
	}
	return 0;
}

/* Stored data, of which most may be zeros already. */
static int zero_data(
	const struct sv_ntfs_bits *b, uint64_t at, uint64_t length, struct sv_err *err)
{
	for (uint64_t end = at + length; at < end;) {
		size_t n = (size_t)SV_MIN(end - at, SV_NTFS_BITS_BUFFER);

		if (sv_job_check(b->job, err) < 0 ||
			sv_dev_read(b->v->dev, b->buffer, n, at, err) < 0 ||
			zero_blocks(b, at, n, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static int zero_volume(
	const struct sv_ntfs_bits *b, uint64_t at, uint64_t length, struct sv_err *err)
{
	while (length) {
		struct sv_extent e;

		if (sv_dev_extent(b->v->dev, at, length, &e, err) < 0)
			return -1;
		if (e.kind == SV_EXTENT_DATA && zero_data(b, at, e.length, err) < 0)
			return -1;
		at += e.length;
		length -= e.length;
	}
	return 0;
}

int sv_ntfs_zero_bits(
	const struct sv_ntfs_bits *b, uint64_t from, uint64_t to, struct sv_err *err)
{
	while (from < to) {
		uint64_t at, length;

		if (sv_ntfs_raw_map(b->v, b->bitmap, from, to - from, &at, &length, err) < 0)
			return -1;
		if (at == SV_NO_HOST_OFFSET)
			return sv_fail(err, SV_CORRUPT, b->v->dev->name, "$Bitmap has a hole");
		if (zero_volume(b, at, length, err) < 0)
			return -1;
		from += length;
	}
	return 0;
}

/* Some bits of one byte. */
static int mark_in_byte(const struct sv_ntfs_bits *b, uint64_t first, unsigned count, bool used,
	struct sv_err *err)
{
	unsigned mask = ((1U << count) - 1) << first % 8;
	uint8_t old, byte;

	if (sv_ntfs_raw_read_stream(b->v, b->bitmap, &old, 1, first / 8, err) < 0)
		return -1;
	byte = (uint8_t)(used ? old | mask : old & ~mask);
	return byte == old
		       ? 0
		       : sv_ntfs_raw_write_stream(b->v, b->bitmap, &byte, 1, first / 8, err);
}

static int fill_bytes(
	const struct sv_ntfs_bits *b, uint64_t from, uint64_t to, struct sv_err *err)
{
	memset(b->buffer, 0xFF, SV_NTFS_BITS_BUFFER);
	while (from < to) {
		size_t n = (size_t)SV_MIN(to - from, SV_NTFS_BITS_BUFFER);

		if (sv_ntfs_raw_write_stream(b->v, b->bitmap, b->buffer, n, from, err) < 0)
			return -1;
		from += n;
	}
	return 0;
}

int sv_ntfs_mark_bits(const struct sv_ntfs_bits *b, uint64_t first, uint64_t count, bool used,
	struct sv_err *err)
{
	uint64_t end = first + count, whole;
	unsigned head = (unsigned)SV_MIN((8 - first % 8) % 8, count);
	unsigned tail = (unsigned)((end - first - head) % 8);

	if (head && mark_in_byte(b, first, head, used, err) < 0)
		return -1;
	if (tail && mark_in_byte(b, end - tail, tail, used, err) < 0)
		return -1;
	whole = (first + head) / 8;
	if (first + head + tail == end)
		return 0;
	return used ? fill_bytes(b, whole, (end - tail) / 8, err)
		    : sv_ntfs_zero_bits(b, whole, (end - tail) / 8, err);
}

int sv_ntfs_copy_bits(const struct sv_ntfs_bits *b, const struct sv_ntfs_raw_stream *from,
	uint64_t n, struct sv_err *err)
{
	for (uint64_t at = 0; at < n; at += SV_NTFS_BITS_BUFFER) {
		size_t piece = (size_t)SV_MIN(n - at, SV_NTFS_BITS_BUFFER);

		if (sv_job_check(b->job, err) < 0 ||
			sv_ntfs_raw_read_stream(b->v, from, b->buffer, piece, at, err) < 0)
			return -1;
		if (sv_is_zero(b->buffer, piece) ? sv_ntfs_zero_bits(b, at, at + piece, err) < 0
						 : sv_ntfs_raw_write_stream(b->v, b->bitmap,
							   b->buffer, piece, at, err) < 0)
			return -1;
	}
	return 0;
}
