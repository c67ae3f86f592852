/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a Windows keeps its hives, and the way from a path of the registry to a key in one of
 * them. HKEY_USERS is what the machine knows of profiles (ProfileList), not only who is logged
 * on.
 */
#include "guest/registry.h"

#include "base/num.h"
#include "base/str.h"
#include "guest/guest_private.h"
#include "guest/hive_file.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HKLM "HKEY_LOCAL_MACHINE"
#define HKU  "HKEY_USERS"

struct mount {
	struct sv_registry_mount pub;
	struct sv_hive *hive;
};

struct sv_registry {
	struct sv_guest *g;
	const struct sv_guest_os *os;
	struct sv_job *job;
	struct sv_registry_mount *mounts;
	struct sv_hive **hives; /* by mount; NULL: not open */
	size_t n;
	bool users_known;
};

/* ---- mounts ---- */

static void mount_free(struct sv_registry_mount *m)
{
	free(m->path);
	free(m->file);
	free(m->user);
}

/* Adds it where the file is there. Takes over path and file (NULL: out of memory). */
static int add_mount(struct sv_registry *r, size_t volume, char *path, char *file,
	const char *user, struct sv_err *err)
{
	struct sv_registry_mount m = {path, file, volume, strdup(user)}, *mounts;
	struct sv_hive **hives;
	struct sv_fs *fs;
	uint64_t ino;
	bool there;

	if (!m.path || !m.file || !m.user) {
		mount_free(&m);
		return sv_fail_nomem(err);
	}
	there = sv_guest_fs(r->g, volume, &fs, NULL) == 0 &&
		sv_fs_lookup(fs, m.file, &ino, NULL) == 0;
	mounts = there ? realloc(r->mounts, (r->n + 1) * sizeof *mounts) : NULL;
	r->mounts = mounts ? mounts : r->mounts;
	hives = mounts ? realloc(r->hives, (r->n + 1) * sizeof *hives) : NULL;
	r->hives = hives ? hives : r->hives;
	if (!there || !hives) {
		mount_free(&m);
		return there ? sv_fail_nomem(err) : 0;
	}
	r->hives[r->n] = NULL;
	r->mounts[r->n++] = m;
	return 0;
}

static int mount_machine(struct sv_registry *r, struct sv_err *err)
{
	static const char *const names[] = {
		"SAM", "SECURITY", "SOFTWARE", "SYSTEM", "COMPONENTS", "DRIVERS"};
	size_t volume = (size_t)r->os->volume;
	const char *folder = r->os->folder;

	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		if (add_mount(r, volume, sv_format(HKLM "\\%s", names[i]),
			    sv_format("%s/System32/config/%s", folder, names[i]), "", err) < 0)
			return -1;
	}
	return add_mount(r, volume, strdup(HKU "\\.DEFAULT"),
		sv_format("%s/System32/config/DEFAULT", folder), "", err);
}

int sv_registry_open(struct sv_guest *g, size_t system, struct sv_job *job,
	struct sv_registry **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_registry_closep) struct sv_registry *r = calloc(1, sizeof *r);
	const struct sv_guest_os *os = sv_guest_system(g, system);

	if (!r)
		return sv_fail_nomem(err);
	if (!os || strcmp(os->family, "windows") != 0) {
		sv_fail(err, SV_NOTFOUND, NULL,
			"no Windows was found on the machine's disks, so there is no registry");
		return sv_hint(err, "to read a hive in a file: sharevm reg VM:PATH KEY");
	}
	r->g = g;
	r->os = os;
	r->job = job;
	if (mount_machine(r, err) < 0)
		return -1;
	*ret = SV_STEAL(r);
	return 0;
}

void sv_registry_close(struct sv_registry *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		sv_hive_close(r->hives[i]);
		mount_free(&r->mounts[i]);
	}
	free(r->hives);
	free(r->mounts);
	free(r);
}

int sv_registry_hive(
	struct sv_registry *r, size_t mount, struct sv_hive **ret, struct sv_err *err)
{
	const struct sv_registry_mount *m = &r->mounts[mount];
	struct sv_fs *fs;

	if (!r->hives[mount] &&
		(sv_guest_fs(r->g, m->volume, &fs, err) < 0 ||
			sv_guest_hive_open(fs, m->file, r->job, &r->hives[mount], err) < 0))
		return sv_err_path(err, m->file);
	*ret = r->hives[mount];
	return 0;
}

