/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gzip (RFC 1952): nothing in the file tells how much there is, or where one could begin. It is
 * unpacked once, from end to end, with its checksums; on the way starts are noted, between two
 * blocks of deflate (RFC 1951), with the 32 KiB that the next block may refer to. There are
 * at most POINTS_MAX of them, 16 MiB: where there would be more, every other one is let go.
 * Pages of zeros are noted, too. Several members follow each other without a gap; zeros behind
 * the last are padding (of a tape), anything else is damage.
 */
#include "image/packed/packed.h"

#include <string.h>
#include <zlib.h>

#define POINTS_MAX    512
#define SPACING_FIRST (2 * SV_MIB) /* of the unpacked bytes, between two starts */
#define WINDOW        (32 * SV_KIB)
#define OUT           (64 * SV_KIB) /* a whole part of a page */
#define WITH_HEADER   (15 + 16)     /* windowBits, see zlib.h */
#define RAW_DEFLATE   (-15)
#define TRAILER       8 /* CRC and size of a member */

struct point {
	uint64_t out, in;
	unsigned bits;     /* of the byte before `in` */
	bool member;       /* a member begins here: its header comes first */
	unsigned n_window; /* bytes of window */
	uint8_t *window;
};

struct gzip {
	struct sv_stream stream;
	z_stream z;
	bool raw; /* in a member that was not begun at its header */
	struct sv_packed_in in;
	struct point points[POINTS_MAX];
	size_t n_points;
	uint64_t spacing;
	uint64_t n_pages; /* of data_pages, multiples of 8 */
};

static struct gzip *of(struct sv_stream *s)
{
	return (struct gzip *)s;
}

/* ---- zlib ---- */

static int refuse(struct gzip *g, int rc, struct sv_err *err)
{
	uint64_t pos = sv_packed_pos(&g->in);

	if (rc == Z_MEM_ERROR)
		return sv_fail_nomem(err);
	if (rc == Z_NEED_DICT)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, pos,
			"the gzip stream needs a dictionary, which is nowhere");
	return sv_fail_at(err, SV_CORRUPT, NULL, pos, "the gzip stream is damaged: %s",
		g->z.msg ? g->z.msg : "it goes on where it should end");
}

/* One step; what it leaves of avail_out is room. *ret is zlib's result, Z_OK or Z_STREAM_END.
 */
static int step(struct gzip *g, int flush, int *ret, struct sv_err *err)
{
	int rc;

	if (sv_packed_fill(&g->in, sv_dev_size(g->in.file), err) < 0)
		return -1;
	if (g->in.n == g->in.used) {
		sv_fail_at(err, SV_CORRUPT, NULL, sv_packed_pos(&g->in),
			"the gzip stream is cut off: the file ends within it");
		return sv_hint(err, "copy the file anew from where it came from");
	}
	g->z.next_in = g->in.bytes + g->in.used;
	g->z.avail_in = (unsigned)(g->in.n - g->in.used);
	rc = inflate(&g->z, flush);
	g->in.used = g->in.n - g->z.avail_in;
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return refuse(g, rc, err);
	*ret = rc == Z_STREAM_END ? rc : Z_OK;
	return 0;
}

static int begin(struct gzip *g, bool raw, struct sv_err *err)
{
	int rc = inflateReset2(&g->z, raw ? RAW_DEFLATE : WITH_HEADER);

	g->raw = raw;
	return rc == Z_OK ? 0 : refuse(g, rc, err);
}

/* ---- noting starts ---- */

static void drop_every_other(struct gzip *g)
{
	for (size_t i = 0; i < g->n_points; i++) {
		if (i % 2)
			free(g->points[i].window);
		else
			g->points[i / 2] = g->points[i];
	}
	g->n_points = (g->n_points + 1) / 2;
	g->spacing *= 2;
}

static int note_point(struct gzip *g, uint64_t out, bool member, struct sv_err *err)
{
	sv_autofree uint8_t *window = NULL;
	struct point *p;
	unsigned n = 0;

	if (g->n_points && out - g->points[g->n_points - 1].out < g->spacing)
		return 0;
	if (!member) {
		window = malloc(WINDOW);
		if (!window || inflateGetDictionary(&g->z, window, &n) != Z_OK)
			return sv_fail_nomem(err);
	}
	if (g->n_points == POINTS_MAX)
		drop_every_other(g);
	p = &g->points[g->n_points++];
	*p = (struct point){out, sv_packed_pos(&g->in), 0, member, n, SV_STEAL(window)};
	if (!member)
		p->bits = g->z.data_type & 7;
	return 0;
}

static int note_bytes(
	struct gzip *g, const uint8_t *bytes, size_t n, uint64_t out, struct sv_err *err)
{
	uint64_t page = out / SV_PACKED_PAGE;
	uint8_t **bits = &g->stream.data_pages, *grown;
	uint64_t more = SV_MAX(2 * g->n_pages, UINT64_C(4096));

	if (page >= g->n_pages) {
		grown = realloc(*bits, more / 8);
		if (!grown)
			return sv_fail_nomem(err);
		memset(grown + g->n_pages / 8, 0, (more - g->n_pages) / 8);
		*bits = grown;
		g->n_pages = more;
	}
	if (!sv_is_zero(bytes, n))
		(*bits)[page / 8] |= (uint8_t)(1U << page % 8);
	return 0;
}

/* ---- the way through the whole file ---- */

