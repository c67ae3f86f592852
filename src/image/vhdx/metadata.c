/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metadata table and items of VHDX: see metadata.h. */
#include "image/vhdx/metadata.h"

#include <string.h>

enum { FLAG_USER = 1, FLAG_DISK = 2, FLAG_REQUIRED = 4 };

struct known {
	const char *name;
	uint32_t length, flags; /* length 0: any */
	struct sv_vhdx_guid id;
};

static const struct known known[SV_VHDX_ITEM_KINDS] = {
	[SV_VHDX_ITEM_FILE] = {"file parameters", 8, FLAG_REQUIRED,
		{{0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa,
			0x44, 0xe7, 0x6b}}},
	[SV_VHDX_ITEM_SIZE] = {"virtual disk size", 8, FLAG_REQUIRED | FLAG_DISK,
		{{0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8,
			0x3b, 0xf4, 0xb8}}},
	[SV_VHDX_ITEM_DISK_ID] = {"virtual disk id", 16, FLAG_REQUIRED | FLAG_DISK,
		{{0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45, 0x93, 0xef, 0xc3, 0x09, 0xe0,
			0x00, 0xc7, 0x46}}},
	[SV_VHDX_ITEM_SECTOR] = {"logical sector size", 4, FLAG_REQUIRED | FLAG_DISK,
		{{0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47, 0xba, 0x47, 0xf2, 0x33, 0xa8,
			0xfa, 0xab, 0x5f}}},
	[SV_VHDX_ITEM_PHYSICAL_SECTOR] = {"physical sector size", 4, FLAG_REQUIRED | FLAG_DISK,
		{{0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44, 0x9c, 0xc9, 0xe9, 0x88, 0x52,
			0x51, 0xc5, 0x56}}},
	[SV_VHDX_ITEM_PARENT] = {"parent locator", 0, FLAG_REQUIRED,
		{{0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab, 0xf7, 0xd3, 0xd8, 0x48,
			0x34, 0xab, 0x0c}}},
};

/* ---- table ---- */

static size_t item_at(size_t index)
{
	return sizeof(struct sv_vhdx_disk_items) + index * sizeof(struct sv_vhdx_disk_item);
}

static size_t find_kind(const struct sv_vhdx_disk_item *d)
{
	size_t kind = 0;

	while (kind < SV_VHDX_ITEM_KINDS && !sv_vhdx_guid_equal(&d->id, &known[kind].id))
		kind++;
	return sv_get_le32(d->flags) & FLAG_USER ? SV_VHDX_ITEM_KINDS : kind;
}

/* Items lie behind the table, within the region; an empty one lies nowhere. */
static int check_place(
	const struct sv_vhdx_item *item, size_t index, uint64_t region, struct sv_err *err)
{
	if (item->length ? item->at >= SV_VHDX_ITEMS_AT && item->length <= SV_VHDX_ITEM_MAX &&
				   sv_in_range(item->at, item->length, region)
			 : item->at == 0)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, item_at(index) + 16,
		"metadata item %zu is said to be %u bytes at byte %u of a region of %llu",
		index, item->length, item->at, (unsigned long long)region);
}

static int add_item(struct sv_vhdx_items *ret, const struct sv_vhdx_disk_item *d, size_t index,
	const struct sv_vhdx_item *item, struct sv_err *err)
{
	size_t kind = find_kind(d);
	char id[SV_VHDX_GUID_TEXT];

	if (kind == SV_VHDX_ITEM_KINDS) {
		ret->n_others++;
		if (!(sv_get_le32(d->flags) & FLAG_REQUIRED))
			return 0;
		sv_vhdx_guid_text(&d->id, id);
		sv_fail_at(err, SV_UNSUPPORTED, NULL, item_at(index),
			"metadata item %s is required and unknown", id);
		return sv_hint(err, "the disk needs the program that made it");
	}
	if (ret->known[kind].length)
		return sv_fail_at(err, SV_CORRUPT, NULL, item_at(index),
			"the %s is there twice", known[kind].name);
	if (known[kind].length && item->length != known[kind].length)
		return sv_fail_at(err, SV_CORRUPT, NULL, item_at(index) + 20,
			"the %s has %u bytes, %u are expected", known[kind].name, item->length,
			known[kind].length);
	ret->known[kind] = *item;
	return 0;
}

static struct sv_vhdx_item load_item(const struct sv_vhdx_disk_item *d)
{
	return (struct sv_vhdx_item){sv_get_le32(d->at), sv_get_le32(d->length)};
}

static int check_apart(
	const uint8_t *table, size_t index, const struct sv_vhdx_item *item, struct sv_err *err)
{
	for (size_t i = 0; i < index; i++) {
		struct sv_vhdx_disk_item d;
		struct sv_vhdx_item other;

		memcpy(&d, table + item_at(i), sizeof d);
		other = load_item(&d);
		if (sv_overlaps(item->at, item->length, other.at, other.length))
			return sv_fail_at(err, SV_CORRUPT, NULL, item_at(index) + 16,
				"metadata items %zu and %zu share bytes from %u on", i, index,
				item->at);
	}
	return 0;
}

int sv_vhdx_items_parse(const void *bytes, size_t n, uint64_t region, struct sv_vhdx_items *ret,
	struct sv_err *err)
{
	struct sv_vhdx_disk_items head;
	unsigned count;

