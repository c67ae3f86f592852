/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XPRESS with Huffman codes, [MS-XCA] section 2.2, as WOF uses it: one block for each chunk.
 * The lengths of 512 codes in 4 bits each, then bits: symbols below 256 are bytes, the others
 * tell the length of a match (low 4 bits; 15: more follows in whole bytes) and how many bits
 * its distance has. The bytes come out of the same stream, from where it is read next. Pure.
 */
#include "fs/ntfs/wof.h"

#include "base/num.h"

#define SYMBOLS     512u
#define MATCH_MIN   3u
#define LENGTH_MORE 15u

static int bad(const struct sv_bits *b, const uint8_t *in, const char *what, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, (uint64_t)(b->next - in),
		"data packed with XPRESS: %s", what);
}

/* The next n whole bytes as a number; behind the end they are zeros. */
static uint32_t take_bytes(struct sv_bits *b, unsigned n)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n && b->next < b->end; i++)
		value |= (uint32_t)*b->next++ << (8 * i);
	return value;
}

static uint32_t take_length(struct sv_bits *b, uint32_t symbol)
{
	uint32_t n = symbol & LENGTH_MORE;

	if (n == LENGTH_MORE) {
		n = take_bytes(b, 1);
		if (n < 255)
			return n + LENGTH_MORE + MATCH_MIN;
		n = take_bytes(b, 2);
	}
	return n + MATCH_MIN;
}

int sv_xpress_unpack(struct sv_wof_codes *codes, const uint8_t *in, size_t n, uint8_t *out,
	size_t out_n, struct sv_err *err)
{
	struct sv_bits b = {.next = in, .end = in + n};
	uint8_t lengths[SYMBOLS];

	if (n < SYMBOLS / 2)
		return bad(&b, in, "there is no room for its codes", err);
	for (size_t i = 0; i < SYMBOLS; i++)
		lengths[i] = in[i / 2] >> (i % 2 * 4) & 15;
	b.next += SYMBOLS / 2;
	if (!sv_prefix_build(&codes->main, lengths, SYMBOLS))
		return bad(&b, in, "its codes cannot be", err);
	for (size_t done = 0; done < out_n;) {
		uint32_t symbol = sv_prefix_take(&codes->main, &b), length;
		size_t distance;

		if (symbol < 256) {
			out[done++] = (uint8_t)symbol;
			continue;
		}
		if (symbol == SV_PREFIX_NONE)
			return bad(&b, in, "a code that was not told", err);
		sv_bits_need(&b, 16); /* before the bytes of the length, which lie behind */
		symbol -= 256;
		length = take_length(&b, symbol);
		distance = (size_t)1 << (symbol >> 4);
		distance += sv_bits_take(&b, symbol >> 4);
		if (distance > done || length > out_n - done)
			return bad(&b, in, "a match outside its chunk", err);
		sv_copy_back(out, done, distance, length);
		done += length;
	}
	return 0;
}
