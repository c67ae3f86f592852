/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Headers and region tables of VHDX: see format.h. Both are kept twice; a copy whose checksum
 * is wrong does not count.
 */
#include "image/vhdx/format.h"

#include "base/hash.h"

#include <string.h>

/* The checksum of a structure that has its own at byte 4. */
static uint32_t checksum(const void *bytes, size_t n)
{
	static const uint8_t zeros[4];
	const uint8_t *p = bytes;
	uint32_t crc = sv_crc32c(0, p, 4);

	crc = sv_crc32c(crc, zeros, 4);
	return sv_crc32c(crc, p + 8, n - 8);
}

static int check_frame(const void *bytes, size_t n, size_t size, const char *signature,
	const char *what, struct sv_err *err)
{
	uint32_t found, expected;

	if (n < size)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"the %s has %zu bytes, found only %zu", what, size, n);
	if (memcmp(bytes, signature, 4) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "the %s does not begin with \"%s\"",
			what, signature);
	found = sv_load_le32((const uint8_t *)bytes + 4);
	expected = checksum(bytes, size);
	if (found == expected)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, 4,
		"the checksum of the %s is %08x, that of its bytes %08x", what, found,
		expected);
}

/* ---- header ---- */

static bool is_place(uint64_t at, uint64_t length)
{
	return at >= SV_VHDX_UNIT && at % SV_VHDX_UNIT == 0 && length % SV_VHDX_UNIT == 0 &&
	       sv_in_range(at, length, SV_VHDX_FILE_MAX);
}

static int check_log_place(const struct sv_vhdx_header *h, struct sv_err *err)
{
	if (is_place(h->log_at, h->log_size) && h->log_size <= SV_VHDX_LOG_MAX)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_vhdx_disk_header, log_size),
		"the log is said to be %u bytes at byte %llu: multiples of 1 MiB are expected, "
		"at most 256 MiB",
		h->log_size, (unsigned long long)h->log_at);
}

int sv_vhdx_header_parse(
	const void *bytes, size_t n, struct sv_vhdx_header *ret, struct sv_err *err)
{
	struct sv_vhdx_disk_header d;
	struct sv_vhdx_header h;

	if (check_frame(bytes, n, sizeof d, "head", "header", err) < 0)
		return -1;
	memcpy(&d, bytes, sizeof d);
	if (sv_get_le16(d.version) != 1)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL,
			offsetof(struct sv_vhdx_disk_header, version),
			"the version of the format is %u, version 1 is known",
			sv_get_le16(d.version));
	h = (struct sv_vhdx_header){
		.sequence = sv_get_le64(d.sequence),
		.file_write = d.file_write,
		.data_write = d.data_write,
		.log = d.log,
		.log_at = sv_get_le64(d.log_at),
		.log_size = sv_get_le32(d.log_size),
		.log_version = sv_get_le16(d.log_version),
	};
	if (check_log_place(&h, err) < 0)
		return -1;
	*ret = h;
	return 0;
}

void sv_vhdx_header_print(const struct sv_vhdx_header *h, struct sv_vhdx_disk_header *ret)
{
	*ret = (struct sv_vhdx_disk_header){
		.sequence = sv_put_le64(h->sequence),
		.file_write = h->file_write,
		.data_write = h->data_write,
		.log = h->log,
		.log_version = sv_put_le16(h->log_version),
		.version = sv_put_le16(1),
		.log_size = sv_put_le32(h->log_size),
		.log_at = sv_put_le64(h->log_at),
	};
	memcpy(ret->signature, "head", 4);
	ret->checksum = sv_put_le32(checksum(ret, sizeof *ret));
}

/* ---- region table ---- */

static const struct sv_vhdx_guid bat_id = {{0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
	0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08}};
static const struct sv_vhdx_guid metadata_id = {{0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
	0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e}};

static size_t region_at(size_t index)
{
	return sizeof(struct sv_vhdx_disk_table) + index * sizeof(struct sv_vhdx_disk_region);
}