void sv_registry_release(struct sv_registry *r, size_t mount)
{
	sv_hive_close(r->hives[mount]);
	r->hives[mount] = NULL;
}

/* ---- profiles ---- */

/* A user's two hives: settings, and what he registered for file types. */
static int mount_user(struct sv_registry *r, const struct sv_guest_user *u, struct sv_err *err)
{
	static const char *const classes[] = {
		"AppData/Local", "Local Settings/Application Data"};
	sv_autofree char *path = NULL;
	size_t volume;

	if (!u->id[0] || !u->home[0] ||
		sv_guest_resolve_windows(r->g, r->os, u->home, &volume, &path, NULL) < 0)
		return 0;
	if (add_mount(r, volume, sv_format(HKU "\\%s", u->id), sv_format("%s/NTUSER.DAT", path),
		    u->name, err) < 0)
		return -1;
	for (size_t i = 0; i < SV_ARRAY_LEN(classes); i++) {
		if (add_mount(r, volume, sv_format(HKU "\\%s_Classes", u->id),
			    sv_format("%s/%s/Microsoft/Windows/UsrClass.dat", path, classes[i]),
			    u->name, err) < 0)
			return -1;
	}
	return 0;
}

static int mount_users(struct sv_registry *r, struct sv_err *err)
{
	for (size_t i = 0; !r->users_known && i < r->os->n_users; i++) {
		if (mount_user(r, &r->os->users[i], err) < 0)
			return -1;
	}
	r->users_known = true;
	return 0;
}

int sv_registry_mounts(struct sv_registry *r, const struct sv_registry_mount **ret,
	size_t *ret_n, struct sv_err *err)
{
	if (mount_users(r, err) < 0)
		return -1;
	*ret = r->mounts;
	*ret_n = r->n;
	return 0;
}

/* ---- paths ---- */

void sv_registry_key_free(struct sv_registry_key *k)
{
	free(k->path);
	*k = (struct sv_registry_key){0};
}

/* A copy with '\' between the parts, each of which is there; none at the ends. */
static char *tidy(const char *path)
{
	char separator = strchr(path, '\\') ? '\\' : '/';
	struct sv_str s = {0};

	while (*path) {
		size_t n = (size_t)(strchrnul(path, separator) - path);

		if (n) {
			sv_str_add(&s, s.len ? "\\" : "");
			sv_str_addn(&s, path, n);
		}
		path += n + (path[n] != 0);
	}
	return sv_str_take(&s);
}

/* Does `path` begin with the parts of `head`? Gives what follows, without the separator. */
static bool begins(const char *path, const char *head, const char **ret_rest)
{
	size_t n = strlen(head);

	if (strncasecmp(path, head, n) != 0 || (path[n] && path[n] != '\\'))
		return false;
	*ret_rest = path + n + (path[n] != 0);
	return true;
}

static char *join(const char *head, const char *rest)
{
	return sv_format("%s%s%s", head, *rest ? "\\" : "", rest);
}

static int set(char **path, char *text, struct sv_err *err)
{
	if (!text)
		return sv_fail_nomem(err);
	free(*path);
	*path = text;
	return 0;
}

static int fail_user(const struct sv_registry *r, const char *what, struct sv_err *err)
{
	sv_autostr struct sv_str names = {0};

	for (size_t i = 0; i < r->n; i++) {
		if (r->mounts[i].user[0] && !sv_ends_with(r->mounts[i].path, "_Classes"))
			sv_str_addf(
				&names, "%sHKU\\%s", names.len ? ", " : "", r->mounts[i].user);
	}
	sv_fail(err, SV_NOTFOUND, NULL, "%s", what);
	return sv_hint(err, "the users with a hive are: %s", names.data ? names.data : "none");
}

/* A person's hive, not one of a service: they have identifiers of a domain. */
static bool is_person(const struct sv_registry_mount *m)
{
	return m->user[0] && sv_starts_with(m->path, HKU "\\S-1-5-21-") &&
	       !sv_ends_with(m->path, "_Classes");
}

