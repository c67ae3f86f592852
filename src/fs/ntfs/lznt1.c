/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * LZNT1, the compression of NTFS: [MS-XCA] section 2.5. Pure.
 *
 * Chunks of up to 4 KiB of output, each with a 16-bit header (its size and whether it is
 * packed). In a packed chunk a byte of flags says of the next eight tokens which are literal
 * bytes and which are references back inside the chunk, whose 16 bits are split between
 * distance and length by how much of the chunk there is already.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"

#include <string.h>

#define CHUNK 4096u

/* Bits of a reference's length: 12, less one for each doubling of `done` above 16. */
static unsigned length_bits(size_t done)
{
	unsigned bits = 12;

	for (size_t i = done - 1; i >= 16; i >>= 1)
		bits--;
	return bits;
}

static int bad(size_t at, const char *what, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "compressed data: %s", what);
}

/* Copies a reference; overlapping source and target repeat bytes, as is meant. */
static bool copy_back(uint8_t *out, size_t *done, size_t max, unsigned token)
{
	unsigned bits;
	size_t distance, len;

	if (!*done)
		return false;
	bits = length_bits(*done);
	distance = (token >> bits) + 1;
	len = (token & ((1u << bits) - 1)) + 3;
	if (distance > *done || len > max - *done)
		return false;
	if (distance >= len) {
		memcpy(out + *done, out + *done - distance, len);
		*done += len;
		return true;
	}
	while (len--) {
		out[*done] = out[*done - distance];
		(*done)++;
	}
	return true;
}

/* One packed chunk in[at..end); *ret_done bytes of out (max) are filled. */
static int unpack_chunk(const uint8_t *in, size_t at, size_t end, uint8_t *out, size_t max,
	size_t *ret_done, struct sv_err *err)
{
	size_t done = 0;

	while (at < end) {
		unsigned flags = in[at++];

		for (unsigned i = 0; i < 8 && at < end; i++, flags >>= 1) {
			if (!(flags & 1)) {
				if (done == max)
					return bad(at, "more bytes than a chunk holds", err);
				out[done++] = in[at++];
				continue;
			}
			if (end - at < 2 || !copy_back(out, &done, max, sv_load_le16(in + at)))
				return bad(at, "a reference outside its chunk", err);
			at += 2;
		}
	}
	*ret_done = done;
	return 0;
}

int sv_ntfs_unpack(const uint8_t *in, size_t n, uint8_t *out, size_t out_n, struct sv_err *err)
{
	size_t at = 0, pos = 0;

	while (pos < out_n && n - at >= 2) {
		unsigned header = sv_load_le16(in + at);
		size_t max = SV_MIN(CHUNK, out_n - pos), end, done = 0;

		if (!header)
			break;
		end = at + 3 + (header & 0xfff);
		if (end > n || (header & 0x7000) != 0x3000)
			return bad(at, "a chunk header that cannot be", err);
		if (header & 0x8000) {
			if (unpack_chunk(in, at + 2, end, out + pos, max, &done, err) < 0)
				return -1;
		} else {
			done = end - at - 2;
			if (done > max)
				return bad(at, "more bytes than a chunk holds", err);
			memcpy(out + pos, in + at + 2, done);
		}
		memset(out + pos + done, 0, max - done);
		pos += max;
		at = end;
	}
	memset(out + pos, 0, out_n - pos);
	return 0;
}
