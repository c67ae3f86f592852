/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checked arithmetic on sizes that come from outside. The result of sv_add/sv_mul must be
 * tested: they return false on overflow and leave *ret untouched.
 */
#ifndef SV_BASE_NUM_H
#define SV_BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#define SV_KIB          1024ULL
#define SV_MIB          (1024ULL * SV_KIB)
#define SV_GIB          (1024ULL * SV_MIB)
#define SV_TIB          (1024ULL * SV_GIB)

#define SV_SECTOR       512ULL /* the unit of MBR, VMDK and NTFS boot sectors */

#define SV_ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

/* each argument is evaluated once */
#define SV_MIN(a, b)                                                                           \
	__extension__({                                                                        \
		__typeof__(a) sv_a_ = (a);                                                     \
		__typeof__(b) sv_b_ = (b);                                                     \
		sv_a_ < sv_b_ ? sv_a_ : sv_b_;                                                 \
	})
#define SV_MAX(a, b)                                                                           \
	__extension__({                                                                        \
		__typeof__(a) sv_c_ = (a);                                                     \
		__typeof__(b) sv_d_ = (b);                                                     \
		sv_c_ > sv_d_ ? sv_c_ : sv_d_;                                                 \
	})

__attribute__((warn_unused_result)) static inline bool sv_add(
	uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

__attribute__((warn_unused_result)) static inline bool sv_mul(
	uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret = product;
	return true;
}

/* Is [off, off+len) inside [0, size)? Never overflows. An empty range at `size` is inside. */
static inline bool sv_in_range(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* Do [a, a+alen) and [b, b+blen) share a byte? Both must lie below 2^63. */
static inline bool sv_overlaps(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen && blen && a < b + blen && b < a + alen;
}

static inline uint64_t sv_div_up(uint64_t n, uint64_t unit)
{
	return n / unit + (n % unit != 0);
}

static inline bool sv_is_pow2(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* `unit` is a power of two; the caller knows that n + unit does not overflow. */
static inline uint64_t sv_align_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

static inline uint64_t sv_align_down(uint64_t n, uint64_t unit)
{
	return n & ~(unit - 1);
}

#endif
