/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A read cache of aligned blocks, least recently used goes first. It stands below libraries
 * that read a few KiB at a time (libntfs-3g, libext2fs). One mutex: the libraries above it are
 * single-threaded per volume, so it is hardly ever contended.
 */
#include "io/dev.h"

#include "base/num.h"

#include <pthread.h>
#include <string.h>

struct block {
	uint64_t index; /* UINT64_MAX: empty */
	uint64_t used;  /* tick of the last use */
	uint8_t *bytes;
};

struct cache {
	struct sv_dev dev;
	struct sv_dev *under;
	pthread_mutex_t lock;
	size_t block_size;
	unsigned n;
	uint64_t tick;
	struct block *blocks;
	uint8_t *memory;
};

/* The block, read where it is not held yet. The lock is held. */
static int get_block(struct cache *c, uint64_t index, struct block **ret, struct sv_err *err)
{
	struct block *oldest = &c->blocks[0];
	uint64_t start = index * c->block_size;

	for (unsigned i = 0; i < c->n; i++) {
		struct block *b = &c->blocks[i];

		if (b->index == index) {
			b->used = ++c->tick;
			*ret = b;
			return 0;
		}
		if (b->used < oldest->used)
			oldest = b;
	}
	oldest->index = UINT64_MAX;
	if (sv_dev_read(c->under, oldest->bytes,
		    (size_t)SV_MIN(c->block_size, c->dev.size - start), start, err) < 0)
		return -1;
	oldest->index = index;
	oldest->used = ++c->tick;
	*ret = oldest;
	return 0;
}

static int cache_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct cache *c = (struct cache *)d;
	uint8_t *out = buf;
	int rc = 0;

	if (n >= 2 * c->block_size) /* a long read gains nothing here */
		return sv_dev_read(c->under, buf, n, off, err);
	pthread_mutex_lock(&c->lock);
	while (n && !rc) {
		struct block *b;
		size_t within = (size_t)(off % c->block_size);
		size_t run = SV_MIN(n, c->block_size - within);

		rc = get_block(c, off / c->block_size, &b, err);
		if (rc < 0)
			break;
		memcpy(out, b->bytes + within, run);
		out += run;
		off += run;
		n -= run;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static int cache_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	return sv_dev_extent(((struct cache *)d)->under, off, max, ret, err);
}

static void cache_close(struct sv_dev *d)
{
	struct cache *c = (struct cache *)d;

	sv_dev_close(c->under);
	pthread_mutex_destroy(&c->lock);
	free(c->blocks);
	free(c->memory);
	free(c);
}

static const struct sv_dev_ops cache_ops = {
	.kind = "cache",
	.pread = cache_pread,
	.extent = cache_extent,
	.close = cache_close,
};

struct sv_dev *sv_cache_open(
	struct sv_dev *under, size_t block, unsigned blocks, struct sv_err *err)
{
	sv_autofree struct cache *c = calloc(1, sizeof *c);
	sv_autofree struct block *table = calloc(blocks, sizeof *table);
	sv_autofree uint8_t *memory = malloc(block * blocks);

	if (!c || !table || !memory) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&c->dev, &cache_ops, under->name, under->size, false, err) < 0)
		return NULL;
	for (unsigned i = 0; i < blocks; i++)
		table[i] = (struct block){UINT64_MAX, 0, memory + i * block};
	pthread_mutex_init(&c->lock, NULL);
	c->under = sv_dev_ref(under);
	c->block_size = block;
	c->n = blocks;
	c->blocks = SV_STEAL(table);
	c->memory = SV_STEAL(memory);
	return &SV_STEAL(c)->dev;
}
