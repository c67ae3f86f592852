/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A path inside the guest, name by name, as the guest itself goes it: symbolic links are
 * followed within the guest and never on the host, and where one of its file systems is mounted
 * the way leads on there. Links that lead to each other end after 40, as on Linux.
 */
#include "guest/guest_private.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define LINKS_MAX 40
#define REST_MAX  (1u << 20) /* of what is still to go: targets are at most 64 KiB each */

struct step {
	size_t volume;
	uint64_t ino;
	char *name; /* "" where a volume begins */
};

struct way {
	struct sv_guest *g;
	struct step *steps; /* from the root, which is [0] and is never left */
	size_t n, cap;
	char *rest; /* what is still to go; owned */
	unsigned links;
	bool follow; /* the last one, too */
	bool mounts; /* the guest's own way, not that into one volume */
};

static void way_free(struct way *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->steps[i].name);
	free(w->steps);
	free(w->rest);
}

static void cut(struct way *w, size_t n)
{
	while (w->n > n)
		free(w->steps[--w->n].name);
}

static int push(struct way *w, size_t volume, uint64_t ino, const char *name, size_t len,
	struct sv_err *err)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		void *grown = realloc(w->steps, cap * sizeof *w->steps);

		if (!grown)
			return sv_fail_nomem(err);
		w->steps = grown;
		w->cap = cap;
	}
	w->steps[w->n] = (struct step){volume, ino, strndup(name, len)};
	if (!w->steps[w->n].name)
		return sv_fail_nomem(err);
	w->n++;
	return 0;
}

static const struct step *here(const struct way *w)
{
	return &w->steps[w->n - 1];
}

/* "/usr/lib/x": from where the volume at hand begins. */
static char *path_of(const struct way *w)
{
	struct sv_str s = {0};
	size_t from = w->n - 1;

	while (from && w->steps[from].name[0])
		from--;
	for (size_t i = from + 1; i < w->n; i++)
		sv_str_addf(&s, "/%s", w->steps[i].name);
	if (!s.len)
		sv_str_add(&s, "/");
	return sv_str_take(&s);
}

static int missing(const struct way *w, const char *name, size_t len, struct sv_err *err)
{
	sv_autofree char *path = path_of(w);

	return sv_fail(err, SV_NOTFOUND, sv_dev_name(w->g->volumes[here(w)->volume].dev),
		"there is no \"%.300s%s%.*s\" on this volume", path ? path : "",
		path && path[1] ? "/" : "", (int)SV_MIN(len, (size_t)255), name);
}

/* ---- links ---- */

/* A target that begins anew: at the root, or (Windows) at a letter. Points behind that. */
static const char *start_anew(struct way *w, const char *target, struct sv_err *err)
{
	uint64_t root;
	struct sv_fs *fs;
	size_t volume;

	if (!isalpha((unsigned char)target[0]) || target[1] != ':') {
		if (target[0] == '/')
			cut(w, 1);
		return target;
	}
	if (sv_guest_find_volume(w->g, (char[]){target[0], ':', 0}, &volume, err) < 0 ||
		sv_guest_fs(w->g, volume, &fs, err) < 0 || sv_fs_root(fs, &root, err) < 0)
		return NULL;
	cut(w, 0);
	return push(w, volume, root, "", 0, err) < 0 ? NULL : target + 2;
}

/* What a link says is gone first, then what was still to go behind it. */
static int follow(
	struct way *w, struct sv_fs *fs, uint64_t ino, const char *behind, struct sv_err *err)
{
	sv_autofree char *target = NULL;
	const char *from;
	char *rest;

	if (++w->links > LINKS_MAX)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(w->g->volumes[here(w)->volume].dev),
			"more than %d symbolic links lead to each other", LINKS_MAX);
	target = sv_fs_readlink(fs, ino, err);
	if (!target)
		return -1;
	from = start_anew(w, target, err);
	if (!from)
		return -1;
	rest = sv_format("%s/%s", from, behind);
	if (!rest)
		return sv_fail_nomem(err);
	free(w->rest);
	w->rest = rest;
	if (strlen(rest) > REST_MAX)
		return sv_fail(err, SV_CORRUPT, NULL, "a path grows beyond %u bytes", REST_MAX);
	return 0;
}

/* ---- names ---- */

/* Where another volume is mounted on this folder, the way goes on in its root. */
static int enter(struct way *w, size_t volume, uint64_t ino, const char *name, size_t len,
	struct sv_err *err)
{
	const struct sv_guest_mount *m;

	if (push(w, volume, ino, name, len, err) < 0)
		return -1;
	m = w->mounts ? sv_guest_mounted_on(w->g, volume, ino) : NULL;
	if (!m)
		return 0;
	/* the name stays, for the way back up; behind it the volume begins */
	return push(w, m->volume, m->root, "", 0, err);
}

