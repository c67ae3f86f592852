/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pages of the block table and of sector bitmaps, as many as the cache holds: a page has one
 * slot that it can be in, so that a table of up to 16 MiB is held as a whole.
 */
#include "image/vhdx/vhdx.h"

#include <string.h>

struct sv_vhdx_cached {
	uint64_t page; /* number; UINT64_MAX: none */
	uint8_t bytes[SV_VHDX_PAGE];
};

/* The lock is held. */
static int get_page(
	struct sv_vhdx *v, uint64_t page, struct sv_vhdx_cached **ret, struct sv_err *err)
{
	struct sv_vhdx_cached **slot = &v->cached[page % SV_VHDX_CACHED], *c = *slot;
	uint64_t at = page * SV_VHDX_PAGE;

	if (!c) {
		c = *slot = malloc(sizeof *c);
		if (!c)
			return sv_fail_nomem(err);
		c->page = UINT64_MAX;
	}
	if (c->page != page) {
		c->page = UINT64_MAX;
		if (sv_dev_read(v->file, c->bytes, SV_VHDX_PAGE, at, err) < 0)
			return -1;
		c->page = page;
	}
	*ret = c;
	return 0;
}

/* Who writes sees what he has changed. The lock is held. */
static const uint8_t *find_page(struct sv_vhdx *v, uint64_t page, struct sv_err *err)
{
	struct sv_vhdx_cached *c = NULL;
	const uint8_t *pending = v->pending ? sv_pagemap_get(v->pending, page) : NULL;

	if (pending)
		return pending;
	return get_page(v, page, &c, err) < 0 ? NULL : c->bytes;
}

int sv_vhdx_page_read(struct sv_vhdx *v, uint64_t at, void *buf, size_t n, struct sv_err *err)
{
	const uint8_t *bytes;

	assert(at % SV_VHDX_PAGE + n <= SV_VHDX_PAGE);
	pthread_mutex_lock(&v->lock);
	bytes = find_page(v, at / SV_VHDX_PAGE, err);
	if (bytes)
		memcpy(buf, bytes + at % SV_VHDX_PAGE, n);
	pthread_mutex_unlock(&v->lock);
	return bytes ? 0 : -1;
}

int sv_vhdx_page_write(
	struct sv_vhdx *v, uint64_t at, const void *buf, size_t n, struct sv_err *err)
{
	uint64_t page = at / SV_VHDX_PAGE;
	bool fresh;
	uint8_t *bytes = sv_pagemap_make(v->pending, page, &fresh, err);

	assert(at % SV_VHDX_PAGE + n <= SV_VHDX_PAGE);
	if (!bytes)
		return -1;
	if (fresh && sv_dev_read(v->file, bytes, SV_VHDX_PAGE, page * SV_VHDX_PAGE, err) < 0) {
		sv_pagemap_drop(v->pending, page);
		return -1;
	}
	memcpy(bytes + at % SV_VHDX_PAGE, buf, n);
	return 0;
}

int sv_vhdx_bytes_write(
	struct sv_vhdx *v, uint64_t at, const void *buf, size_t n, struct sv_err *err)
{
	const uint8_t *bytes = buf;

	while (n) {
		size_t now = (size_t)SV_MIN((uint64_t)n, SV_VHDX_PAGE - at % SV_VHDX_PAGE);

		if (sv_vhdx_page_write(v, at, bytes, now, err) < 0)
			return -1;
		at += now;
		bytes += now;
		n -= now;
	}
	return 0;
}

int sv_vhdx_pages_apply(struct sv_vhdx *v, struct sv_err *err)
{
	for (uint64_t page = 0; sv_pagemap_next(v->pending, page, &page); page++) {
		if (sv_dev_write(v->file, sv_pagemap_get(v->pending, page), SV_VHDX_PAGE,
			    page * SV_VHDX_PAGE, err) < 0)
			return -1;
	}
	/* what is in its place need not be kept, nor what was read there before */
	sv_vhdx_pages_drop(v);
	sv_vhdx_pages_forget(v);
	return 0;
}

void sv_vhdx_pages_drop(struct sv_vhdx *v)
{
	for (uint64_t page = 0; sv_pagemap_next(v->pending, page, &page);)
		sv_pagemap_drop(v->pending, page);
}

void sv_vhdx_pages_forget(struct sv_vhdx *v)
{
	for (size_t i = 0; i < SV_VHDX_CACHED; i++) {
		if (v->cached[i])
			v->cached[i]->page = UINT64_MAX;
	}
}

