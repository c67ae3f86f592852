/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sources of software, and the systems that they are asked about: see apps.h. */
#include "guest/apps_source.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOMES_MAX 1000 /* of users that are looked into */

static const struct sv_app_source *const sources[] = {
	&sv_apps_uninstall,
	&sv_apps_appx,
	&sv_apps_updates,
	&sv_apps_dpkg,
	&sv_apps_rpm,
	&sv_apps_opkg,
	&sv_apps_apk,
	&sv_apps_pacman,
	&sv_apps_portage,
	&sv_apps_flatpak,
	&sv_apps_snap,
	&sv_apps_pip,
	&sv_apps_npm,
};

int sv_apps_found(struct sv_apps *a, const struct sv_guest_app *app)
{
	struct sv_guest_app own = *app;

	own.system = a->system;
	return a->fn(a->user, &own);
}

int sv_apps_damage(
	struct sv_apps *a, const char *place, const struct sv_err *what, struct sv_err *err)
{
	if (what->code != SV_CORRUPT && what->code != SV_IO && what->code != SV_UNSUPPORTED &&
		what->code != SV_NOTFOUND) {
		sv_err_copy(err, what);
		return -1;
	}
	sv_job_note(
		a->job, "%s: %s; software that is told there is missing", place, what->message);
	if (a->first.code == SV_OK)
		sv_err_copy(&a->first, what);
	return 0;
}

int sv_apps_open(struct sv_apps *a, const char *path, enum sv_fs_type type,
	struct sv_guest_place *ret, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	if (sv_unix_find(&a->at, path, type, ret, &why) == 0)
		return 1;
	return why.code == SV_NOTFOUND ? 0 : sv_apps_damage(a, path, &why, err);
}

int sv_apps_names(struct sv_apps *a, const char *path, const char *suffix,
	struct sv_unix_names *ret, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	if (sv_unix_names(&a->at, path, suffix, ret, &why) == 0 ||
		(why.code == SV_NOTFOUND && !ret->fs))
		return 0;
	return sv_apps_damage(a, path, &why, err);
}

int sv_apps_homes(struct sv_apps *a,
	int (*fn)(struct sv_apps *a, const char *user, const char *home, struct sv_err *err),
	struct sv_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < a->os->n_users && i < HOMES_MAX && !rc; i++) {
		const struct sv_guest_user *u = &a->os->users[i];
		unsigned long id = strtoul(u->id, NULL, 10);

		/* those in between are of services, whose homes lie anywhere */
		if ((id == 0 || id >= 1000) && u->home[0] == '/' && u->home[1])
			rc = fn(a, u->name, u->home, err);
	}
	return rc;
}

void sv_apps_time(int64_t sec, char ret[32])
{
	time_t t = (time_t)sec;
	struct tm tm;

	ret[0] = 0;
	if (sec > 0 && gmtime_r(&t, &tm) && tm.tm_year <= 9999 - 1900)
		strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* *ret_known: was there a source for this kind of system? */
static int list_system(struct sv_apps *a, bool *ret_known, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	int rc = 0;

	if (strcmp(a->os->family, "linux") == 0 &&
		sv_unix_of(a->g, a->system, a->job, &a->at, &why) < 0)
		return sv_apps_damage(a, a->os->product, &why, err);
	for (size_t i = 0; i < SV_ARRAY_LEN(sources) && !rc; i++) {
		if (strcmp(sources[i]->family, a->os->family) != 0)
			continue;
		*ret_known = true;
		rc = sv_job_check(a->job, err) < 0 ? -1 : sources[i]->list(a, err);
	}
	return rc;
}

int sv_guest_apps(struct sv_guest *g, sv_guest_app_fn fn, void *user, struct sv_job *job,
	struct sv_err *err)
{
	struct sv_apps a = {.g = g, .job = job, .fn = fn, .user = user};
	bool known = false;

	if (!sv_guest_system(g, 0))
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"no operating system was recognised, so its software is not known");
	for (; (a.os = sv_guest_system(g, a.system)); a.system++) {
		int rc = list_system(&a, &known, err);

		if (rc)
			return rc;
	}
	if (!known)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"where %s keeps the records of its software is not known here",
			g->os.product[0] ? g->os.product : g->os.family);
	if (a.first.code == SV_OK)
		return 0;
	sv_err_copy(err, &a.first);
	return -1;
}
