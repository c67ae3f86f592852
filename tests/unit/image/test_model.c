/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random writes, reads, discards, flushes and reopens against a plain buffer: a disk of one
 * file, a split disk, and the leaf of a chain of three, with and without zeroed grains. At the
 * end qemu must find the disk sound and read the same.
 */
#include "image/scratch.h"

#include <unistd.h>

enum { SIZE = 70 * 1024 * 1024 + 512 * 77, STEPS = 20000, MAX_RUN = 300000 };

struct model {
	struct scratch *s;
	const char *name;
	struct sv_image *img;
	uint8_t *bytes;
	uint8_t *buf;
	unsigned seed;
};

static unsigned draw(struct model *m, unsigned below)
{
	m->seed = m->seed * 1664525U + 1013904223U;
	return (unsigned)((uint64_t)(m->seed >> 8) * below >> 24);
}

/* Mostly short ranges, some long ones, often at the borders of sectors and grains. */
static void draw_range(struct model *m, uint64_t *off, size_t *n)
{
	unsigned unit = (unsigned[]){1, 512, 65536}[draw(m, 3)];

	*off = draw(m, SIZE / unit) * (uint64_t)unit;
	*n = draw(m, draw(m, 10) ? 6000 : MAX_RUN) + 1;
	if (unit > 1 && draw(m, 2))
		*n = (size_t)sv_align_up(*n, unit);
	*n = SV_MIN(*n, SIZE - *off);
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
		fill_pattern(m->buf, n, m->seed);
		memcpy(m->bytes + off, m->buf, n);
		assert_ok(sv_dev_write(d, m->buf, n, off, &err));
	} else if (what < 550) {
		memset(m->bytes + off, 0, n);
		assert_ok(sv_dev_discard(d, off, n, &err));
	} else if (what < 990) {
		assert_ok(sv_dev_read(d, m->buf, n, off, &err));
		assert_memory_equal(m->buf, m->bytes + off, n);
	} else if (what < 996) {
		assert_ok(sv_dev_flush(d, &err));
	} else {
		if (draw(m, 2))
			assert_ok(sv_dev_flush(d, &err));
		sv_image_close(m->img);
		m->img = open_image(at(m->s, m->name), true);
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

static void finish(struct model *m)
{
	const char *path = at(m->s, m->name), *raw = at(m->s, "model.raw");
	struct sv_err err = SV_ERR_INIT;
	uint8_t *all = malloc(SIZE);

	assert_ok(sv_dev_flush(sv_image_dev(m->img), &err));
	compare_extents(m);
	assert_ok(sv_dev_read(sv_image_dev(m->img), all, SIZE, 0, &err));
	assert_memory_equal(all, m->bytes, SIZE);
	free(all);
	sv_image_close(m->img);
	assert_sound(path);
	unlink(raw);
	assert_ok(sv_host_write_file(sv_host_posix(), raw, m->bytes, SIZE, &err));
	if (run("qemu-img", "--version") == 0) {
		assert_int_equal(run("qemu-img", "check", path), 0);
		assert_true(qemu_says_equal(path, raw));
	}
}

static void play(struct scratch *s, const char *name, uint8_t *bytes, unsigned seed)
{
	struct model m = {
		s, name, open_image(at(s, name), true), bytes, malloc(MAX_RUN + 65536), seed};

	for (int i = 0; i < STEPS; i++)
		step(&m);
	finish(&m);
	free(m.buf);
}

static void one_file_matches_a_plain_buffer(void **state)
{
	uint8_t *bytes = calloc(1, SIZE);

	make_image(at(*state, "one.vmdk"), "vmdk", NULL, SIZE, NULL);
	play(*state, "one.vmdk", bytes, 1);
	free(bytes);
}

/* Extents of 2 GB would make the buffer large: one of three small ones is made by hand. All but
 * the last are whole grains: qemu reads on in a grain beyond the end of its extent. */
static void a_split_disk_matches_a_plain_buffer(void **state)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\nCID=00000001\n"
				   "parentCID=ffffffff\ncreateType=\"twoGbMaxExtentSparse\"\n"
				   "RW 70016 SPARSE \"p0-s001.vmdk\"\n"
				   "RW 128 SPARSE \"p1-s001.vmdk\"\n"
				   "RW 73293 SPARSE \"p2-s001.vmdk\"\n";
	static const uint64_t sizes[] = {70016, 128, 73293};
	struct scratch *s = *state;
	uint8_t *bytes = calloc(1, SIZE);
	struct sv_err err = SV_ERR_INIT;
	char name[32];

	assert_int_equal((sizes[0] + sizes[1] + sizes[2]) * 512, SIZE);
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "p%zu.vmdk", i);
		make_image(at(s, name), "vmdk", "twoGbMaxExtentSparse", sizes[i] * 512, NULL);
	}
	assert_ok(sv_host_write_file(
		sv_host_posix(), at(s, "split.vmdk"), text, strlen(text), &err));
	play(s, "split.vmdk", bytes, 2);
	free(bytes);
}

static void write_all_over(const char *path, uint8_t *bytes, unsigned seed)
{
	struct sv_image *img = open_image(path, true);

	for (unsigned i = 0; i < 40; i++) {
		uint64_t off = (seed * 7919 + i * UINT64_C(1770001)) % (SIZE - 200000);

		write_pattern(sv_image_dev(img), off, 200000, seed + i);
		fill_pattern(bytes + off, 200000, seed + i);
	}
	assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
	sv_image_close(img);
}

static void chain_of_three(struct scratch *s, const char *prefix, bool zeroed)
{
	uint8_t *bytes = calloc(1, SIZE);
	struct sv_image *parent = NULL;
	char name[32];
	int fd;

	for (unsigned i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s%u.vmdk", prefix, i);
		make_image(at(s, name), "vmdk", NULL, parent ? 0 : SIZE, parent);
		sv_image_close(parent);
		if (i == 2)
			break;
		write_all_over(at(s, name), bytes, i + 1);
		parent = open_image(at(s, name), false);
	}
	if (zeroed) { /* version 2, flag 4 */
		fd = open(at(s, name), O_RDWR);
		assert_int_equal(pwrite(fd, "\2\0\0\0\7", 5, 4), 5);
		close(fd);
	}
	play(s, name, bytes, zeroed ? 3 : 4);
	free(bytes);
}

static void the_leaf_of_a_chain_matches_a_plain_buffer(void **state)
{
	chain_of_three(*state, "c", false);
}

static void a_leaf_with_zeroed_grains_matches_a_plain_buffer(void **state)
{
	chain_of_three(*state, "z", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_file_matches_a_plain_buffer),
		cmocka_unit_test(a_split_disk_matches_a_plain_buffer),
		cmocka_unit_test(the_leaf_of_a_chain_matches_a_plain_buffer),
		cmocka_unit_test(a_leaf_with_zeroed_grains_matches_a_plain_buffer),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
