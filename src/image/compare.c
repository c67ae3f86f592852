/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See compare.h. The owner walks both disks and cuts what has to be looked at into pieces; a
 * ring of them is read and compared by workers, and looked at in the order of the disk, so that
 * the first difference is the first.
 */
#include "image/compare.h"
#include "image/walk.h"

#include "base/num.h"
#include "base/pool.h"

#include <string.h>

#define STAGE "comparing"
#define PIECE SV_MIB
#define RING  8

struct compare {
	struct sv_dev *a, *b;
	struct sv_walk walk_a, walk_b;
	struct sv_pool *pool;
	struct sv_job *job;
	uint64_t pos, end; /* of the walk; the larger size */
	struct sv_compare_result result;
};

struct piece {
	struct sv_work work;
	struct compare *c;
	bool busy;
	uint64_t off;
	size_t n;
	bool read_a, read_b; /* else zeros */
	uint8_t *buf_a, *buf_b;
	bool differs;
	uint64_t first;
};

/* ---- in the workers ---- */

/* The first byte that differs, of two ranges that do. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t low = 0;

	/* halves, as long as that saves anything */
	while (n > 64) {
		size_t half = n / 2;

		if (memcmp(a + low, b + low, half) == 0) {
			low += half;
			n -= half;
		} else {
			n = half;
		}
	}
	while (a[low] == b[low])
		low++;
	return low;
}

static int run_piece(struct sv_work *w, unsigned worker, struct sv_err *err)
{
	struct piece *p = (struct piece *)w;

	(void)worker;
	if (p->read_a && sv_dev_read(p->c->a, p->buf_a, p->n, p->off, err) < 0)
		return -1;
	if (p->read_b && sv_dev_read(p->c->b, p->buf_b, p->n, p->off, err) < 0)
		return -1;
	if (!p->read_a || !p->read_b) {
		uint8_t *read = p->read_a ? p->buf_a : p->buf_b;

		p->differs = !sv_is_zero(read, p->n);
		if (!p->differs)
			return 0;
		memset(p->read_a ? p->buf_b : p->buf_a, 0, p->n);
	} else {
		p->differs = memcmp(p->buf_a, p->buf_b, p->n) != 0;
	}
	if (p->differs)
		p->first = p->off + first_difference(p->buf_a, p->buf_b, p->n);
	return 0;
}

/* ---- the walk ---- */

/* The next piece that has data on either side; n is 0 at the end. */
static int next_piece(struct compare *c, struct piece *p, struct sv_err *err)
{
	p->n = 0;
	while (c->pos < c->end) {
		struct sv_extent a, b;
		uint64_t n;

		if (sv_job_check(c->job, err) < 0 ||
			sv_walk_at(&c->walk_a, c->pos, c->end, &a, err) < 0 ||
			sv_walk_at(&c->walk_b, c->pos, c->end, &b, err) < 0)
			return -1;
		p->read_a = a.kind == SV_EXTENT_DATA;
		p->read_b = b.kind == SV_EXTENT_DATA;
		n = SV_MIN(a.length, b.length);
		if (p->read_a || p->read_b)
			n = SV_MIN(n, PIECE - c->pos % PIECE);
		p->off = c->pos;
		c->pos += n;
		if (!p->read_a && !p->read_b)
			continue;
		p->n = (size_t)n;
		c->result.read += n * (uint64_t)(p->read_a + p->read_b);
		return 0;
	}
	return 0;
}

static int wait_for(struct piece *p, struct sv_err *err)
{
	if (!p->busy)
		return 0;
	p->busy = false;
	if (sv_pool_wait(p->c->pool, &p->work, err) < 0)
		return -1;
	sv_job_progress(p->c->job, STAGE, p->off + p->n, p->c->end);
	if (!p->differs)
		return 0;
	p->c->result.first = p->first;
	p->c->result.equal = false;
	return 0;
}

static int run_ring(struct compare *c, struct piece *ring, struct sv_err *err)
{
	size_t turn = 0;

	/* waits for each piece in the order in which they were begun */
	for (;; turn++) {
		struct piece *p = &ring[turn % RING];

		if (wait_for(p, err) < 0)
			return -1;
		if (!c->result.equal)
			return 0;
		if (next_piece(c, p, err) < 0)
			return -1;
		if (!p->n)
			break;
		p->differs = false;
		p->busy = true;
		p->work.run = run_piece;
		sv_pool_submit(c->pool, &p->work);
	}
	for (size_t i = 1; i < RING && c->result.equal; i++) {
		if (wait_for(&ring[(turn + i) % RING], err) < 0)
			return -1;
	}
	return 0;
}

static int with_ring(struct compare *c, struct sv_err *err)
{
	struct piece *ring = calloc(RING, sizeof *ring);
	int rc = ring ? 0 : sv_fail_nomem(err);

	for (size_t i = 0; i < RING && !rc; i++) {
		ring[i].c = c;
		ring[i].buf_a = malloc(PIECE);
		ring[i].buf_b = malloc(PIECE);
		if (!ring[i].buf_a || !ring[i].buf_b)
			rc = sv_fail_nomem(err);
	}
	if (!rc)
		rc = run_ring(c, ring, err);
	sv_pool_free(c->pool); /* before what it works on */
	for (size_t i = 0; ring && i < RING; i++) {
		free(ring[i].buf_a);
		free(ring[i].buf_b);
	}
	free(ring);
	return rc;
}

int sv_image_compare(struct sv_dev *a, struct sv_dev *b, const struct sv_compare_opts *opts,
	struct sv_job *job, struct sv_compare_result *ret, struct sv_err *err)
{
	uint64_t size_a = sv_dev_size(a), size_b = sv_dev_size(b);
	struct compare c = {.a = a,
		.b = b,
		.walk_a = {.dev = a},
		.walk_b = {.dev = b},
		.job = job,
		.end = SV_MAX(size_a, size_b)};

	c.result =
		(struct sv_compare_result){.equal = true, .size_a = size_a, .size_b = size_b};
	c.pool = sv_pool_new(opts->threads, err);
	if (!c.pool || with_ring(&c, err) < 0)
		return -1;
	if (c.result.equal && size_a != size_b) {
		c.result.only_size = true;
		c.result.equal = !opts->strict;
		c.result.first = SV_MIN(size_a, size_b);
	}
	*ret = c.result;
	return 0;
}