void sv_vhdx_pages_free(struct sv_vhdx *v)
{
	for (size_t i = 0; i < SV_VHDX_CACHED; i++)
		free(v->cached[i]);
}

/* ---- the block table ---- */

/* A block lies in the file's room for blocks: not on what the format keeps elsewhere. */
static bool on_structure(const struct sv_vhdx *v, uint64_t at, uint64_t n)
{
	return at < SV_VHDX_UNIT || sv_overlaps(at, n, v->header.log_at, v->header.log_size) ||
	       sv_overlaps(at, n, sv_vhdx_bat(v)->at, sv_vhdx_bat(v)->length) ||
	       sv_overlaps(at, n, sv_vhdx_metadata(v)->at, sv_vhdx_metadata(v)->length);
}

static int check_entry(const struct sv_vhdx *v, uint64_t index, const struct sv_vhdx_entry *e,
	uint64_t n, struct sv_err *err)
{
	const char *name = sv_dev_name(v->file);

	if (e->state == 4 || e->state == 5)
		return sv_fail_at(err, SV_CORRUPT, name, sv_vhdx_entry_at(v, index),
			"entry %llu of the block table has the unknown state %u",
			(unsigned long long)index, e->state);
	if (!sv_vhdx_has_place(e->state))
		return 0;
	if (e->at <= SV_VHDX_FILE_MAX && !on_structure(v, e->at, n) &&
		e->at < sv_dev_size(v->file))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, name, sv_vhdx_entry_at(v, index),
		"entry %llu of the block table says byte %llu: that is beyond the file's end "
		"(%llu), or on its tables",
		(unsigned long long)index, (unsigned long long)e->at,
		(unsigned long long)sv_dev_size(v->file));
}

static int read_entry(struct sv_vhdx *v, uint64_t index, uint64_t n, struct sv_vhdx_entry *ret,
	struct sv_err *err)
{
	uint8_t raw[8];

	if (sv_vhdx_page_read(v, sv_vhdx_entry_at(v, index), raw, sizeof raw, err) < 0)
		return -1;
	*ret = sv_vhdx_entry_load(raw);
	return check_entry(v, index, ret, n, err);
}

int sv_vhdx_block_entry(
	struct sv_vhdx *v, uint64_t block, struct sv_vhdx_entry *ret, struct sv_err *err)
{
	uint64_t index = sv_vhdx_index(&v->params, block);

	if (read_entry(v, index, v->params.block, ret, err) < 0)
		return -1;
	if (ret->state != SV_VHDX_PARTIAL || v->params.has_parent)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file), sv_vhdx_entry_at(v, index),
		"block %llu is said to be stored in part, but the disk has no parent",
		(unsigned long long)block);
}

int sv_vhdx_bitmap_entry(
	struct sv_vhdx *v, uint64_t block, struct sv_vhdx_entry *ret, struct sv_err *err)
{
	uint64_t index = sv_vhdx_bitmap_index(&v->params, block);

	if (read_entry(v, index, SV_VHDX_BITMAP, ret, err) < 0)
		return -1;
	if (ret->state == SV_VHDX_FULL && sv_in_range(ret->at, SV_VHDX_BITMAP, v->file->size))
		return 0;
	if (ret->state == SV_VHDX_NOT_PRESENT)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file), sv_vhdx_entry_at(v, index),
		"the sector bitmap of block %llu has the state %u at byte %llu",
		(unsigned long long)block, ret->state, (unsigned long long)ret->at);
}

int sv_vhdx_set_entry(
	struct sv_vhdx *v, uint64_t index, struct sv_vhdx_entry e, struct sv_err *err)
{
	uint8_t raw[8];

	sv_vhdx_entry_store(raw, e);
	return sv_vhdx_page_write(v, sv_vhdx_entry_at(v, index), raw, sizeof raw, err);
}

struct sv_vhdx_bit sv_vhdx_bit_of(const struct sv_vhdx *v, uint64_t bitmap_at, uint64_t off)
{
	uint64_t covers = SV_VHDX_BITMAP * 8 * v->params.sector;
	uint64_t bit = off % covers / v->params.sector;

	return (struct sv_vhdx_bit){bitmap_at + bit / 8 / SV_VHDX_PAGE * SV_VHDX_PAGE,
		(uint32_t)(bit % (SV_VHDX_PAGE * 8))};
}
