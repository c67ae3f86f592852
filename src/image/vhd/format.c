/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and making the structures of format.h. Nothing here does I/O. */
#include "image/vhd/format.h"

#include <string.h>

#define VERSION 0x00010000 /* major 1, minor 0, of footer and header */

uint32_t sv_vhd_checksum(const void *bytes, size_t n, size_t at)
{
	const uint8_t *b = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (i < at || i >= at + 4)
			sum += b[i];
	}
	return ~sum;
}

/* ---- footer ---- */

static int check_footer(const struct sv_vhd_disk_footer *f, struct sv_err *err)
{
	uint32_t type = sv_get_be32(f->type), version = sv_get_be32(f->version);
	uint64_t size = sv_get_be64(f->size);

	if (memcmp(f->cookie, SV_VHD_COOKIE, sizeof f->cookie) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the VHD footer does not begin with \"" SV_VHD_COOKIE "\"");
	if (version >> 16 != VERSION >> 16)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL,
			offsetof(struct sv_vhd_disk_footer, version),
			"VHD version 0x%08x is not supported, only 0x%08x", version, VERSION);
	if (type < SV_VHD_FIXED || type > SV_VHD_DIFFERENCING)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct sv_vhd_disk_footer, type),
			"the VHD's kind is %u, expected 2 (fixed), 3 (dynamic) or 4 (differencing)",
			type);
	if (!size || size % SV_SECTOR || size > SV_VHD_SIZE_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct sv_vhd_disk_footer, size),
			"the VHD says that its disk has %llu bytes, expected a multiple of 512 up "
			"to 2040 GiB",
			(unsigned long long)size);
	return 0;
}

int sv_vhd_footer_parse(
	const void *bytes, size_t n, struct sv_vhd_footer *ret, struct sv_err *err)
{
	struct sv_vhd_disk_footer f = {0};

	if (n < SV_VHD_FOOTER_SIZE - 1)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0, "%zu bytes are too few for a VHD footer", n);
	memcpy(&f, bytes, SV_MIN(n, sizeof f));
	if (check_footer(&f, err) < 0)
		return -1;
	*ret = (struct sv_vhd_footer){
		.type = (enum sv_vhd_type)sv_get_be32(f.type),
		.size = sv_get_be64(f.size),
		.header_at = sv_get_be64(f.header_at),
		.time = sv_get_be32(f.time),
		.saved = f.saved == 1,
		.sum_ok = sv_get_be32(f.checksum) ==
			  sv_vhd_checksum(
				  &f, sizeof f, offsetof(struct sv_vhd_disk_footer, checksum)),
	};
	memcpy(ret->id, f.id, sizeof ret->id);
	memcpy(ret->creator, f.creator, sizeof f.creator);
	return 0;
}

/* The geometry that the specification's appendix gives a disk of so many sectors. */
static void set_geometry(struct sv_vhd_disk_footer *f, uint64_t size)
{
	const uint64_t max = UINT64_C(65535) * 16 * 255;
	uint64_t total = SV_MIN(size / SV_SECTOR, max);
	uint64_t sectors, heads, tracks;

	if (total >= UINT64_C(65535) * 16 * 63) {
		sectors = 255;
		heads = 16;
		tracks = total / sectors;
	} else {
		sectors = 17;
		tracks = total / sectors;
		heads = SV_MAX(sv_div_up(tracks, 1024), UINT64_C(4));
		if (tracks >= heads * 1024 || heads > 16) {
			sectors = 31;
			heads = 16;
			tracks = total / sectors;
		}
		if (tracks >= heads * 1024) {
			sectors = 63;
			tracks = total / sectors;
		}
	}
	f->cylinders = sv_put_be16((uint16_t)(tracks / heads));
	f->heads = (uint8_t)heads;
	f->sectors = (uint8_t)sectors;
}

void sv_vhd_footer_sum(struct sv_vhd_disk_footer *f)
{
	f->checksum = sv_put_be32(
		sv_vhd_checksum(f, sizeof *f, offsetof(struct sv_vhd_disk_footer, checksum)));
}

void sv_vhd_footer_resize(struct sv_vhd_disk_footer *f, uint64_t size)
{
	f->size = sv_put_be64(size);
	/* the size counts, not the geometry: see format.h */
	memcpy(f->creator, "win ", 4);
	set_geometry(f, size);
	sv_vhd_footer_sum(f);
}

void sv_vhd_footer_make(struct sv_vhd_disk_footer *f, enum sv_vhd_type type, uint64_t size,
	const uint8_t id[SV_VHD_ID_SIZE], uint32_t time)
{
	memset(f, 0, sizeof *f);
	memcpy(f->cookie, SV_VHD_COOKIE, sizeof f->cookie);
	f->features = sv_put_be32(2); /* reserved, always set */
	f->version = sv_put_be32(VERSION);
	f->header_at = sv_put_be64(type == SV_VHD_FIXED ? UINT64_MAX : SV_VHD_FOOTER_SIZE);
	f->time = sv_put_be32(time);
	f->creator_version = sv_put_be32(0x000a0000);
	memcpy(f->creator_os, "Wi2k", 4);
	f->original_size = sv_put_be64(size);
	f->type = sv_put_be32(type);
	memcpy(f->id, id, SV_VHD_ID_SIZE);
	sv_vhd_footer_resize(f, size);
}

