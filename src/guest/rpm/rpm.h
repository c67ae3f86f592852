/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The database of rpm in its three forms: Berkeley DB ("Packages", until 2020), ndb
 * ("Packages.db", SUSE) and SQLite ("rpmdb.sqlite"). Each holds a header for every package, the
 * signed one of the package with what installing it added. Nothing of it is trusted.
 */
#ifndef SV_GUEST_RPM_RPM_H
#define SV_GUEST_RPM_RPM_H

#include "base/job.h"
#include "io/dev.h"

/* Texts are "" where something is not known; they point into the header. */
struct sv_rpm_package {
	const char *name, *version, *release, *arch, *vendor, *packager;
	bool has_epoch;
	uint32_t epoch;
	uint64_t size;      /* bytes of its files */
	uint64_t installed; /* seconds since 1970, 0 for unknown */
};

/* A header as it lies in a database: without the magic number that it has in a file. */
int sv_rpm_parse_header(
	const void *bytes, size_t n, struct sv_rpm_package *ret, struct sv_err *err);

/* Larger ones are told and passed over. The largest real ones, of packages with 100,000 files,
 * have a third of it. */
#define SV_RPM_HEADER_MAX (24u << 20)

/* Who is told of packages. Damage of one does not stop the others. */
struct sv_rpm_sink {
	/* other than 0: stops, and is returned */
	int (*package)(void *user, const struct sv_rpm_package *p);
	void *user;
	struct sv_job *job;
	struct sv_err first; /* damage that was met; SV_OK: none */
};

/* 0; the callback's return; -1 where the database cannot be used at all. */
int sv_rpm_read_bdb(struct sv_dev *db, struct sv_rpm_sink *sink, struct sv_err *err);
int sv_rpm_read_ndb(struct sv_dev *db, struct sv_rpm_sink *sink, struct sv_err *err);
/* `wal` and `journal` (NULL: there is none) are what SQLite left beside it. */
int sv_rpm_read_sqlite(struct sv_dev *db, struct sv_dev *wal, struct sv_dev *journal,
	struct sv_rpm_sink *sink, struct sv_err *err);

/* For these three: parses a header found at `off` of the database `name` and hands it on. */
int sv_rpm_take(
	struct sv_rpm_sink *sink, const void *header, size_t n, const char *name, uint64_t off);
/* Writes damage down. */
void sv_rpm_damage(struct sv_rpm_sink *sink, const struct sv_err *what);

#endif
