/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trees and subvolumes: where the root of each is, which subvolume is mounted where none is
 * named, and by which path a subvolume is reached from the top-level one.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define ROOT_ITEM_OLD 239u /* bytes; newer ones have more behind */
#define REF_HEAD      18u
#define INODE_REF     10u
#define PATH_STEPS    4096u

int sv_btrfs_parse_root(
	const uint8_t *b, size_t n, struct sv_btrfs_root *ret, struct sv_err *err)
{
	if (n < ROOT_ITEM_OLD)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0, "the root of a tree in %zu bytes", n);
	*ret = (struct sv_btrfs_root){.generation = sv_load_le64(b + 160),
		.dir = sv_load_le64(b + 168),
		.logical = sv_load_le64(b + 176),
		.level = b[238]};
	if (ret->level >= BTRFS_LEVELS)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 238, "a tree of %u levels", ret->level + 1u);
	return 0;
}

static bool is_deleted(uint64_t id, const uint8_t *b)
{
	return id >= BTRFS_FIRST_SUBVOLUME && id <= BTRFS_LAST_SUBVOLUME &&
	       !sv_load_le32(b + 216);
}

static int find_root(
	struct sv_btrfs *v, uint64_t id, struct sv_btrfs_root *ret, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {id, BTRFS_ROOT_ITEM, 0};
	struct sv_btrfs_root r;
	int rc = sv_btrfs_seek(v, &v->tree_root, &key, &c, err);

	if (rc < 0)
		return -1;
	if (!rc || c.key.objectid != id || c.key.type != BTRFS_ROOT_ITEM)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->fs.volume),
			"there is no tree %llu", (unsigned long long)id);
	if (sv_btrfs_parse_root(c.data, c.size, &r, err) < 0)
		return sv_err_path(err, sv_dev_name(v->fs.volume));
	if (is_deleted(id, c.data))
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->fs.volume),
			"subvolume %llu was deleted", (unsigned long long)id);
	r.id = id;
	*ret = r;
	return 0;
}

int sv_btrfs_root_of(
	struct sv_btrfs *v, uint64_t id, struct sv_btrfs_root *ret, struct sv_err *err)
{
	if (!v->last_root.id || v->last_root.id != id) {
		v->last_root.id = 0;
		if (find_root(v, id, &v->last_root, err) < 0)
			return -1;
	}
	*ret = v->last_root;
	return 0;
}

/* ---- names ---- */

/* A folder of the root tree names it: an entry "default". */
int sv_btrfs_find_default(struct sv_btrfs *v, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {
		BTRFS_ROOT_DIR, BTRFS_DIR_ITEM, sv_btrfs_name_hash("default", 7)};
	int rc = sv_btrfs_find(v, &v->tree_root, &key, &c, err);
	struct sv_btrfs_entry e;

	v->default_subvolume = BTRFS_FS_TREE;
	for (size_t at = 0; rc > 0 && at < c.size;) {
		if (sv_btrfs_parse_entry(c.data, c.size, &at, &e, err) < 0)
			return sv_err_path(err, sv_dev_name(v->fs.volume));
		if (e.name_len == 7 && !memcmp(e.name, "default", 7))
			v->default_subvolume = e.target.objectid;
	}
	return rc < 0 ? -1 : 0;
}

/* The name by which a subvolume hangs in a folder of its parent. */
struct hook {
	uint64_t dir;
	const uint8_t *name;
	unsigned len;
};

static int parse_hook(const uint8_t *b, size_t n, struct hook *ret, struct sv_err *err)
{
	unsigned len = n >= REF_HEAD ? sv_load_le16(b + 16) : 0;

	if (!len || len > BTRFS_NAME_MAX || n < REF_HEAD + len)
		return sv_fail(err, SV_CORRUPT, NULL,
			"a subvolume has a name of %u bytes in %zu", len, n);
	*ret = (struct hook){sv_load_le64(b), b + REF_HEAD, len};
	return 0;
}

int sv_btrfs_is_child(struct sv_btrfs *v, uint64_t parent, uint64_t dir, uint64_t child,
	const uint8_t *name, unsigned name_len, bool *ret, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {parent, BTRFS_ROOT_REF, child};
	int rc = sv_btrfs_find(v, &v->tree_root, &key, &c, err);
	struct hook h = {0};

	*ret = false;
	if (rc <= 0)
		return rc;
	if (parse_hook(c.data, c.size, &h, err) < 0)
		return sv_err_path(err, sv_dev_name(v->fs.volume));
	*ret = h.dir == dir && h.len == name_len && !memcmp(h.name, name, name_len);
	return 0;
}

/* ---- the path of a subvolume ---- */

struct path {
	struct sv_btrfs *v;
	char *text; /* "/@/home", or NULL for "" */
	unsigned steps;
};

static int prepend(struct path *p, const uint8_t *name, unsigned len, struct sv_err *err)
{
	char *longer =
		sv_format("/%.*s%s", (int)len, (const char *)name, p->text ? p->text : "");

	if (!longer)
		return sv_fail_nomem(err);
	free(p->text);
	p->text = longer;
	if (++p->steps > PATH_STEPS)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(p->v->fs.volume),
			"the way to a subvolume has more than %u folders", PATH_STEPS);
	return 0;
}

/* From a folder up to its subvolume's own. */
static int climb(
	struct path *p, const struct sv_btrfs_root *root, uint64_t dir, struct sv_err *err)
{
	while (dir != root->dir) {
		SV_BTRFS_CURSOR c = {0};
		struct sv_btrfs_key key = {dir, BTRFS_INODE_REF, 0};
		int rc = sv_btrfs_seek(p->v, root, &key, &c, err);
		unsigned len;

		if (rc < 0)
			return -1;
		len = rc && c.size >= INODE_REF ? sv_load_le16(c.data + 8) : 0;
		if (!rc || c.key.objectid != dir || c.key.type != BTRFS_INODE_REF || !len ||
			c.size < INODE_REF + len)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(p->v->fs.volume),
				"folder %llu of subvolume %llu has no name",
				(unsigned long long)dir, (unsigned long long)root->id);
		if (prepend(p, c.data + INODE_REF, len, err) < 0)
			return -1;
		dir = c.key.offset;
	}
	return 0;
}

/* From a subvolume to the one that holds it. */
static int climb_out(struct path *p, uint64_t *id, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {*id, BTRFS_ROOT_BACKREF, 0};
	int rc = sv_btrfs_seek(p->v, &p->v->tree_root, &key, &c, err);
	struct sv_btrfs_root root;
	struct hook h = {0};

	if (rc < 0)
		return -1;
	if (!rc || c.key.objectid != *id || c.key.type != BTRFS_ROOT_BACKREF)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(p->v->fs.volume),
			"subvolume %llu hangs nowhere", (unsigned long long)*id);
	*id = c.key.offset;
	if (parse_hook(c.data, c.size, &h, err) < 0 || prepend(p, h.name, h.len, err) < 0 ||
		sv_btrfs_root_of(p->v, *id, &root, err) < 0)
		return -1;
	return climb(p, &root, h.dir, err);
}

char *sv_btrfs_subvolume(struct sv_fs *fs, uint64_t id, struct sv_err *err)
{
	struct path p = {.v = sv_btrfs_of(fs)};

	if (!id)
		id = p.v->default_subvolume;
	while (id != BTRFS_FS_TREE) {
		if (climb_out(&p, &id, err) < 0) {
			free(p.text);
			return NULL;
		}
	}
	if (!p.text)
		p.text = strdup("");
	if (!p.text)
		sv_fail_nomem(err);
	return p.text;
}
