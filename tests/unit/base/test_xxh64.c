/* SPDX-License-Identifier: GPL-3.0-or-later */
/* XXH64: values of the project's own tools, of each way through the function. */
#include "unit.h"

#include "base/hash.h"

#include <string.h>

static void hashes_what_is_shorter_than_a_stripe(void **state)
{
	assert_true(sv_xxh64("", 0) == 0xef46db3751d8e999u);
	assert_true(sv_xxh64("a", 1) == 0xd24ec4f1a98c6e5bu);
	assert_true(sv_xxh64("abc", 3) == 0x44bc2cf5ad770999u);
}

static void hashes_stripes_and_what_is_behind_them(void **state)
{
	const char *text = "Nobody inspects the spammish repetition";

	assert_true(sv_xxh64(text, strlen(text)) == 0xfbcea83c8a378bf1u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_what_is_shorter_than_a_stripe),
		cmocka_unit_test(hashes_stripes_and_what_is_behind_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
