/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzzers of block formats do with an image that could be opened, all of it through
 * the frame (sv_image_open): map, read, write, discard, check and grow. What the check calls
 * sound must stay sound, must read back as it was written, and must show zeros where it grew.
 *
 * The host has two files: the input, and, where the fuzzer makes one, the parent that the input
 * asks for, which is found under every other name. All its bytes are PARENT_BYTE.
 */
#ifndef SV_TESTS_FUZZ_BLOCK_H
#define SV_TESTS_FUZZ_BLOCK_H

#include "image/image.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY      (64U << 20)
#define STEPS       1000 /* runs of one walk */
#define INPUT_MAX   (1U << 20)
#define CHANGE_MAX  20000 /* bytes of one write */
#define MARGIN      4096U /* bytes around it that must not change */
#define PARENT_BYTE 0x5b
#define GROW_MAX    (16 * SV_GIB) /* what libFuzzer has memory for */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static inline void require(bool held)
{
	if (!held)
		abort();
}

static inline void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

/* ---- the host ---- */

struct block_host {
	struct sv_host h;
	struct sv_dev *image, *parent; /* parent: may be NULL */
};

static inline struct block_host *host_of(struct sv_host *h)
{
	return (struct block_host *)h;
}

static inline struct sv_dev *host_file(struct sv_host *h, const char *path)
{
	return strcmp(path, "/d/image") ? host_of(h)->parent : host_of(h)->image;
}

static inline int no_file(const char *path, struct sv_err *err)
{
	return sv_fail(err, SV_NOTFOUND, path, "there is no such file");
}

static inline int host_open(struct sv_host *h, const char *path, unsigned flags,
	struct sv_dev **ret, struct sv_err *err)
{
	struct sv_dev *d = host_file(h, path);

	(void)flags;
	if (!d)
		return no_file(path, err);
	*ret = sv_dev_ref(d);
	return 0;
}

static inline int host_stat(struct sv_host *h, const char *path, bool follow,
	struct sv_host_stat *ret, struct sv_err *err)
{
	struct sv_dev *d = host_file(h, path);

	(void)follow;
	if (!d)
		return no_file(path, err);
	*ret = (struct sv_host_stat){
		.type = SV_HOST_FILE, .size = sv_dev_size(d), .allocated = 4096};
	return 0;
}

static inline int host_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	(void)h;
	(void)path;
	(void)err;
	*ret = calloc(1, sizeof **ret);
	require(*ret != NULL);
	(*ret)[0] = strdup("parent.vdi");
	*ret_n = 1;
	return 0;
}

static inline char *host_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	if (host_file(h, path))
		return strdup(path);
	no_file(path, err);
	return NULL;
}

static inline struct block_host block_host(struct sv_dev *image, struct sv_dev *parent)
{
	static const struct sv_host_ops ops = {.open = host_open,
		.stat = host_stat,
		.list = host_list,
		.real_path = host_real_path};

	return (struct block_host){{&ops}, image, parent};
}

/* The input and `zeros` bytes behind it, as a file. */
static inline struct sv_dev *load(const uint8_t *bytes, size_t n, uint64_t zeros)
{
	struct sv_dev *d = sv_sparse_open(n + zeros, MEMORY, "input", NULL);

	require(d && sv_dev_write(d, bytes, n, 0, NULL) == 0);
	return d;
}

static inline void put(struct sv_dev *d, const void *bytes, size_t n, uint64_t at)
{
	if (sv_dev_size(d) < at + n)
		require(sv_dev_resize(d, at + n, NULL) == 0);
	require(sv_dev_write(d, bytes, n, at, NULL) == 0);
}

static inline void put_filled(struct sv_dev *d, int byte, size_t n, uint64_t at)
{
	uint8_t *bytes = malloc(n);

	require(bytes != NULL);
	memset(bytes, byte, n);
	put(d, bytes, n, at);
	free(bytes);
}

/* ---- what is done with an image ---- */

static inline struct sv_image *block_open(
	struct block_host *h, const char *format, bool writable, bool alone)
{
	struct sv_image_opts opts = {.writable = writable, .alone = alone, .format = format};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	if (sv_image_open(&h->h, "/d/image", &opts, &img, &err) < 0)
		must_say(&err);
	return img;
}

static inline bool sound(struct block_host *h, const char *format)
{
	struct sv_image_opts opts = {.format = format};
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	if (sv_image_check(&h->h, "/d/image", &opts, &faults, NULL, &err) < 0) {
		must_say(&err);
		return false;
	}
	return !faults.errors;
}

