/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Thin volumes: where a block of one lies in its pool is told by B-trees in the pool's
 * metadata device. A tree of trees: the upper one maps device numbers to roots, the lower ones
 * virtual blocks to blocks of the data device. Blocks of 4 KiB, each with a CRC-32C.
 *
 * Source: Linux' Documentation/admin-guide/device-mapper/thin-provisioning.rst and the layout
 * that thin_dump(8) prints; judged by that tool and by the kernel.
 */
#include "volume/lvm2/vg.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define BLOCK         4096u
#define MAGIC         27022010u
#define SUPER_SUM     160774u
#define NODE_SUM      121107u
#define NODE_INTERNAL 1u
#define NODE_LEAF     2u
#define DEPTH_MAX     16 /* 2^64 keys need 8 levels of 252 */
#define CACHED        64 /* nodes: 256 KiB */

struct super {
	sv_le32 sum, flags;
	sv_le64 blocknr;
	uint8_t uuid[16];
	sv_le64 magic;
	sv_le32 version, time;
	sv_le64 transaction, held_root;
	uint8_t data_space[128], metadata_space[128];
	sv_le64 mapping_root, details_root;
	sv_le32 data_block, metadata_block; /* sectors */
	sv_le64 metadata_blocks;
};
static_assert(sizeof(struct super) == 352, "thin pool superblock");

struct node_header {
	sv_le32 sum, flags;
	sv_le64 blocknr;
	sv_le32 entries, entries_max, value_size, pad;
};
static_assert(sizeof(struct node_header) == 32, "thin pool tree node");

struct node {
	uint64_t block; /* 0: empty; block 0 is the superblock */
	unsigned age;
	uint8_t bytes[BLOCK];
};

struct thin {
	struct sv_dev dev;
	struct sv_dev *metadata, *data, *outside;
	uint64_t block, root;
	pthread_mutex_t lock; /* of the cache */
	struct node *cache;
	unsigned clock;
};

/* Where a block lies, and that a run of blocks is alike. */
struct found {
	bool mapped;
	uint64_t data_block;
	uint64_t next; /* not mapped: the next key that is; UINT64_MAX for none */
};

static struct thin *thin_of(struct sv_dev *d)
{
	return (struct thin *)d;
}

/* ---- nodes ---- */

static int check_node(
	const struct thin *t, const uint8_t *bytes, uint64_t block, struct sv_err *err)
{
	uint32_t sum = ~sv_crc32c(0, bytes + 4, BLOCK - 4) ^ NODE_SUM;
	struct node_header h;
	uint32_t n, cap;

	memcpy(&h, bytes, sizeof h);
	n = sv_get_le32(h.entries);
	cap = sv_get_le32(h.entries_max);
	if (sv_get_le32(h.sum) != sum || sv_get_le64(h.blocknr) != block)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(t->metadata), block * BLOCK,
			"a node of the thin pool says sum %#x and block %llu, expected %#x and "
			"%llu",
			sv_get_le32(h.sum), (unsigned long long)sv_get_le64(h.blocknr), sum,
			(unsigned long long)block);
	if (sv_get_le32(h.value_size) != 8 || n > cap ||
		cap > (BLOCK - sizeof h) / (2 * sizeof(uint64_t)))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(t->metadata), block * BLOCK,
			"a node of the thin pool has %u entries of at most %u, values of %u "
			"bytes",
			n, cap, sv_get_le32(h.value_size));
	return 0;
}

static int load_node(struct thin *t, uint64_t block, struct node **ret, struct sv_err *err)
{
	struct node *oldest = &t->cache[0];

	for (size_t i = 0; i < CACHED; i++) {
		struct node *c = &t->cache[i];

		if (c->block == block) {
			c->age = ++t->clock;
			*ret = c;
			return 0;
		}
		if (c->age < oldest->age)
			oldest = c;
	}
	if (!block || block > INT64_MAX / BLOCK)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(t->metadata),
			"the thin pool's tree points to block %llu", (unsigned long long)block);
	oldest->block = 0;
	if (sv_dev_read(t->metadata, oldest->bytes, BLOCK, block * BLOCK, err) < 0 ||
		check_node(t, oldest->bytes, block, err) < 0)
		return -1;
	oldest->block = block;
	oldest->age = ++t->clock;
	*ret = oldest;
	return 0;
}

