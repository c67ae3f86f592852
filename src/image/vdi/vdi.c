/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VDI driver: dynamic, fixed and differencing images of VirtualBox (format.h tells the
 * format, vdi.h the crash order).
 */
#include "image/vdi/vdi.h"

#include "base/str.h"

#include <string.h>

static struct sv_vdi *of(struct sv_link *l)
{
	return (struct sv_vdi *)l;
}

static bool vdi_probe(const struct sv_probe *p)
{
	const size_t at = offsetof(struct sv_vdi_disk_header, signature);

	return p->n_head >= at + 4 && sv_load_le32(p->head + at) == SV_VDI_SIGNATURE;
}

/* ---- opening ---- */

static int read_map(struct sv_vdi *v, struct sv_err *err)
{
	uint64_t n = v->header.n_blocks, size = sv_dev_size(v->file);
	uint64_t places = size > v->header.data_at
				  ? sv_div_up(size - v->header.data_at, v->header.block_size)
				  : 0;

	v->map = malloc(n * 4);
	v->changed = v->link.writable ? calloc(n / 8 + 1, 1) : NULL;
	if (!v->map || (v->link.writable && !v->changed))
		return sv_fail_nomem(err);
	if (sv_dev_read(v->file, v->map, n * 4, v->header.map_at, err) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i++) {
		uint32_t entry = sv_load_le32(&v->map[i]);

		v->map[i] = entry;
		/* what lies outside the file is refused when it is used */
		if (sv_vdi_is_place(entry) && entry >= v->next && entry < places)
			v->next = entry + 1;
	}
	v->count = v->header.n_allocated;
	return 0;
}

int sv_vdi_load(struct sv_dev *file, bool writable, struct sv_vdi **ret, struct sv_err *err)
{
	struct sv_vdi *v = calloc(1, sizeof *v);
	uint8_t head[sizeof(struct sv_vdi_disk_header)];
	size_t n = (size_t)SV_MIN(sv_dev_size(file), sizeof head);

	if (!v)
		return sv_fail_nomem(err);
	v->link.driver = &sv_vdi_driver;
	v->link.writable = writable;
	v->file = sv_dev_ref(file);
	if (sv_dev_read(file, head, n, 0, err) < 0 ||
		sv_vdi_header_parse(head, n, sv_dev_size(file), &v->header, err) < 0 ||
		read_map(v, err) < 0 || (writable && sv_vdi_refuse_faults(v, err) < 0)) {
		sv_vdi_close(&v->link);
		return sv_err_path(err, sv_dev_name(file));
	}
	*ret = v;
	return 0;
}

void sv_vdi_close(struct sv_link *l)
{
	struct sv_vdi *v = of(l);

	free(v->map);
	free(v->changed);
	free(v->list);
	sv_dev_close(v->file);
	free(v);
}

static uint64_t stored_bytes(const struct sv_vdi *v)
{
	uint64_t block = v->header.block_size, sum = 0;

	for (uint64_t i = 0; i < v->header.n_blocks; i++) {
		if (sv_vdi_is_place(v->map[i]))
			sum += SV_MIN(block, v->header.size - i * block);
	}
	return sum;
}

static int describe(
	const struct sv_link_env *env, struct sv_vdi *v, const char *path, struct sv_err *err)
{
	static const char *const kinds[] = {[SV_VDI_DYNAMIC] = "dynamic",
		[SV_VDI_FIXED] = "fixed",
		[SV_VDI_DIFFERENCING] = "differencing"};
	struct sv_image_link *info = &v->link.info;
	char id[SV_VDI_UUID_TEXT], parent[SV_VDI_UUID_TEXT] = "";

	sv_vdi_uuid_text(v->header.id, id);
	if (v->header.type == SV_VDI_DIFFERENCING)
		sv_vdi_uuid_text(v->header.parent_id, parent);
	info->subformat = strdup(kinds[v->header.type]);
	info->id = strdup(id);
	info->parent_hint = *parent ? sv_format("{%s}", parent) : strdup("");
	info->virtual_size = v->header.size;
	info->block_size = (uint32_t)v->header.block_size;
	info->allocated = stored_bytes(v);
	if (!info->subformat || !info->id || !info->parent_hint)
		return sv_fail_nomem(err);
	return sv_link_add_file(&v->link, env->host, path, true, err);
}

