/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "cli/near.h"
#include "cli/opt.h"

struct args {
	bool quick, list;
	int mode, color;
	uint64_t to;
	const char *into;
	struct sv_words allow;
};

static const char *const colours[] = {"auto", "always", "never", NULL};

static const struct sv_opt table[] = {
	{SV_OPT_FLAG, "quick", .field = offsetof(struct args, quick)},
	{SV_OPT_FLAG, "long", 'l', .field = offsetof(struct args, list)},
	{SV_OPT_SET, "linked", .field = offsetof(struct args, mode), .set = 1},
	{SV_OPT_SET, "copy", .field = offsetof(struct args, mode), .set = 2},
	{SV_OPT_CHOICE, "color", .value = "WHEN", .field = offsetof(struct args, color),
		.choices = colours},
	{SV_OPT_SIZE, "to", 't', .value = "SIZE", .field = offsetof(struct args, to)},
	{SV_OPT_TEXT, "into", 'o', .value = "DIR", .field = offsetof(struct args, into)},
	{SV_OPT_LIST, "allow-path", .value = "DIR", .field = offsetof(struct args, allow)},
	{SV_OPT_END},
};

struct parsed {
	struct args args;
	struct sv_words operands;
	size_t used;
	struct sv_err err;
};

static int parse(struct parsed *p, bool stop, char *const *argv)
{
	struct sv_opt_scope scope = {table, &p->args};
	size_t argc = 0;

	memset(p, 0, sizeof *p);
	while (argv[argc])
		argc++;
	return sv_opt_parse(&scope, 1, argv, argc, stop, &p->operands, &p->used, &p->err);
}

static void drop(struct parsed *p)
{
	struct sv_opt_scope scope = {table, &p->args};

	sv_opt_free(&scope);
	sv_words_free(&p->operands);
}

#define ARGV(...)                                                                              \
	(char *[])                                                                             \
	{                                                                                      \
		__VA_ARGS__, NULL                                                              \
	}

static void fills_every_kind_of_field(void **state)
{
	struct parsed p;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(parse(&p, false,
		ARGV("--quick", "--copy", "--color=never", "--to", "60G", "--into=/x", "a")));
	assert_true(p.args.quick);
	assert_int_equal(p.args.mode, 2);
	assert_int_equal(p.args.color, 2);
	assert_int_equal(p.args.to, 60ULL << 30);
	assert_string_equal(p.args.into, "/x");
	assert_int_equal(p.operands.n, 1);
	drop(&p);
}

static void mixes_options_and_operands(void **state)
{
	struct parsed p;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(parse(&p, false, ARGV("a", "--quick", "-", "--", "--copy", "-l")));
	assert_int_equal(p.operands.n, 4);
	assert_string_equal(p.operands.item[1], "-");
	assert_string_equal(p.operands.item[2], "--copy");
	assert_false(p.args.list);
	assert_int_equal(p.args.mode, 0);
	drop(&p);
}

static void unbundles_letters(void **state)
{
	struct parsed p;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(parse(&p, false, ARGV("-lt8G", "-o", "x")));
	assert_true(p.args.list);
	assert_int_equal(p.args.to, 8ULL << 30);
	assert_string_equal(p.args.into, "x");
	drop(&p);
}

static void collects_repeated_options(void **state)
{
	struct parsed p;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(parse(&p, false, ARGV("--allow-path", "/a", "--allow-path=/b")));
	assert_int_equal(p.args.allow.n, 2);
	assert_string_equal(p.args.allow.item[1], "/b");
	drop(&p);
}

static void stops_before_the_first_operand(void **state)
{
	struct parsed p;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(parse(&p, true, ARGV("--quick", "show", "--copy")));
	assert_int_equal(p.used, 1);
	assert_int_equal(p.args.mode, 0);
	drop(&p);
}

static void refuses_with_the_word_and_a_hint(void **state)
{
	static const struct {
		const char *words[3];
		const char *message, *hint;
	} bad[] = {
		{{"--qiuck"}, "unknown option '--qiuck'", "did you mean --quick?"},
		{{"--zzz"}, "unknown option '--zzz'", ""},
		{{"-x"}, "unknown option '-x' in '-x'", ""},
		{{"--quick=1"}, "--quick takes no value", ""},
		{{"--to"}, "--to needs a value: --to SIZE", ""},
		{{"-t"}, "-t needs a value: -t SIZE", ""},
		{{"--to=0"}, "--to: the size must be above 0", ""},
		{{"--linked", "--copy"}, "--copy and --linked exclude each other", ""},
		{{"--color=alway"}, "--color: 'alway' is none of auto, always, never",
			"did you mean --color=always?"},
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		struct parsed p;
		char *argv[] = {(char *)(uintptr_t)bad[i].words[0],
			(char *)(uintptr_t)bad[i].words[1], NULL};

		assert_int_equal(parse(&p, false, argv), -1);
		assert_int_equal(p.err.code, SV_USAGE);
		assert_string_equal(p.err.message, bad[i].message);
		assert_string_equal(p.err.hint, bad[i].hint);
		drop(&p);
	}
}

static void names_the_option_of_a_bad_size(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, false, ARGV("--to", "big")), -1);
	assert_memory_equal(p.err.message, "--to: ", 6);
	assert_true(p.err.hint[0] != 0);
	drop(&p);
}

static void measures_how_far_words_are_apart(void **state)
{
	struct sv_near near = {.typed = "extned"};

	(void)state;
	assert_int_equal(sv_near_distance("extend", "extend"), 0);
	assert_int_equal(sv_near_distance("extned", "extend"), 1);
	assert_int_equal(sv_near_distance("shwo", "show"), 1);
	assert_int_equal(sv_near_distance("", "abc"), 3);
	sv_near_offer(&near, "show");
	assert_null(near.best);
	sv_near_offer(&near, "extend");
	assert_string_equal(near.best, "extend");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_every_kind_of_field),
		cmocka_unit_test(mixes_options_and_operands),
		cmocka_unit_test(unbundles_letters),
		cmocka_unit_test(collects_repeated_options),
		cmocka_unit_test(stops_before_the_first_operand),
		cmocka_unit_test(refuses_with_the_word_and_a_hint),
		cmocka_unit_test(names_the_option_of_a_bad_size),
		cmocka_unit_test(measures_how_far_words_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
