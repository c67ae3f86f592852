/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members of md arrays. The input is their superblocks: a byte of flags with the place, the
 * number of bytes (2), the bytes. Checksums are made right unless a flag says no, and so is
 * the place that a superblock of version 1 names.
 */
#include "members.h"

#include "volume/md/super.h"

enum flags { PLACE = 3, KEEP_SUM = 4, KEEP_PLACE = 8, BIG_ENDIAN_SUM = 16 };
enum { SIZE = 1 << 20, MEMBERS = 5, AT_0_90 = SIZE - (64 << 10), AT_1_0 = SIZE - 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static uint32_t load(const uint8_t *p, bool big)
{
	return big ? sv_load_be32(p) : sv_load_le32(p);
}

/* The sum of n bytes of words, the one at `field` left out. */
static uint32_t sum_of(const uint8_t *b, size_t n, size_t field, bool big)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i + 4 <= n; i += 4)
		sum += i == field ? 0 : load(b + i, big);
	if (i < n)
		sum += sv_load_le16(b + i);
	return (uint32_t)sum + (uint32_t)(sum >> 32);
}

static void seal(uint8_t *b, unsigned flags, uint64_t at)
{
	bool big = flags & BIG_ENDIAN_SUM;
	uint32_t roles = sv_load_le32(b + 220), sum;

	if (!(flags & KEEP_PLACE) && at != AT_0_90)
		sv_store_le64(b + 144, at / SV_SECTOR);
	if (flags & KEEP_SUM)
		return;
	if (at != AT_0_90) {
		sum = sum_of(b, 256 + 2 * (size_t)SV_MIN(roles, 1920u), 216, false);
		sv_store_le32(b + 216, sum);
		return;
	}
	sum = sum_of(b, SV_MD_SUPER_SIZE, 38 * 4, big);
	if (big)
		sum = __builtin_bswap32(sum);
	sv_store_le32(b + 38 * 4, sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const uint64_t places[] = {0, 4096, AT_1_0, AT_0_90};
	struct sv_member members[MEMBERS];
	size_t made = 0;

	for (size_t at = 0; at + 3 <= n && made < MEMBERS; made++) {
		size_t len = SV_MIN((size_t)sv_load_le16(bytes + at + 1), n - at - 3);
		uint64_t place = places[bytes[at] & PLACE];
		uint8_t super[SV_MD_SUPER_SIZE] = {0};

		memcpy(super, bytes + at + 3, SV_MIN(len, sizeof super));
		seal(super, bytes[at], place);
		members[made] = (struct sv_member){blank(SIZE), "member"};
		put(members[made].dev, place, super, sizeof super);
		at += 3 + len;
	}
	use_members(members, made);
	while (made--)
		sv_dev_close(members[made].dev);
	return 0;
}
