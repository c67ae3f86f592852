/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XXH64 with seed 0, as btrfs uses it. Source: "xxHash fast digest algorithm", the
 * specification of the xxHash project (doc/xxhash_spec.md, 0.1.1), section "XXH64".
 */
#include "base/hash.h"

#include "base/endian.h"

#define P1 0x9e3779b185ebca87u
#define P2 0xc2b2ae3d27d4eb4fu
#define P3 0x165667b19e3779f9u
#define P4 0x85ebca77c2b2ae63u
#define P5 0x27d4eb2f165667c5u

static uint64_t turn(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static uint64_t lane(uint64_t sum, uint64_t input)
{
	return turn(sum + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t sum, uint64_t of_lane)
{
	return (sum ^ lane(0, of_lane)) * P1 + P4;
}

/* Whole stripes of 32 bytes, in four lanes. */
static uint64_t stripes(const uint8_t *p, size_t n)
{
	uint64_t v[4] = {P1 + P2, P2, 0, -P1}, sum;

	for (; n >= 32; n -= 32, p += 32) {
		for (unsigned i = 0; i < 4; i++)
			v[i] = lane(v[i], sv_load_le64(p + 8 * i));
	}
	sum = turn(v[0], 1) + turn(v[1], 7) + turn(v[2], 12) + turn(v[3], 18);
	for (unsigned i = 0; i < 4; i++)
		sum = merge(sum, v[i]);
	return sum;
}

static uint64_t rest(uint64_t sum, const uint8_t *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8)
		sum = turn(sum ^ lane(0, sv_load_le64(p)), 27) * P1 + P4;
	if (n >= 4) {
		sum = turn(sum ^ sv_load_le32(p) * P1, 23) * P2 + P3;
		n -= 4;
		p += 4;
	}
	for (; n; n--, p++)
		sum = turn(sum ^ *p * P5, 11) * P1;
	return sum;
}

uint64_t sv_xxh64(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t sum = n >= 32 ? stripes(p, n) : P5;

	sum = rest(sum + n, p + (n & ~(size_t)31), n & 31);
	sum = (sum ^ sum >> 33) * P2;
	sum = (sum ^ sum >> 29) * P3;
	return sum ^ sum >> 32;
}
