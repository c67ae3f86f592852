/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing VDIs: see vdi.h for the order in which changes reach the file. */
#include "image/vdi/vdi.h"

#include "base/hash.h"

#include <string.h>

#define AT(field) offsetof(struct sv_vdi_disk_header, field)

int sv_vdi_new_uuid(uint8_t id[SV_VDI_UUID_SIZE], struct sv_err *err)
{
	if (sv_random(id, SV_VDI_UUID_SIZE, err) < 0)
		return -1;
	id[7] = (uint8_t)((id[7] & 0x0f) | 0x40); /* version 4; the field is little-endian */
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	return 0;
}

int sv_vdi_begin_change(struct sv_vdi *v, struct sv_err *err)
{
	v->dirty = true;
	if (v->marked)
		return 0;
	if (sv_vdi_new_uuid(v->header.modified, err) < 0 ||
		sv_dev_write(v->file, v->header.modified, SV_VDI_UUID_SIZE, AT(modified), err) <
			0 ||
		sv_dev_flush(v->file, err) < 0)
		return -1;
	v->marked = true;
	return 0;
}

/* ---- the map ---- */

int sv_vdi_set_entry(struct sv_vdi *v, uint64_t block, uint32_t entry, struct sv_err *err)
{
	uint8_t bit = (uint8_t)(1 << block % 8);

	if (v->n_list == v->cap_list) {
		size_t cap = v->cap_list * 2 + 64;
		uint32_t *grown = realloc(v->list, cap * sizeof *grown);

		if (!grown)
			return sv_fail_nomem(err);
		v->list = grown;
		v->cap_list = cap;
	}
	if (!(v->changed[block / 8] & bit))
		v->list[v->n_list++] = (uint32_t)block;
	v->changed[block / 8] |= bit;
	v->map[block] = entry;
	v->dirty = true;
	return 0;
}