static int refuse_size(struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, NULL,
		"it unpacks to more than the %llu GiB that are read of a gzip file in place",
		SV_PACKED_SCAN_MAX / SV_GIB);
	return sv_hint(err, "unpack it, and open the disk image that is in it: gunzip -k IN");
}

/* Behind a member: another one, nothing, or padding. */
static int look_behind(struct gzip *g, bool *ret_more, struct sv_err *err)
{
	uint64_t size = sv_dev_size(g->in.file);

	*ret_more = false;
	for (;;) {
		if (sv_packed_fill(&g->in, size, err) < 0)
			return -1;
		if (g->in.n == g->in.used)
			return 0;
		if (g->in.bytes[g->in.used] == 0x1f) {
			*ret_more = true;
			return 0;
		}
		if (!sv_is_zero(g->in.bytes + g->in.used, g->in.n - g->in.used))
			return sv_fail_at(err, SV_CORRUPT, NULL, sv_packed_pos(&g->in),
				"behind the gzip stream lie bytes that are no gzip stream");
		g->in.used = g->in.n;
	}
}

/* One member, whose first byte has the place *out; then its end. */
static int scan_member(struct gzip *g, uint8_t *buf, uint64_t *out, struct sv_err *err)
{
	int rc = Z_OK;

	while (rc != Z_STREAM_END) {
		size_t room = (size_t)(OUT - *out % OUT), n;

		g->z.next_out = buf;
		g->z.avail_out = (unsigned)room;
		if (step(g, Z_BLOCK, &rc, err) < 0)
			return -1;
		n = room - g->z.avail_out;
		if (n && note_bytes(g, buf, n, *out, err) < 0)
			return -1;
		*out += n;
		if (*out > SV_PACKED_SCAN_MAX)
			return refuse_size(err);
		/* between two blocks, none of them the last */
		if ((g->z.data_type & 0xc0) == 0x80 && rc != Z_STREAM_END &&
			note_point(g, *out, false, err) < 0)
			return -1;
	}
	return 0;
}

static int scan(struct gzip *g, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(OUT);
	uint64_t out = 0;
	bool more = true;

	if (!buf)
		return sv_fail_nomem(err);
	while (more) {
		if (begin(g, false, err) < 0 || note_point(g, out, true, err) < 0 ||
			scan_member(g, buf, &out, err) < 0 || look_behind(g, &more, err) < 0)
			return -1;
	}
	g->stream.size = out;
	return 0;
}

/* ---- the stream ---- */

static const struct point *point_at(const struct gzip *g, uint64_t off)
{
	size_t low = 0, high = g->n_points;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (g->points[middle].out <= off)
			low = middle;
		else
			high = middle;
	}
	return &g->points[low];
}

static int gzip_seek(struct sv_stream *s, uint64_t off, uint64_t *ret, struct sv_err *err)
{
	struct gzip *g = of(s);
	const struct point *p = point_at(g, off);
	uint8_t before;

	if (begin(g, !p->member, err) < 0)
		return -1;
	sv_packed_go(&g->in, p->in);
	if (p->bits) {
		if (sv_dev_read(s->file, &before, 1, p->in - 1, err) < 0)
			return -1;
		inflatePrime(&g->z, (int)p->bits, before >> (8 - p->bits));
	}
	if (p->n_window && inflateSetDictionary(&g->z, p->window, p->n_window) != Z_OK)
		return refuse(g, Z_DATA_ERROR, err);
	*ret = p->out;
	return 0;
}

/* The trailer of a member that was begun in its middle was looked at by the scan. */
static int next_member(struct gzip *g, struct sv_err *err)
{
	if (g->raw)
		sv_packed_go(&g->in, sv_packed_pos(&g->in) + TRAILER);
	return begin(g, false, err);
}

static int gzip_next(struct sv_stream *s, void *buf, size_t n, struct sv_err *err)
{
	struct gzip *g = of(s);
	int rc;

	g->z.next_out = buf;
	g->z.avail_out = (unsigned)n;
	while (g->z.avail_out) {
		if (step(g, Z_NO_FLUSH, &rc, err) < 0 ||
			(rc == Z_STREAM_END && next_member(g, err) < 0))
			return -1;
	}
	return 0;
}

static uint64_t gzip_next_start(struct sv_stream *s, uint64_t off)
{
	const struct gzip *g = of(s);
	size_t i = (size_t)(point_at(g, off) - g->points) + 1;

	return i < g->n_points ? g->points[i].out : s->size;
}

static void gzip_close(struct sv_stream *s)
{
	struct gzip *g = of(s);

	for (size_t i = 0; i < g->n_points; i++)
		free(g->points[i].window);
	inflateEnd(&g->z);
	free(g);
}

static struct sv_stream *gzip_open(struct sv_dev *file, struct sv_err *err)
{
	struct gzip *g = calloc(1, sizeof *g);
	int rc;

	if (!g) {
		sv_fail_nomem(err);
		return NULL;
	}
	g->stream.kind = &sv_packed_gzip;
	g->stream.file = g->in.file = file;
	g->spacing = SPACING_FIRST;
	rc = inflateInit2(&g->z, WITH_HEADER);
	if (rc != Z_OK) {
		refuse(g, rc, err);
		free(g);
		return NULL;
	}
	if (scan(g, err) < 0) {
		sv_stream_close(&g->stream);
		return NULL;
	}
	return &g->stream;
}

const struct sv_packed_kind sv_packed_gzip = {
	.open = gzip_open,
	.close = gzip_close,
	.seek = gzip_seek,
	.next = gzip_next,
	.next_start = gzip_next_start,
};
