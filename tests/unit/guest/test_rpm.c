/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * rpm's databases, good and bad: the seeds of their fuzzers, with what each must give. Hostile
 * databases of SQLite are made here by SQLite itself.
 */
#include "unit.h"

#include "base/num.h"
#include "base/str.h"
#include "guest/rpm/rpm.h"
#include "guest/sqlite_dev.h"
#include "io/host.h"

#include <sqlite3.h>

/* ---- seeds ---- */

static void *seed(const char *name, size_t *ret_n)
{
	sv_autofree char *path =
		sv_format("%s/tests/fuzz/guest/corpus/%s", getenv("SHAREVM_SOURCE_ROOT"), name);
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(1 << 16);

	if (!f || !bytes)
		fail_msg("%s cannot be read", path);
	*ret_n = fread(bytes, 1, 1 << 16, f);
	fclose(f);
	return bytes;
}

static const struct {
	const char *name;
	uint64_t offset; /* UINT64_MAX: none is told */
	const char *word;
} bad_headers[] = {
	{"short", 0, "at least 8"},
	{"too_many", 0, "claims"},
	{"no_name", 0, "no name"},
	{"text_outside", 40, "does not end"},
	{"text_as_number", UINT64_MAX, "type 6"},
	{"number_as_text", UINT64_MAX, "type 4"},
	{"number_outside", 40, "is not in"},
};

static void refuses_headers_that_cannot_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad_headers); i++) {
		sv_autofree char *name = sv_format("rpm_header/%s", bad_headers[i].name);
		struct sv_err err = SV_ERR_INIT;
		struct sv_rpm_package p;
		size_t n;
		sv_autofree void *bytes = seed(name, &n);

		assert_fails(sv_rpm_parse_header(bytes, n, &p, &err), SV_CORRUPT,
			bad_headers[i].offset);
		assert_non_null(strstr(err.message, bad_headers[i].word));
	}
}

static void takes_the_last_of_two_and_wide_numbers(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_rpm_package p;
	size_t n;
	sv_autofree void *plain = seed("rpm_header/plain", &n);
	sv_autofree void *large = NULL;

	(void)state;
	assert_ok(sv_rpm_parse_header(plain, n, &p, &err));
	assert_string_equal(p.name, "bash");
	assert_true(p.has_epoch);
	assert_int_equal(p.epoch, 0);
	assert_int_equal(p.size, 12345);
	large = seed("rpm_header/large", &n);
	assert_ok(sv_rpm_parse_header(large, n, &p, &err));
	assert_string_equal(p.name, "again");
	assert_int_equal(p.size, 1ull << 33);
	assert_false(p.has_epoch);
}

/* ---- databases ---- */

static int add_name(void *user, const struct sv_rpm_package *p)
{
	sv_str_addf(user, "%s ", p->name);
	return 0;
}

typedef int (*read_fn)(struct sv_dev *db, struct sv_rpm_sink *sink, struct sv_err *err);
static const struct {
	const char *name;
	read_fn read;
	const char *names; /* NULL: it cannot be used at all */
	enum sv_code code; /* of what is wrong with it, or with a package */
	uint64_t offset;
} databases[] = {
	{"rpm_ndb/two", sv_rpm_read_ndb, "bash again ", SV_OK, 0},
	{"rpm_ndb/checksum", sv_rpm_read_ndb, "again ", SV_CORRUPT, 4096},
	{"rpm_ndb/bad", sv_rpm_read_ndb, "bash ", SV_CORRUPT, UINT64_MAX},
	{"rpm_ndb/other", sv_rpm_read_ndb, NULL, SV_CORRUPT, 0},
	{"rpm_bdb/little", sv_rpm_read_bdb, "bash again ", SV_OK, 0},
	{"rpm_bdb/big", sv_rpm_read_bdb, "bash again ", SV_OK, 0},
	{"rpm_bdb/circle", sv_rpm_read_bdb, "", SV_CORRUPT, UINT64_MAX},
	{"rpm_bdb/odd", sv_rpm_read_bdb, "", SV_CORRUPT, 512},
	{"rpm_bdb/encrypted", sv_rpm_read_bdb, NULL, SV_UNSUPPORTED, 16},
};

