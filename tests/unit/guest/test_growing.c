/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is likely to grow, by path. */
#include "unit.h"

#include "guest/growing.h"

#include <string.h>

static const char *kind_of(const char *family, const char *path)
{
	const char *slash = strrchr(path, '/');
	int i = sv_growing_find(family, path, slash ? slash + 1 : path);

	return i < 0 ? "" : sv_growing_rule((size_t)i)->kind;
}

static void knows_places_of_each_system(void **state)
{
	static const struct {
		const char *family, *path, *kind;
	} cases[] = {
		{"windows", "/pagefile.sys", "page-file"},
		{"windows", "/PAGEFILE.SYS", "page-file"},
		{"windows", "/windows/winsxs", "update"},
		{"windows", "/Windows/WinSxS/x86_a", ""},
		{"windows", "/Users/Zoe/AppData/Local/Temp", "temporary"},
		{"windows", "/Users/Zoe/x/AppData/Local/Temp", ""},
		{"windows", "/Users/Zoe/mail.OST", "mail"},
		{"windows", "/var/log", ""},
		{"linux", "/var/log", "log"},
		{"linux", "/VAR/LOG", ""},
		{"linux", "/srv/var/log", ""},
		{"linux", "/var/log/journal", "log"},
		{"linux", "/home/al/.cache", "cache"},
		{"linux", "/pagefile.sys", ""},
		{"", "/data/disk.VHDX", "disk-image"},
		{"", "/var/lib/docker", ""},
		{"linux", "/", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(kind_of(cases[i].family, cases[i].path), cases[i].kind);
}

static void every_rule_says_why_and_what_to_do(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct sv_growing *r; (r = sv_growing_rule(n)); n++) {
		assert_true(*r->kind && *r->title);
		assert_int_equal(r->why[strlen(r->why) - 1], '.');
		assert_true(strlen(r->remedy) > 10);
	}
	assert_true(n > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_places_of_each_system),
		cmocka_unit_test(every_rule_says_why_and_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
