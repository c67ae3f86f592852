/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Marvin32, the checksum of log entries: 64 bits of state, four bytes a round. Published by
 * Microsoft in US patent 8,555,051 and in .NET's runtime.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void round_of(struct sv_marvin *m, uint32_t word)
{
	uint32_t low = m->low + word, high = m->high;

	high ^= low;
	low = rotate(low, 20) + high;
	high = rotate(high, 9) ^ low;
	low = rotate(low, 27) + high;
	m->high = rotate(high, 19);
	m->low = low;
}

void sv_marvin_begin(struct sv_marvin *m, uint64_t seed)
{
	*m = (struct sv_marvin){.low = (uint32_t)seed, .high = (uint32_t)(seed >> 32)};
}

void sv_marvin_add(struct sv_marvin *m, const void *bytes, size_t n)
{
	const uint8_t *in = bytes;

	while (n) {
		size_t part = SV_MIN(n, sizeof m->rest - m->n_rest);

		memcpy(m->rest + m->n_rest, in, part);
		m->n_rest += part;
		in += part;
		n -= part;
		if (m->n_rest < sizeof m->rest)
			return;
		round_of(m, sv_load_le32(m->rest));
		m->n_rest = 0;
	}
}

uint64_t sv_marvin_end(struct sv_marvin *m)
{
	uint8_t last[4] = {0};

	memcpy(last, m->rest, m->n_rest);
	last[m->n_rest] = 0x80;
	round_of(m, sv_load_le32(last));
	round_of(m, 0);
	return (uint64_t)m->high << 32 | m->low;
}

uint64_t sv_marvin32(uint64_t seed, const void *bytes, size_t n)
{
	struct sv_marvin m;

	sv_marvin_begin(&m, seed);
	sv_marvin_add(&m, bytes, n);
	return sv_marvin_end(&m);
}