/* ---- header ---- */

static int check_blocks(const struct sv_vhd_disk_header *h, struct sv_err *err)
{
	uint32_t block = sv_get_be32(h->block_size), version = sv_get_be32(h->version);

	if (memcmp(h->cookie, SV_VHD_HEADER_COOKIE, sizeof h->cookie) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the VHD header does not begin with \"" SV_VHD_HEADER_COOKIE "\"");
	if (version >> 16 != VERSION >> 16)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL,
			offsetof(struct sv_vhd_disk_header, version),
			"VHD header version 0x%08x is not supported, only 0x%08x", version,
			VERSION);
	if (!sv_is_pow2(block) || block < SV_VHD_BLOCK_MIN || block > SV_VHD_BLOCK_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct sv_vhd_disk_header, block_size),
			"the VHD has blocks of %u bytes, expected a power of two from 4096 to "
			"268435456",
			block);
	return 0;
}

static int check_table(const struct sv_vhd_disk_header *h, uint64_t n_blocks,
	uint64_t file_size, struct sv_err *err)
{
	uint32_t entries = sv_get_be32(h->max_entries);
	uint64_t at = sv_get_be64(h->table_at);

	if (n_blocks > SV_VHD_BLOCKS_MAX)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL,
			offsetof(struct sv_vhd_disk_header, block_size),
			"the disk has %llu blocks, the largest number supported is %llu",
			(unsigned long long)n_blocks, (unsigned long long)SV_VHD_BLOCKS_MAX);
	if (entries < n_blocks)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct sv_vhd_disk_header, max_entries),
			"the block table has %u entries, the disk needs %llu", entries,
			(unsigned long long)n_blocks);
	if (at >= SV_VHD_FOOTER_SIZE && at % SV_SECTOR == 0 &&
		sv_in_range(at, n_blocks * 4, file_size))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_vhd_disk_header, table_at),
		"the block table (%llu entries) is said to be at byte %llu, the file has %llu",
		(unsigned long long)n_blocks, (unsigned long long)at,
		(unsigned long long)file_size);
}

/* A locator that is not there, or not in the file, says nothing: others may. */
static void read_locators(
	const struct sv_vhd_disk_header *h, uint64_t file_size, struct sv_vhd_header *ret)
{
	for (size_t i = 0; i < SV_VHD_LOCATORS; i++) {
		const struct sv_vhd_disk_locator *from = &h->locators[i];
		struct sv_vhd_locator *to = &ret->locators[i];

		to->length = sv_get_be32(from->length);
		to->offset = sv_get_be64(from->offset);
		if (to->length && to->length <= SV_VHD_LOCATOR_MAX &&
			sv_in_range(to->offset, to->length, file_size))
			memcpy(to->code, from->code, sizeof from->code);
	}
}

int sv_vhd_header_parse(const void *bytes, size_t n, uint64_t size, uint64_t file_size,
	struct sv_vhd_header *ret, struct sv_err *err)
{
	struct sv_vhd_disk_header h;
	uint64_t block;

	if (n < sizeof h)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0, "%zu bytes are too few for a VHD header", n);
	memcpy(&h, bytes, sizeof h);
	if (check_blocks(&h, err) < 0)
		return -1;
	block = sv_get_be32(h.block_size);
	if (check_table(&h, sv_div_up(size, block), file_size, err) < 0)
		return -1;
	*ret = (struct sv_vhd_header){
		.table_at = sv_get_be64(h.table_at),
		.max_entries = sv_get_be32(h.max_entries),
		.block_size = block,
		.bitmap_size = sv_align_up(sv_div_up(block / SV_SECTOR, 8), SV_SECTOR),
		.n_blocks = sv_div_up(size, block),
		.parent_time = sv_get_be32(h.parent_time),
		.sum_ok = sv_get_be32(h.checksum) ==
			  sv_vhd_checksum(
				  &h, sizeof h, offsetof(struct sv_vhd_disk_header, checksum)),
	};
	memcpy(ret->parent_id, h.parent_id, sizeof ret->parent_id);
	read_locators(&h, file_size, ret);
	return 0;
}

void sv_vhd_header_sum(struct sv_vhd_disk_header *h)
{
	h->checksum = sv_put_be32(
		sv_vhd_checksum(h, sizeof *h, offsetof(struct sv_vhd_disk_header, checksum)));
}

void sv_vhd_header_make(
	struct sv_vhd_disk_header *h, uint64_t table_at, uint64_t entries, uint64_t block)
{
	memset(h, 0, sizeof *h);
	memcpy(h->cookie, SV_VHD_HEADER_COOKIE, sizeof h->cookie);
	h->data_offset = sv_put_be64(UINT64_MAX);
	h->table_at = sv_put_be64(table_at);
	h->version = sv_put_be32(VERSION);
	h->max_entries = sv_put_be32((uint32_t)entries);
	h->block_size = sv_put_be32((uint32_t)block);
	sv_vhd_header_sum(h);
}
