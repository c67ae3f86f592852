/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Software that comes with all it needs: flatpak (app/ID/ARCH/BRANCH below a store of the
 * machine and one of each user; flatpak-installation(5)) and snap (snaps/NAME_REVISION.snap, of
 * which /snap/NAME/current names the one in use). What they call their versions lies inside
 * packed images, so branch and revision are told, as `flatpak list` and `snap list` do beside
 * it.
 */
#include "guest/apps_source.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define STORE "/var/lib/flatpak"

/* ---- flatpak ---- */

struct store {
	struct sv_apps *a;
	const char *user;
};

static void time_of(struct sv_apps *a, const char *path, enum sv_fs_type type, char ret[32],
	uint64_t *ret_size)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	struct sv_fs_stat st = {0};

	if (sv_unix_find(&a->at, path, type, &at, NULL) == 0)
		sv_fs_stat(at.fs, at.ino, &st, NULL);
	sv_apps_time(st.mtime.sec, ret);
	*ret_size = st.size;
}

/* Calls fn for each folder in a folder. */
typedef int (*folder_fn)(
	const struct store *s, const char *path, const char *name, struct sv_err *err);
static int each_folder(
	const struct store *s, const char *path, folder_fn fn, struct sv_err *err)
{
	sv_autonames struct sv_unix_names names = {0};
	int rc = sv_apps_names(s->a, path, "", &names, err);

	for (size_t i = 0; i < names.n && !rc; i++) {
		sv_autofree char *below = sv_format("%s/%s", path, names.names[i].name);

		if (!below)
			return sv_fail_nomem(err);
		if (names.names[i].type == SV_FS_DIR)
			rc = fn(s, below, names.names[i].name, err);
	}
	return rc;
}

/* path: ".../ID/ARCH/BRANCH" */
static int add_branch(
	const struct store *s, const char *path, const char *branch, struct sv_err *err)
{
	sv_autofree char *arch_dir = sv_path_dir(path);
	sv_autofree char *id_dir = arch_dir ? sv_path_dir(arch_dir) : NULL;
	char installed[32];
	uint64_t size;

	if (!id_dir)
		return sv_fail_nomem(err);
	time_of(s->a, path, SV_FS_DIR, installed, &size);
	return sv_apps_found(s->a, &(struct sv_guest_app){.name = sv_path_base(id_dir),
					   .version = branch,
					   .publisher = "",
					   .installed = installed,
					   .source = "flatpak",
					   .arch = sv_path_base(arch_dir),
					   .user = s->user});
}

static int list_arch(
	const struct store *s, const char *path, const char *name, struct sv_err *err)
{
	(void)name;
	return each_folder(s, path, add_branch, err);
}

static int list_id(
	const struct store *s, const char *path, const char *name, struct sv_err *err)
{
	(void)name;
	return each_folder(s, path, list_arch, err);
}

static int list_store(const struct store *s, const char *dir, struct sv_err *err)
{
	static const char *const kinds[] = {"app", "runtime"};
	int rc = 0;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds) && !rc; i++) {
		sv_autofree char *path = sv_format("%s/%s", dir, kinds[i]);

		rc = path ? each_folder(s, path, list_id, err) : sv_fail_nomem(err);
	}
	return rc;
}

static int list_store_of(
	struct sv_apps *a, const char *user, const char *home, struct sv_err *err)
{
	sv_autofree char *dir = sv_format("%s/.local/share/flatpak", home);

	return dir ? list_store(&(struct store){a, user}, dir, err) : sv_fail_nomem(err);
}

static int list_flatpak(struct sv_apps *a, struct sv_err *err)
{
	int rc = list_store(&(struct store){a, ""}, STORE, err);

	return rc ? rc : sv_apps_homes(a, list_store_of, err);
}

/* ---- snap ---- */

static int add_snap(struct sv_apps *a, const char *dir, const char *name, struct sv_err *err)
{
	sv_autofree char *link = sv_format("%s/%s/current", dir, name);
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	sv_autofree char *revision = NULL, *file = NULL;
	char installed[32];
	uint64_t size;

	if (!link)
		return sv_fail_nomem(err);
	if (sv_unix_find_link(&a->at, link, &at, NULL) < 0)
		return 0;
	revision = sv_fs_readlink(at.fs, at.ino, NULL);
	file = sv_format("/var/lib/snapd/snaps/%s_%s.snap", name, revision ? revision : "");
	if (!revision || !file)
		return 0;
	time_of(a, file, SV_FS_FILE, installed, &size);
	return sv_apps_found(a, &(struct sv_guest_app){.name = name,
					.version = revision,
					.publisher = "",
					.installed = installed,
					.source = "snap",
					.arch = "",
					.user = "",
					.size = size});
}

static int list_snap(struct sv_apps *a, struct sv_err *err)
{
	static const char *const dirs[] = {"/snap", "/var/lib/snapd/snap"};
	sv_autonames struct sv_unix_names names = {0};
	size_t i = 0;
	int rc = sv_apps_names(a, dirs[0], "", &names, err);

	if (!rc && !names.n)
		rc = sv_apps_names(a, dirs[++i], "", &names, err);
	for (size_t k = 0; k < names.n && !rc; k++)
		if (names.names[k].type == SV_FS_DIR)
			rc = add_snap(a, dirs[i], names.names[k].name, err);
	return rc;
}

const struct sv_app_source sv_apps_flatpak = {.family = "linux", .list = list_flatpak};
const struct sv_app_source sv_apps_snap = {.family = "linux", .list = list_snap};
