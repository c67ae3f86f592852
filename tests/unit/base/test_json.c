/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/json.h"

static void writes_nested_documents(void **state)
{
	struct sv_str out = {0};
	struct sv_json j;

	(void)state;
	sv_json_to_str(&j, &out);
	sv_json_object(&j);
	sv_json_kstring(&j, "schema", "sharevm.show/1");
	sv_json_key(&j, "disks");
	sv_json_array(&j);
	sv_json_u64(&j, 1);
	sv_json_object(&j);
	sv_json_kbool(&j, "a", true);
	sv_json_end_object(&j);
	sv_json_null(&j);
	sv_json_end_array(&j);
	sv_json_key(&j, "none");
	sv_json_array(&j);
	sv_json_end_array(&j);
	sv_json_ku64(&j, "n", UINT64_MAX);
	sv_json_end_object(&j);
	assert_string_equal(out.data,
		"{\"schema\":\"sharevm.show/1\",\"disks\":[1,{\"a\":true},"
		"null],\"none\":[],\"n\":18446744073709551615}");
	sv_str_free(&out);
}

static void escapes_strings_and_mends_utf8(void **state)
{
	struct sv_str out = {0};
	struct sv_json j;

	(void)state;
	sv_json_to_str(&j, &out);
	sv_json_string(&j, "q\"b\\n\n\x01\xC3\xAD\xF0\x9F\x98\x80\xFFz\xC3");
	assert_string_equal(out.data, "\"q\\\"b\\\\n\\n\\u0001\xC3\xAD\xF0\x9F\x98\x80\xEF\xBF"
				      "\xBDz\xEF\xBF\xBD\"");
	sv_str_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_nested_documents),
		cmocka_unit_test(escapes_strings_and_mends_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
