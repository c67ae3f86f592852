/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stream-optimized VMDKs: written in one pass and judged by qemu-img and 7z, read as QEMU and
 * VMware write them, without their footer, and damaged in every part.
 */
#include "image/scratch.h"

#include "base/endian.h"
#include "host_fault.h"
#include "image/vmdk/marker.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define DISK (70 * SV_MIB + 5 * 512) /* two tables and more, the last grain cut */

/* ---- sources ---- */

/* Data that pack well, that do not pack, zeros that are stored, ends within grains. */
static void make_source(const char *path, unsigned seed)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = NULL;
	uint8_t *text = malloc(SV_MIB);

	unlink(path);
	assert_ok(sv_host_open(sv_host_posix(), path, SV_OPEN_CREATE, &d, &err));
	assert_ok(sv_dev_resize(d, DISK, &err));
	write_pattern(d, 512, 300000, seed);
	memset(text, 0, SV_MIB);
	assert_ok(sv_dev_write(d, text, SV_MIB, 3 * SV_MIB, &err));
	for (size_t i = 0; i < SV_MIB; i++)
		text[i] = (uint8_t)("sharevm packs this "[i % 19] + (i / 5000 % 3 == seed % 3));
	assert_ok(sv_dev_write(d, text, SV_MIB, 31 * SV_MIB + 70000, &err));
	write_pattern(d, 40 * SV_MIB, 65536, seed + 1);
	write_pattern(d, DISK - 1000, 1000, seed + 2);
	sv_dev_close(d);
	free(text);
}

static int write_stream(struct sv_host *host, const char *from, const char *to, unsigned level,
	struct sv_job *job, struct sv_err *err)
{
	const struct sv_image_spec spec = {
		.format = "vmdk", .subformat = "streamOptimized", .level = level};
	struct sv_image *img = open_image(from, false);
	int rc = sv_image_write_whole(host, to, &spec, sv_image_dev(img), job, err);

	sv_image_close(img);
	return rc;
}

static void make_stream(struct scratch *s, const char *name)
{
	struct sv_err err = SV_ERR_INIT;

	make_source(at(s, "source.raw"), 7);
	unlink(at(s, name));
	assert_ok(
		write_stream(sv_host_posix(), at(s, "source.raw"), at(s, name), 0, NULL, &err));
}

static char *load(const char *path, size_t *n)
{
	struct sv_err err = SV_ERR_INIT;
	char *bytes = sv_host_read_file(sv_host_posix(), path, 128 << 20, n, &err);

	assert_non_null(bytes);
	return bytes;
}

static void store(const char *path, const void *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;

	unlink(path);
	assert_ok(sv_host_write_file(sv_host_posix(), path, bytes, n, &err));
}

/* The image shows what the raw file holds. */
static void assert_shows(struct scratch *s, const char *path, const char *raw)
{
	struct sv_image *img = open_image(path, false);
	size_t n, m;
	char *want, *got;

	unlink(at(s, "shown.raw"));
	dump(sv_image_dev(img), at(s, "shown.raw"));
	sv_image_close(img);
	want = load(raw, &n);
	got = load(at(s, "shown.raw"), &m);
	assert_int_equal(n, m);
	assert_memory_equal(want, got, n);
	free(want);
	free(got);
}

/* ---- written by us ---- */

static void qemu_and_7z_read_what_we_write(void **state)
{
	struct scratch *s = *state;
	static const unsigned levels[] = {0, 1, 9, 12};
	struct sv_err err = SV_ERR_INIT;
	const char *path = NULL, *raw = NULL;

	for (size_t i = 0; i < SV_ARRAY_LEN(levels); i++) {
		path = at(s, "ours.vmdk");
		raw = at(s, "source.raw");
		make_source(raw, (unsigned)i);
		unlink(path);
		assert_ok(write_stream(sv_host_posix(), raw, path, levels[i], NULL, &err));
		assert_true(qemu_says_equal(path, raw));
		assert_int_equal(qemu_size(s, path), DISK);
		assert_int_equal(run("qemu-img", "check", path), 0);
		assert_shows(s, path, raw);
		assert_sound(path);
	}
	if (run("7z", "i"))
		return;
	assert_int_equal(run_to(at(s, "7z.raw"), "7z", "x", "-so", path), 0);
	assert_int_equal(run("cmp", at(s, "7z.raw"), raw), 0);
}

