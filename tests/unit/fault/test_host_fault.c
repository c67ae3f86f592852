/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The failing host itself: does it lose exactly what was not made durable? */
#include "tempdir.h"

#include <errno.h>

#include "host_fault.h"

struct fixture {
	char *top, *dir, *a, *b;
	struct sv_host *h;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sv_err err = SV_ERR_INIT;

	f->top = make_temp_dir();
	f->dir = in_dir(f->top, "w");
	put_dir(f->top, "w");
	f->a = in_dir(f->dir, "a");
	f->b = in_dir(f->dir, "b");
	f->h = host_fault_new(f->dir, &err);
	assert_non_null(f->h);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char *stash = in_dir(f->top, "w.stash");

	sv_host_close(f->h);
	assert_int_equal(access(stash, F_OK), -1);
	free(stash);
	free(f->a);
	free(f->b);
	free(f->dir);
	remove_tree(f->top);
	free(f);
	return 0;
}

static void assert_content(const char *path, const void *want, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	size_t got_n = 0;
	char *got = sv_host_read_file(sv_host_posix(), path, 1 << 20, &got_n, &err);

	if (!got)
		fail_msg("%s: %s", err.path, err.message);
	assert_int_equal(got_n, n);
	assert_memory_equal(got, want, n);
	free(got);
}

static void assert_text(const char *path, const char *want)
{
	assert_content(path, want, strlen(want));
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void settle(struct fixture *f, enum host_fault_mode mode)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(host_fault_settle(f->h, mode, 1, &err));
}

static struct sv_dev *open_rw(struct fixture *f, const char *path, unsigned more)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = NULL;

	assert_ok(sv_host_open(f->h, path, SV_OPEN_WRITE | more, &d, &err));
	return d;
}

static void put_durable(struct fixture *f, const char *path, const char *text)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_host_write_file(f->h, path, text, strlen(text), &err));
	assert_ok(sv_host_sync_dir(f->h, f->dir, &err));
}

static void counts_and_names_each_step(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	char *sub = in_dir(f->dir, "sub");
	struct sv_host_stat st;

	put_durable(f, f->a, "text");
	assert_ok(sv_host_stat(f->h, f->a, &st, &err));
	assert_ok(sv_host_rename(f->h, f->a, f->b, false, &err));
	assert_ok(sv_host_unlink(f->h, f->b, &err));
	assert_ok(sv_host_make_dir(f->h, sub, &err));
	assert_ok(sv_host_remove_dir(f->h, sub, &err));
	assert_int_equal(host_fault_steps(f->h), 9);
	assert_string_equal(host_fault_step(f->h, 0), "create a");
	assert_string_equal(host_fault_step(f->h, 1), "resize a 4");
	assert_string_equal(host_fault_step(f->h, 2), "write a 0+4");
	assert_string_equal(host_fault_step(f->h, 3), "flush a");
	assert_string_equal(host_fault_step(f->h, 4), "sync_dir w");
	assert_string_equal(host_fault_step(f->h, 5), "rename a to b");
	assert_string_equal(host_fault_step(f->h, 6), "unlink b");
	assert_string_equal(host_fault_step(f->h, 7), "make_dir sub");
	assert_string_equal(host_fault_step(f->h, 8), "remove_dir sub");
	assert_string_equal(host_fault_step(f->h, 9), "");
	assert_false(host_fault_was_hit(f->h));
	free(sub);
}

static void fails_one_step_and_goes_on(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;

	host_fault_fail_at(f->h, 0, ENOSPC);
	assert_fails(sv_host_write_file(f->h, f->a, "x", 1, &err), SV_NOSPACE, UINT64_MAX);
	assert_int_equal(err.sys, ENOSPC);
	assert_true(host_fault_was_hit(f->h));
	assert_false(is_there(f->a));
	assert_ok(sv_host_write_file(f->h, f->a, "x", 1, &err));
	assert_text(f->a, "x");
}

/* As disks do: whole sectors. */
static void writes_a_half_where_a_write_fails(void **state)
{
	char old[1601] = "", new[1601] = "", mixed[1601] = "";
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;

	memset(old, 'o', 1600);
	memset(new, 'N', 1600);
	memset(mixed, 'o', 1600);
	memset(mixed + 100, 'N', 512 - 100);
	put_text(f->dir, "a", old);
	d = open_rw(f, f->a, 0);
	host_fault_fail_at(f->h, 0, EIO);
	assert_fails(sv_dev_write(d, new, 1500, 100, &err), SV_IO, UINT64_MAX);
	assert_text(f->a, mixed);
	host_fault_fail_at(f->h, 1, EIO);
	assert_fails(sv_dev_write(d, new, 400, 1100, &err), SV_IO, UINT64_MAX);
	assert_text(f->a, mixed);
	sv_dev_close(d);
	settle(f, HOST_FAULT_DROP);
	assert_text(f->a, old);
}

