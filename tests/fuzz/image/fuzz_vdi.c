/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A VDI in memory, with a megabyte of zeros behind it that its blocks can lie in, and the
 * parent that it asks for.
 */
#include "block.h"

#include "image/vdi/format.h"

#define PARENT_BLOCK SV_VDI_BLOCK_MIN
#define PARENT_MAX   (UINT64_C(16384) * PARENT_BLOCK)

/* All blocks of it are at the same place. */
static struct sv_dev *make_parent(const struct sv_vdi_header *child)
{
	uint64_t size = SV_MIN(child->size, PARENT_MAX), n = sv_div_up(size, PARENT_BLOCK);
	struct sv_dev *d = sv_sparse_open(0, MEMORY, "parent", NULL);
	struct sv_vdi_disk_header h;

	require(d != NULL);
	sv_vdi_header_make(&h, SV_VDI_DYNAMIC, size);
	h.block_size = sv_put_le32(PARENT_BLOCK);
	sv_vdi_header_resize(&h, size, PARENT_BLOCK);
	memcpy(h.id, child->parent_id, sizeof h.id);
	memcpy(h.modified, child->parent_modified, sizeof h.modified);
	put(d, &h, sizeof h, 0);
	put_filled(d, 0, n * 4, sv_get_le32(h.map_at));
	put_filled(d, PARENT_BYTE, PARENT_BLOCK, sv_get_le32(h.data_at));
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_vdi_header header;
	struct sv_dev *file, *parent = NULL;
	struct block_host h;

	if (n > INPUT_MAX || !n)
		return 0;
	file = load(bytes, n, SV_MIB);
	if (sv_vdi_header_parse(bytes, n, sv_dev_size(file), &header, NULL) == 0 &&
		header.type == SV_VDI_DIFFERENCING)
		parent = make_parent(&header);
	h = block_host(file, parent);
	exercise(&h, "vdi", bytes[n / 2]);
	sv_dev_close(file);
	sv_dev_close(parent);
	return 0;
}
