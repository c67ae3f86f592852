/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qcow2 images against qemu: what one writes, the other reads, checks and compares. */
#include "image/scratch.h"

#include <unistd.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)

/* DIR/NAME for the whole test. */
#define PATH(variable, name)                                                                   \
	char variable[128];                                                                    \
	snprintf(variable, sizeof variable, "%s/%s", s->dir, name)

/* Options of qemu-img create, and what makes them worth a test. */
static const char *const kinds[] = {
	"compat=0.10",
	"compat=1.1",
	"compat=1.1,lazy_refcounts=on",
	"compat=1.1,cluster_size=512",
	"compat=0.10,cluster_size=4K",
	"compat=1.1,cluster_size=2M",
	"compat=1.1,extended_l2=on",
	"compat=1.1,extended_l2=on,cluster_size=16K",
	"compat=1.1,extended_l2=on,cluster_size=2M",
	"compat=1.1,refcount_bits=1",
	"compat=1.1,refcount_bits=2,cluster_size=512",
	"compat=1.1,refcount_bits=4",
	"compat=1.1,refcount_bits=8",
	"compat=1.1,refcount_bits=32,cluster_size=1K",
	"compat=1.1,refcount_bits=64,cluster_size=512",
	"compat=1.1,preallocation=metadata",
	"compat=1.1,preallocation=metadata,extended_l2=on",
	"compat=1.1,preallocation=falloc",
};

static void qemu_create(const char *path, const char *options, const char *size)
{
	assert_int_equal(
		run("qemu-img", "create", "-f", "qcow2", "-o", options, path, size), 0);
}

static void qemu_over(const char *path, const char *options, const char *parent,
	const char *format, const char *size)
{
	assert_int_equal(run("qemu-img", "create", "-f", "qcow2", "-o", options, "-b", parent,
				 "-F", format, path, size),
		0);
}

static void qemu_io(const char *path, const char *command)
{
	assert_int_equal(run("qemu-io", "-f", "qcow2", "-t", "unsafe", "-c", command, path), 0);
}

static void assert_qemu_sound(const char *path)
{
	assert_int_equal(run("qemu-img", "check", "-q", path), 0);
}

static void qemu_write_here_and_there(const char *path)
{
	assert_int_equal(
		run("qemu-io", "-f", "qcow2", "-t", "unsafe", "-c", "write -P 0x11 0 100k",
			"-c", "write -P 0x22 3M 5M", "-c", "write -P 0x33 7777k 513", "-c",
			"write -z 4M 1M", "-c", "write -z 3145728 4096", "-c",
			"discard 6M 512k", "-c", "write -P 0x44 67108864 4096", "-c",
			"write -P 0x55 40M 3", path),
		0);
}

/* ---- written by qemu ---- */

static void reads_what_qemu_wrote(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		PATH(path, "q.qcow2");

		unlink(path);
		qemu_create(path, kinds[i], "67112960");
		assert_reads_like_qemu(s, path);
		qemu_write_here_and_there(path);
		assert_reads_like_qemu(s, path);
		assert_sound(path);
	}
}

static void reads_compressed_clusters(void **state)
{
	static const char *const options[] = {"compression_type=zlib", "compression_type=zstd",
		"compression_type=zlib,cluster_size=512",
		"compression_type=zstd,cluster_size=2M", "compression_type=zlib,extended_l2=on",
		"compat=0.10"};
	struct scratch *s = *state;
	PATH(plain, "plain.qcow2");
	PATH(packed, "packed.qcow2");

	qemu_create(plain, "compat=1.1", "67112960");
	qemu_write_here_and_there(plain);
	for (size_t i = 0; i < SV_ARRAY_LEN(options); i++) {
		unlink(packed);
		assert_int_equal(run("qemu-img", "convert", "-c", "-O", "qcow2", "-o",
					 options[i], plain, packed),
			0);
		assert_reads_like_qemu(s, packed);
		assert_sound(packed);
		qemu_io(packed, "write -P 0x99 3500k 100k");
		assert_reads_like_qemu(s, packed);
		assert_sound(packed);
	}
}

/* A chain over a base of another format, larger and smaller links in it. */
static void reads_chains_over_other_formats(void **state)
{
	static const char *const bases[][3] = {{"raw", "raw", ""},
		{"vmdk", "vmdk", "subformat=monolithicSparse"},
		{"qcow2", "qcow2", "cluster_size=4K"}};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(bases); i++) {
		PATH(base, "base.img");
		PATH(middle, "middle.qcow2");
		PATH(top, "top.qcow2");

		unlink(base), unlink(middle), unlink(top);
		assert_int_equal(run("qemu-img", "create", "-f", bases[i][0], base, "20M"), 0);
		assert_int_equal(
			run("qemu-io", "-f", bases[i][0], "-c", "write -P 1 0 20M", base), 0);
		qemu_over(middle, "extended_l2=on", "base.img", bases[i][0], "10500K");
		qemu_io(middle, "write -P 2 1M 3M");
		qemu_io(middle, "write -P 3 5000k 1k");
		qemu_io(middle, "write -z 7M 99k");
		qemu_over(top, "cluster_size=2M", "middle.qcow2", "qcow2", "30M");
		qemu_io(top, "write -P 4 10M 3M");
		qemu_io(top, "write -z 2M 1M");
		assert_reads_like_qemu(s, top);
		assert_sound(middle);
		assert_sound(top);
	}
}

