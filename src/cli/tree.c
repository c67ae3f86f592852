/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The folders of a guest, walked depth first: see tree.h. */
#include "cli/tree.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* ---- one folder ---- */

struct reading {
	struct sv_entries *into;
	struct sv_err *err;
};

void sv_entries_free(struct sv_entries *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->item[i].name);
		free(e->item[i].raw);
	}
	free(e->item);
	*e = (struct sv_entries){0};
}

static int grow(struct sv_entries *e, struct sv_err *err)
{
	size_t cap = e->cap ? 2 * e->cap : 64;
	struct sv_entry *item;

	if (e->n >= SV_ENTRIES_MAX)
		return sv_fail(err, SV_NOMEM, NULL, "a folder has more than %d entries",
			SV_ENTRIES_MAX);
	item = realloc(e->item, cap * sizeof *item);
	if (!item)
		return sv_fail_nomem(err);
	e->item = item;
	e->cap = cap;
	return 0;
}

static int add_entry(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	struct reading *r = user;
	struct sv_entry entry = {.ino = ino, .type = type, .raw_len = raw ? raw_len : 0};

	if (r->into->n == r->into->cap && grow(r->into, r->err))
		return -1;
	entry.name = strdup(name);
	if (raw && raw_len) {
		entry.raw = malloc(raw_len);
		if (entry.raw)
			memcpy(entry.raw, raw, raw_len);
	}
	if (!entry.name || (entry.raw_len && !entry.raw)) {
		free(entry.name);
		free(entry.raw);
		return sv_fail_nomem(r->err);
	}
	r->into->item[r->into->n++] = entry;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct sv_entry *x = a, *y = b;
	int order = strcasecmp(x->name, y->name);

	return order ? order : strcmp(x->name, y->name);
}

int sv_entries_read(struct sv_fs *fs, uint64_t ino, struct sv_entries *ret, struct sv_err *err)
{
	sv_autoentries struct sv_entries e = {0};
	struct reading r = {.into = &e, .err = err};

	if (sv_fs_readdir(fs, ino, add_entry, &r, err))
		return -1;
	if (e.n)
		qsort(e.item, e.n, sizeof *e.item, by_name);
	*ret = e;
	e = (struct sv_entries){0};
	return 0;
}

/* ---- folders that were entered: an open-addressed set ---- */

struct folder {
	uint64_t ino;
	size_t volume; /* + 1; 0: the slot is free */
};

struct folder_set {
	struct folder *slot;
	size_t n, cap; /* cap is a power of two */
};

static size_t slot_of(const struct folder_set *s, struct folder f)
{
	uint64_t hash = (f.ino + f.volume) * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(hash >> 20) & (s->cap - 1);

	while (s->slot[i].volume && (s->slot[i].ino != f.ino || s->slot[i].volume != f.volume))
		i = (i + 1) & (s->cap - 1);
	return i;
}

static int set_grow(struct folder_set *s, struct sv_err *err)
{
	struct folder_set bigger = {.n = s->n, .cap = s->cap ? 2 * s->cap : 256};

	bigger.slot = calloc(bigger.cap, sizeof *bigger.slot);
	if (!bigger.slot)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < s->cap; i++)
		if (s->slot[i].volume)
			bigger.slot[slot_of(&bigger, s->slot[i])] = s->slot[i];
	free(s->slot);
	*s = bigger;
	return 0;
}

/* *ret_new tells whether it was not in the set before. */
static int set_add(
	struct folder_set *s, size_t volume, uint64_t ino, bool *ret_new, struct sv_err *err)
{
	struct folder f = {ino, volume + 1};
	size_t i;

	if (s->n * 2 >= s->cap && set_grow(s, err))
		return -1;
	i = slot_of(s, f);
	*ret_new = !s->slot[i].volume;
	s->n += *ret_new;
	s->slot[i] = f;
	return 0;
}

/* ---- the walk ---- */

struct walk {
	const struct sv_guest *guest; /* NULL: its mounts do not matter */
	size_t volume;
	struct sv_fs *fs;
	const struct sv_tree_ops *ops;
	void *user;
	struct sv_job *job;
	struct folder_set seen;
	struct sv_str path;
};

static int walk_object(struct walk *w, uint64_t ino, const struct sv_entry *entry,
	unsigned depth, struct sv_err *err);

