/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GF(2^8) without tables of its own: products are made by shifting. A recovery is bound by the
 * disks it reads; one product table per factor (256 bytes on the stack) is all it needs.
 */
#include "volume/raid_gf.h"

#define POLYNOMIAL 0x1d /* what x^8 is */

uint8_t sv_gf_times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	while (b) {
		if (b & 1)
			product ^= a;
		a = (uint8_t)((unsigned)a << 1 ^ (a & 0x80 ? POLYNOMIAL : 0));
		b >>= 1;
	}
	return product;
}

uint8_t sv_gf_power(unsigned n)
{
	uint8_t power = 1;

	for (n %= 255; n; n--)
		power = sv_gf_times(power, 2);
	return power;
}

/* a^254, because a^255 is 1. */
uint8_t sv_gf_inverse(uint8_t a)
{
	uint8_t result = 1;

	for (unsigned i = 0; i < 254; i++)
		result = sv_gf_times(result, a);
	return a ? result : 0;
}

void sv_gf_add(uint8_t *sum, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] ^= bytes[i];
}

static void fill_products(uint8_t factor, uint8_t products[256])
{
	for (unsigned i = 0; i < 256; i++)
		products[i] = sv_gf_times((uint8_t)i, factor);
}

void sv_gf_add_times(uint8_t *sum, const uint8_t *bytes, uint8_t factor, size_t n)
{
	uint8_t products[256];

	fill_products(factor, products);
	for (size_t i = 0; i < n; i++)
		sum[i] ^= products[bytes[i]];
}

void sv_gf_divide(uint8_t *bytes, uint8_t divisor, size_t n)
{
	uint8_t products[256];

	fill_products(sv_gf_inverse(divisor), products);
	for (size_t i = 0; i < n; i++)
		bytes[i] = products[bytes[i]];
}

/* x = (q + 2^other p) / (2^wanted + 2^other) */
void sv_gf_solve_two(const uint8_t *p, const uint8_t *q, unsigned wanted, unsigned other,
	uint8_t *out, size_t n)
{
	uint8_t gx = sv_gf_power(wanted), gy = sv_gf_power(other), products[256];
	uint8_t by = sv_gf_inverse(gx ^ gy);

	fill_products(gy, products);
	for (size_t i = 0; i < n; i++)
		out[i] = q[i] ^ products[p[i]];
	fill_products(by, products);
	for (size_t i = 0; i < n; i++)
		out[i] = products[out[i]];
}
