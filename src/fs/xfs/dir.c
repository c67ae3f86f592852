/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XFS folders: in the inode while they are small, else data blocks below 32 GiB of the folder
 * (what lies above are indexes, which a listing does not need). A folder of one block keeps its
 * index at that block's end.
 */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define DATA_END  (UINT64_C(1) << 35) /* bytes; indexes begin there */
#define FREE_TAG  0xffffu
#define HEADER_V4 16u
#define HEADER_V5 64u
#define CRC_AT    4u

static bool is_dot(const struct sv_xfs_entry *e)
{
	return (e->name_len == 1 && e->name[0] == '.') ||
	       (e->name_len == 2 && e->name[0] == '.' && e->name[1] == '.');
}

/* ---- in the inode ---- */

static uint64_t load_number(const uint8_t *b, bool wide)
{
	return wide ? sv_load_be64(b) : sv_load_be32(b);
}

int sv_xfs_each_short(const uint8_t *b, size_t n, bool ftype, sv_xfs_entry_fn fn, void *user,
	struct sv_err *err)
{
	size_t at = 2;
	bool wide = n >= 2 && b[1];
	size_t width = wide ? 8 : 4;
	unsigned count = n >= 2 ? b[0] : 0;
	int rc = 0;

	if (n < 2 + width)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "a folder of %zu bytes", n);
	at += width; /* the parent */
	for (unsigned i = 0; !rc && i < count; i++) {
		struct sv_xfs_entry e = {.name_len = at < n ? b[at] : 0};
		size_t size = 3u + e.name_len + ftype + width;

		if (!e.name_len || !sv_in_range(at, size, n))
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"entry %u of %u has a name of %u bytes, %zu are left", i, count,
				e.name_len, n - SV_MIN(at, n));
		e.name = b + at + 3;
		e.type = ftype ? b[at + 3 + e.name_len] : 0;
		e.ino = load_number(b + at + 3 + e.name_len + ftype, wide);
		rc = fn(user, &e);
		at += size;
	}
	return rc;
}

/* ---- blocks ---- */

static bool has_magic(const uint8_t *b, bool v5, bool *ret_single)
{
	*ret_single = !memcmp(b, v5 ? "XDB3" : "XD2B", 4);
	return *ret_single || !memcmp(b, v5 ? "XDD3" : "XD2D", 4);
}

/* Where entries end: a folder of one block has its index, and the index's size, behind them. */
static size_t end_of_entries(const uint8_t *b, size_t n, bool single)
{
	uint64_t index = single ? sv_load_be32(b + n - 8) * UINT64_C(8) + 8 : 0;

	return index <= n ? n - (size_t)index : 0;
}

static int parse_entry(const uint8_t *b, size_t at, size_t end, bool ftype,
	struct sv_xfs_entry *ret, size_t *ret_next, struct sv_err *err)
{
	size_t left = end - at, size;

	ret->name_len = 0;
	if (left >= 8 && sv_load_be16(b + at) == FREE_TAG) {
		size = sv_load_be16(b + at + 2);
	} else {
		ret->name_len = left >= 12 ? b[at + 8] : 0;
		size = (9u + ret->name_len + ftype + 2 + 7) & ~7u;
		if (!ret->name_len)
			size = 0;
	}
	if (!size || size % 8 || size > left)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"an entry of %zu bytes, with a name of %u; %zu are left", size,
			ret->name_len, left);
	*ret_next = at + size;
	if (!ret->name_len)
		return 0;
	ret->ino = sv_load_be64(b + at);
	ret->name = b + at + 9;
	ret->type = ftype ? b[at + 9 + ret->name_len] : 0;
	return 0;
}

int sv_xfs_each_in_block(const uint8_t *b, size_t n, bool ftype, sv_xfs_entry_fn fn, void *user,
	struct sv_err *err)
{
	bool v5 = b[3] == '3', single;
	size_t end;
	int rc = 0;

	if (!has_magic(b, v5, &single))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a folder's block begins with %#x, expected \"XD2D\", \"XD2B\", \"XDD3\" "
			"or \"XDB3\"",
			sv_load_be32(b));
	end = end_of_entries(b, n, single);
	for (size_t at = v5 ? HEADER_V5 : HEADER_V4; !rc && at < end;) {
		struct sv_xfs_entry e;

		if (parse_entry(b, at, end, ftype, &e, &at, err) < 0)
			return -1;
		if (e.name_len && !is_dot(&e))
			rc = fn(user, &e);
	}
	return rc;
}

/* ---- a folder ---- */

struct listing {
	struct sv_xfs *v;
	const struct sv_xfs_inode *dir;
	uint64_t damaged;
	struct sv_err first;
};

static int note(struct listing *l, const struct sv_err *why)
{
	if (!l->damaged++)
		sv_err_copy(&l->first, why);
	return why->code == SV_CORRUPT ? 0 : -1;
}

static int check_block(struct listing *l, const uint8_t *b, uint64_t at)
{
	struct sv_err why = SV_ERR_INIT;

	if (!l->v->super.v5 || (sv_xfs_crc_ok(b, l->v->super.dir_block, CRC_AT) &&
				       sv_load_be64(b + 40) == l->dir->ino))
		return 0;
	sv_fail_at(&why, SV_CORRUPT, sv_dev_name(l->v->dev), at,
		"a block of the folder of inode %llu has a wrong checksum, or belongs to inode %llu",
		(unsigned long long)l->dir->ino, (unsigned long long)sv_load_be64(b + 40));
	return note(l, &why);
}

static int each_in_one(
	struct listing *l, uint64_t lblk, uint8_t *buf, sv_xfs_entry_fn fn, void *user)
{
	struct sv_err why = SV_ERR_INIT;
	uint64_t at;
	int rc;

