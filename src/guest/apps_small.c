/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Package managers whose records are small text files: apk (Alpine: one file of records),
 * pacman (Arch: local/NAME-VERSION/desc, "%KEY%" lines each followed by its value), portage
 * (Gentoo: CATEGORY/NAME-VERSION/, a file for each fact). See apk-package(5), pacman's libalpm
 * database, and Gentoo's Package Manager Specification, chapters 3 and "VDB".
 */
#include "guest/apps_source.h"
#include "guest/stanza.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DESC_MAX (256u << 10) /* of one package's facts */
#define FACT_MAX 256u

/* ---- apk ---- */

enum { APK_NAME, APK_VERSION, APK_ARCH, APK_SIZE, APK_MAINTAINER };
static const char *const apk_keys[] = {"P", "V", "A", "I", "m", NULL};

static int list_apk_file(struct sv_apps *a, const char *path, struct sv_err *err)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	sv_autostanzas struct sv_stanzas s = {0};
	struct sv_err why = SV_ERR_INIT;
	int rc, stop = 0, found = sv_apps_open(a, path, SV_FS_FILE, &at, err);

	if (found <= 0)
		return found;
	if (sv_stanzas_open(&at, apk_keys, a->job, &s, err) < 0)
		return -1;
	while (!stop && (rc = sv_stanzas_next(&s, &why)) > 0) {
		if (s.values[APK_NAME][0])
			stop = sv_apps_found(
				a, &(struct sv_guest_app){.name = s.values[APK_NAME],
					   .version = s.values[APK_VERSION],
					   .publisher = s.values[APK_MAINTAINER],
					   .installed = "",
					   .source = "apk",
					   .arch = s.values[APK_ARCH],
					   .user = "",
					   .size = strtoull(s.values[APK_SIZE], NULL, 10)});
	}
	if (stop)
		return stop;
	return rc < 0 ? sv_apps_damage(a, path, &why, err) : 0;
}

static int list_apk(struct sv_apps *a, struct sv_err *err)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place old = {0};
	static const char path[] = "/lib/apk/db/installed",
			  merged[] = "/usr/lib/apk/db/installed";

	/* newer ones keep it below /usr, which /lib may be a link to */
	return list_apk_file(a,
		sv_unix_find(&a->at, path, SV_FS_FILE, &old, NULL) == 0 ? path : merged, err);
}

/* ---- pacman ---- */

enum { PAC_NAME, PAC_VERSION, PAC_ARCH, PAC_PACKAGER, PAC_SIZE, PAC_DATE, PAC_FACTS };
static const char *const pacman_keys[PAC_FACTS] = {
	"%NAME%", "%VERSION%", "%ARCH%", "%PACKAGER%", "%SIZE%", "%INSTALLDATE%"};

/* Cuts the text into lines; the line behind each key is its fact. */
static void parse_desc(char *text, const char *ret[PAC_FACTS])
{
	const char *key = "";

	for (size_t i = 0; i < PAC_FACTS; i++)
		ret[i] = "";
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		for (size_t i = 0; i < PAC_FACTS; i++)
			if (!strcmp(key, pacman_keys[i]) && !ret[i][0])
				ret[i] = line;
		key = line;
	}
}

static int add_pacman(struct sv_apps *a, const char *desc, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	const char *v[PAC_FACTS];
	char installed[32];
	size_t n;
	sv_autofree char *text = sv_unix_read(&a->at, desc, DESC_MAX, &n, &why);

	if (!text)
		return why.code == SV_NOTFOUND ? 0 : sv_apps_damage(a, desc, &why, err);
	parse_desc(text, v);
	if (!v[PAC_NAME][0])
		return 0;
	sv_apps_time(strtoll(v[PAC_DATE], NULL, 10), installed);
	return sv_apps_found(a, &(struct sv_guest_app){.name = v[PAC_NAME],
					.version = v[PAC_VERSION],
					.publisher = v[PAC_PACKAGER],
					.installed = installed,
					.source = "pacman",
					.arch = v[PAC_ARCH],
					.user = "",
					.size = strtoull(v[PAC_SIZE], NULL, 10)});
}

