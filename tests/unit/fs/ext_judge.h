/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume is made by mke2fs from a folder of the host, and what the host shows of that folder
 * (types, modes, owners, devices, link counts, times, sizes, targets, extended attributes,
 * SHA-256 of every file) is compared line by line with what the reader says, by its walk and by
 * listing folder after folder.
 */
#ifndef SV_TESTS_FS_EXT_JUDGE_H
#define SV_TESTS_FS_EXT_JUDGE_H

#include "fixture.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"
#include "fs/fs.h"

#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* ---- lines ---- */

struct lines {
	char **v;
	size_t n;
};

static inline void add_line(struct lines *l, struct sv_str *s)
{
	l->v = realloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = sv_str_take(s);
}

static inline int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline char *join_sorted(struct lines *l, const char *separator)
{
	struct sv_str all = {0};

	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, by_text);
	for (size_t i = 0; i < l->n; i++) {
		sv_str_addf(&all, "%s%s", l->v[i], separator);
		free(l->v[i]);
	}
	free(l->v);
	*l = (struct lines){0};
	return sv_str_take(&all);
}

static inline void add_hex(struct sv_str *s, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		sv_str_addf(s, "%02x", p[i]);
}

static inline void assert_same_text(const char *a, const char *b)
{
	size_t i = 0, line = 0;

	while (a[i] && a[i] == b[i]) {
		if (a[i++] == '\n')
			line = i;
	}
	if (a[i] != b[i])
		fail_msg("found\n%.400s\nexpected\n%.400s", a + line, b + line);
}

static inline void add_head(struct sv_str *s, char type, unsigned mode, unsigned uid,
	unsigned gid, unsigned major, unsigned minor, unsigned nlink, int64_t sec)
{
	bool device = type == 'b' || type == 'c';

	sv_str_addf(s, "%c|%04o|%u:%u|", type, type == 'l' ? 0777 : mode, uid, gid);
	sv_str_addf(s, "%u:%u|%u|%" PRId64 "|", device ? major : 0, device ? minor : 0,
		type == 'd' ? 0 : nlink, sec);
}

/* ---- what the host shows ---- */

static inline void add_digest(struct sv_str *s, struct sv_sha256 *h)
{
	uint8_t digest[SV_SHA256_SIZE];
	struct sv_err err = SV_ERR_INIT;
	char text[SV_SHA256_TEXT];

	assert_ok(sv_sha256_end(h, digest, &err));
	sv_hex(digest, sizeof digest, text);
	sv_str_add(s, text);
	sv_sha256_free(h);
}

static inline void add_host_content(struct sv_str *s, const char *path, const struct stat *st)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_sha256 *h;
	char buf[65536];
	FILE *in;
	size_t n;

	if (S_ISLNK(st->st_mode)) {
		ssize_t len = readlink(path, buf, sizeof buf);

		assert_true(len > 0);
		sv_str_addn(s, buf, (size_t)len);
	}
	if (!S_ISREG(st->st_mode))
		return;
	sv_str_addf(s, "%" PRId64 " ", (int64_t)st->st_size);
	h = sv_sha256_new(&err);
	in = fopen(path, "rb");
	assert_non_null(in);
	while ((n = fread(buf, 1, sizeof buf, in)) > 0)
		sv_sha256_add(h, buf, n);
	fclose(in);
	add_digest(s, h);
}

static inline void add_host_xattrs(struct sv_str *s, const char *path)
{
	char names[65536], value[65536];
	ssize_t n = llistxattr(path, names, sizeof names);
	struct lines l = {0};
	char *text;

	for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		ssize_t len = lgetxattr(path, p, value, sizeof value);
		struct sv_str one = {0};

		assert_true(len >= 0);
		sv_str_addf(&one, "%s=", p);
		add_hex(&one, value, (size_t)len);
		add_line(&l, &one);
	}
	text = join_sorted(&l, ",");
	sv_str_addf(s, "|%s|", text);
	free(text);
}

static struct {
	struct lines lines;
	size_t root_len;
} host; /* nftw(3) passes nothing on */

