/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything below a key, parents before their children, with a stack of its own: at most
 * SV_HIVE_DEPTH_MAX lists of subkeys are held.
 */
#include "hive/regf.h"

#include "base/num.h"
#include "base/str.h"

struct level {
	struct sv_regf_keys keys;
	size_t next;
};

struct walk {
	struct sv_hive *h;
	const struct sv_hive_walk *ops;
	struct level *levels;
	unsigned depth, cap;
	bool stopped; /* by a callback, which knows why */
};

static void walk_free(struct walk *w)
{
	for (unsigned i = 0; i < w->depth; i++)
		sv_regf_keys_free(&w->levels[i].keys);
	free(w->levels);
}

/* 0: the walk goes on in spite of `what`. */
static int pass_over(struct walk *w, struct sv_err *what, struct sv_err *err)
{
	struct sv_err first = SV_ERR_INIT;
	int rc;

	sv_err_path(what, sv_dev_name(w->h->dev));
	if (sv_regf_goes_on(&first, what) && w->ops->problem) {
		rc = w->ops->problem(w->ops->user, what);
		w->stopped = rc != 0;
		return rc;
	}
	sv_err_copy(err, what);
	return -1;
}

static int call_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	struct walk *w = user;
	int rc = w->ops->value(w->ops->user, name, type, data, n);

	w->stopped = rc != 0;
	return rc;
}

static int values(struct walk *w, sv_hive_key key, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	int rc;

	if (!w->ops->value)
		return 0;
	rc = sv_hive_values(w->h, key, call_value, w, &what);
	return rc < 0 && !w->stopped ? pass_over(w, &what, err) : rc;
}

static int names(struct walk *w, const struct sv_regf_keys *keys, struct sv_err *err)
{
	for (size_t i = 0; w->ops->subkey && i < keys->n; i++) {
		sv_autofree char *name = sv_hive_key_name(w->h, keys->v[i], err);
		int rc;

		if (!name)
			return -1;
		rc = w->ops->subkey(w->ops->user, name);
		if (rc)
			return rc;
	}
	return 0;
}

static int push(struct walk *w, struct sv_regf_keys *keys, struct sv_err *err)
{
	if (w->depth == w->cap) {
		unsigned cap = w->cap ? 2 * w->cap : 16;
		void *levels = realloc(w->levels, cap * sizeof *w->levels);

		if (!levels)
			return sv_fail_nomem(err);
		w->levels = levels;
		w->cap = cap;
	}
	w->levels[w->depth++] = (struct level){.keys = *keys};
	*keys = (struct sv_regf_keys){0};
	return 0;
}

/* One key; its subkeys, if it has any, become the top of the stack. */
static int visit(struct walk *w, const struct sv_hive_visit *v, struct sv_err *err)
{
	sv_autokeys struct sv_regf_keys keys = {0};
	struct sv_err what = SV_ERR_INIT;
	int rc = w->ops->key(w->ops->user, v, err);

	if (rc || (rc = values(w, v->key, err)))
		return rc;
	if (sv_regf_subkeys(w->h, v->key, &keys, &what) < 0 && (rc = pass_over(w, &what, err)))
		return rc;
	rc = names(w, &keys, err);
	if (!rc && w->ops->done)
		rc = w->ops->done(w->ops->user, v);
	if (rc || !w->ops->recursive || !keys.n)
		return rc;
	if (w->depth < SV_HIVE_DEPTH_MAX)
		return push(w, &keys, err);
	sv_fail_at(&what, SV_CORRUPT, NULL, SV_REGF_BINS_AT + (uint64_t)v->key,
		"keys lie deeper in each other than %d", SV_HIVE_DEPTH_MAX);
	return pass_over(w, &what, err);
}

static int load_and_visit(struct walk *w, sv_hive_key key, struct sv_err *err)
{
	struct sv_hive_visit v = {.key = key, .depth = w->depth};
	sv_autofree char *name = sv_hive_key_name(w->h, key, err);

	if (!name || sv_hive_key_info(w->h, key, &v.info, err) < 0)
		return -1;
	v.name = name;
	return visit(w, &v, err);
}

int sv_hive_walk(
	struct sv_hive *h, sv_hive_key key, const struct sv_hive_walk *walk, struct sv_err *err)
{
	SV_CLEANUP(walk_free) struct walk w = {.h = h, .ops = walk};
	int rc = load_and_visit(&w, key, err);

	while (!rc && w.depth) {
		struct level *top = &w.levels[w.depth - 1];

		if (top->next < top->keys.n) {
			rc = load_and_visit(&w, top->keys.v[top->next++], err);
		} else {
			sv_regf_keys_free(&top->keys);
			w.depth--;
		}
	}
	return rc;
}
