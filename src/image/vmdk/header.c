/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header of a hosted sparse extent: see vmdk_header.h. Fields are little-endian and packed
 * without gaps, as "SparseExtentHeader" of the specification lists them.
 */
#include "image/vmdk/header.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

#define CAPACITY_MAX (UINT64_C(1) << 53)
#define ZLIB         1 /* the one compression method there is */

struct disk_header {
	uint8_t magic[4];
	sv_le32 version;
	sv_le32 flags;
	sv_le64 capacity;
	sv_le64 grain;
	sv_le64 desc_at;
	sv_le64 desc_sectors;
	sv_le32 gtes;
	sv_le64 rgd_at;
	sv_le64 gd_at;
	sv_le64 overhead;
	uint8_t unclean;
	uint8_t newlines[4];
	sv_le16 compression;
	uint8_t pad[433];
};
static_assert(sizeof(struct disk_header) == SV_VMDK_HEADER_SIZE, "header size");
static_assert(offsetof(struct disk_header, unclean) == SV_VMDK_UNCLEAN_AT, "flag's place");

#define AT(field) offsetof(struct disk_header, field)

/* A copy through a text-mode file transfer changes one of these. */
static const uint8_t newlines[4] = {'\n', ' ', '\r', '\n'};

static int check_packing(const struct disk_header *d, struct sv_err *err)
{
	uint32_t flags = sv_get_le32(d->flags), method = sv_get_le16(d->compression);
	bool packed = flags & SV_VMDK_FLAG_COMPRESS, markers = flags & SV_VMDK_FLAG_MARKERS;

	if (method != (packed ? ZLIB : 0))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(compression),
			"compression method %u of %s grains is not known (expected %u)", method,
			packed ? "compressed" : "plain", packed ? ZLIB : 0);
	if (markers && !packed)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(flags),
			"flags %#x: markers of grains that are not compressed are not known",
			flags);
	if (sv_get_le64(d->gd_at) == SV_VMDK_GD_AT_END && !markers)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(gd_at),
			"the grain directory is at the end of the file, but no marker tells "
			"where");
	return 0;
}

static int check_kind(const struct disk_header *d, struct sv_err *err)
{
	uint32_t version = sv_get_le32(d->version), flags = sv_get_le32(d->flags);

	if (memcmp(d->magic, SV_VMDK_MAGIC, 4))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the magic of a sparse VMDK extent (KDMV) is missing");
	if (version < 1 || version > 3)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(version),
			"extent version %u is not known (1 to 3 are)", version);
	if ((flags & SV_VMDK_FLAG_NEWLINES) && memcmp(d->newlines, newlines, 4)) {
		sv_fail_at(err, SV_CORRUPT, NULL, AT(newlines),
			"the newline bytes are %02x %02x %02x %02x, not 0a 20 0d 0a",
			d->newlines[0], d->newlines[1], d->newlines[2], d->newlines[3]);
		return sv_hint(err, "the file was damaged by a transfer in text mode; "
				    "copy it again in binary mode");
	}
	return check_packing(d, err);
}

static int check_sizes(const struct sv_vmdk_header *h, uint32_t gtes, struct sv_err *err)
{
	if (!h->capacity || h->capacity > CAPACITY_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(capacity),
			"the capacity is %llu sectors (1 to %llu are possible)",
			(unsigned long long)h->capacity, (unsigned long long)CAPACITY_MAX);
	if (!sv_is_pow2(h->grain) || h->grain < SV_VMDK_GRAIN_MIN ||
		h->grain > SV_VMDK_GRAIN_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(grain),
			"the grain size is %llu sectors, not a power of two from %d to %d",
			(unsigned long long)h->grain, SV_VMDK_GRAIN_MIN, SV_VMDK_GRAIN_MAX);
	if (gtes != SV_VMDK_GTES)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(gtes),
			"a grain table has %u entries, expected %d", gtes, SV_VMDK_GTES);
	if (sv_vmdk_tables(h->capacity, h->grain) > SV_VMDK_GD_MAX)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(capacity),
			"the grain directory has %llu entries, the largest allowed is %u",
			(unsigned long long)sv_vmdk_tables(h->capacity, h->grain),
			SV_VMDK_GD_MAX);
	return 0;
}

static int check_place(uint64_t sector, uint64_t n_bytes, uint64_t file_size, size_t field,
	const char *what, struct sv_err *err)
{
	uint64_t at;

	if (sector && sv_mul(sector, SV_SECTOR, &at) && sv_in_range(at, n_bytes, file_size))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, field,
		"%s is at sector %llu with %llu bytes, the file has %llu bytes", what,
		(unsigned long long)sector, (unsigned long long)n_bytes,
		(unsigned long long)file_size);
}

