/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two dynamic disks of one database. The input is pieces: what (1), number of bytes (2), bytes.
 * A record is cut into VBLKs; the second disk differs by the first character of its GUID.
 */
#include "members.h"

#include "volume/mbr.h"

enum what { PRIVATE, PRIVATE_BACKUP, TOC, VMDB, RECORD, VBLK, KINDS };
enum {
	SECTORS = 8192,
	CONFIG = SECTORS - 2048,
	VBLK_SIZE = 128,
	BODY = VBLK_SIZE - 16,
	GUID_AT = 48,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct disk {
	struct sv_dev *dev;
	bool second;
	uint64_t vblk; /* where the next one goes */
	uint32_t record;
};

static void put_table(struct sv_dev *d)
{
	struct sv_mbr_disk_sector s = {.magic = {0x55, 0xaa}};

	s.entries[0].type = 0x42;
	s.entries[0].start = sv_put_le32(63);
	s.entries[0].count = sv_put_le32(SECTORS - 63);
	put(d, 0, &s, sizeof s);
}

static void put_private(struct disk *d, uint64_t sector, const uint8_t *bytes, size_t n)
{
	uint8_t s[SV_SECTOR] = {0};

	memcpy(s, bytes, SV_MIN(n, sizeof s));
	if (d->second)
		s[GUID_AT] ^= 1;
	put(d->dev, sector * SV_SECTOR, s, sizeof s);
}

static void put_vblk(struct disk *d, const uint8_t *bytes, size_t n)
{
	put(d->dev, d->vblk, bytes, SV_MIN(n, (size_t)VBLK_SIZE));
	d->vblk += VBLK_SIZE;
}

static void put_record(struct disk *d, const uint8_t *bytes, size_t n)
{
	uint16_t parts = (uint16_t)SV_MAX(sv_div_up(n, BODY), UINT64_C(1));

	d->record++;
	for (uint16_t i = 0; i < parts; i++) {
		size_t at = (size_t)i * BODY;
		uint8_t v[VBLK_SIZE] = "VBLK";

		sv_store_be32(v + 8, d->record);
		sv_store_be16(v + 12, i);
		sv_store_be16(v + 14, parts);
		memcpy(v + 16, bytes + at, SV_MIN((size_t)BODY, n - at));
		put_vblk(d, v, sizeof v);
	}
}

static void put_piece(struct disk *d, enum what what, const uint8_t *bytes, size_t n)
{
	switch (what) {
	case PRIVATE:
		put_private(d, 6, bytes, n);
		break;
	case PRIVATE_BACKUP:
		put_private(d, CONFIG + 1856, bytes, n);
		break;
	case TOC:
		put(d->dev, (CONFIG + 1) * SV_SECTOR, bytes, n);
		break;
	case VMDB:
		put(d->dev, (CONFIG + 17) * SV_SECTOR, bytes, SV_MIN(n, (size_t)SV_SECTOR));
		break;
	case RECORD:
		put_record(d, bytes, n);
		break;
	default:
		put_vblk(d, bytes, n);
	}
}

static void fill(struct disk *d, const uint8_t *bytes, size_t n)
{
	put_table(d->dev);
	for (size_t at = 0; at + 3 <= n;) {
		size_t len = SV_MIN((size_t)sv_load_le16(bytes + at + 1), n - at - 3);

		put_piece(d, bytes[at] % KINDS, bytes + at + 3, len);
		at += 3 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_member members[2];

	for (size_t i = 0; i < 2; i++) {
		struct disk d = {.dev = blank(SECTORS * SV_SECTOR),
			.second = i == 1,
			.vblk = (CONFIG + 18) * SV_SECTOR};

		fill(&d, bytes, n);
		members[i] = (struct sv_member){d.dev, "disk", true};
	}
	use_members(members, 2);
	use_members(members, 1);
	sv_dev_close(members[0].dev);
	sv_dev_close(members[1].dev);
	return 0;
}
