/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads what a journal's log holds, as recovery does (Linux, Documentation/filesystems/ext4/
 * journal.rst): a transaction counts when its commit block is there, the last copy of a block
 * counts, and one that was revoked later does not. The log is as long as the journal at most:
 * nothing is read twice.
 */
#include "fs/ext/journal.h"

#include "base/num.h"
#include "fs/ext/fast.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS_MAX    65536u      /* pieces that a journal may lie in */
#define COPIES_MAX  (16u << 20) /* 640 MiB: a log of 64 GiB */
#define REVOKE_HEAD 16u

struct revoke {
	uint64_t block;
	uint32_t sequence;
};

struct log {
	struct sv_ext *v;
	struct sv_ext_journal j;
	struct sv_ext_run *runs; /* where the journal lies */
	size_t n_runs;
	uint8_t *block; /* at hand */
	struct sv_ext_copy *copies;
	size_t n_copies, cap_copies, whole_copies; /* of transactions that were committed */
	struct revoke *revokes;
	size_t n_revokes, cap_revokes, whole_revokes;
	uint32_t pos, steps;
	uint32_t sequence;
	uint32_t crc;       /* of the transaction at hand, where its commit sums all blocks */
	struct sv_err torn; /* what ended the log where that is no clean end */
};

static void log_free(struct log *l)
{
	free(l->runs);
	free(l->block);
	free(l->copies);
	free(l->revokes);
}

/* Room for one more of `size` bytes; false where there is no memory. */
static bool make_room(void **items, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? 2 * *cap : 256;
	void *grown;

	if (n < *cap)
		return true;
	if (n >= COPIES_MAX)
		return false;
	grown = realloc(*items, more * size);
	if (!grown)
		return false;
	*items = grown;
	*cap = more;
	return true;
}

/* ---- where the journal lies ---- */

/* The copy of the journal's inode in the superblock stands in for one that is damaged. */
static int load_inode(struct log *l, struct sv_ext_inode *ret, struct sv_err *err)
{
	const struct sv_ext_super *s = &l->v->super;

	if (sv_ext_load_used(l->v, s->journal_ino, ret, err) == 0 &&
		sv_ext_check_inode(l->v, ret, err) == 0)
		return 0;
	if (!s->journal_backup)
		return -1;
	*ret = (struct sv_ext_inode){.ino = s->journal_ino, .seed = s->seed};
	memcpy(ret->block, s->journal_blocks, sizeof ret->block);
	ret->size = (uint64_t)sv_load_le32(s->journal_blocks + 60) << 32 |
		    sv_load_le32(s->journal_blocks + 64);
	ret->flags = sv_load_le16(ret->block) == EXT_EXTENT_MAGIC ? EXT_FL_EXTENTS : 0;
	return 0;
}

static int add_run(struct log *l, const struct sv_ext_run *run, struct sv_err *err)
{
	void *grown;

	if (run->pblk == SV_EXT_HOLE || l->n_runs >= RUNS_MAX)
		return sv_fail(err, SV_CORRUPT, NULL, "block %llu of the journal is %s",
			(unsigned long long)run->lblk,
			run->pblk == SV_EXT_HOLE ? "a hole" : "one piece too many");
	if (!(l->n_runs & (l->n_runs - 1))) { /* a power of two is full */
		grown = realloc(l->runs, 2 * (l->n_runs + 1) * sizeof *l->runs);
		if (!grown)
			return sv_fail_nomem(err);
		l->runs = grown;
	}
	l->runs[l->n_runs++] = *run;
	return 0;
}

static int find_runs(struct log *l, struct sv_err *err)
{
	struct sv_ext_map m = {0};
	struct sv_ext_run run;
	uint64_t end;
	int rc = load_inode(l, &m.inode, err);

	end = rc ? 0 : m.inode.size / l->v->super.block_size;
	for (uint64_t lblk = 0; !rc && lblk < end; lblk += run.len) {
		rc = sv_ext_map_at(l->v, &m, lblk, &run, err);
		if (!rc)
			rc = add_run(l, &run, err);
	}
	sv_ext_map_free(&m);
	return rc;
}

