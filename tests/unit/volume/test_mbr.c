/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What sector 0 is, and chains of extended boot records, good and bad. */
#include "disks.h"

static struct sv_table table_of(struct sv_dev *d)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	assert_ok(sv_table_read(d, &t, &err));
	return t;
}

static void assert_part(const struct sv_table *t, size_t i, unsigned number, uint64_t start,
	uint64_t sectors, uint8_t type)
{
	assert_true(i < t->n);
	assert_int_equal(t->parts[i].number, number);
	assert_int_equal(t->parts[i].start, start * 512);
	assert_int_equal(t->parts[i].size, sectors * 512);
	assert_int_equal(t->parts[i].mbr_type, type);
	assert_string_equal(t->parts[i].name, "");
}

/* Reads a disk that must be refused, and closes it. */
static void refused(struct sv_dev *d, uint64_t offset)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	assert_fails(sv_table_read(d, &t, &err), SV_CORRUPT, offset);
	assert_string_equal(err.path, "disk");
	sv_dev_close(d);
}

/* Reads a disk without a table, and closes it; a warning is expected or not. */
static void no_table(struct sv_dev *d, bool warns)
{
	struct sv_table t = table_of(d);

	assert_int_equal(t.kind, SV_TABLE_NONE);
	assert_int_equal(t.n, 0);
	assert_int_equal(t.warning[0] != 0, warns);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void reads_primaries_in_order_of_their_start(void **state)
{
	struct sv_dev *d = disk_new(100000);
	struct sv_table t;

	(void)state;
	disk_write(d, 440, "\x78\x56\x34\x12", 4);
	put_entry(d, 0, 0, 0x07, 50000, 1000);
	put_entry(d, 0, 2, 0x83, 2048, 4096);
	disk_write(d, ENTRY(0), "\x80", 1);
	t = table_of(d);
	assert_int_equal(t.kind, SV_TABLE_MBR);
	assert_int_equal(t.sector_size, 512);
	assert_int_equal(t.mbr_signature, 0x12345678);
	assert_int_equal(t.n, 2);
	assert_part(&t, 0, 3, 2048, 4096, 0x83);
	assert_part(&t, 1, 1, 50000, 1000, 0x07);
	assert_true(t.parts[1].active);
	assert_false(t.parts[0].active);
	assert_int_equal(t.parts[0].entry, ENTRY(2));
	assert_ptr_equal(sv_table_find(&t, 3), &t.parts[0]);
	assert_null(sv_table_find(&t, 2));
	assert_string_equal(t.warning, "");
	sv_table_free(&t);
	sv_dev_close(d);
}

/* A container at 10000 with logicals whose chain runs backwards, one record without one. */
static struct sv_dev *disk_with_chain(void)
{
	struct sv_dev *d = disk_new(100000);

	put_entry(d, 0, 0, 0x07, 2048, 4096);
	put_entry(d, 0, 1, 0x0F, 10000, 50000);
	put_entry(d, 10000, 0, 0x83, 63, 1000);
	put_entry(d, 10000, 1, 0x05, 30000, 5000);
	put_entry(d, 40000, 0, 0x82, 2048, 2952);
	put_entry(d, 40000, 1, 0x05, 20000, 100);
	put_entry(d, 30000, 0, 0x00, 0, 0);
	put_entry(d, 30000, 1, 0x85, 20100, 600);
	put_entry(d, 30100, 0, 0x07, 100, 500);
	return d;
}

static void reads_a_chain_that_runs_backwards_with_an_empty_record(void **state)
{
	struct sv_dev *d = disk_with_chain();
	struct sv_table t = table_of(d);

	(void)state;
	assert_int_equal(t.n, 5);
	assert_part(&t, 0, 1, 2048, 4096, 0x07);
	assert_part(&t, 1, 2, 10000, 50000, 0x0F);
	assert_part(&t, 2, 5, 10063, 1000, 0x83);
	assert_part(&t, 3, 7, 30200, 500, 0x07);
	assert_part(&t, 4, 6, 42048, 2952, 0x82);
	assert_true(t.parts[1].extended && !t.parts[1].logical);
	assert_true(t.parts[2].logical && !t.parts[2].extended);
	assert_int_equal(t.parts[3].entry, 30100 * 512 + ENTRY(0));
	assert_int_equal(t.n_ebrs, 4);
	assert_int_equal(t.ebrs[2], 30000 * 512);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void refuses_a_chain_that_loops(void **state)
{
	struct sv_dev *d = disk_with_chain();

	(void)state;
	put_entry(d, 30100, 1, 0x05, 30000, 5000); /* back to 40000 */
	refused(d, 30100 * 512 + ENTRY(1));
}

static void refuses_a_chain_that_leaves_its_container(void **state)
{
	struct sv_dev *d = disk_with_chain();

	(void)state;
	put_entry(d, 30100, 1, 0x05, 50000, 10);
	refused(d, 30100 * 512 + ENTRY(1));
}

static void refuses_a_logical_that_leaves_its_container(void **state)
{
	struct sv_dev *d = disk_with_chain();

	(void)state;
	put_entry(d, 40000, 0, 0x82, 2048, 17953);
	refused(d, 40000 * 512 + ENTRY(0));
}

static void refuses_a_logical_over_a_boot_record(void **state)
{
	struct sv_dev *d = disk_with_chain();

	(void)state;
	put_entry(d, 10000, 0, 0x83, 63, 20000);
	refused(d, 10000 * 512 + ENTRY(0));
}

static void refuses_a_boot_record_without_its_magic(void **state)
{
	struct sv_dev *d = disk_with_chain();

	(void)state;
	disk_write(d, 30100 * 512 + 510, "\x55\x00", 2);
	refused(d, 30100 * 512 + 510);
}

static void refuses_a_chain_of_257_records(void **state)
{
	struct sv_dev *d = disk_new(100000);

	(void)state;
	put_entry(d, 0, 0, 0x05, 10000, 50000);
	for (uint32_t i = 0; i < 256; i++)
		put_entry(d, 10000 + i, 1, 0x05, i + 1, 1);
	refused(d, 10255 * 512 + ENTRY(1));
}

static void takes_a_container_without_a_boot_record_as_empty(void **state)
{
	struct sv_dev *d = disk_new(100000);
	struct sv_table t;

	(void)state;
	put_entry(d, 0, 3, 0x05, 10000, 50000);
	t = table_of(d);
	assert_int_equal(t.n, 1);
	assert_non_null(strstr(t.warning, "partition 4"));
	sv_table_free(&t);
	sv_dev_close(d);
}

static void counts_a_third_entry_of_a_boot_record_only_where_it_makes_sense(void **state)
{
	struct sv_dev *d = disk_with_chain();
	struct sv_table t;

	(void)state;
	put_entry(d, 40000, 2, 0x07, 6000, 100);
	put_entry(d, 40000, 3, 0x07, 0x7FFFFFFF, 100);
	t = table_of(d);
	assert_int_equal(t.n, 6);
	assert_part(&t, 5, 7, 46000, 100, 0x07);
	assert_non_null(strstr(t.warning, "entry 4"));
	assert_true(t.odd_chain);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void refuses_partitions_that_overlap(void **state)
{
	struct sv_dev *d = disk_new(100000);

	(void)state;
	put_entry(d, 0, 0, 0x07, 3000, 1000);
	put_entry(d, 0, 1, 0x07, 2000, 1001);
	refused(d, ENTRY(0));
}

static void refuses_logicals_that_overlap(void **state)
{
	struct sv_dev *d = disk_with_chain();

	(void)state;
	put_entry(d, 30100, 0, 0x07, 11948, 1); /* where logical 6 begins */
	refused(d, 30100 * 512 + ENTRY(0));
}

static void refuses_a_partition_beyond_the_disk(void **state)
{
	struct sv_dev *d = disk_new(100000);

	(void)state;
	put_entry(d, 0, 1, 0x07, 99999, 2);
	refused(d, ENTRY(1));
}

static void takes_the_boot_sector_of_ntfs_with_garbage_as_no_table(void **state)
{
	struct sv_dev *d = disk_new(100000);

	(void)state;
	put_entry(d, 0, 0, 0x6C, 0x12345678, 0x9ABCDEF0);
	disk_write(d, 3, "NTFS    ", 8);
	no_table(d, false);
}

static void takes_a_fat_boot_sector_as_no_table(void **state)
{
	static const uint8_t fat[] = {0xEB, 0x3C, 0x90, 'm', 'k', 'f', 's', '.', 'f', 'a', 't',
		0x00, 0x02, 4, 4, 0, 2, 0, 2, 0, 0x20, 0xF8};
	struct sv_dev *d = disk_new(100000);

	(void)state;
	put_entry(d, 0, 0, 0, 0, 0);
	disk_write(d, 0, fat, sizeof fat);
	no_table(d, false);
	d = disk_new(100000);
	put_entry(d, 0, 0, 0x20, 0x6F6E2064, 0x74736973); /* text of the boot code */
	disk_write(d, 0, fat, sizeof fat);
	no_table(d, false);
}

static void reads_a_table_in_a_sector_that_has_fat_parameters_too(void **state)
{
	static const uint8_t fat[] = {0xEB, 0x3C, 0x90, 'm', 'k', 'f', 's', '.', 'f', 'a', 't',
		0x00, 0x02, 4, 4, 0, 2, 0, 2, 0, 0x20, 0xF8};
	struct sv_dev *d = disk_new(100000);
	struct sv_table t;

	(void)state;
	put_entry(d, 0, 0, 0x0C, 2048, 90000);
	disk_write(d, 0, fat, sizeof fat);
	t = table_of(d);
	assert_int_equal(t.kind, SV_TABLE_MBR);
	assert_int_equal(t.n, 1);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void takes_entries_that_cannot_be_a_table_as_none_and_says_so(void **state)
{
	struct sv_dev *d = disk_new(100000);

	(void)state;
	put_entry(d, 0, 0, 0x07, 2048, 1000);
	disk_write(d, ENTRY(2), "\x01", 1);
	no_table(d, true);
	d = disk_new(100000);
	put_entry(d, 0, 3, 0xA5, 0, 50000); /* BSD's "dangerously dedicated" disk */
	no_table(d, true);
}

static void tells_an_empty_table_from_none_by_its_signature(void **state)
{
	struct sv_dev *d = disk_new(100000);
	struct sv_table t;

	(void)state;
	put_entry(d, 0, 0, 0, 0, 0);
	disk_write(d, 440, "\x01\x00\x00\x00", 4);
	t = table_of(d);
	assert_int_equal(t.kind, SV_TABLE_MBR);
	assert_int_equal(t.n, 0);
	sv_table_free(&t);
	sv_dev_close(d);
	d = disk_new(100000);
	put_entry(d, 0, 0, 0, 0, 0);
	no_table(d, false);
	no_table(disk_new(100000), false);
	no_table(disk_new(0), false);
}

static void passes_over_a_gpt_that_the_mbr_does_not_announce(void **state)
{
	struct sv_dev *d = disk_new(100000);
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 1}}};
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	put_entry(d, 0, 0, 0x83, 2048, 1000);
	t = table_of(d);
	assert_int_equal(t.kind, SV_TABLE_MBR);
	assert_part(&t, 0, 1, 2048, 1000, 0x83);
	assert_non_null(strstr(t.warning, "GPT"));
	sv_table_free(&t);
	put_entry(d, 0, 0, 0, 0, 0);
	no_table(d, true);
}

static void writes_chs_addresses_as_windows_does(void **state)
{
	static const struct {
		uint64_t lba;
		uint8_t chs[3];
	} known[] = {
		{0, {0x00, 0x01, 0x00}},
		{63, {0x01, 0x01, 0x00}},
		{2048, {0x20, 0x21, 0x00}},   /* where Windows starts its first */
		{206847, {0xDF, 0x13, 0x0C}}, /* its 100 MiB system partition ends */
		{1024 * 255 * 63 - 1, {0xFE, 0xFF, 0xFF}}, /* the last one there is */
		{1024 * 255 * 63, {0xFE, 0xFF, 0xFF}},
		{UINT64_C(1) << 40, {0xFE, 0xFF, 0xFF}},
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++) {
		uint8_t chs[3];

		sv_mbr_chs(known[i].lba, chs);
		assert_memory_equal(chs, known[i].chs, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_primaries_in_order_of_their_start),
		cmocka_unit_test(reads_a_chain_that_runs_backwards_with_an_empty_record),
		cmocka_unit_test(refuses_a_chain_that_loops),
		cmocka_unit_test(refuses_a_chain_that_leaves_its_container),
		cmocka_unit_test(refuses_a_logical_that_leaves_its_container),
		cmocka_unit_test(refuses_a_logical_over_a_boot_record),
		cmocka_unit_test(refuses_a_boot_record_without_its_magic),
		cmocka_unit_test(refuses_a_chain_of_257_records),
		cmocka_unit_test(takes_a_container_without_a_boot_record_as_empty),
		cmocka_unit_test(
			counts_a_third_entry_of_a_boot_record_only_where_it_makes_sense),
		cmocka_unit_test(refuses_partitions_that_overlap),
		cmocka_unit_test(refuses_logicals_that_overlap),
		cmocka_unit_test(refuses_a_partition_beyond_the_disk),
		cmocka_unit_test(takes_the_boot_sector_of_ntfs_with_garbage_as_no_table),
		cmocka_unit_test(takes_a_fat_boot_sector_as_no_table),
		cmocka_unit_test(reads_a_table_in_a_sector_that_has_fat_parameters_too),
		cmocka_unit_test(takes_entries_that_cannot_be_a_table_as_none_and_says_so),
		cmocka_unit_test(tells_an_empty_table_from_none_by_its_signature),
		cmocka_unit_test(passes_over_a_gpt_that_the_mbr_does_not_announce),
		cmocka_unit_test(writes_chs_addresses_as_windows_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
