/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pipeline of fill.h. One thread, the owner, walks the source, gives places and waits; a
 * ring of pieces is in flight:
 *
 *	owner: next piece ──> worker: read, look for zeros
 *	owner: give places, in order ──> worker: write
 *
 * Half of the ring is being read while the other half is being written. A device that takes
 * only one writer is written by the owner itself.
 */
#include "image/fill.h"
#include "image/driver.h"
#include "image/walk.h"

#include "base/num.h"
#include "base/pool.h"

#include <string.h>
#include <sys/mman.h>

/* Guest bytes, aligned to themselves; in memory too, where they are one page of the larger
 * kind. */
#define PIECE      (2 * SV_MIB)
#define RING       8          /* pieces in flight */
#define AHEAD      (RING / 2) /* of which are being read */
#define UNIT_MIN   UINT64_C(512)
#define UNIT_MAX   (64 * SV_KIB)
#define UNITS_MAX  (PIECE / UNIT_MIN)
#define STRETCHES  64 /* of a piece; where there are more the last takes the rest */
#define REACH_STEP (64 * SV_MIB)
/* Shorter runs of zeros between data are written: a hole of the host's file costs more. */
#define HOLE_MIN (32 * SV_KIB)

/* Bytes of a piece and their place. */
struct part {
	uint8_t *bytes;
	size_t n;
	struct sv_dev *dev;
	uint64_t at;
};

/* Bytes of a piece that the source says are data. */
struct stretch {
	size_t at, n;
};

struct piece {
	struct sv_work work;
	struct fill *fill;
	bool busy; /* handed to the pool */
	uint64_t off;
	size_t len;
	struct stretch stretches[STRETCHES];
	size_t n_stretches;
	uint64_t read, kept; /* bytes that were read, that are not zeros */
	uint8_t *buf;
	bool data[UNITS_MAX];         /* units to be stored */
	struct part parts[UNITS_MAX]; /* moved together in memory once they are written */
	size_t n_parts;
};

struct fill {
	struct sv_dev *from;
	struct sv_link *to;
	uint32_t unit;
	bool placed; /* the driver has the functions for it */
	struct sv_pool *pool;
	struct piece *ring;
	struct sv_walk walk; /* through `from` */
	uint64_t pos;        /* of it */
	const struct sv_fill_opts *opts;
	struct sv_job *job;
	struct sv_fill_stats stats;
};

int sv_fill_reach(struct sv_dev *file, uint64_t end, struct sv_err *err)
{
	if (sv_dev_size(file) >= end)
		return 0;
	return sv_dev_resize(file, sv_align_up(end, REACH_STEP), err);
}

/* ---- in the workers: read, look for zeros ---- */

static int read_piece(struct piece *p, struct sv_err *err)
{
	size_t end = 0;

	p->read = 0;
	for (size_t i = 0; i < p->n_stretches; i++) {
		const struct stretch *s = &p->stretches[i];

		memset(p->buf + end, 0, s->at - end);
		if (sv_dev_read(p->fill->from, p->buf + s->at, s->n, p->off + s->at, err) < 0)
			return -1;
		p->read += s->n;
		end = s->at + s->n;
	}
	memset(p->buf + end, 0, p->len - end);
	return 0;
}

static size_t units_of(const struct piece *p)
{
	return (size_t)sv_div_up(p->len, p->fill->unit);
}

static size_t unit_bytes(const struct piece *p, size_t i)
{
	const size_t unit = p->fill->unit;

	return SV_MIN(unit, p->len - i * unit);
}

/* The end of the run of units from i on that are alike. */
static size_t run_end(const struct piece *p, size_t i)
{
	size_t n = units_of(p), end = i + 1;

	while (end < n && p->data[end] == p->data[i])
		end++;
	return end;
}

/* Short runs of zeros between data become data. */
static void join_runs(struct piece *p)
{
	size_t n = units_of(p), end;

	for (size_t i = 0; i < n; i = end) {
		end = run_end(p, i);
		if (!p->data[i] && i && end < n && (end - i) * p->fill->unit < HOLE_MIN)
			memset(p->data + i, true, end - i);
	}
}

static void find_zeros(struct piece *p)
{
	const size_t unit = p->fill->unit;
	size_t n = units_of(p);

	for (size_t i = 0; i < n; i++)
		p->data[i] = !sv_is_zero(p->buf + i * unit, unit_bytes(p, i));
	join_runs(p);
	p->kept = 0;
	for (size_t i = 0; i < n; i++)
		p->kept += p->data[i] ? unit_bytes(p, i) : 0;
}

static int run_read(struct sv_work *w, unsigned worker, struct sv_err *err)
{
	struct piece *p = (struct piece *)w;

	(void)worker;
	if (read_piece(p, err) < 0)
		return -1;
	find_zeros(p);
	return 0;
}

/* ---- in the workers: write ---- */

