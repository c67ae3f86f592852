/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every object of the volume: the tree of each subvolume is read in the order of its keys.
 * There an inode is followed by the names that it has, so that no folder need be listed. A
 * subvolume is told where it hangs in its parent.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define INODE_REF    10u
#define INODE_EXTREF 18u
#define SUBVOL_REF   18u
#define DAMAGED_MAX  100000u

struct walk {
	struct sv_btrfs *v;
	sv_fs_walk_fn fn;
	void *user;
	struct sv_job *job;
	struct sv_btrfs_root root;   /* the subvolume at hand */
	struct sv_btrfs_inode inode; /* at hand */
	bool inode_valid;
	uint64_t damaged;
	struct sv_err first;
};

/* -1 where nothing can go on. */
static int note(struct walk *w, struct sv_err *why)
{
	enum sv_code code = why->code;

	sv_err_path(why, sv_dev_name(w->v->fs.volume));
	if (!w->damaged++ || code == SV_NOMEM || code == SV_CANCELLED)
		sv_err_copy(&w->first, why);
	*why = (struct sv_err)SV_ERR_INIT;
	return code == SV_NOMEM || code == SV_CANCELLED || w->damaged > DAMAGED_MAX ? -1 : 0;
}

static int tell(struct walk *w, uint64_t subvolume, uint64_t parent, const uint8_t *name,
	unsigned len, const struct sv_btrfs_inode *i)
{
	char text[SV_FS_UNIX_NAME];
	struct sv_err why = SV_ERR_INIT;
	struct sv_fs_stat st;
	uint64_t ino;

	if (!len || len > BTRFS_NAME_MAX || !sv_btrfs_number(subvolume, parent, &ino)) {
		sv_fail(&why, SV_CORRUPT, NULL,
			"inode %llu has a name of %u bytes in folder %llu",
			(unsigned long long)i->objectid, len, (unsigned long long)parent);
		return note(w, &why);
	}
	sv_fs_unix_name(name, len, text);
	sv_btrfs_describe(i, &st);
	return w->fn(w->user, ino, text, &st);
}

/* ---- inodes and their names ---- */

static int take_inode(struct walk *w, const struct sv_btrfs_cursor *c)
{
	struct sv_err why = SV_ERR_INIT;

	w->inode_valid = false;
	if (sv_btrfs_parse_inode(c->data, c->size, &w->inode, &why) < 0)
		return note(w, &why);
	w->inode.subvolume = w->root.id;
	w->inode.objectid = c->key.objectid;
	w->inode_valid = sv_btrfs_number(w->root.id, c->key.objectid, &w->inode.ino);
	return 0;
}

/* The names in one folder, or (extended) those whose hash is the same. */
static int take_names(struct walk *w, const struct sv_btrfs_cursor *c, bool extended)
{
	size_t head = extended ? INODE_EXTREF : INODE_REF, at = 0;
	struct sv_err why = SV_ERR_INIT;
	int rc = 0;

	if (!w->inode_valid || w->inode.objectid != c->key.objectid ||
		c->key.objectid == w->root.dir)
		return 0;
	while (!rc && at < c->size) {
		const uint8_t *b = c->data + at;
		size_t left = c->size - at;
		unsigned len = left >= head ? sv_load_le16(b + head - 2) : 0;

		if (left < head || left - head < len) {
			sv_fail(&why, SV_CORRUPT, NULL,
				"inode %llu has a name of %u bytes in %zu",
				(unsigned long long)c->key.objectid, len, left);
			return note(w, &why);
		}
		rc = tell(w, w->root.id, extended ? sv_load_le64(b) : c->key.offset, b + head,
			len, &w->inode);
		at += head + len;
	}
	return rc;
}

static int take_item(struct walk *w, const struct sv_btrfs_cursor *c)
{
	switch (c->key.type) {
	case BTRFS_INODE_ITEM:
		return take_inode(w, c);
	case BTRFS_INODE_REF:
		return take_names(w, c, false);
	case BTRFS_INODE_EXTREF:
		return take_names(w, c, true);
	default:
		return 0;
	}
}

