/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/str.h"

static void reads_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"512", 512},
		{"512B", 512},
		{"60G", 60ULL << 30},
		{"1.5T", 3ULL << 39},
		{"1GiB", 1ULL << 30},
		{"1gb", 1ULL << 30},
		{"8192M", 8ULL << 30},
		{"15E", 15ULL << 60},
		{"0.5K", 512},
	};
	struct sv_err err;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		uint64_t n = 1;

		assert_ok(sv_size_parse(good[i].text, &n, &err));
		assert_int_equal(n, good[i].bytes);
	}
}

static void refuses_what_is_no_size(void **state)
{
	static const char *const bad[] = {"", "-1G", "G", "1.5", "1X", "1GG", "1 G", "16E",
		"99999999999999999999", "1e9", "+5", "0x10"};
	struct sv_err err;
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_fails(sv_size_parse(bad[i], &n, &err), SV_USAGE, UINT64_MAX);
		assert_true(err.hint[0] != 0);
	}
}

static void prints_sizes_without_rounding_up(void **state)
{
	char buf[SV_SIZE_TEXT];

	(void)state;
	assert_string_equal(sv_size_format(0, buf), "0B");
	assert_string_equal(sv_size_format(1023, buf), "1023B");
	assert_string_equal(sv_size_format(60ULL << 30, buf), "60G");
	assert_string_equal(sv_size_format((60ULL << 30) - 1, buf), "59.9G");
	assert_string_equal(sv_size_format(1536, buf), "1.5K");
	assert_string_equal(sv_size_format(UINT64_MAX, buf), "15.9E");
}

static void turns_utf16_into_utf8(void **state)
{
	static const uint8_t pair[] = {0x3D, 0xD8, 0x00, 0xDE}; /* U+1F600 */
	static const uint8_t lone[] = {0x41, 0x00, 0x00, 0xDC};
	bool lossy = true;
	char *s;

	(void)state;
	s = sv_utf16_to_utf8(pair, 2, &lossy);
	assert_string_equal(s, "\xF0\x9F\x98\x80");
	assert_false(lossy);
	free(s);
	s = sv_utf16_to_utf8(lone, 2, &lossy);
	assert_string_equal(s, "A\xEF\xBF\xBD");
	assert_true(lossy);
	free(s);
}

static void tells_valid_utf8(void **state)
{
	(void)state;
	assert_true(sv_utf8_valid("\xC3\xAD", 2));
	assert_true(sv_utf8_valid("\xF4\x8F\xBF\xBF", 4));
	assert_false(sv_utf8_valid("\xC0\x80", 2));
	assert_false(sv_utf8_valid("\xE0\x80\x80", 3));
	assert_false(sv_utf8_valid("\xED\xA0\x80", 3));
	assert_false(sv_utf8_valid("\xF4\x90\x80\x80", 4));
	assert_false(sv_utf8_valid("\xC3", 1));
}

static void escapes_controls_for_the_terminal(void **state)
{
	char *s;

	(void)state;
	s = sv_printable("a\x1b[31m\xC3\xAD\xff\xC2\x9b\n");
	assert_string_equal(s, "a\\x1b[31m\xC3\xAD\\xff\\xc2\\x9b\\x0a");
	free(s);
}

static void joins_and_splits_paths(void **state)
{
	char *s;

	(void)state;
	s = sv_path_join("/a/", "b");
	assert_string_equal(s, "/a/b");
	free(s);
	s = sv_path_join("/a", "/b");
	assert_string_equal(s, "/b");
	free(s);
	s = sv_path_dir("/b");
	assert_string_equal(s, "/");
	free(s);
	s = sv_path_dir("b");
	assert_string_equal(s, ".");
	free(s);
	assert_string_equal(sv_path_base("/a/b"), "b");
	assert_true(sv_path_is_absolute("C:\\x"));
	assert_true(sv_path_is_absolute("\\\\server\\x"));
	assert_false(sv_path_is_absolute("C:x"));
}

static void turns_utf8_into_utf16_and_back(void **state)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xbe";
	size_t n;
	uint8_t *units = sv_utf8_to_utf16(text, &n);
	char *back = sv_utf16_to_utf8(units, n, NULL);

	(void)state;
	assert_int_equal(n, 5);
	assert_memory_equal(units, "a\0\xe4\0\xac\x20\x3d\xd8\xbe\xdc", 10);
	assert_string_equal(back, text);
	free(back);
	free(units);
	units = sv_utf8_to_utf16("\xff\xc3", &n);
	assert_int_equal(n, 2);
	assert_memory_equal(units, "\xfd\xff\xfd\xff", 4);
	free(units);
}

static void tells_how_one_path_is_seen_from_a_folder(void **state)
{
	static const char *const cases[][3] = {
		{"/a/b", "/a/b/c", "c"},
		{"/a/b", "/a/b/c/d", "c/d"},
		{"/a/b", "/a/bc", "../bc"},
		{"/a/bc", "/a/b/x", "../b/x"},
		{"/a/b", "/x/y", "../../x/y"},
		{"/", "/x/y", "x/y"},
		{"/a/b/c", "/a/x", "../../x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *s = sv_path_relative(cases[i][0], cases[i][1]);

		assert_string_equal(s, cases[i][2]);
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(refuses_what_is_no_size),
		cmocka_unit_test(prints_sizes_without_rounding_up),
		cmocka_unit_test(turns_utf16_into_utf8),
		cmocka_unit_test(tells_valid_utf8),
		cmocka_unit_test(escapes_controls_for_the_terminal),
		cmocka_unit_test(joins_and_splits_paths),
		cmocka_unit_test(turns_utf8_into_utf16_and_back),
		cmocka_unit_test(tells_how_one_path_is_seen_from_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
