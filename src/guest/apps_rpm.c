/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packages of rpm, as `rpm -qa` lists them: the database lies in /usr/lib/sysimage/rpm or
 * /var/lib/rpm (one is often a link to the other), in one of three forms; of several the newest
 * form counts, as for rpm itself, which converts and leaves the old one behind.
 */
#include "guest/apps_source.h"
#include "guest/file_dev.h"
#include "guest/rpm/rpm.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

struct database {
	struct sv_apps *a;
	const char *dir;
	struct sv_rpm_sink sink;
};

/* Caller frees; NULL: out of memory. As %{EVR}. */
static char *version_of(const struct sv_rpm_package *p)
{
	if (p->has_epoch)
		return sv_format("%u:%s-%s", p->epoch, p->version, p->release);
	return sv_format("%s-%s", p->version, p->release);
}

static int tell(void *user, const struct sv_rpm_package *p)
{
	struct database *d = user;
	sv_autofree char *version = version_of(p);
	char installed[32];

	sv_apps_time((int64_t)SV_MIN(p->installed, (uint64_t)INT64_MAX), installed);
	return sv_apps_found(d->a, &(struct sv_guest_app){.name = p->name,
					   .version = version ? version : p->version,
					   .publisher = *p->vendor ? p->vendor : p->packager,
					   .installed = installed,
					   .source = "rpm",
					   .arch = p->arch,
					   .user = "",
					   .size = p->size});
}

/* A file of the database as a device; NULL where it is not there, or *ret_rc tells why. */
static struct sv_dev *open_file(
	struct database *d, const char *name, int *ret_rc, struct sv_err *err)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	sv_autofree char *path = sv_format("%s/%s", d->dir, name);
	struct sv_err why = SV_ERR_INIT;
	struct sv_dev *dev;

	*ret_rc = path ? sv_apps_open(d->a, path, SV_FS_FILE, &at, err) : sv_fail_nomem(err);
	if (*ret_rc <= 0)
		return NULL;
	dev = sv_guest_file_open(at.fs, at.path, d->a->job, &why);
	*ret_rc = dev ? 0 : sv_apps_damage(d->a, path, &why, err);
	return dev;
}

static int read_sqlite(struct database *d, struct sv_dev *db, struct sv_err *err)
{
	int rc;
	sv_autodev struct sv_dev *wal = open_file(d, "rpmdb.sqlite-wal", &rc, err);
	sv_autodev struct sv_dev *journal =
		rc < 0 ? NULL : open_file(d, "rpmdb.sqlite-journal", &rc, err);

	return rc < 0 ? -1 : sv_rpm_read_sqlite(db, wal, journal, &d->sink, err);
}

static int read_ndb(struct database *d, struct sv_dev *db, struct sv_err *err)
{
	return sv_rpm_read_ndb(db, &d->sink, err);
}

static int read_bdb(struct database *d, struct sv_dev *db, struct sv_err *err)
{
	return sv_rpm_read_bdb(db, &d->sink, err);
}

static const struct {
	const char *file;
	int (*read)(struct database *d, struct sv_dev *db, struct sv_err *err);
} forms[] = {{"rpmdb.sqlite", read_sqlite}, {"Packages.db", read_ndb}, {"Packages", read_bdb}};

/* What it told of damage, or why it could not be used. */
static int end(struct database *d, struct sv_dev *db, int rc, const struct sv_err *why,
	struct sv_err *err)
{
	if (rc < 0)
		rc = sv_apps_damage(d->a, sv_dev_name(db), why, err);
	if (!rc && d->sink.first.code != SV_OK)
		rc = sv_apps_damage(d->a, sv_dev_name(db), &d->sink.first, err);
	return rc;
}

/* *ret_any: was there a database? */
static int list_dir(struct sv_apps *a, const char *dir, bool *ret_any, struct sv_err *err)
{
	struct database d = {a, dir, {.package = tell, .job = a->job}};
	struct sv_err why = SV_ERR_INIT;
	int rc = 0;

	d.sink.user = &d;
	for (size_t i = 0; i < SV_ARRAY_LEN(forms) && !rc && !*ret_any; i++) {
		sv_autodev struct sv_dev *db = open_file(&d, forms[i].file, &rc, err);

		if (!db)
			continue;
		*ret_any = true;
		rc = end(&d, db, forms[i].read(&d, db, &why), &why, err);
	}
	return rc;
}

static int list_rpm(struct sv_apps *a, struct sv_err *err)
{
	bool any = false;
	int rc = list_dir(a, "/usr/lib/sysimage/rpm", &any, err);

	return rc || any ? rc : list_dir(a, "/var/lib/rpm", &any, err);
}

const struct sv_app_source sv_apps_rpm = {.family = "linux", .list = list_rpm};