static int place_of(const struct log *l, uint32_t block, uint64_t *ret, struct sv_err *err)
{
	size_t low = 0, high = l->n_runs;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (l->runs[mid].lblk <= block)
			low = mid;
		else
			high = mid;
	}
	if (low == high || block - l->runs[low].lblk >= l->runs[low].len)
		return sv_fail(err, SV_CORRUPT, NULL, "the journal has no block %u", block);
	*ret = l->runs[low].pblk + (block - l->runs[low].lblk);
	return 0;
}

static int read_block(struct log *l, uint32_t block, struct sv_err *err)
{
	const size_t size = l->v->super.block_size;
	uint64_t at;

	if (place_of(l, block, &at, err) < 0)
		return -1;
	return sv_dev_read(l->v->dev, l->block, size, at * size, err);
}

static int open_log(struct log *l, struct sv_err *err)
{
	l->block = malloc(l->v->super.block_size);
	if (!l->block)
		return sv_fail_nomem(err);
	if (find_runs(l, err) < 0 || read_block(l, 0, err) < 0 ||
		sv_ext_parse_journal(l->block, l->v->super.block_size, &l->j, err) < 0)
		return -1;
	if (l->j.block_size != l->v->super.block_size)
		return sv_fail(err, SV_CORRUPT, NULL,
			"the journal has blocks of %u bytes, the volume of %u", l->j.block_size,
			l->v->super.block_size);
	l->pos = l->j.start;
	l->sequence = l->j.sequence;
	l->steps = l->j.last - l->j.first;
	return 0;
}

/* ---- the log ---- */

/* CRC-32, most significant bit first, over whole blocks: what COMPAT_CHECKSUM sums. */
static uint32_t crc32_be(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n; n--, p++) {
		crc ^= (uint32_t)*p << 24;
		for (unsigned i = 0; i < 8; i++)
			crc = crc & 0x80000000u ? crc << 1 ^ 0x04c11db7u : crc << 1;
	}
	return crc;
}

/* The position after the block at hand; false when the log has gone round. */
static bool step(struct log *l)
{
	if (!l->steps)
		return false;
	l->steps--;
	if (++l->pos >= l->j.last)
		l->pos = l->j.first;
	return true;
}

/* Notes why the log ends here; 1 is "the end". */
static int end_torn(struct log *l, const char *what)
{
	uint64_t at = 0;

	place_of(l, l->pos, &at, NULL);
	sv_fail_at(&l->torn, SV_CORRUPT, sv_dev_name(l->v->dev), at * l->j.block_size,
		"%s of transaction %u", what, l->sequence);
	return 1;
}

static int take_tag(struct log *l, const struct sv_ext_tag *tag, struct sv_err *err)
{
	struct sv_ext_copy c = {.block = tag->block,
		.order = (uint32_t)l->n_copies,
		.sequence = l->sequence,
		.checksum = tag->checksum,
		.escaped = tag->escaped};

	if (place_of(l, l->pos, &c.at, err) < 0)
		return -1;
	if (!make_room((void **)&l->copies, l->n_copies, &l->cap_copies, sizeof c))
		return sv_fail_nomem(err);
	l->copies[l->n_copies++] = c;
	return 0;
}

/* The sum of all blocks of a transaction, as old journals end it with. */
static int sum_block(struct log *l, uint32_t pos, struct sv_err *err)
{
	sv_autofree uint8_t *data = NULL;
	uint64_t at;

	if (!(l->j.compat & JBD_COMPAT_CHECKSUM))
		return 0;
	data = malloc(l->j.block_size);
	if (!data)
		return sv_fail_nomem(err);
	if (place_of(l, pos, &at, err) < 0 ||
		sv_dev_read(l->v->dev, data, l->j.block_size, at * l->j.block_size, err) < 0)
		return -1;
	l->crc = crc32_be(l->crc, data, l->j.block_size);
	return 0;
}