static inline void walk(struct sv_dev *d)
{
	uint64_t size = sv_dev_size(d), off = 0;
	struct sv_err err = SV_ERR_INIT;
	uint8_t buf[8192];
	struct sv_extent e;

	for (int i = 0; i < STEPS && off < size; i++) {
		if (sv_dev_extent(d, off, size - off, &e, &err) < 0) {
			must_say(&err);
			e.length = SV_MIN(size - off, UINT64_C(65536));
		} else {
			require(e.length && e.length <= size - off);
			if (sv_dev_read(d, buf, SV_MIN(e.length, sizeof buf), off, &err) < 0)
				must_say(&err);
			else if (e.kind != SV_EXTENT_DATA)
				require(sv_is_zero(buf, SV_MIN(e.length, sizeof buf)));
		}
		off += e.length;
	}
}

/* A write or a discard, and a look at it and at what lies around it. */
static inline void change(struct sv_dev *d, uint64_t off, bool discard, bool ok)
{
	uint8_t data[CHANGE_MAX], before[CHANGE_MAX + 2 * MARGIN], after[sizeof before];
	uint64_t size = sv_dev_size(d), n = SV_MIN(size - off, sizeof data);
	uint64_t from = off - SV_MIN(off, (uint64_t)MARGIN);
	size_t all = (size_t)(SV_MIN(size, off + n + MARGIN) - from);
	struct sv_err err = SV_ERR_INIT;
	int rc;

	ok = ok && sv_dev_read(d, before, all, from, NULL) == 0;
	memset(data, discard ? 0 : 0xd7, sizeof data);
	rc = discard ? sv_dev_discard(d, off, n, &err) : sv_dev_write(d, data, n, off, &err);
	if (rc < 0) {
		must_say(&err);
		require(!ok || err.code == SV_NOSPACE || err.code == SV_NOMEM);
	} else if (ok) {
		memcpy(before + (off - from), data, n);
		require(sv_dev_read(d, after, all, from, NULL) == 0);
		require(!memcmp(before, after, all));
	}
}

/* `seed` chooses the places. Returns false where the image cannot be written. */
static inline bool change_all(struct block_host *h, const char *format, uint64_t seed, bool ok)
{
	struct sv_image *img = block_open(h, format, true, false);
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;

	if (!img)
		return false;
	d = sv_image_dev(img);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t off = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) % sv_dev_size(d);

		change(d, i % 2 ? off : sv_align_down(off, 4096), i % 3 == 1, ok);
		if (i == 5 && sv_dev_flush(d, &err) < 0)
			must_say(&err);
	}
	if (sv_dev_flush(d, &err) < 0)
		must_say(&err);
	walk(d);
	sv_image_close(img);
	require(!ok || sound(h, format));
	return true;
}

static inline void grow_image(struct block_host *h, struct sv_image *img, bool ok)
{
	struct sv_dev *d = sv_image_dev(img);
	uint64_t size = sv_dev_size(d), read = SV_MIN(size, UINT64_C(8192));
	uint64_t more = sv_align_up(size + size / 2, SV_SECTOR) + 77 * SV_SECTOR;
	uint8_t before[8192], after[65536];
	struct sv_err err = SV_ERR_INIT;

	ok = ok && sv_dev_read(d, before, read, 0, NULL) == 0;
	if (more > GROW_MAX)
		return;
	if (sv_image_grow(img, more, &err) < 0) {
		must_say(&err);
		return;
	}
	if (!ok)
		return;
	require(sv_dev_read(d, after, read, 0, NULL) == 0 && !memcmp(before, after, read));
	for (uint64_t off = size; off < more && off < size + SV_MIB; off += sizeof after) {
		uint64_t n = SV_MIN(more - off, sizeof after);

		require(sv_dev_read(d, after, n, off, NULL) == 0 && sv_is_zero(after, n));
	}
	change(d, size - SV_MIN(size, UINT64_C(700)), false, ok);
	if (sv_dev_flush(d, &err) < 0)
		must_say(&err);
	require(sound(h, sv_image_link(img, 0)->format));
}

static inline void exercise(struct block_host *h, const char *format, uint64_t seed)
{
	bool ok = sound(h, format);
	struct sv_image *img = block_open(h, format, false, true);

	if (img)
		walk(sv_image_dev(img));
	sv_image_close(img);
	img = block_open(h, format, false, false);
	if (img)
		walk(sv_image_dev(img));
	sv_image_close(img);
	if (!change_all(h, format, seed, ok))
		return;
	img = block_open(h, format, true, false);
	require(img || !ok);
	if (img)
		grow_image(h, img, ok);
	sv_image_close(img);
}

#endif
