/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_fs.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/tree.h"

/* What the walk told, one line each. */
struct log {
	struct sv_str text;
	const char *skip;
	struct sv_job *cancel;
};

static int enter(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct log *l = user;

	(void)err;
	sv_str_addf(&l->text, "%s %s\n", item->st.type == SV_FS_DIR ? "+" : "=", item->path);
	if (l->cancel)
		atomic_store(&l->cancel->cancel, true);
	return l->skip && !strcmp(item->path, l->skip) ? SV_TREE_SKIP : SV_TREE_ON;
}

static int leave(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	(void)err;
	sv_str_addf(&((struct log *)user)->text, "- %s\n", item->path);
	return 0;
}

static int problem(void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	(void)err;
	sv_str_addf(&((struct log *)user)->text, "! %s: %s\n", path, what->message);
	return 0;
}

static const struct sv_tree_ops ops = {.enter = enter, .leave = leave, .problem = problem};

static void expect(struct log *l, const char *text)
{
	assert_string_equal(l->text.data, text);
	sv_str_free(&l->text);
}

static void walks_by_name_and_leaves_each_folder(void **state)
{
	static const struct fake_entry table[] = {
		{1, "b", 3, SV_FS_FILE},
		{1, "A", 2, SV_FS_DIR},
		{2, "x", 4, SV_FS_FILE},
		{1, "c", 5, SV_FS_DIR},
		{5, "y", 6, SV_FS_FILE},
	};
	struct fake_fs f = FAKE_FS(table);
	struct sv_err err = SV_ERR_INIT;
	struct log l = {.skip = "c"};

	(void)state;
	assert_ok(sv_tree_walk(&f.fs, 1, &ops, &l, NULL, &err));
	expect(&l, "+ \n+ A\n= A/x\n- A\n= b\n+ c\n- \n");
}

static void enters_each_folder_once(void **state)
{
	static const struct fake_entry table[] = {
		{1, "self", 1, SV_FS_DIR},
		{1, "sub", 2, SV_FS_DIR},
		{2, "up", 1, SV_FS_DIR},
		{2, "twin", 2, SV_FS_DIR},
	};
	struct fake_fs f = FAKE_FS(table);
	struct sv_err err = SV_ERR_INIT;
	struct log l = {0};

	(void)state;
	assert_ok(sv_tree_walk(&f.fs, 1, &ops, &l, NULL, &err));
	assert_int_equal(f.readdirs, 2);
	assert_non_null(strstr(l.text.data, "! self: this folder was met before\n"));
	assert_non_null(strstr(l.text.data, "! sub/twin: this folder was met before\n"));
	sv_str_free(&l.text);
}

/* Each folder holds two names of the next: 2^600 paths. */
static void stops_at_a_depth_and_never_doubles(void **state)
{
	static struct fake_entry table[1200];
	struct fake_fs f = FAKE_FS(table);
	struct sv_err err = SV_ERR_INIT;
	struct log l = {0};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(table); i++)
		table[i] =
			(struct fake_entry){1 + i / 2, i % 2 ? "a" : "b", 2 + i / 2, SV_FS_DIR};
	assert_ok(sv_tree_walk(&f.fs, 1, &ops, &l, NULL, &err));
	assert_int_equal(f.readdirs, SV_TREE_DEPTH);
	assert_non_null(strstr(l.text.data, "nested too deeply"));
	sv_str_free(&l.text);
}

static void stops_when_cancelled(void **state)
{
	static const struct fake_entry table[] = {{1, "x", 2, SV_FS_FILE}};
	struct fake_fs f = FAKE_FS(table);
	struct sv_err err = SV_ERR_INIT;
	struct sv_job job = {0};
	struct log l = {.cancel = &job};

	(void)state;
	assert_fails(sv_tree_walk(&f.fs, 1, &ops, &l, &job, &err), SV_CANCELLED, UINT64_MAX);
	expect(&l, "+ \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_by_name_and_leaves_each_folder),
		cmocka_unit_test(enters_each_folder_once),
		cmocka_unit_test(stops_at_a_depth_and_never_doubles),
		cmocka_unit_test(stops_when_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