/* A descriptor is followed by the blocks that its tags name. */
static int take_descriptor(struct log *l, struct sv_err *err)
{
	struct sv_ext_tag tag = {0};
	size_t at = JBD_HEADER;
	int rc = 1;

	if (!sv_ext_journal_block_ok(&l->j, l->block, JBD_DESCRIPTOR))
		return end_torn(l, "the checksum of a descriptor");
	if (sum_block(l, l->pos, err) < 0)
		return -1;
	while (!tag.last && (rc = sv_ext_next_tag(&l->j, l->block, &at, &tag, NULL)) == 1) {
		if (!step(l))
			return end_torn(l, "the log goes round in a descriptor");
		if (take_tag(l, &tag, err) < 0 || sum_block(l, l->pos, err) < 0)
			return -1;
	}
	return rc < 0 ? end_torn(l, "a descriptor is cut") : 0;
}

static int take_revokes(struct log *l, struct sv_err *err)
{
	size_t size = l->j.incompat & JBD_INCOMPAT_64BIT ? 8 : 4;
	size_t used = sv_load_be32(l->block + JBD_HEADER);

	if (!sv_ext_journal_block_ok(&l->j, l->block, JBD_REVOKE))
		return end_torn(l, "the checksum of a revoke block");
	used = SV_MIN(used, (size_t)l->j.block_size);
	for (size_t at = REVOKE_HEAD; at + size <= used; at += size) {
		struct revoke r = {.sequence = l->sequence};

		r.block = size == 8 ? sv_load_be64(l->block + at) : sv_load_be32(l->block + at);
		if (!make_room((void **)&l->revokes, l->n_revokes, &l->cap_revokes, sizeof r))
			return sv_fail_nomem(err);
		l->revokes[l->n_revokes++] = r;
	}
	return 0;
}

/* Does a commit block's own sum, or its sum of all blocks before it, hold? */
static bool commit_ok(const struct log *l)
{
	const uint8_t *b = l->block;
	uint32_t found = sv_load_be32(b + 16);

	if (!(l->j.compat & JBD_COMPAT_CHECKSUM))
		return sv_ext_journal_block_ok(&l->j, b, JBD_COMMIT);
	return (b[12] == 1 && b[13] == 4 && found == l->crc) ||
	       (b[12] == 0 && b[13] == 0 && found == 0);
}

static int take_commit(struct log *l)
{
	if (!commit_ok(l))
		return end_torn(l, "the checksum of the commit block");
	l->whole_copies = l->n_copies;
	l->whole_revokes = l->n_revokes;
	l->sequence++;
	l->crc = UINT32_MAX;
	return 0;
}

/* 1 at the end of the log. */
static int take_block(struct log *l, struct sv_err *err)
{
	if (read_block(l, l->pos, err) < 0)
		return -1;
	if (sv_load_be32(l->block) != JBD_MAGIC || sv_load_be32(l->block + 8) != l->sequence)
		return 1;
	switch (sv_load_be32(l->block + 4)) {
	case JBD_DESCRIPTOR:
		return take_descriptor(l, err);
	case JBD_REVOKE:
		return take_revokes(l, err);
	case JBD_COMMIT:
		return take_commit(l);
	default:
		return 1;
	}
}

static int read_log(struct log *l, struct sv_err *err)
{
	int rc;

	l->crc = UINT32_MAX;
	do
		rc = take_block(l, err);
	while (!rc && step(l));
	return rc < 0 ? -1 : 0;
}

/* ---- what counts ---- */

