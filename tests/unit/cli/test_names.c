/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files with several names, met in any order. */
#include "unit.h"

#include "cli/names.h"

#include <string.h>

static void tells_the_first_name_to_the_others(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_names names = {0};

	(void)state;
	assert_null(sv_names_find(&names, 0, 7));
	assert_ok(sv_names_add(&names, 0, 7, "a/first", 3, &err));
	assert_null(sv_names_find(&names, 0, 8));
	assert_null(sv_names_find(&names, 1, 7)); /* of another volume */
	assert_string_equal(sv_names_find(&names, 0, 7), "a/first");
	assert_string_equal(sv_names_find(&names, 0, 7), "a/first");
	/* more names than it said: a damaged count */
	assert_null(sv_names_find(&names, 0, 7));
	sv_names_free(&names);
}

static void holds_many_at_once(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_names names = {0};
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(path, sizeof path, "file %u", i);
		assert_ok(sv_names_add(&names, 0, i * 64ull, path, 2, &err));
	}
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(path, sizeof path, "file %u", i);
		assert_string_equal(sv_names_find(&names, 0, i * 64ull), path);
	}
	sv_names_free(&names);
}

/* Files that come and go take no more room than those that wait at one time. */
static void forgets_what_is_complete(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_names names = {0};

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		assert_ok(sv_names_add(&names, 0, i, "x", 2, &err));
		assert_non_null(sv_names_find(&names, 0, i));
	}
	assert_true(names.cap <= 128);
	sv_names_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_first_name_to_the_others),
		cmocka_unit_test(holds_many_at_once),
		cmocka_unit_test(forgets_what_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
