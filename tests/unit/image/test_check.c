/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The check: a sound disk has no fault, and each damage is found at its offset. */
#include "image/scratch.h"

#include "base/endian.h"

#include <unistd.h>

/*
 * Of the disk below (100 MiB, two grains written): header 0, descriptor 1 to 20, redundant
 * directory 21 and its 4 tables from 22, directory 38 and its tables from 39, grains from 128.
 */
enum { RGD = 21, RGT = 22, GD = 38, GT = 39, GRAINS = 128 };

static void make_disk(const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	unlink(path);
	make_image(path, "vmdk", NULL, 100 * SV_MIB, NULL);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 0, 2 * 65536, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	assert_sound(path);
}

static void poke32(const char *path, uint64_t off, uint32_t value)
{
	int fd = open(path, O_RDWR);
	uint8_t bytes[4];

	sv_store_le32(bytes, value);
	assert_int_equal(pwrite(fd, bytes, 4, (off_t)off), 4);
	close(fd);
}

static void poke_table(const char *path, unsigned entry, uint32_t value)
{
	poke32(path, GT * 512 + entry * 4, value);
	poke32(path, RGT * 512 + entry * 4, value);
}

static void assert_fault(const char *path, bool leak, uint64_t offset, const char *words)
{
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors > 0, !leak);
	if (leak)
		assert_true(faults.leaks > 0);
	if (!strstr(found.first, words))
		fail_msg("found \"%s\", expected \"%s\"", found.first, words);
	assert_int_equal(found.offset, offset);
}

static void finds_a_grain_beyond_the_file(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke_table(path, 5, 100000);
	assert_fault(path, false, GT * 512 + 20, "sector 100000");
}

static void finds_a_grain_cut_by_the_end(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	assert_int_equal(truncate(path, (GRAINS + 256 - 1) * 512), 0);
	assert_fault(path, false, GT * 512 + 4, "grain 1 is said to be at sector 256");
}

static void finds_grains_that_overlap(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke_table(path, 7, GRAINS);
	assert_fault(path, false, GT * 512 + 28, "overlaps");
	poke_table(path, 7, GRAINS + 128 + 1 - 64); /* not aligned, over both */
	assert_fault(path, false, GT * 512 + 28, "overlaps");
}

static void finds_grains_over_tables(void **state)
{
	static const struct {
		uint32_t sector;
		uint64_t offset;
		const char *words;
	} places[] = {
		{20, 20 * 512, "over the descriptor"},
		{GT, GT * 512, "over a grain table"},
		{RGD, GD * 512, "over the grain directory"},
	};
	const char *path = at(*state, "d.vmdk");

	for (size_t i = 0; i < SV_ARRAY_LEN(places); i++) {
		make_disk(path);
		poke_table(path, 0, 0);
		poke_table(path, 1, 0);
		poke_table(path, 9, places[i].sector);
		assert_fault(path, false, places[i].offset, places[i].words);
	}
}

static void finds_space_that_nothing_points_to(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke_table(path, 0, 0);
	assert_fault(path, true, GRAINS * 512, "nothing points to 65536 bytes");
}

static void finds_copies_that_differ(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, RGT * 512 + 4, 0);
	assert_fault(path, false, RGT * 512 + 4, "the redundant copy of grain table 0");
	make_disk(path);
	poke32(path, RGD * 512 + 8, 0);
	assert_fault(path, false, RGD * 512 + 8, "in one of the directories only");
}

static void finds_tables_beyond_the_file(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, GD * 512 + 4, 1000000);
	assert_fault(path, false, GD * 512 + 4, "grain directory entry 1");
	make_disk(path);
	poke32(path, RGD * 512 + 12, 1000000);
	assert_fault(path, false, RGD * 512 + 12, "redundant grain directory entry 3");
}

static void finds_tables_that_overlap(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, GD * 512 + 4, GT + 10);
	poke32(path, RGD * 512 + 4, RGT + 10);
	assert_fault(path, false, (RGT + 10) * 512, "overlap");
}

