/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * BLAKE2b with a digest of 32 bytes and no key (RFC 7693), as btrfs uses it. libcrypto of
 * Debian 12 knows the digest of 64 bytes only, which is another function.
 */
#include "base/hash.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define BLOCK  128u
#define ROUNDS 12u

/* RFC 7693, section 2.6: those of SHA-512. */
static const uint64_t iv[8] = {0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu,
	0xa54ff53a5f1d36f1u, 0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu,
	0x5be0cd19137e2179u};

/* Section 2.7; rounds 10 and 11 begin anew. */
static const uint8_t sigma[10][16] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/* Section 3.1: which four words are mixed; columns, then diagonals. */
static const uint8_t mixed[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14},
	{3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14}};

static uint64_t turn(uint64_t v, unsigned bits)
{
	return v >> bits | v << (64 - bits);
}

static void mix(uint64_t *v, const uint8_t at[4], uint64_t x, uint64_t y)
{
	uint64_t a = v[at[0]], b = v[at[1]], c = v[at[2]], d = v[at[3]];

	a += b + x;
	d = turn(d ^ a, 32);
	c += d;
	b = turn(b ^ c, 24);
	a += b + y;
	d = turn(d ^ a, 16);
	c += d;
	b = turn(b ^ c, 63);
	v[at[0]] = a;
	v[at[1]] = b;
	v[at[2]] = c;
	v[at[3]] = d;
}

static void compress(uint64_t h[8], const uint8_t *block, uint64_t counted, bool last)
{
	uint64_t v[16], m[16];

	memcpy(v, h, 8 * sizeof *v);
	memcpy(v + 8, iv, sizeof iv);
	v[12] ^= counted;
	if (last)
		v[14] = ~v[14];
	for (unsigned i = 0; i < 16; i++)
		m[i] = sv_load_le64(block + 8 * i);
	for (unsigned r = 0; r < ROUNDS; r++) {
		const uint8_t *s = sigma[r % 10];

		for (unsigned i = 0; i < 8; i++)
			mix(v, mixed[i], m[s[2 * i]], m[s[2 * i + 1]]);
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

void sv_blake2b256(const void *bytes, size_t n, uint8_t ret[SV_BLAKE2B256_SIZE])
{
	const uint8_t *p = bytes;
	uint8_t last[BLOCK] = {0};
	uint64_t h[8], counted = 0;

	memcpy(h, iv, sizeof h);
	h[0] ^= 0x01010000u | SV_BLAKE2B256_SIZE;
	for (; n - counted > BLOCK; p += BLOCK) {
		counted += BLOCK;
		compress(h, p, counted, false);
	}
	if (n)
		memcpy(last, p, (size_t)(n - counted));
	compress(h, last, n, true);
	for (unsigned i = 0; i < SV_BLAKE2B256_SIZE / 8; i++)
		sv_store_le64(ret + 8 * i, h[i]);
}
