/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A group of two physical volumes whose description is the input: the parser of the text, and
 * everything that is built from it. The first, of which the description is, has the UUID of
 * 32 times 'A', the second 'B'; a third member has a label, and no group.
 */
#include "members.h"

#include "volume/lvm2/label.h"

enum { AREA = 4096, AREA_SIZE = 128 << 10, PV_SIZE = 6 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void put_label(struct sv_dev *d, char letter, bool area)
{
	uint8_t s[SV_SECTOR] = "LABELONE";

	sv_store_le64(s + 8, 1);
	sv_store_le32(s + 20, 32);
	memcpy(s + 24, "LVM2 001", 8);
	memset(s + 32, letter, 32);
	sv_store_le64(s + 64, PV_SIZE);
	sv_store_le64(s + 72, 1 << 20); /* the data area, then the end of the list */
	sv_store_le64(s + 104, area ? AREA : 0);
	sv_store_le64(s + 112, area ? AREA_SIZE : 0);
	sv_store_le32(s + 16, sv_lvm2_crc(s + 20, SV_SECTOR - 20));
	put(d, SV_SECTOR, s, sizeof s);
}

static void put_text(struct sv_dev *d, const uint8_t *text, size_t n)
{
	uint8_t h[SV_SECTOR] = {0};

	memcpy(h + 4, " LVM2 x[5A%r0N*>", 16);
	sv_store_le32(h + 20, 1);
	sv_store_le64(h + 24, AREA);
	sv_store_le64(h + 32, AREA_SIZE);
	sv_store_le64(h + 40, SV_SECTOR);
	sv_store_le64(h + 48, n);
	sv_store_le32(h + 56, sv_lvm2_crc(text, n));
	sv_store_le32(h, sv_lvm2_crc(h + 4, SV_SECTOR - 4));
	put(d, AREA, h, sizeof h);
	put(d, AREA + SV_SECTOR, text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_member members[] = {
		{blank(PV_SIZE), "a"}, {blank(PV_SIZE), "b"}, {blank(PV_SIZE), "c"}};

	n = SV_MIN(n, (size_t)AREA_SIZE - SV_SECTOR);
	for (size_t i = 0; i < SV_ARRAY_LEN(members); i++)
		put_label(members[i].dev, (char)('A' + i), i == 0);
	put_text(members[0].dev, bytes, n);
	use_members(members, SV_ARRAY_LEN(members));
	for (size_t i = 0; i < SV_ARRAY_LEN(members); i++)
		sv_dev_close(members[i].dev);
	return 0;
}
