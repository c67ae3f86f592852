/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720 appendix B.4), which ext4,
 * XFS, btrfs and VHDX guard their metadata with. By the processor's own instruction where it
 * has one, else by a table of half bytes.
 */
#include "base/hash.h"

#include "base/endian.h"

/* The remainder of each half byte. */
static const uint32_t half_byte[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
	0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

static uint32_t by_table(uint32_t state, const uint8_t *p, size_t n)
{
	for (; n; n--, p++) {
		state ^= *p;
		state = state >> 4 ^ half_byte[state & 15];
		state = state >> 4 ^ half_byte[state & 15];
	}
	return state;
}

#if defined(__x86_64__)
static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(
	uint32_t state, const uint8_t *p, size_t n)
{
	uint64_t wide = state;

	for (; n >= 8; n -= 8, p += 8)
		wide = __builtin_ia32_crc32di(wide, sv_load_le64(p));
	state = (uint32_t)wide;
	for (; n; n--, p++)
		state = __builtin_ia32_crc32qi(state, *p);
	return state;
}
#else
static bool has_instruction(void)
{
	return false;
}

static uint32_t by_instruction(uint32_t state, const uint8_t *p, size_t n)
{
	return by_table(state, p, n);
}
#endif

uint32_t sv_crc32c_portable(uint32_t crc, const void *bytes, size_t n)
{
	return ~by_table(~crc, bytes, n);
}

uint32_t sv_crc32c(uint32_t crc, const void *bytes, size_t n)
{
	return has_instruction() ? ~by_instruction(~crc, bytes, n)
				 : sv_crc32c_portable(crc, bytes, n);
}
