/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * btrfs' folders: each name is in its subvolume's tree twice, by the hash of the name for who
 * looks it up, and by a number that grows for who lists. A name may lead to another subvolume.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"

#include <string.h>

#define HEAD        30u
#define DAMAGED_MAX 1000u /* nodes that cannot be read, of one folder */

uint32_t sv_btrfs_name_hash(const void *name, size_t n)
{
	return ~sv_crc32c(1, name, n); /* begun with ~1, not inverted at the end */
}

int sv_btrfs_parse_entry(
	const uint8_t *b, size_t n, size_t *at, struct sv_btrfs_entry *ret, struct sv_err *err)
{
	const uint8_t *e = b + *at;
	size_t left = n - *at;

	if (left < HEAD)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, *at, "an entry of a folder in %zu bytes", left);
	ret->value_len = sv_load_le16(e + 25);
	ret->name_len = sv_load_le16(e + 27);
	ret->type = e[29];
	if (!ret->name_len || ret->name_len > BTRFS_NAME_MAX ||
		left - HEAD < (size_t)ret->name_len + ret->value_len)
		return sv_fail_at(err, SV_CORRUPT, NULL, *at,
			"an entry with a name of %u bytes and a value of %u; %zu are left",
			ret->name_len, ret->value_len, left - HEAD);
	sv_btrfs_parse_key(e, &ret->target);
	ret->name = e + HEAD;
	ret->value = ret->name + ret->name_len;
	*at += HEAD + ret->name_len + ret->value_len;
	return 0;
}

/* The number of what an entry of folder `dir` leads to. */
static int number_of(struct sv_btrfs *v, uint64_t subvolume, uint64_t dir,
	const struct sv_btrfs_entry *e, uint64_t *ret, struct sv_err *err)
{
	uint64_t in = subvolume, objectid = e->target.objectid;
	bool there;

	if (e->target.type == BTRFS_ROOT_ITEM) {
		if (sv_btrfs_is_child(
			    v, subvolume, dir, objectid, e->name, e->name_len, &there, err) < 0)
			return -1;
		in = there ? objectid : subvolume;
		objectid = there ? BTRFS_FIRST_INODE : BTRFS_EMPTY | objectid;
	} else if (e->target.type != BTRFS_INODE_ITEM) {
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->fs.volume),
			"an entry of folder %llu leads to an object of type %u",
			(unsigned long long)dir, e->target.type);
	}
	if ((e->target.type == BTRFS_ROOT_ITEM || objectid < BTRFS_EMPTY) &&
		sv_btrfs_number(in, objectid, ret))
		return 0;
	return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->fs.volume),
		"subvolume %llu, inode %llu: numbers as large as these are not read",
		(unsigned long long)in, (unsigned long long)objectid);
}

static int load_folder(struct sv_btrfs *v, uint64_t ino, struct sv_btrfs_inode *ret,
	struct sv_btrfs_root *ret_root, enum sv_code code, struct sv_err *err)
{
	if (sv_btrfs_load(v, ino, ret, ret_root, err) < 0)
		return -1;
	if (sv_btrfs_type_of(ret->mode) == SV_FS_DIR)
		return 0;
	return sv_fail(err, code, sv_dev_name(v->fs.volume), "inode %llu is no folder",
		(unsigned long long)ret->objectid);
}

/* ---- listing ---- */

struct listing {
	struct sv_btrfs *v;
	struct sv_btrfs_inode dir;
	sv_fs_entry_fn fn;
	void *user;
	unsigned damaged;
	struct sv_err first;
};

/* -1 where nothing can go on. */
static int note(struct listing *l, struct sv_err *why)
{
	sv_err_path(why, sv_dev_name(l->v->fs.volume));
	if (!l->damaged++)
		sv_err_copy(&l->first, why);
	*why = (struct sv_err)SV_ERR_INIT;
	return l->first.code == SV_NOMEM || l->damaged > DAMAGED_MAX ? -1 : 0;
}

