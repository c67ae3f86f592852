/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes that other projects publish, some of them made by Windows: what EXPECTED.tsv of the
 * corpus (SHAREVM_CORPUS) says of entries, labels and serial numbers must be found.
 */
#include "fixture.h"

#include "base/hash.h"
#include "base/num.h"
#include "fs/fs.h"

struct found {
	unsigned files, dirs;
};

static int count(void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st)
{
	struct found *f = user;

	(void)parent, (void)name;
	if (st->attributes & 0x10)
		f->dirs++;
	else
		f->files++;
	return 0;
}

static void hash_of(struct sv_fs *fs, uint64_t ino, uint64_t size, char text[SV_SHA256_TEXT])
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t *bytes = malloc(size + 1), digest[SV_SHA256_SIZE];
	size_t got = 0;

	assert_ok(sv_fs_read(fs, ino, NULL, bytes, size, 0, &got, &err));
	assert_ok(sv_sha256_bytes(bytes, got, digest, &err));
	sv_hex(digest, sizeof digest, text);
	free(bytes);
}

/* "/path<TAB>type=file size=N sha256=HEX" or "type=dir" */
static void check_entry(struct sv_fs *fs, const char *path, const char *value)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_stat st = {0};
	char hash[SV_SHA256_TEXT], want[300];
	uint64_t ino;

	assert_ok(sv_fs_lookup(fs, path, &ino, &err));
	assert_ok(sv_fs_stat(fs, ino, &st, &err));
	if (sv_starts_with(value, "type=dir")) {
		assert_int_equal(st.type, SV_FS_DIR);
		return;
	}
	hash_of(fs, ino, st.size, hash);
	snprintf(want, sizeof want, "type=file size=%llu sha256=%s",
		(unsigned long long)st.size, hash);
	if (!sv_starts_with(value, want))
		fail_msg("%s: found %s, expected %s", path, want, value);
}

/* One fact; those of other kinds are not about the file system. True when it was checked. */
static bool check_fact(struct sv_fs *fs, const char *key, const char *value)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	struct found f = {0};
	unsigned files = 0, dirs = 0;

	assert_ok(sv_fs_info(fs, &info, &err));
	if (sv_starts_with(key, "fs.label@")) {
		assert_string_equal(info.label, value);
	} else if (sv_starts_with(key, "fs.uuid@")) {
		assert_string_equal(info.uuid, value);
	} else if (sv_starts_with(key, "entries@")) {
		assert_true(sscanf(value, "file=%u dir=%u", &files, &dirs) >= 1);
		assert_ok(sv_fs_walk(fs, count, &f, NULL, &err));
		assert_int_equal(f.files, files);
		assert_int_equal(f.dirs, dirs);
	} else if (sv_starts_with(key, "entry@") && sv_starts_with(value, "type=")) {
		check_entry(fs, strchr(key, '/'), value);
	} else {
		return false;
	}
	return true;
}

/* The facts of this file whose key names this sector. */
static unsigned check_facts(
	struct sv_fs *fs, const char *corpus, const char *file, unsigned sector)
{
	char command[600], line[4096], key[300], value[2000], at[16];
	unsigned checked = 0;
	FILE *p;

	snprintf(command, sizeof command,
		"awk -F'\\t' -v OFS='\\t' '$1 == \"%s\" { print $4, $5 }' '%s/EXPECTED.tsv'",
		file, corpus);
	snprintf(at, sizeof at, "@%u", sector);
	p = popen(command, "r");
	assert_non_null(p);
	while (fgets(line, sizeof line, p)) {
		if (sscanf(line, "%299[^\t]\t%1999[^\n]", key, value) == 2 && strstr(key, at) &&
			!strstr(key, " size"))
			checked += check_fact(fs, key, value);
	}
	assert_int_equal(pclose(p), 0);
	return checked;
}

static void check_file(const char *file, const char *format, unsigned sector)
{
	const char *corpus = getenv("SHAREVM_CORPUS");
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev, *volume;
	struct sv_fs *fs = NULL;
	struct fixture f;

	if (!corpus || run("test -f '%s/%s.xz'", corpus, file) != 0) {
		print_message("skip: no corpus folder (SHAREVM_CORPUS)\n");
		skip();
	}
	need_tool("qemu-img");
	fixture_make(&f);
	assert_int_equal(run("xz -dc '%s/%s.xz' >'%s/packed' && qemu-img convert -f %s -O raw "
			     "'%s/packed' '%s'",
				 corpus, file, f.dir, format, f.dir, f.image),
		0);
	dev = fixture_open(&f, false);
	volume = sv_window_open(
		dev, sector * 512ull, sv_dev_size(dev) - sector * 512ull, "volume", &err);
	assert_non_null(volume);
	assert_ok(sv_fs_open(volume, &fs, &err));
	assert_true(check_facts(fs, corpus, file, sector) >= 4);
	sv_fs_close(fs);
	sv_dev_close(volume);
	sv_dev_close(dev);
	fixture_free(&f);
}

static void finds_what_mkntfs_volumes_hold(void **state)
{
	(void)state;
	check_file("dfvfs/ntfs.raw", "raw", 0);
	check_file("dfvfs/windows_volume.qcow2", "qcow2", 0);
	check_file("forensics-samples/fs.multiple", "raw", 391168);
}

static void finds_what_volumes_made_by_windows_hold(void **state)
{
	(void)state;
	check_file("dfvfs/ntfs-dynamic.vhd", "vpc", 128);
	check_file("dfvfs/ntfs-fixed.vhd", "vpc", 128);
	check_file("dfvfs/ntfs-dynamic.vhdx", "vhdx", 128);
	check_file("dfvfs/ntfs-fixed.vhdx", "vhdx", 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_mkntfs_volumes_hold),
		cmocka_unit_test(finds_what_volumes_made_by_windows_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
