/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The overlay: keeps writes in a page map above a device that is never written. The sparse
 * memory device is an overlay above nothing.
 */
#include "io/dev.h"

#include "base/num.h"
#include "io/pagemap.h"

#include <string.h>

struct overlay {
	struct sv_dev dev;
	struct sv_dev *under; /* NULL for a memory device */
	uint64_t visible; /* bytes of it that show through; shrinking hides the rest for good */
	struct sv_pagemap *pages;
};

static struct overlay *of(struct sv_dev *d)
{
	return (struct overlay *)d;
}

/* Reads from below; what lies beyond its end is zeros. */
static int read_under(
	struct overlay *o, uint8_t *buf, size_t n, uint64_t off, struct sv_err *err)
{
	size_t inside = off >= o->visible ? 0 : (size_t)SV_MIN(n, o->visible - off);

	memset(buf + inside, 0, n - inside);
	return inside ? sv_dev_read(o->under, buf, inside, off, err) : 0;
}

static int overlay_pread(
	struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct overlay *o = of(d);
	uint8_t *out = buf;
	uint64_t end = off + n;

	while (off < end) {
		uint64_t page = off / SV_PAGE, next;
		const uint8_t *data = sv_pagemap_get(o->pages, page);
		size_t run;

		if (data) {
			run = (size_t)(SV_MIN(end, (page + 1) * SV_PAGE) - off);
			memcpy(out, data + off % SV_PAGE, run);
		} else {
			/* everything up to the next changed page in one read */
			bool more = sv_pagemap_next(o->pages, page, &next);

			run = (size_t)(more ? SV_MIN(end, next * SV_PAGE) - off : end - off);
			if (read_under(o, out, run, off, err) < 0)
				return -1;
		}
		out += run;
		off += run;
	}
	return 0;
}

static uint8_t *make_page(struct overlay *o, uint64_t page, bool whole, struct sv_err *err)
{
	bool fresh;
	uint8_t *data = sv_pagemap_make(o->pages, page, &fresh, err);
	uint64_t start = page * SV_PAGE;

	if (!data || !fresh || whole)
		return data;
	if (read_under(o, data, (size_t)SV_MIN(SV_PAGE, o->dev.size - start), start, err) < 0) {
		sv_pagemap_drop(o->pages, page);
		return NULL;
	}
	return data;
}

static int overlay_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct overlay *o = of(d);
	const uint8_t *in = buf;

	while (n) {
		size_t within = (size_t)(off % SV_PAGE);
		size_t run = SV_MIN(n, (size_t)SV_PAGE - within);
		uint8_t *data = make_page(o, off / SV_PAGE, run == SV_PAGE, err);

		if (!data)
			return sv_err_path(err, d->name);
		memcpy(data + within, in, run);
		in += run;
		off += run;
		n -= run;
	}
	return 0;
}

static int overlay_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	struct overlay *o = of(d);
	uint64_t page = off / SV_PAGE, next;

	if (sv_pagemap_get(o->pages, page)) {
		uint64_t end = page + 1;

		while (end * SV_PAGE < off + max && sv_pagemap_get(o->pages, end))
			end++;
		ret->length = SV_MIN(max, end * SV_PAGE - off);
		ret->kind = SV_EXTENT_DATA;
		return 0;
	}
	if (sv_pagemap_next(o->pages, page, &next))
		max = SV_MIN(max, next * SV_PAGE - off);
	if (off < o->visible)
		return sv_dev_extent(o->under, off, SV_MIN(max, o->visible - off), ret, err);
	ret->length = max;
	ret->kind = SV_EXTENT_HOLE;
	return 0;
}

static int overlay_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	static const uint8_t zeros[SV_PAGE];
	struct overlay *o = of(d);

	while (len) {
		uint64_t run = SV_MIN(len, SV_PAGE - off % SV_PAGE);

		if (run == SV_PAGE && off >= o->visible)
			sv_pagemap_drop(o->pages, off / SV_PAGE);
		else if (overlay_pwrite(d, zeros, (size_t)run, off, err) < 0)
			return -1;
		off += run;
		len -= run;
	}
	return 0;
}

