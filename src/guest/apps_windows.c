/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Software of Windows. Programs: the keys under Uninstall that have a name, of the machine, of
 * 32-bit programs on 64-bit Windows (Wow6432Node), and of each user. Packages of the Store:
 * Appx\AppxAllUserStore, whose keys are called NAME_VERSION_ARCH_RESOURCE_PUBLISHER. Updates:
 * the packages of Component Based Servicing that are installed (state 112).
 */
#include "guest/apps_source.h"
#include "guest/registry.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CURRENT   "Microsoft\\Windows\\CurrentVersion"
#define WOW       "Wow6432Node\\"
#define STORE     CURRENT "\\Appx\\AppxAllUserStore"
#define PACKAGES  CURRENT "\\Component Based Servicing\\Packages"
#define INSTALLED 112 /* CurrentState of a package */
#define MICROSOFT "Microsoft Corporation"
#define SEEN_MAX  (1u << 18) /* bytes of names that are remembered; real ones have a tenth */

struct listing {
	struct sv_apps *a;
	struct sv_hive *h;
	const char *user, *arch;
	struct sv_str *seen; /* packages that were told already */
	int rc;              /* what the callback returned */
};

/* A text below a key; "" where there is none. Caller frees; NULL: out of memory. */
static char *text_of(struct sv_hive *h, sv_hive_key key, const char *value)
{
	char *text = sv_hive_string(h, key, value, NULL);

	return text ? text : strdup("");
}

static int tell(struct listing *l, struct sv_guest_app *app)
{
	app->user = l->user;
	l->rc = sv_apps_found(l->a, app);
	return l->rc;
}

/* The subkeys of a path of the hive, where it is there. */
static int each(struct listing *l, const char *path, const char *hive, sv_hive_key_fn fn,
	struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	sv_hive_key root, key;

	if (sv_hive_root(l->h, &root, &why) < 0 ||
		sv_hive_find(l->h, root, path, &key, &why) < 0)
		return why.code == SV_NOTFOUND ? 0 : sv_apps_damage(l->a, hive, &why, err);
	l->rc = 0;
	if (sv_hive_subkeys(l->h, key, fn, l, &why) == 0 || l->rc)
		return l->rc;
	return sv_apps_damage(l->a, hive, &why, err);
}

/* ---- programs ---- */

/* "20120314" -> "2012-03-14"; "" for anything else: some write dates as their user reads them.
 */
static void date_of(const char *text, char ret[11])
{
	ret[0] = 0;
	if (strlen(text) != 8 || strspn(text, "0123456789") != 8)
		return;
	snprintf(ret, 11, "%.4s-%.2s-%.2s", text, text + 4, text + 6);
}

static int add_program(void *user, const char *name, sv_hive_key key)
{
	struct listing *l = user;
	sv_autofree char *title = sv_hive_string(l->h, key, "DisplayName", NULL);
	sv_autofree char *version = text_of(l->h, key, "DisplayVersion");
	sv_autofree char *publisher = text_of(l->h, key, "Publisher");
	sv_autofree char *date = text_of(l->h, key, "InstallDate");
	char installed[11];

	(void)name;
	if (!title || !version || !publisher || !date)
		return 0;
	date_of(date, installed);
	return tell(l, &(struct sv_guest_app){.name = title,
			       .version = version,
			       .publisher = publisher,
			       .installed = installed,
			       .source = "uninstall",
			       .arch = l->arch});
}

static bool is_64_bit(const struct sv_guest_os *os)
{
	return os->arch[0] && strcmp(os->arch, "x86") != 0;
}

static int programs_of_machine(struct sv_apps *a, struct sv_hive *h, struct sv_err *err)
{
	struct listing l = {.a = a, .h = h, .user = "", .arch = a->os->arch};
	int rc = each(&l, CURRENT "\\Uninstall", "SOFTWARE", add_program, err);

	if (rc || !is_64_bit(a->os))
		return rc;
	l.arch = "x86";
	return each(&l, WOW CURRENT "\\Uninstall", "SOFTWARE", add_program, err);
}

