/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The registries of two Windows, hive by hive and key by key: see diff.h. A key that one side
 * lacks is told once. Keys that were last written at the same time are taken to have the same
 * values, unless content is to be compared.
 */
#include "base/num.h"
#include "base/str.h"
#include "cli/diff.h"
#include "guest/registry.h"

#include <string.h>
#include <strings.h>

/* A subkey or a value, by name. */
struct item {
	char *name;
	sv_hive_key key;
	uint32_t type;
	size_t n;
	uint64_t hash;
};

struct items {
	struct item *item;
	size_t n, cap;
};

struct diff {
	const struct sv_diff *d;
	struct sv_hive *hive[2];
	struct sv_str path;
};

static void items_free(struct items *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i].name);
	free(l->item);
	*l = (struct items){0};
}
#define autoitems SV_CLEANUP(items_free)

static int add(struct items *l, const char *name, const struct item *like)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 32;
		void *p = realloc(l->item, cap * sizeof *l->item);

		if (!p)
			return SV_NOMEM;
		l->item = p;
		l->cap = cap;
	}
	l->item[l->n] = *like;
	l->item[l->n].name = strdup(name);
	return l->item[l->n++].name ? 0 : SV_NOMEM;
}

static int take_key(void *user, const char *name, sv_hive_key key)
{
	struct item i = {.key = key};

	return add(user, name, &i);
}

static int take_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	const uint8_t *p = data;
	struct item i = {.type = type, .n = n, .hash = UINT64_C(1469598103934665603)};

	for (size_t k = 0; k < n; k++)
		i.hash = (i.hash ^ p[k]) * UINT64_C(1099511628211);
	return add(user, name, &i);
}

static int by_name(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int rc = strcasecmp(x->name, y->name);

	return rc ? rc : strcmp(x->name, y->name);
}

static int found(struct diff *k, enum sv_change change, const char *value, struct sv_err *err)
{
	struct sv_difference d = {.change = change, .path = k->path.data, .detail = value};

	return k->d->found(k->d->user, &d, err);
}

/* What a call of the hive gave: memory and cancelling end all, the rest is told. */
static int check(struct diff *k, int rc, const struct sv_err *what, struct sv_err *err)
{
	if (rc > 0)
		return sv_fail_nomem(err);
	if (rc == 0)
		return 0;
	if (what->code == SV_NOMEM || what->code == SV_CANCELLED) {
		sv_err_copy(err, what);
		return -1;
	}
	k->d->problem(k->d->user, k->path.data, what);
	return 0;
}

/* ---- values ---- */

static int load_values(
	struct diff *k, unsigned side, sv_hive_key key, struct items *ret, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	int rc = sv_hive_values(k->hive[side], key, take_value, ret, &what);

	if (check(k, rc, &what, err))
		return -1;
	if (ret->n)
		qsort(ret->item, ret->n, sizeof *ret->item, by_name);
	return 0;
}

static int compare_values(struct diff *k, sv_hive_key a, sv_hive_key b, struct sv_err *err)
{
	autoitems struct items va = {0}, vb = {0};
	size_t i = 0, j = 0;

	if (load_values(k, 0, a, &va, err) || load_values(k, 1, b, &vb, err))
		return -1;
	while (i < va.n || j < vb.n) {
		const struct item *x = i < va.n ? &va.item[i] : NULL;
		const struct item *y = j < vb.n ? &vb.item[j] : NULL;
		int rc = !x ? 1 : !y ? -1 : strcasecmp(x->name, y->name);
		bool same = !rc && x->type == y->type && x->n == y->n && x->hash == y->hash;
		const char *name = rc <= 0 ? x->name : y->name;

		if (!same && found(k,
				     rc < 0 ? SV_CHANGE_REMOVED
				     : rc   ? SV_CHANGE_ADDED
					    : SV_CHANGE_CONTENT,
				     *name ? name : "(default)", err))
			return -1;
		i += rc <= 0;
		j += rc >= 0;
	}
	return 0;
}

/* ---- keys ---- */

static int compare_keys(
	struct diff *k, sv_hive_key a, sv_hive_key b, unsigned depth, struct sv_err *err);

static int load_keys(
	struct diff *k, unsigned side, sv_hive_key key, struct items *ret, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	int rc = sv_hive_subkeys(k->hive[side], key, take_key, ret, &what);

	if (check(k, rc, &what, err))
		return -1;
	if (ret->n)
		qsort(ret->item, ret->n, sizeof *ret->item, by_name);
	return 0;
}