static void the_judges_reject_a_broken_twin(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "twin.vmdk");
	size_t n;
	char *bytes;

	make_stream(s, "twin.vmdk");
	assert_true(qemu_says_equal(path, at(s, "source.raw")));
	bytes = load(path, &n);
	bytes[128 * 512 + 12 + 100] ^= 1;
	store(path, bytes, n);
	assert_false(qemu_says_equal(path, at(s, "source.raw")));
	if (run("7z", "i") == 0)
		assert_int_not_equal(run("7z", "x", "-so", path), 0);
	free(bytes);
}

/* What is random in it: the content id. */
static void blank_cid(char *bytes, size_t n)
{
	char *cid = memmem(bytes, n, "\nCID=", 5);

	assert_non_null(cid);
	memset(cid + 5, 'x', 8);
}

static void writes_the_same_bytes_on_one_processor_and_on_all(void **state)
{
	struct scratch *s = *state;
	const char *raw = at(s, "source.raw"), *path = at(s, "same.vmdk");
	struct sv_err err = SV_ERR_INIT;
	cpu_set_t all, one;
	char *bytes[2];
	size_t n[2];

	make_source(raw, 3);
	assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
	CPU_ZERO(&one);
	for (size_t i = 0; !CPU_COUNT(&one); i++) {
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sched_setaffinity(0, sizeof all, i ? &all : &one), 0);
		unlink(path);
		assert_ok(write_stream(sv_host_posix(), raw, path, 0, NULL, &err));
		bytes[i] = load(path, &n[i]);
		blank_cid(bytes[i], n[i]);
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(bytes[0], bytes[1], n[0]);
	free(bytes[0]);
	free(bytes[1]);
}

static void writes_an_empty_disk(void **state)
{
	struct scratch *s = *state;
	const char *raw = at(s, "empty.raw"), *path = at(s, "empty.vmdk");
	struct sv_err err = SV_ERR_INIT;
	struct sv_extent e;
	struct sv_image *img;

	store(raw, "", 0);
	assert_int_equal(truncate(raw, 512), 0);
	assert_ok(write_stream(sv_host_posix(), raw, path, 0, NULL, &err));
	assert_true(qemu_says_equal(path, raw));
	assert_sound(path);
	assert_int_equal(truncate(raw, (off_t)(8 * SV_TIB)), 0);
	unlink(path);
	assert_ok(write_stream(sv_host_posix(), raw, path, 0, NULL, &err));
	assert_int_equal(qemu_size(s, path), 8 * SV_TIB);
	img = open_image(path, false);
	for (uint64_t off = 0; off < 8 * SV_TIB; off += e.length) {
		assert_ok(sv_dev_extent(sv_image_dev(img), off, UINT64_MAX, &e, &err));
		assert_int_equal(e.kind, SV_EXTENT_HOLE);
		assert_true(e.length >= SV_GIB);
	}
	sv_image_close(img);
	assert_sound(path);
}

