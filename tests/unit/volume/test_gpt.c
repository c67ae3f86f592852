/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GUID partition tables, good and bad, of every sector and entry size. */
#include "disks.h"

enum { SECTORS = 200000 };

static struct sv_table table_of(struct sv_dev *d)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	assert_ok(sv_table_read(d, &t, &err));
	return t;
}

static struct gpt_disk two_parts(void)
{
	return (struct gpt_disk){.parts = {{0, 2048, 4095, 0x11}, {5, 8192, 20479, 0x22}}};
}

static struct sv_dev *good_disk(struct gpt_disk *g)
{
	struct sv_dev *d = disk_new(SECTORS);

	*g = two_parts();
	put_gpt(d, g);
	return d;
}

static void flip(struct sv_dev *d, uint64_t at)
{
	uint8_t byte;

	disk_read(d, at, &byte, 1);
	byte = (uint8_t)~byte;
	disk_write(d, at, &byte, 1);
}

static void reads_entries_as_they_lie_on_the_disk(void **state)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_table t = table_of(d);
	char text[SV_GUID_TEXT];

	(void)state;
	assert_int_equal(t.kind, SV_TABLE_GPT);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.parts[1].number, 6);
	assert_int_equal(t.parts[1].start, 8192 * 512);
	assert_int_equal(t.parts[1].size, 12288 * 512);
	assert_int_equal(t.parts[1].entry, 1024 + 5 * 128);
	assert_int_equal(t.parts[1].attributes, 0x8000000000000001);
	assert_string_equal(t.parts[1].name, "C\u20ac");
	sv_guid_text(t.parts[1].guid, text);
	assert_string_equal(text, "23232323-2323-2323-2323-232323232323");
	assert_int_equal(t.gpt_first_usable, 34 * 512);
	assert_int_equal(t.gpt_last_usable, (SECTORS - 33) * 512);
	assert_int_equal(t.gpt_backup_lba, SECTORS - 1);
	assert_int_equal(t.gpt_backup_area, 33 * 512);
	assert_true(t.primary_ok && t.backup_ok && !t.hybrid);
	assert_string_equal(t.warning, "");
	sv_table_free(&t);
	sv_dev_close(d);
}

static void reads_sectors_of_4096_bytes_and_entries_of_512(void **state)
{
	struct gpt_disk g = {.sector_size = 4096,
		.entry_size = 512,
		.n_entries = 9,
		.parts = {{8, 100, 199, 0x11}}};
	struct sv_dev *d = disk_new(SECTORS);
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	t = table_of(d);
	assert_int_equal(t.sector_size, 4096);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.parts[0].number, 9);
	assert_int_equal(t.parts[0].start, 100 * 4096);
	assert_int_equal(t.parts[0].size, 100 * 4096);
	assert_int_equal(t.parts[0].entry, 2 * 4096 + 8 * 512);
	assert_int_equal(t.gpt_backup_area, 3 * 4096); /* 2 of entries: this disk keeps no 4 */
	sv_table_free(&t);
	sv_dev_close(d);
}

