/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disk of 65536 sectors. The input is sector 0, then boot records anywhere: two bytes of
 * sector number, 64 of entries, two of magic.
 */
#include "exercise.h"

#include "base/endian.h"

enum { DISK_SECTORS = 65536, RECORD = 2 + 64 + 2, ENTRIES_AT = 446 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *disk =
		sv_sparse_open(DISK_SECTORS * SV_SECTOR, PAGES_CAP, "disk", &err);
	size_t first = SV_MIN(n, (size_t)SV_SECTOR);

	MUST(disk);
	sv_dev_write(disk, bytes, first, 0, &err);
	for (size_t at = first; at + RECORD <= n; at += RECORD) {
		uint64_t sector = sv_load_le16(bytes + at);

		sv_dev_write(disk, bytes + at + 2, RECORD - 2, sector * SV_SECTOR + ENTRIES_AT,
			&err);
	}
	exercise(disk);
	return 0;
}
