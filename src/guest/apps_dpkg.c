/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packages of dpkg, as dpkg-query(1) lists them: /var/lib/dpkg/status, before it what an
 * interrupted dpkg left in updates/, which counts instead of a package's older record; or a
 * file for each package in status.d (containers without dpkg). Packages that were removed but
 * for their configuration are not installed. The day of installation is that of the list of
 * files, which dpkg writes anew then. OpenWrt's opkg keeps records of the same form.
 */
#include "guest/apps_source.h"
#include "guest/stanza.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DPKG        "/var/lib/dpkg"
#define UPDATES_MAX (1u << 18) /* bytes of names; an interrupted dpkg leaves a few records */

enum { NAME, VERSION, ARCH, MAINTAINER, SIZE, STATUS, TIME };
static const char *const keys[] = {"Package", "Version", "Architecture", "Maintainer",
	"Installed-Size", "Status", "Installed-Time", NULL};

struct listing {
	struct sv_apps *a;
	const char *source;
	struct sv_unix_names lists; /* NAME.list, NAME:ARCH.list */
	struct sv_str updated;      /* "\nNAME:ARCH\n" of what updates/ told */
	bool in_updates, status_required;
	unsigned unit; /* of Installed-Size, in bytes */
};

/* "install ok installed": is it there, wholly or in part? */
static bool is_installed(const struct listing *l, const char *status)
{
	const char *state = strrchr(status, ' ');

	if (!state)
		return !l->status_required;
	return strcmp(state, " not-installed") != 0 && strcmp(state, " config-files") != 0;
}

static void time_of(const struct listing *l, const char *const *v, char ret[32])
{
	sv_autofree char *plain = sv_format("%s.list", v[NAME]);
	sv_autofree char *multi = sv_format("%s:%s.list", v[NAME], v[ARCH]);
	const struct sv_unix_name *found = NULL;
	struct sv_fs_stat st;

	if (plain && multi && !(found = sv_unix_name(&l->lists, multi)))
		found = sv_unix_name(&l->lists, plain);
	ret[0] = 0;
	if (found && sv_fs_stat(l->lists.fs, found->ino, &st, NULL) == 0)
		sv_apps_time(st.mtime.sec, ret);
	else if (v[TIME][0])
		sv_apps_time(strtoll(v[TIME], NULL, 10), ret);
}

/* Did a newer record tell of it? What is in updates/ is remembered. */
static bool is_stale(struct listing *l, const char *const *v)
{
	sv_autofree char *id = NULL;

	if (!l->in_updates && !l->updated.len)
		return false;
	id = sv_format("\n%s:%s\n", v[NAME], v[ARCH]);
	if (!id || (l->updated.data && strstr(l->updated.data, id)))
		return id != NULL;
	if (l->in_updates && l->updated.len < UPDATES_MAX)
		sv_str_add(&l->updated, id);
	return false;
}

static int tell(struct listing *l, const char *const *v)
{
	uint64_t size = strtoull(v[SIZE], NULL, 10);
	char installed[32];

	if (!v[NAME][0] || is_stale(l, v) || !is_installed(l, v[STATUS]))
		return 0;
	time_of(l, v, installed);
	return sv_apps_found(
		l->a, &(struct sv_guest_app){.name = v[NAME],
			      .version = v[VERSION],
			      .publisher = v[MAINTAINER],
			      .installed = installed,
			      .source = l->source,
			      .arch = v[ARCH],
			      .user = "",
			      .size = size <= UINT64_MAX / l->unit ? size * l->unit : 0});
}

/* The records of one file, where it is there. */
static int list_file(struct listing *l, const char *path, struct sv_err *err)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	sv_autostanzas struct sv_stanzas s = {0};
	struct sv_err why = SV_ERR_INIT;
	int rc, found = sv_apps_open(l->a, path, SV_FS_FILE, &at, err);

	if (found <= 0)
		return found;
	if (sv_stanzas_open(&at, keys, l->a->job, &s, err) < 0)
		return -1;
	while ((rc = sv_stanzas_next(&s, &why)) > 0) {
		int stop = tell(l, s.values);

		if (stop)
			return stop;
	}
	return rc < 0 ? sv_apps_damage(l->a, path, &why, err) : 0;
}

/* The files of a folder, the last one first: those of updates/ are numbered. */
static int list_folder(struct listing *l, const char *path, struct sv_err *err)
{
	sv_autonames struct sv_unix_names files = {0};
	int rc = sv_apps_names(l->a, path, "", &files, err);

	for (size_t i = files.n; i > 0 && !rc; i--) {
		const char *name = files.names[i - 1].name;
		sv_autofree char *file = sv_format("%s/%s", path, name);

		if (!file)
			return sv_fail_nomem(err);
		if (l->in_updates ? !name[strspn(name, "0123456789")]
				  : !sv_ends_with(name, ".md5sums"))
			rc = list_file(l, file, err);
	}
	return rc;
}

static int list_dpkg(struct sv_apps *a, struct sv_err *err)
{
	struct listing l = {.a = a, .source = "dpkg", .status_required = true, .unit = 1024};
	int rc = sv_apps_names(a, DPKG "/info", ".list", &l.lists, err);

	l.in_updates = true;
	rc = rc ? rc : list_folder(&l, DPKG "/updates", err);
	l.in_updates = false;
	rc = rc ? rc : list_file(&l, DPKG "/status", err);
	l.status_required = false;
	rc = rc ? rc : list_folder(&l, DPKG "/status.d", err);
	sv_unix_names_free(&l.lists);
	sv_str_free(&l.updated);
	return rc;
}

static int list_opkg(struct sv_apps *a, struct sv_err *err)
{
	struct listing l = {.a = a, .source = "opkg", .status_required = true, .unit = 1};
	int rc = list_file(&l, "/usr/lib/opkg/status", err);

	return rc ? rc : list_file(&l, "/var/lib/opkg/status", err);
}

const struct sv_app_source sv_apps_dpkg = {.family = "linux", .list = list_dpkg};
const struct sv_app_source sv_apps_opkg = {.family = "linux", .list = list_opkg};
