/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads a master boot record and its chains of extended boot records. There is no standard;
 * the rules are those that Linux (block/partitions/msdos.c) and Windows share, stricter where a
 * lie could cost data: nothing lies beyond the disk, nor outside its container, and no record
 * is met twice.
 */
#include "volume/mbr.h"

#include "base/num.h"
#include "volume/parts.h"

#include <string.h>

bool sv_mbr_is_extended(uint8_t type)
{
	return type == SV_MBR_EXTENDED_CHS || type == SV_MBR_EXTENDED_LBA ||
	       type == SV_MBR_EXTENDED_LINUX;
}

bool sv_mbr_entries(const uint8_t sector[512], struct sv_mbr_entry ret[SV_MBR_ENTRIES])
{
	struct sv_mbr_disk_sector raw;

	memcpy(&raw, sector, sizeof raw);
	for (int i = 0; i < SV_MBR_ENTRIES; i++) {
		ret[i] = (struct sv_mbr_entry){
			.status = raw.entries[i].status,
			.type = raw.entries[i].type,
			.start = sv_get_le32(raw.entries[i].start),
			.count = sv_get_le32(raw.entries[i].count),
		};
	}
	return raw.magic[0] == 0x55 && raw.magic[1] == 0xAA;
}

/* ---- what is sector 0? ---- */

/* An MBR's code never carries these names where a volume's boot sector has them. */
static bool has_file_system_name(const uint8_t *sector)
{
	static const char *const names[] = {"NTFS    ", "EXFAT   ", "-FVE-FS-"};

	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		if (memcmp(sector + 3, names[i], 8) == 0)
			return true;
	}
	return false;
}

/* The fields of a FAT BIOS parameter block that cannot be anything else. */
static bool has_fat_parameters(const uint8_t *sector)
{
	uint16_t bytes_per_sector = sv_load_le16(sector + 11);
	uint8_t cluster = sector[13], fats = sector[16], media = sector[21];

	return (sector[0] == 0xEB || sector[0] == 0xE9) && bytes_per_sector >= 512 &&
	       bytes_per_sector <= 4096 && sv_is_pow2(bytes_per_sector) &&
	       sv_is_pow2(cluster) && sv_load_le16(sector + 14) > 0 &&
	       (fats == 1 || fats == 2) && (media == 0xF0 || media >= 0xF8);
}

static const char *why_no_table(const struct sv_mbr_entry entries[SV_MBR_ENTRIES])
{
	for (int i = 0; i < SV_MBR_ENTRIES; i++) {
		if (entries[i].status & 0x7F)
			return "an entry's status byte is neither 00 nor 80";
		if (entries[i].count && !entries[i].start)
			return "an entry claims sector 0 itself";
	}
	return NULL;
}

static bool all_within(const struct sv_mbr_entry entries[SV_MBR_ENTRIES], uint64_t disk_sectors)
{
	for (int i = 0; i < SV_MBR_ENTRIES; i++) {
		if (!sv_in_range(entries[i].start, entries[i].count, disk_sectors))
			return false;
	}
	return true;
}

static enum sv_mbr_kind kind_of_entries(const struct sv_mbr *mbr)
{
	unsigned used = 0, protective = 0;

	for (int i = 0; i < SV_MBR_ENTRIES; i++) {
		used += mbr->entries[i].count != 0;
		protective +=
			mbr->entries[i].count && mbr->entries[i].type == SV_MBR_PROTECTIVE;
	}
	if (protective)
		return used > protective ? SV_MBR_HYBRID : SV_MBR_GPT;
	return used || mbr->signature ? SV_MBR_TABLE : SV_MBR_NONE;
}