static uint32_t node_entries(const struct node *n)
{
	return sv_load_le32(n->bytes + 16);
}

static uint64_t node_key(const struct node *n, uint32_t i)
{
	return sv_load_le64(n->bytes + sizeof(struct node_header) + 8 * (size_t)i);
}

static uint64_t node_value(const struct node *n, uint32_t i)
{
	size_t cap = sv_load_le32(n->bytes + 20);

	return sv_load_le64(n->bytes + sizeof(struct node_header) + 8 * (cap + i));
}

/* How many keys are at most `key`. */
static uint32_t keys_upto(const struct node *n, uint64_t key)
{
	uint32_t low = 0, high = node_entries(n);

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (node_key(n, mid) <= key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The value of a key in the tree below `root`; *ret_next is the next key behind it. */
static int find(struct thin *t, uint64_t root, uint64_t key, bool *ret_there,
	uint64_t *ret_value, uint64_t *ret_next, struct sv_err *err)
{
	uint64_t block = root;

	*ret_there = false;
	*ret_next = UINT64_MAX;
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		struct node *n = NULL;
		uint32_t i;

		if (load_node(t, block, &n, err) < 0)
			return -1;
		i = keys_upto(n, key);
		if (i < node_entries(n))
			*ret_next = node_key(n, i);
		if (sv_load_le32(n->bytes + 4) & NODE_LEAF) {
			*ret_there = i && node_key(n, i - 1) == key;
			*ret_value = i ? node_value(n, i - 1) : 0;
			return 0;
		}
		if (!i)
			return 0; /* below the first key */
		block = node_value(n, i - 1);
	}
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(t->metadata), root * BLOCK,
		"a tree of the thin pool is more than %d deep", DEPTH_MAX);
}

/* Looks a virtual block up. Times and snapshots do not matter to who reads. */
static int look_up(struct thin *t, uint64_t block, struct found *ret, struct sv_err *err)
{
	uint64_t value = 0;
	int r;

	pthread_mutex_lock(&t->lock);
	r = find(t, t->root, block, &ret->mapped, &value, &ret->next, err);
	pthread_mutex_unlock(&t->lock);
	ret->data_block = value >> 24;
	return r;
}

/* ---- the device ---- */

/* What begins at off: at most *n bytes; *ret_from NULL for zeros. */
static int place(struct thin *t, uint64_t off, uint64_t *n, struct sv_dev **ret_from,
	uint64_t *ret_at, struct sv_err *err)
{
	uint64_t block = off / t->block, in = off % t->block;
	struct found f;

	if (look_up(t, block, &f, err) < 0)
		return -1;
	if (f.mapped) {
		if (f.data_block >= sv_dev_size(t->data) / t->block + 1)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(&t->dev),
				"block %llu lies in block %llu of the pool, which has %llu",
				(unsigned long long)block, (unsigned long long)f.data_block,
				(unsigned long long)(sv_dev_size(t->data) / t->block));
		*n = SV_MIN(*n, t->block - in);
		*ret_from = t->data;
		*ret_at = f.data_block * t->block + in;
		return 0;
	}
	if (f.next <= INT64_MAX / t->block)
		*n = SV_MIN(*n, f.next * t->block - off);
	*ret_from = t->outside && off < sv_dev_size(t->outside) ? t->outside : NULL;
	*ret_at = off;
	if (*ret_from)
		*n = SV_MIN(*n, sv_dev_size(t->outside) - off);
	return 0;
}

