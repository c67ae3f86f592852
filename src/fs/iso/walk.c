/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every object of an ISO 9660 volume, folder by folder. A folder is known by its first block
 * and entered once: a volume on which a folder holds itself ends here, too.
 */
#include "fs/iso/iso.h"

#include "base/num.h"

struct walk {
	struct sv_iso *v;
	sv_fs_walk_fn fn;
	void *user;
	uint64_t folder; /* at hand */
	uint64_t *todo;  /* records of folders */
	size_t n, cap, next;
	uint32_t *seen; /* their blocks plus 1: a table of powers of two, 0 for free */
	size_t n_seen, seen_cap;
	uint64_t damaged;
	struct sv_err first;
	bool nomem;
};

static size_t slot_of(const uint32_t *table, size_t cap, uint32_t key)
{
	size_t i = (key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (cap - 1);

	while (table[i] && table[i] != key)
		i = (i + 1) & (cap - 1);
	return i;
}

static bool grow_seen(struct walk *w)
{
	size_t cap = w->seen_cap ? 2 * w->seen_cap : 256;
	uint32_t *table = calloc(cap, sizeof *table);

	if (!table)
		return false;
	for (size_t i = 0; i < w->seen_cap; i++) {
		if (w->seen[i])
			table[slot_of(table, cap, w->seen[i])] = w->seen[i];
	}
	free(w->seen);
	w->seen = table;
	w->seen_cap = cap;
	return true;
}

/* False: it was met before, or there is no memory. */
static bool is_new(struct walk *w, uint32_t block)
{
	uint32_t key = block + 1 ? block + 1 : 1;
	size_t i;

	if (2 * (w->n_seen + 1) > w->seen_cap && !grow_seen(w)) {
		w->nomem = true;
		return false;
	}
	i = slot_of(w->seen, w->seen_cap, key);
	if (w->seen[i])
		return false;
	w->seen[i] = key;
	w->n_seen++;
	return true;
}

static void push(struct walk *w, uint64_t at)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		void *grown = realloc(w->todo, cap * sizeof *w->todo);

		if (!grown) {
			w->nomem = true;
			return;
		}
		w->todo = grown;
		w->cap = cap;
	}
	w->todo[w->n++] = at;
}

static int visit(
	void *user, const char *name, bool lossy, uint64_t at, const struct sv_iso_object *o)
{
	struct walk *w = user;
	struct sv_fs_stat st;

	(void)lossy;
	sv_iso_stat_of(w->v, at, o, &st);
	if (st.type == SV_FS_DIR && is_new(w, o->record.block))
		push(w, at);
	return w->nomem ? -1 : w->fn(w->user, w->folder, name, &st);
}

static int visit_folder(struct walk *w, uint64_t at)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_iso_object dir;
	int rc = sv_iso_object(w->v, at, &dir, &why);

	w->folder = at;
	if (rc == 0)
		rc = sv_iso_each(w->v, &dir, visit, w, &why);
	if (rc >= 0 || why.code == SV_OK)
		return rc;
	if (!w->damaged++ || why.code != SV_CORRUPT)
		sv_err_copy(&w->first, &why);
	return why.code == SV_CORRUPT ? 0 : -1;
}

static int visit_all(struct walk *w, struct sv_job *job, struct sv_err *err)
{
	struct sv_iso_object root;
	int rc = 0;

	if (sv_iso_object(w->v, w->v->root_at, &root, err) < 0)
		return -1;
	is_new(w, root.record.block);
	push(w, w->v->root_at);
	for (; !rc && !w->nomem && w->next < w->n; w->next++) {
		sv_job_progress(job, "reading the folders", w->next, w->n);
		if (sv_job_check(job, err) < 0)
			return -1;
		rc = visit_folder(w, w->todo[w->next]);
	}
	return w->nomem ? sv_fail_nomem(err) : rc;
}

int sv_iso_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err)
{
	struct walk w = {.v = sv_iso_of(fs), .fn = fn, .user = user};
	int rc = visit_all(&w, job, err);

	free(w.todo);
	free(w.seen);
	if (rc > 0 || !w.damaged)
		return rc;
	sv_err_copy(err, &w.first);
	if (rc < 0)
		return -1;
	return sv_err_context(err, "damaged folders were read in part (%llu), the first",
		(unsigned long long)w.damaged);
}
