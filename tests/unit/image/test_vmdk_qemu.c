/* SPDX-License-Identifier: GPL-3.0-or-later */
/* VMDKs against qemu: what one writes, the other reads, checks and compares. */
#include "image/scratch.h"

#include <unistd.h>

static const char *const kinds[] = {
	"monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"};

static bool is_sparse(const char *kind)
{
	return strstr(kind, "Sparse") != NULL;
}

/* ---- written by qemu ---- */

static void qemu_create(
	const char *path, const char *kind, const char *parent, const char *size)
{
	char opts[64];

	snprintf(opts, sizeof opts, "subformat=%s", kind);
	if (parent)
		assert_int_equal(run("qemu-img", "create", "-f", "vmdk", "-o", opts, "-b",
					 parent, "-F", "vmdk", path),
			0);
	else
		assert_int_equal(
			run("qemu-img", "create", "-f", "vmdk", "-o", opts, path, size), 0);
}

static void qemu_write(const char *path, const char *pattern, const char *off, const char *len)
{
	char command[128];

	snprintf(command, sizeof command, "write -P %s %s %s", pattern, off, len);
	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", command, path), 0);
}

static void reads_what_qemu_wrote(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		char name[64];
		const char *path;

		snprintf(name, sizeof name, "q-%s.vmdk", kinds[i]);
		path = at(s, name);
		qemu_create(path, kinds[i], NULL, "2500M");
		qemu_write(path, "0x11", "0", "100k");
		qemu_write(path, "0x22", "33M", "3M");
		qemu_write(path, "0x33", "2049M", "512");
		qemu_write(path, "0x44", "2620915712", "524288"); /* ends where the disk ends */
		assert_reads_like_qemu(s, path);
		assert_sound(path);
	}
}

static void reads_a_chain_of_three_that_qemu_wrote(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		const char *delta = is_sparse(kinds[i]) ? kinds[i] : "monolithicSparse";
		char name[3][64];

		for (int k = 0; k < 3; k++)
			snprintf(name[k], sizeof name[k], "c-%s-%d.vmdk", kinds[i], k);
		qemu_create(at(s, name[0]), kinds[i], NULL, "2200M");
		qemu_write(at(s, name[0]), "0xa0", "1M", "8M");
		qemu_write(at(s, name[0]), "0xa1", "2100M", "1M");
		qemu_create(at(s, name[1]), delta, at(s, name[0]), NULL);
		qemu_write(at(s, name[1]), "0xb0", "2100000", "70000");
		qemu_create(at(s, name[2]), "monolithicSparse", at(s, name[1]), NULL);
		qemu_write(at(s, name[2]), "0xc0", "2162688", "1000");
		qemu_write(at(s, name[2]), "0xc1", "2199M", "1M");
		assert_reads_like_qemu(s, at(s, name[2]));
		assert_sound(at(s, name[2]));
	}
}

static void reads_zeroed_grains_that_qemu_wrote(void **state)
{
	struct scratch *s = *state;
	const char *base = at(s, "zero-base.vmdk"), *top = at(s, "zero-top.vmdk");
	struct sv_extent e;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	qemu_create(base, "monolithicSparse", NULL, "100M");
	qemu_write(base, "0x55", "0", "10M");
	assert_int_equal(run("qemu-img", "create", "-f", "vmdk", "-o", "zeroed_grain=on", "-b",
				 base, "-F", "vmdk", top),
		0);
	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", "write -z 1M 2M", top), 0);
	assert_reads_like_qemu(s, top);
	img = open_image(top, false);
	assert_ok(sv_dev_extent(sv_image_dev(img), SV_MIB, SV_MIB, &e, &err));
	assert_int_equal(e.kind, SV_EXTENT_ZERO);
	assert_int_equal(e.depth, 0);
	sv_image_close(img);
	assert_sound(top);
}

/* ---- written by us ---- */

static void write_here_and_there(struct sv_dev *d, unsigned seed)
{
	const uint64_t size = sv_dev_size(d);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(d, 0, 512, seed);
	write_pattern(d, 1000, 70000, seed + 1);
	write_pattern(d, 32 * SV_MIB - 5000, 200000, seed + 2);
	write_pattern(d, size / 2 + 12345, 3 << 20, seed + 3);
	write_pattern(d, size - 99999, 99999, seed + 4);
	assert_ok(sv_dev_flush(d, &err));
}

