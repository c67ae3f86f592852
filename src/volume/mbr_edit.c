/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Grows one entry of an MBR or of an extended boot record in place: its sector count and its
 * last CHS address change, every other byte of the sector stays. A logical partition needs up
 * to three such edits, outermost first, so that at each moment what is inside fits in what is
 * around it: the container, the link to its EBR, the entry itself.
 */
#include "volume/mbr.h"

#include "base/num.h"
#include "volume/parts.h"

#include <string.h>

void sv_mbr_chs(uint64_t lba, uint8_t ret[3])
{
	const uint64_t heads = 255, sectors = 63;
	uint64_t cylinder = lba / (heads * sectors);

	if (cylinder > 1023) {
		memcpy(ret, "\xFE\xFF\xFF", 3);
		return;
	}
	ret[0] = (uint8_t)(lba / sectors % heads);
	ret[1] = (uint8_t)((lba % sectors + 1) | (cylinder >> 8 << 6));
	ret[2] = (uint8_t)cylinder;
}

/* The entry at `entry` describes [start, start+old_size) and is made to describe
 * [start, start+new_size). That it does describe that is checked: the table may be stale. */
static int set_size(struct sv_dev *disk, const struct sv_table *t, uint64_t entry,
	uint64_t start, uint64_t old_size, uint64_t new_size, struct sv_err *err)
{
	uint64_t at = sv_align_down(entry, SV_SECTOR), unit = t->sector_size;
	struct sv_mbr_disk_entry raw;
	uint8_t sector[SV_SECTOR];

	if (sv_dev_read(disk, sector, sizeof sector, at, err) < 0)
		return -1;
	memcpy(&raw, sector + (entry - at), sizeof raw);
	if (sv_get_le32(raw.count) != old_size / unit)
		return sv_fail_at(err, SV_CORRUPT, NULL, entry,
			"the entry has %u sectors, expected %llu: the disk changed since it was read",
			sv_get_le32(raw.count), (unsigned long long)(old_size / unit));
	raw.count = sv_put_le32((uint32_t)(new_size / unit));
	sv_mbr_chs((start + new_size) / unit - 1, raw.last_chs);
	memcpy(sector + (entry - at), &raw, sizeof raw);
	if (sv_dev_write(disk, sector, sizeof sector, at, err) < 0)
		return -1;
	return sv_dev_flush(disk, err);
}

struct link {
	uint64_t entry; /* where it lies; 0: the container itself leads to this EBR */
	uint64_t size;  /* of the stretch that it describes, from the EBR on */
};

/* Finds the link of the chain in `box` that leads to `ebr`. */
static int find_link(struct sv_dev *disk, const struct sv_table *t,
	const struct sv_partition *box, uint64_t ebr, struct link *ret, struct sv_err *err)
{
	struct sv_mbr_entry entries[SV_MBR_ENTRIES];
	uint8_t sector[SV_SECTOR];

	*ret = (struct link){0};
	for (size_t i = 0; i < t->n_ebrs; i++) {
		if (sv_dev_read(disk, sector, sizeof sector, t->ebrs[i], err) < 0)
			return -1;
		if (!sv_mbr_entries(sector, entries))
			continue;
		for (unsigned k = 0; k < SV_MBR_ENTRIES; k++) {
			if (!entries[k].count || !sv_mbr_is_extended(entries[k].type) ||
				box->start + (uint64_t)entries[k].start * t->sector_size != ebr)
				continue;
			ret->entry = t->ebrs[i] + SV_MBR_ENTRY_AT + 16 * k;
			ret->size = (uint64_t)entries[k].count * t->sector_size;
			return 0;
		}
	}
	return 0;
}

static int grow_around(struct sv_dev *disk, const struct sv_table *t,
	const struct sv_partition *p, uint64_t new_end, struct sv_err *err)
{
	const struct sv_partition *box = sv_table_container(t, p);
	uint64_t ebr = sv_align_down(p->entry, SV_SECTOR);
	struct link link;

	if (!box)
		return sv_fail(err, SV_INTERNAL, NULL, "logical partition %u has no container",
			p->number);
	if (find_link(disk, t, box, ebr, &link, err) < 0)
		return -1;
	if (new_end > box->start + box->size &&
		set_size(disk, t, box->entry, box->start, box->size, new_end - box->start,
			err) < 0)
		return -1;
	if (link.entry && new_end > ebr + link.size)
		return set_size(disk, t, link.entry, ebr, link.size, new_end - ebr, err);
	return 0;
}

int sv_mbr_grow(struct sv_dev *disk, const struct sv_table *t, const struct sv_partition *p,
	uint64_t new_size, struct sv_err *err)
{
	if (p->logical && grow_around(disk, t, p, p->start + new_size, err) < 0)
		return -1;
	return set_size(disk, t, p->entry, p->start, p->size, new_size, err);
}
