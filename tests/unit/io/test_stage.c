/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tempdir.h"

#include "base/num.h"
#include "base/str.h"
#include "host_fault.h"
#include "io/stage.h"

struct fixture {
	char dir[64];
	char *old_path, *new_path;
	struct sv_host *stage;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/sharevm-stage-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->old_path = sv_format("%s/old", f->dir);
	f->new_path = sv_format("%s/new", f->dir);
	f->stage = sv_stage_new(sv_host_posix(), 16 << 20, NULL);
	*state = f;
	return sv_host_write_file(sv_host_posix(), f->old_path, "0123456789", 10, NULL);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sv_host_close(f->stage);
	unlink(f->old_path);
	unlink(f->new_path);
	rmdir(f->dir);
	free(f->old_path);
	free(f->new_path);
	free(f);
	return 0;
}

static void check_file(struct sv_host *h, const char *path, const char *want)
{
	char *got = sv_host_read_file(h, path, 1 << 20, NULL, NULL);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void leaves_real_files_alone_until_applied(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;

	assert_ok(sv_host_open(f->stage, f->old_path, SV_OPEN_WRITE, &d, &err));
	assert_ok(sv_dev_write(d, "AB", 2, 3, &err));
	assert_ok(sv_dev_resize(d, 12, &err));
	assert_ok(sv_dev_write(d, "yz", 2, 10, &err));
	sv_dev_close(d);
	assert_ok(sv_host_write_file(f->stage, f->new_path, "fresh", 5, &err));
	check_file(f->stage, f->old_path, "012AB56789yz");
	check_file(f->stage, f->new_path, "fresh");
	check_file(sv_host_posix(), f->old_path, "0123456789");
	assert_false(sv_host_exists(sv_host_posix(), f->new_path));
	assert_int_equal(sv_stage_files(f->stage), 2);
	assert_false(sv_stage_file(f->stage, 0).created);
	assert_int_equal(sv_stage_file(f->stage, 0).old_size, 10);
	assert_int_equal(sv_stage_file(f->stage, 0).new_size, 12);
	assert_true(sv_stage_file(f->stage, 1).created);

	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	check_file(sv_host_posix(), f->old_path, "012AB56789yz");
	check_file(sv_host_posix(), f->new_path, "fresh");
}

static void publishes_over_a_real_file(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_publish_file(f->stage, f->old_path, "short", 5, true, &err));
	check_file(f->stage, f->old_path, "short");
	check_file(sv_host_posix(), f->old_path, "0123456789");
	assert_int_equal(sv_stage_files(f->stage), 1);
	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	check_file(sv_host_posix(), f->old_path, "short");
}

static void counts_files_that_were_only_read_as_unchanged(void **state)
{
	struct fixture *f = *state;

	check_file(f->stage, f->old_path, "0123456789");
	assert_int_equal(sv_stage_files(f->stage), 0);
}

static void reads_zeros_after_shrinking_and_growing(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;
	char buf[10];

	assert_ok(sv_host_open(f->stage, f->old_path, SV_OPEN_WRITE, &d, &err));
	assert_ok(sv_dev_resize(d, 4, &err));
	assert_ok(sv_dev_resize(d, 10, &err));
	assert_ok(sv_dev_read(d, buf, 10, 0, &err));
	assert_memory_equal(buf, "0123\0\0\0\0\0\0", 10);
	sv_dev_close(d);
}

static void refuses_to_change_real_names(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;

	assert_fails(sv_host_unlink(f->stage, f->old_path, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_host_rename(f->stage, f->old_path, f->new_path, false, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_host_make_dir(f->stage, f->new_path, &err), SV_UNSUPPORTED, UINT64_MAX);
}

/* Bytes that repeat at no page. */
static void put_pattern(const char *dir, const char *name, size_t n)
{
	uint8_t *bytes = malloc(n);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i % 251 + 1);
	put_bytes(dir, name, bytes, n);
	free(bytes);
}

static void assert_same(struct sv_dev *a, struct sv_dev *b)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t size = sv_dev_size(a);
	uint8_t *x = malloc(size + 1), *y = malloc(size + 1);

	assert_int_equal(size, sv_dev_size(b));
	assert_ok(sv_dev_read(a, x, size, 0, &err));
	assert_ok(sv_dev_read(b, y, size, 0, &err));
	assert_memory_equal(x, y, size);
	free(x);
	free(y);
}

