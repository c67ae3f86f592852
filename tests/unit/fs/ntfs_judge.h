/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume is filled through ntfs-3g's own mount, and what that mount shows (types, times,
 * link counts, sizes, targets, SHA-256 of every file) is compared line by line with what the
 * reader says, by its walk and by listing folder after folder.
 */
#ifndef SV_TESTS_FS_NTFS_JUDGE_H
#define SV_TESTS_FS_NTFS_JUDGE_H

#include "fixture.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"
#include "fs/fs.h"

#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* ---- one line for each object, as find(1) prints it ---- */

struct object {
	uint64_t ino, parent;
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

	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->v = realloc(t->v, t->cap * sizeof *t->v);
	}
	t->v[t->n++] = (struct object){st->ino, parent, strdup(name), *st};
	return 0;
}

static inline int add_entry(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	struct tree *t = user;
	struct sv_fs_stat st;
	struct sv_err err = SV_ERR_INIT;

	assert_null(raw);
	assert_int_equal(raw_len, 0);
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
		t->dir = t->v[i].ino;
		assert_ok(sv_fs_readdir(t->fs, t->dir, add_entry, t, &err));
	}
}

static inline void add_path(struct sv_str *s, const struct tree *t, size_t i, unsigned depth)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t root;

	assert_true(depth < 200);
	assert_ok(sv_fs_root(t->fs, &root, &err));
	if (t->v[i].parent != root) {
		size_t p = 0;

		while (p < t->n && t->v[p].ino != t->v[i].parent)
			p++;
		assert_true(p < t->n);
		add_path(s, t, p, depth + 1);
		sv_str_add(s, "/");
	}
	sv_str_add(s, t->v[i].name);
}

static inline void add_hash(struct sv_str *s, struct sv_fs *fs, const struct object *o)
{
	static const size_t steps[] = {1 << 20, 4096, 70001, 3};
	struct sv_err err = SV_ERR_INIT;
	struct sv_sha256 *h = sv_sha256_new(&err);
	uint8_t digest[SV_SHA256_SIZE], *buf = malloc(1 << 20);
	char text[SV_SHA256_TEXT];
	uint64_t off = 0;
	size_t got, step = 0;

	do {
		size_t want = steps[step++ % SV_ARRAY_LEN(steps)];

		assert_ok(sv_fs_read(fs, o->ino, NULL, buf, want, off, &got, &err));
		assert_true(got == want || off + got == o->st.size);
		sv_sha256_add(h, buf, got);
		off += got;
	} while (off < o->st.size);
	assert_ok(sv_sha256_end(h, digest, &err));
	sv_hex(digest, sizeof digest, text);
	sv_str_add(s, text);
	sv_sha256_free(h);
	free(buf);
}

static inline char *line_of(const struct tree *t, size_t i)
{
	static const char types[] = {'f', 'd', 'l', 'p'};
	const struct object *o = &t->v[i];
	struct sv_err err = SV_ERR_INIT;
	struct sv_str s = {0};

	sv_str_addf(&s, "%c|%" PRId64 ".%09" PRIu32 "|%" PRIu32 "|", types[o->st.type],
		o->st.mtime.sec, o->st.mtime.nsec, o->st.nlink);
	if (o->st.type == SV_FS_FILE) {
		sv_str_addf(&s, "%" PRIu64 "|", o->st.size);
		add_hash(&s, t->fs, o);
	} else if (o->st.type == SV_FS_SYMLINK) {
		char *target = sv_fs_readlink(t->fs, o->ino, &err);

		assert_non_null(target);
		sv_str_add(&s, target);
		free(target);
	}
	sv_str_add(&s, "|");
	add_path(&s, t, i, 0);
	sv_str_add(&s, "\n");
	return sv_str_take(&s);
}

/* ---- volumes ---- */

static inline void need_fuse(void)
{
	need_tool("ntfs-3g");
	if (geteuid() != 0 || access("/dev/fuse", W_OK) != 0) {
		print_message("skip: no /dev/fuse (or not root)\n");
		skip();
	}
}

static inline void add_file_hash(struct sv_str *s, const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_sha256 *h = sv_sha256_new(&err);
	uint8_t digest[SV_SHA256_SIZE], buf[65536];
	char text[SV_SHA256_TEXT];
	FILE *in = fopen(path, "rb");
	size_t n;

	assert_non_null(in);
	while ((n = fread(buf, 1, sizeof buf, in)) > 0)
		sv_sha256_add(h, buf, n);
	assert_int_equal(ferror(in), 0);
	fclose(in);
	assert_ok(sv_sha256_end(h, digest, &err));
	sv_hex(digest, sizeof digest, text);
	sv_str_add(s, text);
	sv_sha256_free(h);
}

