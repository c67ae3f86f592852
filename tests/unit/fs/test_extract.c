/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ntfs_judge.h"

#include "fs/extract.h"

static const char script[] =
	"head -c 2500000 /dev/urandom >plain; echo x >small; : >empty\n"
	"truncate -s 900M hole; printf middle | dd of=hole bs=1 seek=500000000 conv=notrunc "
	"status=none\n"
	"truncate -s 70000 nothing; (cat plain; head -c 3000000 /dev/zero) >zeros\n"
	"head -c 1500000 plain >small:stream\n";

static void extract(struct sv_fs *fs, const char *path, const char *stream, struct sv_dev *out)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t ino;

	assert_ok(sv_fs_lookup(fs, path, &ino, &err));
	assert_ok(sv_fs_extract(fs, ino, stream, out, NULL, &err));
}

/* Extracts to a host file and lets cmp(1) compare it with what the mount shows. */
static void same_as_in_the_mount(const struct fixture *f, struct sv_fs *fs, const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *out = NULL;
	char path[128];

	snprintf(path, sizeof path, "%s/out-%s", f->dir, name);
	assert_ok(sv_host_open(sv_host_posix(), path, SV_OPEN_CREATE, &out, &err));
	extract(fs, name, NULL, out);
	sv_dev_close(out);
	assert_int_equal(run("cmp '%s' '%s/mnt/%s'", path, f->dir, name), 0);
}

static uint64_t host_bytes(const struct fixture *f, const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_host_stat st = {0};
	char path[128];

	snprintf(path, sizeof path, "%s/out-%s", f->dir, name);
	assert_ok(sv_host_stat(sv_host_posix(), path, &st, &err));
	return st.allocated;
}

static void copies_files_and_keeps_their_holes(void **state)
{
	static const char *const names[] = {
		"plain", "small", "empty", "hole", "nothing", "zeros"};
	struct fixture f;
	struct sv_fs *fs;

	(void)state;
	fixture_ntfs(&f, "32M", "");
	free(fill(&f, "streams_interface=windows", script));
	fs = open_fs(&f);
	mount_ntfs(&f, "ro");
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++)
		same_as_in_the_mount(&f, fs, names[i]);
	/* the judge rejects a copy that differs in one byte */
	assert_int_equal(
		run("printf y | dd of='%s/out-small' conv=notrunc status=none", f.dir), 0);
	assert_int_not_equal(run("cmp -s '%s/out-small' '%s/mnt/small'", f.dir, f.dir), 0);
	assert_int_equal(
		run("\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" '%s/mnt'", f.dir), 0);
	assert_true(host_bytes(&f, "hole") <= 1 << 20);
	assert_int_equal(host_bytes(&f, "nothing"), 0);
	assert_true(host_bytes(&f, "zeros") < 3 << 20);
	sv_fs_close(fs);
	fixture_free(&f);
}

static void copies_named_streams(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t *a = malloc(1500000), *b = malloc(1500000);
	struct sv_dev *plain, *out;
	struct fixture f;
	struct sv_fs *fs;

	(void)state;
	fixture_ntfs(&f, "32M", "");
	free(fill(&f, "streams_interface=windows", script));
	fs = open_fs(&f);
	out = sv_sparse_open(0, 4 << 20, "out", &err);
	plain = sv_sparse_open(0, 4 << 20, "plain", &err);
	extract(fs, "small", "stream", out);
	extract(fs, "plain", NULL, plain);
	assert_int_equal(sv_dev_size(out), 1500000);
	assert_ok(sv_dev_read(out, a, 1500000, 0, &err));
	assert_ok(sv_dev_read(plain, b, 1500000, 0, &err));
	assert_memory_equal(a, b, 1500000);
	sv_dev_close(out);
	sv_dev_close(plain);
	sv_fs_close(fs);
	fixture_free(&f);
	free(a);
	free(b);
}

static void stops_when_cancelled_or_without_room(void **state)
{
	struct sv_job job = {.cancel = true};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *out;
	struct fixture f;
	struct sv_fs *fs;
	uint64_t ino;

	(void)state;
	fixture_ntfs(&f, "32M", "");
	free(fill(&f, "streams_interface=windows", script));
	fs = open_fs(&f);
	out = sv_sparse_open(0, 1 << 20, "out", &err);
	assert_ok(sv_fs_lookup(fs, "plain", &ino, &err));
	assert_fails(sv_fs_extract(fs, ino, NULL, out, &job, &err), SV_CANCELLED, UINT64_MAX);
	assert_fails(sv_fs_extract(fs, ino, NULL, out, NULL, &err), SV_NOMEM, UINT64_MAX);
	assert_fails(sv_fs_extract(fs, 5, NULL, out, NULL, &err), SV_USAGE, UINT64_MAX);
	sv_dev_close(out);
	sv_fs_close(fs);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_files_and_keeps_their_holes),
		cmocka_unit_test(copies_named_streams),
		cmocka_unit_test(stops_when_cancelled_or_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