void sv_mbr_parse(const uint8_t sector[512], uint64_t disk_sectors, struct sv_mbr *ret)
{
	bool used = false;

	*ret = (struct sv_mbr){.kind = SV_MBR_NONE};
	if (!sv_mbr_entries(sector, ret->entries))
		return;
	for (int i = 0; i < SV_MBR_ENTRIES; i++)
		used |= ret->entries[i].count != 0;
	ret->signature = sv_load_le32(sector + offsetof(struct sv_mbr_disk_sector, signature));
	ret->why = why_no_table(ret->entries);
	if (has_file_system_name(sector))
		ret->kind = SV_MBR_BOOT_SECTOR;
	else if (has_fat_parameters(sector) &&
		 (ret->why || !used || !all_within(ret->entries, disk_sectors)))
		ret->kind = SV_MBR_BOOT_SECTOR;
	else if (ret->why)
		ret->kind = SV_MBR_GARBAGE;
	else
		ret->kind = kind_of_entries(ret);
}

/* ---- primaries ---- */

static struct sv_partition partition_of(const struct sv_table *t, const struct sv_mbr_entry *e,
	unsigned number, uint64_t base, uint64_t at)
{
	return (struct sv_partition){
		.number = number,
		.start = base + (uint64_t)e->start * t->sector_size,
		.size = (uint64_t)e->count * t->sector_size,
		.mbr_type = e->type,
		.active = e->status == 0x80,
		.extended = sv_mbr_is_extended(e->type),
		.entry = at,
	};
}

