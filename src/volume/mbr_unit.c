/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which sectors does an MBR count in? It does not say. A disk with sectors of 4096 bytes has
 * the same 512 bytes at its start as any other, and only the right unit leads to where its
 * volumes begin. 512 is believed unless there is proof of 4096: a wrong unit that is then
 * written by would destroy the disk.
 */
#include "base/num.h"
#include "volume/mbr.h"

#include <string.h>

#define LOOK    2048 /* bytes at the start of a volume: the ext superblock's magic is at 1080 */
#define RECORDS 16   /* of a chain that are followed; the first volume decides */

enum finding {
	NOTHING,
	VOLUME,    /* a volume begins here */
	VOLUME_4K, /* one which says that its sectors have 4096 bytes */
};

static bool has(const uint8_t *head, size_t at, const char *text)
{
	return memcmp(head + at, text, strlen(text)) == 0;
}

/* The boot sectors of NTFS, BitLocker, FAT and exFAT tell the size of their sectors. */
static enum finding boot_sector(const uint8_t *head)
{
	bool jumps = head[0] == 0xEB || head[0] == 0xE9;
	uint16_t size = sv_load_le16(head + 11);
	uint8_t cluster = head[13], fats = head[16], media = head[21];

	if (head[510] != 0x55 || head[511] != 0xAA || !jumps)
		return NOTHING;
	if (has(head, 3, "EXFAT   "))
		return head[108] == 12 ? VOLUME_4K : VOLUME;
	if (!has(head, 3, "NTFS    ") && !has(head, 3, "-FVE-FS-") &&
		!(sv_is_pow2(cluster) && (fats == 1 || fats == 2) && media >= 0xF0))
		return NOTHING;
	if (size < 512 || size > 4096 || !sv_is_pow2(size))
		return NOTHING;
	return size == 4096 ? VOLUME_4K : VOLUME;
}

/* Others: what is known well enough to say that the unit which leads there is right. */
static bool is_other_volume(const uint8_t *head)
{
	return has(head, 0, "XFSB") || has(head, 0, "LUKS\xba\xbe") ||
	       has(head, 512, "LABELONE") || sv_load_le16(head + 1080) == 0xEF53;
}

static int look_at_volume(
	struct sv_dev *disk, uint64_t at, enum finding *best, struct sv_err *err)
{
	uint8_t head[LOOK];
	enum finding found;

	if (!sv_in_range(at, sizeof head, sv_dev_size(disk)))
		return 0;
	if (sv_dev_read(disk, head, sizeof head, at, err) < 0)
		return -1;
	found = boot_sector(head);
	if (found == NOTHING && is_other_volume(head))
		found = VOLUME;
	*best = SV_MAX(*best, found);
	return 0;
}

/* The logical volumes of the chain that begins at `box`. */
static int look_at_chain(struct sv_dev *disk, uint64_t box, uint32_t unit, enum finding *best,
	struct sv_err *err)
{
	struct sv_mbr_entry entries[SV_MBR_ENTRIES];
	uint64_t ebr = box, next = box;
	uint8_t sector[512];

	for (unsigned i = 0; i < RECORDS && *best == NOTHING; i++, ebr = next) {
		if (!sv_in_range(ebr, sizeof sector, sv_dev_size(disk)))
			return 0;
		if (sv_dev_read(disk, sector, sizeof sector, ebr, err) < 0)
			return -1;
		if (!sv_mbr_entries(sector, entries))
			return 0;
		for (unsigned k = 0; k < 2; k++) {
			uint64_t start = (uint64_t)entries[k].start * unit;

			if (entries[k].count && sv_mbr_is_extended(entries[k].type))
				next = box + start;
			else if (entries[k].count &&
				 look_at_volume(disk, ebr + start, best, err) < 0)
				return -1;
		}
		if (next == ebr)
			return 0;
	}
	return 0;
}

/* The best that is found where entries of this unit lead. */
static int look(struct sv_dev *disk, const struct sv_mbr *mbr, uint32_t unit, enum finding *ret,
	struct sv_err *err)
{
	*ret = NOTHING;
	for (unsigned i = 0; i < SV_MBR_ENTRIES; i++) {
		const struct sv_mbr_entry *e = &mbr->entries[i];
		uint64_t at = (uint64_t)e->start * unit;

		if (!e->count)
			continue;
		if (sv_mbr_is_extended(e->type) ? look_at_chain(disk, at, unit, ret, err) < 0
						: look_at_volume(disk, at, ret, err) < 0)
			return -1;
	}
	return 0;
}

static bool fits(const struct sv_mbr *mbr, uint64_t sectors)
{
	for (unsigned i = 0; i < SV_MBR_ENTRIES; i++) {
		if (!sv_in_range(mbr->entries[i].start, mbr->entries[i].count, sectors))
			return false;
	}
	return true;
}

int sv_mbr_sector_size(
	struct sv_dev *disk, const struct sv_mbr *mbr, uint32_t *ret, struct sv_err *err)
{
	enum finding small, large;

	*ret = 512;
	if (!fits(mbr, sv_dev_size(disk) / 4096))
		return 0;
	if (look(disk, mbr, 512, &small, err) < 0)
		return -1;
	if (small != NOTHING)
		return 0;
	if (look(disk, mbr, 4096, &large, err) < 0)
		return -1;
	if (large == VOLUME_4K)
		*ret = 4096;
	return 0;
}
