/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From what a person writes ("C:\Users", "@disk0p2:/x", "/etc") to a volume and a path in it.
 * Nothing is looked up here: whether the path exists is the file system's to say.
 */
#include "guest/guest.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

/* "C: (disk0p2), disk0p1": what there is to choose from. */
static char *candidates(const struct sv_guest *g)
{
	struct sv_str s = {0};

	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct sv_guest_volume *v = &g->volumes[i];

		sv_str_add(&s, i ? ", " : "");
		if (v->letter)
			sv_str_addf(&s, "%c: (@%s)", v->letter, v->id);
		else
			sv_str_addf(&s, "@%s", v->id);
	}
	return sv_str_take(&s);
}

static int not_found(const struct sv_guest *g, const char *name, size_t len, struct sv_err *err)
{
	sv_autofree char *list = candidates(g);

	sv_fail(err, SV_NOTFOUND, NULL, "there is no volume \"%.*s\"",
		(int)SV_MIN(len, (size_t)100), name);
	return sv_hint(err, "the volumes are: %s", list && list[0] ? list : "none");
}

static bool by_letter(const struct sv_guest *g, char letter, size_t *ret)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (g->volumes[i].letter &&
			g->volumes[i].letter == toupper((unsigned char)letter)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool by_id(const struct sv_guest *g, const char *id, size_t len, size_t *ret)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (strlen(g->volumes[i].id) == len && !memcmp(g->volumes[i].id, id, len)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool is_letter(const char *s, size_t len)
{
	return (len == 1 || (len == 2 && s[1] == ':')) && isalpha((unsigned char)s[0]);
}

static int find(
	const struct sv_guest *g, const char *name, size_t len, size_t *ret, struct sv_err *err)
{
	bool at = len && name[0] == '@';

	if ((!at && is_letter(name, len) && by_letter(g, name[0], ret)) ||
		by_id(g, name + at, len - at, ret))
		return 0;
	return not_found(g, name, len, err);
}

int sv_guest_find_volume(
	struct sv_guest *g, const char *name, size_t *ret_volume, struct sv_err *err)
{
	return find(g, name, strlen(name), ret_volume, err);
}

/* The volume that a path without a letter is about. */
static int default_volume(const struct sv_guest *g, size_t *ret, struct sv_err *err)
{
	sv_autofree char *list = NULL;
	size_t readable = 0;

	if (g->system_volume >= 0) {
		*ret = (size_t)g->system_volume;
		return 0;
	}
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (g->volumes[i].readable) {
			*ret = i;
			readable++;
		}
	}
	if (readable == 1)
		return 0;
	list = candidates(g);
	sv_fail(err, SV_NOTFOUND, NULL,
		readable ? "no operating system was recognised, and %zu volumes can be read"
			 : "none of the volumes can be read (%zu)",
		readable);
	return sv_hint(err, "name the volume, as in @disk0p1:/ - there are: %s",
		list && list[0] ? list : "none");
}

bool sv_guest_takes_backslash(const struct sv_guest_volume *v)
{
	return !strcmp(v->type, "ntfs") || !strcmp(v->type, "exfat") ||
	       sv_starts_with(v->type, "fat");
}

/* Absolute, with single slashes and none at the end (but for the root). */
static char *tidy(const char *path, bool backslash)
{
	struct sv_str s = {0};

	while (*path) {
		size_t n = strcspn(path, backslash ? "/\\" : "/");

		if (n) {
			sv_str_add(&s, "/");
			sv_str_addn(&s, path, n);
		}
		path += n + (path[n] != 0);
	}
	if (!s.len)
		sv_str_add(&s, "/");
	return sv_str_take(&s);
}

int sv_guest_resolve(struct sv_guest *g, const char *path, size_t *ret_volume, char **ret_path,
	struct sv_err *err)
{
	const char *rest = path;
	size_t volume;
	char *tidied;

	if (path[0] == '@') {
		size_t len = strcspn(path, ":");

		if (find(g, path, len, &volume, err) < 0)
			return -1;
		rest = path + len + (path[len] == ':');
	} else if (isalpha((unsigned char)path[0]) && path[1] == ':') {
		if (find(g, path, 2, &volume, err) < 0)
			return -1;
		rest = path + 2;
	} else if (default_volume(g, &volume, err) < 0) {
		return -1;
	}
	tidied = tidy(rest, sv_guest_takes_backslash(&g->volumes[volume]));
	if (!tidied)
		return sv_fail_nomem(err);
	*ret_volume = volume;
	*ret_path = tidied;
	return 0;
}
