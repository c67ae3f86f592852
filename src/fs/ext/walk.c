/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every object of the volume: the inode tables are read from the first group to the last, and
 * each folder that is met is listed at once. ext puts what is in a folder into the folder's own
 * group, so that its blocks and the inodes that it names lie near, and mostly in the cache.
 */
#include "fs/ext/ext.h"

#include "base/num.h"

#include <stdlib.h>

#define PIECE (256u << 10)

struct walk {
	struct sv_ext *v;
	sv_fs_walk_fn fn;
	void *user;
	struct sv_job *job;
	uint64_t folder; /* at hand */
	bool encrypted;
	uint64_t budget; /* blocks that folders may have together */
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

static int visit_entry(void *user, const struct sv_ext_entry *e)
{
	struct walk *w = user;
	struct sv_err why = SV_ERR_INIT;
	char name[SV_FS_UNIX_NAME];
	struct sv_ext_inode i;
	struct sv_fs_stat st;

	if (sv_ext_load_used(w->v, e->ino, &i, &why) < 0)
		return note(w, &why);
	if (w->encrypted)
		sv_ext_name_encrypted(e->name, e->name_len, name);
	else
		sv_fs_unix_name(e->name, e->name_len, name);
	sv_ext_describe(&i, &w->v->super, &st);
	return w->fn(w->user, w->folder, name, &st);
}

static int visit_folder(struct walk *w, const struct sv_ext_inode *i)
{
	uint64_t blocks = i->flags & EXT_FL_INLINE_DATA ? 0 : i->size / w->v->super.block_size;
	struct sv_err why = SV_ERR_INIT;
	int rc;

	if (blocks > w->budget) {
		sv_fail(&why, SV_CORRUPT, sv_dev_name(w->v->dev),
			"with inode %llu the folders have more blocks than the volume",
			(unsigned long long)i->ino);
		return note(w, &why);
	}
	w->budget -= blocks;
	w->folder = i->ino;
	w->encrypted = i->flags & EXT_FL_ENCRYPT;
	if (sv_job_check(w->job, &why) < 0)
		return note(w, &why);
	rc = sv_ext_each_entry(w->v, i, visit_entry, w, &why);
	if (rc < 0 && why.code != SV_OK)
		return note(w, &why);
	return rc;
}

static int visit_inode(struct walk *w, uint64_t ino, const uint8_t *bytes)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_ext_inode i;
	int rc;

	if (w->v->fast)
		rc = sv_ext_load(w->v, ino, &i, &why);
	else
		rc = sv_ext_parse_inode(
			bytes, w->v->super.inode_size, &w->v->super, ino, &i, &why);
	if (rc < 0)
		return 0; /* who names it will tell */
	if (!i.links || sv_ext_type_of(i.mode) != SV_FS_DIR)
		return 0;
	return visit_folder(w, &i);
}

/* Inodes [from, from + n) of a group, which lie at `at`. */
static int visit_piece(struct walk *w, uint64_t ino, uint64_t n, uint64_t at, uint8_t *buf)
{
	const size_t size = w->v->super.inode_size;
	struct sv_err why = SV_ERR_INIT;
	int rc = 0;

	if (sv_dev_read(w->v->dev, buf, (size_t)n * size, at, &why) < 0)
		return note(w, &why);
	for (uint64_t i = 0; !rc && i < n && ino + i <= w->v->super.inodes; i++)
		rc = visit_inode(w, ino + i, buf + i * size);
	return rc;
}

static int visit_group(struct walk *w, uint32_t number, uint8_t *buf)
{
	const struct sv_ext_super *s = &w->v->super;
	const uint64_t per_piece = PIECE / s->inode_size;
	struct sv_err why = SV_ERR_INIT;
	const struct sv_ext_group *g;
	uint64_t table, end;
	int rc = 0;

	if (sv_ext_load_group(w->v, number, &g, &why) < 0)
		return note(w, &why);
	if (!g->checksum_ok) {
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(w->v->dev),
			sv_ext_group_place(s, number),
			"group %u: the checksum of its descriptor is wrong", number);
		note(w, &why);
	}
	table = g->inode_table * s->block_size;
	end = w->v->fast ? s->inodes_per_group : g->inodes;
	for (uint64_t i = 0; !rc && i < end; i += per_piece)
		rc = visit_piece(w, (uint64_t)number * s->inodes_per_group + i + 1,
			SV_MIN(per_piece, end - i), table + i * s->inode_size, buf);
	return rc;
}

static int visit_groups(struct walk *w, struct sv_err *err)
{
	const uint32_t groups = w->v->super.groups;
	sv_autofree uint8_t *buf = malloc(PIECE);
	int rc = 0;

	if (!buf)
		return sv_fail_nomem(err);
	for (uint32_t g = 0; !rc && g < groups; g++) {
		if ((uint64_t)g * w->v->super.inodes_per_group >= w->v->super.inodes)
			break;
		sv_job_progress(w->job, "reading the inode tables", g, groups);
		if (sv_job_check(w->job, err) < 0)
			return -1;
		rc = visit_group(w, g, buf);
	}
	sv_job_progress(w->job, "reading the inode tables", groups, groups);
	return rc;
}

int sv_ext_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err)
{
	struct sv_ext *v = sv_ext_of(fs);
	struct walk w = {.v = v, .fn = fn, .user = user, .job = job, .budget = v->super.blocks};
	int rc = visit_groups(&w, err);

	if (rc > 0 || !w.damaged)
		return rc;
	sv_err_copy(err, &w.first);
	if (rc < 0)
		return -1;
	return sv_err_context(err, "damaged objects were left out (%llu), the first",
		(unsigned long long)w.damaged);
}
