/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "io/host.h"
#include "tempdir.h"

static bool exists(const char *dir, const char *name)
{
	sv_autofree char *path = in_dir(dir, name);

	return sv_host_exists(sv_host_posix(), path);
}

static int remove_in(const char *dir, const char *name, struct sv_err *err)
{
	sv_autofree char *path = in_dir(dir, name);

	return sv_host_remove(sv_host_posix(), path, err);
}

static void make_folder(const char *dir, const char *name)
{
	sv_autofree char *path = in_dir(dir, name);

	assert_int_equal(mkdir(path, 0700), 0);
}

static void removes_a_file_and_a_folder_of_files(void **state)
{
	char *dir = make_temp_dir();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	put_bytes(dir, "a", "x", 1);
	make_folder(dir, "d");
	put_bytes(dir, "d/b", "y", 1);
	put_bytes(dir, "d/c", "z", 1);
	assert_ok(remove_in(dir, "a", &err));
	assert_ok(remove_in(dir, "d", &err));
	assert_false(exists(dir, "a") || exists(dir, "d"));
	assert_fails(remove_in(dir, "d", &err), SV_NOTFOUND, UINT64_MAX);
	remove_tree(dir);
}

static void leaves_a_folder_whole_that_holds_anything_else(void **state)
{
	char *dir = make_temp_dir();
	sv_autofree char *link = in_dir(dir, "l/z");
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	make_folder(dir, "d");
	make_folder(dir, "d/e");
	put_bytes(dir, "d/b", "y", 1);
	make_folder(dir, "l");
	put_bytes(dir, "l/a", "y", 1);
	assert_int_equal(symlink("/etc", link), 0);
	assert_fails(remove_in(dir, "d", &err), SV_EXISTS, UINT64_MAX);
	assert_true(sv_ends_with(err.path, "/d/e"));
	assert_fails(remove_in(dir, "l", &err), SV_EXISTS, UINT64_MAX);
	assert_true(exists(dir, "d/b") && exists(dir, "l/a"));
	remove_tree(dir);
}

static void counts_what_a_folder_stores(void **state)
{
	char *dir = make_temp_dir(), *bytes = malloc(100000);
	sv_autofree char *folder = in_dir(dir, "d"), *file = in_dir(dir, "d/b");
	struct sv_err err = SV_ERR_INIT;
	uint64_t all = 0, one = 0;

	(void)state;
	memset(bytes, 'x', 100000);
	make_folder(dir, "d");
	put_bytes(dir, "d/b", bytes, 100000);
	free(bytes);
	assert_ok(sv_host_stored(sv_host_posix(), file, &one, &err));
	assert_ok(sv_host_stored(sv_host_posix(), folder, &all, &err));
	assert_true(one >= 100000 && all >= one);
	remove_tree(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removes_a_file_and_a_folder_of_files),
		cmocka_unit_test(leaves_a_folder_whole_that_holds_anything_else),
		cmocka_unit_test(counts_what_a_folder_stores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
