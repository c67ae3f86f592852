/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arithmetic of RAID 6 over GF(2^8) with the polynomial 0x11d and the generator 2. */
#ifndef SV_VOLUME_RAID_GF_H
#define SV_VOLUME_RAID_GF_H

#include <stddef.h>
#include <stdint.h>

uint8_t sv_gf_times(uint8_t a, uint8_t b);
uint8_t sv_gf_power(unsigned n);  /* 2^n */
uint8_t sv_gf_inverse(uint8_t a); /* of 0: 0 */

void sv_gf_add(uint8_t *sum, const uint8_t *bytes, size_t n);
void sv_gf_add_times(uint8_t *sum, const uint8_t *bytes, uint8_t factor, size_t n);
void sv_gf_divide(uint8_t *bytes, uint8_t divisor, size_t n);

/*
 * p = x + y and q = 2^wanted x + 2^other y, byte by byte: gives x. wanted and other differ by
 * less than 255.
 */
void sv_gf_solve_two(const uint8_t *p, const uint8_t *q, unsigned wanted, unsigned other,
	uint8_t *out, size_t n);

#endif
