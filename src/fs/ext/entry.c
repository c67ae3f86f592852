/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Directory entries and their names: Linux, Documentation/filesystems/ext4/directory.rst. A
 * block is full of entries that lead to each other. The inner blocks of a hashed folder look
 * like one large free entry, so that reading all blocks in order finds every name.
 */
#include "fs/ext/ext.h"

#include "base/num.h"
#include "base/str.h"

#define TAIL_SIZE 12u /* the false entry with a block's checksum */

/* Lengths above 65532 do not fit: two low bits, always zero, take what is above. */
static size_t decode_length(uint16_t stored, size_t block_size)
{
	if (stored == UINT16_MAX || stored == 0)
		return block_size;
	return (stored & 0xfffcu) | (size_t)(stored & 3u) << 16;
}

int sv_ext_parse_entry(const uint8_t *block, size_t n, size_t at, bool has_type,
	struct sv_ext_entry *ret, struct sv_err *err)
{
	struct ext_entry d;
	size_t length;

	if (!sv_in_range(at, sizeof d, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"%zu bytes of a folder's block hold no entry", n - SV_MIN(at, n));
	memcpy(&d, block + at, sizeof d);
	length = decode_length(sv_get_le16(d.length), n);
	if (length < sizeof d || length % 4 || !sv_in_range(at, length, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a folder's entry is %zu bytes long, %zu are left in its block", length,
			n - at);
	if (d.name_length > length - sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a folder's entry of %zu bytes has a name of %u", length,
			d.name_length);
	*ret = (struct sv_ext_entry){
		.ino = sv_get_le32(d.ino),
		.name = block + at + sizeof d,
		.name_len = d.name_length,
		.type = has_type ? d.type & 15 : 0, /* Lustre keeps flags above */
		.next = at + length,
	};
	return 0;
}

/* A block of a hash tree: its sum lies behind the room for its entries. `head` is where the
 * count of them stands. */
static bool tree_checksum_ok(const uint8_t *block, size_t n, uint32_t seed, size_t head)
{
	static const uint8_t zeros[4];
	size_t limit = sv_load_le16(block + head), count = sv_load_le16(block + head + 2);
	size_t tail = head + 8 * limit;
	uint32_t crc;

	if (count > limit || tail + 8 > n)
		return true; /* no room was left for one */
	crc = sv_ext_crc(seed, block, head + 8 * count);
	crc = sv_ext_crc(crc, block + tail, 4);
	crc = sv_ext_crc(crc, zeros, sizeof zeros);
	return crc == sv_load_le32(block + tail + 4);
}

bool sv_ext_dir_checksum_ok(const uint8_t *block, size_t n, uint32_t seed, bool first)
{
	const uint8_t *tail = block + n - TAIL_SIZE;

	if (first) /* "." and "..", then what tells of the tree */
		return tree_checksum_ok(block, n, seed, 32);
	if (!sv_load_le32(block) &&
		decode_length(sv_load_le16(block + 4), n) == n) /* one free entry */
		return tree_checksum_ok(block, n, seed, 8);
	if (sv_load_le32(tail) || sv_load_le16(tail + 4) != TAIL_SIZE || tail[6] ||
		tail[7] != EXT_ENTRY_TAIL)
		return true; /* made before the volume had checksums */
	return sv_ext_crc(seed, block, n - TAIL_SIZE) == sv_load_le32(tail + 8);
}

/* ---- names ---- */

void sv_ext_name_encrypted(const uint8_t *name, unsigned len, char ret[SV_FS_UNIX_NAME])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned held = 0;
	size_t out = 0;

	for (unsigned i = 0; i < len; i++) {
		bits = bits << 8 | name[i];
		for (held += 8; held >= 6; held -= 6)
			ret[out++] = digits[bits >> (held - 6) & 63];
	}
	if (held)
		ret[out++] = digits[bits << (6 - held) & 63];
	ret[out] = 0;
}
