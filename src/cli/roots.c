/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Places to begin at, patterns among them: see roots.h. */
#include "cli/roots.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/tree.h"

#include <fnmatch.h>
#include <string.h>

void sv_roots_free(struct sv_roots *r)
{
	for (size_t i = 0; i < r->n; i++) {
		sv_place_free(&r->item[i].at);
		free(r->item[i].path);
	}
	free(r->item);
	*r = (struct sv_roots){0};
}

char *sv_root_path(const char *path, const char *rest)
{
	bool whole = !*path || path[strlen(path) - 1] == ':';

	if (!*rest)
		return sv_format("%s%s", path, whole ? "/" : "");
	return sv_format("%s/%s", path, rest);
}

bool sv_folds_case(const struct sv_guest *g, size_t volume)
{
	return sv_guest_takes_backslash(&g->volumes[volume]); /* the same families */
}

/* Takes over `at`; `path` is copied without the '/' at its end. */
static int add(struct sv_roots *r, struct sv_place *at, const char *path, struct sv_err *err)
{
	size_t n = strlen(path);
	struct sv_root *grown;

	if (r->n >= SV_ROOTS_MAX)
		return sv_fail(err, SV_NOMEM, NULL, "the pattern fits more than %d names",
			SV_ROOTS_MAX);
	if (!(r->n & (r->n - 1))) { /* at 0, 1, 2, 4, ... */
		grown = realloc(r->item, (r->n ? 2 * r->n : 1) * sizeof *grown);
		if (!grown)
			return sv_fail_nomem(err);
		r->item = grown;
	}
	while (n && strchr("/\\", path[n - 1]))
		n--;
	r->item[r->n] = (struct sv_root){*at, strndup(path, n)};
	if (!r->item[r->n].path)
		return sv_fail_nomem(err);
	r->n++;
	*at = (struct sv_place){0};
	return 0;
}

static int add_named(struct sv_machine *m, const char *inside, bool links, struct sv_roots *r,
	struct sv_err *err)
{
	sv_autoplace struct sv_place at = {0};

	if ((links ? sv_machine_find_link : sv_machine_find)(m, inside, &at, err))
		return -1;
	return add(r, &at, inside, err);
}

/* ---- all of a machine ---- */

static bool is_mounted(const struct sv_guest *g, size_t volume)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (g->mounts[i].volume == volume)
			return true;
	return false;
}

static int add_all(struct sv_machine *m, struct sv_roots *r, struct sv_err *err)
{
	const struct sv_guest *g = m->guest;

	if (g->n_mounts && add_named(m, "/", false, r, err))
		return -1;
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct sv_guest_volume *v = &g->volumes[i];
		sv_autofree char *inside = NULL;

		if (!v->readable || is_mounted(g, i))
			continue;
		inside = v->letter ? sv_format("%c:", v->letter) : sv_format("@%s:", v->id);
		if (!inside)
			return sv_fail_nomem(err);
		if (add_named(m, inside, false, r, err))
			return -1;
	}
	if (r->n)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, m->vm->config, "none of its volumes can be read");
	return sv_hint(err, "to see why: sharevm show '%s'", m->given);
}

/* ---- patterns ---- */

struct pattern {
	struct sv_machine *m;
	struct sv_roots *found;
	bool links;
};

static int expand(struct pattern *p, const char *done, const char *rest, struct sv_err *err);

/* One more name, which fits; then what follows it. */
static int step(struct pattern *p, const char *done, const char *name, const char *behind,
	struct sv_err *err)
{
	sv_autofree char *path = sv_format("%s%s", done, name);
	struct sv_err why = SV_ERR_INIT;

	if (!path)
		return sv_fail_nomem(err);
	if (*behind) {
		sv_autofree char *longer = sv_format("%s/", path);

		return longer ? expand(p, longer, behind, err) : sv_fail_nomem(err);
	}
	if (add_named(p->m, path, p->links, p->found, &why) == 0)
		return 0;
	if (why.code == SV_NOTFOUND || why.code == SV_CORRUPT) /* a link to nowhere */
		return 0;
	sv_err_copy(err, &why);
	return -1;
}

static int expand_folder(struct pattern *p, const char *done, const char *name,
	const char *behind, struct sv_err *err)
{
	sv_autoplace struct sv_place at = {0};
	sv_autoentries struct sv_entries e = {0};
	struct sv_fs_stat st;
	int flags = FNM_PERIOD;

	if (sv_machine_find(p->m, *done ? done : "/", &at, NULL) ||
		sv_fs_stat(at.fs, at.ino, &st, NULL) || st.type != SV_FS_DIR)
		return 0;
	if (sv_entries_read(at.fs, at.ino, &e, err))
		return -1;
	flags |= sv_folds_case(p->m->guest, at.volume) ? FNM_CASEFOLD : 0;
	for (size_t i = 0; i < e.n; i++)
		if (!fnmatch(name, e.item[i].name, flags) &&
			step(p, done, e.item[i].name, behind, err))
			return -1;
	return 0;
}

/* `done` ends with a separator, or is empty, or the beginning of a volume. */
static int expand(struct pattern *p, const char *done, const char *rest, struct sv_err *err)
{
	size_t len = strcspn(rest, "/");
	const char *behind = rest + len + strspn(rest + len, "/");
	sv_autofree char *name = strndup(rest, len);

	if (!name)
		return sv_fail_nomem(err);
	if (!strpbrk(name, "*?["))
		return step(p, done, name, behind, err);
	return expand_folder(p, done, name, behind, err);
}

/* Where the names begin: behind "C:", "@disk0p1:", and slashes. */
static size_t start_of(const char *inside)
{
	size_t n = inside[0] == '@' ? strcspn(inside, ":") : 0;

	if (inside[n] == ':')
		n++;
	else if (inside[0] && inside[1] == ':')
		n = 2;
	return n + strspn(inside + n, "/");
}

static int find_pattern(struct sv_machine *m, const char *inside, bool links,
	struct sv_roots *ret, struct sv_err *err)
{
	struct pattern p = {.m = m, .found = ret, .links = links};
	sv_autofree char *path = strdup(inside);
	sv_autofree char *begin = NULL;
	size_t at;

	if (!path)
		return sv_fail_nomem(err);
	for (char *c = path; *c && inside[0] != '/' && inside[0] != '@'; c++)
		*c = *c == '\\' ? '/' : *c; /* C:\Users\* */
	at = start_of(path);
	begin = strndup(path, at);
	return begin ? expand(&p, begin, path + at, err) : sv_fail_nomem(err);
}

int sv_roots_find(struct sv_machine *m, const char *inside, bool links, struct sv_roots *ret,
	struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	sv_autoroots struct sv_roots r = {0};
	int rc = 0;

	if (!inside || !*inside) {
		rc = add_all(m, &r, err);
	} else if (add_named(m, inside, links, &r, &why)) {
		if (why.code != SV_NOTFOUND || !strpbrk(inside, "*?[")) {
			sv_err_copy(err, &why);
			return -1;
		}
		rc = find_pattern(m, inside, links, &r, err);
		if (!rc && !r.n)
			rc = sv_fail(err, SV_NOTFOUND, m->vm->config,
				"nothing fits the pattern \"%.300s\"", inside);
	}
	if (rc)
		return -1;
	*ret = r;
	r = (struct sv_roots){0};
	return 0;
}
