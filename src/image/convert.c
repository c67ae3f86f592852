/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Conversion, carried out: see convert.h. A flattened chain is one device to read from. A kept
 * chain is made from its base on: each link is a new delta over the new image before, and gets
 * what the old link holds; where that is a part of a block, the driver fills it up from below,
 * as with any write.
 */
#include "image/convert_plan.h"
#include "image/driver.h"
#include "image/fill.h"
#include "image/publish.h"
#include "image/walk.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define STAGE "converting"
#define CHUNK SV_MIB        /* of a delta, aligned to itself */
#define UNIT  (64 * SV_KIB) /* zeros are looked for in */

struct run {
	struct sv_convert *c;
	struct sv_publish *publish;
	struct sv_job *job;
	struct sv_fill_stats stats;
	uint64_t host_size;
};

/* ---- making the images ---- */

static char *place_of(const struct run *r, size_t i)
{
	return sv_publish_place(r->publish, sv_path_base(r->c->plan.images[i].to));
}

/* Image i, empty, over the one before. */
static int make_image(struct run *r, size_t i, struct sv_image *parent, struct sv_err *err)
{
	const struct sv_convert_plan *p = &r->c->plan;
	const struct sv_image_spec spec = {
		.format = p->format,
		.subformat = parent || !*p->subformat ? NULL : p->subformat,
		.size = p->images[i].size,
		.parent = parent,
		.like = r->c->from,
		.ids = r->c->keep_id ? SV_IDS_KEPT : SV_IDS_NEW,
	};
	sv_autofree char *path = place_of(r, i);

	if (!path)
		return sv_fail_nomem(err);
	return sv_image_create(r->c->host, path, &spec, err);
}

static int open_made(
	struct run *r, size_t i, bool writable, struct sv_image **ret, struct sv_err *err)
{
	const struct sv_image_opts opts = {.writable = writable, .format = r->c->plan.format};
	sv_autofree char *path = place_of(r, i);

	if (!path)
		return sv_fail_nomem(err);
	return sv_image_open(r->c->host, path, &opts, ret, err);
}

/* ---- deltas ---- */

/* Bytes of the guest's disk that the old link holds. */
struct held {
	struct run *run;
	struct sv_dev *from, *to;
	uint64_t off;
	uint8_t *buf;
};

/* One run of units that are all zeros, or all not. */
static int put_run(struct held *h, size_t at, size_t n, bool zeros, struct sv_err *err)
{
	if (zeros)
		return sv_dev_discard(h->to, h->off + at, n, err);
	h->run->stats.written += n;
	return sv_dev_write(h->to, h->buf + at, n, h->off + at, err);
}