	if (n < SV_VHDX_TABLE_SIZE)
		return sv_fail_at(err, SV_CORRUPT, NULL, n, "the metadata table is cut short");
	memcpy(&head, bytes, sizeof head);
	if (memcmp(head.signature, "metadata", sizeof head.signature) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the metadata table does not begin with \"metadata\"");
	count = sv_get_le16(head.n_entries);
	if (count > SV_VHDX_ENTRIES_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 10,
			"the metadata table has %u entries, the largest number is %d", count,
			SV_VHDX_ENTRIES_MAX);
	*ret = (struct sv_vhdx_items){0};
	for (size_t i = 0; i < count; i++) {
		struct sv_vhdx_disk_item d;
		struct sv_vhdx_item item;

		memcpy(&d, (const uint8_t *)bytes + item_at(i), sizeof d);
		item = load_item(&d);
		if (check_place(&item, i, region, err) < 0 ||
			check_apart(bytes, i, &item, err) < 0 ||
			add_item(ret, &d, i, &item, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- items ---- */

static int check_block(uint32_t block, struct sv_err *err)
{
	if (sv_is_pow2(block) && block >= SV_VHDX_BLOCK_MIN && block <= SV_VHDX_BLOCK_MAX)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"blocks of %u bytes: a power of two from 1 MiB to 256 MiB is expected", block);
}

static int check_sector(uint32_t sector, struct sv_err *err)
{
	if (sector == 512 || sector == 4096)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"sectors of %u bytes: 512 or 4096 is expected", sector);
}

static int check_size(uint64_t size, struct sv_err *err)
{
	if (size && size <= SV_VHDX_SIZE_MAX)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"the disk is said to have %llu bytes, a VHDX has at most 64 TiB",
		(unsigned long long)size);
}

int sv_vhdx_item_parse(enum sv_vhdx_item_kind kind, const void *bytes, size_t n,
	struct sv_vhdx_params *ret, struct sv_err *err)
{
	uint32_t first;

	if (n < known[kind].length)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, n, "the %s is cut short", known[kind].name);
	first = sv_load_le32(bytes);
	switch (kind) {
	case SV_VHDX_ITEM_FILE:
		ret->block = first;
		ret->leave_allocated = sv_load_le32((const uint8_t *)bytes + 4) & 1;
		ret->has_parent = sv_load_le32((const uint8_t *)bytes + 4) & 2;
		return check_block(first, err);
	case SV_VHDX_ITEM_SIZE:
		ret->size = sv_load_le64(bytes);
		return check_size(ret->size, err);
	case SV_VHDX_ITEM_DISK_ID:
		memcpy(&ret->disk_id, bytes, sizeof ret->disk_id);
		return 0;
	case SV_VHDX_ITEM_SECTOR:
		ret->sector = first;
		return check_sector(first, err);
	default:
		ret->physical_sector = first;
		return check_sector(first, err);
	}
}

int sv_vhdx_params_check(const struct sv_vhdx_params *p, struct sv_err *err)
{
	const char *missing = !p->block    ? known[SV_VHDX_ITEM_FILE].name
			      : !p->size   ? known[SV_VHDX_ITEM_SIZE].name
			      : !p->sector ? known[SV_VHDX_ITEM_SECTOR].name
					   : NULL;

	if (missing)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0, "the metadata lack the %s", missing);
	if (p->size % p->sector == 0)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"the disk is said to have %llu bytes, which is no whole number of sectors of "
		"%u",
		(unsigned long long)p->size, p->sector);
}

static void add_known(
	uint8_t *ret, enum sv_vhdx_item_kind kind, const void *bytes, size_t n, uint32_t *at)
{
	unsigned count = sv_load_le16(ret + 10);
	struct sv_vhdx_disk_item d = {.id = known[kind].id,
		.at = sv_put_le32(*at),
		.length = sv_put_le32((uint32_t)n),
		.flags = sv_put_le32(known[kind].flags)};

	memcpy(ret + item_at(count), &d, sizeof d);
	sv_store_le16(ret + 10, (uint16_t)(count + 1));
	memcpy(ret + *at, bytes, n);
	*at += (uint32_t)n;
}

void sv_vhdx_items_print(
	const struct sv_vhdx_params *p, const void *locator, size_t n_locator, uint8_t *ret)
{
	uint32_t at = SV_VHDX_ITEMS_AT;
	uint8_t file[8], size[8], sector[4];

	memcpy(ret, "metadata", 8);
	sv_store_le32(file, (uint32_t)p->block);
	sv_store_le32(file + 4, (p->leave_allocated ? 1 : 0) | (p->has_parent ? 2 : 0));
	add_known(ret, SV_VHDX_ITEM_FILE, file, sizeof file, &at);
	sv_store_le64(size, p->size);
	add_known(ret, SV_VHDX_ITEM_SIZE, size, sizeof size, &at);
	sv_store_le32(sector, p->sector);
	add_known(ret, SV_VHDX_ITEM_SECTOR, sector, sizeof sector, &at);
	sv_store_le32(sector, p->physical_sector);
	add_known(ret, SV_VHDX_ITEM_PHYSICAL_SECTOR, sector, sizeof sector, &at);
	add_known(ret, SV_VHDX_ITEM_DISK_ID, &p->disk_id, sizeof p->disk_id, &at);
	if (locator)
		add_known(ret, SV_VHDX_ITEM_PARENT, locator, n_locator, &at);
}