static void reads_data_files(void **state)
{
	static const char *const options[] = {"", ",data_file_raw=on", ",extended_l2=on"};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(options); i++) {
		PATH(path, "ext.qcow2");
		char text[128];

		snprintf(text, sizeof text, "data_file=%s%s", at(s, "ext.raw"), options[i]);
		unlink(path);
		qemu_create(path, text, "67112960");
		qemu_write_here_and_there(path);
		assert_reads_like_qemu(s, path);
		assert_sound(path);
	}
}

/* ---- snapshots ---- */

static struct sv_image *open_snapshot(const char *path, const char *snapshot)
{
	struct sv_image_opts opts = {.snapshot = snapshot};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	assert_ok(sv_image_open(sv_host_posix(), path, &opts, &img, &err));
	return img;
}

static void assert_snapshot_like_qemu(struct scratch *s, const char *path, const char *name)
{
	PATH(raw, "snap.raw");
	PATH(qemu, "snap-qemu.raw");
	struct sv_image *img = open_snapshot(path, name);
	char option[64];

	unlink(raw);
	dump(sv_image_dev(img), raw);
	sv_image_close(img);
	snprintf(option, sizeof option, "snapshot.name=%s", name);
	assert_int_equal(run("qemu-img", "convert", "-l", option, "-O", "raw", path, qemu), 0);
	assert_true(qemu_says_equal(raw, qemu));
}

static void make_snapshots(const char *path, const char *options)
{
	unlink(path);
	qemu_create(path, options, "64M");
	qemu_io(path, "write -P 1 0 10M");
	assert_int_equal(run("qemu-img", "snapshot", "-c", "first", path), 0);
	qemu_io(path, "write -P 2 5M 10M");
	qemu_io(path, "discard 1M 1M");
	assert_int_equal(run("qemu-img", "snapshot", "-c", "second", path), 0);
	assert_int_equal(run("qemu-img", "resize", "-q", path, "96M"), 0);
	qemu_io(path, "write -P 3 80M 1M");
	qemu_io(path, "write -P 3 0 512");
}

static void lists_and_reads_snapshots(void **state)
{
	struct scratch *s = *state;
	PATH(path, "snaps.qcow2");
	struct sv_err err = SV_ERR_INIT;
	const struct sv_image_link *link;
	struct sv_image *img;
	char name[300];

	make_snapshots(path, "compat=1.1");
	img = open_image(path, false);
	link = sv_image_link(img, 0);
	assert_int_equal(link->n_snapshots, 2);
	assert_string_equal(link->snapshots[0].name, "first");
	assert_string_equal(link->snapshots[1].id, "2");
	assert_int_equal(link->snapshots[0].virtual_size, 64 * SV_MIB);
	assert_int_equal(link->snapshots[0].state_size, 0);
	assert_true(link->snapshots[1].date_sec > 1600000000);
	sv_image_close(img);
	assert_reads_like_qemu(s, path);
	assert_snapshot_like_qemu(s, path, "first");
	assert_snapshot_like_qemu(s, path, "second");
	assert_sound(path);

	/* by id, and by the name of the file */
	img = open_snapshot(path, "2");
	assert_int_equal(sv_dev_size(sv_image_dev(img)), 64 * SV_MIB);
	sv_image_close(img);
	snprintf(name, sizeof name, "%s@first", path);
	img = open_image(name, false);
	assert_int_equal(sv_dev_size(sv_image_dev(img)), 64 * SV_MIB);
	sv_image_close(img);
	snprintf(name, sizeof name, "%s@third", path);
	assert_fails(sv_image_open(sv_host_posix(), name, NULL, &img, &err), SV_NOTFOUND,
		UINT64_MAX);
	snprintf(name, sizeof name, "%s@first", path);
	assert_fails(sv_image_open(sv_host_posix(), name,
			     &(struct sv_image_opts){.writable = true}, &img, &err),
		SV_USAGE, UINT64_MAX);
}

static void snapshots_stay_when_the_disk_is_written(void **state)
{
	static const char *const options[] = {"compat=1.1", "compat=1.1,extended_l2=on",
		"compat=1.1,cluster_size=1K,refcount_bits=2"};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(options); i++) {
		PATH(path, "snaps.qcow2");
		PATH(copy, "first.raw");
		struct sv_err err = SV_ERR_INIT;
		struct sv_image *img;

		make_snapshots(path, options[i]);
		assert_int_equal(
			run("qemu-img", "convert", "-l", "first", "-O", "raw", path, copy), 0);
		img = open_image(path, true);
		write_pattern(sv_image_dev(img), 100, 3 << 20, 7);
		write_pattern(sv_image_dev(img), 9 * SV_MIB + 333, 100000, 8);
		assert_ok(sv_dev_discard(sv_image_dev(img), 12 * SV_MIB, SV_MIB + 5000, &err));
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		assert_qemu_sound(path);
		assert_sound(path);
		assert_reads_like_qemu(s, path);
		img = open_snapshot(path, "first");
		unlink(at(s, "now.raw"));
		dump(sv_image_dev(img), at(s, "now.raw"));
		sv_image_close(img);
		assert_true(qemu_says_equal(copy, at(s, "now.raw")));
	}
}

