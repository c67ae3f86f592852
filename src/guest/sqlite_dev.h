/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Databases of SQLite in files of a guest. SQLite reads them through devices and may write:
 * what it writes (a write-ahead log or a journal that a crash left is brought in) stays in
 * memory. The database is hostile: views, triggers and functions in its schema are off, the
 * steps of a query and the length of a value are limited. An open one belongs to one thread.
 */
#ifndef SV_GUEST_SQLITE_DEV_H
#define SV_GUEST_SQLITE_DEV_H

#include "base/job.h"
#include "io/dev.h"

#include <sqlite3.h>

struct sv_sqlite;

/* `wal` and `journal` lay beside it; NULL for none. The devices are ref'ed. Values are at most
 * `value_max` bytes. */
int sv_sqlite_open(struct sv_dev *db, struct sv_dev *wal, struct sv_dev *journal, int value_max,
	struct sv_job *job, struct sv_sqlite **ret, struct sv_err *err);
void sv_sqlite_close(struct sv_sqlite *s);
SV_DEFINE_CLEANUP(struct sv_sqlite, sv_sqlite_close)

/* Calls fn for each row; another return than 0 ends it, and is returned. */
int sv_sqlite_each(struct sv_sqlite *s, const char *sql,
	int (*fn)(void *user, sqlite3_stmt *row), void *user, struct sv_err *err);

#endif
