/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files, folders and lines of a Unix guest: see unix_files.h. */
#include "guest/unix_files.h"

#include "base/num.h"
#include "base/str.h"
#include "guest/guest_private.h"

#include <string.h>

int sv_unix_of(struct sv_guest *g, size_t system, struct sv_job *job, struct sv_unix *ret,
	struct sv_err *err)
{
	const struct sv_guest_os *os = sv_guest_system(g, system);
	struct sv_unix u = {.g = g, .mounts = system == 0, .job = job};
	struct sv_fs *fs;

	u.volume = (size_t)os->volume;
	if (sv_guest_fs(g, u.volume, &fs, err) < 0 ||
		sv_fs_lookup(fs, os->folder, &u.root, err) < 0)
		return -1;
	*ret = u;
	return 0;
}

static const char *type_name(enum sv_fs_type type)
{
	return type == SV_FS_DIR ? "folder" : type == SV_FS_SYMLINK ? "link" : "file";
}

static int find(const struct sv_unix *u, const char *path, bool follow, enum sv_fs_type type,
	struct sv_guest_place *ret, struct sv_err *err)
{
	struct sv_guest_place at = {0};
	struct sv_fs_stat st;

	if (sv_guest_find_from(u->g, u->volume, u->root, path, follow, u->mounts, &at, err) < 0)
		return -1;
	if (sv_fs_stat(at.fs, at.ino, &st, err) == 0) {
		if (st.type == type) {
			*ret = at;
			return 0;
		}
		sv_fail(err, SV_NOTFOUND, path, "it is no %s", type_name(type));
	}
	sv_guest_place_free(&at);
	return -1;
}

int sv_unix_find(const struct sv_unix *u, const char *path, enum sv_fs_type type,
	struct sv_guest_place *ret, struct sv_err *err)
{
	return find(u, path, true, type, ret, err);
}

int sv_unix_find_link(const struct sv_unix *u, const char *path, struct sv_guest_place *ret,
	struct sv_err *err)
{
	return find(u, path, false, SV_FS_SYMLINK, ret, err);
}

char *sv_unix_read(const struct sv_unix *u, const char *path, size_t cap, size_t *ret_n,
	struct sv_err *err)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	sv_autofree char *bytes = NULL;
	struct sv_fs_stat st;

	if (sv_unix_find(u, path, SV_FS_FILE, &at, err) < 0 ||
		sv_fs_stat(at.fs, at.ino, &st, err) < 0)
		return NULL;
	cap = (size_t)SV_MIN(st.size, (uint64_t)cap);
	bytes = malloc(cap + 1);
	if (!bytes) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_fs_read(at.fs, at.ino, NULL, bytes, cap, 0, ret_n, err) < 0)
		return NULL;
	bytes[*ret_n] = 0;
	return SV_STEAL(bytes);
}

/* ---- folders ---- */

struct collect {
	struct sv_unix_names *names;
	const char *suffix;
};

static int take_name(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	struct collect *c = user;
	struct sv_unix_names *n = c->names;

	(void)raw, (void)raw_len;
	if (!sv_ends_with(name, c->suffix))
		return 0;
	if (n->n == n->cap) {
		size_t cap = n->cap ? 2 * n->cap : 32;
		void *grown = n->n < SV_UNIX_NAMES_MAX
				      ? realloc(n->names, cap * sizeof *n->names)
				      : NULL;

		if (!grown)
			return SV_NOMEM;
		n->names = grown;
		n->cap = cap;
	}
	n->names[n->n] = (struct sv_unix_name){strdup(name), ino, type};
	return n->names[n->n].name ? (n->n++, 0) : SV_NOMEM;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		((const struct sv_unix_name *)a)->name, ((const struct sv_unix_name *)b)->name);
}

int sv_unix_names(const struct sv_unix *u, const char *path, const char *suffix,
	struct sv_unix_names *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	struct collect c = {ret, suffix};
	int rc;

	*ret = (struct sv_unix_names){0};
	if (sv_unix_find(u, path, SV_FS_DIR, &at, err) < 0)
		return -1;
	ret->fs = at.fs;
	rc = sv_fs_readdir(at.fs, at.ino, take_name, &c, err);
	if (ret->n)
		qsort(ret->names, ret->n, sizeof *ret->names, by_name);
	return rc == SV_NOMEM ? sv_fail_nomem(err) : rc;
}

const struct sv_unix_name *sv_unix_name(const struct sv_unix_names *names, const char *name)
{
	struct sv_unix_name key = {.name = (char *)(uintptr_t)name};

	return names->n ? bsearch(&key, names->names, names->n, sizeof key, by_name) : NULL;
}

void sv_unix_names_free(struct sv_unix_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i].name);
	free(names->names);
	*names = (struct sv_unix_names){0};
}

/* ---- lines ---- */

int sv_lines_open(const struct sv_guest_place *p, struct sv_job *job, struct sv_lines *ret,
	struct sv_err *err)
{
	struct sv_lines l = {.fs = p->fs, .job = job, .ino = p->ino};

	l.buf = malloc(SV_LINE_MAX + 1);
	if (!l.buf)
		return sv_fail_nomem(err);
	*ret = l;
	return 0;
}

void sv_lines_close(struct sv_lines *l)
{
	free(l->buf);
	l->buf = NULL;
}

/* Moves what is left to the front and reads on behind it. */
static int fill(struct sv_lines *l, struct sv_err *err)
{
	size_t got;

	memmove(l->buf, l->buf + l->at, l->have - l->at);
	l->have -= l->at;
	l->at = 0;
	if (sv_job_check(l->job, err) < 0 ||
		sv_fs_read(l->fs, l->ino, NULL, l->buf + l->have, SV_LINE_MAX - l->have, l->off,
			&got, err) < 0)
		return -1;
	l->end = got < SV_LINE_MAX - l->have;
	l->have += got;
	l->off += got;
	return 0;
}

/* The end of the line at hand: its newline, or where it is cut; NULL where more must be read.
 */
static char *end_of_line(const struct sv_lines *l)
{
	char *newline = memchr(l->buf + l->at, '\n', l->have - l->at);

	if (newline)
		return newline;
	return l->end || l->have - l->at == SV_LINE_MAX ? l->buf + l->have : NULL;
}

int sv_lines_next(struct sv_lines *l, char **ret_line, struct sv_err *err)
{
	for (;;) {
		char *line = l->buf + l->at, *end = end_of_line(l);
		bool rest = l->skip, whole;

		if (!end) {
			if (fill(l, err) < 0)
				return -1;
			continue;
		}
		if (l->end && l->at == l->have)
			return 0;
		whole = end < l->buf + l->have;
		l->at = (size_t)(end - l->buf) + whole;
		l->skip = !whole && !l->end;
		if (rest)
			continue;
		*end = 0;
		*ret_line = line;
		return 1;
	}
}
