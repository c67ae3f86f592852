/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every object of a FAT volume, folder by folder. A folder is known by its first cluster and
 * entered once: a volume on which a folder holds itself ends here, too.
 */
#include "fs/fat/fat.h"

#include "base/num.h"

struct todo {
	uint64_t ino;
	struct sv_fat_object object;
};

struct walk {
	struct sv_fat *v;
	sv_fs_walk_fn fn;
	void *user;
	uint64_t folder; /* at hand */
	struct todo *todo;
	size_t n, cap, next;
	uint32_t *seen; /* first clusters: a table of powers of two, 0 for free */
	size_t n_seen, seen_cap;
	uint64_t damaged;
	struct sv_err first;
	bool nomem;
};

/* ---- folders that were met ---- */

static size_t slot_of(const uint32_t *table, size_t cap, uint32_t cluster)
{
	size_t i = (cluster * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (cap - 1);

	while (table[i] && table[i] != cluster)
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
static bool is_new(struct walk *w, uint32_t cluster)
{
	size_t i;

	if (2 * (w->n_seen + 1) > w->seen_cap && !grow_seen(w)) {
		w->nomem = true;
		return false;
	}
	i = slot_of(w->seen, w->seen_cap, cluster);
	if (w->seen[i])
		return false;
	w->seen[i] = cluster;
	w->n_seen++;
	return true;
}

static void push(struct walk *w, uint64_t ino, const struct sv_fat_object *o)
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
	w->todo[w->n++] = (struct todo){ino, *o};
}

/* ---- the walk ---- */

static int visit(void *user, enum sv_fat_found found, const struct sv_fat_entry *e)
{
	struct walk *w = user;
	struct sv_fs_stat st = e->object.st;
	sv_autofree char *name = NULL;
	bool lossy;

	if (found != SV_FAT_OBJECT)
		return 0;
	name = sv_fat_name_utf8(e->name, e->name_len, &lossy);
	if (!name) {
		w->nomem = true;
		return -1;
	}
	st.allocated = sv_align_up(st.size, w->v->boot.cluster);
	if (st.type == SV_FS_DIR && e->object.chain.first && is_new(w, e->object.chain.first))
		push(w, st.ino, &e->object);
	return w->nomem ? -1 : w->fn(w->user, w->folder, name, &st);
}

static int visit_folder(struct walk *w, const struct todo *t)
{
	struct sv_err why = SV_ERR_INIT;
	int rc;

	w->folder = t->ino;
	rc = sv_fat_each_entry(w->v, &t->object, t->ino, visit, w, &why);
	if (rc >= 0 || why.code == SV_OK)
		return rc;
	if (!w->damaged++ || why.code != SV_CORRUPT)
		sv_err_copy(&w->first, &why);
	return why.code == SV_CORRUPT ? 0 : -1;
}

static int visit_all(struct walk *w, struct sv_job *job, struct sv_err *err)
{
	struct sv_fat_object root;

	if (sv_fat_object(w->v, SV_FAT_ROOT_INO, &root, err) < 0)
		return -1;
	if (root.chain.first)
		is_new(w, root.chain.first);
	push(w, SV_FAT_ROOT_INO, &root);
	for (; !w->nomem && w->next < w->n; w->next++) {
		struct todo t = w->todo[w->next];
		int rc;

		sv_job_progress(job, "reading the folders", w->next, w->n);
		if (sv_job_check(job, err) < 0)
			return -1;
		rc = visit_folder(w, &t);
		if (w->nomem)
			break;
		if (rc)
			return rc;
	}
	return w->nomem ? sv_fail_nomem(err) : 0;
}

int sv_fat_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err)
{
	struct walk w = {.v = sv_fat_of(fs), .fn = fn, .user = user};
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
