/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SQLite over devices: see sqlite_dev.h. A file system of SQLite's own kind
 * (sqlite.org/vfs.html) is registered for the time that a database is open. It knows three
 * names; each is an overlay in memory. There is no shared memory, so the locking mode must be
 * "exclusive", in which SQLite keeps the index of a write-ahead log to itself
 * (sqlite.org/wal.html, section 8).
 */
#include "guest/sqlite_dev.h"

#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define WRITES_MAX (8u << 20) /* bytes in memory; a crash of rpm leaves a tenth */
#define STEPS      10000      /* of SQLite's machine between two looks at the job */
#define ROUNDS_MAX 100000u    /* of so many steps: a real query needs some hundred */

enum part { DB, JOURNAL, WAL, PARTS };
static const char *const part_names[PARTS] = {"db", "db-journal", "db-wal"};

struct sv_sqlite {
	sqlite3_vfs vfs;
	sqlite3 *db;
	char name[40]; /* of the VFS */
	const char *path;
	struct sv_dev *under, *parts[PARTS];
	bool there[PARTS], registered;
	struct sv_job *job;
	unsigned rounds;
	struct sv_err problem; /* what a device raised */
};

/* A file as SQLite opens it. */
struct file {
	sqlite3_file base;
	struct sv_sqlite *s;
	struct sv_dev *dev; /* borrowed */
};

static struct file *of(sqlite3_file *f)
{
	return (struct file *)f;
}

/* ---- a file ---- */

