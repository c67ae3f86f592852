/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A source of software: a file that knows one kind of record. A new one is a `static const
 * struct sv_app_source` in a file of its own and a row in the table of apps.c.
 */
#ifndef SV_GUEST_APPS_SOURCE_H
#define SV_GUEST_APPS_SOURCE_H

#include "guest/apps.h"

/* What a source works with. */
struct sv_apps {
	struct sv_guest *g;
	size_t system;
	const struct sv_guest_os *os; /* of that number */
	struct sv_job *job;
	sv_guest_app_fn fn;
	void *user;
	struct sv_err first; /* damage that was met; SV_OK: none */
};

struct sv_app_source {
	const char *family; /* of the systems that have it: "windows", "linux" */
	/* 0; the callback's return; -1 with an error that ends everything */
	int (*list)(struct sv_apps *a, struct sv_err *err);
};
extern const struct sv_app_source sv_apps_uninstall, sv_apps_appx, sv_apps_updates;

/* Hands one on, with the system's number. */
int sv_apps_found(struct sv_apps *a, const struct sv_guest_app *app);
/* Writes damage of `place` down; -1 for an error that ends everything. */
int sv_apps_damage(
	struct sv_apps *a, const char *place, const struct sv_err *what, struct sv_err *err);

#endif
