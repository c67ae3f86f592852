/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders: all their blocks in order, names compared byte by byte (in a folder that folds case,
 * letters of ASCII without it where no name is the same). What is damaged is passed over, and
 * raised when all that can be read was told.
 */
#include "fs/ext/ext.h"

#include "base/num.h"
#include "fs/ext/fast.h"

#include <stdlib.h>
#include <strings.h>

/* Linux stops far below: a folder of so many bytes has been made to keep a reader busy. */
#define FOLDER_MAX (4 * SV_GIB)

struct listing {
	struct sv_ext *v;
	const struct sv_ext_inode *dir;
	sv_ext_entry_fn fn;
	void *user;
	uint64_t damaged;
	struct sv_err first;
};

/* Errors that end everything are not damage. */
static int note(struct listing *l, const struct sv_err *what)
{
	if (!l->damaged++)
		sv_err_copy(&l->first, what);
	return what->code == SV_IO || what->code == SV_NOMEM ? -1 : 0;
}

static int note_at(struct listing *l, uint64_t at, struct sv_err *what)
{
	if (at)
		sv_err_shift(what, at);
	else
		what->has_offset = false;
	sv_err_path(what, sv_dev_name(l->v->dev));
	sv_err_context(what, "folder of inode %llu", (unsigned long long)l->dir->ino);
	return note(l, what);
}

static bool is_dot(const struct sv_ext_entry *e)
{
	return (e->name_len == 1 && e->name[0] == '.') ||
	       (e->name_len == 2 && e->name[0] == '.' && e->name[1] == '.');
}

static int tell(struct listing *l, const struct sv_ext_entry *e, uint64_t at)
{
	struct sv_err what = SV_ERR_INIT;

	if (!e->ino || !e->name_len || is_dot(e))
		return 0;
	if (l->v->fast && sv_ext_fast_knows(l->v->fast, l->dir->ino, e->name, e->name_len))
		return 0; /* it tells what became of this name */
	if (e->ino <= l->v->super.inodes)
		return l->fn(l->user, e);
	sv_fail_at(&what, SV_CORRUPT, NULL, 0, "an entry names inode %llu of %llu",
		(unsigned long long)e->ino, (unsigned long long)l->v->super.inodes);
	return note_at(l, at, &what);
}

/* The entries of n bytes; `at` is where they lie on the volume, 0 where that is not known. */
static int each_in_block(struct listing *l, const uint8_t *bytes, size_t n, uint64_t at)
{
	const bool has_type = sv_ext_has(&l->v->super, EXT_INCOMPAT_FILETYPE);
	struct sv_err what = SV_ERR_INIT;
	struct sv_ext_entry e;

	for (size_t pos = 0; pos < n; pos = e.next) {
		int rc;

		if (sv_ext_parse_entry(bytes, n, pos, has_type, &e, &what) < 0)
			return note_at(l, at, &what);
		rc = tell(l, &e, at ? at + pos : 0);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_block(struct listing *l, const uint8_t *block, uint64_t lblk, uint64_t at)
{
	const size_t n = l->v->super.block_size;
	struct sv_err what = SV_ERR_INIT;

	if (!l->v->super.checksums || sv_ext_dir_checksum_ok(block, n, l->dir->seed,
					      !lblk && l->dir->flags & EXT_FL_INDEX))
		return 0;
	sv_fail_at(&what, SV_CORRUPT, NULL, 0, "the checksum of block %llu is wrong",
		(unsigned long long)lblk);
	return note_at(l, at, &what);
}

static int each_in_run(struct listing *l, const struct sv_ext_run *run, uint8_t *block)
{
	const size_t size = l->v->super.block_size;
	struct sv_err what = SV_ERR_INIT;
	int rc = 0;

	if (run->pblk == SV_EXT_HOLE) {
		sv_fail(&what, SV_CORRUPT, NULL, "block %llu is a hole",
			(unsigned long long)run->lblk);
		return note_at(l, 0, &what);
	}
	for (uint64_t i = 0; !rc && i < run->len; i++) {
		uint64_t at = (run->pblk + i) * size;

		if (sv_dev_read(l->v->dev, block, size, at, &what) < 0)
			rc = note(l, &what);
		else if (!(rc = check_block(l, block, run->lblk + i, at)))
			rc = each_in_block(l, block, size, at);
	}
	return rc;
}

static int each_in_blocks(struct listing *l, struct sv_ext_map *m, struct sv_err *err)
{
	sv_autofree uint8_t *block = malloc(l->v->super.block_size);
	const uint64_t end = l->dir->size / l->v->super.block_size;
	struct sv_err what = SV_ERR_INIT;
	struct sv_ext_run run;
	int rc = 0;

	if (!block)
		return sv_fail_nomem(err);
	for (uint64_t lblk = 0; !rc && lblk < end; lblk += run.len) {
		if (sv_ext_map_at(l->v, m, lblk, &run, &what) < 0) {
			rc = note(l, &what);
			break;
		}
		run.len = SV_MIN(run.len, end - lblk);
		rc = each_in_run(l, &run, block);
	}
	return rc;
}

/* The parent's number, then entries; those that lie in the attribute begin anew. */
static int each_inline(struct listing *l, struct sv_err *err)
{
	const size_t head = sizeof l->dir->block;
	size_t n = 0;
	sv_autofree uint8_t *data = sv_ext_inline_data(l->v, l->dir, &n, err);
	int rc = 0;

	if (!data)
		return -1;
	if (n > 4)
		rc = each_in_block(l, data + 4, SV_MIN(n, head) - 4, 0);
	if (!rc && n > head)
		rc = each_in_block(l, data + head, n - head, 0);
	return rc;
}

static int each_on_disk(struct listing *l, struct sv_err *err)
{
	struct sv_ext_map m = {.inode = *l->dir};
	int rc;

	if (l->v->fast && sv_ext_fast_made(l->v->fast, l->dir->ino))
		return 0;
	if (l->dir->flags & EXT_FL_INLINE_DATA)
		return each_inline(l, err);
	if (l->dir->size > FOLDER_MAX)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(l->v->dev),
			"the folder of inode %llu has %llu bytes, at most %llu are read",
			(unsigned long long)l->dir->ino, (unsigned long long)l->dir->size,
			(unsigned long long)FOLDER_MAX);
	rc = each_in_blocks(l, &m, err);
	sv_ext_map_free(&m);
	return rc;
}

int sv_ext_each_entry(struct sv_ext *v, const struct sv_ext_inode *dir, sv_ext_entry_fn fn,
	void *user, struct sv_err *err)
{
	struct listing l = {.v = v, .dir = dir, .fn = fn, .user = user};
	struct sv_err why = SV_ERR_INIT;
	int rc = 0;

	if (sv_ext_type_of(dir->mode) != SV_FS_DIR)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "inode %llu is no folder",
			(unsigned long long)dir->ino);
	if (sv_ext_check_inode(v, dir, &why) < 0)
		note(&l, &why);
	rc = each_on_disk(&l, &why);
	if (rc < 0 && why.code != SV_OK && !l.damaged)
		note(&l, &why);
	if (!rc && v->fast)
		rc = sv_ext_fast_each(v->fast, dir->ino, fn, user);
	if (rc > 0 || (!rc && !l.damaged))
		return rc;
	if (l.damaged) {
		sv_err_copy(err, &l.first);
		return -1;
	}
	return rc;
}

