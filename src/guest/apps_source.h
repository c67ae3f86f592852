/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A source of software: a file that knows one kind of record. A new one is a `static const
 * struct sv_app_source` in a file of its own and a row in the table of apps.c.
 */
#ifndef SV_GUEST_APPS_SOURCE_H
#define SV_GUEST_APPS_SOURCE_H

#include "guest/apps.h"
#include "guest/unix_files.h"

/* What a source works with. */
struct sv_apps {
	struct sv_guest *g;
	size_t system;
	const struct sv_guest_os *os; /* of that number */
	struct sv_unix at;            /* its root, where it is no Windows */
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
extern const struct sv_app_source sv_apps_dpkg, sv_apps_rpm, sv_apps_opkg, sv_apps_apk,
	sv_apps_pacman, sv_apps_portage, sv_apps_flatpak, sv_apps_snap, sv_apps_pip,
	sv_apps_npm;

/* Hands one on, with the system's number. */
int sv_apps_found(struct sv_apps *a, const struct sv_guest_app *app);
/* Writes damage of `place` down; -1 for an error that ends everything. */
int sv_apps_damage(
	struct sv_apps *a, const char *place, const struct sv_err *what, struct sv_err *err);

/* ---- for those of Unix ---- */

/* 1 and the file or folder; 0 where there is none, or only damage; -1 as sv_apps_damage(). */
int sv_apps_open(struct sv_apps *a, const char *path, enum sv_fs_type type,
	struct sv_guest_place *ret, struct sv_err *err);
/* The names in a folder, as far as they can be read; none where it is not there. */
int sv_apps_names(struct sv_apps *a, const char *path, const char *suffix,
	struct sv_unix_names *ret, struct sv_err *err);
/* Calls fn for the home of each user; a return other than 0 ends it. */
int sv_apps_homes(struct sv_apps *a,
	int (*fn)(struct sv_apps *a, const char *user, const char *home, struct sv_err *err),
	struct sv_err *err);
/* RFC 3339; "" for 0 and what is no time of this or the last centuries. */
void sv_apps_time(int64_t sec, char ret[32]);

#endif
