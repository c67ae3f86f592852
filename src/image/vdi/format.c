/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and making the header of format.h. Nothing here does I/O. */
#include "image/vdi/format.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct sv_vdi_disk_header, field)

static int check_kind(const struct sv_vdi_disk_header *h, struct sv_err *err)
{
	uint32_t version = sv_get_le32(h->version), type = sv_get_le32(h->type);

	if (sv_get_le32(h->signature) != SV_VDI_SIGNATURE)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(signature),
			"the VDI signature is 0x%08x, expected 0x%08x",
			sv_get_le32(h->signature), SV_VDI_SIGNATURE);
	if (version >> 16 != 1)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(version),
			"VDI version %u.%u is not supported, only 1.1", version >> 16,
			version & 0xffff);
	if (type == SV_VDI_DYNAMIC || type == SV_VDI_FIXED || type == SV_VDI_DIFFERENCING)
		return 0;
	return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(type),
		"VDI of kind %u is not supported, only 1 (dynamic), 2 (fixed) and 4 "
		"(differencing)",
		type);
}

static int check_blocks(const struct sv_vdi_disk_header *h, struct sv_err *err)
{
	uint64_t size = sv_get_le64(h->disk_size);
	uint32_t block = sv_get_le32(h->block_size), n = sv_get_le32(h->n_blocks);

	if (!sv_is_pow2(block) || block < SV_VDI_BLOCK_MIN || block > SV_VDI_BLOCK_MAX ||
		sv_get_le32(h->block_extra))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(block_size),
			"VDI blocks of %u bytes (and %u more) are not supported, only a power of "
			"two from 65536 to 67108864",
			block, sv_get_le32(h->block_extra));
	if (!size || size > SV_VDI_BLOCKS_MAX * block)
		return sv_fail_at(err, size ? SV_UNSUPPORTED : SV_CORRUPT, NULL, AT(disk_size),
			"the disk has %llu bytes, the largest supported in blocks of %u is %llu",
			(unsigned long long)size, block,
			(unsigned long long)(SV_VDI_BLOCKS_MAX * block));
	if (n >= sv_div_up(size, block))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, AT(n_blocks),
		"the block map has %u entries, the disk needs %llu", n,
		(unsigned long long)sv_div_up(size, block));
}

static int check_places(
	const struct sv_vdi_disk_header *h, uint64_t file_size, struct sv_err *err)
{
	uint64_t map_at = sv_get_le32(h->map_at), data_at = sv_get_le32(h->data_at);
	uint64_t n = sv_div_up(sv_get_le64(h->disk_size), sv_get_le32(h->block_size));

	if (map_at < AT(geometry) || map_at % SV_SECTOR ||
		!sv_in_range(map_at, n * 4, file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(map_at),
			"the block map (%llu entries) is said to be at byte %llu, the file has "
			"%llu",
			(unsigned long long)n, (unsigned long long)map_at,
			(unsigned long long)file_size);
	if (data_at % SV_SECTOR || data_at < map_at + n * 4)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(data_at),
			"the blocks are said to begin at byte %llu, the block map ends at %llu",
			(unsigned long long)data_at, (unsigned long long)(map_at + n * 4));
	return 0;
}

int sv_vdi_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vdi_header *ret, struct sv_err *err)
{
	struct sv_vdi_disk_header h;

	if (n < sizeof h)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0, "%zu bytes are too few for a VDI header", n);
	memcpy(&h, bytes, sizeof h);
	if (check_kind(&h, err) < 0 || check_blocks(&h, err) < 0 ||
		check_places(&h, file_size, err) < 0)
		return -1;
	*ret = (struct sv_vdi_header){
		.type = (enum sv_vdi_type)sv_get_le32(h.type),
		/* old versions of VirtualBox made disks of odd sizes */
		.size = sv_align_up(sv_get_le64(h.disk_size), SV_SECTOR),
		.map_at = sv_get_le32(h.map_at),
		.data_at = sv_get_le32(h.data_at),
		.block_size = sv_get_le32(h.block_size),
		.n_allocated = sv_get_le32(h.n_allocated),
	};
	ret->n_blocks = sv_div_up(ret->size, ret->block_size);
	ret->heads = sv_get_le32(h.legacy_geometry.heads);
	ret->sectors = sv_get_le32(h.legacy_geometry.sectors);
	memcpy(ret->id, h.id, sizeof ret->id);
	memcpy(ret->modified, h.modified, sizeof ret->modified);
	memcpy(ret->parent_id, h.parent_id, sizeof ret->parent_id);
	memcpy(ret->parent_modified, h.parent_modified, sizeof ret->parent_modified);
	memcpy(ret->comment, h.comment, sizeof h.comment);
	return 0;
}

static void set_geometry(struct sv_vdi_disk_geometry *g, uint64_t size)
{
	g->cylinders = sv_put_le32((uint32_t)SV_MIN(size / SV_SECTOR / 16 / 63, 16383U));
	g->heads = sv_put_le32(16);
	g->sectors = sv_put_le32(63);
	g->sector_size = sv_put_le32(SV_SECTOR);
}

void sv_vdi_header_resize(struct sv_vdi_disk_header *h, uint64_t size, uint64_t block_size)
{
	h->disk_size = sv_put_le64(size);
	h->n_blocks = sv_put_le32((uint32_t)sv_div_up(size, block_size));
	set_geometry(&h->legacy_geometry, size);
}

void sv_vdi_header_make(struct sv_vdi_disk_header *h, enum sv_vdi_type type, uint64_t size)
{
	const uint32_t map_at = sizeof *h;
	uint64_t map_end = map_at + sv_div_up(size, SV_VDI_BLOCK) * 4;

	memset(h, 0, sizeof *h);
	snprintf(h->text, sizeof h->text, "<<< Oracle VM VirtualBox Disk Image >>>\n");
	h->signature = sv_put_le32(SV_VDI_SIGNATURE);
	h->version = sv_put_le32(0x00010001);
	h->header_size = sv_put_le32((uint32_t)(AT(rest) - AT(header_size)));
	h->type = sv_put_le32(type);
	h->map_at = sv_put_le32(map_at);
	/* as VirtualBox aligns it: the map can grow in place */
	h->data_at = sv_put_le32((uint32_t)sv_align_up(map_end, SV_MIB));
	h->block_size = sv_put_le32(SV_VDI_BLOCK);
	h->geometry.sector_size = sv_put_le32(SV_SECTOR);
	sv_vdi_header_resize(h, size, SV_VDI_BLOCK);
}

void sv_vdi_uuid_text(const uint8_t id[SV_VDI_UUID_SIZE], char text[SV_VDI_UUID_TEXT])
{
	snprintf(text, SV_VDI_UUID_TEXT, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		sv_load_le32(id), sv_load_le16(id + 4), sv_load_le16(id + 6), id[8], id[9],
		id[10], id[11], id[12], id[13], id[14], id[15]);
}