static void refuses_what_cannot_be_written(void **state)
{
	struct scratch *s = *state;
	struct sv_image_spec spec = {.format = "vmdk", .subformat = "streamOptimized"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *huge = sv_sparse_open(63 * SV_TIB, 4096, "huge", &err);
	struct sv_dev *small = sv_sparse_open(SV_MIB, 4096, "small", &err);
	const char *path = at(s, "no.vmdk");

	assert_true(sv_image_is_whole("vmdk", "streamoptimized"));
	assert_false(sv_image_is_whole("vmdk", NULL));
	assert_false(sv_image_is_whole("raw", "streamOptimized"));
	assert_fails(sv_image_write_whole(sv_host_posix(), path, &spec, huge, NULL, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	spec.size = 2 * SV_MIB;
	assert_fails(sv_image_write_whole(sv_host_posix(), path, &spec, small, NULL, &err),
		SV_USAGE, UINT64_MAX);
	assert_fails(sv_image_create(sv_host_posix(), path, &spec, &err), SV_USAGE, UINT64_MAX);
	spec.size = 0;
	spec.level = 13;
	assert_fails(sv_image_write_whole(sv_host_posix(), path, &spec, small, NULL, &err),
		SV_USAGE, UINT64_MAX);
	spec.level = 0;
	spec.subformat = "monolithicSparse";
	assert_fails(sv_image_write_whole(sv_host_posix(), path, &spec, small, NULL, &err),
		SV_USAGE, UINT64_MAX);
	assert_int_not_equal(access(path, F_OK), 0);
	sv_dev_close(huge);
	sv_dev_close(small);
}

static void leaves_nothing_when_it_is_cancelled_or_cannot_read(void **state)
{
	struct scratch *s = *state;
	struct sv_job job = {.cancel = true};
	struct sv_err err = SV_ERR_INIT;
	size_t n;
	char *bytes;

	make_stream(s, "source.vmdk");
	assert_fails(write_stream(sv_host_posix(), at(s, "source.vmdk"), at(s, "cut.vmdk"), 0,
			     &job, &err),
		SV_CANCELLED, UINT64_MAX);
	assert_int_not_equal(access(at(s, "cut.vmdk"), F_OK), 0);
	bytes = load(at(s, "source.vmdk"), &n);
	bytes[128 * 512 + 12 + 100] ^= 1; /* a source that cannot be read */
	store(at(s, "source.vmdk"), bytes, n);
	assert_fails(write_stream(sv_host_posix(), at(s, "source.vmdk"), at(s, "cut.vmdk"), 0,
			     NULL, &err),
		SV_CORRUPT, 128 * 512);
	assert_int_not_equal(access(at(s, "cut.vmdk"), F_OK), 0);
	free(bytes);
}

/* ---- power cuts ---- */

static int stream_work(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	sv_autofree char *to = sv_format("%s/new.vmdk", dir);

	return write_stream(h, user, to, 1, NULL, err);
}

static const char *stream_check(const char *dir, void *user, bool done)
{
	sv_autofree char *path = sv_format("%s/new.vmdk", dir);
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	(void)user;
	if (sv_image_open(sv_host_posix(), path, NULL, &img, &err) < 0)
		return done ? "the disk that was made does not open" : NULL;
	sv_image_close(img);
	/* whatever opens must be whole */
	assert_sound(path);
	return NULL;
}

static void a_cut_leaves_no_disk_or_a_whole_one(void **state)
{
	struct scratch *s = *state;
	struct host_fault_sweep sweep = {
		.work = stream_work, .check = stream_check, .seeds = 2, .failures = true};
	sv_autofree char *raw = strdup(at(s, "small.raw"));

	make_source(raw, 1);
	sweep.user = raw;
	assert_true(host_fault_sweep(&sweep) > 20);
}

/* ---- written by QEMU ---- */

static void reads_what_qemu_packed(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "qemu.vmdk"), *raw = at(s, "source.raw");
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_source(raw, 5);
	assert_int_equal(run("qemu-img", "convert", "-O", "vmdk", "-o",
				 "subformat=streamOptimized", raw, path),
		0);
	assert_shows(s, path, raw);
	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 0);
	img = open_image(path, false);
	assert_true(sv_image_link(img, 0)->compressed);
	assert_string_equal(sv_image_link(img, 0)->subformat, "streamOptimized");
	assert_int_equal(sv_image_link(img, 0)->block_size, 65536);
	assert_null(sv_image_link(img, 0)->note);
	sv_image_close(img);
}

/* ---- reading ---- */

static void reads_any_part_of_any_grain(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint8_t *got = malloc(400000);
	uint64_t x = 88172645463325252;
	size_t n;
	char *want;

	make_stream(s, "parts.vmdk");
	want = load(at(s, "source.raw"), &n);
	img = open_image(at(s, "parts.vmdk"), false);
	for (int i = 0; i < 3000; i++) {
		uint64_t off, len;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		off = x % (i % 3 ? 34 * SV_MIB : n);
		len = (x >> 40) % (i % 5 ? 3000 : 400000);
		len = SV_MIN(len, n - off);
		assert_ok(sv_dev_read(sv_image_dev(img), got, len, off, &err));
		assert_memory_equal(got, want + off, len);
	}
	sv_image_close(img);
	free(got);
	free(want);
}

struct reader {
	struct sv_dev *d;
	const char *want;
	bool right;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	char buf[5000];

	r->right = true;
	for (uint64_t off = 0; off < 32 * SV_MIB && r->right; off += sizeof buf)
		r->right = sv_dev_read(r->d, buf, sizeof buf, off, NULL) == 0 &&
			   !memcmp(buf, r->want + off, sizeof buf);
	return NULL;
}

static void several_threads_read_at_once(void **state)
{
	struct scratch *s = *state;
	struct reader readers[4];
	pthread_t threads[4];
	struct sv_image *img;
	size_t n;
	char *want;

	make_stream(s, "threads.vmdk");
	want = load(at(s, "source.raw"), &n);
	img = open_image(at(s, "threads.vmdk"), false);
	for (int i = 0; i < 4; i++) {
		readers[i] = (struct reader){sv_image_dev(img), want, false};
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(readers[i].right);
	}
	sv_image_close(img);
	free(want);
}

static void is_only_read_and_copied_by_flattening(void **state)
{
	struct scratch *s = *state;
	struct sv_image_opts opts = {.writable = true};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;
	char *path = NULL;

	make_stream(s, "fixed.vmdk");
	assert_fails(sv_image_open(sv_host_posix(), at(s, "fixed.vmdk"), &opts, &img, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.hint, "convert"));
	img = open_image(at(s, "fixed.vmdk"), false);
	assert_fails(sv_image_check_limits(img, SV_DERIVE_LINKED, 80 * SV_MIB, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_image_check_limits(img, SV_DERIVE_REFLINK, 80 * SV_MIB, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY, s->dir, "copy.vmdk",
		80 * SV_MIB, NULL, &path, &err));
	sv_image_close(img);
	img = open_image(path, true);
	assert_string_equal(sv_image_link(img, 0)->subformat, "monolithicSparse");
	sv_image_close(img);
	assert_sound(path);
	assert_int_equal(truncate(at(s, "source.raw"), 80 << 20), 0);
	assert_true(qemu_says_equal(path, at(s, "source.raw")));
	free(path);
}

/* ---- without footer, without directory ---- */

/* Where the markers of the end stand in what we write: directory, footer, end. */
static size_t find_marker(const char *bytes, size_t n, enum sv_vmdk_marker_kind kind)
{
	size_t at = n;

	do
		at -= 512;
	while (sv_load_le32(bytes + at + 8) || sv_load_le32(bytes + at + 12) != kind ||
		!sv_is_zero(bytes + at + 16, 496));
	return at;
}

static void needs_no_footer_where_there_is_a_directory(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "headless.vmdk");
	struct sv_image *img;
	size_t n, footer;
	char *bytes;

	make_stream(s, "headless.vmdk");
	bytes = load(path, &n);
	footer = find_marker(bytes, n, SV_VMDK_MARKER_FOOTER);
	assert_int_equal(footer, n - 3 * 512);
	store(path, bytes, footer);
	assert_shows(s, path, at(s, "source.raw"));
	img = open_image(path, false);
	assert_non_null(strstr(sv_image_link(img, 0)->note, "footer"));
	sv_image_close(img);
	/* something behind the end: the footer is found by walking there */
	memset(bytes + n - 512, 0, 512);
	bytes = realloc(bytes, n + 4096);
	memset(bytes + n, 0x55, 4096);
	store(path, bytes, n + 4096);
	assert_shows(s, path, at(s, "source.raw"));
	free(bytes);
}

static void needs_no_directory_where_the_stream_is_whole(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "markers.vmdk");
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	size_t n, directory;
	char *bytes;

	make_stream(s, "markers.vmdk");
	bytes = load(path, &n);
	directory = find_marker(bytes, n, SV_VMDK_MARKER_DIRECTORY);
	memset(bytes + directory, 0, 512);
	store(path, bytes, directory + 512);
	assert_shows(s, path, at(s, "source.raw"));
	img = open_image(path, false);
	assert_non_null(strstr(sv_image_link(img, 0)->note, "put together"));
	sv_image_close(img);
	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 1);
	free(bytes);
}