static int tell(struct listing *l, const struct sv_btrfs_entry *e)
{
	static const enum sv_fs_type types[] = {SV_FS_OTHER, SV_FS_FILE, SV_FS_DIR, SV_FS_CHAR,
		SV_FS_BLOCK, SV_FS_FIFO, SV_FS_SOCKET, SV_FS_SYMLINK};
	struct sv_err why = SV_ERR_INIT;
	char name[SV_FS_UNIX_NAME];
	uint64_t ino;
	bool lossy;

	if (number_of(l->v, l->dir.subvolume, l->dir.objectid, e, &ino, &why) < 0)
		return note(l, &why);
	lossy = sv_fs_unix_name(e->name, e->name_len, name);
	return l->fn(l->user, name, lossy ? e->name : NULL, lossy ? e->name_len : 0, ino,
		e->type < SV_ARRAY_LEN(types) ? types[e->type] : SV_FS_OTHER);
}

static int tell_item(struct listing *l, const struct sv_btrfs_cursor *c)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_btrfs_entry e;
	int rc = 0;

	for (size_t at = 0; !rc && at < c->size;) {
		if (sv_btrfs_parse_entry(c->data, c->size, &at, &e, &why) < 0)
			return note(l, &why);
		rc = tell(l, &e);
	}
	return rc;
}

static int each_item(struct listing *l, const struct sv_btrfs_root *root)
{
	SV_BTRFS_CURSOR c = {0};
	const uint64_t dir = l->dir.objectid;
	struct sv_btrfs_key key = {dir, BTRFS_DIR_INDEX, 0};
	struct sv_err why = SV_ERR_INIT;
	int there = sv_btrfs_seek(l->v, root, &key, &c, &why), rc = 0;

	for (; there && !rc; there = sv_btrfs_next(&c, &why)) {
		if (there < 0)
			rc = note(l, &why);
		else if (c.key.objectid != dir || c.key.type != BTRFS_DIR_INDEX)
			break;
		else
			rc = tell_item(l, &c);
		if (rc)
			break;
	}
	return rc;
}

int sv_btrfs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	struct listing l = {.v = sv_btrfs_of(fs), .fn = fn, .user = user};
	struct sv_btrfs_root root;
	int rc;

	if (load_folder(l.v, ino, &l.dir, &root, SV_USAGE, err) < 0)
		return -1;
	if (l.dir.objectid & BTRFS_EMPTY)
		return 0;
	rc = each_item(&l, &root);
	if (rc > 0 || (!rc && !l.damaged))
		return rc;
	if (l.damaged)
		sv_err_copy(err, &l.first);
	return -1;
}

/* ---- looking up ---- */

static int not_there(struct sv_btrfs *v, struct sv_err *err)
{
	return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->fs.volume), "there is no such entry");
}

int sv_btrfs_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs *v = sv_btrfs_of(fs);
	struct sv_btrfs_inode i;
	struct sv_btrfs_root root;
	struct sv_btrfs_key key;
	struct sv_btrfs_entry e;
	int rc;

	if (load_folder(v, dir, &i, &root, SV_NOTFOUND, err) < 0)
		return -1;
	key = (struct sv_btrfs_key){
		i.objectid, BTRFS_DIR_ITEM, sv_btrfs_name_hash(name, name_len)};
	rc = i.objectid & BTRFS_EMPTY ? 0 : sv_btrfs_find(v, &root, &key, &c, err);
	if (rc < 0)
		return -1;
	for (size_t at = 0; rc && at < c.size;) {
		if (sv_btrfs_parse_entry(c.data, c.size, &at, &e, err) < 0)
			return sv_err_path(err, sv_dev_name(v->fs.volume));
		if (e.name_len == name_len && !memcmp(e.name, name, name_len))
			return number_of(v, i.subvolume, i.objectid, &e, ret_ino, err);
	}
	return not_there(v, err);
}