static int add_primaries(
	const struct sv_mbr *mbr, uint64_t disk_sectors, struct sv_table *t, struct sv_err *err)
{
	for (unsigned i = 0; i < SV_MBR_ENTRIES; i++) {
		const struct sv_mbr_entry *e = &mbr->entries[i];
		uint64_t at = SV_MBR_ENTRY_AT + 16 * i;
		struct sv_partition p = partition_of(t, e, i + 1, 0, at);

		if (!e->count)
			continue;
		if (!sv_in_range(e->start, e->count, disk_sectors))
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"partition %u ends at sector %llu, the disk has %llu sectors",
				i + 1, (unsigned long long)e->start + e->count,
				(unsigned long long)disk_sectors);
		if (sv_table_add(t, &p, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- logicals ---- */

struct chain {
	struct sv_dev *disk;
	struct sv_table *t;
	struct sv_partition box; /* the container; name not owned */
	unsigned next_number;
};

/* Notes an EBR; met before means that the chain has a loop. `link` is where it is named. */
static int note_ebr(struct sv_table *t, uint64_t ebr, uint64_t link, struct sv_err *err)
{
	uint64_t *grown;

	for (size_t i = 0; i < t->n_ebrs; i++) {
		if (t->ebrs[i] == ebr)
			return sv_fail_at(err, SV_CORRUPT, NULL, link,
				"the chain of extended boot records comes back to sector %llu",
				(unsigned long long)(ebr / t->sector_size));
	}
	if (t->n_ebrs == SV_EBRS_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, link,
			"the chain has more than %d extended boot records", SV_EBRS_MAX);
	grown = realloc(t->ebrs, (t->n_ebrs + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	t->ebrs = grown;
	t->ebrs[t->n_ebrs++] = ebr;
	return 0;
}

static bool in_box(const struct chain *c, uint64_t start, uint64_t size)
{
	return start >= c->box.start && sv_in_range(start - c->box.start, size, c->box.size);
}

/* One data entry of the EBR at `ebr`. The third and fourth entry should be empty; what lies
 * there counts where it could be a partition, as Linux has it; that may change with the
 * container's size, so such a chain is read, but not grown. */
static int add_logical(struct chain *c, uint64_t ebr, unsigned slot,
	const struct sv_mbr_entry *e, struct sv_err *err)
{
	uint64_t at = ebr + SV_MBR_ENTRY_AT + 16 * slot, unit = c->t->sector_size;
	struct sv_partition p = partition_of(c->t, e, c->next_number, ebr, at);

	c->t->odd_chain |= slot >= 2;
	if (!in_box(c, p.start, p.size)) {
		if (slot >= 2)
			return sv_table_warn(c->t, err,
				"entry %u of the extended boot record at sector %llu makes no "
				"sense and was passed over",
				slot + 1, (unsigned long long)(ebr / unit));
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"logical partition %u (sectors %llu to %llu) leaves its container (%llu "
			"to %llu)",
			p.number, (unsigned long long)(p.start / unit),
			(unsigned long long)((p.start + p.size) / unit - 1),
			(unsigned long long)(c->box.start / unit),
			(unsigned long long)((c->box.start + c->box.size) / unit - 1));
	}
	p.logical = true;
	c->next_number++;
	return sv_table_add(c->t, &p, err);
}

/* Reads the record at *ebr, adds its logicals; *ebr and *link become the next one's place and
 * the place of its link. *ret_more: there is a next one. */
static int read_ebr(
	struct chain *c, uint64_t *ebr, uint64_t *link, bool *ret_more, struct sv_err *err)
{
	struct sv_mbr_entry entries[SV_MBR_ENTRIES];
	uint64_t here = *ebr;
	uint8_t sector[512];

	*ret_more = false;
	if (sv_dev_read(c->disk, sector, sizeof sector, here, err) < 0)
		return -1;
	if (!sv_mbr_entries(sector, entries)) {
		if (here == c->box.start)
			return sv_table_warn(c->t, err,
				"extended partition %u has no boot record and is taken as empty",
				c->box.number);
		return sv_fail_at(err, SV_CORRUPT, NULL, here + 510,
			"an extended boot record ends in %02x %02x, expected 55 aa",
			sector[510], sector[511]);
	}
	for (unsigned i = 0; i < SV_MBR_ENTRIES; i++) {
		if (!entries[i].count)
			continue;
		if (!sv_mbr_is_extended(entries[i].type)) {
			if (add_logical(c, here, i, &entries[i], err) < 0)
				return -1;
		} else if (!*ret_more) {
			*ret_more = true;
			*ebr = c->box.start + (uint64_t)entries[i].start * c->t->sector_size;
			*link = here + SV_MBR_ENTRY_AT + 16 * i;
		}
	}
	return 0;
}

static int read_chain(struct chain *c, struct sv_err *err)
{
	uint64_t ebr = c->box.start, link = c->box.entry, unit = c->t->sector_size;
	bool more = true;

	while (more) {
		if (!in_box(c, ebr, unit))
			return sv_fail_at(err, SV_CORRUPT, NULL, link,
				"the next extended boot record is at sector %llu, outside its "
				"container (%llu to %llu)",
				(unsigned long long)(ebr / unit),
				(unsigned long long)(c->box.start / unit),
				(unsigned long long)((c->box.start + c->box.size) / unit - 1));
		if (note_ebr(c->t, ebr, link, err) < 0 ||
			read_ebr(c, &ebr, &link, &more, err) < 0)
			return -1;
	}
	return 0;
}

/* An EBR inside a logical partition would be overwritten by the guest, or by us. */
static int check_ebrs_outside(const struct sv_table *t, struct sv_err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct sv_partition *p = &t->parts[i];

		for (size_t k = 0; p->logical && k < t->n_ebrs; k++) {
			if (sv_overlaps(p->start, p->size, t->ebrs[k], t->sector_size))
				return sv_fail_at(err, SV_CORRUPT, NULL, p->entry,
					"logical partition %u covers the extended boot record at "
					"sector %llu",
					p->number,
					(unsigned long long)(t->ebrs[k] / t->sector_size));
		}
	}
	return 0;
}

int sv_mbr_read(
	struct sv_dev *disk, const struct sv_mbr *mbr, struct sv_table *t, struct sv_err *err)
{
	struct chain c = {.disk = disk, .t = t, .next_number = SV_MBR_ENTRIES + 1};
	size_t primaries;

	t->kind = SV_TABLE_MBR;
	if (add_primaries(mbr, sv_dev_size(disk) / t->sector_size, t, err) < 0)
		return -1;
	primaries = t->n;
	for (size_t i = 0; i < primaries; i++) {
		c.box = t->parts[i];
		if (c.box.extended && read_chain(&c, err) < 0)
			return -1;
	}
	return check_ebrs_outside(t, err);
}
