/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disk with a GPT whose checksums the harness repairs, so that what lies behind them is
 * reached. The input: a byte of flags, the disk's sectors (3 bytes), the MBR's entries (64),
 * the primary header (92), the backup header (92), then the entries that both share.
 */
#include "exercise.h"

#include "base/hash.h"
#include "volume/gpt.h"

enum flags {
	SECTORS_4096 = 1,
	NO_PRIMARY = 2,
	NO_BACKUP = 4,
	KEEP_HEADER_CRC = 8,
	KEEP_ENTRIES_CRC = 16,
	SAME_HEADERS = 32, /* the backup is made from the primary */
};

enum { ENTRIES_AT = 446, HEADER = 92, HEAD = 4 + 64 + 2 * HEADER };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
	unsigned flags;
	uint32_t sector_size;
	uint64_t sectors;
	const uint8_t *entries;
	size_t n_entries_bytes;
};

/* Of the whole array as it lies on the disk, zeros behind the input's bytes included. */
static uint32_t array_crc(struct sv_dev *disk, const struct input *in, uint64_t lba, uint64_t n)
{
	sv_autofree uint8_t *array = NULL;
	struct sv_err err = SV_ERR_INIT;

	if (n > SV_GPT_ENTRIES_MAX || lba >= in->sectors ||
		!sv_in_range(lba * in->sector_size, n, sv_dev_size(disk)))
		return 0;
	array = malloc(n ? n : 1);
	MUST(array);
	MUST(sv_dev_read(disk, array, n, lba * in->sector_size, &err) == 0);
	return sv_crc32(0, array, n);
}

static void put_copy(
	struct sv_dev *disk, const struct input *in, uint64_t lba, struct sv_gpt_disk_header h)
{
	sv_autofree uint8_t *sector = calloc(1, in->sector_size);
	uint64_t place = sv_get_le64(h.entries_lba), at = lba * in->sector_size;
	uint32_t size = sv_get_le32(h.header_size);
	struct sv_err err = SV_ERR_INIT;

	MUST(sector);
	if (place < in->sectors)
		sv_dev_write(disk, in->entries,
			SV_MIN(in->n_entries_bytes, (in->sectors - place) * in->sector_size),
			place * in->sector_size, &err);
	if (!(in->flags & KEEP_ENTRIES_CRC))
		h.entries_crc = sv_put_le32(array_crc(disk, in, place,
			(uint64_t)sv_get_le32(h.n_entries) * sv_get_le32(h.entry_size)));
	if (!(in->flags & KEEP_HEADER_CRC))
		h.header_crc = sv_put_le32(0);
	memcpy(sector, &h, sizeof h);
	if (!(in->flags & KEEP_HEADER_CRC) && size <= in->sector_size)
		sv_store_le32(sector + offsetof(struct sv_gpt_disk_header, header_crc),
			sv_crc32(0, sector, size));
	sv_dev_write(disk, sector, in->sector_size, at, &err);
}

static struct sv_gpt_disk_header backup_of(const struct input *in, struct sv_gpt_disk_header h)
{
	h.my_lba = sv_put_le64(in->sectors - 1);
	h.alternate_lba = sv_put_le64(1);
	h.entries_lba = sv_put_le64(sv_get_le64(h.last_usable) + 1);
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_gpt_disk_header primary, backup;
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *disk = NULL;
	struct input in;

	if (n < HEAD)
		return 0;
	in.flags = bytes[0];
	in.sector_size = in.flags & SECTORS_4096 ? 4096 : 512;
	in.sectors = 64 + (sv_load_le32(bytes) >> 8);
	in.entries = bytes + HEAD;
	in.n_entries_bytes = n - HEAD;
	memcpy(&primary, bytes + 68, HEADER);
	memcpy(&backup, bytes + 68 + HEADER, HEADER);
	disk = sv_sparse_open(in.sectors * in.sector_size, PAGES_CAP, "disk", &err);
	MUST(disk);
	sv_dev_write(disk, bytes + 4, 64, ENTRIES_AT, &err);
	sv_dev_write(disk, "\x55\xAA", 2, 510, &err);
	if (!(in.flags & NO_BACKUP))
		put_copy(disk, &in, in.sectors - 1,
			in.flags & SAME_HEADERS ? backup_of(&in, primary) : backup);
	if (!(in.flags & NO_PRIMARY))
		put_copy(disk, &in, 1, primary);
	exercise(disk);
	return 0;
}
