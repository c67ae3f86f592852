/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads a disk image from its front to its end past the host's cache (O_DIRECT), a few pieces
 *at a time, and prints the bytes of data that were read and the seconds that it took: what
 * `qemu-img bench -t none` does. For tools/bench-convert.py.
 *
 *	read-direct IMAGE
 */
#include "base/num.h"
#include "base/pool.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ALIGN 4096
#define PIECE SV_MIB
#define DEPTH 4 /* pieces at a time */

/* ---- a host whose files are read past its cache ---- */

struct direct {
	struct sv_dev dev;
	int fd;
};

/* Whole blocks into aligned memory; the last one ends with the file. */
static int read_blocks(
	struct direct *d, uint8_t *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint64_t end = SV_MIN(off + n, sv_dev_size(&d->dev));

	while (off < end) {
		ssize_t got = pread(d->fd, buf, n, (off_t)off);

		if (got < 0)
			return sv_fail_errno(err, errno, d->dev.name, "cannot read");
		if (!got)
			return sv_fail(err, SV_IO, d->dev.name, "the file became shorter");
		buf += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int direct_pread(
	struct sv_dev *dev, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct direct *d = (struct direct *)dev;
	uint64_t from = sv_align_down(off, ALIGN), to = sv_align_up(off + n, ALIGN);
	sv_autofree uint8_t *blocks = NULL;

	if (from == off && to == off + n && !((uintptr_t)buf % ALIGN))
		return read_blocks(d, buf, n, off, err);
	blocks = aligned_alloc(ALIGN, (size_t)(to - from));
	if (!blocks)
		return sv_fail_nomem(err);
	if (read_blocks(d, blocks, (size_t)(to - from), from, err) < 0)
		return -1;
	memcpy(buf, blocks + (off - from), n);
	return 0;
}

static void direct_close(struct sv_dev *dev)
{
	close(((struct direct *)dev)->fd);
	free(dev);
}

static const struct sv_dev_ops direct_ops = {
	.kind = "file past the cache",
	.pread = direct_pread,
	.close = direct_close,
};

static int direct_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	sv_autofree struct direct *d = calloc(1, sizeof *d);
	off_t size;

	(void)h;
	(void)flags;
	if (!d)
		return sv_fail_nomem(err);
	d->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (d->fd < 0)
		return sv_fail_errno(err, errno, path, "cannot open past the cache");
	size = lseek(d->fd, 0, SEEK_END);
	if (size < 0 ||
		sv_dev_init(&d->dev, &direct_ops, path, (uint64_t)size, false, err) < 0) {
		close(d->fd);
		return size < 0 ? sv_fail_errno(err, errno, path, "has no size") : -1;
	}
	*ret = &SV_STEAL(d)->dev;
	return 0;
}

/* ---- reading ---- */

struct item {
	struct sv_work work;
	struct sv_dev *dev;
	uint8_t *buf;
	uint64_t off;
	bool busy;
};

static int read_item(struct sv_work *w, unsigned worker, struct sv_err *err)
{
	struct item *i = (struct item *)w;
	uint64_t n = SV_MIN(PIECE, sv_dev_size(i->dev) - i->off);

	(void)worker;
	return sv_dev_read(i->dev, i->buf, (size_t)n, i->off, err);
}

static int wait_for(struct sv_pool *pool, struct item *i, struct sv_err *err)
{
	if (!i->busy)
		return 0;
	i->busy = false;
	return sv_pool_wait(pool, &i->work, err);
}

static int read_all(struct sv_dev *dev, struct sv_pool *pool, struct sv_err *err)
{
	struct item items[DEPTH] = {{.dev = dev}};
	int rc = 0;

	for (size_t i = 0; i < DEPTH; i++) {
		items[i] = (struct item){.work.run = read_item, .dev = dev};
		items[i].buf = aligned_alloc(ALIGN, PIECE);
		if (!items[i].buf)
			rc = sv_fail_nomem(err);
	}
	for (uint64_t off = 0; !rc && off < sv_dev_size(dev); off += PIECE) {
		struct item *i = &items[off / PIECE % DEPTH];

		rc = wait_for(pool, i, err);
		i->off = off;
		i->busy = !rc;
		if (!rc)
			sv_pool_submit(pool, &i->work);
	}
	for (size_t i = 0; i < DEPTH; i++) {
		if (wait_for(pool, &items[i], rc ? NULL : err) < 0)
			rc = -1;
	}
	for (size_t i = 0; i < DEPTH; i++)
		free(items[i].buf);
	return rc;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run(struct sv_host *host, const char *path, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *img = NULL;
	sv_autopool struct sv_pool *pool = sv_pool_new(DEPTH, err);
	double begun;

	if (!pool || sv_image_open(host, path, NULL, &img, err) < 0)
		return -1;
	begun = now();
	if (read_all(sv_image_dev(img), pool, err) < 0)
		return -1;
	printf("%llu bytes in %.4f seconds\n",
		(unsigned long long)sv_dev_size(sv_image_dev(img)), now() - begun);
	return 0;
}

int main(int argc, char **argv)
{
	struct sv_host_ops ops = *sv_host_posix()->ops;
	struct sv_host host = {&ops};
	struct sv_err err = SV_ERR_INIT;

	ops.open = direct_open;
	if (argc != 2) {
		fprintf(stderr, "usage: read-direct IMAGE\n");
		return 2;
	}
	if (run(&host, argv[1], &err) == 0)
		return 0;
	fprintf(stderr, "read-direct: %s: %s\n", err.path, err.message);
	return 1;
}