static void uses_the_backup_when_the_primary_is_bad(void **state)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_table t;

	(void)state;
	flip(d, 512 + 80);
	t = table_of(d);
	assert_false(t.primary_ok);
	assert_true(t.backup_ok);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.parts[0].entry, (SECTORS - 33) * 512);
	assert_non_null(strstr(t.warning, "backup is used"));
	sv_table_free(&t);
	memset(g.parts, 0, sizeof g.parts);
	disk_write(d, 512, "\0\0\0\0\0\0\0\0", 8); /* not even a signature */
	t = table_of(d);
	assert_int_equal(t.n, 2);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void uses_the_backup_when_the_primary_entries_are_bad(void **state)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_table t;

	(void)state;
	flip(d, 1024 + 33);
	t = table_of(d);
	assert_false(t.primary_ok);
	assert_non_null(strstr(t.warning, "entries checksum"));
	assert_int_equal(t.parts[0].start, 2048 * 512);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void uses_the_primary_when_the_backup_is_bad_or_elsewhere(void **state)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	(void)state;
	flip(d, (SECTORS - 1) * 512 + 56);
	t = table_of(d);
	assert_true(t.primary_ok);
	assert_false(t.backup_ok);
	assert_non_null(strstr(t.warning, "primary is used"));
	sv_table_free(&t);
	flip(d, (SECTORS - 1) * 512 + 56);
	assert_ok(sv_dev_resize(d, 300000 * 512, &err)); /* a grown disk: it is where it was */
	t = table_of(d);
	assert_true(t.primary_ok && t.backup_ok);
	assert_int_equal(t.gpt_backup_lba, SECTORS - 1);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void refuses_two_bad_headers_with_the_checksums(void **state)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;
	char found[16];
	uint32_t crc;

	(void)state;
	disk_read(d, 512 + 16, &crc, 4);
	snprintf(found, sizeof found, "0x%08x", crc);
	flip(d, 512 + 40);
	flip(d, (SECTORS - 1) * 512 + 40);
	assert_fails(sv_table_read(d, &t, &err), SV_CORRUPT, 512 + 16);
	assert_non_null(strstr(err.message, found));
	assert_non_null(strstr(err.message, "expected 0x"));
	assert_true(err.hint[0] != 0);
	sv_dev_close(d);
}

static void refuses_a_promised_gpt_that_is_not_there(void **state)
{
	struct sv_dev *d = disk_new(SECTORS);
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	(void)state;
	put_entry(d, 0, 0, 0xEE, 1, SECTORS - 1);
	assert_fails(sv_table_read(d, &t, &err), SV_CORRUPT, 512);
	sv_dev_close(d);
}

static void says_that_two_good_copies_differ(void **state)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_table t;

	(void)state;
	disk_write(d, (SECTORS - 33) * 512 + 56, "X", 1);
	seal_header(d, &g, SECTORS - 1);
	t = table_of(d);
	assert_non_null(strstr(t.warning, "differ"));
	assert_string_equal(t.parts[0].name, "C\u20ac");
	sv_table_free(&t);
	sv_dev_close(d);
}

static void reads_a_hybrid_by_its_gpt(void **state)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_table t;

	(void)state;
	put_entry(d, 0, 1, 0x07, 8192, 12288);
	t = table_of(d);
	assert_true(t.hybrid);
	assert_int_equal(t.kind, SV_TABLE_GPT);
	assert_int_equal(t.n, 2);
	sv_table_free(&t);
	sv_dev_close(d);
}

/* Both headers get the same wrong value in a field; the primary's offset is told. */
static void refused_with(uint64_t field, uint64_t value, size_t width, uint64_t offset)
{
	struct gpt_disk g;
	struct sv_dev *d = good_disk(&g);
	struct sv_err err = SV_ERR_INIT;
	uint64_t lbas[] = {1, SECTORS - 1};
	uint8_t bytes[8];
	struct sv_table t;

	sv_store_le64(bytes, value);
	for (size_t i = 0; i < 2; i++) {
		struct sv_gpt_disk_header h;

		disk_write(d, lbas[i] * 512 + field, bytes, width);
		disk_read(d, lbas[i] * 512, &h, sizeof h);
		h.header_crc = sv_put_le32(0);
		h.header_crc = sv_put_le32(sv_crc32(0, &h, sizeof h));
		disk_write(d, lbas[i] * 512, &h, sizeof h);
	}
	assert_fails(sv_table_read(d, &t, &err), SV_CORRUPT, offset);
	sv_dev_close(d);
}