static int thin_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	for (uint8_t *p = buf; n;) {
		struct sv_dev *from;
		uint64_t now = n, at;

		if (place(thin_of(d), off, &now, &from, &at, err) < 0)
			return -1;
		if (!from)
			memset(p, 0, (size_t)now);
		else if (sv_dev_read(from, p, (size_t)now, at, err) < 0)
			return -1;
		p += now;
		off += now;
		n -= (size_t)now;
	}
	return 0;
}

static int thin_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	struct sv_dev *from;
	uint64_t at;

	if (place(thin_of(d), off, &max, &from, &at, err) < 0)
		return -1;
	*ret = (struct sv_extent){
		.length = max, .kind = SV_EXTENT_HOLE, .host_offset = SV_NO_HOST_OFFSET};
	if (from && sv_dev_extent(from, at, max, ret, err) < 0)
		return -1;
	ret->start = off;
	return 0;
}

static void thin_close(struct sv_dev *d)
{
	struct thin *t = thin_of(d);

	sv_dev_close(t->metadata);
	sv_dev_close(t->data);
	sv_dev_close(t->outside);
	pthread_mutex_destroy(&t->lock);
	free(t->cache);
	free(t);
}

static const struct sv_dev_ops thin_ops = {
	.kind = "thin",
	.pread = thin_pread,
	.extent = thin_extent,
	.close = thin_close,
};

/* ---- opening ---- */

static int read_super(struct thin *t, uint64_t *ret_root, struct sv_err *err)
{
	uint8_t bytes[BLOCK];
	struct super s;
	uint32_t sum, sectors;

	if (sv_dev_read(t->metadata, bytes, sizeof bytes, 0, err) < 0)
		return -1;
	memcpy(&s, bytes, sizeof s);
	sum = ~sv_crc32c(0, bytes + 4, BLOCK - 4) ^ SUPER_SUM;
	if (sv_get_le64(s.magic) != MAGIC || sv_get_le32(s.sum) != sum)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(t->metadata), 0,
			"the thin pool's superblock says magic %llu and sum %#x, expected %u and "
			"%#x",
			(unsigned long long)sv_get_le64(s.magic), sv_get_le32(s.sum), MAGIC,
			sum);
	sectors = sv_get_le32(s.data_block);
	if (sectors < 128 || sectors > SV_GIB / SV_SECTOR || sectors % 128)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(t->metadata), 336,
			"the thin pool has blocks of %u sectors, expected a multiple of 128 up to "
			"1 GiB",
			sectors);
	t->block = sectors * SV_SECTOR;
	*ret_root = sv_get_le64(s.mapping_root);
	return 0;
}

static int find_device(struct thin *t, uint64_t id, struct sv_err *err)
{
	uint64_t upper, next;
	bool there;

	if (read_super(t, &upper, err) < 0 ||
		find(t, upper, id, &there, &t->root, &next, err) < 0)
		return -1;
	if (there)
		return 0;
	return sv_fail(err, SV_CORRUPT, sv_dev_name(&t->dev),
		"the thin pool has no device %llu", (unsigned long long)id);
}

struct sv_dev *sv_lvm2_thin_open(struct sv_dev *metadata, struct sv_dev *data, uint64_t id,
	uint64_t size, struct sv_dev *outside, const char *name, struct sv_err *err)
{
	struct thin *t = calloc(1, sizeof *t);

	if (!t || sv_dev_init(&t->dev, &thin_ops, name, size, false, err) < 0) {
		if (!t)
			sv_fail_nomem(err);
		free(t);
		return NULL;
	}
	t->metadata = sv_dev_ref(metadata);
	t->data = sv_dev_ref(data);
	t->outside = outside ? sv_dev_ref(outside) : NULL;
	pthread_mutex_init(&t->lock, NULL);
	t->cache = calloc(CACHED, sizeof *t->cache);
	if (!t->cache)
		sv_fail_nomem(err);
	if (!t->cache || find_device(t, id, err) < 0) {
		sv_dev_close(&t->dev);
		return NULL;
	}
	return &t->dev;
}
