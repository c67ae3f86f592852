/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every object of the volume: the tree of inode chunks of each allocation group is read in
 * order, and each folder that is met is listed at once. XFS puts what is in a folder into the
 * folder's own group, so that its blocks and inodes lie near, and mostly in the cache.
 */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define CHUNK     64u /* inodes of a record */
#define HEADER_V4 16u
#define HEADER_V5 56u
#define CRC_AT    52u
#define HOLE_UNIT 4u /* inodes that a bit of a hole mask stands for */

struct walk {
	struct sv_xfs *v;
	sv_fs_walk_fn fn;
	void *user;
	struct sv_job *job;
	uint64_t folder; /* at hand */
	uint64_t budget; /* blocks of trees and folders that may still be read */
	uint32_t ag;
	uint64_t damaged;
	struct sv_err first;
};

/* -1 where nothing can go on. */
static int note(struct walk *w, const struct sv_err *why)
{
	if (!w->damaged++)
		sv_err_copy(&w->first, why);
	if (why->code != SV_IO && why->code != SV_NOMEM && why->code != SV_CANCELLED)
		return 0;
	sv_err_copy(&w->first, why);
	return -1;
}

/* False where a volume made to keep a reader busy has had its share. */
static bool spend(struct walk *w, uint64_t blocks, struct sv_err *why)
{
	if (blocks <= w->budget) {
		w->budget -= blocks;
		return true;
	}
	sv_fail(why, SV_CORRUPT, sv_dev_name(w->v->dev),
		"its folders and trees have more blocks than the volume");
	return false;
}

static int visit_entry(void *user, const struct sv_xfs_entry *e)
{
	struct walk *w = user;
	struct sv_err why = SV_ERR_INIT;
	char name[SV_FS_UNIX_NAME];
	struct sv_xfs_inode i;
	struct sv_fs_stat st;

	if (sv_xfs_load(w->v, e->ino, &i, &why) < 0)
		return note(w, &why);
	sv_fs_unix_name(e->name, e->name_len, name);
	sv_xfs_describe(w->v, &i, &st);
	return w->fn(w->user, w->folder, name, &st);
}

static int visit_inode(struct walk *w, uint64_t ino)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_xfs_inode i;
	int rc;

	if (sv_xfs_load(w->v, ino, &i, &why) < 0)
		return why.code == SV_IO ? note(w, &why) : 0; /* who names it will tell */
	if (!i.links || sv_xfs_type_of(i.mode) != SV_FS_DIR)
		return 0;
	if (!spend(w, i.blocks, &why) || sv_job_check(w->job, &why) < 0)
		return note(w, &why);
	w->folder = ino;
	rc = sv_xfs_each_entry(w->v, &i, visit_entry, w, &why);
	return rc < 0 && why.code != SV_OK ? note(w, &why) : rc;
}

/* ---- chunks ---- */

/* First inode of 64, which of them are holes, which are free. */
static int visit_chunk(struct walk *w, const uint8_t *record)
{
	uint64_t first = sv_load_be32(record), free_mask = sv_load_be64(record + 8);
	bool sparse = w->v->super.incompat & XFS_INCOMPAT_SPINODES;
	unsigned holes = sparse ? sv_load_be16(record + 4) : 0;
	unsigned shift = w->v->super.ag_log + w->v->super.per_block_log;
	int rc = 0;

	for (unsigned i = 0; !rc && i < CHUNK; i++) {
		if (free_mask >> i & 1 || holes >> (i / HOLE_UNIT) & 1)
			continue;
		rc = visit_inode(w, (uint64_t)w->ag << shift | (first + i));
	}
	return rc;
}

static int visit_node(struct walk *w, uint32_t block, unsigned level);