static int report(struct walk *w, const struct sv_err *what, struct sv_err *err)
{
	if (what->code == SV_CANCELLED || what->code == SV_NOMEM) {
		sv_err_copy(err, what);
		return -1;
	}
	return w->ops->problem(w->user, w->path.data ? w->path.data : "", what, err);
}

/* Goes on in the volume that the guest mounts on this folder, if there is one. */
static int walk_mounted(
	struct walk *w, const struct sv_entry *e, unsigned depth, struct sv_err *err)
{
	const struct sv_guest_mount *m = NULL;
	struct sv_fs *fs = w->fs, *other;
	size_t volume = w->volume;
	int rc;

	if (w->guest && e->type == SV_FS_DIR)
		m = sv_guest_mounted_on(w->guest, volume, e->ino);
	/* a volume that is mounted can be read */
	if (!m || sv_guest_fs((struct sv_guest *)(uintptr_t)w->guest, m->volume, &other, NULL))
		return walk_object(w, e->ino, e, depth, err);
	w->volume = m->volume;
	w->fs = other;
	rc = walk_object(w, m->root, e, depth, err);
	w->volume = volume;
	w->fs = fs;
	return rc;
}

/* The path is one buffer that grows by a name on the way down. */
static int walk_entry(
	struct walk *w, const struct sv_entry *e, unsigned depth, struct sv_err *err)
{
	size_t kept = w->path.len;
	int rc;

	sv_str_addf(&w->path, "%s%s", kept ? "/" : "", e->name);
	if (w->path.failed)
		return sv_fail_nomem(err);
	rc = walk_mounted(w, e, depth, err);
	w->path.len = kept;
	w->path.data[kept] = 0;
	return rc;
}

static int walk_folder(
	struct walk *w, const struct sv_tree_item *item, unsigned depth, struct sv_err *err)
{
	sv_autoentries struct sv_entries entries = {0};
	struct sv_err what = SV_ERR_INIT;
	bool fresh;

	if (set_add(&w->seen, item->volume, item->st.ino, &fresh, err))
		return -1;
	if (!fresh || depth >= SV_TREE_DEPTH) {
		sv_fail(&what, SV_CORRUPT, NULL,
			fresh ? "folders are nested too deeply" : "this folder was met before");
		return report(w, &what, err);
	}
	if (sv_entries_read(w->fs, item->st.ino, &entries, &what))
		return report(w, &what, err);
	for (size_t i = 0; i < entries.n; i++)
		if (walk_entry(w, &entries.item[i], depth + 1, err))
			return -1;
	return 0;
}

static int walk_object(struct walk *w, uint64_t ino, const struct sv_entry *entry,
	unsigned depth, struct sv_err *err)
{
	struct sv_tree_item item = {.entry = entry,
		.name = entry ? entry->name : "",
		.fs = w->fs,
		.volume = w->volume};
	struct sv_err what = SV_ERR_INIT;
	int rc;

	if (sv_job_check(w->job, err))
		return -1;
	if (sv_fs_stat(w->fs, ino, &item.st, &what))
		return report(w, &what, err);
	item.path = w->path.data ? w->path.data : "";
	rc = w->ops->enter(w->user, &item, err);
	if (rc == SV_TREE_SKIP || rc < 0 || item.st.type != SV_FS_DIR)
		return rc < 0 ? -1 : 0;
	if (walk_folder(w, &item, depth, err))
		return -1;
	item.path = w->path.data ? w->path.data : ""; /* the buffer may have moved */
	return w->ops->leave ? w->ops->leave(w->user, &item, err) : 0;
}

static int walk_all(struct walk *w, uint64_t ino, struct sv_err *err)
{
	int rc = walk_object(w, ino, NULL, 0, err);

	free(w->seen.slot);
	sv_str_free(&w->path);
	return rc;
}

int sv_tree_walk(struct sv_fs *fs, uint64_t ino, const struct sv_tree_ops *ops, void *user,
	struct sv_job *job, struct sv_err *err)
{
	struct walk w = {.fs = fs, .ops = ops, .user = user, .job = job};

	return walk_all(&w, ino, err);
}

int sv_tree_walk_guest(const struct sv_guest *guest, size_t volume, struct sv_fs *fs,
	uint64_t ino, const struct sv_tree_ops *ops, void *user, struct sv_job *job,
	struct sv_err *err)
{
	struct walk w = {.guest = guest,
		.volume = volume,
		.fs = fs,
		.ops = ops,
		.user = user,
		.job = job};

	return walk_all(&w, ino, err);
}
