/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Apple's partition map: block 0 is a driver descriptor that tells the block's size, and from
 * block 1 on each block is an entry, the first of which tells how many there are. Big-endian;
 * an entry counts in blocks. Source: Inside Macintosh: Devices, "The Structure of Partitioned
 * Devices". The map is read, never edited.
 */
#include "volume/labels.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"
#include "volume/parts.h"

#include <assert.h>
#include <string.h>

#define ENTRIES_MAX 256

struct disk_descriptor {
	char magic[2]; /* "ER" */
	sv_be16 block_size;
	sv_be32 blocks;
};
static_assert(sizeof(struct disk_descriptor) == 8, "driver descriptor");

struct disk_entry {
	char magic[2]; /* "PM" */
	uint8_t reserved[2];
	sv_be32 entries; /* in the map, this one among them */
	sv_be32 start, count;
	char name[32], type[32];
};
static_assert(sizeof(struct disk_entry) == 80, "an entry of a partition map");

static const char *const type_names[] = {
	"Apple partition",
	"Apple_HFS",
	"Apple_HFSX",
	"Apple_APFS",
	"Apple_UFS",
	"Apple_UNIX_SVR2",
	"Apple_Boot",
	"Apple_Bootstrap",
	"Apple_partition_map",
	"Apple_Driver",
	"Apple_Driver43",
	"Apple_Driver_ATA",
	"Apple_Driver_ATAPI",
	"Apple_Patches",
	"Apple_MFS",
	"Apple_PRODOS",
	"Apple_Swap",
};

const char *sv_apm_type_name(uint8_t type)
{
	return type_names[type < SV_ARRAY_LEN(type_names) ? type : 0];
}

static uint8_t type_of(const char type[32])
{
	for (uint8_t i = 1; i < SV_ARRAY_LEN(type_names); i++) {
		if (!strncasecmp(type, type_names[i], 32))
			return i;
	}
	return 0;
}

static bool is_free(const char type[32])
{
	return !strncasecmp(type, "Apple_Free", 32) || !strncasecmp(type, "Apple_Void", 32) ||
	       !strncasecmp(type, "Apple_Scratch", 32);
}

/* Names are Mac Roman; what is not ASCII is shown as '?'. */
static char *name_of(const char name[32])
{
	char *text = strndup(name, 32);

	for (char *p = text; p && *p; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
			*p = '?';
	}
	return text;
}

int sv_apm_parse_entry(const uint8_t *bytes, size_t n, struct sv_apm_entry *ret)
{
	struct disk_entry d;

	if (n < sizeof d || memcmp(bytes, "PM", 2) != 0)
		return -1;
	memcpy(&d, bytes, sizeof d);
	*ret = (struct sv_apm_entry){.entries = sv_get_be32(d.entries),
		.start = sv_get_be32(d.start),
		.count = sv_get_be32(d.count),
		.type = type_of(d.type),
		.free = is_free(d.type)};
	memcpy(ret->name, d.name, sizeof d.name);
	return 0;
}

static int add_entry(struct sv_dev *disk, struct sv_table *t, const struct sv_apm_entry *e,
	unsigned number, uint64_t at, struct sv_err *err)
{
	struct sv_partition p = {.number = number,
		.start = (uint64_t)e->start * t->sector_size,
		.size = (uint64_t)e->count * t->sector_size,
		.mbr_type = e->type,
		.entry = at};

	if (e->free || !e->count)
		return 0;
	if (!sv_in_range(p.start, p.size, sv_dev_size(disk)))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"partition %u ends at byte %llu, the disk has %llu", number,
			(unsigned long long)(p.start + p.size),
			(unsigned long long)sv_dev_size(disk));
	p.name = name_of(e->name);
	if (!p.name)
		return sv_fail_nomem(err);
	return sv_table_add(t, &p, err);
}

static int read_entry(struct sv_dev *disk, uint64_t at, struct sv_apm_entry *ret,
	bool *ret_there, struct sv_err *err)
{
	uint8_t bytes[SV_SECTOR];

	*ret_there = false;
	if (!sv_in_range(at, sizeof bytes, sv_dev_size(disk)))
		return 0;
	if (sv_dev_read(disk, bytes, sizeof bytes, at, err) < 0)
		return -1;
	*ret_there = sv_apm_parse_entry(bytes, sizeof bytes, ret) == 0;
	return 0;
}

/* A map counts in the descriptor's blocks, or in 512 bytes where the second entry lies there:
 * what is made for compact discs says 2048 and has both. */
static int find_block(struct sv_dev *disk, const uint8_t *sector, uint32_t *ret,
	bool *ret_there, struct sv_err *err)
{
	uint32_t said = sv_load_be16(sector + offsetof(struct disk_descriptor, block_size));
	struct sv_apm_entry e;

	*ret = SV_SECTOR;
	if (read_entry(disk, SV_SECTOR, &e, ret_there, err) < 0 || *ret_there)
		return *ret_there ? 0 : -1;
	if (said <= SV_SECTOR || said > 4096 || !sv_is_pow2(said))
		return 0;
	*ret = said;
	return read_entry(disk, said, &e, ret_there, err);
}

int sv_apm_read(struct sv_dev *disk, const uint8_t sector[512], struct sv_table *t,
	bool *ret_found, struct sv_err *err)
{
	struct sv_apm_entry e;
	uint32_t n = 1;

	*ret_found = false;
	if (memcmp(sector, "ER", 2) != 0)
		return 0;
	if (find_block(disk, sector, &t->sector_size, ret_found, err) < 0)
		return -1;
	if (!*ret_found)
		return 0;
	t->kind = SV_TABLE_APM;
	for (uint32_t i = 1; i <= n; i++) {
		uint64_t at = (uint64_t)i * t->sector_size;
		bool there;

		if (read_entry(disk, at, &e, &there, err) < 0)
			return -1;
		if (!there || e.entries > ENTRIES_MAX)
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				there ? "the partition map says more than %d entries"
				      : "an entry of the partition map is missing; at most %d "
					"can be",
				ENTRIES_MAX);
		n = i == 1 ? e.entries : n;
		if (add_entry(disk, t, &e, i, at, err) < 0)
			return -1;
	}
	return 0;
}