/* ---- written by us ---- */

/* Random work on the device and on a buffer of the same size. */
static void work(struct sv_dev *d, uint8_t *model, unsigned seed, unsigned steps)
{
	uint64_t size = sv_dev_size(d);
	struct sv_err err = SV_ERR_INIT;
	uint8_t *buf = malloc(1 << 20);

	srandom(seed);
	for (unsigned i = 0; i < steps; i++) {
		unsigned what = (unsigned)random() % 100;
		size_t n = 1 + (size_t)random() % (what < 10 ? 1 << 20 : 70000);
		uint64_t off = (uint64_t)random() % size;

		n = SV_MIN(n, size - off);
		if (what < 25) {
			assert_ok(sv_dev_discard(d, off, n, &err));
			memset(model + off, 0, n);
		} else {
			fill_pattern(buf, n, (unsigned)random());
			assert_ok(sv_dev_write(d, buf, n, off, &err));
			memcpy(model + off, buf, n);
		}
		if (what > 98)
			assert_ok(sv_dev_flush(d, &err));
	}
	free(buf);
	assert_ok(sv_dev_flush(d, &err));
}

static void assert_is(struct sv_dev *d, const uint8_t *model)
{
	uint64_t size = sv_dev_size(d);
	struct sv_err err = SV_ERR_INIT;
	uint8_t *buf = malloc(size);

	assert_ok(sv_dev_read(d, buf, size, 0, &err));
	assert_memory_equal(buf, model, size);
	free(buf);
}

/* The file that qemu reads is what the buffer says. */
static void assert_qemu_reads(
	struct scratch *s, const char *path, const uint8_t *model, size_t size)
{
	PATH(raw, "model.raw");
	FILE *f = fopen(raw, "wb");

	assert_int_equal(fwrite(model, 1, size, f), size);
	fclose(f);
	assert_true(qemu_says_equal(path, raw));
}

static void work_and_compare(struct scratch *s, const char *path, uint8_t *model, unsigned seed)
{
	struct sv_image *img = open_image(path, true);
	size_t size = sv_dev_size(sv_image_dev(img));

	work(sv_image_dev(img), model, seed, 200);
	assert_is(sv_image_dev(img), model);
	sv_image_close(img);
	assert_qemu_sound(path);
	assert_sound(path);
	assert_qemu_reads(s, path, model, size);
}

static void qemu_reads_what_we_write(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		PATH(path, "w.qcow2");
		uint8_t *model = calloc(1, 20 << 20);

		unlink(path);
		qemu_create(path, kinds[i], "20970000");
		work_and_compare(s, path, model, (unsigned)i);
		free(model);
	}
}

static void qemu_reads_overlays_that_we_write(void **state)
{
	struct scratch *s = *state;
	PATH(base, "base.raw");
	uint8_t *content = malloc(15 << 20);
	FILE *f = fopen(base, "wb");

	fill_pattern(content, 15 << 20, 5);
	assert_int_equal(fwrite(content, 1, 15 << 20, f), 15 << 20);
	fclose(f);
	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		PATH(path, "w.qcow2");
		uint8_t *model = calloc(1, 20 << 20);

		if (strstr(kinds[i], "preallocation"))
			continue;
		unlink(path);
		qemu_over(path, kinds[i], "base.raw", "raw", "20970000");
		memcpy(model, content, 15 << 20);
		work_and_compare(s, path, model, 200 + (unsigned)i);
		free(model);
	}
	free(content);
}

static void qemu_reads_data_files_that_we_write(void **state)
{
	static const char *const options[] = {"", ",data_file_raw=on", ",extended_l2=on"};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(options); i++) {
		PATH(path, "ext.qcow2");
		PATH(data, "ext.raw");
		uint8_t *model = calloc(1, 20 << 20);
		char text[128];

		snprintf(text, sizeof text, "data_file=%s%s", data, options[i]);
		unlink(path);
		qemu_create(path, text, "20970000");
		work_and_compare(s, path, model, 300 + (unsigned)i);
		if (strstr(options[i], "raw"))
			assert_true(qemu_says_equal(path, data));
		free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_qemu_wrote),
		TEST(reads_compressed_clusters),
		TEST(reads_chains_over_other_formats),
		TEST(reads_data_files),
		TEST(lists_and_reads_snapshots),
		TEST(snapshots_stay_when_the_disk_is_written),
		TEST(qemu_reads_what_we_write),
		TEST(qemu_reads_overlays_that_we_write),
		TEST(qemu_reads_data_files_that_we_write),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
