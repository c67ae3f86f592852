/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sv_publish_file and sv_publish_dir: old or new after every cut, never a mixture. */
#include "tempdir.h"

#include <errno.h>

#include "host_fault.h"

#define OLD "the old text"

/* Larger than a page, so that it can be torn. */
static void make_new(char text[10000])
{
	memset(text, 'n', 9999);
	text[9999] = 0;
}

static bool has_text(const char *dir, const char *name, const char *want)
{
	char *path = in_dir(dir, name);
	char *text = sv_host_read_file(sv_host_posix(), path, 1 << 20, NULL, NULL);
	bool same = text && strcmp(text, want) == 0;

	free(text);
	free(path);
	return same;
}

static bool is_there(const char *dir, const char *name)
{
	char *path = in_dir(dir, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* ---- a file ---- */

struct file_case {
	bool old, replace, leftover;
};

static void prepare_file(const char *dir, void *user)
{
	const struct file_case *c = user;

	if (c->old)
		put_text(dir, "f", OLD);
	if (c->leftover)
		put_text(dir, "f.sharevm-new", "half of an earlier run");
}

static int publish_file(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	const struct file_case *c = user;
	char *path = in_dir(dir, "f"), text[10000];
	int rc;

	make_new(text);
	rc = sv_publish_file(h, path, text, strlen(text), c->replace, err);
	free(path);
	return rc;
}

static const char *check_file(const char *dir, void *user, bool done)
{
	const struct file_case *c = user;
	struct sv_err err = SV_ERR_INIT;
	char text[10000];
	bool is_new, is_old;

	make_new(text);
	is_new = has_text(dir, "f", text);
	is_old = c->old ? has_text(dir, "f", OLD) : !is_there(dir, "f");
	if (done && !is_new)
		return "it was published and is not there";
	if (!is_new && !is_old)
		return "it is neither old nor new";
	/* the next run is not hindered by what this one left */
	if (is_old && publish_file(sv_host_posix(), dir, user, &err) < 0)
		return "it cannot be published again";
	return has_text(dir, "f", text) && !is_there(dir, "f.sharevm-new")
		       ? NULL
		       : "a second run failed";
}

static void a_published_file_is_old_or_new_after_every_cut(void **state)
{
	static const struct file_case cases[] = {{true, true, false}, {true, true, true},
		{false, false, false}, {false, false, true}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct host_fault_sweep s = {prepare_file, publish_file, check_file,
			(void *)&cases[i], .seeds = 5, .failures = true};

		/* create, resize, write, flush, rename, sync_dir; unlink of a leftover */
		assert_int_equal(host_fault_sweep(&s),
			cases[i].leftover ? 8 * 7 + 7 * 4 : 7 * 7 + 6 * 4);
	}
}

static void a_failed_publication_leaves_no_temporary_file(void **state)
{
	struct file_case c = {true, true, false};

	(void)state;
	for (uint64_t step = 0; step < 5; step++) {
		char *top = make_temp_dir(), *dir = in_dir(top, "w");
		struct sv_err err = SV_ERR_INIT;
		struct sv_host *h;

		put_dir(top, "w");
		prepare_file(dir, &c);
		h = host_fault_new(dir, &err);
		host_fault_fail_at(h, step, ENOSPC);
		assert_fails(publish_file(h, dir, &c, &err), SV_NOSPACE, UINT64_MAX);
		assert_true(has_text(dir, "f", OLD));
		assert_false(is_there(dir, "f.sharevm-new"));
		sv_host_close(h);
		free(dir);
		remove_tree(top);
	}
}

static void a_publication_does_not_replace_unless_told(void **state)
{
	struct file_case c = {true, false, false};
	char *dir = make_temp_dir();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	prepare_file(dir, &c);
	assert_fails(publish_file(sv_host_posix(), dir, &c, &err), SV_EXISTS, UINT64_MAX);
	assert_true(has_text(dir, "f", OLD));
	assert_false(is_there(dir, "f.sharevm-new"));
	remove_tree(dir);
}

/* ---- a folder ---- */

static int publish_dir(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	char *partial = in_dir(dir, "d.partial"), *final = in_dir(dir, "d");
	char *one = in_dir(partial, "1"), *two = in_dir(partial, "2"), text[10000];
	int rc;

	(void)user;
	make_new(text);
	rc = sv_host_make_dir(h, partial, err) < 0 ||
			     sv_host_write_file(h, one, text, strlen(text), err) < 0 ||
			     sv_host_write_file(h, two, "2", 1, err) < 0
		     ? -1
		     : sv_publish_dir(h, partial, final, err);
	free(two);
	free(one);
	free(final);
	free(partial);
	return rc;
}

static const char *check_dir(const char *dir, void *user, bool done)
{
	char text[10000];

	(void)user;
	make_new(text);
	if (!is_there(dir, "d"))
		return done ? "it was published and is not there" : NULL;
	if (is_there(dir, "d.partial"))
		return "it is there under both names";
	return has_text(dir, "d/1", text) && has_text(dir, "d/2", "2") ? NULL
								       : "it is not complete";
}

static void a_published_folder_is_whole_or_absent_after_every_cut(void **state)
{
	const struct host_fault_sweep s = {
		NULL, publish_dir, check_dir, NULL, .seeds = 8, .failures = true};

	(void)state;
	/* make_dir, two files of 4 steps, sync_dir, rename, sync_dir */
	assert_int_equal(host_fault_sweep(&s), 13 * 10 + 12 * 4);
}

static void a_folder_is_never_published_over_another(void **state)
{
	char *dir = make_temp_dir();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	put_dir(dir, "d");
	assert_fails(publish_dir(sv_host_posix(), dir, NULL, &err), SV_EXISTS, UINT64_MAX);
	assert_true(has_text(dir, "d.partial/2", "2"));
	remove_tree(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_published_file_is_old_or_new_after_every_cut),
		cmocka_unit_test(a_failed_publication_leaves_no_temporary_file),
		cmocka_unit_test(a_publication_does_not_replace_unless_told),
		cmocka_unit_test(a_published_folder_is_whole_or_absent_after_every_cut),
		cmocka_unit_test(a_folder_is_never_published_over_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