static void assert_qemu_agrees(struct scratch *s, const char *path)
{
	assert_int_equal(run("qemu-img", "info", path), 0);
	assert_reads_like_qemu(s, path);
	assert_sound(path);
}

static void qemu_reads_what_we_create(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		struct sv_image *img;
		char name[64];
		const char *path;

		snprintf(name, sizeof name, "w-%s.vmdk", kinds[i]);
		path = at(s, name);
		make_image(path, "vmdk", kinds[i], 2300 * SV_MIB + 512, NULL);
		assert_qemu_agrees(s, path);
		img = open_image(path, true);
		write_here_and_there(sv_image_dev(img), 1);
		sv_image_close(img);
		assert_qemu_agrees(s, path);
		if (is_sparse(kinds[i]))
			assert_int_equal(run("qemu-img", "check", path), 0);
	}
}

static void qemu_reads_our_chain_of_three(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		char name[3][64];
		struct sv_image *img;

		for (int k = 0; k < 3; k++) {
			struct sv_image *parent =
				k ? open_image(at(s, name[k - 1]), false) : NULL;

			snprintf(name[k], sizeof name[k], "d-%s-%d.vmdk", kinds[i], k);
			make_image(at(s, name[k]), "vmdk",
				k == 1 ? "twoGbMaxExtentSparse"
				: k    ? NULL
				       : kinds[i],
				k ? 0 : 2100 * SV_MIB, parent);
			sv_image_close(parent);
			img = open_image(at(s, name[k]), true);
			write_here_and_there(sv_image_dev(img), 10 + (unsigned)k);
			write_pattern(sv_image_dev(img), 50 * SV_MIB + (uint64_t)k * 40000,
				60000, (unsigned)k);
			assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
			sv_image_close(img);
			assert_qemu_agrees(s, at(s, name[k]));
		}
	}
}

static void fills_grains_through_directory_entries_of_zero(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "holes.vmdk");
	struct sv_image *img;
	int fd;

	/* qemu makes all tables: take one away in both directories */
	qemu_create(path, "monolithicSparse", NULL, "100M");
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "\0\0\0\0", 4, 21 * 512 + 4), 4);
	assert_int_equal(pwrite(fd, "\0\0\0\0", 4, 38 * 512 + 4), 4);
	close(fd);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 40 * SV_MIB, 1 << 20, 3);
	write_pattern(sv_image_dev(img), 10, 100, 4);
	assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
	sv_image_close(img);
	assert_qemu_agrees(s, path);
}

/* ---- grown ---- */

static void qemu_reads_what_we_grow(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		char name[64], before[64];
		struct sv_image *img;
		struct sv_dev *old;

		snprintf(name, sizeof name, "g-%s.vmdk", kinds[i]);
		snprintf(before, sizeof before, "g-%s.raw", kinds[i]);
		make_image(at(s, name), "vmdk", kinds[i], 300 * SV_MIB, NULL);
		img = open_image(at(s, name), true);
		write_here_and_there(sv_image_dev(img), 5);
		dump(sv_image_dev(img), at(s, before));
		assert_ok(sv_image_grow(img, 5000 * SV_MIB, &err));
		assert_int_equal(sv_dev_size(sv_image_dev(img)), 5000 * SV_MIB);

		write_pattern(sv_image_dev(img), 4999 * SV_MIB, 1 << 20, 6);
		assert_ok(sv_image_grow(img, 6000 * SV_MIB, &err));
		write_pattern(sv_image_dev(img), 310 * SV_MIB, 1 << 20, 7);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		assert_qemu_agrees(s, at(s, name));

		/* and the old part is still what it was */
		img = open_image(at(s, name), false);
		old = sv_window_open(sv_image_dev(img), 0, 300 * SV_MIB, "old", &err);
		dump(old, at(s, "old.raw"));
		assert_true(qemu_says_equal(at(s, "old.raw"), at(s, before)));
		unlink(at(s, "old.raw"));
		sv_dev_close(old);
		sv_image_close(img);
	}
}

static void grows_what_qemu_made(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "gq.vmdk");
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	qemu_create(path, "monolithicSparse", NULL, "1000M");
	qemu_write(path, "0x77", "990M", "10M");
	img = open_image(path, true);
	assert_ok(sv_image_grow(img, 40 * SV_GIB, &err));
	sv_image_close(img);
	assert_sound(path);
	qemu_write(path, "0x78", "39G", "1M");
	qemu_write(path, "0x79", "1000M", "1M");
	assert_qemu_agrees(s, path);
}