/* One random change, the same to both. */
static void change_both(struct sv_dev *a, struct sv_dev *b)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t size = sv_dev_size(a), off = (uint64_t)rand() % (size + 1);
	uint8_t buf[5000];
	size_t n = SV_MIN((size_t)rand() % sizeof buf, (size_t)(size - off));

	memset(buf, rand(), sizeof buf);
	switch (rand() % 4) {
	case 0:
		size = (uint64_t)rand() % 100000;
		assert_ok(sv_dev_resize(a, size, &err));
		assert_ok(sv_dev_resize(b, size, &err));
		break;
	case 1:
		assert_ok(sv_dev_discard(a, off, n, &err));
		assert_ok(sv_dev_discard(b, off, n, &err));
		break;
	default:
		assert_ok(sv_dev_write(a, buf, n, off, &err));
		assert_ok(sv_dev_write(b, buf, n, off, &err));
	}
}

/* What the walk does not name must be as it was in the old file: an undo file is made of it. */
static void assert_walk_names_all_changes(struct sv_host *stage, const char *old_path)
{
	struct sv_err err = SV_ERR_INIT;
	size_t old_n = 0;
	char *old = sv_host_read_file(sv_host_posix(), old_path, 1 << 20, &old_n, &err);
	struct sv_dev *d = sv_stage_files(stage) ? sv_stage_file(stage, 0).dev : NULL;
	uint64_t pos = 0, start = 0, len = 0;

	while (d && pos < sv_dev_size(d)) {
		bool more = sv_stage_next(stage, 0, pos, &start, &len);
		uint64_t end = SV_MIN(more ? start : sv_dev_size(d), old_n);

		for (; pos < end; pos++) {
			char c;

			assert_ok(sv_dev_read(d, &c, 1, pos, &err));
			assert_int_equal(c, old[pos]);
		}
		pos = more ? start + len : sv_dev_size(d);
	}
	free(old);
}

static void equals_the_real_host_after_random_work(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *staged, *real;

	/* few changes leave large parts untouched, many leave none */
	for (unsigned seed = 0; seed < 80; seed++) {
		srand(seed);
		unlink(f->old_path);
		unlink(f->new_path);
		put_pattern(f->dir, "old", 60000);
		put_pattern(f->dir, "new", 60000);
		sv_host_close(f->stage);
		f->stage = sv_stage_new(sv_host_posix(), 16 << 20, &err);
		assert_ok(sv_host_open(f->stage, f->old_path, SV_OPEN_WRITE, &staged, &err));
		assert_ok(
			sv_host_open(sv_host_posix(), f->new_path, SV_OPEN_WRITE, &real, &err));
		for (unsigned i = 0; i < seed % 40; i++) {
			change_both(staged, real);
			assert_same(staged, real);
		}
		assert_walk_names_all_changes(f->stage, f->old_path);
		assert_ok(sv_stage_apply(f->stage, NULL, &err));
		sv_dev_close(staged);
		assert_ok(sv_host_open(sv_host_posix(), f->old_path, 0, &staged, &err));
		assert_same(staged, real);
		sv_dev_close(staged);
		sv_dev_close(real);
	}
}

static void applies_the_zeros_of_a_file_that_shrank_and_grew(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	uint64_t start, len;
	struct sv_dev *d;
	char buf[10];

	assert_ok(sv_host_open(f->stage, f->old_path, SV_OPEN_WRITE, &d, &err));
	assert_ok(sv_dev_resize(d, 4, &err));
	assert_ok(sv_dev_resize(d, 10, &err));
	sv_dev_close(d);
	assert_int_equal(sv_stage_files(f->stage), 1);
	assert_true(sv_stage_next(f->stage, 0, 0, &start, &len));
	assert_true(start <= 4 && start + len == 10);
	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	assert_ok(sv_host_open(sv_host_posix(), f->old_path, 0, &d, &err));
	assert_ok(sv_dev_read(d, buf, 10, 0, &err));
	assert_memory_equal(buf, "0123\0\0\0\0\0\0", 10);
	sv_dev_close(d);
}

