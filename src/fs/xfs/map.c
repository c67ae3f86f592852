/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the blocks of a fork lie: extents in the inode, or a B+tree whose root is there. A tree
 * is gone down from the root for each run that is asked for; its nodes lie in the cache of the
 * device.
 */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define RECORD    16u
#define KEY       8u
#define HEADER_V4 24u
#define HEADER_V5 72u
#define CRC_AT    64u

void sv_xfs_parse_extent(const uint8_t b[16], struct sv_xfs_extent *ret)
{
	uint64_t high = sv_load_be64(b), low = sv_load_be64(b + 8);

	ret->unwritten = high >> 63;
	ret->lblk = (high & INT64_MAX) >> 9;
	ret->fsblock = (high & 0x1ff) << 43 | low >> 21;
	ret->len = low & 0x1fffff;
}

/* What holds lblk among n records, which lie in order; the next one's begin in *ret_next. */
static bool find_record(const uint8_t *records, uint64_t n, uint64_t lblk,
	struct sv_xfs_extent *ret, uint64_t *ret_next)
{
	uint64_t low = 0, high = n;

	while (low < high) { /* the first that begins behind lblk */
		uint64_t mid = low + (high - low) / 2;

		sv_xfs_parse_extent(records + mid * RECORD, ret);
		if (ret->lblk <= lblk)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < n) {
		sv_xfs_parse_extent(records + low * RECORD, ret);
		*ret_next = SV_MIN(*ret_next, ret->lblk);
	}
	if (!low)
		return false;
	sv_xfs_parse_extent(records + (low - 1) * RECORD, ret);
	return lblk - ret->lblk < ret->len;
}

/* ---- the tree ---- */

struct node {
	const uint8_t *keys, *pointers; /* level above 0 */
	const uint8_t *records;         /* level 0 */
	unsigned level, n;
};

static int parse_root(const uint8_t *b, size_t size, struct node *ret, struct sv_err *err)
{
	size_t cap = size >= 4 ? (size - 4) / (2 * KEY) : 0;

	*ret = (struct node){.keys = b + 4, .pointers = b + 4 + cap * KEY};
	if (size < 4)
		return sv_fail(err, SV_CORRUPT, NULL, "a tree in a fork of %zu bytes", size);
	ret->level = sv_load_be16(b);
	ret->n = sv_load_be16(b + 2);
	if (!ret->level || ret->level >= XFS_TREE_DEPTH || ret->n > cap)
		return sv_fail(err, SV_CORRUPT, NULL,
			"the tree of extents has level %u and %u entries of at most %zu",
			ret->level, ret->n, cap);
	return 0;
}

static int parse_node(const struct sv_xfs_super *s, const uint8_t *b, unsigned level,
	uint64_t ino, struct node *ret, struct sv_err *err)
{
	size_t head = s->v5 ? HEADER_V5 : HEADER_V4, cap = (s->block - head) / RECORD;

	*ret = (struct node){.level = sv_load_be16(b + 4), .n = sv_load_be16(b + 6)};
	if (memcmp(b, s->v5 ? "BMA3" : "BMAP", 4) != 0 || ret->level != level || ret->n > cap)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a node of the tree of extents has level %u and %u entries, expected "
			"level %u and at most %zu",
			ret->level, ret->n, level, cap);
	if (s->v5 && (!sv_xfs_crc_ok(b, s->block, CRC_AT) || sv_load_be64(b + 56) != ino))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a node of the tree of extents has a wrong checksum, or belongs to inode "
			"%llu",
			(unsigned long long)sv_load_be64(b + 56));
	ret->records = ret->keys = b + head;
	ret->pointers = b + head + cap * KEY;
	return 0;
}

/* The child that may hold lblk; *ret_next gets the begin of the child behind it. */
static uint64_t child_of(const struct node *n, uint64_t lblk, uint64_t *ret_next)
{
	unsigned low = 0, high = n->n;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (sv_load_be64(n->keys + mid * KEY) <= lblk)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < n->n)
		*ret_next = SV_MIN(*ret_next, sv_load_be64(n->keys + low * KEY));
	return sv_load_be64(n->pointers + (low ? low - 1 : 0) * KEY);
}

