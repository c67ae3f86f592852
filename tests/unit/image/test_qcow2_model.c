/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random writes, reads, discards, flushes and reopenings of qcow2 disks against a plain buffer.
 * At the end the tables are sound, for us and for qemu, and qemu reads what the buffer says.
 * SHAREVM_SOAK=1 plays longer.
 */
#include "image/scratch.h"

#include <unistd.h>

enum { SIZE = 40 * 1024 * 1024 + 512 * 77, MAX_RUN = 300000 };

struct model {
	const char *path;
	struct sv_image *img;
	uint8_t *bytes, *buf;
	unsigned seed;
};

static unsigned draw(struct model *m, unsigned below)
{
	m->seed = m->seed * 1664525U + 1013904223U;
	return (unsigned)((uint64_t)(m->seed >> 8) * below >> 24);
}

/* Mostly short ranges, some long ones, often at the borders of sectors and clusters. */
static void draw_range(struct model *m, uint64_t *off, size_t *n)
{
	unsigned unit = (unsigned[]){1, 512, 4096, 65536}[draw(m, 4)];

	*off = draw(m, SIZE / unit) * (uint64_t)unit;
	*n = draw(m, draw(m, 10) ? 6000 : MAX_RUN) + 1;
	if (unit > 1 && draw(m, 2))
		*n = (size_t)sv_align_up(*n, unit);
	*n = (size_t)SV_MIN((uint64_t)*n, SIZE - *off);
}

static void write_step(struct model *m, uint64_t off, size_t n)
{
	struct sv_err err = SV_ERR_INIT;

	fill_pattern(m->buf, n, m->seed);
	memcpy(m->bytes + off, m->buf, n);
	assert_ok(sv_dev_write(sv_image_dev(m->img), m->buf, n, off, &err));
}

static void step(struct model *m)
{
	struct sv_dev *d = sv_image_dev(m->img);
	struct sv_err err = SV_ERR_INIT;
	unsigned what = draw(m, 1000);
	uint64_t off;
	size_t n;

	draw_range(m, &off, &n);
	if (what < 450) {
		write_step(m, off, n);
	} else if (what < 600) {
		memset(m->bytes + off, 0, n);
		assert_ok(sv_dev_discard(d, off, n, &err));
	} else if (what < 994) {
		assert_ok(sv_dev_read(d, m->buf, n, off, &err));
		assert_memory_equal(m->buf, m->bytes + off, n);
	} else if (what < 998) {
		assert_ok(sv_dev_flush(d, &err));
	} else {
		assert_ok(sv_dev_flush(d, &err));
		sv_image_close(m->img);
		m->img = open_image(m->path, true);
	}
}

/* Data and holes tell the truth: what is no data reads as zeros. */
static void compare_extents(struct model *m)
{
	struct sv_dev *d = sv_image_dev(m->img);
	struct sv_err err = SV_ERR_INIT;
	struct sv_extent e;

	for (uint64_t off = 0; off < SIZE; off += e.length) {
		assert_ok(sv_dev_extent(d, off, SIZE, &e, &err));
		if (e.kind != SV_EXTENT_DATA)
			assert_true(sv_is_zero(m->bytes + off, e.length));
	}
}

static void finish(struct scratch *s, struct model *m)
{
	const char *raw = at(s, "model.raw");
	struct sv_err err = SV_ERR_INIT;
	uint8_t *all = malloc(SIZE);

	assert_ok(sv_dev_flush(sv_image_dev(m->img), &err));
	compare_extents(m);
	assert_ok(sv_dev_read(sv_image_dev(m->img), all, SIZE, 0, &err));
	assert_memory_equal(all, m->bytes, SIZE);
	free(all);
	sv_image_close(m->img);
	assert_sound(m->path);
	unlink(raw);
	assert_ok(sv_host_write_file(sv_host_posix(), raw, m->bytes, SIZE, &err));
	assert_int_equal(run("qemu-img", "check", "-q", m->path), 0);
	assert_true(qemu_says_equal(m->path, raw));
}

