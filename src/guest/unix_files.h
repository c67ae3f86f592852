/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files of a Unix guest, found as that system finds them: links are followed from its own root,
 * and what it mounts is in its place. Read-only; belongs to the guest's thread.
 */
#ifndef SV_GUEST_UNIX_FILES_H
#define SV_GUEST_UNIX_FILES_H

#include "guest/guest.h"

/* Where a system's root is. */
struct sv_unix {
	struct sv_guest *g;
	size_t volume;
	uint64_t root;
	bool mounts; /* are those of g->mounts its own? */
	struct sv_job *job;
};

/* Of the guest's system number `system`, which is no Windows. */
int sv_unix_of(struct sv_guest *g, size_t system, struct sv_job *job, struct sv_unix *ret,
	struct sv_err *err);

/* SV_NOTFOUND where there is none of that type. */
int sv_unix_find(const struct sv_unix *u, const char *path, enum sv_fs_type type,
	struct sv_guest_place *ret, struct sv_err *err);

/* A symbolic link itself; SV_NOTFOUND where there is none. */
int sv_unix_find_link(const struct sv_unix *u, const char *path, struct sv_guest_place *ret,
	struct sv_err *err);

/* A file's first bytes, as far as `cap`, with a NUL behind them. Caller frees. */
char *sv_unix_read(const struct sv_unix *u, const char *path, size_t cap, size_t *ret_n,
	struct sv_err *err);

/* ---- folders ---- */

#define SV_UNIX_NAMES_MAX 200000 /* of a folder; SV_NOMEM beyond it */

struct sv_unix_name {
	char *name;
	uint64_t ino;
	enum sv_fs_type type;
};

struct sv_unix_names {
	struct sv_unix_name *names; /* sorted by their bytes */
	size_t n, cap;
	struct sv_fs *fs; /* of the inodes */
};

/* The names of a folder that end with `suffix` (""; all). Of a damaged folder those that can be
 * read are in *ret, too, when it returns -1. */
int sv_unix_names(const struct sv_unix *u, const char *path, const char *suffix,
	struct sv_unix_names *ret, struct sv_err *err);
/* NULL where it is not among them. */
const struct sv_unix_name *sv_unix_name(const struct sv_unix_names *names, const char *name);
void sv_unix_names_free(struct sv_unix_names *names); /* frees the content */
#define sv_autonames SV_CLEANUP(sv_unix_names_free)

/* ---- lines ---- */

#define SV_LINE_MAX 65536u

/* A text file line by line, in constant memory. */
struct sv_lines {
	struct sv_fs *fs;
	struct sv_job *job;
	uint64_t ino, off;
	char *buf;
	size_t at, have;
	bool end, skip; /* skip: the rest of a line that was cut */
};

int sv_lines_open(const struct sv_guest_place *p, struct sv_job *job, struct sv_lines *ret,
	struct sv_err *err);
void sv_lines_close(struct sv_lines *l); /* frees the content */
#define sv_autolines SV_CLEANUP(sv_lines_close)
/* 1 and the next line, without its end, valid until the next call; 0 at the end; -1. A line
 * longer than SV_LINE_MAX is cut. */
int sv_lines_next(struct sv_lines *l, char **ret_line, struct sv_err *err);

#endif