static int by_block_and_order(const void *a, const void *b)
{
	const struct sv_ext_copy *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int by_block(const void *a, const void *b)
{
	const struct revoke *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* Transaction numbers go round: `a` is not before `b`. */
static bool not_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static bool is_revoked(const struct log *l, const struct sv_ext_copy *c)
{
	const struct revoke key = {.block = c->block}, *r;

	r = l->whole_revokes ? bsearch(&key, l->revokes, l->whole_revokes, sizeof key, by_block)
			     : NULL;
	if (!r)
		return false;
	while (r > l->revokes && r[-1].block == c->block)
		r--;
	for (; r < l->revokes + l->whole_revokes && r->block == c->block; r++) {
		if (not_before(r->sequence, c->sequence))
			return true;
	}
	return false;
}

/* Keeps the last copy of each block that was not revoked. */
static void sift(struct log *l)
{
	size_t n = 0;

	if (l->whole_copies)
		qsort(l->copies, l->whole_copies, sizeof *l->copies, by_block_and_order);
	if (l->whole_revokes)
		qsort(l->revokes, l->whole_revokes, sizeof *l->revokes, by_block);
	for (size_t i = 0; i < l->whole_copies; i++) {
		const struct sv_ext_copy *c = &l->copies[i];

		if ((i + 1 < l->whole_copies && c[1].block == c->block) || is_revoked(l, c) ||
			c->block >= l->v->super.blocks)
			continue;
		l->copies[n++] = *c;
	}
	l->n_copies = n;
}

/* ---- fast commits ---- */

static int read_fast(struct log *l, struct sv_err *err)
{
	struct sv_ext_fast *f;
	int rc = 1;

	if (!(l->j.incompat & JBD_INCOMPAT_FAST_COMMIT) || l->j.last == l->j.blocks)
		return 0;
	f = sv_ext_fast_new(err);
	if (!f)
		return -1;
	/* the first block behind the log stays unused */
	for (uint32_t b = l->j.last + 1; rc == 1 && b < l->j.blocks; b++) {
		rc = read_block(l, b, err);
		if (!rc)
			rc = sv_ext_fast_add(f, l->block, l->j.block_size, b == l->j.last + 1,
				l->sequence, &l->v->super, err);
	}
	if (rc < 0 || !sv_ext_fast_finish(f)) {
		sv_ext_fast_free(f);
		return rc < 0 ? -1 : 0;
	}
	l->v->fast = f;
	return 0;
}

/* ---- together ---- */

static void warn(struct sv_ext *v, const char *what, const struct sv_err *why)
{
	char place[40] = "";

	if (why->has_offset)
		snprintf(
			place, sizeof place, " at byte %#llx", (unsigned long long)why->offset);
	snprintf(v->warning, sizeof v->warning, "%s (%.150s%s)", what, why->message, place);
}

static int replay(struct log *l, struct sv_dev **ret_view, struct sv_err *err)
{
	if (!l->j.start)
		return 0;
	if (read_log(l, err) < 0)
		return -1;
	sift(l);
	if (read_fast(l, err) < 0)
		return -1;
	if (l->torn.code != SV_OK)
		warn(l->v, "the journal is damaged: what changed last is not shown", &l->torn);
	if (!l->n_copies)
		return 0;
	*ret_view =
		sv_ext_view_open(l->v->fs.volume, &l->j, SV_STEAL(l->copies), l->n_copies, err);
	return *ret_view ? 0 : -1;
}

int sv_ext_replay(struct sv_ext *v, struct sv_dev **ret_view, struct sv_err *err)
{
	SV_CLEANUP(log_free) struct log l = {.v = v};
	struct sv_err why = SV_ERR_INIT;

	*ret_view = NULL;
	if (open_log(&l, &why) == 0 && replay(&l, ret_view, &why) == 0)
		return 0;
	if (why.code == SV_IO || why.code == SV_NOMEM) {
		sv_err_copy(err, &why);
		return -1;
	}
	warn(v, "the journal cannot be read: what changed last is not shown", &why);
	return 0;
}