/* HKEY_CURRENT_USER is the one person's who has a hive. */
static int expand_current_user(
	struct sv_registry *r, char **path, const char *rest, struct sv_err *err)
{
	const struct sv_registry_mount *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (is_person(&r->mounts[i])) {
			found = &r->mounts[i];
			n++;
		}
	}
	if (n != 1)
		return fail_user(r,
			n ? "several users have a hive: which one is meant by HKCU?"
			  : "no user has a hive",
			err);
	return set(path, join(found->path, rest), err);
}

/* "HKU\Zoë\…": the name becomes the user's identifier. */
static int expand_user_name(
	struct sv_registry *r, char **path, const char *rest, struct sv_err *err)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct sv_registry_mount *m = &r->mounts[i];
		const char *below;

		if (m->user[0] && !sv_ends_with(m->path, "_Classes") &&
			begins(rest, m->user, &below))
			return set(path, join(m->path, below), err);
	}
	if (begins(rest, "S-1-5-18", &rest))
		return set(path, join(HKU "\\.DEFAULT", rest), err);
	return 0;
}

/* Short names and aliases of roots, users by name: *path becomes one that begins as a mount. */
static int expand(struct sv_registry *r, char **path, struct sv_err *err)
{
	static const char *const aliases[][2] = {{"HKLM", HKLM}, {HKLM, HKLM}, {"HKU", HKU},
		{HKU, HKU}, {"HKCR", HKLM "\\SOFTWARE\\Classes"},
		{"HKEY_CLASSES_ROOT", HKLM "\\SOFTWARE\\Classes"},
		{"HKCC", HKLM "\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\0001"},
		{"HKEY_CURRENT_CONFIG",
			HKLM "\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\0001"}};
	const char *rest = *path;

	if (begins(*path, "Computer", &rest) && set(path, strdup(rest), err) < 0)
		return -1;
	if (begins(*path, "HKCU", &rest) || begins(*path, "HKEY_CURRENT_USER", &rest))
		return mount_users(r, err) < 0 ? -1 : expand_current_user(r, path, rest, err);
	for (size_t i = 0; i < SV_ARRAY_LEN(aliases); i++) {
		if (!begins(*path, aliases[i][0], &rest))
			continue;
		if (set(path, join(aliases[i][1], rest), err) < 0)
			return -1;
		if (!begins(*path, HKU, &rest))
			return 0;
		return mount_users(r, err) < 0 ? -1 : expand_user_name(r, path, rest, err);
	}
	sv_fail(err, SV_NOTFOUND, NULL, "'%.200s' is no root of the registry", *path);
	return sv_hint(err, "a key begins with HKLM, HKU, HKCU or HKCR, as in "
			    "'HKLM\\SOFTWARE\\Microsoft'");
}

/* One part down. Its name is added as it is stored. */
static int step(struct sv_hive *h, const char *name, size_t n, struct sv_registry_key *k,
	struct sv_err *err)
{
	/* a '\' in front tells that a '/' belongs to the name */
	sv_autofree char *part = sv_format("\\%.*s", (int)n, name);
	sv_autofree char *stored = NULL;
	struct sv_err why = SV_ERR_INIT;

	if (!part)
		return sv_fail_nomem(err);
	if (sv_hive_find(h, k->key, part, &k->key, &why) < 0) {
		if (why.code == SV_NOTFOUND)
			sv_fail(&why, SV_NOTFOUND, NULL, "there is no key '%.*s' in '%s'",
				(int)SV_MIN(n, (size_t)100), name, k->path);
		sv_err_copy(err, &why);
		return -1;
	}
	stored = sv_hive_key_name(h, k->key, err);
	return stored ? set(&k->path, join(k->path, stored), err) : -1;
}

int sv_registry_descend(struct sv_hive *h, const char *top, const char *path,
	struct sv_registry_key *ret, struct sv_err *err)
{
	sv_autoregkey struct sv_registry_key k = {.hive = h, .path = strdup(top)};
	sv_autofree char *rest = tidy(path);

	if (!k.path || !rest)
		return sv_fail_nomem(err);
	if (sv_hive_root(h, &k.key, err) < 0)
		return -1;
	for (const char *at = rest; *at;) {
		size_t n = strcspn(at, "\\");

		if (step(h, at, n, &k, err) < 0)
			return -1;
		at += n + (at[n] != 0);
	}
	*ret = k;
	k.path = NULL;
	return 0;
}