static void play(struct scratch *s, const char *path, uint8_t *bytes, unsigned seed)
{
	struct model m = {path, open_image(path, true), bytes, malloc(MAX_RUN + 65536), seed};
	int steps = getenv("SHAREVM_SOAK") ? 100000 : 5000;

	for (int i = 0; i < steps; i++)
		step(&m);
	finish(s, &m);
	free(m.buf);
	free(bytes);
}

static void create(const char *path, const char *options, const char *parent)
{
	char size[32];

	snprintf(size, sizeof size, "%d", SIZE);
	if (parent)
		assert_int_equal(run("qemu-img", "create", "-f", "qcow2", "-o", options, "-b",
					 parent, "-F", "raw", path, size),
			0);
	else
		assert_int_equal(
			run("qemu-img", "create", "-f", "qcow2", "-o", options, path, size), 0);
}

/* A raw file that is smaller than the disk, and the same in a new buffer. */
static uint8_t *make_base(struct scratch *s, const char *name)
{
	uint8_t *bytes = calloc(1, SIZE);
	struct sv_err err = SV_ERR_INIT;

	fill_pattern(bytes, 25 << 20, 4);
	memset(bytes + (3 << 20), 0, 5 << 20);
	assert_ok(sv_host_write_file(sv_host_posix(), at(s, name), bytes, 25 << 20, &err));
	return bytes;
}

/* ---- */

static void a_disk_matches_a_plain_buffer(void **state)
{
	char *path = strdup(at(*state, "one.qcow2"));

	create(path, "compat=1.1", NULL);
	play(*state, path, calloc(1, SIZE), 1);
	free(path);
}

static void a_disk_of_small_clusters_matches_a_plain_buffer(void **state)
{
	char *path = strdup(at(*state, "small.qcow2"));

	create(path, "cluster_size=512,refcount_bits=1", NULL);
	play(*state, path, calloc(1, SIZE), 2);
	free(path);
}

static void subclusters_over_a_backing_file_match_a_plain_buffer(void **state)
{
	char *path = strdup(at(*state, "sub.qcow2"));
	uint8_t *bytes = make_base(*state, "sub.raw");

	create(path, "extended_l2=on,cluster_size=128K", "sub.raw");
	play(*state, path, bytes, 3);
	free(path);
}

static void version_2_over_a_backing_file_matches_a_plain_buffer(void **state)
{
	char *path = strdup(at(*state, "old.qcow2"));
	uint8_t *bytes = make_base(*state, "old.raw");

	create(path, "compat=0.10,cluster_size=16K", "old.raw");
	play(*state, path, bytes, 4);
	free(path);
}

/* Everything is packed and shared with a snapshot in the beginning. */
static void a_packed_disk_with_a_snapshot_matches_a_plain_buffer(void **state)
{
	char *path = strdup(at(*state, "packed.qcow2"));
	uint8_t *bytes = make_base(*state, "packed.raw");
	char size[32];

	assert_int_equal(run("qemu-img", "convert", "-c", "-O", "qcow2", "-o",
				 "cluster_size=32K", at(*state, "packed.raw"), path),
		0);
	snprintf(size, sizeof size, "%d", SIZE);
	assert_int_equal(run("qemu-img", "resize", "-q", path, size), 0);
	assert_int_equal(run("qemu-img", "snapshot", "-c", "all", path), 0);
	play(*state, path, bytes, 5);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_matches_a_plain_buffer),
		cmocka_unit_test(a_disk_of_small_clusters_matches_a_plain_buffer),
		cmocka_unit_test(subclusters_over_a_backing_file_match_a_plain_buffer),
		cmocka_unit_test(version_2_over_a_backing_file_matches_a_plain_buffer),
		cmocka_unit_test(a_packed_disk_with_a_snapshot_matches_a_plain_buffer),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
