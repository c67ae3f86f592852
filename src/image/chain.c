/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's disk over a chain of links: each range is read from the first link that has it.
 * Writes go to the leaf, whose driver fills up partial blocks from `below`. The device owns
 * the links, so that it can outlive the image that it came from.
 */
#include "image/driver.h"

#include "base/num.h"

#include <string.h>

struct chain {
	struct sv_dev dev;
	struct sv_link **links;
	size_t n;
	bool owns;
};

static struct chain *of(struct sv_dev *d)
{
	return (struct chain *)d;
}

/* The run at off and the link that has it; beyond a smaller parent's end is a hole. */
static int find_run(struct chain *c, uint64_t off, uint64_t max, bool holes, struct sv_run *run,
	size_t *ret_depth, struct sv_err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		struct sv_link *l = c->links[i];
		uint64_t size = l->info.virtual_size;

		*ret_depth = i;
		if (off >= size)
			break;
		if (l->driver->map(l, off, SV_MIN(max, size - off), holes, run, err) < 0)
			return -1;
		max = run->length;
		if (run->kind != SV_RUN_ABSENT)
			return 0;
	}
	*run = (struct sv_run){max, SV_RUN_HOLE, SV_NO_HOST_OFFSET, NULL};
	return 0;
}

static int chain_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct chain *c = of(d);
	uint8_t *out = buf;

	while (n) {
		struct sv_run run;
		size_t depth, len;
		int rc = 0;

		if (find_run(c, off, n, false, &run, &depth, err) < 0)
			return -1;
		len = (size_t)run.length;
		if (run.kind != SV_RUN_DATA)
			memset(out, 0, len);
		else if (run.dev)
			rc = sv_dev_read(run.dev, out, len, run.host_offset, err);
		else
			rc = c->links[depth]->driver->read(c->links[depth], out, len, off, err);
		if (rc < 0)
			return -1;
		out += len;
		off += len;
		n -= len;
	}
	return 0;
}

static int chain_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	static const enum sv_extent_kind kinds[] = {
		[SV_RUN_ABSENT] = SV_EXTENT_HOLE,
		[SV_RUN_HOLE] = SV_EXTENT_HOLE,
		[SV_RUN_ZERO] = SV_EXTENT_ZERO,
		[SV_RUN_DATA] = SV_EXTENT_DATA,
	};
	struct sv_run run;
	size_t depth = 0;

	if (find_run(of(d), off, max, true, &run, &depth, err) < 0)
		return -1;
	ret->length = run.length;
	ret->kind = kinds[run.kind];
	ret->depth = (unsigned)depth;
	ret->host_offset = run.kind == SV_RUN_DATA ? run.host_offset : SV_NO_HOST_OFFSET;
	return 0;
}

static int refuse_stopped(const struct sv_link *leaf, struct sv_err *err)
{
	if (!leaf->stopped)
		return 0;
	sv_fail(err, SV_IO, leaf->info.path,
		"a growth of the disk has failed: it is not written any more");
	return sv_hint(err, "open it again; it has the old size or the new one");
}

static int chain_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct sv_link *leaf = of(d)->links[0];

	return refuse_stopped(leaf, err) < 0 ? -1 : leaf->driver->write(leaf, buf, n, off, err);
}

static int chain_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct sv_link *leaf = of(d)->links[0];

	return refuse_stopped(leaf, err) < 0 ? -1 : leaf->driver->discard(leaf, off, len, err);
}

static int chain_flush(struct sv_dev *d, struct sv_err *err)
{
	struct sv_link *leaf = of(d)->links[0];

	if (!d->writable)
		return 0;
	return refuse_stopped(leaf, err) < 0 ? -1 : leaf->driver->flush(leaf, err);
}

static void chain_close(struct sv_dev *d)
{
	struct chain *c = of(d);

	for (size_t i = 0; c->owns && i < c->n; i++)
		sv_link_close(c->links[i]);
	if (c->owns)
		free(c->links);
	free(c);
}

static const struct sv_dev_ops chain_ops = {
	.kind = "image",
	.pread = chain_pread,
	.pwrite = chain_pwrite,
	.flush = chain_flush,
	.extent = chain_extent,
	.discard = chain_discard,
	.close = chain_close,
};

struct sv_dev *sv_chain_open(
	struct sv_link **links, size_t n, bool owns, const char *name, struct sv_err *err)
{
	struct chain *c = calloc(1, sizeof *c);

	if (!c) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&c->dev, &chain_ops, name, links[0]->info.virtual_size,
		    links[0]->writable, err) < 0) {
		free(c);
		return NULL;
	}
	c->links = links;
	c->n = n;
	c->owns = owns;
	return &c->dev;
}