/* CurrentControlSet is no key of the hive: SYSTEM\Select tells which one it means. */
static int find_in_system(struct sv_registry *r, struct sv_hive *h, const char *top,
	const char *rest, struct sv_registry_key *ret, struct sv_err *err)
{
	sv_autofree char *real = NULL;
	uint32_t number = 1;
	const char *below;
	size_t named = 0;

	(void)r;
	if (!begins(rest, "CurrentControlSet", &below))
		return sv_registry_descend(h, top, rest, ret, err);
	sv_registry_dword(h, "Select", "Current", &number);
	real = sv_format("ControlSet%03u\\%s", number, below);
	if (!real)
		return sv_fail_nomem(err);
	if (sv_registry_descend(h, top, real, ret, err) < 0)
		return -1;
	/* and it keeps the name under which it was asked for */
	named = strlen(top) + strcspn(ret->path + strlen(top) + 1, "\\") + 1;
	return set(
		&ret->path, sv_format("%s\\CurrentControlSet%s", top, ret->path + named), err);
}

static int find_in_mount(struct sv_registry *r, size_t mount, const char *rest,
	struct sv_registry_key *ret, struct sv_err *err)
{
	const char *top = r->mounts[mount].path;
	sv_autofree char *place = strdup(top); /* the mounts may move */
	struct sv_hive *h;

	if (!place)
		return sv_fail_nomem(err);
	if (sv_registry_hive(r, mount, &h, err) < 0)
		return -1;
	if (sv_ends_with(place, "\\SYSTEM"))
		return find_in_system(r, h, place, rest, ret, err);
	return sv_registry_descend(h, place, rest, ret, err);
}

static int fail_above(const char *path, struct sv_err *err)
{
	sv_fail(err, SV_NOTFOUND, NULL, "there is no hive for '%.200s'", path);
	if (begins(path, HKLM "\\HARDWARE", &path))
		return sv_hint(err, "HARDWARE exists only while Windows runs");
	return sv_hint(err, "to see the hives there are: sharevm reg VM");
}

int sv_registry_find(struct sv_registry *r, const char *path, struct sv_registry_key *ret,
	struct sv_err *err)
{
	sv_autofree char *full = tidy(path);
	const char *rest;

	if (!full)
		return sv_fail_nomem(err);
	if (expand(r, &full, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		if (begins(full, r->mounts[i].path, &rest))
			return find_in_mount(r, i, rest, ret, err);
	}
	if (strcasecmp(full, HKLM) != 0 && strcasecmp(full, HKU) != 0)
		return fail_above(full, err);
	*ret = (struct sv_registry_key){.path = SV_STEAL(full)};
	return 0;
}

char *sv_registry_top_of_file(const char *file, struct sv_err *err)
{
	static const char *const known[][2] = {{"NTUSER.DAT", "HKEY_CURRENT_USER"},
		{"NTUSER.MAN", "HKEY_CURRENT_USER"},
		{"USRCLASS.DAT", "HKEY_CURRENT_USER\\Software\\Classes"},
		{"DEFAULT", HKU "\\.DEFAULT"}, {"BCD", HKLM "\\BCD00000000"}};
	const char *base = strrchr(file, '/');
	char *top = NULL;

	base = base ? base + 1 : file;
	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++) {
		if (!strcasecmp(base, known[i][0]))
			top = strdup(known[i][1]);
	}
	if (!top)
		top = sv_format(HKLM "\\%s", base);
	if (!top)
		sv_fail_nomem(err);
	return top;
}

bool sv_registry_string(
	struct sv_hive *h, const char *key, const char *value, char **ret, struct sv_err *err)
{
	sv_hive_key root, k;
	char *text;

	if (sv_hive_root(h, &root, err) < 0 || sv_hive_find(h, root, key, &k, err) < 0)
		return false;
	text = sv_hive_string(h, k, value, err);
	if (!text)
		return false;
	*ret = text;
	return true;
}

bool sv_registry_dword(struct sv_hive *h, const char *key, const char *value, uint32_t *ret)
{
	sv_hive_key root, k;

	return sv_hive_root(h, &root, NULL) == 0 && sv_hive_find(h, root, key, &k, NULL) == 0 &&
	       sv_hive_dword(h, k, value, ret, NULL) == 0;
}
