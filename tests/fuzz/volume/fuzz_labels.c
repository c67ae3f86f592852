/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Apple partition maps and BSD disklabels. The input: a byte of flags, then either the disk's
 * first sectors, or a disklabel on the whole disk or in an MBR partition, whose sum is made
 * right.
 */
#include "exercise.h"

#include "base/endian.h"
#include "volume/mbr.h"

enum { SECTORS = 16384, SLICE = 2048, SLICE_SECTORS = 8192, MAGIC2_AT = 132, SUM_AT = 136 };
enum flags { KIND = 3, WHOLE_DISK = 4, KEEP_SUM = 8, APPLE = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void put_slice(struct sv_dev *disk, unsigned kind)
{
	static const uint8_t types[] = {0xa5, 0xa6, 0xa9, 0x83};
	struct sv_mbr_disk_sector s = {.magic = {0x55, 0xaa}};
	struct sv_err err = SV_ERR_INIT;

	s.entries[1].type = types[kind];
	s.entries[1].start = sv_put_le32(SLICE);
	s.entries[1].count = sv_put_le32(SLICE_SECTORS);
	MUST(sv_dev_write(disk, &s, sizeof s, 0, &err) == 0);
}

static void put_label(struct sv_dev *disk, unsigned flags, const uint8_t *bytes, size_t n)
{
	uint64_t at = flags & WHOLE_DISK ? 0 : SLICE * SV_SECTOR;
	uint8_t s[SV_SECTOR] = {0};
	struct sv_err err = SV_ERR_INIT;
	uint16_t sum = 0;
	size_t end;

	memcpy(s, bytes, SV_MIN(n, sizeof s));
	end = 148 + 16 * SV_MIN((size_t)sv_load_le16(s + SUM_AT + 2), (size_t)22);
	if (!(flags & KEEP_SUM)) {
		sv_store_le16(s + SUM_AT, 0);
		for (size_t i = 0; i < end; i += 2)
			sum ^= sv_load_le16(s + i);
		sv_store_le16(s + SUM_AT, sum);
	}
	if (!(flags & WHOLE_DISK))
		put_slice(disk, flags & KIND);
	MUST(sv_dev_write(disk, s, sizeof s, at + SV_SECTOR, &err) == 0);
}

static void check_nested(const struct sv_table *t)
{
	for (size_t i = 0; i < t->n_nested; i++) {
		const struct sv_partition *p = &t->nested[i], *in = sv_table_find(t, p->number);

		MUST(in && p->letter && p->name && p->size && sv_partition_is_nest(t, in));
		MUST(p->start >= in->start && p->start + p->size <= in->start + in->size);
		MUST(sv_partition_type_name(t, p));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	SV_CLEANUP(sv_table_free) struct sv_table t = {.n = 0};
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *disk =
		sv_sparse_open(SECTORS * SV_SECTOR, PAGES_CAP, "disk", &err);

	MUST(disk);
	if (!n)
		return 0;
	if (bytes[0] & APPLE)
		MUST(sv_dev_write(disk, bytes + 1, SV_MIN(n - 1, (size_t)1 << 20), 0, &err) ==
			0);
	else
		put_label(disk, bytes[0], bytes + 1, n - 1);
	if (sv_table_read(disk, &t, &err) == 0)
		check_nested(&t);
	exercise(disk);
	return 0;
}