/* Each region on its own. */
static int parse_region(
	const uint8_t *table, size_t index, struct sv_vhdx_regions *ret, struct sv_err *err)
{
	struct sv_vhdx_region *r = &ret->all[index];
	struct sv_vhdx_disk_region d;
	char id[SV_VHDX_GUID_TEXT];

	memcpy(&d, table + region_at(index), sizeof d);
	*r = (struct sv_vhdx_region){d.id, sv_get_le64(d.at), sv_get_le32(d.length)};
	sv_vhdx_guid_text(&d.id, id);
	if (!r->length || !is_place(r->at, r->length))
		return sv_fail_at(err, SV_CORRUPT, NULL, region_at(index) + 16,
			"region %s is said to be %llu bytes at byte %llu: multiples of 1 MiB "
			"are expected",
			id, (unsigned long long)r->length, (unsigned long long)r->at);
	if (sv_vhdx_guid_equal(&d.id, &bat_id)) {
		ret->bat = index;
	} else if (sv_vhdx_guid_equal(&d.id, &metadata_id)) {
		ret->metadata = index;
	} else if (sv_get_le32(d.required) & 1) {
		sv_fail_at(err, SV_UNSUPPORTED, NULL, region_at(index),
			"region %s is required and unknown", id);
		return sv_hint(err, "the disk needs the program that made it");
	}
	return 0;
}

/* Ids once only, and no region on another. */
static int check_apart(const struct sv_vhdx_regions *all, size_t index, struct sv_err *err)
{
	const struct sv_vhdx_region *r = &all->all[index];
	char id[SV_VHDX_GUID_TEXT];

	for (size_t i = 0; i < index; i++) {
		const struct sv_vhdx_region *o = &all->all[i];

		if (!sv_overlaps(r->at, r->length, o->at, o->length) &&
			!sv_vhdx_guid_equal(&r->id, &o->id))
			continue;
		sv_vhdx_guid_text(&r->id, id);
		return sv_fail_at(err, SV_CORRUPT, NULL, region_at(index),
			"region %s is there twice, or lies on another region (byte %llu)", id,
			(unsigned long long)r->at);
	}
	return 0;
}

int sv_vhdx_regions_parse(
	const void *bytes, size_t n, struct sv_vhdx_regions *ret, struct sv_err *err)
{
	uint32_t count;

	if (check_frame(bytes, n, SV_VHDX_TABLE_SIZE, "regi", "region table", err) < 0)
		return -1;
	count = sv_load_le32((const uint8_t *)bytes + 8);
	if (count > SV_VHDX_ENTRIES_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 8,
			"the region table has %u entries, the largest number is %d", count,
			SV_VHDX_ENTRIES_MAX);
	ret->n = count;
	ret->bat = ret->metadata = SIZE_MAX;
	for (size_t i = 0; i < count; i++) {
		if (parse_region(bytes, i, ret, err) < 0 || check_apart(ret, i, err) < 0)
			return -1;
	}
	if (ret->bat != SIZE_MAX && ret->metadata != SIZE_MAX)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, 8,
		"the region table does not tell where the %s is",
		ret->bat == SIZE_MAX ? "block table" : "metadata");
}

static void print_region(uint8_t *table, size_t index, const struct sv_vhdx_region *r)
{
	struct sv_vhdx_disk_region d = {.id = r->id,
		.at = sv_put_le64(r->at),
		.length = sv_put_le32((uint32_t)r->length),
		.required = sv_put_le32(1)};

	memcpy(table + region_at(index), &d, sizeof d);
}

static void sum_table(uint8_t *table)
{
	sv_store_le32(table + 4, checksum(table, SV_VHDX_TABLE_SIZE));
}

void sv_vhdx_regions_print(
	const struct sv_vhdx_region *bat, const struct sv_vhdx_region *metadata, uint8_t *ret)
{
	struct sv_vhdx_region r[] = {*bat, *metadata};

	memset(ret, 0, SV_VHDX_TABLE_SIZE);
	memcpy(ret, "regi", 4);
	sv_store_le32(ret + 8, 2);
	r[0].id = bat_id;
	r[1].id = metadata_id;
	print_region(ret, 0, &r[0]);
	print_region(ret, 1, &r[1]);
	sum_table(ret);
}

void sv_vhdx_regions_move(uint8_t *table, size_t index, uint64_t at, uint64_t length)
{
	sv_store_le64(table + region_at(index) + 16, at);
	sv_store_le32(table + region_at(index) + 24, (uint32_t)length);
	sum_table(table);
}