static int check_places(const struct sv_vmdk_header *h, uint64_t file_size, struct sv_err *err)
{
	uint64_t directory = sv_vmdk_tables(h->capacity, h->grain) * 4;
	uint64_t desc_bytes;

	if (h->gd_at != SV_VMDK_GD_AT_END && check_place(h->gd_at, directory, file_size,
						     AT(gd_at), "the grain directory", err) < 0)
		return -1;
	if (h->rgd_at && check_place(h->rgd_at, directory, file_size, AT(rgd_at),
				 "the redundant grain directory", err) < 0)
		return -1;
	if (!h->desc_at || !h->desc_sectors)
		return 0;
	if (!sv_mul(h->desc_sectors, SV_SECTOR, &desc_bytes))
		desc_bytes = UINT64_MAX;
	return check_place(
		h->desc_at, desc_bytes, file_size, AT(desc_at), "the embedded descriptor", err);
}

int sv_vmdk_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vmdk_header *ret, struct sv_err *err)
{
	struct disk_header d;
	struct sv_vmdk_header h;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"the file ends within the header of the extent");
	memcpy(&d, bytes, sizeof d);
	if (check_kind(&d, err) < 0)
		return -1;
	h = (struct sv_vmdk_header){
		.version = sv_get_le32(d.version),
		.flags = sv_get_le32(d.flags),
		.capacity = sv_get_le64(d.capacity),
		.grain = sv_get_le64(d.grain),
		.desc_at = sv_get_le64(d.desc_at),
		.desc_sectors = sv_get_le64(d.desc_sectors),
		.gd_at = sv_get_le64(d.gd_at),
		.overhead = sv_get_le64(d.overhead),
		.unclean = d.unclean != 0,
	};
	if ((h.flags & SV_VMDK_FLAG_REDUNDANT) && h.gd_at != SV_VMDK_GD_AT_END)
		h.rgd_at = sv_get_le64(d.rgd_at);
	if (check_sizes(&h, sv_get_le32(d.gtes), err) < 0 ||
		check_places(&h, file_size, err) < 0)
		return -1;
	*ret = h;
	return 0;
}

void sv_vmdk_header_print(const struct sv_vmdk_header *h, uint8_t ret[SV_VMDK_HEADER_SIZE])
{
	bool packed = sv_vmdk_is_packed(h);
	struct disk_header d = {
		.version = sv_put_le32(h->version),
		.flags = sv_put_le32(h->flags),
		.capacity = sv_put_le64(h->capacity),
		.grain = sv_put_le64(h->grain),
		.desc_at = sv_put_le64(h->desc_at),
		.desc_sectors = sv_put_le64(h->desc_sectors),
		.gtes = sv_put_le32(SV_VMDK_GTES),
		.rgd_at = sv_put_le64(h->rgd_at),
		.gd_at = sv_put_le64(h->gd_at),
		.overhead = sv_put_le64(h->overhead),
		.unclean = h->unclean,
		.compression = sv_put_le16(packed ? ZLIB : 0),
	};

	memcpy(d.magic, SV_VMDK_MAGIC, sizeof d.magic);
	memcpy(d.newlines, newlines, sizeof d.newlines);
	memcpy(ret, &d, sizeof d);
}

uint64_t sv_vmdk_tables(uint64_t capacity, uint64_t grain)
{
	return sv_div_up(capacity, grain * SV_VMDK_GTES);
}

uint64_t sv_vmdk_directory_sectors(uint64_t tables)
{
	return sv_div_up(tables * 4, SV_SECTOR);
}

void sv_vmdk_header_plan(uint64_t capacity, uint64_t desc_sectors, struct sv_vmdk_header *ret)
{
	uint64_t tables = sv_vmdk_tables(capacity, SV_VMDK_GRAIN);
	uint64_t copy = sv_vmdk_directory_sectors(tables) + tables * SV_VMDK_GT_SECTORS;

	*ret = (struct sv_vmdk_header){
		.version = 1,
		.flags = SV_VMDK_FLAG_NEWLINES | SV_VMDK_FLAG_REDUNDANT,
		.capacity = capacity,
		.grain = SV_VMDK_GRAIN,
		.desc_at = desc_sectors ? SV_VMDK_DESC_SECTOR : 0,
		.desc_sectors = desc_sectors,
		.rgd_at = 1 + desc_sectors,
		.gd_at = 1 + desc_sectors + copy,
		.overhead = sv_align_up(1 + desc_sectors + 2 * copy, SV_VMDK_GRAIN),
	};
}
