/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tables of a thin pool. The input: a byte of flags, the device's number, then blocks of
 * the metadata device: its number, the number of bytes (2), the bytes from behind the checksum
 * on. Checksums are made right, and a node's own number, unless a flag says no.
 */
#include "members.h"

#include "base/hash.h"
#include "volume/lvm2/vg.h"

enum flags { KEEP_SUMS = 1, KEEP_PLACES = 2, OVER_ANOTHER = 4 };
enum { BLOCK = 4096, BLOCKS = 32, SUPER_SUM = 160774, NODE_SUM = 121107 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void put_block(
	struct sv_dev *d, unsigned flags, uint8_t at, const uint8_t *bytes, size_t n)
{
	uint8_t b[BLOCK] = {0};
	uint32_t sum;

	memcpy(b + 4, bytes, SV_MIN(n, (size_t)BLOCK - 4));
	if (!(flags & KEEP_PLACES))
		sv_store_le64(b + 8, at);
	sum = ~sv_crc32c(0, b + 4, BLOCK - 4) ^ (at ? NODE_SUM : SUPER_SUM);
	if (!(flags & KEEP_SUMS))
		sv_store_le32(b, sum);
	put(d, (uint64_t)at * BLOCK, b, sizeof b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_dev *metadata, *data, *outside, *thin;
	struct sv_err err = SV_ERR_INIT;
	unsigned flags;

	if (n < 2)
		return 0;
	flags = bytes[0];
	metadata = blank(BLOCKS * BLOCK);
	data = blank(1 << 20);
	outside = blank(300 << 10);
	for (size_t at = 2; at + 3 <= n;) {
		size_t len = SV_MIN((size_t)sv_load_le16(bytes + at + 1), n - at - 3);

		put_block(metadata, flags, bytes[at] % BLOCKS, bytes + at + 3, len);
		at += 3 + len;
	}
	thin = sv_lvm2_thin_open(metadata, data, bytes[1], 8 << 20,
		flags & OVER_ANOTHER ? outside : NULL, "thin", &err);
	must_tell(thin ? 0 : -1, &err);
	if (thin)
		read_places(thin);
	sv_dev_close(thin);
	sv_dev_close(metadata);
	sv_dev_close(data);
	sv_dev_close(outside);
	return 0;
}