static void finds_directories_and_tables_over_each_other(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, 48, GD); /* both directories in one place */
	assert_fault(path, false, GD * 512, "lies over the grain directory");
	make_disk(path);
	poke32(path, GD * 512 + 4, 10);
	poke32(path, RGD * 512 + 4, 14);
	assert_fault(path, false, 10 * 512, "a grain table lies over the descriptor");
}

static void finds_entries_beyond_the_capacity(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, (GT + 12) * 512 + 100 * 4, GRAINS);
	poke32(path, (RGT + 12) * 512 + 100 * 4, GRAINS);
	assert_fault(path, false, (GT + 12) * 512 + 100 * 4, "beyond the capacity");
}

static void finds_a_bad_header(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, 20, 100);
	assert_fault(path, false, 20, "grain size");
}

static void finds_a_bad_descriptor(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, 512, 0x20202020);
	assert_fault(path, false, 512, "Disk DescriptorFile");
}

static void finds_sizes_that_disagree(void **state)
{
	const char *path = at(*state, "d.vmdk");

	make_disk(path);
	poke32(path, 12, 100 * 2048 + 128);
	assert_fault(path, false, 12, "the descriptor 204800");
}

static void goes_on_after_a_bad_extent(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "split.vmdk");
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	make_image(path, "vmdk", "twoGbMaxExtentSparse", 7000 * SV_MIB, NULL);
	assert_sound(path);
	poke32(at(s, "split-s001.vmdk"), 20, 3);
	unlink(at(s, "split-s002.vmdk"));
	assert_int_equal(truncate(at(s, "split-s003.vmdk"), 100), 0);
	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 3);
	make_image(at(s, "flat.vmdk"), "vmdk", "twoGbMaxExtentFlat", 3000 * SV_MIB, NULL);
	assert_int_equal(truncate(at(s, "flat-f002.vmdk"), 512), 0);
	assert_fault(at(s, "flat.vmdk"), false, 512, "is described with");
}

static void ends_after_ten_thousand_errors(void **state)
{
	const char *path = at(*state, "d.vmdk");
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;
	uint32_t all[512];
	int fd;

	unlink(path);
	make_image(path, "vmdk", NULL, 10 * SV_GIB, NULL);
	memset(all, 0xfe, sizeof all);
	fd = open(path, O_RDWR);
	/* 320 tables and 3 sectors of directory: twice, and 21 before them */
	for (int t = 0; t < 320; t++)
		assert_int_equal(
			pwrite(fd, all, sizeof all, (21 + 1283 + 3 + t * 4) * 512), 2048);
	close(fd);
	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_in_range(faults.errors, 10000, 11000);
}

static void can_be_cancelled(void **state)
{
	const char *path = at(*state, "d.vmdk");
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_job job = {.cancel = true};

	make_disk(path);
	assert_fails(sv_image_check(sv_host_posix(), path, NULL, &faults, &job, &err),
		SV_CANCELLED, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_grain_beyond_the_file),
		cmocka_unit_test(finds_a_grain_cut_by_the_end),
		cmocka_unit_test(finds_grains_that_overlap),
		cmocka_unit_test(finds_grains_over_tables),
		cmocka_unit_test(finds_space_that_nothing_points_to),
		cmocka_unit_test(finds_copies_that_differ),
		cmocka_unit_test(finds_tables_beyond_the_file),
		cmocka_unit_test(finds_tables_that_overlap),
		cmocka_unit_test(finds_directories_and_tables_over_each_other),
		cmocka_unit_test(finds_entries_beyond_the_capacity),
		cmocka_unit_test(finds_a_bad_header),
		cmocka_unit_test(finds_a_bad_descriptor),
		cmocka_unit_test(finds_sizes_that_disagree),
		cmocka_unit_test(goes_on_after_a_bad_extent),
		cmocka_unit_test(ends_after_ten_thousand_errors),
		cmocka_unit_test(can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
