/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sector bitmaps and the block table while an image is open, and the order in which changes of
 * them reach the file (vhd.h). The slots are direct-mapped; the bitmap of a block that the
 * file's table does not name yet may be written at any time, that of any other only after the
 * data, which is what sv_vhd_flush() does.
 */
#include "image/vhd/vhd.h"

#include <string.h>

#define SLOTS_READ  64
#define SLOTS_WRITE 4096 /* 8 GiB of blocks that follow each other */

static bool is_fresh(const struct sv_vhd *v, uint64_t block)
{
	return v->fresh && (v->fresh[block / 8] >> (block % 8) & 1);
}

/* ---- slots ---- */

static int make_slots(struct sv_vhd *v, struct sv_err *err)
{
	if (v->slots)
		return 0;
	v->n_slots = v->link.writable ? SLOTS_WRITE : SLOTS_READ;
	v->slots = calloc(v->n_slots, sizeof *v->slots);
	return v->slots ? 0 : sv_fail_nomem(err);
}

static uint64_t bits_at(const struct sv_vhd *v, uint64_t block, uint64_t unit)
{
	return v->bat[block] * SV_SECTOR + unit * SV_SECTOR;
}

static int write_slot(struct sv_vhd *v, struct sv_vhd_bits *s, struct sv_err *err)
{
	if (sv_dev_write(
		    v->file, s->bytes, sizeof s->bytes, bits_at(v, s->block, s->unit), err) < 0)
		return -1;
	s->dirty = false;
	return 0;
}

/* The slot with the bitmap's bytes. Only a writer meets dirty slots, and it is alone. */
static int get_slot(struct sv_vhd *v, uint64_t block, uint64_t unit, struct sv_vhd_bits **ret,
	struct sv_err *err)
{
	uint64_t units = v->header.bitmap_size / SV_SECTOR;
	struct sv_vhd_bits *s;

	if (make_slots(v, err) < 0)
		return -1;
	s = &v->slots[(block * units + unit) % v->n_slots];
	*ret = s;
	if (s->used && s->block == block && s->unit == unit)
		return 0;
	if (s->dirty && (is_fresh(v, s->block) ? write_slot(v, s, err)
					       : sv_vhd_flush(&v->link, err)) < 0)
		return -1;
	s->used = false;
	if (sv_dev_read(v->file, s->bytes, sizeof s->bytes, bits_at(v, block, unit), err) < 0)
		return -1;
	s->block = block;
	s->unit = unit;
	s->used = true;
	return 0;
}

int sv_vhd_bits_get(struct sv_vhd *v, uint64_t block, uint64_t unit, uint8_t ret[SV_SECTOR],
	struct sv_err *err)
{
	struct sv_vhd_bits *s;
	int rc;

	pthread_mutex_lock(&v->lock);
	rc = get_slot(v, block, unit, &s, err);
	if (!rc)
		memcpy(ret, s->bytes, sizeof s->bytes);
	pthread_mutex_unlock(&v->lock);
	return rc;
}

int sv_vhd_bits_set(struct sv_vhd *v, uint64_t block, uint64_t unit, uint64_t first, uint64_t n,
	struct sv_err *err)
{
	struct sv_vhd_bits *s;

	if (get_slot(v, block, unit, &s, err) < 0)
		return -1;
	for (uint64_t i = first; i < first + n; i++) {
		if (sv_vhd_bit(s->bytes, i))
			continue;
		s->bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
		s->dirty = true;
		v->dirty = true;
	}
	return 0;
}

int sv_vhd_add_fresh(struct sv_vhd *v, uint64_t block, struct sv_err *err)
{
	if (v->n_fresh == v->cap_fresh) {
		size_t cap = v->cap_fresh * 2 + 64;
		uint32_t *grown = realloc(v->fresh_list, cap * sizeof *grown);

		if (!grown)
			return sv_fail_nomem(err);
		v->fresh_list = grown;
		v->cap_fresh = cap;
	}
	v->fresh_list[v->n_fresh++] = (uint32_t)block;
	v->fresh[block / 8] |= (uint8_t)(1 << block % 8);
	v->dirty = true;
	return 0;
}

/* ---- flush ---- */

static int write_slots(struct sv_vhd *v, bool fresh, bool *ret_any, struct sv_err *err)
{
	for (size_t i = 0; v->slots && i < v->n_slots; i++) {
		struct sv_vhd_bits *s = &v->slots[i];

		if (!s->dirty || is_fresh(v, s->block) != fresh)
			continue;
		*ret_any = true;
		if (write_slot(v, s, err) < 0)
			return -1;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Entries [first, first+n) of the table. */
static int write_entries(struct sv_vhd *v, uint32_t first, size_t n, struct sv_err *err)
{
	uint32_t buf[128];

	for (size_t done = 0; done < n;) {
		size_t now = SV_MIN(n - done, SV_ARRAY_LEN(buf));

		for (size_t i = 0; i < now; i++)
			sv_store_be32(&buf[i], v->bat[first + done + i]);
		if (sv_dev_write(v->file, buf, now * 4,
			    v->header.table_at + (first + done) * UINT64_C(4), err) < 0)
			return -1;
		done += now;
	}
	return 0;
}

static int write_fresh_entries(struct sv_vhd *v, struct sv_err *err)
{
	uint32_t *list = v->fresh_list;
	size_t n;

	if (v->n_fresh)
		qsort(list, v->n_fresh, sizeof *list, by_number);
	for (size_t i = 0; i < v->n_fresh; i += n) {
		for (n = 1; i + n < v->n_fresh && list[i + n] == list[i] + n; n++)
			;
		if (write_entries(v, list[i], n, err) < 0)
			return -1;
	}
	return 0;
}

int sv_vhd_flush(struct sv_link *l, struct sv_err *err)
{
	struct sv_vhd *v = (struct sv_vhd *)l;
	bool any = v->n_fresh != 0, ignored;

	if (!v->dirty)
		return 0;
	if (write_slots(v, true, &ignored, err) < 0 || sv_dev_flush(v->file, err) < 0)
		return -1;
	if (write_slots(v, false, &any, err) < 0 || write_fresh_entries(v, err) < 0 ||
		(any && sv_dev_flush(v->file, err) < 0))
		return -1;
	for (size_t i = 0; i < v->n_fresh; i++)
		v->fresh[v->fresh_list[i] / 8] &= (uint8_t) ~(1 << v->fresh_list[i] % 8);
	v->n_fresh = 0;
	v->dirty = false;
	return 0;
}
