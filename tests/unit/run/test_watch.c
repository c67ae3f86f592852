/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signs of life: what counts as one, and what does not. */
#include "unit.h"

#include "run/watch.h"

static void feed(struct sv_watch *w, const char *text)
{
	sv_watch_serial(w, text, strlen(text));
}

static void three_lines_on_the_console_are_a_sign(void **state)
{
	struct sv_watch w;
	char seen[256];

	sv_watch_init(&w, NULL);
	feed(&w, "Linux version 6.1\r\n\r\n  \nbooting\n");
	assert_false(sv_watch_alive(&w, seen, sizeof seen));
	feed(&w, "log");
	assert_false(sv_watch_alive(&w, seen, sizeof seen));
	feed(&w, "in:\n");
	assert_true(sv_watch_alive(&w, seen, sizeof seen));
	assert_string_equal(seen, "serial: 'login:'");
}

static void only_the_expected_text_counts_where_one_is_given(void **state)
{
	struct sv_watch w;
	char seen[256];
	uint8_t digest[SV_SHA256_SIZE] = {0};

	sv_watch_init(&w, "all well");
	feed(&w, "1\n2\n3\n4\nall wel");
	for (uint8_t i = 0; i < 20; i++) {
		digest[0] = i;
		sv_watch_picture(&w, digest);
	}
	assert_false(sv_watch_alive(&w, seen, sizeof seen));
	assert_string_equal(seen, "'all well' was not seen on the serial console");
	feed(&w, "l\n");
	assert_true(sv_watch_alive(&w, seen, sizeof seen));
	assert_string_equal(seen, "serial: 'all well'");
}

static void finds_an_expected_text_anywhere_in_a_long_stream(void **state)
{
	for (size_t before = 3 * SV_WATCH_TAIL - 20; before < 3 * SV_WATCH_TAIL + 20;
		before++) {
		struct sv_watch w;
		char seen[256];

		sv_watch_init(&w, "needle");
		for (size_t i = 0; i < before; i += 4)
			sv_watch_serial(&w, "hay ", before - i < 4 ? before - i : 4);
		feed(&w, "nee");
		feed(&w, "dle");
		for (size_t i = 0; i < 3 * SV_WATCH_TAIL; i += 4)
			feed(&w, "hay ");
		assert_true(sv_watch_alive(&w, seen, sizeof seen));
	}
}

static void takes_more_at_once_than_it_keeps(void **state)
{
	static char big[5 * SV_WATCH_TAIL];
	struct sv_watch w;
	char seen[256];

	memset(big, 'x', sizeof big);
	memcpy(big + sizeof big / 2, "needle", 6);
	sv_watch_init(&w, "needle");
	sv_watch_serial(&w, big, sizeof big);
	assert_true(sv_watch_alive(&w, seen, sizeof seen));
}

/* Firmware that finds nothing to boot: four texts, with the cursor on and off. */
static void a_blinking_cursor_is_no_sign(void **state)
{
	struct sv_watch w;
	char seen[256];
	uint8_t digest[SV_SHA256_SIZE] = {0};

	sv_watch_init(&w, NULL);
	for (unsigned i = 0; i < 1000; i++) {
		digest[5] = (uint8_t)(i % 8);
		sv_watch_picture(&w, digest);
	}
	assert_false(sv_watch_alive(&w, seen, sizeof seen));
	assert_string_equal(
		seen, "8 different pictures on the screen, 0 lines on the serial console");
	for (uint8_t i = 8; i < 12; i++) {
		digest[5] = i;
		assert_false(sv_watch_alive(&w, seen, sizeof seen));
		sv_watch_picture(&w, digest);
	}
	assert_true(sv_watch_alive(&w, seen, sizeof seen));
}

static void shows_the_last_lines_without_control_characters(void **state)
{
	struct sv_watch w;
	char *lines;

	sv_watch_init(&w, NULL);
	lines = sv_watch_last_lines(&w, 5);
	assert_string_equal(lines, "");
	free(lines);
	feed(&w, "one\r\ntwo \x1b[31mred\r\n\r\n   \nthree");
	lines = sv_watch_last_lines(&w, 2);
	assert_string_equal(lines, "two \\x1b[31mred\nthree");
	free(lines);
	lines = sv_watch_last_lines(&w, 9);
	assert_string_equal(lines, "one\ntwo \\x1b[31mred\nthree");
	free(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_lines_on_the_console_are_a_sign),
		cmocka_unit_test(only_the_expected_text_counts_where_one_is_given),
		cmocka_unit_test(finds_an_expected_text_anywhere_in_a_long_stream),
		cmocka_unit_test(takes_more_at_once_than_it_keeps),
		cmocka_unit_test(a_blinking_cursor_is_no_sign),
		cmocka_unit_test(shows_the_last_lines_without_control_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
