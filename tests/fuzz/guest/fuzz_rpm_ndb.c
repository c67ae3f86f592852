/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * "Packages.db" of ndb. Checksums are repaired first where the first byte of the header's
 * unused ones does not say to leave them, so that what they protect is reached.
 */
#include "rpm_common.h"

#include "base/endian.h"
#include "base/num.h"

#include <zlib.h>

enum { SLOTS_AT = 32, KEEP_AT = 20 };

static void repair(uint8_t *file, size_t n)
{
	for (size_t at = SLOTS_AT; at + 16 <= SV_MIN(n, (size_t)4096); at += 16) {
		uint64_t off = 16ull * sv_load_le32(file + at + 8);
		uint64_t len = 16ull * sv_load_le32(file + at + 12);

		if (len >= 28 && sv_in_range(off, len, n))
			sv_store_le32(file + off + len - 12,
				(uint32_t)adler32(1, file + off, (uInt)(len - 12)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *file = malloc(n + 1);

	MUST(file);
	memcpy(file, bytes, n);
	if (n > KEEP_AT && !file[KEEP_AT])
		repair(file, n);
	read_database(file, n, sv_rpm_read_ndb);
	free(file);
	return 0;
}
