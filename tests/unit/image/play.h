/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random writes, reads, discards, flushes and reopenings of a disk against a plain buffer. The
 * disk is any image that opens for writing; who judges the result is the test's own matter.
 */
#ifndef SV_TESTS_IMAGE_PLAY_H
#define SV_TESTS_IMAGE_PLAY_H

#include "image/scratch.h"

enum { PLAY_MAX_RUN = 300000 };

struct play {
	const char *path;
	struct sv_image *img;
	uint8_t *bytes; /* what the disk must show; `size` bytes */
	uint64_t size;
	uint8_t *buf;
	unsigned seed;
};

static inline unsigned play_draw(struct play *p, unsigned below)
{
	p->seed = p->seed * 1664525U + 1013904223U;
	return (unsigned)((uint64_t)(p->seed >> 8) * below >> 24);
}

/* Mostly short ranges, some long ones, often at the borders of sectors and clusters. */
static inline void play_range(struct play *p, uint64_t *off, size_t *n)
{
	unsigned unit = (unsigned[]){1, 512, 4096, 65536}[play_draw(p, 4)];

	*off = play_draw(p, (unsigned)(p->size / unit)) * (uint64_t)unit;
	*n = play_draw(p, play_draw(p, 10) ? 6000 : PLAY_MAX_RUN) + 1;
	if (unit > 1 && play_draw(p, 2))
		*n = (size_t)sv_align_up(*n, unit);
	*n = (size_t)SV_MIN((uint64_t)*n, p->size - *off);
}

static inline void play_discard(struct play *p, uint64_t off, uint64_t n)
{
	struct sv_err err = SV_ERR_INIT;

	/* whole clusters, too */
	if (!play_draw(p, 4)) {
		off = sv_align_down(off, SV_MIB);
		n = SV_MIN((uint64_t)(1 + play_draw(p, 4)) * SV_MIB, p->size - off);
	}
	memset(p->bytes + off, 0, n);
	assert_ok(sv_dev_discard(sv_image_dev(p->img), off, n, &err));
}

static inline void play_step(struct play *p)
{
	struct sv_dev *d = sv_image_dev(p->img);
	struct sv_err err = SV_ERR_INIT;
	unsigned what = play_draw(p, 1000);
	uint64_t off;
	size_t n;

	play_range(p, &off, &n);
	if (what < 450) {
		fill_pattern(p->buf, n, p->seed);
		memcpy(p->bytes + off, p->buf, n);
		assert_ok(sv_dev_write(d, p->buf, n, off, &err));
	} else if (what < 600) {
		play_discard(p, off, n);
	} else if (what < 990) {
		assert_ok(sv_dev_read(d, p->buf, n, off, &err));
		assert_memory_equal(p->buf, p->bytes + off, n);
	} else if (what < 997) {
		assert_ok(sv_dev_flush(d, &err));
	} else {
		assert_ok(sv_dev_flush(d, &err));
		sv_image_close(p->img);
		p->img = open_image(p->path, true);
	}
}

/* Data and holes tell the truth, and everything reads as it must. */
static inline void play_compare(struct play *p)
{
	struct sv_dev *d = sv_image_dev(p->img);
	struct sv_err err = SV_ERR_INIT;
	uint8_t *all = malloc(p->size);
	struct sv_extent e;

	for (uint64_t off = 0; off < p->size; off += e.length) {
		assert_ok(sv_dev_extent(d, off, p->size, &e, &err));
		if (e.kind != SV_EXTENT_DATA)
			assert_true(sv_is_zero(p->bytes + off, e.length));
	}
	assert_ok(sv_dev_read(d, all, p->size, 0, &err));
	assert_memory_equal(all, p->bytes, p->size);
	free(all);
}

/* Plays, flushes, compares and closes; the buffer is the caller's. */
static inline void play(
	const char *path, uint8_t *bytes, uint64_t size, int steps, unsigned seed)
{
	struct play p = {
		path, open_image(path, true), bytes, size, malloc(PLAY_MAX_RUN + 65536), seed};
	struct sv_err err = SV_ERR_INIT;

	assert_int_equal(sv_dev_size(sv_image_dev(p.img)), size);
	for (int i = 0; i < steps; i++)
		play_step(&p);
	assert_ok(sv_dev_flush(sv_image_dev(p.img), &err));
	play_compare(&p);
	sv_image_close(p.img);
	p.img = open_image(path, false);
	play_compare(&p);
	sv_image_close(p.img);
	free(p.buf);
}

#endif
