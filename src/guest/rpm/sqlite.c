/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * "rpmdb.sqlite" of rpm since 4.16: the table Packages (hnum, blob) has the header of each
 * package. SQLite itself reads it: see guest/sqlite_dev.h.
 */
#include "guest/rpm/rpm.h"
#include "guest/sqlite_dev.h"

struct reading {
	struct sv_rpm_sink *sink;
	const char *name;
};

static int take_row(void *user, sqlite3_stmt *row)
{
	struct reading *r = user;
	const void *header = sqlite3_column_blob(row, 0);
	int n = sqlite3_column_bytes(row, 0);

	return sv_rpm_take(r->sink, header ? header : "", header ? (size_t)n : 0, r->name, 0);
}

int sv_rpm_read_sqlite(struct sv_dev *db, struct sv_dev *wal, struct sv_dev *journal,
	struct sv_rpm_sink *sink, struct sv_err *err)
{
	SV_CLEANUP(sv_sqlite_closep) struct sv_sqlite *s = NULL;
	struct reading r = {sink, sv_dev_name(db)};

	if (sv_sqlite_open(db, wal, journal, SV_RPM_HEADER_MAX, sink->job, &s, err) < 0)
		return -1;
	return sv_sqlite_each(s, "SELECT blob FROM Packages", take_row, &r, err);
}