static int load_node(struct sv_xfs *v, uint64_t fsblock, uint8_t *buf, unsigned level,
	uint64_t ino, struct node *ret, struct sv_err *err)
{
	uint64_t at;

	if (!sv_xfs_place(v, fsblock, 1, &at))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the tree of extents of inode %llu names block %#llx",
			(unsigned long long)ino, (unsigned long long)fsblock);
	if (sv_dev_read(v->dev, buf, v->super.block, at, err) < 0)
		return -1;
	if (parse_node(&v->super, buf, level, ino, ret, err) < 0) {
		sv_err_shift(err, at);
		return sv_err_path(err, sv_dev_name(v->dev));
	}
	return 0;
}

static int find_in_tree(struct sv_xfs *v, const struct sv_xfs_inode *i,
	const struct sv_xfs_fork *f, uint64_t lblk, struct sv_xfs_extent *ret, bool *ret_there,
	uint64_t *ret_next, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(v->super.block);
	struct node n;

	*ret_there = false;
	if (!buf)
		return sv_fail_nomem(err);
	if (parse_root(i->raw + f->at, f->size, &n, err) < 0)
		return sv_err_path(err, sv_dev_name(v->dev));
	for (unsigned level = n.level; level; level--) {
		if (!n.n)
			return 0;
		if (load_node(v, child_of(&n, lblk, ret_next), buf, level - 1, i->ino, &n,
			    err) < 0)
			return -1;
	}
	*ret_there = find_record(n.records, n.n, lblk, ret, ret_next);
	return 0;
}

/* ---- both ---- */

int sv_xfs_map(struct sv_xfs *v, const struct sv_xfs_inode *i, const struct sv_xfs_fork *f,
	uint64_t lblk, uint64_t end, struct sv_xfs_run *ret, struct sv_err *err)
{
	struct sv_xfs_extent e;
	uint64_t next = end;
	bool there;

	if (f->format == XFS_FORK_EXTENTS)
		there = find_record(i->raw + f->at, f->extents, lblk, &e, &next);
	else if (find_in_tree(v, i, f, lblk, &e, &there, &next, err) < 0)
		return -1;
	*ret = (struct sv_xfs_run){.lblk = lblk, .at = XFS_HOLE};
	if (!there) {
		ret->len = next > lblk ? next - lblk : end - lblk;
		return 0;
	}
	if (!sv_xfs_place(v, e.fsblock, e.len, &ret->at))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"inode %llu has %llu blocks at block %#llx, outside the volume",
			(unsigned long long)i->ino, (unsigned long long)e.len,
			(unsigned long long)e.fsblock);
	ret->at += (lblk - e.lblk) << v->super.block_log;
	ret->len = SV_MIN(e.len - (lblk - e.lblk), end - lblk);
	ret->unwritten = e.unwritten;
	return 0;
}

int sv_xfs_read_fork(struct sv_xfs *v, const struct sv_xfs_inode *i,
	const struct sv_xfs_fork *f, uint64_t lblk, void *buf, size_t n, uint64_t *ret_at,
	struct sv_err *err)
{
	uint64_t end = lblk + sv_div_up(n, v->super.block);
	uint8_t *p = buf;
	struct sv_xfs_run run;

	for (*ret_at = XFS_HOLE; n; lblk += run.len) {
		size_t now;

		if (sv_xfs_map(v, i, f, lblk, end, &run, err) < 0)
			return -1;
		if (run.at == XFS_HOLE || run.unwritten)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
				"block %llu of inode %llu is a hole where metadata belong",
				(unsigned long long)lblk, (unsigned long long)i->ino);
		if (*ret_at == XFS_HOLE)
			*ret_at = run.at;
		now = (size_t)SV_MIN((uint64_t)n, run.len << v->super.block_log);
		if (sv_dev_read(v->dev, p, now, run.at, err) < 0)
			return -1;
		p += now;
		n -= now;
	}
	return 0;
}
