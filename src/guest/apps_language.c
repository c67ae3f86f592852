/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Modules of programming languages that were installed for the whole machine, or for a user,
 * past its package manager: Python's (NAME-VERSION.dist-info whose INSTALLER is no package
 * manager of the system; packaging.python.org, "Recording installed projects") and Node's
 * (node_modules/NAME/package.json).
 */
#include "guest/apps_source.h"

#include "base/num.h"
#include "base/str.h"

#include <jansson.h>
#include <string.h>

#define INSTALLER_MAX    64u
#define PACKAGE_JSON_MAX (1u << 20)

/* ---- Python ---- */

/* "debian", "rpm": its package manager has told of it already. */
static bool by_pip(const struct sv_apps *a, const char *info)
{
	static const char *const theirs[] = {"pip", "uv", "pipx", "poetry", "conda"};
	sv_autofree char *path = sv_format("%s/INSTALLER", info);
	size_t n;
	sv_autofree char *text =
		path ? sv_unix_read(&a->at, path, INSTALLER_MAX, &n, NULL) : NULL;
	sv_autofree char *name = text ? sv_trimmed(text, n) : NULL;

	for (size_t i = 0; name && i < SV_ARRAY_LEN(theirs); i++)
		if (!strcmp(name, theirs[i]))
			return true;
	return false;
}

struct place {
	struct sv_apps *a;
	const char *user;
};

static int add_dist_info(const struct place *p, const char *dir,
	const struct sv_unix_name *info, struct sv_err *err)
{
	sv_autofree char *path = sv_format("%s/%s", dir, info->name);
	sv_autofree char *name = strdup(info->name);
	char *version, installed[32] = "";
	struct sv_fs_stat st;

	if (!path || !name)
		return sv_fail_nomem(err);
	name[strlen(name) - strlen(".dist-info")] = 0;
	version = strchr(name, '-'); /* names are written with '_' instead */
	if (!version || !by_pip(p->a, path))
		return 0;
	*version++ = 0;
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	if (sv_unix_find(&p->a->at, path, SV_FS_DIR, &at, NULL) == 0 &&
		sv_fs_stat(at.fs, at.ino, &st, NULL) == 0)
		sv_apps_time(st.mtime.sec, installed);
	return sv_apps_found(p->a, &(struct sv_guest_app){.name = name,
					   .version = version,
					   .publisher = "",
					   .installed = installed,
					   .source = "pip",
					   .arch = "",
					   .user = p->user});
}

static int list_modules(const struct place *p, const char *dir, struct sv_err *err)
{
	sv_autonames struct sv_unix_names infos = {0};
	int rc = sv_apps_names(p->a, dir, ".dist-info", &infos, err);

	for (size_t i = 0; i < infos.n && !rc; i++)
		rc = add_dist_info(p, dir, &infos.names[i], err);
	return rc;
}

/* lib: "/usr/lib", with "python3", "python3.11" below. */
static int list_lib(const struct place *p, const char *lib, struct sv_err *err)
{
	static const char *const kinds[] = {"site-packages", "dist-packages"};
	sv_autonames struct sv_unix_names names = {0};
	int rc = sv_apps_names(p->a, lib, "", &names, err);

	for (size_t i = 0; i < 2 * names.n && !rc; i++) {
		const struct sv_unix_name *n = &names.names[i / 2];
		sv_autofree char *dir = NULL;

		if (n->type != SV_FS_DIR || !sv_starts_with(n->name, "python"))
			continue;
		dir = sv_format("%s/%s/%s", lib, n->name, kinds[i % 2]);
		rc = dir ? list_modules(p, dir, err) : sv_fail_nomem(err);
	}
	return rc;
}

static int list_pip_of(
	struct sv_apps *a, const char *user, const char *home, struct sv_err *err)
{
	sv_autofree char *lib = sv_format("%s/.local/lib", home);

	return lib ? list_lib(&(struct place){a, user}, lib, err) : sv_fail_nomem(err);
}

static int list_pip(struct sv_apps *a, struct sv_err *err)
{
	static const char *const libs[] = {"/usr/lib", "/usr/lib64", "/usr/local/lib"};
	int rc = 0;

	for (size_t i = 0; i < SV_ARRAY_LEN(libs) && !rc; i++) {
		/* lib64 may be a link to the one before it */
		SV_CLEANUP(sv_guest_place_free) struct sv_guest_place link = {0};

		if (sv_unix_find_link(&a->at, libs[i], &link, NULL) < 0)
			rc = list_lib(&(struct place){a, ""}, libs[i], err);
	}
	return rc ? rc : sv_apps_homes(a, list_pip_of, err);
}

/* ---- Node ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int add_node(struct sv_apps *a, const char *dir, struct sv_err *err)
{
	sv_autofree char *path = sv_format("%s/package.json", dir);
	size_t n;
	sv_autofree char *text = NULL;
	json_t *package;
	int rc = 0;

	if (!path)
		return sv_fail_nomem(err);
	text = sv_unix_read(&a->at, path, PACKAGE_JSON_MAX, &n, NULL);
	package = text ? json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (package && *text_of(package, "name"))
		rc = sv_apps_found(
			a, &(struct sv_guest_app){.name = text_of(package, "name"),
				   .version = text_of(package, "version"),
				   .publisher =
					   text_of(json_object_get(package, "author"), "name"),
				   .installed = "",
				   .source = "npm",
				   .arch = "",
				   .user = ""});
	json_decref(package);
	return rc;
}

/* A folder of modules, or (depth 1) those of one scope: "@angular/cli". */
static int list_node_folder(struct sv_apps *a, const char *dir, int depth, struct sv_err *err)
{
	sv_autonames struct sv_unix_names names = {0};
	int rc = sv_apps_names(a, dir, "", &names, err);

	for (size_t i = 0; i < names.n && !rc; i++) {
		const struct sv_unix_name *n = &names.names[i];
		sv_autofree char *path = sv_format("%s/%s", dir, n->name);

		if (!path)
			return sv_fail_nomem(err);
		if (n->name[0] == '.' || n->type != SV_FS_DIR)
			continue;
		rc = n->name[0] == '@' && !depth ? list_node_folder(a, path, 1, err)
						 : add_node(a, path, err);
	}
	return rc;
}

static int list_npm(struct sv_apps *a, struct sv_err *err)
{
	int rc = list_node_folder(a, "/usr/lib/node_modules", 0, err);

	return rc ? rc : list_node_folder(a, "/usr/local/lib/node_modules", 0, err);
}

const struct sv_app_source sv_apps_pip = {.family = "linux", .list = list_pip};
const struct sv_app_source sv_apps_npm = {.family = "linux", .list = list_npm};
