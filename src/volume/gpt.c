/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads a GUID partition table: UEFI 2.10 section 5.3. Both copies are read and each is good
 * only with both of its checksums. One good copy is enough, and the table says so; where both
 * are good and differ, the primary counts, as it does for every system. The sector size is the
 * one at which a copy is found.
 */
#include "volume/gpt.h"

#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"
#include "volume/parts.h"

#include <inttypes.h>
#include <string.h>

static const char signature[8] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};
static const uint32_t sector_sizes[] = {512, 4096};

#define AT(field) offsetof(struct sv_gpt_disk_header, field)

/* ---- the header ---- */

static int check_header_bytes(const uint8_t *bytes, size_t n,
	const struct sv_gpt_disk_header *raw, struct sv_err *err)
{
	uint32_t size = sv_get_le32(raw->header_size), found = sv_get_le32(raw->header_crc);
	const uint8_t zero[4] = {0};
	uint32_t crc;

	if (memcmp(raw->signature, signature, sizeof signature) != 0)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0, "no GPT header: 'EFI PART' is missing");
	if (sv_get_le32(raw->revision) >> 16 != 1)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(revision),
			"GPT revision is 0x%08" PRIx32 ", expected 0x00010000",
			sv_get_le32(raw->revision));
	if (size < sizeof *raw || size > n)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(header_size),
			"GPT header size is %" PRIu32 ", expected %zu to %zu", size,
			sizeof *raw, n);
	crc = sv_crc32(0, bytes, AT(header_crc));
	crc = sv_crc32(crc, zero, sizeof zero);
	crc = sv_crc32(crc, bytes + AT(reserved), size - AT(reserved));
	if (crc != found)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(header_crc),
			"GPT header checksum is 0x%08" PRIx32 ", expected 0x%08" PRIx32, found,
			crc);
	return 0;
}

static int check_entry_array(struct sv_gpt_header *h, uint32_t sector_size,
	uint64_t disk_sectors, struct sv_err *err)
{
	uint64_t bytes = (uint64_t)h->n_entries * h->entry_size; /* 32 bits each: no overflow */
	uint64_t sectors = sv_div_up(bytes, sector_size);

	if (h->entry_size < SV_GPT_ENTRY_MIN || !sv_is_pow2(h->entry_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(entry_size),
			"GPT entries have %" PRIu32 " bytes, expected 128, 256, 512, ...",
			h->entry_size);
	if (!bytes || bytes > SV_GPT_ENTRIES_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(n_entries),
			"GPT has %" PRIu32 " entries of %" PRIu32
			" bytes, expected 1 to %u bytes",
			h->n_entries, h->entry_size, SV_GPT_ENTRIES_MAX);
	if (h->entries_lba < 2 || !sv_in_range(h->entries_lba, sectors, disk_sectors))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(entries_lba),
			"GPT entries begin at sector %" PRIu64 ", expected 2 to %" PRIu64,
			h->entries_lba, disk_sectors - 1);
	if (h->entries_lba <= h->last_usable && h->entries_lba + sectors > h->first_usable)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(entries_lba),
			"GPT entries at sector %" PRIu64
			" lie among the usable sectors %" PRIu64 " to %" PRIu64,
			h->entries_lba, h->first_usable, h->last_usable);
	h->entries_bytes = (uint32_t)bytes;
	return 0;
}

static int check_places(
	const struct sv_gpt_header *h, uint64_t lba, uint64_t disk_sectors, struct sv_err *err)
{
	if (h->my_lba != lba)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(my_lba),
			"GPT header says that it lies at sector %" PRIu64
			", it lies at %" PRIu64,
			h->my_lba, lba);
	if (h->first_usable < 2 || h->first_usable > h->last_usable)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(first_usable),
			"GPT's first usable sector is %" PRIu64 ", expected 2 to %" PRIu64,
			h->first_usable, h->last_usable);
	if (h->last_usable >= disk_sectors)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(last_usable),
			"GPT's last usable sector is %" PRIu64 ", the disk has %" PRIu64
			" sectors",
			h->last_usable, disk_sectors);
	if (h->my_lba >= h->first_usable && h->my_lba <= h->last_usable)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(my_lba),
			"GPT header at sector %" PRIu64 " lies among the usable sectors", lba);
	return 0;
}

