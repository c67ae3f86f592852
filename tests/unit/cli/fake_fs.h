/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file system made of a table, for what no real one would show: folders inside themselves,
 * names with '/', sizes beyond reason.
 */
#ifndef SV_TESTS_FAKE_FS_H
#define SV_TESTS_FAKE_FS_H

#include "unit.h"

#include "fs/driver.h"

struct fake_entry {
	uint64_t dir; /* the folder that it is in */
	const char *name;
	uint64_t ino;
	enum sv_fs_type type;
	uint64_t size;
	const char *data;   /* of a file; repeated to fill its size. NULL: reading fails */
	const char *target; /* of a link */
};

struct fake_fs {
	struct sv_fs fs;
	const struct fake_entry *table;
	size_t n;
	unsigned readdirs;
};

static inline const struct fake_entry *fake_find(struct sv_fs *fs, uint64_t ino)
{
	struct fake_fs *f = (struct fake_fs *)fs;

	for (size_t i = 0; i < f->n; i++)
		if (f->table[i].ino == ino)
			return &f->table[i];
	return NULL;
}

/* Inode 1 is the root, a folder. */
static inline int fake_stat(
	struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	const struct fake_entry *e = fake_find(fs, ino);

	(void)err;
	*ret = (struct sv_fs_stat){.ino = ino, .type = e ? e->type : SV_FS_DIR, .nlink = 1};
	ret->size = e ? e->size : 0;
	ret->mtime.sec = 1000000000 + (int64_t)ino;
	ret->mtime.nsec = 123456700;
	return 0;
}

static inline int fake_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	struct fake_fs *f = (struct fake_fs *)fs;
	int rc = 0;

	(void)err;
	f->readdirs++;
	for (size_t i = 0; i < f->n && !rc; i++)
		if (f->table[i].dir == ino)
			rc = fn(user, f->table[i].name, NULL, 0, f->table[i].ino,
				f->table[i].type);
	return rc;
}

static inline int fake_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf,
	size_t n, uint64_t off, size_t *ret_got, struct sv_err *err)
{
	const struct fake_entry *e = fake_find(fs, ino);
	uint8_t *p = buf;

	(void)stream;
	if (!e || !e->data)
		return sv_fail(err, SV_CORRUPT, "fake", "this file cannot be read");
	if (off >= e->size)
		n = 0;
	else if (n > e->size - off)
		n = (size_t)(e->size - off);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)e->data[(off + i) % strlen(e->data)];
	*ret_got = n;
	return 0;
}

static inline char *fake_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	(void)err;
	return strdup(fake_find(fs, ino)->target);
}

/* All of a file is data, but one without any is a hole. */
static inline int fake_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	const struct fake_entry *e = fake_find(fs, ino);
	bool hole = e->data && !*e->data;

	(void)err;
	return e->size ? fn(user, 0, hole ? SV_NO_HOST_OFFSET : 4096, e->size) : 0;
}

static const struct sv_fs_driver fake_driver = {
	.stat = fake_stat,
	.readdir = fake_readdir,
	.read = fake_read,
	.readlink = fake_readlink,
	.extents = fake_extents,
};

#define FAKE_FS(table_)                                                                        \
	{                                                                                      \
		.fs = {.driver = &fake_driver}, .table = (table_), .n = SV_ARRAY_LEN(table_)   \
	}

#endif
