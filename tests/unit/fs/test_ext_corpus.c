/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes that other projects publish: what EXPECTED.tsv of the corpus (see corpus.h) says of
 * entries, attributes, labels and serial numbers must be found.
 */
#include "corpus.h"
#include "ext_judge.h"

struct found {
	unsigned files, dirs, links;
};

static int count(void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st)
{
	struct found *f = user;

	(void)parent, (void)name;
	f->files += st->type == SV_FS_FILE;
	f->dirs += st->type == SV_FS_DIR;
	f->links += st->type == SV_FS_SYMLINK;
	return 0;
}

static uint64_t ino_of(struct sv_fs *fs, const char *path, struct sv_fs_stat *ret)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t ino = 0;

	assert_ok(sv_fs_lookup(fs, path, &ino, &err));
	assert_ok(sv_fs_stat(fs, ino, ret, &err));
	return ino;
}

/* "type=file size=N sha256=HEX", "type=dir", "type=symlink size=N target=PATH" */
static void check_entry(struct sv_fs *fs, const char *path, const char *want)
{
	sv_autostr struct sv_str got = {0};
	struct sv_err err = SV_ERR_INIT;
	sv_autofree char *target = NULL;
	struct sv_fs_stat st;
	uint64_t ino = ino_of(fs, path, &st);
	struct sv_str content = {0};

	if (st.type == SV_FS_DIR) {
		sv_str_add(&got, "type=dir");
	} else if (st.type == SV_FS_SYMLINK) {
		target = sv_fs_readlink(fs, ino, &err);
		sv_str_addf(&got, "type=symlink size=%" PRIu64 " target=%s", st.size, target);
	} else {
		add_content(&content, fs, &st);
		sv_str_addf(&got, "type=file size=%" PRIu64 " sha256=%s", st.size,
			strchr(content.data, ' ') + 1);
		sv_str_free(&content);
	}
	assert_string_equal(got.data, want);
}

struct wanted {
	const char *name, *value;
	bool found;
};

static int look_for(void *user, const char *name, const void *value, size_t n)
{
	struct wanted *w = user;

	if (strcmp(name, w->name) == 0)
		w->found = n == strlen(w->value) && memcmp(value, w->value, n) == 0;
	return 0;
}

/* NAME="VALUE" */
static void check_xattr(struct sv_fs *fs, const char *path, const char *want)
{
	sv_autofree char *name = strndup(want, strcspn(want, "="));
	const char *quoted = want + strlen(name) + 2;
	sv_autofree char *value = strndup(quoted, strlen(quoted) - 1);
	struct wanted w = {.name = name, .value = value};
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_stat st;

	assert_ok(sv_fs_xattrs(fs, ino_of(fs, path, &st), look_for, &w, &err));
	assert_true(w.found);
}

static void check_counts(struct sv_fs *fs, const char *value)
{
	struct sv_err err = SV_ERR_INIT;
	struct found f = {0};
	char text[80];

	assert_ok(sv_fs_walk(fs, count, &f, NULL, &err));
	snprintf(text, sizeof text, "file=%u dir=%u symlink=%u", f.files, f.dirs, f.links);
	if (!f.links)
		snprintf(text, sizeof text, "file=%u dir=%u", f.files, f.dirs);
	if (!f.links && !f.dirs)
		snprintf(text, sizeof text, "file=%u", f.files);
	assert_string_equal(text, value);
}

/* One fact; true when it was checked. */
static bool check_fact(struct sv_fs *fs, const char *key, const char *value)
{
	struct sv_err err = SV_ERR_INIT;
	const char *path = strchr(key, '/');
	struct sv_fs_info info;

	assert_ok(sv_fs_info(fs, &info, &err));
	if (sv_starts_with(key, "fs.type@") && strcmp(value, "vfat") == 0)
		assert_true(sv_starts_with(info.type, "fat"));
	else if (sv_starts_with(key, "fs.block_size@") && sv_starts_with(info.type, "fat"))
		return false; /* blkid tells the sector there */
	else if (sv_starts_with(key, "fs.type@"))
		assert_string_equal(info.type, value);
	else if (sv_starts_with(key, "fs.label@"))
		assert_string_equal(info.label, value);
	else if (sv_starts_with(key, "fs.uuid@"))
		assert_string_equal(info.uuid, value);
	else if (sv_starts_with(key, "fs.block_size@"))
		assert_int_equal(info.block_size, atoi(value));
	else if (sv_starts_with(key, "entries@"))
		check_counts(fs, value);
	else if (sv_starts_with(key, "entry@") && sv_starts_with(value, "type="))
		check_entry(fs, path, value);
	else if (sv_starts_with(key, "xattr@"))
		check_xattr(fs, path, value);
	else
		return false;
	return true;
}

/* The facts about the volume at a sector of a raw image; at least `least` of them. */
static void check_volume(
	const struct corpus *c, const char *file, uint64_t sector, unsigned least)
{
	sv_autofree char *at = sv_format("@%" PRIu64, sector);
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev, *volume;
	struct sv_fs *fs = NULL;
	unsigned checked = 0;
	size_t n;
	sv_autofree uint8_t *bytes = corpus_file(c, file, &n);

	dev = sv_mem_open(bytes, n, false, file, &err);
	volume = sv_window_open(dev, sector * 512, n - sector * 512, "volume", &err);
	assert_ok(sv_fs_open(volume, &fs, &err));
	for (unsigned nth = 0;; nth++) {
		sv_autofree char *key = corpus_row(c, file, "", nth, 3);
		sv_autofree char *value = corpus_row(c, file, "", nth, 4);
		const char *found = key ? strstr(key, at) : NULL;

		if (!key)
			break;
		if (found && strchr(":", found[strlen(at)]))
			checked += check_fact(fs, key, value);
	}
	assert_true(checked >= least);
	sv_fs_close(fs);
	sv_dev_close(volume);
	sv_dev_close(dev);
}

static void finds_what_published_volumes_hold(void **state)
{
	const struct corpus *c = *state;

	check_volume(c, "dfvfs/ext2.raw", 0, 12);
	check_volume(c, "dfvfs/ext4.raw", 0, 12);
	check_volume(c, "dfvfs/ímynd.dd", 0, 8);
	check_volume(c, "dfvfs/fat12.raw", 0, 8);
}

static void finds_them_within_partitions(void **state)
{
	const struct corpus *c = *state;

	check_volume(c, "dfvfs/mbr.raw", 1, 11);
	check_volume(c, "dfvfs/gpt.raw", 2048, 11);
	check_volume(c, "dfvfs/gpt.raw", 4096, 11);
	check_volume(c, "forensics-samples/fs.multiple", 227328, 7);
	check_volume(c, "forensics-samples/fs.multiple", 2048, 6); /* btrfs */
}

int main(void)
{
	struct corpus c;
	struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(finds_what_published_volumes_hold, &c),
		cmocka_unit_test_prestate(finds_them_within_partitions, &c),
	};
	int rc;

	if (!corpus_begin(&c))
		return 77;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	corpus_end(&c);
	return rc;
}