static inline char host_type(mode_t mode)
{
	return S_ISREG(mode)    ? 'f'
	       : S_ISDIR(mode)  ? 'd'
	       : S_ISLNK(mode)  ? 'l'
	       : S_ISCHR(mode)  ? 'c'
	       : S_ISBLK(mode)  ? 'b'
	       : S_ISFIFO(mode) ? 'p'
				: 's';
}

static inline int add_host_object(
	const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	struct sv_str s = {0};

	(void)flag;
	if (!ftw->level)
		return 0;
	add_head(&s, host_type(st->st_mode), st->st_mode & 07777, st->st_uid, st->st_gid,
		major(st->st_rdev), minor(st->st_rdev), (unsigned)st->st_nlink,
		st->st_mtim.tv_sec);
	add_host_content(&s, path, st);
	add_host_xattrs(&s, path);
	sv_str_addf(&s, "%s\n", path + host.root_len + 1);
	add_line(&host.lines, &s);
	return 0;
}

/* A line for each object below a folder. */
static inline char *host_listing(const char *dir)
{
	host.root_len = strlen(dir);
	assert_int_equal(nftw(dir, add_host_object, 16, FTW_PHYS), 0);
	return join_sorted(&host.lines, "");
}

/* ---- what the reader says ---- */

struct object {
	uint64_t parent;
	char *name;
	struct sv_fs_stat st;
};

struct tree {
	struct sv_fs *fs;
	struct object *v;
	size_t n, cap;
	uint64_t dir; /* that is being listed */
};

static inline void tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].name);
	free(t->v);
}

static inline int add_object(
	void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st)
{
	struct tree *t = user;

	if (parent == 2 && strcmp(name, "lost+found") == 0)
		return 0;
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->v = realloc(t->v, t->cap * sizeof *t->v);
	}
	t->v[t->n++] = (struct object){parent, strdup(name), *st};
	return 0;
}

static inline int add_entry(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	struct sv_err err = SV_ERR_INIT;
	struct tree *t = user;
	struct sv_fs_stat st;

	(void)raw, (void)raw_len;
	assert_ok(sv_fs_stat(t->fs, ino, &st, &err));
	assert_int_equal(st.type, type);
	return add_object(t, t->dir, name, &st);
}

/* The same tree by listing folder after folder. */
static inline void list_all(struct tree *t)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_fs_root(t->fs, &t->dir, &err));
	assert_ok(sv_fs_readdir(t->fs, t->dir, add_entry, t, &err));
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].st.type != SV_FS_DIR)
			continue;
		t->dir = t->v[i].st.ino;
		assert_ok(sv_fs_readdir(t->fs, t->dir, add_entry, t, &err));
	}
}

static inline void add_path(struct sv_str *s, const struct tree *t, size_t i)
{
	if (t->v[i].parent != 2) {
		size_t p = 0;

		while (p < t->n && t->v[p].st.ino != t->v[i].parent)
			p++;
		assert_true(p < t->n);
		add_path(s, t, p);
		sv_str_add(s, "/");
	}
	sv_str_add(s, t->v[i].name);
}

static inline void add_content(struct sv_str *s, struct sv_fs *fs, const struct sv_fs_stat *st)
{
	static const size_t steps[] = {1 << 20, 4096, 70001, 3};
	struct sv_err err = SV_ERR_INIT;
	struct sv_sha256 *h = sv_sha256_new(&err);
	uint8_t *buf = malloc(1 << 20);
	size_t got, step = 0;
	uint64_t off = 0;

	sv_str_addf(s, "%" PRIu64 " ", st->size);
	do {
		size_t want = steps[step++ % SV_ARRAY_LEN(steps)];

		assert_ok(sv_fs_read(fs, st->ino, NULL, buf, want, off, &got, &err));
		assert_true(got == want || off + got == st->size);
		sv_sha256_add(h, buf, got);
		off += got;
	} while (off < st->size);
	add_digest(s, h);
	free(buf);
}