int sv_gpt_parse_header(const uint8_t *bytes, size_t n, uint64_t lba, uint64_t disk_sectors,
	struct sv_gpt_header *ret, struct sv_err *err)
{
	struct sv_gpt_disk_header raw;
	struct sv_gpt_header h;

	if (n < sizeof raw)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "GPT header is cut short");
	memcpy(&raw, bytes, sizeof raw);
	if (check_header_bytes(bytes, n, &raw, err) < 0)
		return -1;
	h = (struct sv_gpt_header){
		.my_lba = sv_get_le64(raw.my_lba),
		.alternate_lba = sv_get_le64(raw.alternate_lba),
		.first_usable = sv_get_le64(raw.first_usable),
		.last_usable = sv_get_le64(raw.last_usable),
		.entries_lba = sv_get_le64(raw.entries_lba),
		.header_size = sv_get_le32(raw.header_size),
		.n_entries = sv_get_le32(raw.n_entries),
		.entry_size = sv_get_le32(raw.entry_size),
		.entries_crc = sv_get_le32(raw.entries_crc),
	};
	memcpy(h.disk_guid, raw.disk_guid, sizeof h.disk_guid);
	if (check_places(&h, lba, disk_sectors, err) < 0 ||
		check_entry_array(&h, (uint32_t)n, disk_sectors, err) < 0)
		return -1;
	*ret = h;
	return 0;
}

/* ---- the entries ---- */

static size_t name_units(const struct sv_gpt_disk_entry *raw)
{
	size_t n = 0;

	while (n < SV_ARRAY_LEN(raw->name) && sv_get_le16(raw->name[n]))
		n++;
	return n;
}

static int add_entry(const struct sv_gpt_disk_entry *raw, unsigned number, uint64_t at,
	const struct sv_gpt_header *h, struct sv_table *t, struct sv_err *err)
{
	uint64_t first = sv_get_le64(raw->first), last = sv_get_le64(raw->last);
	struct sv_partition p = {.number = number, .entry = at};

	if (first > last || first < h->first_usable || last > h->last_usable)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"partition %u has sectors %" PRIu64 " to %" PRIu64
			", the usable ones are %" PRIu64 " to %" PRIu64,
			number, first, last, h->first_usable, h->last_usable);
	p.start = first * t->sector_size;
	p.size = (last - first + 1) * t->sector_size;
	p.attributes = sv_get_le64(raw->attributes);
	memcpy(p.type_guid, raw->type, sizeof p.type_guid);
	memcpy(p.guid, raw->guid, sizeof p.guid);
	p.name = sv_utf16_to_utf8(raw->name, name_units(raw), NULL);
	if (!p.name)
		return sv_fail_nomem(err);
	return sv_table_add(t, &p, err);
}

int sv_gpt_parse_entries(const uint8_t *bytes, size_t n, const struct sv_gpt_header *h,
	struct sv_table *t, struct sv_err *err)
{
	uint64_t base = h->entries_lba * t->sector_size;

