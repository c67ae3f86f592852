/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Boot sectors of the FAT family. Every field that a place is computed from is checked. */
#include "fs/fat/boot.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define FAT12_CLUSTERS 4085 /* fewer are FAT12, by the specification */
#define FAT16_CLUSTERS 65525

static int bad(struct sv_err *err, uint64_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "the boot sector says %s %llu", what,
		(unsigned long long)found);
}

/* ---- FAT12, FAT16, FAT32 ---- */

static int parse_sizes(const uint8_t *b, struct sv_fat_boot *ret, struct sv_err *err)
{
	uint32_t per_cluster = b[13];

	ret->sector = sv_load_le16(b + 11);
	if (!sv_is_pow2(ret->sector) || ret->sector < 512 || ret->sector > 4096)
		return bad(err, 11, "bytes per sector:", ret->sector);
	if (!sv_is_pow2(per_cluster))
		return bad(err, 13, "sectors per cluster:", per_cluster);
	ret->cluster = ret->sector * per_cluster;
	return 0;
}

static uint64_t either(const uint8_t *b, size_t small, size_t large)
{
	uint16_t n = sv_load_le16(b + small);

	return n ? n : sv_load_le32(b + large);
}

/* The areas, in sectors, from which every place follows. */
struct areas {
	uint64_t reserved, fats, per_fat, root, sectors;
};

static int check_areas(const struct areas *a, struct sv_err *err)
{
	if (!a->reserved)
		return bad(err, 14, "reserved sectors:", a->reserved);
	if (!a->fats || a->fats > 4)
		return bad(err, 16, "copies of the FAT:", a->fats);
	if (!a->per_fat)
		return bad(err, 22, "sectors of a FAT:", a->per_fat);
	if (a->reserved + a->fats * a->per_fat + a->root >= a->sectors)
		return bad(
			err, 32, "sectors in all, fewer than before the clusters:", a->sectors);
	return 0;
}

static void take_label(const uint8_t *from, struct sv_fat_boot *ret)
{
	size_t n = 11;

	memcpy(ret->label, from, n);
	while (n && (ret->label[n - 1] == ' ' || !ret->label[n - 1]))
		n--;
	ret->label[n] = '\0';
	if (!strcmp(ret->label, "NO NAME"))
		ret->label[0] = '\0';
}

/* FAT32 has its own fields behind the common ones, and may use one copy only. */
static int take_fat32(
	const uint8_t *b, const struct areas *a, struct sv_fat_boot *ret, struct sv_err *err)
{
	uint16_t flags = sv_load_le16(b + 40), info = sv_load_le16(b + 48);

	ret->root = sv_load_le32(b + 44);
	ret->dirty = b[65] & 1;
	if (flags & 0x80) {
		if ((flags & 15u) >= a->fats)
			return bad(err, 40, "the copy of the FAT in use:", flags & 15u);
		ret->fat += (flags & 15u) * ret->fat_size;
	}
	if (info && info < a->reserved)
		ret->fsinfo = info * (uint64_t)ret->sector;
	if (b[66] == 0x28 || b[66] == 0x29)
		ret->serial = sv_load_le32(b + 67);
	if (b[66] == 0x29)
		take_label(b + 71, ret);
	return 0;
}

static void take_fat16(const uint8_t *b, struct sv_fat_boot *ret)
{
	ret->dirty = b[37] & 1;
	if (b[38] == 0x28 || b[38] == 0x29)
		ret->serial = sv_load_le32(b + 39);
	if (b[38] == 0x29)
		take_label(b + 43, ret);
}