static void refuses_a_stream_that_was_cut_off(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "short.vmdk");
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;
	size_t n, directory;
	char *bytes;

	make_stream(s, "short.vmdk");
	bytes = load(path, &n);
	directory = find_marker(bytes, n, SV_VMDK_MARKER_DIRECTORY);
	for (size_t cut = 65536; cut <= directory; cut += 50 * 512 + 100) {
		store(path, bytes, cut);
		assert_fails(sv_image_open(sv_host_posix(), path, NULL, &img, &err), SV_CORRUPT,
			UINT64_MAX);
		assert_true(err.has_offset && err.offset <= cut);
		assert_non_null(strstr(err.hint, "again"));
	}
	/* room that was made before the download, and never filled */
	memset(bytes + directory, 0, n - directory);
	store(path, bytes, n);
	assert_fails(
		sv_image_open(sv_host_posix(), path, NULL, &img, &err), SV_CORRUPT, directory);
	free(bytes);
}

/* ---- damage ---- */

static void tells_where_it_is_damaged(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "bad.vmdk");
	const size_t grain = 128 * 512; /* the first one's marker */
	struct sv_image_faults faults;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;
	size_t n, footer;
	char *good, *bad, byte;

	make_stream(s, "bad.vmdk");
	good = load(path, &n);
	bad = malloc(n);
	footer = n - 2 * 512;
	const struct {
		size_t at;
		uint64_t value;
		bool opens;
		uint64_t offset;
		const char *message;
	} cases[] = {
		{grain, 128, true, grain, "its marker says otherwise"},
		{grain, 1, true, grain, "is said to be that of sector 1"},
		{grain, DISK / 512 + 123, true, grain, "is said to be that of sector"},
		{grain + 8, UINT64_MAX, true, grain + 8, "the most possible are 131072"},
		{grain + 8, 0x100000000, true, grain, "its marker says otherwise"},
		{grain + 8, 5, true, grain, "is no zlib stream"},
		{grain + 50, 0x5555555555555555, true, grain, "is no zlib stream"},
		{footer + 12, 77, false, footer, "is not that of the header"},
		{footer + 20, 64, false, footer, "is not that of the header"},
		{footer + 56, UINT64_MAX, false, footer, "is not that of the header"},
		{footer + 56, n, false, footer + 56, "the grain directory is at sector"},
		{footer, 0, false, footer, "KDMV"},
	};

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		memcpy(bad, good, n);
		sv_store_le64(bad + cases[i].at, cases[i].value);
		store(path, bad, n);
		if (cases[i].opens) {
			img = open_image(path, false);
			assert_fails(sv_dev_read(sv_image_dev(img), &byte, 1, 600, &err),
				SV_CORRUPT, cases[i].offset);
			sv_image_close(img);
			faults = (struct sv_image_faults){0};
			assert_ok(sv_image_check(
				sv_host_posix(), path, NULL, &faults, NULL, &err));
			assert_true(faults.errors > 0);
		} else {
			assert_fails(sv_image_open(sv_host_posix(), path, NULL, &img, &err),
				SV_CORRUPT, cases[i].offset);
		}
		assert_non_null(strstr(err.message, cases[i].message));
		assert_string_equal(err.path, path);
	}
	free(good);
	free(bad);
}

