/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Raw disks in parts: split(1) makes them, cat(1) is who else reads them. */
#include "image/scratch.h"
#include "image/driver.h"

#include <sys/stat.h>
#include <unistd.h>

#define PART (3 * SV_MIB)
#define SIZE (10 * SV_MIB + 3 * SV_SECTOR) /* three whole parts and a short one */

/* whole.img, and its parts DISK.FIRST ... */
static void make_parts(struct scratch *s, unsigned first)
{
	sv_autofree char *from = sv_format("--numeric-suffixes=%u", first);
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = NULL;

	assert_ok(sv_host_open(sv_host_posix(), at(s, "whole.img"), SV_OPEN_CREATE, &d, &err));
	assert_ok(sv_dev_resize(d, SIZE, &err));
	write_pattern(d, 0, 4096, 1);
	write_pattern(d, PART - 700, 1400, 2);
	write_pattern(d, 2 * PART - 100, 200, 3);
	write_pattern(d, SIZE - 512, 512, 4);
	sv_dev_close(d);
	assert_int_equal(
		run("split", "-b", "3M", "-a", "3", from, at(s, "whole.img"), at(s, "disk.")),
		0);
}

/* The parts as cat joins them. */
static bool parts_are_whole(struct scratch *s)
{
	sv_autofree char *command = sv_format("cat %s/disk.0*", s->dir);

	assert_int_equal(run_to(at(s, "joined"), "sh", "-c", command), 0);
	return run("cmp", "-s", at(s, "joined"), at(s, "whole.img")) == 0;
}

static int try_open(const char *path, struct sv_err *err)
{
	struct sv_image *img = NULL;
	int rc;

	*err = (struct sv_err)SV_ERR_INIT;
	rc = sv_image_open(sv_host_posix(), path, NULL, &img, err);
	sv_image_close(img);
	return rc;
}

/* ---- */

static void reads_all_parts_as_one_disk(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;

	for (unsigned first = 0; first < 2; first++) {
		sv_autofree char *name = sv_format("disk.%03u", first);
		const struct sv_image_link *l;

		make_parts(s, first);
		img = open_image(at(s, name), false);
		l = sv_image_link(img, 0);
		assert_string_equal(l->format, "split");
		assert_int_equal(l->virtual_size, SIZE);
		assert_int_equal(l->n_files, 4);
		dump(sv_image_dev(img), at(s, "dump.raw"));
		sv_image_close(img);
		assert_int_equal(run("cmp", "-s", at(s, "dump.raw"), at(s, "whole.img")), 0);
		assert_sound(at(s, name));
		assert_int_equal(run("find", s->dir, "-type", "f", "-delete"), 0);
	}
}

static void writes_in_place_over_the_seams(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *whole = NULL;
	struct sv_image *img;

	make_parts(s, 1);
	assert_true(parts_are_whole(s));
	assert_ok(
		sv_host_open(sv_host_posix(), at(s, "whole.img"), SV_OPEN_WRITE, &whole, &err));
	img = open_image(at(s, "disk.001"), true);
	write_pattern(sv_image_dev(img), PART - 5000, 10000, 9);
	assert_ok(sv_dev_discard(sv_image_dev(img), 2 * PART - 4096, PART, &err));
	write_pattern(sv_image_dev(img), SIZE - 100, 100, 10);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);

	assert_false(parts_are_whole(s));
	write_pattern(whole, PART - 5000, 10000, 9);
	assert_ok(sv_dev_discard(whole, 2 * PART - 4096, PART, &err));
	write_pattern(whole, SIZE - 100, 100, 10);
	sv_dev_close(whole);
	assert_true(parts_are_whole(s));
}

static void names_a_missing_part(void **state)
{
	struct scratch *s = *state;
	struct sv_err err;

	make_parts(s, 1);
	unlink(at(s, "disk.003"));
	assert_fails(try_open(at(s, "disk.001"), &err), SV_NOTFOUND, UINT64_MAX);
	assert_string_equal(err.path, at(s, "disk.003"));
	unlink(at(s, "disk.001"));
	assert_fails(try_open(at(s, "disk.002"), &err), SV_NOTFOUND, UINT64_MAX);
	assert_string_equal(err.path, at(s, "disk.001"));
}

static void names_the_first_part_where_another_is_opened(void **state)
{
	struct scratch *s = *state;
	struct sv_err err;

	make_parts(s, 0);
	assert_fails(try_open(at(s, "disk.001"), &err), SV_USAGE, UINT64_MAX);
	assert_non_null(strstr(err.hint, "disk.000"));
}