	if (n < h->entries_bytes)
		return sv_fail_at(err, SV_CORRUPT, NULL, base, "GPT entries are cut short");
	for (uint32_t i = 0; i < h->n_entries; i++) {
		size_t off = (size_t)i * h->entry_size;
		struct sv_gpt_disk_entry raw;

		memcpy(&raw, bytes + off, sizeof raw);
		if (sv_is_zero(raw.type, sizeof raw.type))
			continue;
		if (add_entry(&raw, i + 1, base + off, h, t, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- a copy ---- */

void sv_gpt_copy_free(struct sv_gpt_copy *c)
{
	free(c->sector);
	free(c->entries);
	*c = (struct sv_gpt_copy){0};
}

static int load_entries(
	struct sv_dev *disk, uint32_t sector_size, struct sv_gpt_copy *c, struct sv_err *err)
{
	uint64_t at = c->header.entries_lba * sector_size;
	uint32_t crc;

	c->entries_size = sv_align_up(c->header.entries_bytes, sector_size);
	c->entries = malloc(c->entries_size);
	if (!c->entries)
		return sv_fail_nomem(err);
	if (sv_dev_read(disk, c->entries, c->entries_size, at, err) < 0)
		return -1;
	crc = sv_crc32(0, c->entries, c->header.entries_bytes);
	if (crc != c->header.entries_crc)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			c->header.my_lba * sector_size + AT(entries_crc),
			"GPT entries checksum is 0x%08" PRIx32 ", expected 0x%08" PRIx32,
			c->header.entries_crc, crc);
	return 0;
}

int sv_gpt_load(struct sv_dev *disk, uint32_t sector_size, uint64_t lba,
	struct sv_gpt_copy *ret, struct sv_err *err)
{
	sv_autogpt struct sv_gpt_copy c = {.sector = malloc(sector_size)};
	uint64_t sectors = sv_dev_size(disk) / sector_size;

	if (!c.sector)
		return sv_fail_nomem(err);
	if (lba >= sectors)
		return sv_fail(err, SV_CORRUPT, NULL,
			"GPT header should lie at sector %" PRIu64 ", the disk has %" PRIu64
			" sectors",
			lba, sectors);
	if (sv_dev_read(disk, c.sector, sector_size, lba * sector_size, err) < 0)
		return -1;
	if (sv_gpt_parse_header(c.sector, sector_size, lba, sectors, &c.header, err) < 0)
		return sv_err_shift(err, lba * sector_size);
	if (load_entries(disk, sector_size, &c, err) < 0)
		return -1;
	*ret = c;
	c = (struct sv_gpt_copy){0};
	return 0;
}

/* ---- both copies ---- */

struct pair {
	uint32_t sector_size;
	struct sv_gpt_copy primary, backup;
	struct sv_err primary_err, backup_err; /* code SV_OK: the copy is good */
};

static void pair_free(struct pair *p)
{
	sv_gpt_copy_free(&p->primary);
	sv_gpt_copy_free(&p->backup);
}

/* A copy that is bad is a finding, kept in *why; anything else that fails is an error. */
static int try_load(struct sv_dev *disk, uint32_t sector_size, uint64_t lba,
	struct sv_gpt_copy *ret, struct sv_err *why, struct sv_err *err)
{
	*why = (struct sv_err)SV_ERR_INIT;
	if (sv_gpt_load(disk, sector_size, lba, ret, why) == 0 || why->code == SV_CORRUPT)
		return 0;
	sv_err_copy(err, why);
	return -1;
}

static int load_pair(
	struct sv_dev *disk, uint32_t sector_size, struct pair *p, struct sv_err *err)
{
	uint64_t last = sv_dev_size(disk) / sector_size - 1, place = last;
	struct sv_err at_end;

	p->sector_size = sector_size;
	if (try_load(disk, sector_size, 1, &p->primary, &p->primary_err, err) < 0)
		return -1;
	if (!p->primary_err.code && p->primary.header.alternate_lba != 1)
		place = p->primary.header.alternate_lba;
	if (try_load(disk, sector_size, place, &p->backup, &p->backup_err, err) < 0)
		return -1;
	if (!p->backup_err.code || place == last)
		return 0;
	if (try_load(disk, sector_size, last, &p->backup, &at_end, err) < 0)
		return -1;
	if (!at_end.code)
		p->backup_err = at_end;
	return 0;
}

static int has_signature(struct sv_dev *disk, uint64_t off, bool *ret, struct sv_err *err)
{
	char found[sizeof signature];

	*ret = false;
	if (!sv_in_range(off, sizeof found, sv_dev_size(disk)))
		return 0;
	if (sv_dev_read(disk, found, sizeof found, off, err) < 0)
		return -1;
	*ret = memcmp(found, signature, sizeof found) == 0;
	return 0;
}

int sv_gpt_has_primary(struct sv_dev *disk, bool *ret, struct sv_err *err)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(sector_sizes); i++) {
		if (has_signature(disk, sector_sizes[i], ret, err) < 0)
			return -1;
		if (*ret)
			return 0;
	}
	return 0;
}

/* The place where a header of this sector size would be: primary or backup. */
static uint64_t header_place(struct sv_dev *disk, uint32_t sector_size, bool backup)
{
	uint64_t sectors = sv_dev_size(disk) / sector_size;

	return backup && sectors ? (sectors - 1) * sector_size : sector_size;
}

static int fail_both_bad(const struct pair *p, struct sv_err *err)
{
	sv_fail_at(err, SV_CORRUPT, NULL,
		p->primary_err.has_offset ? p->primary_err.offset : p->sector_size,
		"both copies of the GPT are bad; the primary: %.160s; the backup: %.160s",
		p->primary_err.message, p->backup_err.message);
	return sv_hint(err,
		"look at it with 'gdisk -l'; its recovery menu can rebuild one copy from the other");
}

/* Finds the pair with a good copy: sector sizes with a primary's signature come first. */
static int find_pair(struct sv_dev *disk, struct pair *ret, struct sv_err *err)
{
	bool seen = false;

	for (size_t i = 0; i < 2 * SV_ARRAY_LEN(sector_sizes); i++) {
		uint32_t size = sector_sizes[i % SV_ARRAY_LEN(sector_sizes)];
		bool backup = i >= SV_ARRAY_LEN(sector_sizes), here;

		if (has_signature(disk, header_place(disk, size, backup), &here, err) < 0)
			return -1;
		if (!here)
			continue;
		seen = true;
		pair_free(ret);
		if (load_pair(disk, size, ret, err) < 0)
			return -1;
		if (!ret->primary_err.code || !ret->backup_err.code)
			return 0;
	}
	if (seen)
		return fail_both_bad(ret, err);
	return sv_fail_at(err, SV_CORRUPT, NULL, sector_sizes[0],
		"the first sector announces a GPT, but 'EFI PART' is neither at its start nor at "
		"the disk's end");
}

static bool same_table(const struct sv_gpt_header *a, const struct sv_gpt_header *b)
{
	return a->entries_crc == b->entries_crc && a->n_entries == b->n_entries &&
	       a->entry_size == b->entry_size && a->first_usable == b->first_usable &&
	       a->last_usable == b->last_usable &&
	       memcmp(a->disk_guid, b->disk_guid, sizeof a->disk_guid) == 0;
}

static int warn_of_copies(const struct pair *p, struct sv_table *t, struct sv_err *err)
{
	if (!t->primary_ok)
		return sv_table_warn(t, err,
			"the primary GPT is damaged (%s) and the backup is used",
			p->primary_err.message);
	if (!t->backup_ok)
		return sv_table_warn(t, err,
			"the backup GPT is damaged (%s) and the primary is used",
			p->backup_err.message);
	if (!same_table(&p->primary.header, &p->backup.header))
		return sv_table_warn(
			t, err, "the two copies of the GPT differ and the primary is used");
	return 0;
}

/* What the array and the header take at the disk's end: never less than the entries need, and
 * the usual 16 KiB unless this disk keeps less. */
static uint64_t backup_area(const struct sv_gpt_header *h, bool primary, uint32_t sector_size)
{
	uint64_t end = primary ? h->alternate_lba : h->my_lba;
	uint64_t need = sv_div_up(h->entries_bytes, sector_size);
	uint64_t usual = sv_div_up(SV_GPT_RESERVED, sector_size);
	uint64_t kept = end > h->last_usable ? end - h->last_usable - 1 : usual;

	return (SV_MAX(need, SV_MIN(usual, kept)) + 1) * sector_size;
}

int sv_gpt_read(struct sv_dev *disk, struct sv_table *t, struct sv_err *err)
{
	SV_CLEANUP(pair_free) struct pair p = {0};
	const struct sv_gpt_copy *used;

	t->kind = SV_TABLE_GPT;
	if (find_pair(disk, &p, err) < 0)
		return -1;
	t->primary_ok = !p.primary_err.code;
	t->backup_ok = !p.backup_err.code;
	used = t->primary_ok ? &p.primary : &p.backup;
	t->sector_size = p.sector_size;
	memcpy(t->disk_guid, used->header.disk_guid, sizeof t->disk_guid);
	t->gpt_first_usable = used->header.first_usable * p.sector_size;
	t->gpt_last_usable = (used->header.last_usable + 1) * p.sector_size;
	t->gpt_backup_lba = t->primary_ok ? used->header.alternate_lba : used->header.my_lba;
	t->gpt_backup_area = backup_area(&used->header, t->primary_ok, p.sector_size);
	if (warn_of_copies(&p, t, err) < 0)
		return -1;
	return sv_gpt_parse_entries(used->entries, used->entries_size, &used->header, t, err);
}