static int file_close(sqlite3_file *f)
{
	(void)f;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 off)
{
	struct file *o = of(f);
	uint64_t size = sv_dev_size(o->dev), at = (uint64_t)off;
	size_t want = (size_t)n, run = at >= size ? 0 : (size_t)SV_MIN(want, size - at);

	if (run && sv_dev_read(o->dev, buf, run, at, &o->s->problem) < 0)
		return SQLITE_IOERR_READ;
	memset((uint8_t *)buf + run, 0, want - run);
	return run < want ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int file_write(sqlite3_file *f, const void *buf, int n, sqlite3_int64 off)
{
	struct file *o = of(f);
	uint64_t end = (uint64_t)off + (uint64_t)n;

	if (end > sv_dev_size(o->dev) && sv_dev_resize(o->dev, end, &o->s->problem) < 0)
		return SQLITE_IOERR_WRITE;
	return sv_dev_write(o->dev, buf, (size_t)n, (uint64_t)off, &o->s->problem) < 0
		       ? SQLITE_IOERR_WRITE
		       : SQLITE_OK;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct file *o = of(f);

	return sv_dev_resize(o->dev, (uint64_t)size, &o->s->problem) < 0 ? SQLITE_IOERR_TRUNCATE
									 : SQLITE_OK;
}

static int file_sync(sqlite3_file *f, int flags)
{
	(void)f, (void)flags;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)sv_dev_size(of(f)->dev);
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
	(void)f, (void)level;
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *f, int *ret)
{
	(void)f;
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	(void)f, (void)op, (void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *f)
{
	(void)f;
	return (int)SV_SECTOR;
}

static int file_traits(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

/* ---- names ---- */

static int part_of(const char *name)
{
	for (int i = 0; name && i < PARTS; i++)
		if (!strcmp(name, part_names[i]))
			return i;
	return PARTS;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret)
{
	struct sv_sqlite *s = vfs->pAppData;
	int part = part_of(name);

	f->pMethods = NULL;
	if (part == PARTS || (!s->there[part] && !(flags & SQLITE_OPEN_CREATE)))
		return SQLITE_CANTOPEN;
	s->there[part] = true;
	*of(f) = (struct file){{&file_methods}, s, s->parts[part]};
	if (ret)
		*ret = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct sv_sqlite *s = vfs->pAppData;
	int part = part_of(name);

	(void)sync;
	if (part == PARTS || !s->there[part])
		return SQLITE_IOERR_DELETE_NOENT;
	s->there[part] = false;
	return sv_dev_resize(s->parts[part], 0, &s->problem) < 0 ? SQLITE_IOERR_DELETE
								 : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	struct sv_sqlite *s = vfs->pAppData;
	int part = part_of(name);

	(void)flags;
	*ret = part < PARTS && s->there[part] && sv_dev_size(s->parts[part]) > 0;
	return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int n, char *ret)
{
	(void)vfs;
	snprintf(ret, (size_t)n, "%s", name);
	return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs;
	memset(ret, 0, (size_t)n); /* for names and salts of what nobody else reads */
	return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 0;
	return SQLITE_OK;
}

static int vfs_error(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs, (void)n, (void)ret;
	return 0;
}

/* ---- opening ---- */

/* Other than 0: the query ends with SQLITE_INTERRUPT. */
static int go_on(void *user)
{
	struct sv_sqlite *s = user;

	if (++s->rounds > ROUNDS_MAX)
		return sv_fail(&s->problem, SV_CORRUPT, s->path,
			"reading it takes more steps than any database of its kind needs");
	return sv_job_check(s->job, &s->problem);
}

static int raise_of(struct sv_sqlite *s, int rc, struct sv_err *err)
{
	if (s->problem.code != SV_OK) {
		sv_err_copy(err, &s->problem);
		return sv_err_path(err, s->path);
	}
	if (rc == SQLITE_NOMEM)
		return sv_fail_nomem(err);
	return sv_fail(err, SV_CORRUPT, s->path, "SQLite cannot read it: %s",
		s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
}

static int add_part(struct sv_sqlite *s, enum part part, struct sv_dev *dev, struct sv_err *err)
{
	s->there[part] = dev != NULL;
	s->parts[part] =
		dev ? sv_overlay_open(dev, sv_dev_size(dev), WRITES_MAX, sv_dev_name(dev), err)
		    : sv_sparse_open(0, WRITES_MAX, part_names[part], err);
	return s->parts[part] ? 0 : -1;
}

static int begin(struct sv_sqlite *s, int value_max)
{
	static const char settings[] = "PRAGMA locking_mode = exclusive; PRAGMA mmap_size = 0;"
				       "PRAGMA temp_store = memory; PRAGMA cache_size = -2000;"
				       "PRAGMA query_only = 1";
	int rc = sqlite3_open_v2(
		"db", &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, s->name);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, value_max);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_progress_handler(s->db, STEPS, go_on, s);
	return sqlite3_exec(s->db, settings, NULL, NULL, NULL);
}

static void set_vfs(struct sv_sqlite *s)
{
	s->vfs = (sqlite3_vfs){.iVersion = 1,
		.szOsFile = sizeof(struct file),
		.mxPathname = 64,
		.zName = s->name,
		.pAppData = s,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_name,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_error};
}

int sv_sqlite_open(struct sv_dev *db, struct sv_dev *wal, struct sv_dev *journal, int value_max,
	struct sv_job *job, struct sv_sqlite **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_sqlite_closep) struct sv_sqlite *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return sv_fail_nomem(err);
	s->job = job;
	s->under = sv_dev_ref(db);
	s->path = sv_dev_name(db);
	snprintf(s->name, sizeof s->name, "sharevm-%p", (void *)s); /* no other one has it */
	set_vfs(s);
	if (add_part(s, DB, db, err) < 0 || add_part(s, WAL, wal, err) < 0 ||
		add_part(s, JOURNAL, journal, err) < 0)
		return -1;
	if (sqlite3_initialize() != SQLITE_OK || sqlite3_vfs_register(&s->vfs, 0) != SQLITE_OK)
		return sv_fail_nomem(err);
	s->registered = true;
	rc = begin(s, value_max);
	if (rc != SQLITE_OK)
		return raise_of(s, rc, err);
	*ret = SV_STEAL(s);
	return 0;
}

void sv_sqlite_close(struct sv_sqlite *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	if (s->registered)
		sqlite3_vfs_unregister(&s->vfs);
	for (int i = 0; i < PARTS; i++)
		sv_dev_close(s->parts[i]);
	sv_dev_close(s->under);
	free(s);
}

int sv_sqlite_each(struct sv_sqlite *s, const char *sql,
	int (*fn)(void *user, sqlite3_stmt *row), void *user, struct sv_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int stop = 0, rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		while (!stop && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
			stop = fn(user, stmt);
	if (!stop && rc != SQLITE_DONE)
		stop = raise_of(s, rc, err);
	sqlite3_finalize(stmt);
	return stop;
}