static void reads_databases_as_far_as_they_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(databases); i++) {
		sv_autostr struct sv_str names = {0};
		struct sv_rpm_sink sink = {.package = add_name, .user = &names};
		struct sv_err err = SV_ERR_INIT;
		const struct sv_err *met = databases[i].names ? &sink.first : &err;
		size_t n;
		sv_autofree void *bytes = seed(databases[i].name, &n);
		sv_autodev struct sv_dev *dev = sv_mem_open(bytes, n, false, "db", &err);
		int rc = databases[i].read(dev, &sink, &err);

		assert_int_equal(rc, databases[i].names ? 0 : -1);
		if (databases[i].names)
			assert_string_equal(names.data ? names.data : "", databases[i].names);
		assert_int_equal(met->code, databases[i].code);
		if (met->code == SV_OK)
			continue;
		assert_string_equal(met->path, "db");
		if (databases[i].offset != UINT64_MAX)
			assert_int_equal(met->offset, databases[i].offset);
	}
}

static int stop_at_once(void *user, const struct sv_rpm_package *p)
{
	(void)user, (void)p;
	return 7;
}

static void stops_where_it_is_told_to(void **state)
{
	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(databases); i++) {
		struct sv_rpm_sink sink = {.package = stop_at_once};
		struct sv_err err = SV_ERR_INIT;
		size_t n;
		sv_autofree void *bytes = seed(databases[i].name, &n);
		sv_autodev struct sv_dev *dev = sv_mem_open(bytes, n, false, "db", &err);

		if (databases[i].code == SV_OK)
			assert_int_equal(databases[i].read(dev, &sink, &err), 7);
	}
}

/* ---- SQLite ---- */

/* A database made by these statements, as a device. */
static struct sv_dev *made_by(const char *sql)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev;
	sqlite3 *db;
	sqlite3_int64 n;
	unsigned char *bytes;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	bytes = sqlite3_serialize(db, "main", &n, 0);
	assert_non_null(bytes);
	dev = sv_mem_open(bytes, (size_t)n, true, "rpmdb.sqlite", &err);
	assert_non_null(dev);
	sqlite3_free(bytes);
	sqlite3_close(db);
	return dev;
}

static const struct {
	const char *sql;
	enum sv_code code;
} hostile[] = {
	/* never ends where views are allowed */
	{"CREATE VIEW Packages AS WITH RECURSIVE t(blob) AS (SELECT x'00' UNION ALL SELECT blob "
	 "FROM t) SELECT blob FROM t",
		SV_CORRUPT},
	{"CREATE TABLE Other (x)", SV_CORRUPT},
};

static void refuses_databases_that_would_keep_it_busy(void **state)
{
	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(hostile); i++) {
		struct sv_rpm_sink sink = {.package = stop_at_once};
		struct sv_err err = SV_ERR_INIT;
		sv_autodev struct sv_dev *dev = made_by(hostile[i].sql);

		assert_fails(sv_rpm_read_sqlite(dev, NULL, NULL, &sink, &err), hostile[i].code,
			UINT64_MAX);
		assert_string_equal(err.path, "rpmdb.sqlite");
	}
}

static int count_row(void *user, sqlite3_stmt *row)
{
	(void)row;
	++*(unsigned *)user;
	return 0;
}

static void limits_the_steps_of_a_query(void **state)
{
	SV_CLEANUP(sv_sqlite_closep) struct sv_sqlite *s = NULL;
	sv_autodev struct sv_dev *dev = made_by("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
	struct sv_job job = {.cancel = false};
	struct sv_err err = SV_ERR_INIT;
	unsigned n = 0;

	(void)state;
	assert_ok(sv_sqlite_open(dev, NULL, NULL, 1 << 20, &job, &s, &err));
	assert_ok(sv_sqlite_each(s, "SELECT x FROM t", count_row, &n, &err));
	assert_int_equal(n, 1);
	atomic_store(&job.cancel, true);
	assert_fails(sv_sqlite_each(s,
			     "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) "
			     "SELECT max(x) FROM c",
			     count_row, &n, &err),
		SV_CANCELLED, UINT64_MAX);
}

static void reads_a_header_that_is_none_and_goes_on(void **state)
{
	sv_autodev struct sv_dev *dev = made_by(
		"CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB);"
		"INSERT INTO Packages VALUES (1, x'0000000100000002000003e80000000600000000"
		"000000016100'), (2, NULL), (3, x'00')");
	sv_autostr struct sv_str names = {0};
	struct sv_rpm_sink sink = {.package = add_name, .user = &names};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_rpm_read_sqlite(dev, NULL, NULL, &sink, &err));
	assert_string_equal(names.data, "a ");
	assert_int_equal(sink.first.code, SV_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_headers_that_cannot_be),
		cmocka_unit_test(takes_the_last_of_two_and_wide_numbers),
		cmocka_unit_test(reads_databases_as_far_as_they_go),
		cmocka_unit_test(stops_where_it_is_told_to),
		cmocka_unit_test(refuses_databases_that_would_keep_it_busy),
		cmocka_unit_test(limits_the_steps_of_a_query),
		cmocka_unit_test(reads_a_header_that_is_none_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