static void refuses_headers_with_values_that_cannot_be(void **state)
{
	(void)state;
	refused_with(8, 0x00020000, 4, 512 + 8); /* revision */
	refused_with(12, 91, 4, 512 + 12);       /* header size */
	refused_with(12, 513, 4, 512 + 12);
	refused_with(24, 7, 8, 512 + 24); /* own place */
	refused_with(40, 1, 8, 512 + 40); /* first usable */
	refused_with(40, SECTORS, 8, 512 + 40);
	refused_with(48, SECTORS, 8, 512 + 48); /* last usable: beyond the disk */
	refused_with(48, UINT64_MAX, 8, 512 + 48);
	refused_with(72, 1, 8, 512 + 72);            /* entries in the header */
	refused_with(72, 40000, 8, 512 + 72);        /* entries among partitions */
	refused_with(72, SECTORS - 31, 8, 512 + 72); /* entries beyond the disk */
	refused_with(80, 0, 4, 512 + 80);            /* number of entries */
	refused_with(80, UINT32_MAX, 4, 512 + 80);
	refused_with(84, 64, 4, 512 + 84); /* entry size */
	refused_with(84, 384, 4, 512 + 84);
}

/* One entry with these sectors, in both copies. */
static void refused_entry(uint64_t first, uint64_t last)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}, {3, first, last, 0x22}}};
	struct sv_dev *d = disk_new(SECTORS);
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	put_gpt(d, &g);
	assert_fails(sv_table_read(d, &t, &err), SV_CORRUPT, 1024 + 3 * 128);
	sv_dev_close(d);
}

static void refuses_entries_that_overlap_or_leave_the_usable_sectors(void **state)
{
	(void)state;
	refused_entry(4095, 5000);
	refused_entry(5000, 4999);
	refused_entry(33, 100);
	refused_entry(5000, SECTORS - 33);
	refused_entry(5000, UINT64_MAX);
	refused_entry(UINT64_MAX, UINT64_MAX);
}

static void passes_over_a_backup_that_lies_among_the_usable_sectors(void **state)
{
	struct gpt_disk g = {.last_usable = SECTORS - 1, .parts = {{0, 2048, 4095, 0x11}}};
	struct sv_dev *d = disk_new(SECTORS);
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	t = table_of(d); /* the backup denies itself, the primary is believed */
	assert_true(t.primary_ok);
	assert_false(t.backup_ok);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void refuses_more_than_1024_partitions(void **state)
{
	struct gpt_disk g = {.n_entries = 1025};
	struct sv_dev *d = disk_new(SECTORS);
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	for (uint32_t i = 0; i < 1025; i++) {
		struct sv_gpt_disk_entry e = {.type = {1},
			.first = sv_put_le64(2048 + i),
			.last = sv_put_le64(2048 + i)};

		disk_write(d, 1024 + i * 128, &e, sizeof e);
	}
	seal_header(d, &g, 1);
	assert_fails(sv_table_read(d, &t, &err), SV_UNSUPPORTED, 1024 + 1024 * 128);
	sv_dev_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_entries_as_they_lie_on_the_disk),
		cmocka_unit_test(reads_sectors_of_4096_bytes_and_entries_of_512),
		cmocka_unit_test(uses_the_backup_when_the_primary_is_bad),
		cmocka_unit_test(uses_the_backup_when_the_primary_entries_are_bad),
		cmocka_unit_test(uses_the_primary_when_the_backup_is_bad_or_elsewhere),
		cmocka_unit_test(refuses_two_bad_headers_with_the_checksums),
		cmocka_unit_test(refuses_a_promised_gpt_that_is_not_there),
		cmocka_unit_test(says_that_two_good_copies_differ),
		cmocka_unit_test(reads_a_hybrid_by_its_gpt),
		cmocka_unit_test(refuses_headers_with_values_that_cannot_be),
		cmocka_unit_test(refuses_entries_that_overlap_or_leave_the_usable_sectors),
		cmocka_unit_test(passes_over_a_backup_that_lies_among_the_usable_sectors),
		cmocka_unit_test(refuses_more_than_1024_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
