/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of images share: a scratch folder, patterns, and qemu-img and qemu-io as
 * independent readers and writers. A test that needs them is skipped (exit code 77) where
 * they are missing.
 */
#ifndef SV_TESTS_IMAGE_SCRATCH_H
#define SV_TESTS_IMAGE_SCRATCH_H

#include "unit.h"

#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"
#include "image/image.h"
#include "tempdir.h"

#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* ---- the folder ---- */

struct scratch {
	char dir[64];
	char *path[16]; /* results of at(), in turn */
	unsigned next;
};

static inline int make_scratch(void **state)
{
	struct scratch *s = calloc(1, sizeof *s);
	const char *tmp = getenv("TMPDIR");

	snprintf(s->dir, sizeof s->dir, "%s/sharevm-image-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(s->dir))
		return -1;
	*state = s;
	return 0;
}

static inline int drop_scratch(void **state)
{
	struct scratch *s = *state;

	nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < SV_ARRAY_LEN(s->path); i++)
		free(s->path[i]);
	free(s);
	return 0;
}

/* DIR/NAME; valid for the next 16 calls. */
static inline const char *at(struct scratch *s, const char *name)
{
	char **path = &s->path[s->next++ % 16];

	free(*path);
	*path = sv_format("%s/%s", s->dir, name);
	return *path;
}

/* ---- programs ---- */

/* The exit code; what it prints goes to the file `out`, or nowhere. */
static inline int run_program(const char *out, const char *const argv[])
{
	posix_spawn_file_actions_t files;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(
		&files, 1, out ? out : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)argv, environ))
		status = -1;
	else if (waitpid(pid, &status, 0) != pid)
		status = -1;
	posix_spawn_file_actions_destroy(&files);
	return status < 0 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

#define run(...)          run_program(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define run_to(file, ...) run_program(file, (const char *const[]){__VA_ARGS__, NULL})

static inline void need_qemu(void)
{
	if (run("qemu-img", "--version") || run("qemu-io", "--version")) {
		fprintf(stderr, "qemu-img and qemu-io are missing: skipped\n");
		exit(77);
	}
}

static inline uint64_t qemu_size(struct scratch *s, const char *path)
{
	const char *out = at(s, "info.json");
	struct sv_err err = SV_ERR_INIT;
	json_t *doc;
	json_int_t size = 0;
	char *text;

	assert_int_equal(run_to(out, "qemu-img", "info", "--output=json", path), 0);
	text = sv_host_read_file(sv_host_posix(), out, 1 << 20, NULL, &err);
	assert_non_null(text);
	/* parsed, not searched: since QEMU 8 the files below have a "virtual-size" too */
	doc = json_loads(text, 0, NULL);
	assert_int_equal(json_unpack(doc, "{s:I}", "virtual-size", &size), 0);
	json_decref(doc);
	free(text);
	return (uint64_t)size;
}

/* Equal to qemu? (A tail of zeros more or less is equal to it: sizes are compared apart.) */
static inline bool qemu_says_equal(const char *a, const char *b)
{
	return run("qemu-img", "compare", a, b) == 0;
}

/* ---- content ---- */

static inline void fill_pattern(uint8_t *buf, size_t n, unsigned seed)
{
	uint64_t x = seed * UINT64_C(2654435761) + 1;

	for (size_t i = 0; i < n; i += sizeof x) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(buf + i, &x, SV_MIN(n - i, sizeof x));
	}
}

static inline void write_pattern(struct sv_dev *d, uint64_t off, size_t n, unsigned seed)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t *buf = malloc(n);

	fill_pattern(buf, n, seed);
	assert_ok(sv_dev_write(d, buf, n, off, &err));
	free(buf);
}

/* The device's bytes in a new raw file: what other programs compare with. Small devices are
 * read from end to end, large ones without their holes. */
static inline void dump(struct sv_dev *d, const char *path)
{
	struct sv_host *host = sv_host_posix();
	struct sv_err err = SV_ERR_INIT;
	uint8_t *buf = malloc(1 << 20);
	uint64_t size = sv_dev_size(d);
	struct sv_dev *out = NULL;
	struct sv_extent e;

	assert_ok(sv_host_open(host, path, SV_OPEN_CREATE, &out, &err));
	assert_ok(sv_dev_resize(out, size, &err));
	for (uint64_t off = 0; off < size; off += e.length) {
		assert_ok(sv_dev_extent(d, off, size, &e, &err));
		if (e.kind != SV_EXTENT_DATA && size > 256 * SV_MIB)
			continue;
		e.length = SV_MIN(e.length, SV_MIB);
		assert_ok(sv_dev_read(d, buf, e.length, off, &err));
		if (!sv_is_zero(buf, e.length))
			assert_ok(sv_dev_write(out, buf, e.length, off, &err));
	}
	sv_dev_close(out);
	free(buf);
}

static inline struct sv_image *open_image(const char *path, bool writable)
{
	struct sv_image_opts opts = {.writable = writable};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	assert_ok(sv_image_open(sv_host_posix(), path, &opts, &img, &err));
	return img;
}

/* What we read of the image is what qemu reads of it. */
static inline void assert_reads_like_qemu(struct scratch *s, const char *path)
{
	struct sv_image *img = open_image(path, false);
	const char *raw = at(s, "dump.raw");

	unlink(raw);
	dump(sv_image_dev(img), raw);
	assert_int_equal(sv_dev_size(sv_image_dev(img)), qemu_size(s, path));
	sv_image_close(img);
	assert_true(qemu_says_equal(path, raw));
	unlink(raw);
}

static inline void make_image(const char *path, const char *format, const char *kind,
	uint64_t size, struct sv_image *parent)
{
	struct sv_image_spec spec = {format, kind, size, parent, NULL, NULL};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_create(sv_host_posix(), path, &spec, &err));
}

/* ---- faults ---- */

struct found {
	char first[256]; /* "offset: message" of the first */
	uint64_t offset;
};

static inline void note_fault(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct found *f = user;

	(void)leak;
	(void)path;
	if (*f->first)
		return;
	snprintf(f->first, sizeof f->first, "%llu: %s", (unsigned long long)offset, message);
	f->offset = offset;
}

static inline void assert_sound(const char *path)
{
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	if (faults.errors || faults.leaks)
		fail_msg("%s: %llu errors, %llu leaks: %s", path,
			(unsigned long long)faults.errors, (unsigned long long)faults.leaks,
			found.first);
}

/* Space may be lost: others leave gaps between their structures. */
static inline void assert_no_errors(const char *path)
{
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	if (faults.errors)
		fail_msg("%s: %s", path, found.first);
}

#endif