/* Parts from i on that continue each other in the file are moved together in memory: a disk
 * takes one long write faster than many short ones. Gives the part behind them. */
static size_t gather(struct piece *p, size_t i, size_t *ret_n)
{
	const struct part *first = &p->parts[i];

	for (*ret_n = first->n; ++i < p->n_parts; *ret_n += p->parts[i].n) {
		const struct part *t = &p->parts[i];

		if (t->dev != first->dev || t->at != first->at + *ret_n)
			break;
		memmove(first->bytes + *ret_n, t->bytes, t->n);
	}
	return i;
}

static int write_parts(struct piece *p, struct sv_err *err)
{
	size_t next, n;

	for (size_t i = 0; i < p->n_parts; i = next) {
		const struct part *t = &p->parts[i];

		next = gather(p, i, &n);
		if (sv_dev_write_out(t->dev, t->bytes, n, t->at, err) < 0)
			return -1;
	}
	return 0;
}

static int run_write(struct sv_work *w, unsigned worker, struct sv_err *err)
{
	(void)worker;
	return write_parts((struct piece *)w, err);
}

/* ---- in the owner: places ---- */

/* Parts that continue each other, in memory and in the file, are one. */
static void add_part(struct piece *p, uint8_t *bytes, const struct sv_run *run, size_t n)
{
	struct part *last = p->n_parts ? &p->parts[p->n_parts - 1] : NULL;

	if (last && last->dev == run->dev && last->bytes + last->n == bytes &&
		last->at + last->n == run->host_offset)
		last->n += n;
	else
		p->parts[p->n_parts++] = (struct part){bytes, n, run->dev, run->host_offset};
}

/* Guest bytes [off, off+len) of a piece, none of them to be left out. */
static int place_run(struct piece *p, size_t off, size_t len, struct sv_err *err)
{
	struct sv_link *to = p->fill->to;

	while (len) {
		struct sv_run run;

		if (to->driver->fill_place(to, p->off + off, len, &run, err) < 0)
			return -1;
		if (!run.length || run.length > len || p->n_parts == UNITS_MAX)
			return sv_fail_at(err, SV_INTERNAL, to->info.path, p->off + off,
				"a bad place from driver %s", to->driver->name);
		add_part(p, p->buf + off, &run, (size_t)run.length);
		off += (size_t)run.length;
		len -= (size_t)run.length;
	}
	return 0;
}

/* A driver without places takes the bytes at once. */
static int store_run(struct piece *p, size_t off, size_t len, struct sv_err *err)
{
	struct sv_link *to = p->fill->to;

	if (p->fill->placed)
		return place_run(p, off, len, err);
	return to->driver->write(to, p->buf + off, len, p->off + off, err);
}

