/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything below a key: the order, damage, circles, and who stops it. */
#include "build.h"

struct tour {
	char text[1024];
	unsigned problems, stop_at;
	struct sv_err last;
	unsigned keys;
};

static void say(struct tour *t, const char *before, const char *name)
{
	size_t used = strlen(t->text);

	snprintf(t->text + used, sizeof t->text - used, "%s%s", before, name);
}

static int on_key(void *user, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct tour *t = user;

	(void)err;
	t->keys++;
	for (unsigned i = 0; i < v->depth && i < 8; i++)
		say(t, " ", "");
	say(t, v->name, "(");
	return t->keys == t->stop_at ? 9 : 0;
}

static int on_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	(void)type, (void)data, (void)n;
	say(user, "=", name);
	return strcmp(name, "stop") == 0 ? 5 : 0;
}

static int on_subkey(void *user, const char *name)
{
	say(user, "+", name);
	return 0;
}

static int on_done(void *user, const struct sv_hive_visit *v)
{
	(void)v;
	say(user, ")", "");
	return 0;
}

static int on_problem(void *user, const struct sv_err *what)
{
	struct tour *t = user;

	t->problems++;
	t->last = *what;
	say(t, "!", "");
	return 0;
}

static int walk(struct build *b, struct tour *t, bool recursive, struct sv_err *err)
{
	struct sv_hive *h = build_open(b);
	struct sv_hive_walk ops = {.key = on_key,
		.value = on_value,
		.subkey = on_subkey,
		.done = on_done,
		.problem = on_problem,
		.recursive = recursive,
		.user = t};
	int rc = sv_hive_walk(h, b->root, &ops, err);

	sv_hive_close(h);
	free(b);
	return rc;
}

static struct build *small_tree(uint32_t keys[3])
{
	struct build *b = build_new();
	uint32_t value = put_value(b, "v", SV_REG_DWORD, "\1\0\0", 4), last;

	keys[0] = put_key(b, b->root, "A");
	keys[1] = put_key(b, b->root, "B");
	keys[2] = put_key(b, keys[0], "A1");
	set_subkeys(b, b->root, put_list(b, "lf", keys, 2), 2);
	set_subkeys(b, keys[0], put_list(b, "li", keys + 2, 1), 1);
	last = put_value(b, "stop", SV_REG_NONE, "", 0);
	set_values(b, keys[0], &value, 1);
	set_values(b, keys[1], &last, 1);
	return b;
}

static void goes_down_from_parents_to_children(void **state)
{
	struct tour t = {.keys = 0};
	struct sv_err err = SV_ERR_INIT;
	uint32_t keys[3];

	(void)state;
	assert_int_equal(walk(small_tree(keys), &t, true, &err), 5);
	assert_string_equal(t.text, "ROOT(+A+B) A(=v+A1)  A1() B(=stop");
	memset(&t, 0, sizeof t);
	assert_ok(walk(small_tree(keys), &t, false, &err));
	assert_string_equal(t.text, "ROOT(+A+B)");
	memset(&t, 0, sizeof t);
	t.stop_at = 2;
	assert_int_equal(walk(small_tree(keys), &t, true, &err), 9);
	assert_string_equal(t.text, "ROOT(+A+B) A(");
}

static void tells_damage_and_goes_on(void **state)
{
	struct tour t = {.keys = 0};
	struct sv_err err = SV_ERR_INIT;
	uint32_t keys[3];
	struct build *b = small_tree(keys);

	(void)state;
	at(b, keys[2])[0] = 'N';
	set_values(b, keys[1], &keys[0], 1); /* a key is no value */
	assert_ok(walk(b, &t, true, &err));
	assert_string_equal(t.text, "ROOT(+A+B) A(=v!) B(!)");
	assert_int_equal(t.problems, 2);
	assert_string_equal(t.last.path, "HIVE");
	assert_int_equal(t.last.offset, where(keys[0], 0));
}

/* Keys that hold one another: each names the other as its parent. */
static void ends_in_a_circle(void **state)
{
	struct build *b = build_new();
	uint32_t a = put_key(b, b->root, "A"), c = put_key(b, a, "C");
	struct tour t = {.keys = 0};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	set_subkeys(b, b->root, put_list(b, "li", &a, 1), 1);
	set_subkeys(b, a, put_list(b, "li", &c, 1), 1);
	set_subkeys(b, c, put_list(b, "li", &a, 1), 1); /* A's parent is the root */
	assert_ok(walk(b, &t, true, &err));
	assert_string_equal(t.text, "ROOT(+A) A(+C)  C(!)");
}

static void ends_at_the_depth_that_windows_allows(void **state)
{
	struct build *b = build_new();
	struct tour t = {.keys = 0};
	struct sv_err err = SV_ERR_INIT;
	uint32_t parent = b->root;

	(void)state;
	for (unsigned i = 0; i < SV_HIVE_DEPTH_MAX + 50; i++) {
		uint32_t key = put_key(b, parent, "");

		set_subkeys(b, parent, put_list(b, "li", &key, 1), 1);
		parent = key;
	}
	assert_ok(walk(b, &t, true, &err));
	assert_int_equal(t.problems, 1);
	assert_int_equal(t.keys, SV_HIVE_DEPTH_MAX + 1);
	assert_non_null(strstr(t.last.message, "deeper in each other than 512"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_down_from_parents_to_children),
		cmocka_unit_test(tells_damage_and_goes_on),
		cmocka_unit_test(ends_in_a_circle),
		cmocka_unit_test(ends_at_the_depth_that_windows_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
