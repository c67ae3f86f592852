/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Grows one entry of a GUID partition table and fits the table to its disk. What changes: the
 * entry's last LBA; in the headers the places, the last usable LBA and the checksums; the
 * protective MBR's size, unless that is the 0xFFFFFFFF that Windows always writes; and the old
 * backup header is erased, so that nobody finds two. All else is written back as it was read
 * from the good copy: the primary, or the backup where the primary is bad.
 */
#include "volume/gpt.h"

#include "base/hash.h"
#include "base/num.h"
#include "volume/mbr.h"
#include "volume/parts.h"

#include <inttypes.h>
#include <string.h>

#define AT(field) offsetof(struct sv_gpt_disk_header, field)

struct edit {
	struct sv_dev *disk;
	const struct sv_table *t;
	uint32_t sector_size;
	struct sv_gpt_copy copy; /* what is written to both places */
	uint64_t primary_entries, backup_entries, backup_header; /* LBAs of the result */
};

static void edit_free(struct edit *e)
{
	sv_gpt_copy_free(&e->copy);
}

static int load_copy(struct edit *e, struct sv_err *err)
{
	uint64_t lba = e->t->primary_ok ? 1 : e->t->gpt_backup_lba;

	if (sv_gpt_load(e->disk, e->sector_size, lba, &e->copy, err) < 0)
		return -1;
	if (memcmp(e->copy.header.disk_guid, e->t->disk_guid, 16) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, lba * e->sector_size + AT(disk_guid),
			"the GPT is not the one that was read before");
	return 0;
}

static int place_tables(struct edit *e, struct sv_err *err)
{
	const struct sv_gpt_header *h = &e->copy.header;
	uint64_t area = e->t->gpt_backup_area / e->sector_size;
	uint64_t sectors = sv_dev_size(e->disk) / e->sector_size;
	uint64_t array = e->copy.entries_size / e->sector_size;

	if (sectors <= area || h->first_usable >= sectors - area)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the disk of %" PRIu64 " sectors has no room for its GPT", sectors);
	e->backup_header = sectors - 1;
	e->backup_entries = sectors - area;
	e->primary_entries = e->t->primary_ok ? h->entries_lba : 2;
	if (e->primary_entries + array > h->first_usable)
		return sv_fail(err, SV_CORRUPT, NULL,
			"the GPT's %" PRIu64
			" sectors of entries do not fit in front of its first "
			"usable sector %" PRIu64,
			array, h->first_usable);
	return 0;
}

static int check_partitions_fit(const struct edit *e, struct sv_err *err)
{
	uint64_t end = e->backup_entries * e->sector_size;

	for (size_t i = 0; i < e->t->n; i++) {
		const struct sv_partition *p = &e->t->parts[i];

		if (p->start + p->size > end)
			return sv_fail_at(err, SV_UNSUPPORTED, NULL, p->entry,
				"partition %u ends at byte %" PRIu64
				", the disk has room up to byte %" PRIu64,
				p->number, p->start + p->size, end);
	}
	return 0;
}

/* Sets the last LBA in the copy's entry of p. */
static int edit_entry(
	struct edit *e, const struct sv_partition *p, uint64_t new_size, struct sv_err *err)
{
	uint64_t off = (uint64_t)(p->number - 1) * e->copy.header.entry_size;
	struct sv_gpt_disk_entry raw;

	if (!sv_in_range(off, e->copy.header.entry_size, e->copy.header.entries_bytes))
		return sv_fail(err, SV_INTERNAL, NULL, "the GPT has no entry %u", p->number);
	memcpy(&raw, e->copy.entries + off, sizeof raw);
	if (memcmp(raw.guid, p->guid, sizeof raw.guid) != 0 ||
		sv_get_le64(raw.first) * e->sector_size != p->start ||
		(sv_get_le64(raw.last) + 1) * e->sector_size != p->start + p->size)
		return sv_fail_at(err, SV_CORRUPT, NULL, p->entry,
			"entry %u is not the one that was read before", p->number);
	raw.last = sv_put_le64((p->start + new_size) / e->sector_size - 1);
	memcpy(e->copy.entries + off, &raw, sizeof raw);
	return 0;
}

/* Turns the copy's header sector into the one for `lba`. */
static void fit_header(struct edit *e, uint64_t lba, uint64_t alternate, uint64_t entries)
{
	struct sv_gpt_disk_header raw;
	uint8_t *sector = e->copy.sector;

	memcpy(&raw, sector, sizeof raw);
	raw.my_lba = sv_put_le64(lba);
	raw.alternate_lba = sv_put_le64(alternate);
	raw.entries_lba = sv_put_le64(entries);
	raw.last_usable = sv_put_le64(e->backup_entries - 1);
	raw.entries_crc =
		sv_put_le32(sv_crc32(0, e->copy.entries, e->copy.header.entries_bytes));
	raw.header_crc = sv_put_le32(0);
	memcpy(sector, &raw, sizeof raw);
	sv_store_le32(sector + AT(header_crc), sv_crc32(0, sector, e->copy.header.header_size));
}

