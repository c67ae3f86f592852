/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fstab and os-release as people and installers write them. */
#include "unit.h"

#include "guest/fstab.h"

static void reads_lines_of_every_kind(void **state)
{
	static const char text[] =
		"# comment\n\n"
		"UUID=abc / ext4 defaults 0 1\n"
		"  LABEL=my\\040data\t/mnt/my\\040data\text4\trw,subvol=/@,noauto 0 0\r\n"
		"broken line\n"
		"/dev/sda2 none swap sw\n"
		"proc /proc proc\n";
	struct sv_err err = SV_ERR_INIT;
	struct sv_fstab t = {0};
	char *option;

	(void)state;
	assert_ok(sv_fstab_parse(text, &t, &err));
	assert_int_equal(t.n, 4);
	assert_string_equal(t.entries[0].spec, "UUID=abc");
	assert_string_equal(t.entries[0].dir, "/");
	assert_string_equal(t.entries[0].type, "ext4");
	assert_string_equal(t.entries[1].spec, "LABEL=my data");
	assert_string_equal(t.entries[1].dir, "/mnt/my data");
	assert_string_equal(t.entries[3].options, "");
	option = sv_fstab_option(&t.entries[1], "subvol");
	assert_string_equal(option, "/@");
	free(option);
	option = sv_fstab_option(&t.entries[1], "noauto");
	assert_string_equal(option, "");
	free(option);
	assert_null(sv_fstab_option(&t.entries[1], "sub"));
	assert_null(sv_fstab_option(&t.entries[0], "noauto"));
	sv_fstab_free(&t);
}

static void reads_values_as_a_shell_does(void **state)
{
	static const char text[] =
		"NAME=Alpine\nPRETTY_NAME=\"Say \\\"hi\\\" \\$1\"\n"
		"ID='void linux'\n#NAME=no\nVERSION_ID=3.1 # new\nNAME=Last\n";
	static const struct {
		const char *key, *value;
	} expected[] = {
		{"NAME", "Last"},
		{"PRETTY_NAME", "Say \"hi\" $1"},
		{"ID", "void linux"},
		{"VERSION_ID", "3.1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		char *value = sv_shell_value(text, expected[i].key);

		assert_string_equal(value, expected[i].value);
		free(value);
	}
	assert_null(sv_shell_value(text, "VERSION"));
	assert_null(sv_shell_value("", "NAME"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines_of_every_kind),
		cmocka_unit_test(reads_values_as_a_shell_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