static void does_nothing_after_the_cut(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_host_stat st;
	struct sv_dev *d, *other = NULL;
	char c, **names;
	size_t n;

	put_text(f->dir, "a", "text");
	d = open_rw(f, f->a, 0);
	host_fault_cut_at(f->h, 1);
	assert_ok(sv_dev_write(d, "T", 1, 0, &err));
	assert_fails(sv_dev_write(d, "E", 1, 1, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_dev_read(d, &c, 1, 0, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_dev_flush(d, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_dev_resize(d, 9, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_dev_discard(d, 0, 1, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_host_open(f->h, f->a, 0, &other, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_host_stat(f->h, f->a, &st, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_host_list(f->h, f->dir, &names, &n, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_host_unlink(f->h, f->a, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_host_rename(f->h, f->a, f->b, true, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_host_make_dir(f->h, f->b, &err), SV_IO, UINT64_MAX);
	assert_fails(sv_host_sync_dir(f->h, f->dir, &err), SV_IO, UINT64_MAX);
	sv_dev_close(d);
	assert_int_equal(host_fault_steps(f->h), 1);
	settle(f, HOST_FAULT_KEEP);
	assert_text(f->a, "Text");
}

static void drops_what_was_not_flushed(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;

	put_text(f->dir, "a", "0123456789");
	d = open_rw(f, f->a, 0);
	assert_ok(sv_dev_write(d, "AB", 2, 0, &err));
	assert_ok(sv_dev_flush(d, &err));
	assert_ok(sv_dev_write(d, "xxxx", 4, 1, &err));
	assert_ok(sv_dev_resize(d, 4, &err));
	assert_ok(sv_dev_resize(d, 20, &err));
	assert_ok(sv_dev_write(d, "yyy", 3, 17, &err));
	assert_ok(sv_dev_discard(d, 0, 3, &err));
	sv_dev_close(d);
	settle(f, HOST_FAULT_DROP);
	assert_text(f->a, "AB23456789");
}

static void keeps_all_that_a_killed_program_wrote(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_host_write_file(f->h, f->a, "one", 3, &err));
	assert_ok(sv_host_rename(f->h, f->a, f->b, false, &err));
	settle(f, HOST_FAULT_KEEP);
	assert_text(f->b, "one");
	assert_false(is_there(f->a));
}

static void drops_names_whose_folder_was_not_synced(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	char *sub = in_dir(f->dir, "sub"), *inside = in_dir(sub, "c"),
	     *gone = in_dir(f->dir, "g");

	put_durable(f, f->a, "one");
	put_text(f->dir, "g", "deleted");
	assert_ok(sv_host_write_file(f->h, f->b, "two", 3, &err));
	assert_ok(sv_host_make_dir(f->h, sub, &err));
	assert_ok(sv_host_write_file(f->h, inside, "c", 1, &err));
	assert_ok(sv_host_sync_dir(f->h, sub, &err));
	assert_ok(sv_host_rename(f->h, f->b, f->a, true, &err));
	assert_ok(sv_host_unlink(f->h, gone, &err));
	assert_text(f->a, "two");
	assert_false(is_there(gone));
	settle(f, HOST_FAULT_DROP);
	assert_text(f->a, "one");
	assert_text(gone, "deleted");
	assert_false(is_there(f->b));
	assert_false(is_there(sub));
	free(gone);
	free(inside);
	free(sub);
}

static void undoes_the_removal_of_a_folder_and_what_was_in_it(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	char *sub = in_dir(f->dir, "sub"), *inside = in_dir(sub, "c");

	put_dir(f->dir, "sub");
	put_text(f->dir, "sub/c", "c");
	assert_fails(sv_host_remove_dir(f->h, sub, &err), SV_EXISTS, UINT64_MAX);
	assert_fails(sv_host_unlink(f->h, sub, &err), SV_IO, UINT64_MAX);
	assert_ok(sv_host_unlink(f->h, inside, &err));
	assert_ok(sv_host_remove_dir(f->h, sub, &err));
	assert_false(is_there(sub));
	settle(f, HOST_FAULT_DROP);
	assert_text(inside, "c");
	free(inside);
	free(sub);
}

static void keeps_a_synced_name_but_not_its_unflushed_bytes(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = open_rw(f, f->a, SV_OPEN_CREATE);

	assert_ok(sv_dev_resize(d, 4, &err));
	assert_ok(sv_dev_write(d, "text", 4, 0, &err));
	sv_dev_close(d);
	assert_ok(sv_host_sync_dir(f->h, f->dir, &err));
	settle(f, HOST_FAULT_DROP);
	assert_text(f->a, "");
}

static void follows_a_file_through_a_rename(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;

	put_text(f->dir, "a", "old");
	d = open_rw(f, f->a, 0);
	assert_ok(sv_dev_write(d, "new", 3, 0, &err));
	sv_dev_close(d);
	assert_ok(sv_host_rename(f->h, f->a, f->b, false, &err));
	assert_ok(sv_host_sync_dir(f->h, f->dir, &err));
	settle(f, HOST_FAULT_DROP);
	assert_text(f->b, "old");
	assert_false(is_there(f->a));
}

static void trusts_no_flush_after_one_that_failed(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;

	put_text(f->dir, "a", "old");
	d = open_rw(f, f->a, 0);
	host_fault_fail_at(f->h, 1, EIO);
	assert_ok(sv_dev_write(d, "new", 3, 0, &err));
	assert_fails(sv_dev_flush(d, &err), SV_IO, UINT64_MAX);
	assert_ok(sv_dev_flush(d, &err));
	sv_dev_close(d);
	settle(f, HOST_FAULT_DROP);
	assert_text(f->a, "old");
}

/* A 64 KiB file is overwritten twice and grown; each seed must give pages that are old, new or
 * newest, and over the seeds all of them. */
static unsigned torn_kinds(unsigned seed)
{
	enum { PAGES = 16, SIZE = PAGES * 4096 };
	struct fixture *f = NULL;
	struct sv_err err = SV_ERR_INIT;
	uint8_t *bytes = malloc(2 * SIZE), page[4096];
	unsigned seen = 0;
	struct sv_host_stat st;
	struct sv_dev *d;

	set_up((void **)&f);
	memset(bytes, 'o', SIZE);
	put_bytes(f->dir, "a", bytes, SIZE);
	d = open_rw(f, f->a, 0);
	for (int round = 0; round < 2; round++) {
		memset(bytes, round ? 'N' : 'n', SIZE);
		assert_ok(sv_dev_write(d, bytes, SIZE, 0, &err));
	}
	assert_ok(sv_dev_resize(d, 2 * SIZE, &err));
	sv_dev_close(d);
	assert_ok(host_fault_settle(f->h, HOST_FAULT_TORN, seed, &err));
	assert_ok(sv_host_stat(sv_host_posix(), f->a, &st, &err));
	assert_true(st.size == SIZE || st.size == 2 * SIZE);
	seen |= st.size == SIZE ? 8 : 16;
	assert_ok(sv_host_open(sv_host_posix(), f->a, 0, &d, &err));
	for (uint64_t i = 0; i < PAGES; i++) {
		assert_ok(sv_dev_read(d, page, sizeof page, i * 4096, &err));
		assert_non_null(strchr("onN", page[0]));
		assert_int_equal(page[0], page[4095]);
		seen |= page[0] == 'o' ? 1 : page[0] == 'n' ? 2 : 4;
	}
	sv_dev_close(d);
	free(bytes);
	tear_down((void **)&f);
	return seen;
}

static void tears_files_page_by_page_and_repeatably(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (unsigned seed = 0; seed < 16; seed++) {
		unsigned kinds = torn_kinds(seed);

		assert_int_equal(kinds, torn_kinds(seed));
		seen |= kinds;
	}
	assert_int_equal(seen, 31);
}

static void tears_names_in_their_order(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (unsigned seed = 0; seed < 16; seed++) {
		struct fixture *f = NULL;
		struct sv_err err = SV_ERR_INIT;

		set_up((void **)&f);
		assert_ok(sv_host_write_file(f->h, f->a, "1", 1, &err));
		assert_ok(sv_host_write_file(f->h, f->b, "2", 1, &err));
		assert_ok(host_fault_settle(f->h, HOST_FAULT_TORN, seed, &err));
		/* b is younger than a: it cannot be there alone */
		assert_true(is_there(f->a) || !is_there(f->b));
		seen |= 1U << (is_there(f->a) + is_there(f->b));
		tear_down((void **)&f);
	}
	assert_int_equal(seen, 7);
}

static void refuses_to_change_what_lies_outside(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	char *outside = in_dir(f->top, "x");
	struct sv_dev *d = NULL;

	put_text(f->top, "x", "mine");
	assert_fails(sv_host_unlink(f->h, outside, &err), SV_INTERNAL, UINT64_MAX);
	assert_fails(sv_host_rename(f->h, outside, f->a, false, &err), SV_INTERNAL, UINT64_MAX);
	assert_fails(
		sv_host_open(f->h, outside, SV_OPEN_WRITE, &d, &err), SV_INTERNAL, UINT64_MAX);
	assert_ok(sv_host_open(f->h, outside, SV_OPEN_READ, &d, &err));
	sv_dev_close(d);
	assert_text(outside, "mine");
	free(outside);
}

static void copies_a_reflink_where_it_is_told_to(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;

	put_text(f->dir, "a", "text");
	host_fault_copy_reflinks(f->h);
	assert_ok(sv_host_reflink(f->h, f->a, f->b, &err));
	assert_text(f->b, "text");
	assert_ok(sv_host_sync_dir(f->h, f->dir, &err));
	settle(f, HOST_FAULT_DROP);
	assert_text(f->b, "");
}

/* ---- the sweep finds what it must find ---- */

static void put_old(const char *dir, void *user)
{
	(void)user;
	put_text(dir, "a", "old");
}

struct careless {
	const char *leave_out;
	bool found_fault;
};

/* Writes a file as careless programs do: without one of the calls. */
static int replace_file(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	const char *leave_out = ((struct careless *)user)->leave_out;
	char *path = in_dir(dir, "a"), *temp = in_dir(dir, "a.new");
	struct sv_dev *d = NULL;
	int rc = sv_host_open(h, temp, SV_OPEN_CREATE, &d, err);

	if (rc == 0)
		rc = sv_dev_resize(d, 3, err) < 0 ? -1 : sv_dev_write(d, "new", 3, 0, err);
	if (rc == 0 && strcmp(leave_out, "flush") != 0)
		rc = sv_dev_flush(d, err);
	sv_dev_close(d);
	if (rc == 0)
		rc = sv_host_rename(h, temp, path, true, err);
	if (rc == 0 && strcmp(leave_out, "sync_dir") != 0)
		rc = sv_host_sync_dir(h, dir, err);
	free(temp);
	free(path);
	return rc;
}

/* Notes what is wrong instead of failing, so that a test can demand that it is found. */
static const char *note_fault(const char *dir, void *user, bool done)
{
	char *path = in_dir(dir, "a");
	size_t n = 0;
	char *text = sv_host_read_file(sv_host_posix(), path, 100, &n, NULL);

	if (!text || (strcmp(text, "new") != 0 && (done || strcmp(text, "old") != 0)))
		((struct careless *)user)->found_fault = true;
	free(text);
	free(path);
	return NULL;
}

static bool sweep_finds_fault(const char *leave_out)
{
	struct careless user = {leave_out, false};
	const struct host_fault_sweep s = {
		put_old, replace_file, note_fault, &user, .seeds = 3};

	/* 6 or 5 steps and the end, each with 2 + 3 outcomes */
	assert_int_equal(host_fault_sweep(&s), (*leave_out ? 6 : 7) * 5);
	return user.found_fault;
}

static void finds_a_forgotten_flush_and_a_forgotten_sync(void **state)
{
	(void)state;
	assert_false(sweep_finds_fault(""));
	assert_true(sweep_finds_fault("flush"));
	assert_true(sweep_finds_fault("sync_dir"));
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOST(counts_and_names_each_step),
		WITH_HOST(fails_one_step_and_goes_on),
		WITH_HOST(writes_a_half_where_a_write_fails),
		WITH_HOST(does_nothing_after_the_cut),
		WITH_HOST(drops_what_was_not_flushed),
		WITH_HOST(keeps_all_that_a_killed_program_wrote),
		WITH_HOST(drops_names_whose_folder_was_not_synced),
		WITH_HOST(undoes_the_removal_of_a_folder_and_what_was_in_it),
		WITH_HOST(keeps_a_synced_name_but_not_its_unflushed_bytes),
		WITH_HOST(follows_a_file_through_a_rename),
		WITH_HOST(trusts_no_flush_after_one_that_failed),
		cmocka_unit_test(tears_files_page_by_page_and_repeatably),
		cmocka_unit_test(tears_names_in_their_order),
		WITH_HOST(refuses_to_change_what_lies_outside),
		WITH_HOST(copies_a_reflink_where_it_is_told_to),
		cmocka_unit_test(finds_a_forgotten_flush_and_a_forgotten_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
