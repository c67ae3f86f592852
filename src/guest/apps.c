/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sources of software, and the systems that they are asked about: see apps.h. */
#include "guest/apps_source.h"

#include "base/num.h"

#include <string.h>

static const struct sv_app_source *const sources[] = {
	&sv_apps_uninstall,
	&sv_apps_appx,
	&sv_apps_updates,
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

/* *ret_known: was there a source for this kind of system? */
static int list_system(struct sv_apps *a, bool *ret_known, struct sv_err *err)
{
	int rc = 0;

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
