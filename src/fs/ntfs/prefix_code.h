/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What XPRESS and LZX have in common: a stream of bits in 16-bit little-endian units, the first
 * bit on top, and canonical prefix codes of up to 16 bits, of which the code lengths are known.
 * Pure; nothing is allocated. Bits behind the end read as zeros: what is made of them is wrong
 * or unwanted, and its size is limited.
 */
#ifndef SV_FS_NTFS_PREFIX_CODE_H
#define SV_FS_NTFS_PREFIX_CODE_H

#include "base/endian.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bits ---- */

struct sv_bits {
	const uint8_t *next, *end;
	uint64_t bits; /* the next one is bit 63 */
	unsigned n;    /* how many there are */
};

/* Makes sure that at least n <= 16 are there; reads no unit that is not needed for them. */
static inline void sv_bits_need(struct sv_bits *b, unsigned n)
{
	if (b->n >= n)
		return;
	if (b->end - b->next >= 2) {
		b->bits |= (uint64_t)sv_load_le16(b->next) << (48 - b->n);
		b->next += 2;
	}
	b->n += 16;
}

/* n from 0 to 16 that are there. */
static inline unsigned sv_bits_peek(const struct sv_bits *b, unsigned n)
{
	return n ? (unsigned)(b->bits >> (64 - n)) : 0;
}

static inline void sv_bits_drop(struct sv_bits *b, unsigned n)
{
	b->bits <<= n;
	b->n -= n;
}

static inline unsigned sv_bits_take(struct sv_bits *b, unsigned n)
{
	unsigned value;

	sv_bits_need(b, n);
	value = sv_bits_peek(b, n);
	sv_bits_drop(b, n);
	return value;
}

/* ---- codes ---- */

#define SV_PREFIX_FAST        10u /* bits that one look at a table decodes */
#define SV_PREFIX_LENGTH_MAX  16u
#define SV_PREFIX_SYMBOLS_MAX 512u

struct sv_prefix {
	uint16_t fast[1u << SV_PREFIX_FAST]; /* symbol << 4 | length; 0: a longer code, or none
					      */
	uint32_t limit[SV_PREFIX_LENGTH_MAX +
		       1]; /* first value of 16 bits behind this length's */
	uint16_t first[SV_PREFIX_LENGTH_MAX + 1]; /* of a length: index of its first symbol */
	uint16_t sorted[SV_PREFIX_SYMBOLS_MAX];   /* symbols by length, then by number */
};

/* Lengths of 0 to 16; 0: the symbol does not occur. False where more codes are wanted than
 * there are. Some may be unused. */
bool sv_prefix_build(struct sv_prefix *c, const uint8_t *lengths, size_t n);

#define SV_PREFIX_NONE UINT32_MAX
uint32_t sv_prefix_long(const struct sv_prefix *c, struct sv_bits *b); /* for the next one */

/* The next symbol; SV_PREFIX_NONE where the bits are none's. */
static inline uint32_t sv_prefix_take(const struct sv_prefix *c, struct sv_bits *b)
{
	uint16_t e;

	sv_bits_need(b, SV_PREFIX_LENGTH_MAX);
	e = c->fast[sv_bits_peek(b, SV_PREFIX_FAST)];
	if (!e)
		return sv_prefix_long(c, b);
	sv_bits_drop(b, e & 15);
	return e >> 4;
}

/* Repeats what lies `distance` behind; the caller knows that both lie in `out`. */
static inline void sv_copy_back(uint8_t *out, size_t at, size_t distance, size_t n)
{
	if (distance >= n)
		memcpy(out + at, out + at - distance, n);
	else
		for (; n; n--, at++)
			out[at] = out[at - distance];
}

#endif
