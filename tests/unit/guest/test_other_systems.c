/* SPDX-License-Identifier: GPL-3.0-or-later */
/* macOS and the BSDs, by their files and by their partitions; kernels known by their modules.
 */
#include "fs/fixture.h"

#include "base/num.h"
#include "guest/apps.h"
#include "guest/guest.h"

/* %s: what makes the files, in the folder "root" */
static const char script[] =
	"set -eu; cd '%s'; exec 2>log; mkdir -p root/etc root/bin; cd root\n"
	"echo '/dev/x / ufs rw 1 1' >etc/fstab\n%s\ncd ..\n"
	"mke2fs -q -F -t ext4 -d root image 8M\n";

static const struct {
	const char *files, *family, *product, *version, *hostname;
} systems[] = {
	{"mkdir -p System/Library/CoreServices\n"
	 "printf '<?xml?>\\n<dict>\\n\\t<key>ProductName</key>\\n\\t<string>Mac OS X</string>\\n"
	 "\\t<key>ProductVersion</key>\\n\\t<string>10.11.6</string>\\n</dict>\\n' "
	 ">System/Library/CoreServices/SystemVersion.plist",
		"macos", "Mac OS X", "10.11.6", ""},
	{"mkdir -p System/Library/CoreServices\n"
	 "printf bplist00 >System/Library/CoreServices/SystemVersion.plist",
		"macos", "macOS", "", ""},
	{"printf '#!/bin/sh\\nUSERLAND_VERSION=\"13.2-RELEASE-p4\"\\n' >bin/freebsd-version\n"
	 "echo 'hostname=\"beastie\"' >etc/rc.conf",
		"freebsd", "FreeBSD", "13.2-RELEASE-p4", "beastie"},
	{": >bsd; echo puffy.example.org >etc/myname\n"
	 "echo 'OpenBSD 7.4 (GENERIC.MP) #1397' >etc/motd",
		"openbsd", "OpenBSD", "7.4", "puffy.example.org"},
	{": >netbsd; echo 'NetBSD 9.3/amd64' >etc/release; echo hostname=orange >etc/rc.conf",
		"netbsd", "NetBSD", "9.3", "orange"},
};

static struct sv_guest *open_it(const struct fixture *f)
{
	struct sv_dev *dev = fixture_open(f, false);
	struct sv_err err = SV_ERR_INIT;
	struct sv_guest *g = NULL;

	assert_ok(sv_guest_open(&dev, 1, NULL, &g, &err));
	sv_dev_close(dev);
	return g;
}

static int no_app(void *user, const struct sv_guest_app *app)
{
	(void)user, (void)app;
	return 1;
}

static void tells_each_by_its_files(void **state)
{
	(void)state;
	need_tool("mke2fs");
	for (size_t i = 0; i < SV_ARRAY_LEN(systems); i++) {
		struct sv_err err = SV_ERR_INIT;
		struct sv_guest *g;
		struct fixture f;

		fixture_make(&f);
		assert_int_equal(run(script, f.dir, systems[i].files), 0);
		g = open_it(&f);
		assert_string_equal(g->os.family, systems[i].family);
		assert_string_equal(g->os.product, systems[i].product);
		assert_string_equal(g->os.version, systems[i].version);
		assert_string_equal(g->os.hostname, systems[i].hostname);
		assert_int_equal(g->os.volume, 0);
		assert_int_equal(g->n_others, 0);
		assert_fails(
			sv_guest_apps(g, no_app, NULL, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, systems[i].product));
		sv_guest_close(g);
		fixture_free(&f);
	}
}

static void tells_a_bsd_that_cannot_be_read_by_its_partition(void **state)
{
	static const char *const types[][2] = {
		{"a5", "FreeBSD"}, {"a6", "OpenBSD"}, {"a9", "NetBSD"}};

	(void)state;
	need_tool("sfdisk");
	for (size_t i = 0; i < SV_ARRAY_LEN(types); i++) {
		struct sv_guest *g;
		struct fixture f;

		fixture_make(&f);
		assert_int_equal(run("truncate -s 4M '%s'; echo 2048,4096,%s | "
				     "sfdisk -q -X dos '%s' 2>/dev/null",
					 f.image, types[i][0], f.image),
			0);
		g = open_it(&f);
		assert_string_equal(g->os.product, types[i][1]);
		assert_non_null(strcasestr(types[i][1], g->os.family));
		sv_guest_close(g);
		fixture_free(&f);
	}
}

static void tells_kernels_by_their_modules_where_boot_has_none(void **state)
{
	struct sv_guest *g;
	struct fixture f;

	(void)state;
	need_tool("mke2fs");
	fixture_make(&f);
	assert_int_equal(run(script, f.dir,
				 "mkdir -p lib/modules/6.1.0-9 lib/modules/6.1.0-13; "
				 ": >lib/modules/7.0; mkdir lib/modules/extra"),
		0);
	g = open_it(&f);
	assert_string_equal(g->os.family, "linux");
	assert_int_equal(g->os.n_kernels, 2);
	assert_string_equal(g->os.kernels[0], "6.1.0-13");
	sv_guest_close(g);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_each_by_its_files),
		cmocka_unit_test(tells_a_bsd_that_cannot_be_read_by_its_partition),
		cmocka_unit_test(tells_kernels_by_their_modules_where_boot_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
