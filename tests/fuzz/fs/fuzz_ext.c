/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A whole ext volume: opened (its journal replayed where it has one), walked, listed, searched
 * and read; and grown, where it can be, in memory. The input stands for an image of up to 4 MiB
 * (sparse.h).
 */
#include "sparse.h"

#include "fs/driver.h"
#include "fs/extract.h"
#include "fs/grow.h"

#include <stdio.h>

#define OBJECTS_MAX 24
#define READ_MAX    (24u << 10)
#define STEPS_MAX   3000
#define GROWN_MAX   (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct visit {
	struct sv_fs *fs;
	uint64_t inos[OBJECTS_MAX];
	char names[OBJECTS_MAX][64];
	size_t n;
	size_t steps;
};

/* A failure must say what is wrong; nothing here may be our own bug. */
static void check(int rc, const struct sv_err *err)
{
	if (rc < 0 && (!err->message[0] || err->code == SV_OK || err->code == SV_INTERNAL))
		abort();
}

static int note_object(
	void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st)
{
	struct visit *v = user;

	(void)parent;
	if (strchr(name, '/') || !name[0])
		abort();
	if (v->n < OBJECTS_MAX) {
		v->inos[v->n] = st->ino;
		strncpy(v->names[v->n], name, 63);
		v->n++;
	}
	return ++v->steps > STEPS_MAX;
}

static int note_entry(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	(void)raw, (void)raw_len, (void)type;
	return note_object(user, 0, name, &(struct sv_fs_stat){.ino = ino});
}

static int note_extent(void *user, uint64_t file_off, uint64_t volume_off, uint64_t len)
{
	struct visit *v = user;

	(void)file_off, (void)volume_off;
	if (!len)
		abort();
	return ++v->steps > STEPS_MAX;
}

static int note_xattr(void *user, const char *name, const void *value, size_t n)
{
	const uint8_t *p = value;
	uint8_t sum = 0;

	(void)user;
	for (size_t i = 0; i < n; i++) /* all of it can be read */
		sum ^= p[i];
	return name[0] ? sum & 0 : 1;
}

static void read_some(struct sv_fs *fs, uint64_t ino, uint64_t size)
{
	const uint64_t places[] = {0, 70000, size / 2, size > 100 ? size - 100 : 0};
	struct sv_err err = SV_ERR_INIT;
	uint8_t *buf = malloc(READ_MAX);
	size_t got = 0;

	if (!buf)
		abort();
	for (size_t i = 0; i < SV_ARRAY_LEN(places); i++) {
		int rc = sv_fs_read(
			fs, ino, NULL, buf, i ? 4097 : READ_MAX, places[i], &got, &err);

		check(rc, &err);
		if (rc == 0 && got > READ_MAX)
			abort();
	}
	free(buf);
}

/* Into a device of at most 1 MiB: whatever size the file claims. */
static void extract(struct sv_fs *fs, uint64_t ino)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *out = sv_sparse_open(0, 1 << 20, "out", &err);

	if (!out)
		abort();
	check(sv_fs_extract(fs, ino, NULL, out, NULL, &err), &err);
	sv_dev_close(out);
}

static void use_object(struct visit *v, uint64_t ino)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_stat st = {0};
	struct visit inner = {.fs = v->fs};
	char *target;

	check(sv_fs_stat(v->fs, ino, &st, &err), &err);
	check(sv_fs_xattrs(v->fs, ino, note_xattr, v, &err), &err);
	check(sv_fs_extents(v->fs, ino, note_extent, v, &err), &err);
	if (st.type == SV_FS_DIR) {
		check(sv_fs_readdir(v->fs, ino, note_entry, &inner, &err), &err);
	} else if (st.type == SV_FS_SYMLINK) {
		target = sv_fs_readlink(v->fs, ino, &err);
		check(target ? 0 : -1, &err);
		free(target);
	}
	read_some(v->fs, ino, st.size);
	if (st.size <= 1 << 20)
		extract(v->fs, ino);
}

static void search(struct visit *v)
{
	struct sv_err err = SV_ERR_INIT;
	char path[160];
	uint64_t ino;

	for (size_t i = 0; i < v->n; i++) {
		snprintf(path, sizeof path, "/%s", v->names[i]);
		check(sv_fs_lookup(v->fs, path, &ino, &err), &err);
		snprintf(path, sizeof path, "/many/%s", v->names[i]);
		check(sv_fs_lookup(v->fs, path, &ino, &err), &err);
	}
}

static void use_volume(struct sv_fs *fs)
{
	struct visit v = {.fs = fs};
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;

	check(sv_fs_info(fs, &info, &err), &err);
	check(sv_fs_readdir(fs, 2, note_entry, &v, &err), &err);
	check(sv_fs_walk(fs, note_object, &v, NULL, &err), &err);
	search(&v);
	for (size_t i = 0; i < v.n; i++)
		use_object(&v, v.inos[i]);
	for (uint64_t ino = 0; ino < 14; ino++)
		use_object(&v, ino);
}

/* What passes the check grows, to the size that was planned, and opens again. */
static void grow(struct sv_dev *volume, uint64_t size, bool quick)
{
	struct sv_fs_grow_opts opts = {.quick = quick};
	struct sv_fs_grow_plan plan;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *overlay;
	struct sv_fs *fs = NULL;
	int rc = sv_fs_check_grow(volume, size, &opts, &plan, &err);

	check(rc, &err);
	if (rc < 0)
		return;
	if (plan.new_size > size || plan.new_size <= plan.old_size)
		abort();
	overlay = sv_overlay_open(volume, size, GROWN_MAX, "grown", &err);
	if (!overlay)
		abort();
	rc = sv_fs_grow(overlay, &opts, &err);
	check(rc, &err);
	if (rc == 0 && sv_ext_driver.open(overlay, &fs, &err) < 0)
		abort();
	sv_fs_close(fs);
	sv_dev_close(overlay);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs = NULL;
	size_t size = 0;
	uint8_t *image = sparse_image(bytes, n, &size);
	struct sv_dev *dev;
	int rc;

	if (!image)
		return 0;
	dev = sv_mem_open(image, size, false, "fuzz", &err);
	if (!dev)
		abort();
	rc = sv_ext_driver.open(dev, &fs, &err); /* not by probing: every input gets there */
	check(rc, &err);
	if (rc == 0)
		use_volume(fs);
	sv_fs_close(fs);
	grow(dev, size + (1u << 20), false);
	grow(dev, 40u << 20, true);
	sv_dev_close(dev);
	free(image);
	return 0;
}