static inline int add_xattr(void *user, const char *name, const void *value, size_t n)
{
	struct sv_str one = {0};

	sv_str_addf(&one, "%s=", name);
	add_hex(&one, value, n);
	add_line(user, &one);
	return 0;
}

static inline void add_line_of(struct lines *lines, const struct tree *t, size_t i)
{
	static const char types[] = {[SV_FS_FILE] = 'f',
		[SV_FS_DIR] = 'd',
		[SV_FS_SYMLINK] = 'l',
		[SV_FS_CHAR] = 'c',
		[SV_FS_BLOCK] = 'b',
		[SV_FS_FIFO] = 'p',
		[SV_FS_SOCKET] = 's',
		[SV_FS_OTHER] = '?'};
	const struct sv_fs_stat *st = &t->v[i].st;
	struct sv_err err = SV_ERR_INIT;
	struct lines attributes = {0};
	struct sv_str s = {0};
	char *text;

	add_head(&s, types[st->type], st->mode, st->uid, st->gid, st->dev_major, st->dev_minor,
		st->nlink, st->mtime.sec);
	if (st->type == SV_FS_FILE) {
		add_content(&s, t->fs, st);
	} else if (st->type == SV_FS_SYMLINK) {
		text = sv_fs_readlink(t->fs, st->ino, &err);
		if (!text)
			fail_msg("%s: %s", t->v[i].name, err.message);
		sv_str_add(&s, text);
		free(text);
	}
	assert_ok(sv_fs_xattrs(t->fs, st->ino, add_xattr, &attributes, &err));
	text = join_sorted(&attributes, ",");
	sv_str_addf(&s, "|%s|", text);
	free(text);
	add_path(&s, t, i);
	sv_str_add(&s, "\n");
	add_line(lines, &s);
}

static inline char *listing(const struct tree *t)
{
	struct lines lines = {0};

	for (size_t i = 0; i < t->n; i++)
		add_line_of(&lines, t, i);
	return join_sorted(&lines, "");
}

static inline struct sv_fs *open_fs(const struct fixture *f)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = fixture_open(f, false);
	struct sv_fs *fs = NULL;

	assert_ok(sv_fs_open(dev, &fs, &err));
	sv_dev_close(dev);
	return fs;
}

/* ---- volumes ---- */

/* dir/tree, filled by a script that runs in it; as root it also has devices and ACLs. */
static inline void fill_tree(struct fixture *f, const char *script)
{
	char path[128];
	FILE *out;

	need_tool("mke2fs");
	fixture_make(f);
	snprintf(path, sizeof path, "%s/fill", f->dir);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "set -eu\numask 022\nmkdir '%s/tree'\ncd '%s/tree'\n%s", f->dir, f->dir,
		script);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(run("bash '%s' >&2", path), 0);
}

/* dir/image of dir/tree. */
static inline void make_ext(const struct fixture *f, const char *size, const char *options)
{
	assert_int_equal(
		run("rm -f '%s' && mke2fs -q -F -d '%s/tree' %s '%s' %s >'%s/log' 2>&1 "
		    "|| { cat '%s/log'; exit 1; }",
			f->image, f->dir, options, f->image, size, f->dir, f->dir),
		0);
}

static inline void compare_with(const struct fixture *f, const char *want)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs = open_fs(f);
	struct tree walked = {.fs = fs}, listed = {.fs = fs};
	char *by_walk, *by_list;

	assert_ok(sv_fs_walk(fs, add_object, &walked, NULL, &err));
	list_all(&listed);
	by_walk = listing(&walked);
	by_list = listing(&listed);
	assert_same_text(by_walk, want);
	assert_same_text(by_list, want);
	free(by_walk);
	free(by_list);
	tree_free(&walked);
	tree_free(&listed);
	sv_fs_close(fs);
}

static inline void compare_with_the_tree(const struct fixture *f)
{
	char path[128], *want;

	snprintf(path, sizeof path, "%s/tree", f->dir);
	want = host_listing(path);
	compare_with(f, want);
	free(want);
}

#endif