int sv_vdi_write_map(struct sv_vdi *v, const uint32_t *map, uint64_t map_at, uint64_t first,
	uint64_t n, struct sv_err *err)
{
	uint32_t buf[1024];

	for (uint64_t done = 0; done < n;) {
		size_t now = (size_t)SV_MIN(n - done, SV_ARRAY_LEN(buf));

		for (size_t i = 0; i < now; i++)
			sv_store_le32(&buf[i], map[first + done + i]);
		if (sv_dev_write(v->file, buf, now * 4, map_at + (first + done) * 4, err) < 0)
			return -1;
		done += now;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int write_changed(struct sv_vdi *v, struct sv_err *err)
{
	size_t n;

	if (v->n_list)
		qsort(v->list, v->n_list, sizeof *v->list, by_number);
	for (size_t i = 0; i < v->n_list; i += n) {
		for (n = 1; i + n < v->n_list && v->list[i + n] == v->list[i] + n; n++)
			;
		if (sv_vdi_write_map(v, v->map, v->header.map_at, v->list[i], n, err) < 0)
			return -1;
	}
	return 0;
}

static int write_count(struct sv_vdi *v, struct sv_err *err)
{
	uint8_t bytes[4];

	if (v->count == v->next)
		return 0;
	sv_store_le32(bytes, v->next);
	if (sv_dev_write(v->file, bytes, sizeof bytes, AT(n_allocated), err) < 0)
		return -1;
	v->count = v->next;
	return 0;
}

int sv_vdi_flush(struct sv_link *l, struct sv_err *err)
{
	struct sv_vdi *v = (struct sv_vdi *)l;

	if (!v->dirty)
		return 0;
	if (write_count(v, err) < 0 || sv_dev_flush(v->file, err) < 0 ||
		write_changed(v, err) < 0 || (v->n_list && sv_dev_flush(v->file, err) < 0))
		return -1;
	for (size_t i = 0; i < v->n_list; i++)
		v->changed[v->list[i] / 8] &= (uint8_t) ~(1 << v->list[i] % 8);
	v->n_list = 0;
	v->dirty = false;
	return 0;
}

/* ---- new blocks ---- */

int sv_vdi_add_place(struct sv_vdi *v, uint32_t *ret_place, struct sv_err *err)
{
	uint64_t at = sv_vdi_place_at(v, v->next), end = at + v->header.block_size;
	uint64_t size = sv_dev_size(v->file);

	if (v->next >= SV_VDI_BLOCKS_MAX)
		return sv_fail_at(err, SV_NOSPACE, sv_dev_name(v->file), at,
			"the VDI has no place for another block");
	/* what a writer that was cut off has left there */
	if (size > at && sv_dev_discard(v->file, at, SV_MIN(end, size) - at, err) < 0)
		return -1;
	if (size < end && sv_dev_resize(v->file, end, err) < 0)
		return -1;
	*ret_place = v->next++;
	return 0;
}

/* Guest bytes [off, off+n) from below to `at` in the file, which reads as zeros. */
static int fill(struct sv_vdi *v, uint64_t off, uint64_t n, uint64_t at, struct sv_err *err)
{
	struct sv_dev *below = v->link.below;
	sv_autofree uint8_t *buf = NULL;

	if (!below || off >= sv_dev_size(below) || !n)
		return 0;
	n = SV_MIN(n, sv_dev_size(below) - off);
	buf = malloc((size_t)n); /* less than a block */
	if (!buf)
		return sv_fail_nomem(err);
	if (sv_dev_read(below, buf, (size_t)n, off, err) < 0)
		return -1;
	return sv_is_zero(buf, (size_t)n) ? 0 : sv_dev_write(v->file, buf, (size_t)n, at, err);
}

/* A range of one block that is not stored yet. NULL bytes: zeros. */
static int write_new(
	struct sv_vdi *v, const void *bytes, uint64_t n, uint64_t off, struct sv_err *err)
{
	uint64_t block = off / v->header.block_size, in = off % v->header.block_size, at;
	uint64_t start = off - in, full = SV_MIN(v->header.block_size, v->header.size - start);
	bool zeros = v->map[block] == SV_VDI_ZERO;
	uint32_t place;

	if (sv_vdi_add_place(v, &place, err) < 0)
		return -1;
	at = sv_vdi_place_at(v, place);
	if (bytes && sv_dev_write(v->file, bytes, (size_t)n, at + in, err) < 0)
		return -1;
	if (!zeros && (fill(v, start, in, at, err) < 0 ||
			      fill(v, off + n, full - in - n, at + in + n, err) < 0))
		return -1;
	return sv_vdi_set_entry(v, block, place, err);
}

static int write_range(
	struct sv_vdi *v, const uint8_t *bytes, uint64_t n, uint64_t off, struct sv_err *err)
{
	while (n) {
		uint64_t in_block = v->header.block_size - off % v->header.block_size;
		struct sv_run run;
		int rc;

		if (sv_vdi_map(&v->link, off, n, false, &run, err) < 0)
			return -1;
		if (run.kind != SV_RUN_DATA) {
			run.length = SV_MIN(run.length, in_block);
			rc = write_new(v, bytes, run.length, off, err);
		} else if (bytes) {
			rc = sv_dev_write(
				v->file, bytes, (size_t)run.length, run.host_offset, err);
		} else {
			rc = sv_dev_discard(v->file, run.host_offset, run.length, err);
		}
		if (rc < 0)
			return -1;
		bytes = bytes ? bytes + run.length : NULL;
		off += run.length;
		n -= run.length;
	}
	return 0;
}

int sv_vdi_write(struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct sv_vdi *v = (struct sv_vdi *)l;

	return sv_vdi_begin_change(v, err) < 0 ? -1 : write_range(v, buf, n, off, err);
}

/* ---- discard ---- */

/* How far from off the parents show zeros; 0 where they do not. */
static int zeros_below(
	struct sv_vdi *v, uint64_t off, uint64_t len, uint64_t *ret, struct sv_err *err)
{
	struct sv_dev *below = v->link.below;
	struct sv_extent e;

	*ret = len;
	if (!below || off >= sv_dev_size(below))
		return 0;
	if (sv_dev_extent(below, off, len, &e, err) < 0)
		return -1;
	*ret = e.kind == SV_EXTENT_DATA ? 0 : e.length;
	return 0;
}

/* A range of blocks that are the parent's: whole ones are marked as zeros. */
static int hide(struct sv_vdi *v, uint64_t off, uint64_t *len, struct sv_err *err)
{
	uint64_t block = off / v->header.block_size, in = off % v->header.block_size;
	uint64_t full = SV_MIN(v->header.block_size, v->header.size - (off - in)), zeros;

	if (zeros_below(v, off, *len, &zeros, err) < 0)
		return -1;
	if (zeros) {
		*len = zeros;
		return 0;
	}
	*len = SV_MIN(*len, full - in);
	if (*len == full)
		return sv_vdi_set_entry(v, block, SV_VDI_ZERO, err);
	return write_range(v, NULL, *len, off, err);
}

int sv_vdi_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct sv_vdi *v = (struct sv_vdi *)l;

	if (sv_vdi_begin_change(v, err) < 0)
		return -1;
	while (len) {
		struct sv_run run;
		int rc = 0;

		if (sv_vdi_map(l, off, len, false, &run, err) < 0)
			return -1;
		if (run.kind == SV_RUN_DATA)
			rc = sv_dev_discard(v->file, run.host_offset, run.length, err);
		else if (run.kind == SV_RUN_ABSENT)
			rc = hide(v, off, &run.length, err);
		if (rc < 0)
			return -1;
		off += run.length;
		len -= run.length;
	}
	return 0;
}