static struct {
	char **v;
	size_t n, root_len;
} mounted; /* nftw(3) passes nothing on */

static inline int add_mounted(
	const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	struct sv_str s = {0};
	char target[4096];
	ssize_t n;

	(void)flag;
	if (!ftw->level)
		return 0;
	sv_str_addf(&s, "%c|%" PRId64 ".%09ld|%lu|",
		S_ISREG(st->st_mode)   ? 'f'
		: S_ISDIR(st->st_mode) ? 'd'
		: S_ISLNK(st->st_mode) ? 'l'
				       : 'p',
		(int64_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (unsigned long)st->st_nlink);
	if (S_ISREG(st->st_mode)) {
		sv_str_addf(&s, "%" PRId64 "|", (int64_t)st->st_size);
		add_file_hash(&s, path);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlink(path, target, sizeof target);
		assert_true(n > 0);
		sv_str_addn(&s, target, (size_t)n);
	}
	sv_str_addf(&s, "|%s\n", path + mounted.root_len + 1);
	mounted.v = realloc(mounted.v, (mounted.n + 1) * sizeof *mounted.v);
	mounted.v[mounted.n++] = sv_str_take(&s);
	return 0;
}

static inline int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline char *join_sorted(char **lines, size_t n)
{
	struct sv_str all = {0};

	qsort(lines, n, sizeof *lines, by_text);
	for (size_t i = 0; i < n; i++) {
		sv_str_add(&all, lines[i]);
		free(lines[i]);
	}
	free(lines);
	return sv_str_take(&all);
}

static inline void mount_ntfs(const struct fixture *f, const char *options)
{
	need_fuse();
	assert_int_equal(run("mkdir -p '%s/mnt'; ntfs-3g -o %s '%s' '%s/mnt'", f->dir, options,
				 f->image, f->dir),
		0);
}

/* Runs a script in the mounted volume. */
static inline void in_mount(const struct fixture *f, const char *script)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof path, "%s/fill", f->dir);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "set -eu\ncd '%s/mnt'\n%s", f->dir, script);
	assert_int_equal(fclose(out), 0);
	if (run("bash '%s' >&2", path) != 0) {
		run("\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" '%s/mnt'", f->dir);
		fail_msg("the volume cannot be filled");
	}
}

/* One of ntfs-3g's own attributes: system.ntfs_attrib_be, system.ntfs_reparse_data, ... */
static inline void set_in_mount(const struct fixture *f, const char *name, const char *attr,
	const void *value, size_t n)
{
	char path[256];

	snprintf(path, sizeof path, "%s/mnt/%s", f->dir, name);
	if (lsetxattr(path, attr, value, n, 0) < 0) {
		perror(attr);
		run("\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" '%s/mnt'", f->dir);
		fail_msg("%s of %s cannot be set", attr, name);
	}
}

/* What the mount shows. */
static inline char *unmount_ntfs(const struct fixture *f)
{
	char path[128];
	int rc;

	snprintf(path, sizeof path, "%s/mnt", f->dir);
	mounted.v = NULL;
	mounted.n = 0;
	mounted.root_len = strlen(path);
	rc = nftw(path, add_mounted, 16, FTW_PHYS);
	assert_int_equal(run("\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" '%s'", path), 0);
	assert_int_equal(rc, 0);
	return join_sorted(mounted.v, mounted.n);
}

static inline char *fill(const struct fixture *f, const char *options, const char *script)
{
	mount_ntfs(f, options);
	in_mount(f, script);
	return unmount_ntfs(f);
}

static inline char *listing(const struct tree *t)
{
	char **lines = calloc(t->n + 1, sizeof *lines);

	for (size_t i = 0; i < t->n; i++)
		lines[i] = line_of(t, i);
	return join_sorted(lines, t->n);
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

static inline void assert_same_text(const char *a, const char *b)
{
	size_t i = 0, line = 0;

	while (a[i] && a[i] == b[i]) {
		if (a[i++] == '\n')
			line = i;
	}
	if (a[i] != b[i])
		fail_msg("found\n%.300s\nexpected\n%.300s", a + line, b + line);
}

static inline void compare_with_the_mount(const struct fixture *f, char *want)
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
	free(want);
	free(by_walk);
	free(by_list);
	tree_free(&walked);
	tree_free(&listed);
	sv_fs_close(fs);
}

#endif
