/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "base/str.h"
#include "io/extract.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct sv_extract_meta some_meta = {
	.mtime_sec = 1234567890, .mtime_nsec = 123456700, .has_mode = true, .mode = 04640};
static const struct sv_extract_meta folder_meta = {
	.mtime_sec = 1234567890, .mtime_nsec = 123456700, .has_mode = true, .mode = 0750};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* A folder "in" to write to, and one "out" beside it that must stay empty. */
static int set_up(void **state)
{
	char *top = strdup("/tmp/sharevm-extract-XXXXXX");

	*state = top;
	return mkdtemp(top) && chdir(top) == 0 && mkdir("in", 0755) == 0 &&
			       mkdir("out", 0755) == 0
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	int rc = chdir("/") || nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return rc;
}

static struct sv_extract *open_in(void)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_extract *x = NULL;

	assert_ok(sv_extract_open("in", false, &x, &err));
	return x;
}

static int put(struct sv_extract *x, const char *name, bool replace, struct sv_err *err)
{
	if (sv_extract_begin(x, name, replace, err) || sv_extract_write(x, "hello", 5, 0, err))
		return -1;
	return sv_extract_finish(x, 5, &some_meta, err);
}

static void writes_a_tree_with_times_and_modes(void **state)
{
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;
	struct stat st;

	(void)state;
	assert_ok(sv_extract_enter(x, "a", &err));
	assert_ok(sv_extract_enter(x, "b", &err));
	assert_ok(put(x, "file", false, &err));
	assert_ok(sv_extract_leave(x, &folder_meta, &err));
	assert_ok(sv_extract_leave(x, &folder_meta, &err));
	sv_extract_close(x);
	assert_int_equal(stat("in/a/b/file", &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
	assert_int_equal(st.st_mtim.tv_nsec, 123456700);
	assert_int_equal(st.st_mode & 07777, 0640); /* never set-id */
	assert_int_equal(stat("in/a", &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
}

static void refuses_names_that_lead_elsewhere(void **state)
{
	static const char *const bad[] = {"", ".", "..", "../out/x", "/etc/x", "a/b"};
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		assert_fails(put(x, bad[i], true, &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_fails(sv_extract_enter(x, bad[i], &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_fails(sv_extract_link(x, bad[i], "x", true, &some_meta, &err),
			SV_UNSUPPORTED, UINT64_MAX);
	}
	sv_extract_close(x);
	assert_int_equal(rmdir("out"), 0); /* still empty */
}

/* A link that the guest made first, then a folder and a file of the same name. */
static void never_goes_through_a_link(void **state)
{
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;
	struct stat st;

	(void)state;
	assert_ok(sv_extract_link(x, "trap", "../out", false, &some_meta, &err));
	assert_int_equal(sv_extract_enter(x, "trap", &err), -1);
	assert_ok(sv_extract_link(x, "file", "../out/file", false, &some_meta, &err));
	assert_fails(put(x, "file", false, &err), SV_EXISTS, UINT64_MAX);
	assert_ok(put(x, "file", true, &err));
	assert_int_equal(lstat("in/file", &st), 0);
	assert_true(S_ISREG(st.st_mode)); /* the link was replaced, not followed */
	sv_extract_close(x);
	assert_int_equal(rmdir("out"), 0);
}

static void keeps_what_exists_unless_told(void **state)
{
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(put(x, "file", false, &err));
	assert_fails(put(x, "file", false, &err), SV_EXISTS, UINT64_MAX);
	assert_string_equal(err.path, "in/file");
	assert_ok(put(x, "file", true, &err));
	assert_int_equal(mkdir("in/dir", 0755), 0);
	assert_fails(put(x, "dir", true, &err), SV_EXISTS, UINT64_MAX);
	sv_extract_close(x);
}

static void leaves_no_part_of_an_unfinished_file(void **state)
{
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_extract_begin(x, "file", false, &err));
	assert_ok(sv_extract_write(x, "hello", 5, 0, &err));
	sv_extract_close(x);
	assert_int_equal(rmdir("in"), 0);
}

static void replaces_a_part_of_a_run_that_was_killed(void **state)
{
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	close(open("in/.file.sharevm-part", O_CREAT | O_WRONLY, 0644));
	assert_ok(put(x, "file", false, &err));
	assert_int_equal(access("in/.file.sharevm-part", F_OK), -1);
	sv_extract_close(x);
}

static void keeps_holes(void **state)
{
	static uint8_t piece[1 << 20];
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;
	struct stat st;

	(void)state;
	piece[8192] = 1;
	assert_ok(sv_extract_begin(x, "file", false, &err));
	assert_ok(sv_extract_write(x, piece, sizeof piece, 0, &err));
	assert_ok(sv_extract_finish(x, 64 << 20, &some_meta, &err));
	sv_extract_close(x);
	assert_int_equal(stat("in/file", &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks * 512 <= 65536);
}

static const struct sv_extract_attr some_attrs[] = {
	{(char *)(uintptr_t) "user.colour", (char *)(uintptr_t) "blue", 4},
	{(char *)(uintptr_t) "trusted.secret", (char *)(uintptr_t) "x", 1},
};

static struct sv_extract_meta full_meta(void)
{
	struct sv_extract_meta meta = some_meta;

	meta.atime_sec = 1000000000;
	meta.uid = 12345;
	meta.gid = 54321;
	meta.attrs = some_attrs;
	meta.n_attrs = SV_ARRAY_LEN(some_attrs);
	return meta;
}

static bool attrs_work(void)
{
	bool work = setxattr("in", "user.test", "x", 1, 0) == 0;

	if (work)
		removexattr("in", "user.test");
	return work;
}

/* Without being asked: only what does no harm. */
static void keeps_only_harmless_attributes(void **state)
{
	struct sv_extract_meta meta = full_meta();
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;
	struct stat st;
	char value[8];

	(void)state;
	assert_ok(sv_extract_begin(x, "file", false, &err));
	assert_ok(sv_extract_finish(x, 0, &meta, &err));
	assert_int_equal(stat("in/file", &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
	if (attrs_work()) {
		assert_int_equal(getxattr("in/file", "user.colour", value, sizeof value), 4);
		assert_int_equal(sv_extract_left_out(x), 0);
	}
	assert_int_equal(getxattr("in/file", "trusted.secret", value, sizeof value), -1);
	sv_extract_close(x);
}

static void keeps_all_that_root_asks_for(void **state)
{
	struct sv_extract_meta meta = full_meta();
	struct sv_err err = SV_ERR_INIT;
	struct sv_extract *x = NULL;
	struct stat st;
	char value[8];

	(void)state;
	if (geteuid() != 0) {
		print_message("skip: owners are for root\n");
		skip();
	}
	assert_ok(sv_extract_open("in", true, &x, &err));
	assert_ok(sv_extract_begin(x, "file", false, &err));
	assert_ok(sv_extract_finish(x, 0, &meta, &err));
	assert_ok(sv_extract_link(x, "link", "/elsewhere", false, &meta, &err));
	assert_ok(sv_extract_node(x, "node", S_IFCHR, 1, 3, false, &meta, &err));
	assert_int_equal(stat("in/file", &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 54321);
	assert_int_equal(st.st_mode & 07777, 04640);
	assert_int_equal(lstat("in/link", &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
	assert_int_equal(lstat("in/node", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_rdev, makedev(1, 3));
	assert_int_equal(st.st_mode & 07777, 0640);
	if (attrs_work())
		assert_int_equal(getxattr("in/file", "trusted.secret", value, sizeof value), 1);
	sv_extract_close(x);
}

static void gives_a_file_a_second_name(void **state)
{
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;
	struct stat st;

	(void)state;
	assert_ok(sv_extract_enter(x, "a", &err));
	assert_ok(put(x, "file", false, &err));
	assert_ok(sv_extract_leave(x, &folder_meta, &err));
	assert_ok(sv_extract_enter(x, "b", &err));
	assert_ok(sv_extract_again(x, "other", "a/file", false, &err));
	assert_fails(
		sv_extract_again(x, "other", "a/file", false, &err), SV_EXISTS, UINT64_MAX);
	assert_ok(sv_extract_again(x, "other", "a/file", true, &err));
	assert_fails(
		sv_extract_again(x, "none", "a/none", false, &err), SV_NOTFOUND, UINT64_MAX);
	assert_fails(
		sv_extract_again(x, "../x", "a/file", false, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_int_equal(stat("in/b/other", &st), 0);
	assert_int_equal(st.st_nlink, 2);
	sv_extract_close(x);
}

/* Someone puts a link in place of a folder while we copy. */
static void finds_no_second_name_through_a_link(void **state)
{
	struct sv_extract *x = open_in();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_int_equal(symlink("../out", "in/a"), 0);
	assert_int_equal(close(open("out/file", O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(sv_extract_again(x, "mine", "a/file", false, &err), -1);
	sv_extract_close(x);
}

int main(void)
{
#define EACH(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		EACH(writes_a_tree_with_times_and_modes),
		EACH(refuses_names_that_lead_elsewhere),
		EACH(never_goes_through_a_link),
		EACH(keeps_what_exists_unless_told),
		EACH(leaves_no_part_of_an_unfinished_file),
		EACH(replaces_a_part_of_a_run_that_was_killed),
		EACH(keeps_holes),
		EACH(keeps_only_harmless_attributes),
		EACH(keeps_all_that_root_asks_for),
		EACH(gives_a_file_a_second_name),
		EACH(finds_no_second_name_through_a_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
