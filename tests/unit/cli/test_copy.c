/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies of a hostile file system, to a folder and to a tar stream that tar(1) judges. */
#include "fake_fs.h"
#include "tempdir.h"

#include "base/num.h"
#include "cli/copy.h"

#include <sys/wait.h>

static const struct fake_entry table[] = {
	{1, "good", 2, SV_FS_FILE, 300000, "0123456789"},
	{1, "..", 3, SV_FS_DIR},
	{3, "x", 4, SV_FS_FILE, 5, "x"},
	{1, "a/../../b", 5, SV_FS_FILE, 5, "x"},
	{1, "sub", 6, SV_FS_DIR},
	{6, "unreadable", 7, SV_FS_FILE, 70000, NULL},
	{6, "inside", 8, SV_FS_SYMLINK, 0, NULL, "../good"},
	{6, "outside", 9, SV_FS_SYMLINK, 0, NULL, "../../etc/passwd"},
	{6, "absolute", 10, SV_FS_SYMLINK, 0, NULL, "/etc/passwd"},
	{6, "drive", 11, SV_FS_SYMLINK, 0, NULL, "C:/Users"},
	{6, "device", 12, SV_FS_OTHER},
	{1, "hole", 13, SV_FS_FILE, 1 << 20, ""},
	{1,
		"a name that is longer than the hundred characters that ustar has for a name, "
		"with an é in it, to need a pax header",
		14, SV_FS_FILE, 3, "abc"},
};

struct copied {
	struct fake_fs f;
	struct sv_cli cli;
	struct sv_copy copy;
};

static int copy_into(struct copied *c, struct sv_sink *sink, struct sv_err *err)
{
	char root[] = "/";
	struct sv_place at = {.fs = &c->f.fs, .ino = 1, .path = root};

	assert_non_null(sink);
	c->f = (struct fake_fs)FAKE_FS(table);
	c->copy = (struct sv_copy){.cli = &c->cli, .sink = sink};
	return sv_copy_place(&c->copy, &at, "top", err);
}

static bool exists(const char *dir, const char *name)
{
	char *path = in_dir(dir, name);
	struct stat st;
	bool there = lstat(path, &st) == 0;

	free(path);
	return there;
}

static void keeps_a_hostile_tree_in_its_folder(void **state)
{
	char *dir = make_temp_dir();
	char *to = in_dir(dir, "to");
	struct sv_err err = SV_ERR_INIT;
	struct copied c = {0};
	struct sv_sink *sink;

	(void)state;
	put_dir(dir, "to");
	sink = sv_sink_host(to, false, false, &err);
	assert_ok(copy_into(&c, sink, &err));
	sv_sink_close(sink);
	assert_int_equal(c.copy.files, 3);
	assert_int_equal(c.copy.failed, 3); /* "..", the name with '/', the unreadable one */
	assert_int_equal(c.copy.links_left, 3);
	assert_int_equal(c.copy.special_left, 1);
	assert_true(exists(to, "top/good"));
	assert_true(exists(to, "top/sub/inside"));
	assert_false(exists(to, "top/sub/outside"));
	assert_false(exists(to, "top/sub/unreadable"));
	assert_false(exists(to, "top/sub/.unreadable.sharevm-part"));
	assert_false(exists(dir, "b"));
	assert_false(exists(dir, "x"));
	free(to);
	remove_tree(dir);
}

static void stops_when_the_sink_fails(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	FILE *full = fopen("/dev/full", "w");
	struct sv_out out = {.file = full};
	struct copied c = {0};
	struct sv_sink *sink = sv_sink_tar(&out, NULL, &err);

	(void)state;
	setvbuf(full, NULL, _IONBF, 0);
	assert_fails(copy_into(&c, sink, &err), SV_NOSPACE, UINT64_MAX);
	sv_sink_close(sink);
	fclose(full);
}

/* tar(1) lists the stream: exit code 0, and every name as it is. */
static void writes_a_stream_that_tar_accepts(void **state)
{
	char *dir = make_temp_dir();
	char *path = in_dir(dir, "x.tar");
	char *command = sv_format("cd '%s' && tar xf x.tar 2>err && ! [ -s err ] && "
				  "[ $(stat -c %%s top/good) = 300000 ] && "
				  "[ $(stat -c %%Y top/good) = 1000000002 ] && "
				  "[ $(readlink top/sub/outside) = ../../etc/passwd ] && "
				  "[ $(stat -c %%s top/sub/unreadable) = 70000 ] && "
				  "cmp -n 1048576 top/hole /dev/zero && "
				  "[ $(find top -type f | wc -l) = 4 ] && "
				  "[ \"$(cat top/a*é*)\" = abc ]",
		dir);
	struct sv_err err = SV_ERR_INIT;
	struct sv_out out = {.file = fopen(path, "w")};
	struct copied c = {0};
	struct sv_sink *sink = sv_sink_tar(&out, NULL, &err);

	(void)state;
	assert_ok(copy_into(&c, sink, &err));
	assert_ok(sink->ops->end(sink, &err));
	sv_sink_close(sink);
	assert_int_equal(fclose(out.file), 0);
	assert_int_equal(c.copy.links_left, 0);
	assert_int_equal(c.copy.failed, 3);
	switch (fork()) {
	case 0:
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	default: {
		int status = -1;

		wait(&status);
		assert_int_equal(status, 0);
	}
	}
	free(command);
	free(path);
	remove_tree(dir);
}

static void counts_without_reading(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct copied c = {0};
	struct sv_sink *sink = sv_sink_nowhere(&err);

	(void)state;
	assert_ok(copy_into(&c, sink, &err));
	sv_sink_close(sink);
	assert_int_equal(c.copy.files, 4);
	assert_int_equal(c.copy.bytes, 300000 + 70000 + (1 << 20) + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_a_hostile_tree_in_its_folder),
		cmocka_unit_test(stops_when_the_sink_fails),
		cmocka_unit_test(writes_a_stream_that_tar_accepts),
		cmocka_unit_test(counts_without_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
