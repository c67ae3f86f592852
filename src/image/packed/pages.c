/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stream as a device. Pages that were unpacked lately are kept, those that lay on the way to
 * the page that was asked for, too: the readers of a conversion are not quite in order. One
 * mutex guards it all; nothing is called under it but the stream and the file below.
 */
#include "image/packed/packed.h"

#include <pthread.h>
#include <string.h>

#define SLOTS 24 /* 6 MiB */
#define NEAR  12 /* pages on the way that are kept, and not all others thrown out for */

struct slot {
	uint64_t page, used; /* used: when, by the clock; 0: it is empty */
	uint8_t *bytes;
};

struct pages {
	struct sv_dev dev;
	struct sv_stream *stream;
	struct sv_dev *file; /* the stream's */
	pthread_mutex_t lock;
	uint64_t clock;
	uint64_t at;  /* of the stream's next byte */
	bool lost;    /* the stream failed: it must be placed anew */
	uint8_t *bin; /* for bytes that nobody wants */
	struct slot slots[SLOTS];
};

static struct pages *of(struct sv_dev *d)
{
	return (struct pages *)d;
}

static size_t page_size(const struct pages *p, uint64_t page)
{
	return (size_t)SV_MIN(SV_PACKED_PAGE, p->stream->size - page * SV_PACKED_PAGE);
}

static bool is_zero_page(const struct pages *p, uint64_t page)
{
	const uint8_t *bits = p->stream->data_pages;

	return bits && !(bits[page / 8] >> page % 8 & 1);
}

/* ---- what is kept ---- */

static struct slot *find_slot(struct pages *p, uint64_t page)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (p->slots[i].used && p->slots[i].page == page)
			return &p->slots[i];
	}
	return NULL;
}

/* The slot that was not used for the longest time, now empty. */
static struct slot *free_slot(struct pages *p, struct sv_err *err)
{
	struct slot *oldest = &p->slots[0];

	for (size_t i = 1; i < SLOTS; i++) {
		if (p->slots[i].used < oldest->used)
			oldest = &p->slots[i];
	}
	if (!oldest->bytes)
		oldest->bytes = malloc(SV_PACKED_PAGE);
	if (!oldest->bytes) {
		sv_fail_nomem(err);
		return NULL;
	}
	oldest->used = 0;
	return oldest;
}

/* ---- unpacking ---- */

static int take(struct pages *p, void *buf, size_t n, struct sv_err *err)
{
	p->lost = p->stream->kind->next(p->stream, buf, n, err) < 0;
	p->at += n;
	return p->lost ? -1 : 0;
}

/* Until the next byte to come is the one at `off`. */
static int skip_to(struct pages *p, uint64_t off, struct sv_err *err)
{
	while (p->at < off) {
		if (take(p, p->bin, (size_t)SV_MIN(off - p->at, SV_PACKED_PAGE), err) < 0)
			return -1;
	}
	return 0;
}

/* The stream goes on from where it is, unless there is a start that is nearer. */
static int place(struct pages *p, uint64_t off, struct sv_err *err)
{
	bool back = p->lost || p->at > off;

	if (!back && p->stream->kind->next_start(p->stream, p->at) > off)
		return 0;
	p->lost = p->stream->kind->seek(p->stream, off, &p->at, err) < 0;
	return p->lost ? -1 : 0;
}

static struct slot *unpack_page(struct pages *p, uint64_t page, struct sv_err *err)
{
	struct slot *s = find_slot(p, page);

	if (!s)
		s = free_slot(p, err);
	if (!s || take(p, s->bytes, page_size(p, page), err) < 0)
		return NULL;
	s->page = page;
	s->used = ++p->clock;
	return s;
}

static struct slot *load(struct pages *p, uint64_t page, struct sv_err *err)
{
	uint64_t first, off = page * SV_PACKED_PAGE;
	struct slot *s = NULL;

	if (place(p, off, err) < 0)
		return NULL;
	first = sv_div_up(p->at, SV_PACKED_PAGE);
	if (page - first > NEAR)
		first = page - NEAR;
	if (skip_to(p, first * SV_PACKED_PAGE, err) < 0)
		return NULL;
	for (; first <= page; first++) {
		s = unpack_page(p, first, err);
		if (!s)
			return NULL;
	}
	return s;
}

static int read_page(struct pages *p, uint8_t *out, size_t n, uint64_t page, size_t within,
	struct sv_err *err)
{
	struct slot *s = find_slot(p, page);

	if (!s)
		s = load(p, page, err);
	if (!s)
		return -1;
	s->used = ++p->clock;
	memcpy(out, s->bytes + within, n);
	return 0;
}

/* ---- the device ---- */

static int pages_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct pages *p = of(d);
	uint8_t *out = buf;
	int rc = 0;

	while (n && rc == 0) {
		uint64_t page = off / SV_PACKED_PAGE;
		size_t within = (size_t)(off % SV_PACKED_PAGE);
		size_t len = SV_MIN(n, page_size(p, page) - within);

		if (is_zero_page(p, page)) {
			memset(out, 0, len);
		} else {
			pthread_mutex_lock(&p->lock);
			rc = read_page(p, out, len, page, within, err);
			pthread_mutex_unlock(&p->lock);
		}
		out += len;
		off += len;
		n -= len;
	}
	return rc < 0 ? sv_err_path(err, d->name) : 0;
}

static int pages_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	const struct pages *p = of(d);
	uint64_t page = off / SV_PACKED_PAGE, end = off + max;
	bool zero = is_zero_page(p, page);

	(void)err;
	while (p->stream->data_pages && page * SV_PACKED_PAGE < end &&
		is_zero_page(p, page) == zero)
		page++;
	if (p->stream->data_pages)
		end = SV_MIN(end, page * SV_PACKED_PAGE);
	*ret = (struct sv_extent){.start = off,
		.length = end - off,
		.kind = zero ? SV_EXTENT_ZERO : SV_EXTENT_DATA,
		.host_offset = SV_NO_HOST_OFFSET};
	return 0;
}

static void pages_close(struct sv_dev *d)
{
	struct pages *p = of(d);

	for (size_t i = 0; i < SLOTS; i++)
		free(p->slots[i].bytes);
	free(p->bin);
	sv_stream_close(p->stream);
	sv_dev_close(p->file);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct sv_dev_ops pages_ops = {
	.kind = "packed disk",
	.pread = pages_pread,
	.extent = pages_extent,
	.close = pages_close,
};

void sv_stream_close(struct sv_stream *s)
{
	if (!s)
		return;
	free(s->data_pages);
	s->kind->close(s);
}

struct sv_dev *sv_pages_open(struct sv_stream *s, struct sv_err *err)
{
	SV_CLEANUP(sv_stream_closep) struct sv_stream *own = s;
	sv_autofree struct pages *p = calloc(1, sizeof *p);
	sv_autofree uint8_t *bin = malloc(SV_PACKED_PAGE);

	if (!p || !bin) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&p->dev, &pages_ops, sv_dev_name(s->file), s->size, false, err) < 0)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	p->lost = true;
	p->bin = SV_STEAL(bin);
	p->file = sv_dev_ref(s->file);
	p->stream = SV_STEAL(own);
	return &SV_STEAL(p)->dev;
}
