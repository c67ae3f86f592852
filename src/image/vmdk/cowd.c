/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of a COWD extent: see cowd.h. Sectors in it are 32-bit numbers. */
#include "image/vmdk/cowd.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

#define VERSION 1

struct disk_header {
	uint8_t magic[4];
	sv_le32 version;
	sv_le32 flags;
	sv_le32 capacity;
	sv_le32 grain;
	sv_le32 gd_at;
	sv_le32 gd_entries;
	sv_le32 next_free;
	uint8_t parent[1028]; /* of old hosts: today the descriptor names the parent */
	sv_le32 generation;
	uint8_t name[60];
	uint8_t description[512];
	sv_le32 saved_generation;
	uint8_t reserved[8];
	uint8_t unclean;
	uint8_t pad[399];
};
static_assert(sizeof(struct disk_header) == SV_VMDK_COWD_SIZE, "header size");
static_assert(offsetof(struct disk_header, saved_generation) == 1636, "place behind the names");

#define AT(field) offsetof(struct disk_header, field)

static int check_sizes(const struct sv_vmdk_header *h, struct sv_err *err)
{
	if (!h->capacity)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, AT(capacity), "the capacity is 0 sectors");
	if (!sv_is_pow2(h->grain) || h->grain > SV_VMDK_GRAIN_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(grain),
			"the grain size is %llu sectors, not a power of two up to %d",
			(unsigned long long)h->grain, SV_VMDK_GRAIN_MAX);
	return 0;
}

static int check_directory(const struct sv_vmdk_header *h, uint64_t entries, uint64_t file_size,
	struct sv_err *err)
{
	uint64_t tables = sv_vmdk_tables(h->capacity, h->grain);
	uint64_t needed = sv_div_up(tables, UINT64_C(1) << h->table_shift);

	if (entries < needed)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(gd_entries),
			"the grain directory has %llu entries, %llu sectors need %llu",
			(unsigned long long)entries, (unsigned long long)h->capacity,
			(unsigned long long)needed);
	if (h->gd_at && sv_in_range(h->gd_at * SV_SECTOR, needed * 4, file_size))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, AT(gd_at),
		"the grain directory is at sector %llu with %llu bytes, the file has %llu bytes",
		(unsigned long long)h->gd_at, (unsigned long long)needed * 4,
		(unsigned long long)file_size);
}

int sv_vmdk_cowd_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vmdk_header *ret, struct sv_err *err)
{
	struct disk_header d;
	struct sv_vmdk_header h;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"the file ends within the header of the extent");
	memcpy(&d, bytes, sizeof d);
	if (memcmp(d.magic, SV_VMDK_COWD_MAGIC, sizeof d.magic))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the magic of a VMFS sparse extent (COWD) is missing");
	if (sv_get_le32(d.version) != VERSION)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(version),
			"COWD version %u is not known (%d is)", sv_get_le32(d.version),
			VERSION);
	h = (struct sv_vmdk_header){
		.version = VERSION,
		.capacity = sv_get_le32(d.capacity),
		.grain = sv_get_le32(d.grain),
		.gd_at = sv_get_le32(d.gd_at),
		.table_shift = SV_VMDK_COWD_TABLE_SHIFT,
		.used = sv_get_le32(d.next_free),
		.unclean = d.unclean != 0,
	};
	if (check_sizes(&h, err) < 0 ||
		check_directory(&h, sv_get_le32(d.gd_entries), file_size, err) < 0)
		return -1;
	h.overhead = h.gd_at + sv_div_up(sv_get_le32(d.gd_entries) * UINT64_C(4), SV_SECTOR);
	*ret = h;
	return 0;
}
