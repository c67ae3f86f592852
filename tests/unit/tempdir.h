/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A folder for one test, and short ways to fill it. Each fails the test when it cannot. */
#ifndef SV_TESTS_TEMPDIR_H
#define SV_TESTS_TEMPDIR_H

#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

/* A new folder below $TMPDIR or /tmp; remove_tree() it, which frees the name too. */
static inline char *make_temp_dir(void)
{
	const char *top = getenv("TMPDIR");
	char *dir = sv_format("%s/sharevm-test-XXXXXX", top && *top ? top : "/tmp");

	assert_non_null(dir);
	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void remove_tree(char *dir)
{
	assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(dir);
}

/* dir/name as a new string. */
static inline char *in_dir(const char *dir, const char *name)
{
	char *path = sv_format("%s/%s", dir, name);

	assert_non_null(path);
	return path;
}

static inline void put_bytes(const char *dir, const char *name, const void *bytes, size_t n)
{
	char *path = in_dir(dir, name);
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static inline void put_text(const char *dir, const char *name, const char *text)
{
	put_bytes(dir, name, text, strlen(text));
}

static inline void put_dir(const char *dir, const char *name)
{
	char *path = in_dir(dir, name);

	assert_int_equal(mkdir(path, 0777), 0);
	free(path);
}

static inline void remove_name(const char *dir, const char *name)
{
	char *path = in_dir(dir, name);

	assert_int_equal(remove(path), 0);
	free(path);
}

#endif