static int place_piece(struct piece *p, struct sv_err *err)
{
	const size_t unit = p->fill->unit;
	size_t end;

	p->n_parts = 0;
	for (size_t i = 0; i < units_of(p); i = end) {
		size_t to;

		end = run_end(p, i);
		to = SV_MIN(end * unit, p->len);
		if (p->data[i] && store_run(p, i * unit, to - i * unit, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- in the owner: the ring ---- */

static void hand_over(
	struct piece *p, int (*run)(struct sv_work *w, unsigned worker, struct sv_err *err))
{
	p->work.run = run;
	p->busy = true;
	sv_pool_submit(p->fill->pool, &p->work);
}

static int wait_for(struct piece *p, struct sv_err *err)
{
	if (!p->busy)
		return 0;
	p->busy = false;
	return sv_pool_wait(p->fill->pool, &p->work, err);
}

static bool written_apart(const struct piece *p)
{
	for (size_t i = 0; i < p->n_parts; i++) {
		if (!sv_dev_writes_apart(p->parts[i].dev))
			return false;
	}
	return true;
}

/* A piece whose reading has begun: gives its data their places and begins to write them. */
static int pass_on(struct piece *p, struct sv_err *err)
{
	struct fill *f = p->fill;

	if (wait_for(p, err) < 0 || place_piece(p, err) < 0)
		return -1;
	f->stats.read += p->read;
	f->stats.written += p->kept;
	sv_job_progress(f->job, f->opts->stage, SV_MIN(f->stats.read, f->opts->expected),
		f->opts->expected);
	if (!p->n_parts)
		return 0;
	if (!written_apart(p))
		return write_parts(p, err);
	hand_over(p, run_write);
	return 0;
}

/* The next byte of data from f->pos on, or the end of the device. */
static int skip_holes(struct fill *f, struct sv_err *err)
{
	uint64_t size = sv_dev_size(f->from);
	struct sv_extent e;

	for (; f->pos < size; f->pos += e.length) {
		if (sv_walk_at(&f->walk, f->pos, size, &e, err) < 0)
			return -1;
		if (e.kind == SV_EXTENT_DATA)
			break;
		if (sv_job_check(f->job, err) < 0)
			return -1;
	}
	return 0;
}

static void add_stretch(struct piece *p, size_t at, size_t n)
{
	struct stretch *last = p->n_stretches ? &p->stretches[p->n_stretches - 1] : NULL;

	if (last && (last->at + last->n == at || p->n_stretches == STRETCHES))
		last->n = at + n - last->at;
	else
		p->stretches[p->n_stretches++] = (struct stretch){at, n};
}

/* The stretches of [f->pos, end), which is where the piece ends. */
static int find_stretches(struct fill *f, struct piece *p, uint64_t end, struct sv_err *err)
{
	struct sv_extent e;
	uint64_t n;

	p->n_stretches = 0;
	for (; f->pos < end; f->pos += n) {
		if (sv_walk_at(&f->walk, f->pos, end, &e, err) < 0)
			return -1;
		n = SV_MIN(e.length, end - f->pos);
		if (e.kind == SV_EXTENT_DATA)
			add_stretch(p, (size_t)(f->pos - p->off), (size_t)n);
	}
	return 0;
}

/* The next piece that has data; *ret is false at the end of the device. */
static int next_piece(struct fill *f, struct piece *p, bool *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(f->from), end;

	if (skip_holes(f, err) < 0)
		return -1;
	*ret = f->pos < size;
	if (!*ret)
		return 0;
	/* what lies before it in its unit is a hole, and was not in the piece before */
	p->off = sv_align_down(f->pos, f->unit);
	end = SV_MIN(sv_align_down(f->pos, PIECE) + PIECE, size);
	p->len = (size_t)(end - p->off);
	return find_stretches(f, p, end, err);
}

static int run_ring(struct fill *f, struct sv_err *err)
{
	uint64_t begun = 0, passed = 0;
	bool more = true;

	while (more || passed < begun) {
		struct piece *p = &f->ring[begun % RING];

		if (sv_job_check(f->job, err) < 0)
			return -1;
		if (more && (wait_for(p, err) < 0 || next_piece(f, p, &more, err) < 0))
			return -1;
		if (more) {
			hand_over(p, run_read);
			begun++;
		}
		if (begun - passed < AHEAD && more)
			continue;
		if (passed < begun && pass_on(&f->ring[passed++ % RING], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < RING; i++) {
		if (wait_for(&f->ring[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- begin and end ---- */

static int make_ring(struct fill *f, struct sv_err *err)
{
	f->ring = calloc(RING, sizeof *f->ring);
	if (!f->ring)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < RING; i++) {
		f->ring[i].fill = f;
		f->ring[i].buf = aligned_alloc(PIECE, PIECE);
		if (!f->ring[i].buf)
			return sv_fail_nomem(err);
		madvise(f->ring[i].buf, PIECE, MADV_HUGEPAGE);
	}
	return 0;
}

static void free_ring(struct fill *f)
{
	for (size_t i = 0; f->ring && i < RING; i++)
		free(f->ring[i].buf);
	free(f->ring);
}

/* How the driver wants to be filled; one that does not care gets whole blocks where it can. */
static int begin(struct fill *f, struct sv_err *err)
{
	const struct sv_image_driver *d = f->to->driver;
	uint32_t block = f->to->info.block_size;

	f->placed = d->fill_begin != NULL;
	f->unit = sv_is_pow2(block) ? (uint32_t)SV_MIN(SV_MAX(block, 4 * SV_KIB), UNIT_MAX)
				    : 4 * SV_KIB;
	if (f->placed && d->fill_begin(f->to, f->opts->expected, &f->unit, err) < 0)
		return -1;
	if (sv_is_pow2(f->unit) && f->unit >= UNIT_MIN && f->unit <= UNIT_MAX)
		return 0;
	return sv_fail(err, SV_INTERNAL, f->to->info.path, "driver %s is filled in units of %u",
		d->name, f->unit);
}

static int fill(struct fill *f, struct sv_err *err)
{
	if (begin(f, err) < 0 || make_ring(f, err) < 0 || run_ring(f, err) < 0)
		return -1;
	return f->placed ? f->to->driver->fill_end(f->to, err) : 0;
}

int sv_image_fill(struct sv_dev *from, struct sv_image *to, const struct sv_fill_opts *opts,
	struct sv_job *job, struct sv_fill_stats *ret, struct sv_err *err)
{
	struct fill f = {.from = from,
		.to = sv_image_driver_link(to, 0),
		.walk = {.dev = from},
		.opts = opts,
		.job = job};
	int rc;

	f.pool = sv_pool_new(opts->threads, err);
	if (!f.pool)
		return -1;
	rc = fill(&f, err);
	sv_pool_free(f.pool); /* before the pieces that it works on */
	free_ring(&f);
	if (rc < 0)
		return sv_err_path(err, f.to->info.path);
	if (ret)
		*ret = f.stats;
	return 0;
}
