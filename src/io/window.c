/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A part of another device, with offsets from zero: a partition, an extent of a file. */
#include "io/dev.h"

#include "base/num.h"

struct window {
	struct sv_dev dev;
	struct sv_dev *under;
	uint64_t start;
};

static int window_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct window *w = (struct window *)d;

	return sv_dev_read(w->under, buf, n, w->start + off, err);
}

static int window_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct window *w = (struct window *)d;

	return sv_dev_write(w->under, buf, n, w->start + off, err);
}

static int window_flush(struct sv_dev *d, struct sv_err *err)
{
	return sv_dev_flush(((struct window *)d)->under, err);
}

static int window_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	struct window *w = (struct window *)d;

	if (sv_dev_extent(w->under, w->start + off, max, ret, err) < 0)
		return -1;
	ret->start = off;
	return 0;
}

static int window_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct window *w = (struct window *)d;

	return sv_dev_discard(w->under, w->start + off, len, err);
}

static void window_close(struct sv_dev *d)
{
	sv_dev_close(((struct window *)d)->under);
	free(d);
}

static const struct sv_dev_ops window_ops = {
	.kind = "window",
	.pread = window_pread,
	.pwrite = window_pwrite,
	.flush = window_flush,
	.extent = window_extent,
	.discard = window_discard,
	.close = window_close,
};

struct sv_dev *sv_window_open(struct sv_dev *under, uint64_t start, uint64_t len,
	const char *name, struct sv_err *err)
{
	struct window *w;

	if (!sv_in_range(start, len, sv_dev_size(under))) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(under), start,
			"%s (%llu bytes) goes beyond the end (%llu bytes)", name,
			(unsigned long long)len, (unsigned long long)sv_dev_size(under));
		return NULL;
	}
	w = calloc(1, sizeof *w);
	if (!w) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&w->dev, &window_ops, name, len, under->writable, err) < 0) {
		free(w);
		return NULL;
	}
	w->under = sv_dev_ref(under);
	w->start = start;
	return &w->dev;
}