static int vdi_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_vdi *v;

	if (sv_vdi_load(file, env->writable, &v, err) < 0)
		return -1;
	v->host = env->host;
	if (describe(env, v, path, err) < 0) {
		sv_link_close(&v->link);
		return -1;
	}
	*ret = &v->link;
	return 0;
}

/* ---- ranges ---- */

/* Blocks from `first` on, up to `end`, that continue it: alike, and data without a gap. */
static uint64_t same_blocks(const struct sv_vdi *v, uint64_t first, uint64_t end)
{
	uint32_t entry = v->map[first];
	uint64_t i = first + 1;

	while (i < end && v->map[i] == entry + (sv_vdi_is_place(entry) ? i - first : 0))
		i++;
	return i - first;
}

static int place_run(struct sv_vdi *v, uint64_t off, struct sv_run *run, struct sv_err *err)
{
	uint64_t block = off / v->header.block_size, in = off % v->header.block_size;
	uint64_t at = sv_vdi_place_at(v, v->map[block]) + in, size = sv_dev_size(v->file);
	uint64_t in_block = SV_MIN(run->length, v->header.block_size - in);

	if (!sv_in_range(at, in_block, size))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file),
			v->header.map_at + block * 4,
			"block %llu is said to be at place %u, the file has room for %llu",
			(unsigned long long)block, v->map[block],
			(unsigned long long)(size > v->header.data_at
						     ? (size - v->header.data_at) /
							       v->header.block_size
						     : 0));
	run->kind = SV_RUN_DATA;
	run->dev = v->file;
	run->host_offset = at;
	run->length = SV_MIN(run->length, size - at);
	return 0;
}

/* Where the host stores nothing for a block it reads as zeros. */
static int look_for_hole(struct sv_run *run, struct sv_err *err)
{
	struct sv_extent e;

	if (sv_dev_extent(run->dev, run->host_offset, run->length, &e, err) < 0)
		return -1;
	run->length = e.length;
	if (e.kind != SV_EXTENT_DATA)
		run->kind = SV_RUN_ZERO;
	return 0;
}

int sv_vdi_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	struct sv_vdi *v = of(l);
	uint64_t block = off / v->header.block_size, in = off % v->header.block_size;
	uint64_t end = block + sv_div_up(in + max, v->header.block_size);
	uint64_t n = same_blocks(v, block, SV_MIN(end, v->header.n_blocks));
	struct sv_run run = {
		.length = SV_MIN(max, n * v->header.block_size - in),
		.kind = v->map[block] == SV_VDI_ZERO ? SV_RUN_ZERO : SV_RUN_ABSENT,
		.host_offset = SV_NO_HOST_OFFSET,
	};

	if (sv_vdi_is_place(v->map[block]) &&
		(place_run(v, off, &run, err) < 0 || (holes && look_for_hole(&run, err) < 0)))
		return -1;
	*ret = run;
	return 0;
}

static const char *vdi_flat_subformat(const struct sv_link *l)
{
	(void)l;
	return "dynamic";
}

static const char *const subformats[] = {"dynamic", "fixed", NULL};

const struct sv_image_driver sv_vdi_driver = {
	.name = "vdi",
	.extension = ".vdi",
	.subformats = subformats,
	.probe = vdi_probe,
	.open = vdi_open,
	.close = sv_vdi_close,
	.map = sv_vdi_map,
	.write = sv_vdi_write,
	.discard = sv_vdi_discard,
	.flush = sv_vdi_flush,
	.fill_begin = sv_vdi_fill_begin,
	.fill_place = sv_vdi_fill_place,
	.fill_end = sv_vdi_fill_end,
	.grow = sv_vdi_grow,
	.parent = sv_vdi_parent,
	.match_parent = sv_vdi_match_parent,
	.check = sv_vdi_check,
	.create = sv_vdi_create,
	.identity = sv_vdi_identity,
	.derive_linked = sv_vdi_derive_linked,
	.copy = sv_vdi_copy,
	.flat_subformat = vdi_flat_subformat,
	.metadata_cost = sv_vdi_metadata_cost,
	.limits = sv_vdi_limits,
};