static int write_copy(
	struct edit *e, uint64_t lba, uint64_t alternate, uint64_t entries, struct sv_err *err)
{
	fit_header(e, lba, alternate, entries);
	if (sv_dev_write(e->disk, e->copy.entries, e->copy.entries_size,
		    entries * e->sector_size, err) < 0 ||
		sv_dev_flush(e->disk, err) < 0 ||
		sv_dev_write(
			e->disk, e->copy.sector, e->sector_size, lba * e->sector_size, err) < 0)
		return -1;
	return sv_dev_flush(e->disk, err);
}

static int write_backup(struct edit *e, struct sv_err *err)
{
	return write_copy(e, e->backup_header, 1, e->backup_entries, err);
}

static int write_primary(struct edit *e, struct sv_err *err)
{
	return write_copy(e, 1, e->backup_header, e->primary_entries, err);
}

static int write_protective_mbr(struct edit *e, struct sv_err *err)
{
	uint64_t sectors = sv_dev_size(e->disk) / e->sector_size;
	struct sv_mbr_disk_sector mbr;

	if (sv_dev_read(e->disk, &mbr, sizeof mbr, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < SV_MBR_ENTRIES; i++) {
		struct sv_mbr_disk_entry *raw = &mbr.entries[i];
		uint64_t start = sv_get_le32(raw->start);

		if (raw->type != SV_MBR_PROTECTIVE || !sv_get_le32(raw->count) ||
			sv_get_le32(raw->count) == UINT32_MAX || start >= sectors)
			continue;
		raw->count =
			sv_put_le32((uint32_t)SV_MIN(sectors - start, (uint64_t)UINT32_MAX));
		sv_mbr_chs(sectors - 1, raw->last_chs);
	}
	if (sv_dev_write(e->disk, &mbr, sizeof mbr, 0, err) < 0)
		return -1;
	return sv_dev_flush(e->disk, err);
}

static bool in_old_partition(const struct sv_table *t, uint64_t at)
{
	for (size_t i = 0; i < t->n; i++) {
		if (at >= t->parts[i].start && at - t->parts[i].start < t->parts[i].size)
			return true;
	}
	return false;
}

/* Only where a header is for sure: the signature is there, and no partition had the place. */
static int erase_old_backup(struct edit *e, struct sv_err *err)
{
	uint64_t at = e->t->gpt_backup_lba * e->sector_size;
	sv_autofree uint8_t *sector = NULL;

	if (e->t->gpt_backup_lba < e->copy.header.first_usable ||
		e->t->gpt_backup_lba >= e->backup_entries || in_old_partition(e->t, at))
		return 0;
	sector = malloc(e->sector_size);
	if (!sector)
		return sv_fail_nomem(err);
	if (sv_dev_read(e->disk, sector, e->sector_size, at, err) < 0)
		return -1;
	if (memcmp(sector, "EFI PART", 8) != 0)
		return 0;
	memset(sector, 0, e->sector_size);
	if (sv_dev_write(e->disk, sector, e->sector_size, at, err) < 0)
		return -1;
	return sv_dev_flush(e->disk, err);
}

static int write_all(struct edit *e, struct sv_err *err)
{
	bool ok = e->t->primary_ok;

	/* while one copy is being written, the other one is good */
	if ((ok ? write_backup(e, err) : write_primary(e, err)) < 0 ||
		(ok ? write_primary(e, err) : write_backup(e, err)) < 0)
		return -1;
	if (write_protective_mbr(e, err) < 0)
		return -1;
	return erase_old_backup(e, err);
}

int sv_gpt_grow(struct sv_dev *disk, const struct sv_table *t, const struct sv_partition *p,
	uint64_t new_size, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(edit_free)
	struct edit e = {.disk = disk, .t = t, .sector_size = t->sector_size};

	if (load_copy(&e, err) < 0 || place_tables(&e, err) < 0 ||
		check_partitions_fit(&e, err) < 0)
		return -1;
	if (p && edit_entry(&e, p, new_size, err) < 0)
		return -1;
	if (!t->primary_ok || !t->backup_ok)
		sv_job_note(job, "both copies of the GPT are written again: %s", t->warning);
	return write_all(&e, err);
}