static int walk_tree(struct walk *w)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {BTRFS_FIRST_INODE, 0, 0};
	struct sv_err why = SV_ERR_INIT;
	int there = sv_btrfs_seek(w->v, &w->root, &key, &c, &why), rc = 0;
	uint64_t leaf = 0;

	w->inode_valid = false;
	for (; there && !rc; there = rc ? 0 : sv_btrfs_next(&c, &why)) {
		if (there < 0) {
			rc = note(w, &why);
			continue;
		}
		if (c.key.objectid > BTRFS_LAST_SUBVOLUME)
			break;
		if (c.nodes[0]->logical != leaf && sv_job_check(w->job, &why) < 0)
			return note(w, &why);
		leaf = c.nodes[0]->logical;
		rc = take_item(w, &c);
	}
	return rc;
}

/* ---- subvolumes ---- */

/* The subvolume itself, where it hangs. */
static int tell_subvolume(struct walk *w)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {w->root.id, BTRFS_ROOT_BACKREF, 0};
	struct sv_err why = SV_ERR_INIT;
	struct sv_btrfs_inode i;
	struct sv_btrfs_root root;
	uint64_t ino;
	int rc;

	if (w->root.id == BTRFS_FS_TREE)
		return 0;
	rc = sv_btrfs_seek(w->v, &w->v->tree_root, &key, &c, &why);
	if (rc < 0)
		return note(w, &why);
	if (!rc || c.key.objectid != w->root.id || c.key.type != BTRFS_ROOT_BACKREF ||
		c.size < SUBVOL_REF || c.size - SUBVOL_REF < sv_load_le16(c.data + 16) ||
		!sv_btrfs_number(w->root.id, w->root.dir, &ino))
		return 0; /* it hangs nowhere: being deleted */
	if (sv_btrfs_load(w->v, ino, &i, &root, &why) < 0)
		return note(w, &why);
	return tell(w, c.key.offset, sv_load_le64(c.data), c.data + SUBVOL_REF,
		sv_load_le16(c.data + 16), &i);
}

static int walk_subvolume(struct walk *w, uint64_t id)
{
	struct sv_err why = SV_ERR_INIT;
	int rc;

	if (sv_btrfs_root_of(w->v, id, &w->root, &why) < 0)
		return why.code == SV_NOTFOUND ? 0 : note(w, &why); /* deleted */
	rc = tell_subvolume(w);
	return rc ? rc : walk_tree(w);
}

static bool is_subvolume(const struct sv_btrfs_key *key)
{
	return key->type == BTRFS_ROOT_ITEM &&
	       (key->objectid == BTRFS_FS_TREE ||
		       (key->objectid >= BTRFS_FIRST_SUBVOLUME &&
			       key->objectid < BTRFS_SUBVOLUMES_END));
}

static int walk_all(struct walk *w)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {0, 0, 0};
	struct sv_err why = SV_ERR_INIT;
	int there = sv_btrfs_seek(w->v, &w->v->tree_root, &key, &c, &why), rc = 0;

	for (; there && !rc; there = rc ? 0 : sv_btrfs_next(&c, &why)) {
		if (there < 0)
			rc = note(w, &why);
		else if (is_subvolume(&c.key))
			rc = walk_subvolume(w, c.key.objectid);
	}
	return rc;
}

int sv_btrfs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err)
{
	struct walk w = {.v = sv_btrfs_of(fs), .fn = fn, .user = user, .job = job};
	int rc = walk_all(&w);

	if (rc > 0 || !w.damaged)
		return rc;
	sv_err_copy(err, &w.first);
	if (rc < 0)
		return -1;
	return sv_err_context(err, "damaged objects were left out (%llu), the first",
		(unsigned long long)w.damaged);
}
