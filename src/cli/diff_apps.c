/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The software of two machines: see diff.h. A program is the same by name, source, user and
 * architecture; its version is what differs. */
#include "base/num.h"
#include "cli/diff.h"
#include "guest/apps.h"

#include <string.h>

#define APPS_MAX 200000

struct app {
	char *name, *version, *source, *arch, *user;
};

struct apps {
	struct app *item;
	size_t n, cap;
};

static void apps_free(struct apps *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->item[i].name);
		free(a->item[i].version);
		free(a->item[i].source);
		free(a->item[i].arch);
		free(a->item[i].user);
	}
	free(a->item);
	*a = (struct apps){0};
}

static int take(void *user, const struct sv_guest_app *app)
{
	struct apps *a = user;

	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 64;
		void *p = cap <= APPS_MAX ? realloc(a->item, cap * sizeof *a->item) : NULL;

		if (!p)
			return SV_NOMEM;
		a->item = p;
		a->cap = cap;
	}
	a->item[a->n] = (struct app){strdup(app->name), strdup(app->version),
		strdup(app->source), strdup(app->arch), strdup(app->user)};
	a->n++;
	return a->item[a->n - 1].name && a->item[a->n - 1].version &&
			       a->item[a->n - 1].source && a->item[a->n - 1].arch &&
			       a->item[a->n - 1].user
		       ? 0
		       : SV_NOMEM;
}

static int order(const struct app *x, const struct app *y)
{
	int rc = strcmp(x->source, y->source);

	rc = rc ? rc : strcmp(x->name, y->name);
	rc = rc ? rc : strcmp(x->arch, y->arch);
	return rc ? rc : strcmp(x->user, y->user);
}

static int by_all(const void *a, const void *b)
{
	const struct app *x = a, *y = b;
	int rc = order(x, y);

	return rc ? rc : strcmp(x->version, y->version);
}

/* *ret_known: there is a system whose records are known. Damage is told. */
static int load(const struct sv_diff *d, struct sv_machine *m, struct apps *ret,
	bool *ret_known, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	int rc = sv_guest_apps(m->guest, take, ret, d->job, &what);

	*ret_known = true;
	if (rc > 0)
		return sv_fail_nomem(err);
	if (rc < 0 && (what.code == SV_NOMEM || what.code == SV_CANCELLED)) {
		sv_err_copy(err, &what);
		return -1;
	}
	if (rc < 0 && what.code == SV_UNSUPPORTED)
		*ret_known = false;
	else if (rc < 0)
		d->problem(d->user, "software", &what);
	if (ret->n)
		qsort(ret->item, ret->n, sizeof *ret->item, by_all);
	return 0;
}

static int found(
	const struct sv_diff *d, const struct app *a, const struct app *b, struct sv_err *err)
{
	const struct app *any = a ? a : b;
	struct sv_difference f = {.change = a && b ? SV_CHANGE_CONTENT
					    : a    ? SV_CHANGE_REMOVED
						   : SV_CHANGE_ADDED,
		.path = any->name,
		.text_a = a ? a->version : NULL,
		.text_b = b ? b->version : NULL,
		.detail = any->source};

	return d->found(d->user, &f, err);
}

/* Equal versions of a program go together first: of several kernels one may be new. */
static int compare(const struct sv_diff *d, struct apps *a, struct apps *b, struct sv_err *err)
{
	size_t i = 0, j = 0;

	while (i < a->n || j < b->n) {
		const struct app *x = i < a->n ? &a->item[i] : NULL;
		const struct app *y = j < b->n ? &b->item[j] : NULL;
		int rc = !x ? 1 : !y ? -1 : order(x, y);
		bool several = x && y && !rc &&
			       ((i + 1 < a->n && !order(x, x + 1)) ||
				       (j + 1 < b->n && !order(y, y + 1)));

		if (!rc && !strcmp(x->version, y->version)) {
			i++;
			j++;
			continue;
		}
		if (several)
			rc = strcmp(x->version, y->version);
		if (found(d, rc <= 0 ? x : NULL, rc >= 0 ? y : NULL, err))
			return -1;
		i += rc <= 0;
		j += rc >= 0;
	}
	return 0;
}

int sv_diff_apps(
	const struct sv_diff *d, struct sv_machine *a, struct sv_machine *b, struct sv_err *err)
{
	struct apps apps[2] = {{0}};
	bool known[2] = {false, false};
	int rc = load(d, a, &apps[0], &known[0], err);

	if (!rc)
		rc = load(d, b, &apps[1], &known[1], err);
	if (!rc && (known[0] || known[1]))
		rc = compare(d, &apps[0], &apps[1], err);
	apps_free(&apps[0]);
	apps_free(&apps[1]);
	return rc;
}
