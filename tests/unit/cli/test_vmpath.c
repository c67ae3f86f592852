/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "cli/vmpath.h"

#include <fcntl.h>
#include <unistd.h>

static int set_up(void **state)
{
	char *top = strdup("/tmp/sharevm-vmpath-XXXXXX");

	*state = top;
	if (!mkdtemp(top) || chdir(top))
		return -1;
	close(open("win.vmx", O_CREAT | O_WRONLY, 0644));
	close(open("a:b.vmx", O_CREAT | O_WRONLY, 0644));
	return 0;
}

static int tear_down(void **state)
{
	unlink("win.vmx");
	unlink("a:b.vmx");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(*state), 0);
	free(*state);
	return 0;
}

static void splits_where_the_machine_ends(void **state)
{
	static const struct {
		const char *text, *vm, *inside;
	} cases[] = {
		{"win.vmx", "win.vmx", NULL},
		{"win.vmx:", "win.vmx", ""},
		{"win.vmx:C:/Users", "win.vmx", "C:/Users"},
		{"win.vmx:C:\\Users", "win.vmx", "C:\\Users"},
		{"win.vmx:@disk0p2:/x", "win.vmx", "@disk0p2:/x"},
		{"win.vmx:/etc/fstab", "win.vmx", "/etc/fstab"},
		{"./win.vmx:/a:b", "./win.vmx", "/a:b"},
		{"a:b.vmx", "a:b.vmx", NULL},
		{"a:b.vmx:C:/x", "a:b.vmx", "C:/x"},
		{"missing:C:/x", "missing", "C:/x"},
	};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct sv_vmpath p = {0};

		assert_ok(sv_vmpath_parse(sv_host_posix(), cases[i].text, &p, &err));
		assert_string_equal(p.vm, cases[i].vm);
		if (cases[i].inside)
			assert_string_equal(p.inside, cases[i].inside);
		else
			assert_null(p.inside);
		sv_vmpath_free(&p);
	}
}

static void tells_how_a_place_is_written(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmpath p = {0};

	(void)state;
	assert_fails(sv_vmpath_parse(sv_host_posix(), ":/x", &p, &err), SV_USAGE, UINT64_MAX);
	assert_fails(sv_vmpath_parse_place(sv_host_posix(), "win.vmx", &p, &err), SV_USAGE,
		UINT64_MAX);
	assert_non_null(strstr(err.hint, "win.vmx:C:/Users"));
	assert_fails(sv_vmpath_parse_place(sv_host_posix(), "win.vmx:", &p, &err), SV_USAGE,
		UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_where_the_machine_ends),
		cmocka_unit_test(tells_how_a_place_is_written),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
