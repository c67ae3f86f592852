/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Canonical prefix codes: see prefix_code.h. Shorter codes come first, of one length the lower
 * symbol. */
#include "fs/ntfs/prefix_code.h"

static void fill_fast(struct sv_prefix *c, unsigned length, uint32_t code, uint16_t symbol)
{
	uint32_t begin = code >> (16 - SV_PREFIX_FAST), n = 1u << (SV_PREFIX_FAST - length);

	for (uint32_t i = 0; i < n; i++)
		c->fast[begin + i] = (uint16_t)(symbol << 4 | length);
}

/* Of each length: where its symbols and its codes begin. */
static bool place_lengths(struct sv_prefix *c, const uint8_t *lengths, size_t n,
	uint32_t codes[SV_PREFIX_LENGTH_MAX + 1])
{
	uint16_t counts[SV_PREFIX_LENGTH_MAX + 1] = {0}, index = 0;
	uint32_t code = 0;

	for (size_t i = 0; i < n; i++)
		counts[lengths[i]]++;
	for (unsigned length = 1; length <= SV_PREFIX_LENGTH_MAX; length++) {
		c->first[length] = index;
		codes[length] = code;
		index = (uint16_t)(index + counts[length]);
		code += (uint32_t)counts[length] << (16 - length);
		c->limit[length] = code;
	}
	return code <= 1u << 16;
}

bool sv_prefix_build(struct sv_prefix *c, const uint8_t *lengths, size_t n)
{
	uint32_t codes[SV_PREFIX_LENGTH_MAX + 1];
	uint16_t index[SV_PREFIX_LENGTH_MAX + 1];

	if (!place_lengths(c, lengths, n, codes))
		return false;
	memcpy(index, c->first, sizeof index);
	memset(c->fast, 0, sizeof c->fast);
	for (size_t i = 0; i < n; i++) {
		unsigned length = lengths[i];

		if (!length)
			continue;
		c->sorted[index[length]++] = (uint16_t)i;
		if (length <= SV_PREFIX_FAST)
			fill_fast(c, length, codes[length], (uint16_t)i);
		codes[length] += 1u << (16 - length);
	}
	return true;
}

uint32_t sv_prefix_long(const struct sv_prefix *c, struct sv_bits *b)
{
	uint32_t next = sv_bits_peek(b, 16);

	for (unsigned length = SV_PREFIX_FAST + 1; length <= SV_PREFIX_LENGTH_MAX; length++) {
		if (next >= c->limit[length])
			continue;
		/* counted from the first code of this length, which is where the last one ended
		 */
		next = (next - c->limit[length - 1]) >> (16 - length);
		sv_bits_drop(b, length);
		return c->sorted[c->first[length] + next];
	}
	return SV_PREFIX_NONE;
}
