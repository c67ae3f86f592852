/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "samples.h"
#include "vm/vmx.h"

static struct sv_vmx *parse(const char *text)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmx *vmx = NULL;

	assert_ok(sv_vmx_parse(text, strlen(text), &vmx, &err));
	return vmx;
}

static void assert_prints(const struct sv_vmx *vmx, const char *want)
{
	size_t n = 0;
	char *text = sv_vmx_print(vmx, &n, NULL);

	assert_string_equal(text, want);
	assert_int_equal(n, strlen(want));
	free(text);
}

static void prints_what_it_parsed_byte_for_byte(void **state)
{
	static const char *const texts[] = {WORKSTATION_VMX, FUSION_VMX, FUSION_VMSD, "", "\n",
		"x", "a = \"1",
		"#!/usr/bin/vmware\n\n  a=b # c\n\r\n= \"\"\n\xef\xbb\xbf x\na\n=",
		"a = \"1\"\na = \"2\" no comment"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct sv_vmx *vmx = parse(texts[i]);

		assert_prints(vmx, texts[i]);
		sv_vmx_free(vmx);
	}
}

static void finds_names_without_case_and_the_last_duplicate(void **state)
{
	struct sv_vmx *vmx = parse("Ethernet0.present = \"TRUE\"\nmemSize = \"512\"\n"
				   "MEMSIZE = \"1024\"\nmemsizes = \"7\"\n");

	(void)state;
	assert_string_equal(sv_vmx_get(vmx, "memsize"), "1024");
	assert_string_equal(sv_vmx_getf(vmx, "ethernet%d.%s", 0, "PRESENT"), "TRUE");
	assert_true(sv_vmx_is_true(vmx, "ethernet0.present"));
	assert_null(sv_vmx_get(vmx, "memsiz"));
	assert_false(sv_vmx_is_true(vmx, "absent"));
	assert_false(sv_vmx_has(vmx, "absent"));
	sv_vmx_free(vmx);
}

static void reads_escapes_quotes_comments_and_bare_words(void **state)
{
	struct sv_vmx *vmx = parse("\xef\xbb\xbf"
				   "first = \"x\"\n"
				   "\ta\t=\t\"say |22hi|22 |7c |7C\"  # comment\n"
				   "bare = word # comment\n"
				   "odd = \"|2 |zz |00 |\"\n"
				   "hash = \"a # b\"\n"
				   "#out = \"x\"\n"
				   "junk = \"x\" y\n"
				   "open = \"x\n"
				   "empty =\n");

	(void)state;
	assert_string_equal(sv_vmx_get(vmx, "first"), "x");
	assert_string_equal(sv_vmx_get(vmx, "a"), "say \"hi\" | |");
	assert_string_equal(sv_vmx_get(vmx, "bare"), "word");
	assert_string_equal(sv_vmx_get(vmx, "odd"), "|2 |zz |00 |");
	assert_string_equal(sv_vmx_get(vmx, "hash"), "a # b");
	assert_string_equal(sv_vmx_get(vmx, "empty"), "");
	assert_false(sv_vmx_has(vmx, "empty"));
	assert_null(sv_vmx_get(vmx, "#out"));
	assert_null(sv_vmx_get(vmx, "out"));
	assert_null(sv_vmx_get(vmx, "junk"));
	assert_null(sv_vmx_get(vmx, "open"));
	sv_vmx_free(vmx);
}

static void changes_one_line_and_leaves_the_others(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmx *vmx = parse("# mine\r\nA = \"1\"\r\nb=2\r\na = \"3\"\r\nlast = \"x\"");

	(void)state;
	assert_ok(sv_vmx_set(vmx, "a", "p\"q|r\n#", &err));
	assert_ok(sv_vmx_set(vmx, "new", "", &err));
	sv_vmx_remove(vmx, "B");
	sv_vmx_remove(vmx, "absent");
	assert_prints(
		vmx, "# mine\r\na = \"p|22q|7Cr|0A|23\"\r\nlast = \"x\"\r\nnew = \"\"\r\n");
	assert_string_equal(sv_vmx_get(vmx, "A"), "p\"q|r\n#");
	assert_null(sv_vmx_get(vmx, "b"));
	assert_ok(sv_vmx_set(vmx, "b", "again", &err));
	assert_string_equal(sv_vmx_get(vmx, "b"), "again");
	sv_vmx_free(vmx);
}

