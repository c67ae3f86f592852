/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A physical volume's label and the header of a metadata area. The input: a byte of flags, the
 * label's sector number, 512 bytes of label, 512 of an area's header at 4 KiB, then the ring.
 */
#include "members.h"

#include "volume/lvm2/label.h"

enum flags { KEEP_LABEL_CRC = 1, KEEP_AREA_CRC = 2, KEEP_TEXT_CRC = 4 };
enum { AREA = 4096, SIZE = 64 << 10, HEAD = 2 + 2 * SV_SECTOR };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void seal_text(struct sv_dev *d, uint8_t *area)
{
	uint64_t off = sv_load_le64(area + 40), size = sv_load_le64(area + 48);
	uint8_t text[SIZE];
	struct sv_err err = SV_ERR_INIT;

	if (off >= SIZE || size >= SIZE || !sv_in_range(AREA + off, size, SIZE))
		return;
	MUST(sv_dev_read(d, text, (size_t)size, AREA + off, &err) == 0);
	sv_store_le32(area + 56, sv_lvm2_crc(text, (size_t)size));
}

static void use_pv(struct sv_dev *d)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_lvm2_label label;
	size_t n = 0;
	char *text;

	if (sv_lvm2_read_label(d, &label, &err) < 0) {
		must_tell(-1, &err);
		return;
	}
	MUST(strlen(label.uuid) == SV_LVM2_UUID_TEXT - 1);
	MUST(label.n_data <= SV_LVM2_AREAS && label.n_areas <= SV_LVM2_AREAS);
	text = sv_lvm2_read_text(d, &label, &n, &err);
	must_tell(text ? 0 : -1, &err);
	MUST(!text || (n && n <= SV_LVM2_TEXT_MAX && text[n] == '\0'));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t label[SV_SECTOR], area[SV_SECTOR];
	struct sv_member member = {.id = "a"};
	uint64_t sector;
	unsigned flags;

	if (n < HEAD)
		return 0;
	flags = bytes[0];
	sector = bytes[1] % 5;
	member.dev = blank(SIZE);
	memcpy(label, bytes + 2, sizeof label);
	memcpy(area, bytes + 2 + sizeof label, sizeof area);
	put(member.dev, AREA + SV_SECTOR, bytes + HEAD, n - HEAD);
	if (!(flags & KEEP_TEXT_CRC))
		seal_text(member.dev, area);
	if (!(flags & KEEP_LABEL_CRC))
		sv_store_le32(label + 16, sv_lvm2_crc(label + 20, sizeof label - 20));
	if (!(flags & KEEP_AREA_CRC))
		sv_store_le32(area, sv_lvm2_crc(area + 4, sizeof area - 4));
	put(member.dev, sector * SV_SECTOR, label, sizeof label);
	put(member.dev, AREA, area, sizeof area);
	use_pv(member.dev);
	use_members(&member, 1);
	sv_dev_close(member.dev);
	return 0;
}
