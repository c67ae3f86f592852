/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * LZX as WOF and WIM files use it: [MS-PATCH] and [MS-CAB] describe its blocks, codes and
 * matches; what differs here is known from wimlib's description of the format: a window of 32
 * KiB, each chunk by itself, block sizes of 1 or 17 bits, and addresses of calls in x86 code
 * always translated as if the file had 12,000,000 bytes. Pure.
 */
#include "fs/ntfs/wof.h"

#include "base/num.h"

#define CHARS          256u
#define SLOTS          30u /* of distances, in a window of 32 KiB */
#define HEADERS        8u  /* of lengths, in a main symbol */
#define MAIN_SYMBOLS   (CHARS + SLOTS * HEADERS)
#define LENGTH_SYMBOLS 249u
#define PRE_SYMBOLS    20u
#define ALIGNED        8u
#define MATCH_MIN      2u
#define BLOCK_DEFAULT  32768u
#define CALL           0xE8
#define CALL_TAIL      10u /* bytes at the end in which no call begins */
#define FILE_SIZE      12000000

enum block { VERBATIM = 1, ALIGNED_OFFSETS = 2, UNCOMPRESSED = 3 };

struct lzx {
	struct sv_bits b;
	const uint8_t *in;
	uint8_t *out;
	size_t done, out_n;
	struct sv_wof_codes *codes;
	uint32_t recent[3]; /* distances */
	uint8_t main_lengths[MAIN_SYMBOLS], length_lengths[LENGTH_SYMBOLS];
	enum block type;
};

static int bad(const struct lzx *z, const char *what, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, (uint64_t)(z->b.next - z->in),
		"data packed with LZX: %s", what);
}

/* ---- codes ---- */

/* How often a length is repeated, which is put to *ret; 0 where it cannot be. */
static unsigned take_run(struct lzx *z, uint32_t symbol, uint8_t before, uint8_t *ret)
{
	unsigned run = 1;

	*ret = 0;
	if (symbol == 17)
		return 4 + sv_bits_take(&z->b, 4);
	if (symbol == 18)
		return 20 + sv_bits_take(&z->b, 5);
	if (symbol == 19) {
		run = 4 + sv_bits_take(&z->b, 1);
		symbol = sv_prefix_take(&z->codes->pre, &z->b);
	}
	if (symbol > 16)
		return 0;
	*ret = (uint8_t)((before + 17 - symbol) % 17);
	return run;
}

/* Lengths of codes, as differences to those of the block before. */
static int take_lengths(struct lzx *z, uint8_t *lengths, size_t n, struct sv_err *err)
{
	uint8_t pre[PRE_SYMBOLS];

	for (size_t i = 0; i < PRE_SYMBOLS; i++)
		pre[i] = (uint8_t)sv_bits_take(&z->b, 4);
	if (!sv_prefix_build(&z->codes->pre, pre, PRE_SYMBOLS))
		return bad(z, "the codes of its codes cannot be", err);
	for (size_t i = 0; i < n;) {
		uint32_t symbol = sv_prefix_take(&z->codes->pre, &z->b);
		uint8_t length;
		unsigned run = take_run(z, symbol, lengths[i], &length);

		if (!run)
			return bad(z, "lengths of codes that were not told", err);
		for (; run && i < n; run--)
			lengths[i++] = length;
	}
	return 0;
}

static int take_codes(struct lzx *z, struct sv_err *err)
{
	uint8_t aligned[ALIGNED];

	for (size_t i = 0; z->type == ALIGNED_OFFSETS && i < ALIGNED; i++)
		aligned[i] = (uint8_t)sv_bits_take(&z->b, 3);
	if (z->type == ALIGNED_OFFSETS &&
		!sv_prefix_build(&z->codes->aligned, aligned, ALIGNED))
		return bad(z, "the codes of its distances cannot be", err);
	if (take_lengths(z, z->main_lengths, CHARS, err) < 0 ||
		take_lengths(z, z->main_lengths + CHARS, MAIN_SYMBOLS - CHARS, err) < 0 ||
		take_lengths(z, z->length_lengths, LENGTH_SYMBOLS, err) < 0)
		return -1;
	if (!sv_prefix_build(&z->codes->main, z->main_lengths, MAIN_SYMBOLS) ||
		!sv_prefix_build(&z->codes->length, z->length_lengths, LENGTH_SYMBOLS))
		return bad(z, "its codes cannot be", err);
	return 0;
}

/* ---- matches ---- */