static int visit_children(struct walk *w, const uint8_t *b, size_t head, unsigned level)
{
	size_t cap = (w->v->super.block - head) / 8;
	unsigned n = sv_load_be16(b + 6);
	int rc = 0;

	for (unsigned i = 0; !rc && i < n; i++)
		rc = level ? visit_node(w, sv_load_be32(b + head + cap * 4 + 4 * (size_t)i),
				     level - 1)
			   : visit_chunk(w, b + head + 16 * (size_t)i);
	return rc;
}

static int check_node(
	struct walk *w, const uint8_t *b, uint64_t at, unsigned level, struct sv_err *err)
{
	bool v5 = w->v->super.v5;
	size_t cap = (w->v->super.block - (v5 ? HEADER_V5 : HEADER_V4)) / (level ? 8 : 16);

	if (memcmp(b, v5 ? "IAB3" : "IABT", 4) != 0 || sv_load_be16(b + 4) != level ||
		sv_load_be16(b + 6) > cap)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->v->dev), at,
			"a node of the tree of inodes has level %u and %u entries, expected level "
			"%u and at most %zu",
			sv_load_be16(b + 4), sv_load_be16(b + 6), level, cap);
	if (v5 && !sv_xfs_crc_ok(b, w->v->super.block, CRC_AT))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->v->dev), at,
			"the checksum of a node of the tree of inodes is wrong");
	return 0;
}

/* Levels fall by one with each step down: no tree is deeper than XFS_TREE_DEPTH. */
static int visit_node(struct walk *w, uint32_t block, unsigned level)
{
	sv_autofree uint8_t *b = malloc(w->v->super.block);
	struct sv_err why = SV_ERR_INIT;
	uint64_t at = 0;

	if (!b) {
		sv_fail_nomem(&why);
		return note(w, &why);
	}
	if (!sv_xfs_place(w->v, (uint64_t)w->ag << w->v->super.ag_log | block, 1, &at))
		sv_fail(&why, SV_CORRUPT, sv_dev_name(w->v->dev),
			"the tree of inodes of group %u names block %u", w->ag, block);
	else if (spend(w, 1, &why) &&
		 sv_dev_read(w->v->dev, b, w->v->super.block, at, &why) == 0)
		check_node(w, b, at, level, &why);
	if (why.code != SV_OK)
		return note(w, &why);
	return visit_children(w, b, w->v->super.v5 ? HEADER_V5 : HEADER_V4, level);
}

static int visit_group(struct walk *w)
{
	uint64_t at = ((uint64_t)w->ag * w->v->super.ag_blocks) << w->v->super.block_log;
	struct sv_err why = SV_ERR_INIT;
	uint8_t b[SV_SECTOR];
	uint32_t level;

	at += 2 * (uint64_t)w->v->super.sector;
	if (sv_dev_read(w->v->dev, b, sizeof b, at, &why) < 0)
		return note(w, &why);
	level = sv_load_be32(b + 24);
	if (memcmp(b, "XAGI", 4) != 0 || sv_load_be32(b + 8) != w->ag || !level ||
		level > XFS_TREE_DEPTH) {
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(w->v->dev), at,
			"the head of the inodes of group %u says group %u, levels %u", w->ag,
			sv_load_be32(b + 8), level);
		return note(w, &why);
	}
	return visit_node(w, sv_load_be32(b + 20), level - 1);
}

int sv_xfs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err)
{
	struct sv_xfs *v = sv_xfs_of(fs);
	struct walk w = {.v = v, .fn = fn, .user = user, .job = job, .budget = v->super.blocks};
	int rc = 0;

	for (; !rc && w.ag < v->super.ags; w.ag++) {
		sv_job_progress(job, "reading the inodes", w.ag, v->super.ags);
		if (sv_job_check(job, err) < 0)
			return -1;
		rc = visit_group(&w);
	}
	if (rc > 0 || !w.damaged)
		return rc;
	sv_err_copy(err, &w.first);
	if (rc < 0)
		return -1;
	return sv_err_context(err, "damaged objects were left out (%llu), the first",
		(unsigned long long)w.damaged);
}