static int programs_of_user(struct sv_apps *a, struct sv_hive *h, const char *user,
	const char *file, struct sv_err *err)
{
	struct listing l = {.a = a, .h = h, .user = user, .arch = ""};
	int rc = each(&l, "Software\\" CURRENT "\\Uninstall", file, add_program, err);

	l.arch = "x86";
	return rc ? rc
		  : each(&l, "Software\\" WOW CURRENT "\\Uninstall", file, add_program, err);
}

/* One mount of the registry: SOFTWARE, or a user's settings. */
static int programs_of_mount(struct sv_apps *a, struct sv_registry *r,
	const struct sv_registry_mount *m, size_t i, struct sv_err *err)
{
	bool software = sv_ends_with(m->path, "\\SOFTWARE");
	struct sv_err why = SV_ERR_INIT;
	struct sv_hive *h;
	int rc;

	if (!software && (!m->user[0] || sv_ends_with(m->path, "_Classes")))
		return 0;
	if (sv_registry_hive(r, i, &h, &why) < 0)
		return sv_apps_damage(a, m->file, &why, err);
	rc = software ? programs_of_machine(a, h, err)
		      : programs_of_user(a, h, m->user, m->file, err);
	sv_registry_release(r, i);
	return rc;
}

static int list_programs(struct sv_apps *a, struct sv_err *err)
{
	SV_CLEANUP(sv_registry_closep) struct sv_registry *r = NULL;
	const struct sv_registry_mount *m;
	size_t n;
	int rc = 0;

	if (sv_registry_open(a->g, a->system, a->job, &r, err) < 0 ||
		sv_registry_mounts(r, &m, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && !rc; i++)
		rc = programs_of_mount(a, r, &m[i], i, err);
	return rc;
}

/* ---- what only SOFTWARE tells ---- */

static int with_software(
	struct sv_apps *a, int (*fn)(struct listing *l, struct sv_err *err), struct sv_err *err)
{
	SV_CLEANUP(sv_registry_closep) struct sv_registry *r = NULL;
	sv_autoregkey struct sv_registry_key k = {0};
	sv_autostr struct sv_str seen = {0};
	struct listing l = {.a = a, .user = "", .seen = &seen};
	struct sv_err why = SV_ERR_INIT;

	if (sv_registry_open(a->g, a->system, a->job, &r, err) < 0)
		return -1;
	if (sv_registry_find(r, "HKEY_LOCAL_MACHINE\\SOFTWARE", &k, &why) < 0)
		return sv_apps_damage(a, "SOFTWARE", &why, err);
	l.h = k.hive;
	return fn(&l, err);
}

static const char *arch_name(const char *windows, size_t n)
{
	static const char *const names[][2] = {{"x64", "x86_64"}, {"amd64", "x86_64"},
		{"x86", "x86"}, {"wow64", "x86"}, {"arm64", "arm64"}, {"arm", "arm"},
		{"neutral", "neutral"}};

	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		if (strlen(names[i][0]) == n && !strncasecmp(windows, names[i][0], n))
			return names[i][1];
	}
	return "";
}

/* Was it told already? Else it is remembered. Names hold no '\\'. */
static bool is_new(struct sv_str *seen, const char *name)
{
	sv_autofree char *needle = sv_format("\\%s\\", name);

	if (!needle || (seen->data && seen->len < SEEN_MAX && strcasestr(seen->data, needle)))
		return false;
	if (seen->len < SEEN_MAX)
		sv_str_add(seen, needle);
	return true;
}

/* The parts of a name between separators; true when there are exactly n. */
static bool split(char *text, char separator, char **parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		parts[i] = text;
		text = text ? strchr(text, separator) : NULL;
		if (text)
			*text++ = 0;
		else if (i + 1 < n)
			return false;
	}
	return text == NULL;
}