/* 0 where the bits are no code's. */
static uint32_t take_distance(struct lzx *z, unsigned slot)
{
	unsigned extra = slot < 4 ? 0 : slot / 2 - 1, low;
	uint32_t base = slot < 4 ? slot : (2u + slot % 2) << extra, distance;

	if (slot < 3) { /* one of the last three; it changes places with the last */
		distance = z->recent[slot];
		z->recent[slot] = z->recent[0];
		z->recent[0] = distance;
		return distance;
	}
	if (z->type == ALIGNED_OFFSETS && extra >= 3) {
		base += sv_bits_take(&z->b, extra - 3) << 3;
		low = sv_prefix_take(&z->codes->aligned, &z->b);
		if (low == SV_PREFIX_NONE)
			return 0;
	} else {
		low = sv_bits_take(&z->b, extra);
	}
	z->recent[2] = z->recent[1];
	z->recent[1] = z->recent[0];
	z->recent[0] = base + low - 2;
	return z->recent[0];
}

static int take_match(struct lzx *z, uint32_t symbol, size_t end, struct sv_err *err)
{
	uint32_t length = symbol % HEADERS, distance, more;

	if (length == HEADERS - 1) {
		more = sv_prefix_take(&z->codes->length, &z->b);
		if (more == SV_PREFIX_NONE)
			return bad(z, "a length whose code was not told", err);
		length += more;
	}
	length += MATCH_MIN;
	distance = take_distance(z, symbol / HEADERS);
	if (!distance || distance > z->done || length > end - z->done)
		return bad(z, "a match outside its chunk or block", err);
	sv_copy_back(z->out, z->done, distance, length);
	z->done += length;
	return 0;
}

/* ---- blocks ---- */

static int unpack_block(struct lzx *z, size_t end, struct sv_err *err)
{
	if (take_codes(z, err) < 0)
		return -1;
	while (z->done < end) {
		uint32_t symbol = sv_prefix_take(&z->codes->main, &z->b);

		if (symbol < CHARS)
			z->out[z->done++] = (uint8_t)symbol;
		else if (symbol == SV_PREFIX_NONE)
			return bad(z, "a code that was not told", err);
		else if (take_match(z, symbol - CHARS, end, err) < 0)
			return -1;
	}
	return 0;
}

/* Behind 1 to 16 bits up to a whole unit: the last distances, the bytes, one more if odd. */
static int copy_block(struct lzx *z, size_t end, struct sv_err *err)
{
	unsigned padding = z->b.n % 16 ? z->b.n % 16 : 16;
	size_t n = end - z->done;

	sv_bits_need(&z->b, padding);
	z->b.next -= (z->b.n - padding) / 8; /* units that were read ahead */
	z->b.n = 0;
	z->b.bits = 0;
	if ((size_t)(z->b.end - z->b.next) < sizeof z->recent + n)
		return bad(z, "bytes that are not packed end too early", err);
	for (size_t i = 0; i < SV_ARRAY_LEN(z->recent); i++, z->b.next += 4)
		z->recent[i] = sv_load_le32(z->b.next);
	memcpy(z->out + z->done, z->b.next, n);
	z->done += n;
	z->b.next += n;
	if (n % 2 && z->b.next < z->b.end)
		z->b.next++;
	return 0;
}

static int take_block(struct lzx *z, struct sv_err *err)
{
	size_t n = BLOCK_DEFAULT;

	z->type = sv_bits_take(&z->b, 3);
	if (!sv_bits_take(&z->b, 1))
		n = sv_bits_take(&z->b, 16);
	if (!n || n > z->out_n - z->done)
		return bad(z, "a block that does not fit into its chunk", err);
	switch (z->type) {
	case VERBATIM:
	case ALIGNED_OFFSETS:
		return unpack_block(z, z->done + n, err);
	case UNCOMPRESSED:
		return copy_block(z, z->done + n, err);
	default:
		return bad(z, "a block of unknown type", err);
	}
}

/* Calls were packed with the address they lead to; here they get the distance to it again. */
static void restore_calls(uint8_t *out, size_t n)
{
	for (size_t i = 0; n > CALL_TAIL && i < n - CALL_TAIL; i++) {
		int32_t target, at = (int32_t)i;

		if (out[i] != CALL)
			continue;
		target = (int32_t)sv_load_le32(out + i + 1);
		if (target >= 0 && target < FILE_SIZE)
			sv_store_le32(out + i + 1, (uint32_t)(target - at));
		else if (target < 0 && target >= -at)
			sv_store_le32(out + i + 1, (uint32_t)(target + FILE_SIZE));
		i += 4;
	}
}

int sv_lzx_unpack(struct sv_wof_codes *codes, const uint8_t *in, size_t n, uint8_t *out,
	size_t out_n, struct sv_err *err)
{
	struct lzx z = {.b = {.next = in, .end = in + n},
		.in = in,
		.out = out,
		.out_n = out_n,
		.codes = codes,
		.recent = {1, 1, 1}};

	while (z.done < out_n)
		if (take_block(&z, err) < 0)
			return -1;
	restore_calls(out, out_n);
	return 0;
}