static void refuses_a_part_that_was_cut_off(void **state)
{
	struct scratch *s = *state;
	struct sv_err err;

	make_parts(s, 1);
	assert_int_equal(truncate(at(s, "disk.002"), PART - 512), 0);
	assert_fails(try_open(at(s, "disk.001"), &err), SV_CORRUPT, UINT64_MAX);
	assert_string_equal(err.path, at(s, "disk.002"));
	assert_int_equal(truncate(at(s, "disk.002"), PART), 0);
	assert_int_equal(try_open(at(s, "disk.001"), &err), 0);
}

static void a_link_among_the_parts_is_not_followed(void **state)
{
	struct scratch *s = *state;
	struct sv_err err;

	make_parts(s, 1);
	assert_int_equal(rename(at(s, "disk.004"), at(s, "elsewhere")), 0);
	assert_int_equal(symlink("elsewhere", at(s, "disk.004")), 0);
	assert_fails(try_open(at(s, "disk.001"), &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_string_equal(err.path, at(s, "disk.004"));
}

static void a_lone_part_is_a_raw_disk(void **state)
{
	static const char *const names[] = {
		"lone.001", "lone.007", "lone.1", "lone.20240101", "a.b.000"};
	struct scratch *s = *state;
	struct sv_image *img;

	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		make_image(at(s, names[i]), "raw", NULL, SV_MIB, NULL);
		img = open_image(at(s, names[i]), false);
		assert_string_equal(sv_image_link(img, 0)->format, "raw");
		sv_image_close(img);
		unlink(at(s, names[i]));
	}
}

static void a_part_alone_is_opened_as_raw_on_demand(void **state)
{
	const struct sv_image_opts raw = {.format = "raw"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	make_parts(s, 1);
	assert_ok(sv_image_open(sv_host_posix(), at(s, "disk.002"), &raw, &img, &err));
	assert_int_equal(sv_dev_size(sv_image_dev(img)), PART);
	sv_image_close(img);
}

/* Behind .999 comes .1000. */
static void opens_more_than_a_thousand_parts(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;
	struct sv_err err;

	for (unsigned i = 1; i <= 1002; i++) {
		sv_autofree char *name = sv_format("many.%03u", i);
		int fd = open(at(s, name), O_WRONLY | O_CREAT, 0600);

		assert_int_equal(ftruncate(fd, 512), 0);
		close(fd);
	}
	sv_host_allow_many_files();
	img = open_image(at(s, "many.001"), true);
	assert_int_equal(sv_dev_size(sv_image_dev(img)), 1002 * 512);
	sv_image_close(img);
	assert_fails(try_open(at(s, "many.1000"), &err), SV_USAGE, UINT64_MAX);
	assert_non_null(strstr(err.hint, "many.001"));
}

/* ---- what is made of them ---- */

static void a_copy_is_one_file(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	sv_autofree char *path = NULL;
	struct sv_image *img;

	make_parts(s, 1);
	img = open_image(at(s, "disk.001"), false);
	assert_ok(sv_image_derive(
		sv_host_posix(), img, SV_DERIVE_COPY, s->dir, "copy", SIZE, NULL, &path, &err));
	sv_image_close(img);
	assert_string_equal(path, at(s, "copy.img"));
	assert_int_equal(run("cmp", "-s", path, at(s, "whole.img")), 0);
}

static void nothing_stands_on_a_disk_in_parts(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	struct sv_image_spec spec = {.format = "qcow2"};

	make_parts(s, 1);
	img = open_image(at(s, "disk.001"), true);
	spec.parent = img;
	assert_fails(sv_image_create(sv_host_posix(), at(s, "top.qcow2"), &spec, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_image_check_limits(img, SV_DERIVE_LINKED, SIZE, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_fails(sv_image_grow(img, 2 * SIZE, &err), SV_UNSUPPORTED, UINT64_MAX);
	write_pattern(sv_image_dev(img), 0, 512, 1); /* the refusal stops nothing */
	sv_image_close(img);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_scratch, drop_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_all_parts_as_one_disk),
		TEST(writes_in_place_over_the_seams),
		TEST(names_a_missing_part),
		TEST(names_the_first_part_where_another_is_opened),
		TEST(refuses_a_part_that_was_cut_off),
		TEST(a_link_among_the_parts_is_not_followed),
		TEST(a_lone_part_is_a_raw_disk),
		TEST(a_part_alone_is_opened_as_raw_on_demand),
		TEST(opens_more_than_a_thousand_parts),
		TEST(a_copy_is_one_file),
		TEST(nothing_stands_on_a_disk_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