static int add_package(void *user, const char *name, sv_hive_key key)
{
	struct listing *l = user;
	sv_autofree char *copy = strdup(name);
	char *parts[5];

	(void)key;
	if (!copy || !split(copy, '_', parts, 5) || !is_new(l->seen, name))
		return 0;
	return tell(l, &(struct sv_guest_app){.name = parts[0],
			       .version = parts[1],
			       .publisher = !strcmp(parts[4], "8wekyb3d8bbwe") ||
							    !strcmp(parts[4], "cw5n1h2txyewy")
						    ? MICROSOFT
						    : "",
			       .installed = "",
			       .source = "appx",
			       .arch = arch_name(parts[2], strlen(parts[2]))});
}

/* Below a user's identifier lie packages that are his alone. */
static int add_packages_of_user(void *user, const char *name, sv_hive_key key)
{
	struct listing *l = user;

	if (!sv_starts_with(name, "S-1-"))
		return 0;
	sv_hive_subkeys(l->h, key, add_package, l, NULL);
	return l->rc;
}

static int store(struct listing *l, struct sv_err *err)
{
	int rc = each(l, STORE "\\Applications", "SOFTWARE", add_package, err);

	if (!rc)
		rc = each(l, STORE "\\InboxApplications", "SOFTWARE", add_package, err);
	return rc ? rc : each(l, STORE, "SOFTWARE", add_packages_of_user, err);
}

static int list_appx(struct sv_apps *a, struct sv_err *err)
{
	return with_software(a, store, err);
}

/* ---- updates ---- */

static void time_of(struct sv_hive *h, sv_hive_key key, char *buf, size_t n)
{
	uint32_t high, low;
	struct sv_hive_time t;
	struct tm tm;
	time_t sec;

	buf[0] = 0;
	if (sv_hive_dword(h, key, "InstallTimeHigh", &high, NULL) < 0 ||
		sv_hive_dword(h, key, "InstallTimeLow", &low, NULL) < 0)
		return;
	t = sv_hive_time((uint64_t)high << 32 | low);
	sec = (time_t)t.sec;
	if (gmtime_r(&sec, &tm) && tm.tm_year <= 9999 - 1900 && tm.tm_year >= 70)
		strftime(buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* "Package_for_KB2533552~31bf3856ad364e35~x86~~6.1.1.1" is an update; other packages are parts
 * of Windows, or of updates ("Package_1_for_…", "…_RTM~…"). */
static int add_update(void *user, const char *name, sv_hive_key key)
{
	static const char prefix[] = "Package_for_";
	struct listing *l = user;
	sv_autofree char *copy = NULL;
	char *parts[5], installed[32];
	uint32_t state = 0;

	if (strncasecmp(name, prefix, strlen(prefix)) != 0 ||
		sv_hive_dword(l->h, key, "CurrentState", &state, NULL) < 0 ||
		state != INSTALLED)
		return 0;
	copy = strdup(name + strlen(prefix));
	if (!copy || !split(copy, '~', parts, 5) ||
		(sv_starts_with(parts[0], "KB") && strchr(parts[0], '_')))
		return 0;
	time_of(l->h, key, installed, sizeof installed);
	return tell(l,
		&(struct sv_guest_app){.name = parts[0],
			.version = parts[4],
			.publisher = !strcasecmp(parts[1], "31bf3856ad364e35") ? MICROSOFT : "",
			.installed = installed,
			.source = "update",
			.arch = arch_name(parts[2], strlen(parts[2]))});
}

static int updates(struct listing *l, struct sv_err *err)
{
	return each(l, PACKAGES, "SOFTWARE", add_update, err);
}

static int list_updates(struct sv_apps *a, struct sv_err *err)
{
	return with_software(a, updates, err);
}

const struct sv_app_source sv_apps_uninstall = {.family = "windows", .list = list_programs};
const struct sv_app_source sv_apps_appx = {.family = "windows", .list = list_appx};
const struct sv_app_source sv_apps_updates = {.family = "windows", .list = list_updates};
