/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "base/str.h"
#include "extend/undo.h"

#include <unistd.h>

#define OLD_SIZE 200100 /* not a multiple of anything */
#define NEW_SIZE 300000

struct fixture {
	char dir[64];
	char *disk, *fresh, *undo;
	uint8_t *before;
	struct sv_host *host, *stage;
	char id[SV_UNDO_ID];
};

/* A disk of random bytes, and a stage in which parts of it changed and a file was made. */
static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sv_dev *d;
	uint8_t bytes[70000];

	snprintf(f->dir, sizeof f->dir, "/tmp/sharevm-undo-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->disk = sv_format("%s/disk.vmdk", f->dir);
	f->fresh = sv_format("%s/disk-s002.vmdk", f->dir);
	f->undo = sv_format("%s%s", f->disk, SV_UNDO_SUFFIX);
	f->before = malloc(OLD_SIZE);
	f->host = sv_host_posix();
	f->stage = sv_stage_new(f->host, 16 << 20, NULL);
	srand(11);
	for (size_t i = 0; i < OLD_SIZE; i++)
		f->before[i] = (uint8_t)rand();
	memset(bytes, 0x5a, sizeof bytes);
	*state = f;
	if (sv_host_write_file(f->host, f->disk, f->before, OLD_SIZE, NULL) < 0 ||
		sv_host_open(f->stage, f->disk, SV_OPEN_WRITE, &d, NULL) < 0 ||
		sv_dev_resize(d, NEW_SIZE, NULL) < 0 ||
		sv_dev_write(d, bytes, 5, 3, NULL) < 0 ||
		sv_dev_write(d, bytes, sizeof bytes, 100000, NULL) < 0 ||
		sv_dev_write(d, bytes, 1000, OLD_SIZE - 500, NULL) < 0 ||
		sv_dev_write(d, bytes, 10, NEW_SIZE - 10, NULL) < 0 ||
		sv_host_write_file(f->stage, f->fresh, bytes, 100, NULL) < 0)
		return -1;
	sv_dev_close(d);
	return sv_undo_write(f->host, f->undo, f->stage, f->id, NULL);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sv_host_close(f->stage);
	unlink(f->disk);
	unlink(f->fresh);
	unlink(f->undo);
	rmdir(f->dir);
	free(f->disk);
	free(f->fresh);
	free(f->undo);
	free(f->before);
	free(f);
	return 0;
}

static struct sv_undo *load(struct fixture *f)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_undo *u;

	assert_ok(sv_undo_load(f->host, f->undo, &u, &err));
	assert_string_equal(sv_undo_id(u), f->id);
	return u;
}

static void check_is_as_before(struct fixture *f)
{
	size_t n;
	char *now = sv_host_read_file(f->host, f->disk, 1 << 20, &n, NULL);

	assert_non_null(now);
	assert_int_equal(n, OLD_SIZE);
	assert_memory_equal(now, f->before, OLD_SIZE);
	assert_false(sv_host_exists(f->host, f->fresh));
	free(now);
}

static void puts_everything_back(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_undo *u = load(f);

	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	assert_ok(sv_undo_check(f->host, u, true, NULL, &err));
	assert_ok(sv_undo_apply(f->host, u, true, NULL, &err));
	check_is_as_before(f);
	sv_undo_free(u);
}

static void may_be_applied_twice_and_before_the_change(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_undo *u = load(f);

	assert_ok(sv_undo_check(f->host, u, false, NULL, &err));
	assert_ok(sv_undo_apply(f->host, u, true, NULL, &err));
	assert_ok(sv_undo_apply(f->host, u, true, NULL, &err));
	check_is_as_before(f);
	sv_undo_free(u);
}

/* Any sector-wise mixture of old and new is a change that was cut off. */
static void puts_a_torn_change_back(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_undo *u = load(f);
	struct sv_dev *d;

	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	assert_ok(sv_host_open(f->host, f->disk, SV_OPEN_WRITE, &d, &err));
	for (size_t off = 0; off + 512 <= OLD_SIZE; off += 512) {
		if (rand() % 2)
			assert_ok(sv_dev_write(d, f->before + off, 512, off, &err));
	}
	sv_dev_close(d);
	assert_fails(sv_undo_check(f->host, u, true, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(sv_undo_check(f->host, u, false, NULL, &err));
	assert_ok(sv_undo_apply(f->host, u, true, NULL, &err));
	check_is_as_before(f);
	sv_undo_free(u);
}

/* The stage makes the disk shorter: what it loses is kept in ranges without new bytes. */
static void puts_back_what_a_shorter_file_lost(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;
	struct sv_undo *u;

	assert_ok(sv_host_open(f->stage, f->disk, SV_OPEN_WRITE, &d, &err));
	assert_ok(sv_dev_resize(d, OLD_SIZE - 70001, &err));
	sv_dev_close(d);
	assert_ok(sv_undo_write(f->host, f->undo, f->stage, f->id, &err));
	u = load(f);
	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	assert_ok(sv_undo_check(f->host, u, true, NULL, &err));
	assert_ok(sv_undo_apply(f->host, u, true, NULL, &err));
	check_is_as_before(f);
	sv_undo_free(u);
}

static void refuses_a_disk_that_was_used(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_undo *u = load(f);
	struct sv_dev *d;

	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	assert_ok(sv_host_open(f->host, f->disk, SV_OPEN_WRITE, &d, &err));
	assert_ok(sv_dev_write(d, "used", 4, 130000, &err));
	sv_dev_close(d);
	/* the sector that holds byte 130000 of a range that begins at a page of 4 KiB */
	assert_fails(sv_undo_check(f->host, u, true, NULL, &err), SV_UNSUPPORTED, 129536);
	assert_fails(sv_undo_check(f->host, u, false, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_true(err.hint[0] != 0);
	sv_undo_free(u);
}

static void refuses_a_disk_of_another_size(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_undo *u = load(f);
	struct sv_dev *d;

	assert_ok(sv_stage_apply(f->stage, NULL, &err));
	assert_ok(sv_host_open(f->host, f->disk, SV_OPEN_WRITE, &d, &err));
	assert_ok(sv_dev_resize(d, NEW_SIZE + 1, &err));
	sv_dev_close(d);
	assert_fails(sv_undo_check(f->host, u, true, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_undo_check(f->host, u, false, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
	sv_undo_free(u);
}

/* Every byte of the file matters: none may be changed without a refusal. */
static void refuses_a_damaged_undo_file(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_undo *u;
	struct sv_dev *d;
	uint8_t byte;

	assert_ok(sv_host_open(f->host, f->undo, SV_OPEN_WRITE, &d, &err));
	for (uint64_t off = 0; off < sv_dev_size(d); off += off < 200 ? 1 : 997) {
		assert_ok(sv_dev_read(d, &byte, 1, off, &err));
		byte ^= 0x10;
		assert_ok(sv_dev_write(d, &byte, 1, off, &err));
		assert_fails(sv_undo_load(f->host, f->undo, &u, &err), SV_CORRUPT, UINT64_MAX);
		byte ^= 0x10;
		assert_ok(sv_dev_write(d, &byte, 1, off, &err));
	}
	sv_dev_close(d);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(puts_everything_back),
		TEST(may_be_applied_twice_and_before_the_change),
		TEST(puts_a_torn_change_back),
		TEST(puts_back_what_a_shorter_file_lost),
		TEST(refuses_a_disk_that_was_used),
		TEST(refuses_a_disk_of_another_size),
		TEST(refuses_a_damaged_undo_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