/* An entry that points into the middle of another grain, or beyond the file. */
static void finds_entries_that_point_astray(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "astray.vmdk");
	static const uint32_t sectors[] = {129, 1, 0x7fffffff};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	size_t n, table;
	char *bytes, byte;

	make_stream(s, "astray.vmdk");
	bytes = load(path, &n);
	table = sv_load_le32(bytes + sv_load_le64(bytes + n - 1024 + 56) * 512) * (size_t)512;
	for (size_t i = 0; i < SV_ARRAY_LEN(sectors); i++) {
		struct sv_image_faults faults = {0};

		sv_store_le32(bytes + table, sectors[i]);
		store(path, bytes, n);
		img = open_image(path, false);
		assert_fails(sv_dev_read(sv_image_dev(img), &byte, 1, 0, &err), SV_CORRUPT,
			UINT64_MAX);
		sv_image_close(img);
		assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
		assert_true(faults.errors > 0);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_judges_reject_a_broken_twin),
		cmocka_unit_test(qemu_and_7z_read_what_we_write),
		cmocka_unit_test(writes_the_same_bytes_on_one_processor_and_on_all),
		cmocka_unit_test(writes_an_empty_disk),
		cmocka_unit_test(refuses_what_cannot_be_written),
		cmocka_unit_test(leaves_nothing_when_it_is_cancelled_or_cannot_read),
		cmocka_unit_test(a_cut_leaves_no_disk_or_a_whole_one),
		cmocka_unit_test(reads_what_qemu_packed),
		cmocka_unit_test(reads_any_part_of_any_grain),
		cmocka_unit_test(several_threads_read_at_once),
		cmocka_unit_test(is_only_read_and_copied_by_flattening),
		cmocka_unit_test(needs_no_footer_where_there_is_a_directory),
		cmocka_unit_test(needs_no_directory_where_the_stream_is_whole),
		cmocka_unit_test(refuses_a_stream_that_was_cut_off),
		cmocka_unit_test(tells_where_it_is_damaged),
		cmocka_unit_test(finds_entries_that_point_astray),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
