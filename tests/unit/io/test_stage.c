/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "base/str.h"
#include "io/stage.h"

#include <unistd.h>

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

static void equals_the_real_host_after_random_work(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *staged, *real;
	uint8_t buf[5000], got[5000];

	/* the same work on a staged file and on a real one */
	assert_ok(sv_host_write_file(sv_host_posix(), f->new_path, "0123456789", 10, &err));
	assert_ok(sv_host_open(f->stage, f->old_path, SV_OPEN_WRITE, &staged, &err));
	assert_ok(sv_host_open(sv_host_posix(), f->new_path, SV_OPEN_WRITE, &real, &err));
	srand(3);
	for (int i = 0; i < 1000; i++) {
		uint64_t size = sv_dev_size(real), off = (uint64_t)rand() % (size + 1);
		size_t n = (size_t)rand() % sizeof buf;

		if (i % 7 == 0) {
			size = (uint64_t)rand() % 100000;
			assert_ok(sv_dev_resize(real, size, &err));
			assert_ok(sv_dev_resize(staged, size, &err));
			continue;
		}
		n = SV_MIN(n, (size_t)(size - off));
		memset(buf, i, sizeof buf);
		if (i % 2) {
			assert_ok(sv_dev_write(real, buf, n, off, &err));
			assert_ok(sv_dev_write(staged, buf, n, off, &err));
		}
		assert_ok(sv_dev_read(real, buf, n, off, &err));
		assert_ok(sv_dev_read(staged, got, n, off, &err));
		assert_memory_equal(buf, got, n);
	}
	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	sv_dev_close(staged);
	assert_ok(sv_host_open(sv_host_posix(), f->old_path, SV_OPEN_READ, &staged, &err));
	assert_int_equal(sv_dev_size(staged), sv_dev_size(real));
	for (uint64_t off = 0; off < sv_dev_size(real); off += sizeof buf) {
		size_t n = (size_t)SV_MIN(sizeof buf, sv_dev_size(real) - off);

		assert_ok(sv_dev_read(real, buf, n, off, &err));
		assert_ok(sv_dev_read(staged, got, n, off, &err));
		assert_memory_equal(buf, got, n);
	}
	sv_dev_close(staged);
	sv_dev_close(real);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
