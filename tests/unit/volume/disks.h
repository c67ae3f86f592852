/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disks with partition tables built byte by byte in memory. */
#ifndef SV_TESTS_VOLUME_DISKS_H
#define SV_TESTS_VOLUME_DISKS_H

#include "unit.h"

#include "base/hash.h"
#include "base/num.h"
#include "volume/gpt.h"
#include "volume/mbr.h"
#include "volume/table.h"

#define ENTRY(slot) (446 + 16 * (slot))

static inline struct sv_dev *disk_new(uint64_t sectors)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = sv_sparse_open(sectors * 512, 8 << 20, "disk", &err);

	assert_non_null(d);
	return d;
}

static inline void disk_write(struct sv_dev *d, uint64_t at, const void *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_dev_write(d, bytes, n, at, &err));
}

static inline void disk_read(struct sv_dev *d, uint64_t at, void *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_dev_read(d, bytes, n, at, &err));
}

/* An entry of the boot record at `sector`, which gets its 55 AA. */
static inline void put_entry(struct sv_dev *d, uint64_t sector, unsigned slot, uint8_t type,
	uint32_t start, uint32_t count)
{
	struct sv_mbr_disk_entry e = {
		.type = type, .start = sv_put_le32(start), .count = sv_put_le32(count)};

	disk_write(d, sector * 512 + ENTRY(slot), &e, sizeof e);
	disk_write(d, sector * 512 + 510, "\x55\xAA", 2);
}

struct gpt_part {
	unsigned slot;
	uint64_t first, last;
	uint8_t type; /* fills the type GUID */
};

struct gpt_disk {
	uint32_t sector_size, entry_size, n_entries;
	uint64_t first_usable, last_usable; /* 0: the usual */
	struct gpt_part parts[8];           /* up to the first of type 0 */
};

static inline void seal_header(struct sv_dev *d, const struct gpt_disk *g, uint64_t lba)
{
	sv_autofree uint8_t *entries = NULL;
	struct sv_gpt_disk_header h;
	size_t n;

	disk_read(d, lba * g->sector_size, &h, sizeof h);
	n = (size_t)sv_get_le32(h.n_entries) * sv_get_le32(h.entry_size);
	entries = malloc(n);
	assert_non_null(entries);
	disk_read(d, sv_get_le64(h.entries_lba) * g->sector_size, entries, n);
	h.entries_crc = sv_put_le32(sv_crc32(0, entries, n));
	h.header_crc = sv_put_le32(0);
	h.header_crc = sv_put_le32(sv_crc32(0, &h, sizeof h));
	disk_write(d, lba * g->sector_size, &h, sizeof h);
}

static inline void put_gpt_copy(struct sv_dev *d, const struct gpt_disk *g, uint64_t lba,
	uint64_t other, uint64_t entries)
{
	uint64_t last = sv_dev_size(d) / g->sector_size - 1;
	uint64_t array = sv_div_up((uint64_t)g->n_entries * g->entry_size, g->sector_size);
	struct sv_gpt_disk_header h = {
		.signature = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'},
		.revision = sv_put_le32(0x00010000),
		.header_size = sv_put_le32(92),
		.my_lba = sv_put_le64(lba),
		.alternate_lba = sv_put_le64(other),
		.first_usable = sv_put_le64(g->first_usable ? g->first_usable : 2 + array),
		.last_usable = sv_put_le64(g->last_usable ? g->last_usable : last - array - 1),
		.entries_lba = sv_put_le64(entries),
		.n_entries = sv_put_le32(g->n_entries),
		.entry_size = sv_put_le32(g->entry_size),
	};

	memset(h.disk_guid, 0xD1, sizeof h.disk_guid);
	disk_write(d, lba * g->sector_size, &h, sizeof h);
	for (const struct gpt_part *p = g->parts; p->type; p++) {
		struct sv_gpt_disk_entry e = {.first = sv_put_le64(p->first),
			.last = sv_put_le64(p->last),
			.attributes = sv_put_le64(0x8000000000000001),
			.name = {sv_put_le16('C'), sv_put_le16(0x20AC)}};

		memset(e.type, p->type, sizeof e.type);
		memset(e.guid, p->type + 1, sizeof e.guid);
		disk_write(d, entries * g->sector_size + (uint64_t)p->slot * g->entry_size, &e,
			sizeof e);
	}
	seal_header(d, g, lba);
}

/* Zero fields of *g get the usual values. */
static inline void put_gpt(struct sv_dev *d, struct gpt_disk *g)
{
	uint64_t array, last;

	g->sector_size = g->sector_size ? g->sector_size : 512;
	g->entry_size = g->entry_size ? g->entry_size : 128;
	g->n_entries = g->n_entries ? g->n_entries : 128;
	array = sv_div_up((uint64_t)g->n_entries * g->entry_size, g->sector_size);
	last = sv_dev_size(d) / g->sector_size - 1;
	put_entry(d, 0, 0, 0xEE, 1, (uint32_t)last);
	put_gpt_copy(d, g, 1, last, 2);
	put_gpt_copy(d, g, last, 1, last - array);
}

#endif