/* Shrinking forgets the pages beyond the new end, so that growing again reads zeros there. */
static int overlay_resize(struct sv_dev *d, uint64_t size, struct sv_err *err)
{
	struct overlay *o = of(d);
	uint64_t page = sv_div_up(size, SV_PAGE);
	uint8_t *last;

	(void)err;
	while (size < d->size && sv_pagemap_next(o->pages, page, &page))
		sv_pagemap_drop(o->pages, page);
	last = size % SV_PAGE ? sv_pagemap_get(o->pages, size / SV_PAGE) : NULL;
	if (last && size < d->size)
		memset(last + size % SV_PAGE, 0, SV_PAGE - size % SV_PAGE);
	o->visible = SV_MIN(o->visible, size);
	return 0;
}

static void overlay_close(struct sv_dev *d)
{
	struct overlay *o = of(d);

	sv_pagemap_free(o->pages);
	sv_dev_close(o->under);
	free(o);
}

static const struct sv_dev_ops overlay_ops = {
	.kind = "overlay",
	.pread = overlay_pread,
	.pwrite = overlay_pwrite,
	.extent = overlay_extent,
	.discard = overlay_discard,
	.resize = overlay_resize,
	.close = overlay_close,
};

static struct sv_dev *open_over(
	struct sv_dev *under, uint64_t size, uint64_t cap, const char *name, struct sv_err *err)
{
	struct overlay *o = calloc(1, sizeof *o);

	if (!o) {
		sv_fail_nomem(err);
		return NULL;
	}
	o->pages = sv_pagemap_new(cap, err);
	if (!o->pages || sv_dev_init(&o->dev, &overlay_ops, name, size, true, err) < 0) {
		sv_pagemap_free(o->pages);
		free(o);
		return NULL;
	}
	o->under = sv_dev_ref(under);
	o->visible = under ? SV_MIN(size, sv_dev_size(under)) : 0;
	return &o->dev;
}

struct sv_dev *sv_overlay_open(
	struct sv_dev *under, uint64_t size, uint64_t cap, const char *name, struct sv_err *err)
{
	return open_over(under, size, cap, name, err);
}

struct sv_dev *sv_sparse_open(uint64_t size, uint64_t cap, const char *name, struct sv_err *err)
{
	return open_over(NULL, size, cap, name, err);
}

/* Bytes [visible, end) of the lower device are hidden by zeros without a page: the overlay
 * shrank and grew again. They count as changed. */
static uint64_t hidden_end(const struct overlay *o)
{
	return o->under ? SV_MIN(o->dev.size, sv_dev_size(o->under)) : 0;
}

static bool is_hidden(const struct overlay *o, uint64_t page)
{
	uint64_t end = hidden_end(o);

	return o->visible < end && page >= o->visible / SV_PAGE &&
	       page < sv_div_up(end, SV_PAGE);
}

/* The first changed page from `page` on. */
static bool next_changed(const struct overlay *o, uint64_t page, uint64_t *ret)
{
	uint64_t hidden = SV_MAX(page, o->visible / SV_PAGE), next;
	bool any = sv_pagemap_next(o->pages, page, &next);

	if (is_hidden(o, hidden) && (!any || hidden < next)) {
		any = true;
		next = hidden;
	}
	if (any)
		*ret = next;
	return any;
}

bool sv_overlay_next(
	struct sv_dev *overlay, uint64_t pos, uint64_t *ret_start, uint64_t *ret_len)
{
	struct overlay *o = of(overlay);
	uint64_t first, end;

	if (pos >= overlay->size || !next_changed(o, pos / SV_PAGE, &first) ||
		first * SV_PAGE >= overlay->size)
		return false;
	for (end = first; is_hidden(o, end) || sv_pagemap_get(o->pages, end);)
		end = is_hidden(o, end) ? sv_div_up(hidden_end(o), SV_PAGE) : end + 1;
	*ret_start = SV_MAX(pos, first * SV_PAGE);
	*ret_len = SV_MIN(end * SV_PAGE, sv_dev_size(overlay)) - *ret_start;
	return true;
}

uint64_t sv_overlay_changed(const struct sv_dev *overlay)
{
	const struct overlay *o = (const struct overlay *)overlay;
	uint64_t end = hidden_end(o);

	return sv_pagemap_count(o->pages) * SV_PAGE + (o->visible < end ? end - o->visible : 0);
}