static int compare_subkey(struct diff *k, const struct item *x, const struct item *y,
	unsigned depth, struct sv_err *err)
{
	size_t kept = k->path.len;
	int rc;

	sv_str_addf(&k->path, "\\%s", x ? x->name : y->name);
	if (k->path.failed)
		return sv_fail_nomem(err);
	rc = x && y ? compare_keys(k, x->key, y->key, depth, err)
		    : found(k, x ? SV_CHANGE_REMOVED : SV_CHANGE_ADDED, "", err);
	k->path.len = kept;
	k->path.data[kept] = 0;
	return rc;
}

static int compare_subkeys(
	struct diff *k, sv_hive_key a, sv_hive_key b, unsigned depth, struct sv_err *err)
{
	autoitems struct items ka = {0}, kb = {0};
	size_t i = 0, j = 0;

	if (load_keys(k, 0, a, &ka, err) || load_keys(k, 1, b, &kb, err))
		return -1;
	while (i < ka.n || j < kb.n) {
		const struct item *x = i < ka.n ? &ka.item[i] : NULL;
		const struct item *y = j < kb.n ? &kb.item[j] : NULL;
		int rc = !x ? 1 : !y ? -1 : strcasecmp(x->name, y->name);

		if (compare_subkey(k, rc <= 0 ? x : NULL, rc >= 0 ? y : NULL, depth, err))
			return -1;
		i += rc <= 0;
		j += rc >= 0;
	}
	return 0;
}

static int compare_keys(
	struct diff *k, sv_hive_key a, sv_hive_key b, unsigned depth, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	struct sv_hive_key_info ia, ib;
	bool written;

	if (sv_job_check(k->d->job, err) < 0)
		return -1;
	if (depth > SV_HIVE_DEPTH_MAX)
		return 0;
	if (sv_hive_key_info(k->hive[0], a, &ia, &what) < 0 ||
		sv_hive_key_info(k->hive[1], b, &ib, &what) < 0)
		return check(k, -1, &what, err);
	written = ia.written.sec != ib.written.sec || ia.written.nsec != ib.written.nsec ||
		  ia.n_values != ib.n_values;
	if ((written || k->d->content) && compare_values(k, a, b, err))
		return -1;
	return compare_subkeys(k, a, b, depth + 1, err);
}

/* ---- hives ---- */

static int compare_hives(struct diff *k, const char *path, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	sv_hive_key root[2];

	k->path.len = 0;
	sv_str_add(&k->path, path);
	if (k->path.failed)
		return sv_fail_nomem(err);
	for (unsigned i = 0; i < 2; i++)
		if (sv_hive_root(k->hive[i], &root[i], &what) < 0)
			return check(k, -1, &what, err);
	return compare_keys(k, root[0], root[1], 0, err);
}

static const struct sv_registry_mount *find_mount(
	const struct sv_registry_mount *mounts, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(mounts[i].path, path))
			return &mounts[i];
	return NULL;
}

static int compare_mounts(
	struct diff *k, struct sv_registry *ra, struct sv_registry *rb, struct sv_err *err)
{
	const struct sv_registry_mount *ma, *mb;
	size_t na, nb;

	if (sv_registry_mounts(ra, &ma, &na, err) < 0 ||
		sv_registry_mounts(rb, &mb, &nb, err) < 0)
		return -1;
	for (size_t i = 0; i < na; i++) {
		const struct sv_registry_mount *same = find_mount(mb, nb, ma[i].path);
		struct sv_err what = SV_ERR_INIT;
		int rc = 0;

		if (!same)
			continue; /* a user's, who is told with his files */
		k->path.len = 0;
		sv_str_add(&k->path, ma[i].path);
		if (sv_registry_hive(ra, i, &k->hive[0], &what) < 0 ||
			sv_registry_hive(rb, (size_t)(same - mb), &k->hive[1], &what) < 0)
			rc = check(k, -1, &what, err);
		else
			rc = compare_hives(k, ma[i].path, err);
		sv_registry_release(ra, i);
		sv_registry_release(rb, (size_t)(same - mb));
		if (rc)
			return -1;
	}
	return 0;
}

int sv_diff_registry(
	const struct sv_diff *d, struct sv_machine *a, struct sv_machine *b, struct sv_err *err)
{
	SV_CLEANUP(sv_registry_closep) struct sv_registry *ra = NULL, *rb = NULL;
	struct sv_err what = SV_ERR_INIT;
	struct diff k = {.d = d};
	int rc = 0;

	if (sv_registry_open(a->guest, 0, d->job, &ra, &what) < 0 ||
		sv_registry_open(b->guest, 0, d->job, &rb, &what) < 0) {
		if (what.code == SV_NOTFOUND)
			return 0;
		sv_err_copy(err, &what);
		return -1;
	}
	rc = compare_mounts(&k, ra, rb, err);
	sv_str_free(&k.path);
	return rc;
}