static void keeps_a_file_that_is_renamed_to_itself(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_host_write_file(f->stage, f->new_path, "fresh", 5, &err));
	assert_ok(sv_host_rename(f->stage, f->new_path, f->new_path, true, &err));
	check_file(f->stage, f->new_path, "fresh");
}

/* ---- the order of apply, under every cut ---- */

#define PART 6000

/* Two files, each changed inside and grown, and a new one. */
static int stage_and_apply(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	sv_autofree char *one = in_dir(dir, "1");
	sv_autofree char *two = in_dir(dir, "2");
	sv_autofree char *three = in_dir(dir, "3");
	struct sv_host *stage = sv_stage_new(h, 1 << 20, err);
	char bytes[2 * PART];
	int rc = 0;

	(void)user;
	memset(bytes, 'n', sizeof bytes);
	for (int i = 0; rc == 0 && i < 2; i++) {
		sv_autodev struct sv_dev *d = NULL;

		rc = sv_host_open(stage, i ? two : one, SV_OPEN_WRITE, &d, err) < 0 ||
				     sv_dev_resize(d, 2 * PART, err) < 0
			     ? -1
			     : sv_dev_write(d, bytes, 2 * PART, 0, err);
	}
	if (rc == 0)
		rc = sv_host_write_file(stage, three, bytes, PART, err);
	if (rc == 0)
		rc = sv_stage_apply(stage, NULL, err);
	sv_host_close(stage);
	return rc;
}

static void put_two(const char *dir, void *user)
{
	char bytes[PART];

	(void)user;
	memset(bytes, 'o', sizeof bytes);
	put_bytes(dir, "1", bytes, PART);
	put_bytes(dir, "2", bytes, PART);
}

/* Is [from, to) of the file all `c`? A file that is shorter is not. */
static bool is_all(const char *dir, const char *name, size_t from, size_t to, char c)
{
	sv_autofree char *path = in_dir(dir, name);
	size_t n = 0;
	sv_autofree char *text = sv_host_read_file(sv_host_posix(), path, 1 << 20, &n, NULL);

	for (size_t i = from; text && i < to && i < n; i++) {
		if (text[i] != c)
			return false;
	}
	return text && to <= n;
}

static const char *check_order(const char *dir, void *user, bool done)
{
	bool inside_old = is_all(dir, "1", 0, PART, 'o') && is_all(dir, "2", 0, PART, 'o');
	bool inside_new = is_all(dir, "1", 0, PART, 'n') && is_all(dir, "2", 0, PART, 'n');
	bool rest_new = is_all(dir, "1", PART, 2 * PART, 'n') &&
			is_all(dir, "2", PART, 2 * PART, 'n') && is_all(dir, "3", 0, PART, 'n');

	(void)user;
	if (!inside_old && !rest_new)
		return "old bytes changed before the new ones were safe";
	return done && !inside_new ? "not all was applied" : NULL;
}

static void changes_old_bytes_only_when_all_else_is_durable(void **state)
{
	const struct host_fault_sweep s = {
		put_two, stage_and_apply, check_order, NULL, .seeds = 6, .failures = true};

	(void)state;
	assert_true(host_fault_sweep(&s) > 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(leaves_real_files_alone_until_applied),
		TEST(publishes_over_a_real_file),
		TEST(counts_files_that_were_only_read_as_unchanged),
		TEST(reads_zeros_after_shrinking_and_growing),
		TEST(refuses_to_change_real_names),
		TEST(equals_the_real_host_after_random_work),
		TEST(applies_the_zeros_of_a_file_that_shrank_and_grew),
		TEST(keeps_a_file_that_is_renamed_to_itself),
		cmocka_unit_test(changes_old_bytes_only_when_all_else_is_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