static int list_pacman(struct sv_apps *a, struct sv_err *err)
{
	static const char dir[] = "/var/lib/pacman/local";
	sv_autonames struct sv_unix_names packages = {0};
	int rc = sv_apps_names(a, dir, "", &packages, err);

	for (size_t i = 0; i < packages.n && !rc; i++) {
		sv_autofree char *desc = sv_format("%s/%s/desc", dir, packages.names[i].name);

		if (!desc)
			return sv_fail_nomem(err);
		if (packages.names[i].type == SV_FS_DIR)
			rc = add_pacman(a, desc, err);
	}
	return rc;
}

/* ---- portage ---- */

/* Where the version of "gcc-13.2.1-r1" begins; NULL where there is none. */
static char *version_in(char *name)
{
	char *end = strrchr(name, '-'), *before;

	if (end && end[1] == 'r' && end[2] &&
		strspn(end + 2, "0123456789") == strlen(end + 2)) {
		*end = 0;
		before = strrchr(name, '-');
		*end = '-';
		end = before ? before : end;
	}
	return end && isdigit((unsigned char)end[1]) ? end + 1 : NULL;
}

/* One line of a package's folder; "" where it is not there. NULL: out of memory. */
static char *fact(const struct sv_apps *a, const char *dir, const char *name)
{
	sv_autofree char *path = sv_format("%s/%s", dir, name);
	size_t n;
	sv_autofree char *text = path ? sv_unix_read(&a->at, path, FACT_MAX, &n, NULL) : NULL;

	return text ? sv_trimmed(text, strcspn(text, "\n")) : strdup("");
}

static int add_portage(struct sv_apps *a, const char *dir, const char *category, char *package)
{
	char *version = version_in(package);
	sv_autofree char *size = fact(a, dir, "SIZE"), *repository = fact(a, dir, "repository");
	sv_autofree char *chost = fact(a, dir, "CHOST"), *name = NULL;
	struct sv_fs_stat st;
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	char installed[32] = "";

	if (!version || !size || !repository || !chost)
		return 0;
	version[-1] = 0;
	name = sv_format("%s/%s", category, package);
	chost[strcspn(chost, "-")] = 0;
	if (sv_unix_find(&a->at, dir, SV_FS_DIR, &at, NULL) == 0 &&
		sv_fs_stat(at.fs, at.ino, &st, NULL) == 0)
		sv_apps_time(st.mtime.sec, installed);
	return sv_apps_found(a, &(struct sv_guest_app){.name = name ? name : package,
					.version = version,
					.publisher = repository,
					.installed = installed,
					.source = "portage",
					.arch = chost,
					.user = "",
					.size = strtoull(size, NULL, 10)});
}

static int list_category(struct sv_apps *a, const char *category, struct sv_err *err)
{
	sv_autofree char *dir = sv_format("/var/db/pkg/%s", category);
	sv_autonames struct sv_unix_names packages = {0};
	int rc = dir ? sv_apps_names(a, dir, "", &packages, err) : sv_fail_nomem(err);

	for (size_t i = 0; i < packages.n && !rc; i++) {
		sv_autofree char *path = sv_format("%s/%s", dir, packages.names[i].name);

		if (!path)
			return sv_fail_nomem(err);
		/* "-MERGING-x": one that was never finished */
		if (packages.names[i].type == SV_FS_DIR && packages.names[i].name[0] != '-')
			rc = add_portage(a, path, category, packages.names[i].name);
	}
	return rc;
}

static int list_portage(struct sv_apps *a, struct sv_err *err)
{
	sv_autonames struct sv_unix_names categories = {0};
	int rc = sv_apps_names(a, "/var/db/pkg", "", &categories, err);

	for (size_t i = 0; i < categories.n && !rc; i++)
		if (categories.names[i].type == SV_FS_DIR)
			rc = list_category(a, categories.names[i].name, err);
	return rc;
}

const struct sv_app_source sv_apps_apk = {.family = "linux", .list = list_apk};
const struct sv_app_source sv_apps_pacman = {.family = "linux", .list = list_pacman};
const struct sv_app_source sv_apps_portage = {.family = "linux", .list = list_portage};