static void leave(struct way *w)
{
	bool mounted = w->n > 1 && !here(w)->name[0];

	if (w->n > 1 + (size_t)mounted)
		cut(w, w->n - 1 - mounted);
}

/* One name of what is still to go; `behind` begins after it. */
static int go(
	struct way *w, const char *name, size_t len, const char *behind, struct sv_err *err)
{
	size_t volume = here(w)->volume;
	struct sv_err why = SV_ERR_INIT;
	struct sv_fs_stat st;
	struct sv_fs *fs;
	uint64_t ino;

	if (sv_guest_fs(w->g, volume, &fs, err) < 0)
		return -1;
	if (sv_fs_child(fs, here(w)->ino, name, len, &ino, &why) < 0) {
		if (why.code == SV_NOTFOUND)
			return missing(w, name, len, err);
		sv_err_copy(err, &why);
		return -1;
	}
	if (sv_fs_stat(fs, ino, &st, err) < 0)
		return -1;
	if (st.type == SV_FS_SYMLINK && (w->follow || behind[strspn(behind, "/")]))
		return follow(w, fs, ino, behind, err);
	if (enter(w, volume, ino, name, len, err) < 0)
		return -1;
	memmove(w->rest, behind, strlen(behind) + 1);
	return 0;
}

/* Goes to the end of w->rest. */
static int go_all(struct way *w, struct sv_err *err)
{
	for (;;) {
		const char *p = w->rest + strspn(w->rest, "/");
		size_t len = strcspn(p, "/");
		bool up = len == 2 && p[0] == '.' && p[1] == '.';

		if (!len)
			return 0;
		if (!up && !(len == 1 && p[0] == '.')) {
			if (go(w, p, len, p + len, err) < 0)
				return -1;
			continue;
		}
		if (up)
			leave(w);
		memmove(w->rest, p + len, strlen(p + len) + 1);
	}
}

/* ---- from outside ---- */

static int refuse_dots(const char *path, struct sv_err *err)
{
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return sv_fail(err, SV_USAGE, NULL,
				"\"%.300s\": \".\" and \"..\" have no meaning inside a guest",
				path);
		p += len + strspn(p + len, "/");
	}
	return 0;
}

static int finish(struct way *w, struct sv_guest_place *ret, struct sv_err *err)
{
	struct sv_guest_place p = {.volume = here(w)->volume, .ino = here(w)->ino};

	if (sv_guest_fs(w->g, p.volume, &p.fs, err) < 0)
		return -1;
	p.path = path_of(w);
	if (!p.path)
		return sv_fail_nomem(err);
	*ret = p;
	return 0;
}

int sv_guest_find_from(struct sv_guest *g, size_t volume, uint64_t root, const char *path,
	bool follow_last, bool mounts, struct sv_guest_place *ret, struct sv_err *err)
{
	SV_CLEANUP(way_free) struct way w = {.g = g, .follow = follow_last, .mounts = mounts};

	w.rest = strdup(path);
	if (!w.rest)
		return sv_fail_nomem(err);
	if (push(&w, volume, root, "", 0, err) < 0 || go_all(&w, err) < 0)
		return -1;
	return finish(&w, ret, err);
}

int sv_guest_find(struct sv_guest *g, const char *path, bool follow_last,
	struct sv_guest_place *ret, struct sv_err *err)
{
	sv_autofree char *inside = NULL;
	bool own = path[0] != '@' && !(isalpha((unsigned char)path[0]) && path[1] == ':');
	struct sv_fs *fs;
	uint64_t root;
	size_t volume;

	if (sv_guest_resolve(g, path, &volume, &inside, err) < 0 ||
		refuse_dots(inside, err) < 0)
		return -1;
	own = own && g->n_mounts;
	if (own)
		return sv_guest_find_from(g, g->mounts[0].volume, g->mounts[0].root, inside,
			follow_last, true, ret, err);
	if (sv_guest_fs(g, volume, &fs, err) < 0 || sv_fs_root(fs, &root, err) < 0)
		return -1;
	return sv_guest_find_from(g, volume, root, inside, follow_last, false, ret, err);
}

void sv_guest_place_free(struct sv_guest_place *p)
{
	free(p->path);
	*p = (struct sv_guest_place){0};
}

const struct sv_guest_mount *sv_guest_mounted_on(
	const struct sv_guest *g, size_t volume, uint64_t ino)
{
	for (size_t i = g->n_mounts; i > 1; i--) { /* the last one hides those before it */
		const struct sv_guest_mount *m = &g->mounts[i - 1];

		if (m->on_volume == volume && m->on_ino == ino)
			return m;
	}
	return NULL;
}
