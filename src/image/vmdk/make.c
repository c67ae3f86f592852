/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Makes new hosted sparse extents. Both copies of every grain table exist from the beginning,
 * as holes of the host's file: qemu 7.2 overwrites the header of an extent through a directory
 * entry of 0, and an 8 TiB disk costs 2 MiB of directories, not 1 GiB of tables.
 */
#include "image/vmdk/sparse.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define CHUNK_ENTRIES (16U * 1024)

int sv_vmdk_sparse_check_size(uint64_t sectors, struct sv_err *err)
{
	if (sv_vmdk_tables(sectors, SV_VMDK_GRAIN) <= SV_VMDK_GD_MAX)
		return 0;
	return sv_fail(err, SV_UNSUPPORTED, NULL,
		"a sparse VMDK extent of %llu sectors is larger than its directory can hold",
		(unsigned long long)sectors);
}

/* A directory at sector `at` of n tables that follow each other from sector `first`. */
static int write_directory(
	struct sv_dev *file, uint64_t at, uint64_t first, uint64_t n, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(CHUNK_ENTRIES * 4);

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < n; i += CHUNK_ENTRIES) {
		size_t run = (size_t)SV_MIN(n - i, CHUNK_ENTRIES);

		for (size_t k = 0; k < run; k++)
			sv_store_le32(
				buf + 4 * k, (uint32_t)(first + (i + k) * SV_VMDK_GT_SECTORS));
		if (sv_dev_write(file, buf, run * 4, at * SV_SECTOR + i * 4, err) < 0)
			return -1;
	}
	return 0;
}

int sv_vmdk_sparse_make_copy(
	struct sv_dev *file, uint64_t at, uint64_t tables, struct sv_err *err)
{
	return write_directory(file, at, at + sv_vmdk_directory_sectors(tables), tables, err);
}

int sv_vmdk_sparse_make(struct sv_dev *file, uint64_t sectors, uint64_t desc_sectors,
	const char *desc, struct sv_err *err)
{
	uint8_t head[SV_VMDK_HEADER_SIZE];
	struct sv_vmdk_header h;
	uint64_t tables;

	if (sv_vmdk_sparse_check_size(sectors, err) < 0)
		return -1;
	sv_vmdk_header_plan(sectors, desc_sectors, &h);
	sv_vmdk_header_print(&h, head);
	tables = sv_vmdk_tables(h.capacity, h.grain);
	if (desc && strlen(desc) > desc_sectors * SV_SECTOR)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(file),
			"the descriptor has %zu bytes, there is room for %llu", strlen(desc),
			(unsigned long long)(desc_sectors * SV_SECTOR));
	if (sv_dev_resize(file, h.overhead * SV_SECTOR, err) < 0 ||
		sv_vmdk_sparse_make_copy(file, h.rgd_at, tables, err) < 0 ||
		sv_vmdk_sparse_make_copy(file, h.gd_at, tables, err) < 0 ||
		(desc &&
			sv_dev_write(file, desc, strlen(desc), h.desc_at * SV_SECTOR, err) < 0))
		return -1;
	return sv_dev_write(file, head, sizeof head, 0, err);
}

uint64_t sv_vmdk_sparse_make_cost(uint64_t sectors)
{
	const uint64_t block = 4096; /* of the host's file system */
	uint64_t tables = sv_vmdk_tables(sectors, SV_VMDK_GRAIN);
	uint64_t head = (1 + SV_VMDK_DESC_SECTORS) * SV_SECTOR, directory = tables * 4;

	/* a directory that begins within a block touches one more */
	return sv_align_up(head, block) + 2 * (sv_align_up(directory, block) + block);
}