static void rounds_up_a_split_disk_that_ends_within_a_grain(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "odd.vmdk");
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_image(path, "vmdk", "twoGbMaxExtentSparse", 10 * SV_MIB + 512, NULL);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 10 * SV_MIB - 100, 612, 1);
	assert_ok(sv_image_grow(img, 10 * SV_MIB + 1024, &err));
	assert_ok(sv_image_grow(img, 20 * SV_MIB + 1024, &err));
	assert_ok(sv_image_grow(img, 30 * SV_MIB, &err));
	write_pattern(sv_image_dev(img), 9 * SV_MIB, 12 << 20, 2);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	assert_qemu_agrees(s, path);
}

static void new_space_is_zero_whatever_lay_there(void **state)
{
	struct scratch *s = *state;
	const char *sparse = at(s, "old.vmdk"), *flat = at(s, "oldflat.vmdk");
	struct sv_err err = SV_ERR_INIT;
	uint8_t got[65536], junk[65536];
	struct sv_image *img;
	int fd;

	memset(junk, 0xee, sizeof junk);
	make_image(sparse, "vmdk", NULL, 10 * SV_MIB + 512, NULL);
	img = open_image(sparse, true);
	write_pattern(sv_image_dev(img), 10 * SV_MIB, 512, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	/* behind the last sector of the last grain, and in an entry beyond the capacity */
	fd = open(sparse, O_RDWR);
	assert_int_equal(pwrite(fd, junk, 65536 - 512, 65536 + 512), 65536 - 512);
	assert_int_equal(pwrite(fd, "\x80\0\0", 4, 28 * 512 + 161 * 4), 4);
	close(fd);
	img = open_image(sparse, true);
	assert_ok(sv_image_grow(img, 20 * SV_MIB, &err)); /* the same tables */
	assert_ok(sv_dev_read(sv_image_dev(img), got, 65536, 10 * SV_MIB + 512, &err));
	assert_true(sv_is_zero(got, sizeof got));
	sv_image_close(img);
	assert_reads_like_qemu(s, sparse);

	make_image(flat, "vmdk", "monolithicFlat", SV_MIB, NULL);
	fd = open(at(s, "oldflat-flat.vmdk"), O_RDWR);
	assert_int_equal(pwrite(fd, junk, sizeof junk, SV_MIB), sizeof junk);
	close(fd);
	img = open_image(flat, true);
	assert_ok(sv_image_grow(img, 20 * SV_MIB, &err));
	assert_ok(sv_dev_read(sv_image_dev(img), got, sizeof got, SV_MIB, &err));
	assert_true(sv_is_zero(got, sizeof got));
	sv_image_close(img);
	assert_reads_like_qemu(s, flat);
}

/* ---- the judge ---- */

static void the_judge_rejects_a_broken_twin(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "twin.vmdk");
	struct sv_image *img;
	uint8_t byte;
	int fd;

	make_image(path, "vmdk", NULL, 10 * SV_MIB, NULL);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 0, 65536, 1);
	assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
	dump(sv_image_dev(img), at(s, "twin.raw"));
	sv_image_close(img);
	assert_true(qemu_says_equal(path, at(s, "twin.raw")));
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 65536 + 77), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 65536 + 77), 1);
	assert_false(qemu_says_equal(path, at(s, "twin.raw")));
	/* a table entry that points beyond the file */
	assert_int_equal(pwrite(fd, "\xff\xff\xff\x0f", 4, 27 * 512), 4);
	close(fd);
	assert_int_not_equal(run("qemu-img", "check", path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_judge_rejects_a_broken_twin),
		cmocka_unit_test(reads_what_qemu_wrote),
		cmocka_unit_test(reads_a_chain_of_three_that_qemu_wrote),
		cmocka_unit_test(reads_zeroed_grains_that_qemu_wrote),
		cmocka_unit_test(qemu_reads_what_we_create),
		cmocka_unit_test(qemu_reads_our_chain_of_three),
		cmocka_unit_test(fills_grains_through_directory_entries_of_zero),
		cmocka_unit_test(qemu_reads_what_we_grow),
		cmocka_unit_test(grows_what_qemu_made),
		cmocka_unit_test(new_space_is_zero_whatever_lay_there),
		cmocka_unit_test(rounds_up_a_split_disk_that_ends_within_a_grain),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