static int parse_fat(const uint8_t *b, struct sv_fat_boot *ret, struct sv_err *err)
{
	struct areas a = {.reserved = sv_load_le16(b + 14), .fats = b[16]};
	uint64_t clusters, entries;

	if (parse_sizes(b, ret, err) < 0)
		return -1;
	a.per_fat = either(b, 22, 36);
	a.sectors = either(b, 19, 32);
	a.root = sv_div_up(sv_load_le16(b + 17) * UINT64_C(32), ret->sector);
	if (check_areas(&a, err) < 0)
		return -1;
	ret->size = a.sectors * ret->sector;
	ret->fat = a.reserved * ret->sector;
	ret->fat_size = a.per_fat * ret->sector;
	ret->root_at = (a.reserved + a.fats * a.per_fat) * ret->sector;
	ret->root_size = sv_load_le16(b + 17) * UINT64_C(32);
	ret->heap = ret->root_at + a.root * ret->sector;
	clusters = (ret->size - ret->heap) / ret->cluster;
	/* a FAT32 has no field for small FATs, whatever its number of clusters */
	ret->kind = !sv_load_le16(b + 22)       ? SV_FAT32
		    : clusters < FAT12_CLUSTERS ? SV_FAT12
						: SV_FAT16;
	entries = ret->fat_size * 8 / (unsigned)ret->kind;
	if (entries < 3)
		return bad(err, 22, "a FAT that holds no cluster, entries:", entries);
	clusters = SV_MIN(clusters, entries - 2);
	ret->clusters = (uint32_t)SV_MIN(clusters, UINT64_C(0x0ffffff5));
	ret->percent = 255;
	if (ret->kind == SV_FAT32)
		return take_fat32(b, &a, ret, err);
	take_fat16(b, ret);
	return 0;
}

/* ---- exFAT ---- */

static int parse_exfat(const uint8_t *b, struct sv_fat_boot *ret, struct sv_err *err)
{
	uint32_t fat = sv_load_le32(b + 80), fat_size = sv_load_le32(b + 84);
	uint32_t heap = sv_load_le32(b + 88), clusters = sv_load_le32(b + 92);
	uint64_t sectors = sv_load_le64(b + 72);
	uint16_t flags = sv_load_le16(b + 106);

	if (b[108] < 9 || b[108] > 12)
		return bad(err, 108, "bytes per sector: 2 to the power of", b[108]);
	if (b[109] > 25 - b[108])
		return bad(err, 109, "sectors per cluster: 2 to the power of", b[109]);
	ret->kind = SV_EXFAT;
	ret->sector = 1u << b[108];
	ret->cluster = ret->sector << b[109];
	if (sectors > INT64_MAX / ret->sector)
		return bad(err, 72, "sectors in all:", sectors);
	if (b[110] != 1 && b[110] != 2)
		return bad(err, 110, "copies of the FAT:", b[110]);
	if (fat < 24 || !fat_size || heap < fat + (uint64_t)fat_size * b[110])
		return bad(err, 88, "that the clusters begin inside the FAT, at sector", heap);
	ret->size = sectors * ret->sector;
	ret->fat_size = (uint64_t)fat_size * ret->sector;
	ret->fat = (uint64_t)fat * ret->sector + (flags & 1 && b[110] == 2 ? ret->fat_size : 0);
	ret->heap = (uint64_t)heap * ret->sector;
	if (heap >= sectors || clusters > (ret->size - ret->heap) / ret->cluster ||
		clusters > 0xfffffff5 || ret->fat_size / 4 < UINT64_C(2) + clusters)
		return bad(err, 92, "more clusters than there is room for:", clusters);
	ret->clusters = clusters;
	ret->root = sv_load_le32(b + 96);
	ret->serial = sv_load_le32(b + 100);
	ret->dirty = flags & 2;
	ret->percent = b[112];
	return 0;
}

int sv_fat_parse_boot(
	const uint8_t *bytes, size_t n, struct sv_fat_boot *ret, struct sv_err *err)
{
	*ret = (struct sv_fat_boot){0};
	if (n < SV_FAT_BOOT_SIZE)
		return sv_fail(err, SV_CORRUPT, NULL, "a boot sector of %zu bytes", n);
	if (sv_load_le16(bytes + 510) != 0xaa55)
		return bad(err, 510, "at its end", sv_load_le16(bytes + 510));
	if (!memcmp(bytes + 3, "EXFAT   ", 8))
		return parse_exfat(bytes, ret, err);
	return parse_fat(bytes, ret, err);
}