static void walks_each_name_once_with_the_value_that_counts(void **state)
{
	struct sv_vmx *vmx = parse("b = \"1\"\nA = \"2\"\nB = \"3\"\nc = \"4\"\n");
	const char *name, *value;
	char seen[64] = "";
	size_t pos = 0;

	(void)state;
	sv_vmx_remove(vmx, "c");
	while (sv_vmx_next(vmx, &pos, &name, &value))
		snprintf(
			seen + strlen(seen), sizeof seen - strlen(seen), "%s=%s ", name, value);
	assert_string_equal(seen, "A=2 B=3 ");
	sv_vmx_free(vmx);
}

static void converts_text_from_and_to_the_encoding_of_the_file(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmx *vmx = parse(WORKSTATION_VMX);
	char *name = sv_vmx_get_text(vmx, "displayname");

	(void)state;
	assert_string_equal(name, "B\xc3\xbcro \"PC\"");
	free(name);
	assert_ok(sv_vmx_set_text(vmx, "displayName", "caf\xc3\xa9", &err));
	assert_string_equal(sv_vmx_get(vmx, "displayName"), "caf\xe9");
	assert_fails(sv_vmx_set_text(vmx, "displayName", "\xe6\xbc\xa2", &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_true(err.hint[0] != 0);
	assert_string_equal(sv_vmx_get(vmx, "displayName"), "caf\xe9");
	sv_vmx_free(vmx);
}

static void reads_gbk_and_survives_unknown_encodings(void **state)
{
	struct sv_vmx *vmx =
		parse(".encoding = \"GBK\"\nn = \"\xd0\xe9\xc4\xe2\"\nbad = \"\xff\"\n");
	char *text = sv_vmx_get_text(vmx, "n");

	(void)state;
	assert_string_equal(text, "\xe8\x99\x9a\xe6\x8b\x9f");
	free(text);
	text = sv_vmx_get_text(vmx, "bad");
	assert_string_equal(text, "\xff");
	free(text);
	assert_null(sv_vmx_get_text(vmx, "absent"));
	sv_vmx_free(vmx);
	vmx = parse(".encoding = \"klingon\"\nn = \"\xd0\"\n");
	text = sv_vmx_get_text(vmx, "n");
	assert_string_equal(text, "\xd0");
	free(text);
	sv_vmx_free(vmx);
}

static void refuses_zero_bytes_and_huge_files(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmx *vmx = NULL;
	char *huge = calloc(1, SV_VMX_SIZE_MAX + 1);

	(void)state;
	assert_fails(sv_vmx_parse("a = \"\0\"\n", 8, &vmx, &err), SV_CORRUPT, 5);
	memset(huge, ' ', SV_VMX_SIZE_MAX + 1);
	assert_fails(
		sv_vmx_parse(huge, SV_VMX_SIZE_MAX + 1, &vmx, &err), SV_CORRUPT, UINT64_MAX);
	assert_ok(sv_vmx_parse(huge, SV_VMX_SIZE_MAX, &vmx, &err));
	sv_vmx_free(vmx);
	memset(huge, '\n', SV_VMX_LINES_MAX + 1);
	assert_ok(sv_vmx_parse(huge, SV_VMX_LINES_MAX, &vmx, &err));
	sv_vmx_free(vmx);
	assert_fails(sv_vmx_parse(huge, SV_VMX_LINES_MAX + 1, &vmx, &err), SV_CORRUPT,
		SV_VMX_LINES_MAX);
	sv_vmx_free(NULL);
	free(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_it_parsed_byte_for_byte),
		cmocka_unit_test(finds_names_without_case_and_the_last_duplicate),
		cmocka_unit_test(reads_escapes_quotes_comments_and_bare_words),
		cmocka_unit_test(changes_one_line_and_leaves_the_others),
		cmocka_unit_test(walks_each_name_once_with_the_value_that_counts),
		cmocka_unit_test(converts_text_from_and_to_the_encoding_of_the_file),
		cmocka_unit_test(reads_gbk_and_survives_unknown_encodings),
		cmocka_unit_test(refuses_zero_bytes_and_huge_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