/* ---- the driver's calls ---- */

static enum sv_fs_type type_of_entry(struct sv_ext *v, const struct sv_ext_entry *e)
{
	static const enum sv_fs_type types[] = {SV_FS_OTHER, SV_FS_FILE, SV_FS_DIR, SV_FS_CHAR,
		SV_FS_BLOCK, SV_FS_FIFO, SV_FS_SOCKET, SV_FS_SYMLINK};
	struct sv_ext_inode i;

	if (e->type && e->type < SV_ARRAY_LEN(types))
		return types[e->type];
	return sv_ext_load(v, e->ino, &i, NULL) < 0 ? SV_FS_OTHER : sv_ext_type_of(i.mode);
}

struct telling {
	struct sv_ext *v;
	bool encrypted;
	sv_fs_entry_fn fn;
	void *user;
};

static int tell_caller(void *user, const struct sv_ext_entry *e)
{
	struct telling *t = user;
	char name[SV_FS_UNIX_NAME];
	bool lossy = t->encrypted;

	if (t->encrypted)
		sv_ext_name_encrypted(e->name, e->name_len, name);
	else
		lossy = sv_fs_unix_name(e->name, e->name_len, name);
	return t->fn(t->user, name, lossy ? e->name : NULL, lossy ? e->name_len : 0, e->ino,
		type_of_entry(t->v, e));
}

int sv_ext_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	struct telling t = {.v = sv_ext_of(fs), .fn = fn, .user = user};
	struct sv_ext_inode dir;

	if (sv_ext_load_used(t.v, ino, &dir, err) < 0)
		return -1;
	t.encrypted = dir.flags & EXT_FL_ENCRYPT;
	return sv_ext_each_entry(t.v, &dir, tell_caller, &t, err);
}

struct search {
	const char *name;
	size_t len;
	bool encrypted, folds;
	uint64_t found, similar; /* inodes; 0 for none */
};

static int match(void *user, const struct sv_ext_entry *e)
{
	struct search *s = user;
	char name[SV_FS_UNIX_NAME];

	if (s->encrypted) {
		sv_ext_name_encrypted(e->name, e->name_len, name);
		if (strlen(name) == s->len && !memcmp(name, s->name, s->len))
			s->found = e->ino;
	} else if (e->name_len == s->len && !memcmp(e->name, s->name, s->len)) {
		s->found = e->ino;
	} else if (s->folds && !s->similar && e->name_len == s->len &&
		   !strncasecmp((const char *)e->name, s->name, s->len)) {
		s->similar = e->ino;
	}
	return s->found != 0;
}

int sv_ext_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err)
{
	struct sv_ext *v = sv_ext_of(fs);
	struct search s = {.name = name, .len = name_len};
	struct sv_ext_inode i;
	int rc;

	if (sv_ext_load_used(v, dir, &i, err) < 0)
		return -1;
	if (sv_ext_type_of(i.mode) != SV_FS_DIR)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev), "inode %llu is no folder",
			(unsigned long long)dir);
	s.encrypted = i.flags & EXT_FL_ENCRYPT;
	s.folds = i.flags & EXT_FL_CASEFOLD;
	rc = sv_ext_each_entry(v, &i, match, &s, err);
	if (s.found || s.similar) {
		*ret_ino = s.found ? s.found : s.similar;
		return 0;
	}
	if (rc < 0)
		return -1;
	return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev), "there is no such entry");
}
