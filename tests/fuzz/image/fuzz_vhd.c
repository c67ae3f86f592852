/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A VHD in memory, its checksums put right unless the lowest bit of its last byte is set, and
 * the parent that it asks for.
 */
#include "block.h"

#include "image/vhd/format.h"

#define PARENT_MAX (4 * SV_GIB)

/* ---- checksums ---- */

static void fix_footer(struct sv_dev *file, uint64_t at)
{
	struct sv_vhd_disk_footer f;

	require(sv_dev_read(file, &f, sizeof f, at, NULL) == 0);
	sv_vhd_footer_sum(&f);
	put(file, &f, sizeof f, at);
}

static void fix_header(struct sv_dev *file, uint64_t footer_at)
{
	struct sv_vhd_disk_footer f;
	struct sv_vhd_disk_header h;
	uint64_t at;

	require(sv_dev_read(file, &f, sizeof f, footer_at, NULL) == 0);
	at = sv_get_be64(f.header_at);
	if (!sv_in_range(at, sizeof h, sv_dev_size(file)))
		return;
	require(sv_dev_read(file, &h, sizeof h, at, NULL) == 0);
	sv_vhd_header_sum(&h);
	put(file, &h, sizeof h, at);
}

static void fix(struct sv_dev *file)
{
	uint64_t end = sv_dev_size(file) - SV_VHD_FOOTER_SIZE;
	uint8_t mode = 0;

	require(sv_dev_read(file, &mode, 1, sv_dev_size(file) - 1, NULL) == 0);
	if (mode & 1)
		return;
	fix_header(file, 0);
	fix_header(file, end);
	fix_footer(file, 0);
	fix_footer(file, end);
}

/* ---- the parent ---- */

/* Is it a child whose parent is small enough to be made? */
static bool wants_parent(
	struct sv_dev *file, struct sv_vhd_footer *ret, uint8_t id[SV_VHD_ID_SIZE])
{
	uint8_t bytes[SV_VHD_FOOTER_SIZE];
	struct sv_vhd_disk_header h;

	require(sv_dev_read(file, bytes, sizeof bytes, sv_dev_size(file) - sizeof bytes,
			NULL) == 0);
	if (sv_vhd_footer_parse(bytes, sizeof bytes, ret, NULL) < 0 ||
		ret->type != SV_VHD_DIFFERENCING || ret->size > PARENT_MAX ||
		!sv_in_range(ret->header_at, sizeof h, sv_dev_size(file)))
		return false;
	require(sv_dev_read(file, &h, sizeof h, ret->header_at, NULL) == 0);
	memcpy(id, h.parent_id, SV_VHD_ID_SIZE);
	return true;
}

/* All blocks of it are at the same place. */
static struct sv_dev *make_parent(uint64_t size, const uint8_t id[SV_VHD_ID_SIZE])
{
	const uint64_t table_at = SV_VHD_FOOTER_SIZE + SV_VHD_HEADER_SIZE;
	uint64_t block = size > 64 * SV_MIB ? 256 * SV_KIB : SV_VHD_BLOCK_MIN;
	uint64_t n = sv_div_up(size, block);
	uint64_t at = table_at + sv_align_up(n * 4, SV_SECTOR);
	struct sv_dev *d = sv_sparse_open(0, MEMORY, "parent", NULL);
	struct sv_vhd_disk_footer f;
	struct sv_vhd_disk_header h;

	require(d != NULL);
	sv_vhd_footer_make(&f, SV_VHD_DYNAMIC, size, id, 0);
	sv_vhd_header_make(&h, table_at, n, block);
	put(d, &f, sizeof f, 0);
	put(d, &h, sizeof h, SV_VHD_FOOTER_SIZE);
	for (uint64_t i = 0; i < n; i++)
		put(d, &(sv_be32[]){sv_put_be32((uint32_t)(at / SV_SECTOR))}, 4,
			table_at + i * 4);
	put_filled(d, 0xff, SV_SECTOR, at);
	put_filled(d, PARENT_BYTE, block, at + SV_SECTOR);
	put(d, &f, sizeof f, at + SV_SECTOR + block);
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_dev *file, *parent = NULL;
	uint8_t id[SV_VHD_ID_SIZE];
	struct sv_vhd_footer footer;
	struct block_host h;

	if (n > INPUT_MAX || !n)
		return 0;
	file = load(bytes, n, 0);
	if (n >= SV_VHD_FOOTER_SIZE) {
		fix(file);
		if (wants_parent(file, &footer, id))
			parent = make_parent(footer.size, id);
	}
	h = block_host(file, parent);
	exercise(&h, "vhd", bytes[n / 2]);
	sv_dev_close(file);
	sv_dev_close(parent);
	return 0;
}
