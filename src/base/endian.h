/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * On-disk integers as byte types: arithmetic on them does not compile, and they have no
 * alignment, so that a struct made of them has no padding.
 */
#ifndef SV_BASE_ENDIAN_H
#define SV_BASE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	uint8_t b[2];
} sv_le16;
typedef struct {
	uint8_t b[4];
} sv_le32;
typedef struct {
	uint8_t b[8];
} sv_le64;
typedef struct {
	uint8_t b[2];
} sv_be16;
typedef struct {
	uint8_t b[4];
} sv_be32;
typedef struct {
	uint8_t b[8];
} sv_be64;

#define SV_ENDIAN_PAIR(type, uint, order, bits)                                                \
	static inline uint sv_get_##order##bits(type v)                                        \
	{                                                                                      \
		uint u;                                                                        \
		memcpy(&u, v.b, sizeof u);                                                     \
		return order##bits##toh(u);                                                    \
	}                                                                                      \
	static inline type sv_put_##order##bits(uint n)                                        \
	{                                                                                      \
		type v;                                                                        \
		uint u = hto##order##bits(n);                                                  \
		memcpy(v.b, &u, sizeof u);                                                     \
		return v;                                                                      \
	}                                                                                      \
	static inline uint sv_load_##order##bits(const void *p)                                \
	{                                                                                      \
		uint u;                                                                        \
		memcpy(&u, p, sizeof u);                                                       \
		return order##bits##toh(u);                                                    \
	}                                                                                      \
	static inline void sv_store_##order##bits(void *p, uint n)                             \
	{                                                                                      \
		uint u = hto##order##bits(n);                                                  \
		memcpy(p, &u, sizeof u);                                                       \
	}

/* sv_get_le32(v), sv_put_le32(n), sv_load_le32(ptr), sv_store_le32(ptr, n), ... */
SV_ENDIAN_PAIR(sv_le16, uint16_t, le, 16)
SV_ENDIAN_PAIR(sv_le32, uint32_t, le, 32)
SV_ENDIAN_PAIR(sv_le64, uint64_t, le, 64)
SV_ENDIAN_PAIR(sv_be16, uint16_t, be, 16)
SV_ENDIAN_PAIR(sv_be32, uint32_t, be, 32)
SV_ENDIAN_PAIR(sv_be64, uint64_t, be, 64)

#endif