	if (sv_xfs_read_fork(l->v, l->dir, &l->dir->data, lblk, buf, l->v->super.dir_block, &at,
		    &why) < 0)
		return note(l, &why);
	if (check_block(l, buf, at) < 0)
		return -1;
	rc = sv_xfs_each_in_block(
		buf, l->v->super.dir_block, l->v->super.ftype, fn, user, &why);
	if (rc >= 0 || why.code == SV_OK)
		return rc;
	sv_err_shift(&why, at);
	sv_err_path(&why, sv_dev_name(l->v->dev));
	return note(l, &why);
}

/* Folder blocks that are holes were given back: the walk goes from run to run. */
static int each_in_blocks(
	struct listing *l, uint64_t upto, sv_xfs_entry_fn fn, void *user, struct sv_err *err)
{
	uint64_t step = l->v->super.dir_block >> l->v->super.block_log;
	sv_autofree uint8_t *buf = malloc(l->v->super.dir_block);
	struct sv_xfs_run run;
	int rc = 0;

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t lblk = 0; !rc && lblk < upto;) {
		if (sv_xfs_map(l->v, l->dir, &l->dir->data, lblk, upto, &run, err) < 0)
			return -1;
		if (run.at == XFS_HOLE) {
			lblk = sv_align_up(lblk + run.len, step);
			continue;
		}
		rc = each_in_one(l, lblk, buf, fn, user);
		lblk += step;
	}
	return rc;
}

static int each(struct listing *l, sv_xfs_entry_fn fn, void *user, struct sv_err *err)
{
	const struct sv_xfs_fork *f = &l->dir->data;
	uint64_t size = SV_MIN(l->dir->size, DATA_END);
	int rc;

	if (f->format == XFS_FORK_DEV)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(l->v->dev),
			"the folder of inode %llu is a device",
			(unsigned long long)l->dir->ino);
	if (f->format != XFS_FORK_LOCAL)
		return each_in_blocks(l, sv_div_up(size, l->v->super.block), fn, user, err);
	rc = sv_xfs_each_short(l->dir->raw + f->at,
		SV_MIN((size_t)l->dir->size, (size_t)f->size), l->v->super.ftype, fn, user,
		err);
	if (rc < 0)
		sv_err_context(err, "folder of inode %llu", (unsigned long long)l->dir->ino);
	return rc;
}

int sv_xfs_each_entry(struct sv_xfs *v, const struct sv_xfs_inode *dir, sv_xfs_entry_fn fn,
	void *user, struct sv_err *err)
{
	struct listing l = {.v = v, .dir = dir};
	struct sv_err why = SV_ERR_INIT;
	int rc;

	if (sv_xfs_type_of(dir->mode) != SV_FS_DIR)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "inode %llu is no folder",
			(unsigned long long)dir->ino);
	if (sv_xfs_check_inode(v, dir, &why) < 0)
		note(&l, &why);
	why = (struct sv_err)SV_ERR_INIT;
	rc = each(&l, fn, user, &why);
	if (rc < 0 && why.code != SV_OK) {
		sv_err_path(&why, sv_dev_name(v->dev));
		note(&l, &why);
	}
	if (rc > 0 || (!rc && !l.damaged))
		return rc;
	if (l.damaged)
		sv_err_copy(err, &l.first);
	return -1;
}

/* ---- the driver's calls ---- */

struct telling {
	struct sv_xfs *v;
	sv_fs_entry_fn fn;
	void *user;
};

static enum sv_fs_type type_of_entry(struct sv_xfs *v, const struct sv_xfs_entry *e)
{
	static const enum sv_fs_type types[] = {SV_FS_OTHER, SV_FS_FILE, SV_FS_DIR, SV_FS_CHAR,
		SV_FS_BLOCK, SV_FS_FIFO, SV_FS_SOCKET, SV_FS_SYMLINK};
	struct sv_xfs_inode i;

	if (e->type && e->type < SV_ARRAY_LEN(types))
		return types[e->type];
	return sv_xfs_load(v, e->ino, &i, NULL) < 0 ? SV_FS_OTHER : sv_xfs_type_of(i.mode);
}

static int tell(void *user, const struct sv_xfs_entry *e)
{
	struct telling *t = user;
	char name[SV_FS_UNIX_NAME];
	bool lossy = sv_fs_unix_name(e->name, e->name_len, name);

	return t->fn(t->user, name, lossy ? e->name : NULL, lossy ? e->name_len : 0, e->ino,
		type_of_entry(t->v, e));
}

int sv_xfs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	struct telling t = {sv_xfs_of(fs), fn, user};
	struct sv_xfs_inode dir;

	if (sv_xfs_load(t.v, ino, &dir, err) < 0)
		return -1;
	return sv_xfs_each_entry(t.v, &dir, tell, &t, err);
}

struct search {
	const char *name;
	size_t len;
	uint64_t found;
};

static int match(void *user, const struct sv_xfs_entry *e)
{
	struct search *s = user;

	if (e->name_len != s->len || memcmp(e->name, s->name, s->len) != 0)
		return 0;
	s->found = e->ino;
	return 1;
}

int sv_xfs_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err)
{
	struct search s = {.name = name, .len = name_len};
	struct sv_xfs *v = sv_xfs_of(fs);
	struct sv_xfs_inode i;
	int rc;

	if (sv_xfs_load(v, dir, &i, err) < 0)
		return -1;
	if (sv_xfs_type_of(i.mode) != SV_FS_DIR)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev), "inode %llu is no folder",
			(unsigned long long)dir);
	rc = sv_xfs_each_entry(v, &i, match, &s, err);
	if (rc > 0) {
		*ret_ino = s.found;
		return 0;
	}
	return rc < 0 ? -1
		      : sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev),
				"there is no such entry");
}
