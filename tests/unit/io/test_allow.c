/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/str.h"
#include "io/allow.h"

#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char root[64];
	char *home, *inside, *outside, *link;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sv_host *h = sv_host_posix();

	strcpy(f->root, "/tmp/sharevm-allow-XXXXXX");
	if (!mkdtemp(f->root))
		return -1;
	f->home = sv_format("%s/vm", f->root);
	f->inside = sv_format("%s/vm/disk", f->root);
	f->outside = sv_format("%s/secret", f->root);
	f->link = sv_format("%s/vm/link", f->root);
	if (mkdir(f->home, 0700) < 0 || sv_host_write_file(h, f->inside, "in", 2, NULL) < 0 ||
		sv_host_write_file(h, f->outside, "out", 3, NULL) < 0 ||
		symlink(f->outside, f->link) < 0)
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->link);
	unlink(f->inside);
	unlink(f->outside);
	rmdir(f->home);
	rmdir(f->root);
	free(f->home);
	free(f->inside);
	free(f->outside);
	free(f->link);
	free(f);
	return 0;
}

static void allows_files_of_the_own_folder(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	char *path;

	assert_ok(sv_allow_resolve(NULL, sv_host_posix(), f->home, "disk", &path, &err));
	assert_true(sv_ends_with(path, "/vm/disk"));
	free(path);
}

static void refuses_files_outside_and_links_to_them(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *h = sv_host_posix();
	char *path;

	assert_fails(sv_allow_resolve(NULL, h, f->home, "../secret", &path, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.hint, "--allow-path"));
	assert_fails(sv_allow_resolve(NULL, h, f->home, f->outside, &path, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_allow_resolve(NULL, h, f->home, "link", &path, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_fails(sv_allow_resolve(NULL, h, f->home, "../vm", &path, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_fails(sv_allow_resolve(NULL, h, f->home, "none", &path, &err), SV_NOTFOUND,
		UINT64_MAX);
}

static void allows_a_named_folder_and_a_recorded_file(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *h = sv_host_posix();
	struct sv_allow *dirs = sv_allow_new(&err), *files = sv_allow_new(&err);
	sv_autofree char *real = sv_host_real_path(h, f->outside, &err);
	struct sv_host_stat st;
	char *path;

	assert_ok(sv_allow_add_dir(dirs, h, f->root, &err));
	assert_ok(sv_allow_resolve(dirs, h, f->home, "../secret", &path, &err));
	free(path);
	assert_ok(sv_host_stat(h, real, &st, &err));
	assert_ok(sv_allow_add_file(files, real, st.size, st.mtime_sec, st.mtime_nsec, &err));
	assert_ok(sv_allow_resolve(files, h, f->home, "link", &path, &err));
	free(path);
	sv_allow_free(files);
	files = sv_allow_new(&err);
	assert_ok(
		sv_allow_add_file(files, real, st.size, st.mtime_sec - 1, st.mtime_nsec, &err));
	assert_fails(sv_allow_resolve(files, h, f->home, "link", &path, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_non_null(strstr(err.message, "changed"));
	sv_allow_free(files);
	sv_allow_free(dirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			allows_files_of_the_own_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			refuses_files_outside_and_links_to_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			allows_a_named_folder_and_a_recorded_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
