/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Passes everything through and counts it: cost figures and limits. */
#include "io/dev.h"

struct counted {
	struct sv_dev dev;
	struct sv_dev *under;
	struct sv_io_count *count;
};

static int count_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct counted *c = (struct counted *)d;

	atomic_fetch_add(&c->count->reads, 1);
	atomic_fetch_add(&c->count->read_bytes, n);
	return sv_dev_read(c->under, buf, n, off, err);
}

static int count_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct counted *c = (struct counted *)d;

	atomic_fetch_add(&c->count->writes, 1);
	atomic_fetch_add(&c->count->written_bytes, n);
	return sv_dev_write(c->under, buf, n, off, err);
}

static int count_flush(struct sv_dev *d, struct sv_err *err)
{
	struct counted *c = (struct counted *)d;

	atomic_fetch_add(&c->count->flushes, 1);
	return sv_dev_flush(c->under, err);
}

static int count_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	return sv_dev_extent(((struct counted *)d)->under, off, max, ret, err);
}

static int count_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	return sv_dev_discard(((struct counted *)d)->under, off, len, err);
}

static int count_resize(struct sv_dev *d, uint64_t size, struct sv_err *err)
{
	return sv_dev_resize(((struct counted *)d)->under, size, err);
}

static void count_close(struct sv_dev *d)
{
	sv_dev_close(((struct counted *)d)->under);
	free(d);
}

static const struct sv_dev_ops count_ops = {
	.kind = "counter",
	.pread = count_pread,
	.pwrite = count_pwrite,
	.flush = count_flush,
	.extent = count_extent,
	.discard = count_discard,
	.resize = count_resize,
	.close = count_close,
};

struct sv_dev *sv_count_open(
	struct sv_dev *under, struct sv_io_count *count, struct sv_err *err)
{
	struct counted *c = calloc(1, sizeof *c);

	if (!c) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&c->dev, &count_ops, under->name, under->size, under->writable, err) <
		0) {
		free(c);
		return NULL;
	}
	c->under = sv_dev_ref(under);
	c->count = count;
	return &c->dev;
}
