/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What software is installed on a guest, by every system on it. */
#ifndef SV_GUEST_APPS_H
#define SV_GUEST_APPS_H

#include "guest/guest.h"

/* Texts are "" where something is not known; valid during the call only. */
struct sv_guest_app {
	const char *name;
	const char *version;
	const char *publisher;
	const char *installed; /* "2012-03-14", or RFC 3339 with a time where that is kept */
	const char *source; /* who keeps the record: "uninstall", "appx", "dpkg", "rpm", ... */
	/* Windows: "x86", "x86_64", "arm64", "neutral"; else as the record has it: "amd64" */
	const char *arch;
	const char *user; /* whose software it is; "" for everybody's */
	uint64_t size;    /* bytes on disk, as the record has it; 0 where it does not tell */
	size_t system;    /* of which system: sv_guest_system() */
};

/* A return other than 0 stops the listing and is returned by it. */
typedef int (*sv_guest_app_fn)(void *user, const struct sv_guest_app *app);

/*
 * Calls fn for each, source by source, as they are read: memory does not grow with their
 * number. What cannot be read does not stop it: it becomes a note of the job, and the first
 * error is raised at the end. SV_UNSUPPORTED where no system is recognised, or none whose
 * records of software are known.
 */
int sv_guest_apps(struct sv_guest *g, sv_guest_app_fn fn, void *user, struct sv_job *job,
	struct sv_err *err);

#endif