static int put_chunk(struct held *h, size_t n, struct sv_err *err)
{
	size_t end;

	for (size_t at = 0; at < n; at = end) {
		bool zeros = sv_is_zero(h->buf + at, SV_MIN(UNIT, n - at));

		for (end = at + UNIT; end < n; end += UNIT)
			if (sv_is_zero(h->buf + end, SV_MIN(UNIT, n - end)) != zeros)
				break;
		end = SV_MIN(end, n);
		if (put_run(h, at, end - at, zeros, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_extent(struct held *h, struct sv_extent *e, struct sv_err *err)
{
	struct sv_fill_stats *stats = &h->run->stats;

	if (e->depth) /* a parent's */
		return 0;
	if (e->kind != SV_EXTENT_DATA)
		return sv_dev_discard(h->to, e->start, e->length, err);
	e->length = SV_MIN(e->length, CHUNK - e->start % CHUNK);
	h->off = e->start;
	if (sv_dev_read(h->from, h->buf, (size_t)e->length, e->start, err) < 0)
		return -1;
	stats->read += e->length;
	sv_job_progress(h->run->job, STAGE, SV_MIN(stats->read, h->run->c->plan.data),
		h->run->c->plan.data);
	return put_chunk(h, (size_t)e->length, err);
}

/* What the first link of the chain `from` holds. */
static int copy_delta(struct run *r, struct sv_dev *from, struct sv_dev *to, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(CHUNK);
	struct held h = {.run = r, .from = from, .to = to, .buf = buf};
	struct sv_walk walk = {.dev = from};
	uint64_t size = sv_dev_size(from);
	struct sv_extent e;

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t off = 0; off < size; off += e.length) {
		if (sv_job_check(r->job, err) < 0 ||
			sv_walk_at(&walk, off, size, &e, err) < 0 ||
			copy_extent(&h, &e, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- one image after the other ---- */

static int fill_base(
	struct run *r, size_t i, struct sv_dev *from, struct sv_image *to, struct sv_err *err)
{
	const struct sv_fill_opts opts = {
		.expected = r->c->plan.images[i].data,
		.threads = r->c->threads,
		.stage = STAGE,
	};

	return sv_image_fill(from, to, &opts, r->job, &r->stats, err);
}

/* What the old chain shows from the link of image i on. */
static struct sv_dev *old_view(const struct run *r, size_t i, struct sv_err *err)
{
	struct sv_image *from = r->c->from;
	size_t n = r->c->keep_chain ? i + 1 : sv_image_links(from);
	size_t first = sv_image_links(from) - n;

	return sv_image_view(from, first, err);
}

static int fill_image(struct run *r, size_t i, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *to = NULL;
	sv_autodev struct sv_dev *from = old_view(r, i, err);

	if (!from || open_made(r, i, true, &to, err) < 0)
		return -1;
	if ((i ? copy_delta(r, from, sv_image_dev(to), err) : fill_base(r, i, from, to, err)) <
		0)
		return -1;
	return sv_dev_flush(sv_image_dev(to), err);
}

/* Makes all images, and fills them unless it is a rehearsal. */
static int make_all(struct run *r, bool rehearsal, struct sv_err *err)
{
	for (size_t i = 0; i < r->c->plan.n_images; i++) {
		SV_CLEANUP(sv_image_closep) struct sv_image *parent = NULL;

		if (i && open_made(r, i - 1, false, &parent, err) < 0)
			return -1;
		if (make_image(r, i, parent, err) < 0)
			return -1;
		if (!rehearsal && !i && sv_publish_check(r->publish, err) < 0)
			return -1;
		if (!rehearsal && fill_image(r, i, err) < 0)
			return -1;
	}
	return sv_publish_check(r->publish, err);
}

static int write_whole(struct run *r, struct sv_err *err)
{
	const struct sv_convert_plan *p = &r->c->plan;
	const struct sv_image_spec spec = {
		.format = p->format,
		.subformat = p->subformat,
		.like = r->c->from,
		.ids = r->c->keep_id ? SV_IDS_KEPT : SV_IDS_NEW,
	};
	struct sv_dev *from = sv_image_dev(r->c->from);
	sv_autofree char *path = place_of(r, 0);

	if (!path)
		return sv_fail_nomem(err);
	r->stats.read = p->data;
	return sv_image_write_whole(r->c->host, path, &spec, from, r->job, err);
}

/* What a format refuses of a chain, it refuses when the links are made: all are made once,
 * empty, before the first is filled. */
static int rehearse(struct run *r, struct sv_err *err)
{
	if (r->c->plan.n_images == 1)
		return 0;
	if (make_all(r, true, err) < 0)
		return -1;
	return sv_publish_clear(r->publish, err);
}

static int run(struct run *r, struct sv_err *err)
{
	const struct sv_convert_plan *p = &r->c->plan;

	if (sv_image_is_whole(p->format, p->subformat)) {
		if (write_whole(r, err) < 0)
			return -1;
	} else if (rehearse(r, err) < 0 || make_all(r, false, err) < 0) {
		return -1;
	}
	if (sv_publish_size(r->publish, &r->host_size, err) < 0 ||
		sv_publish_end(r->publish, err) < 0)
		return -1;
	sv_job_progress(r->job, STAGE, p->data, p->data);
	return 0;
}

int sv_convert_run(struct sv_convert *c, struct sv_job *job, struct sv_convert_result *ret,
	struct sv_err *err)
{
	SV_CLEANUP(sv_publish_closep) struct sv_publish *publish = NULL;
	struct run r = {.c = c, .job = job};

	if (sv_publish_begin(c->host, c->to, &publish, err) < 0)
		return -1;
	r.publish = publish;
	if (run(&r, err) < 0)
		return -1;
	if (ret)
		*ret = (struct sv_convert_result){r.stats.read, r.stats.written, r.host_size};
	return 0;
}
