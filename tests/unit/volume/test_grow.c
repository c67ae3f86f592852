/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far partitions can grow, what the refusals say, and which bytes an edit changes. */
#include "disks.h"

static const uint64_t mib = 2048; /* sectors */

static struct sv_table table_of(struct sv_dev *d)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	assert_ok(sv_table_read(d, &t, &err));
	return t;
}

static void resize(struct sv_dev *d, uint64_t sectors)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_dev_resize(d, sectors * 512, &err));
}

static uint64_t max_of(const struct sv_table *t, unsigned number, uint64_t disk_sectors)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t size = 0;

	assert_ok(sv_table_max_size(t, number, disk_sectors * 512, &size, &err));
	return size / 512;
}

/* Growing must be refused with this code, and say this. */
static void refused(const struct sv_table *t, unsigned number, uint64_t sectors,
	uint64_t disk_sectors, enum sv_code code, const char *says)
{
	struct sv_err err = SV_ERR_INIT;

	assert_fails(
		sv_table_check_grow(t, number, sectors * 512, disk_sectors * 512, NULL, &err),
		code, UINT64_MAX);
	if (!strstr(err.message, says))
		fail_msg("'%s' does not say '%s'", err.message, says);
	assert_true(err.hint[0] || code == SV_USAGE || strstr(says, "already"));
}

static struct sv_dev *disk_with_primaries(void)
{
	struct sv_dev *d = disk_new(100 * mib);

	put_entry(d, 0, 0, 0x07, 2048, 10 * 2048);
	put_entry(d, 0, 1, 0x27, 11 * 2048, 600);
	put_entry(d, 0, 2, 0x83, 40 * 2048, 10 * 2048);
	return d;
}

/* A container from 20 to 60 MiB with logicals at 21 to 30 and 40 to 50 MiB; both records in
 * front of them leave 63 sectors. A primary lies behind at 70 MiB. */
static struct sv_dev *disk_with_logicals(void)
{
	struct sv_dev *d = disk_new(100 * mib);

	put_entry(d, 0, 0, 0x07, 2048, 10 * 2048);
	put_entry(d, 0, 1, 0x05, 20 * 2048, 40 * 2048);
	put_entry(d, 0, 2, 0x27, 70 * 2048, 2048);
	put_entry(d, 20 * mib, 0, 0x83, 2048, 9 * 2048);
	put_entry(d, 20 * mib, 1, 0x05, 20 * 2048 - 63, 10 * 2048 + 63);
	put_entry(d, 40 * mib - 63, 0, 0x07, 63, 10 * 2048);
	return d;
}

/* ---- limits ---- */

static void names_the_recovery_partition_right_behind_it(void **state)
{
	struct sv_dev *d = disk_with_primaries();
	struct sv_table t = table_of(d);
	struct sv_err err = SV_ERR_INIT;
	uint64_t max = 0;

	(void)state;
	assert_fails(sv_table_check_grow(&t, 1, 20 << 20, 100 << 20, &max, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_string_equal(err.message, "partition 1 cannot grow to 20M: partition 2 (Windows "
					 "recovery, 300K) lies right behind it");
	assert_non_null(strstr(err.hint, "not possible yet"));
	assert_non_null(strstr(err.hint, "reagentc /disable"));
	assert_int_equal(max, 10 << 20);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void tells_how_far_behind_the_next_partition_lies(void **state)
{
	struct sv_dev *d = disk_with_primaries();
	struct sv_table t = table_of(d);

	(void)state;
	refused(&t, 2, 80 * mib, 100 * mib, SV_UNSUPPORTED,
		"partition 3 (Linux, 10M) lies 28.7M behind it");
	assert_int_equal(max_of(&t, 2, 100 * mib), 29 * mib);
	assert_int_equal(max_of(&t, 3, 100 * mib), 60 * mib);
	assert_int_equal(max_of(&t, 3, 100 * mib + 5), 60 * mib);
	assert_int_equal(
		max_of(&t, 3, 50 * mib + 5), 10 * mib + 5); /* less than a MiB is a gain */
	refused(&t, 3, 60 * mib + 1, 100 * mib, SV_UNSUPPORTED,
		"at most on a disk of this size");
	sv_table_free(&t);
	sv_dev_close(d);
}

static void refuses_what_is_no_growth(void **state)
{
	struct sv_dev *d = disk_with_primaries();
	struct sv_table t = table_of(d);
	struct sv_err err = SV_ERR_INIT;
	uint64_t size = 7;

	(void)state;
	refused(&t, 3, 10 * mib, 100 * mib, SV_UNSUPPORTED, "already");
	refused(&t, 9, 10 * mib, 100 * mib, SV_NOTFOUND, "no partition 9");
	assert_fails(sv_table_check_grow(&t, 3, (20 << 20) + 1, 100 << 20, NULL, &err),
		SV_USAGE, UINT64_MAX);
	assert_fails(
		sv_table_max_size(&t, 3, 49 << 20, &size, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_int_equal(size, 7);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void stops_at_two_tib_on_an_mbr(void **state)
{
	struct sv_dev *d = disk_with_primaries();
	struct sv_table t = table_of(d);
	uint64_t end = UINT64_C(1) << 32;

	(void)state;
	assert_int_equal(max_of(&t, 3, 3 * end), end - mib - 40 * mib);
	refused(&t, 3, end - 40 * mib, 3 * end, SV_UNSUPPORTED, "an MBR counts to 2T");
	refused(&t, 3, 2 * end, 3 * end, SV_UNSUPPORTED, "an MBR counts to 2T");
	{
		struct sv_err err = SV_ERR_INIT;

		assert_ok(sv_table_check_grow(
			&t, 3, (end - 1 - 40 * mib) * 512, 3 * end * 512, NULL, &err));
	}
	sv_table_free(&t);
	sv_dev_close(d);
}

static void bounds_a_logical_by_the_next_boot_record(void **state)
{
	struct sv_dev *d = disk_with_logicals();
	struct sv_table t = table_of(d);

	(void)state;
	assert_int_equal(max_of(&t, 5, 100 * mib), 18 * mib);
	refused(&t, 5, 19 * mib, 100 * mib, SV_UNSUPPORTED, "partition 6 (NTFS or exFAT, 10M)");
	assert_int_equal(max_of(&t, 6, 100 * mib), 30 * mib);
	refused(&t, 6, 31 * mib, 100 * mib, SV_UNSUPPORTED,
		"partition 3 (Windows recovery, 1M)");
	refused(&t, 2, 45 * mib, 100 * mib, SV_UNSUPPORTED, "extended container");
	refused(&t, 1, 15 * mib + 40 * mib, 100 * mib, SV_UNSUPPORTED,
		"partition 2 (extended, 40M)");
	sv_table_free(&t);
	sv_dev_close(d);
}

static void bounds_a_logical_by_an_empty_boot_record(void **state)
{
	struct sv_dev *d = disk_with_logicals();
	struct sv_table t;

	(void)state;
	put_entry(d, 40 * mib - 63, 1, 0x05, 35 * 2048, 2048);
	put_entry(d, 55 * mib, 0, 0, 0, 0);
	t = table_of(d);
	assert_int_equal(max_of(&t, 6, 100 * mib), 15 * mib);
	refused(&t, 6, 16 * mib, 100 * mib, SV_UNSUPPORTED, "empty extended boot record");
	sv_table_free(&t);
	sv_dev_close(d);
}

/* A third entry that is nonsense today may make sense in a larger container. */
static void refuses_logicals_of_an_odd_chain(void **state)
{
	struct sv_dev *d = disk_with_logicals();
	struct sv_table t;

	(void)state;
	put_entry(d, 20 * mib, 2, 0x07, 0, 45 * 2048);
	t = table_of(d);
	refused(&t, 6, 15 * mib, 100 * mib, SV_UNSUPPORTED, "more than two entries");
	assert_int_equal(max_of(&t, 1, 100 * mib), 19 * mib);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void keeps_the_room_of_a_gpt_backup(void **state)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}, {1, 4096, 8191, 0x22}}};
	struct sv_dev *d = disk_new(100 * mib);
	struct sv_table t;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	put_gpt(d, &g);
	t = table_of(d);
	assert_int_equal(max_of(&t, 2, 200 * mib), 197 * mib);
	assert_ok(sv_table_check_grow(
		&t, 2, (198 * mib - 33) * 512, 200 * mib * 512, NULL, &err));
	refused(&t, 2, 198 * mib - 32, 200 * mib, SV_UNSUPPORTED, "on a disk of this size");
	refused(&t, 1, 4096, 200 * mib, SV_UNSUPPORTED,
		"partition 2 (unknown type, 2M) lies right");
	assert_int_equal(max_of(&t, 2, UINT64_C(1) << 40), (UINT64_C(1) << 40) - 3 * mib);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void refuses_hybrids_and_dynamic_disks_by_name(void **state)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}}};
	struct sv_dev *d = disk_new(100 * mib);
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	put_entry(d, 0, 1, 0x07, 2048, 2048);
	t = table_of(d);
	refused(&t, 1, 4096, 100 * mib, SV_UNSUPPORTED, "hybrid MBR");
	assert_fails(sv_table_grow(d, &t, 0, 0, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
	sv_table_free(&t);
	sv_dev_close(d);
	d = disk_new(100 * mib);
	put_entry(d, 0, 0, 0x42, 63, 10000);
	t = table_of(d);
	refused(&t, 1, 20000, 100 * mib, SV_UNSUPPORTED, "dynamic disk");
	sv_table_free(&t);
	sv_dev_close(d);
}

/* ---- edits ---- */

/* Fills what an edit has no business with, so that a change of it shows. */
static void fill(struct sv_dev *d, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(at * 31 + i * 7 + 1);

		disk_write(d, at + i, &byte, 1);
	}
}

static void changes_only_count_and_end_of_an_mbr_entry(void **state)
{
	struct sv_dev *d = disk_with_primaries();
	uint8_t before[512], after[512];
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	(void)state;
	fill(d, 0, 446);
	disk_write(d, ENTRY(2), "\x80\x11\x22\x33", 4);
	t = table_of(d);
	disk_read(d, 0, before, sizeof before);
	assert_ok(sv_table_grow(d, &t, 3, 60 * mib * 512, NULL, &err));
	disk_read(d, 0, after, sizeof after);
	sv_store_le32(before + ENTRY(2) + 12, (uint32_t)(60 * mib));
	sv_mbr_chs(100 * mib - 1, before + ENTRY(2) + 5);
	assert_memory_equal(before, after, 512);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void grows_container_link_and_logical_and_nothing_else(void **state)
{
	struct sv_dev *d = disk_with_logicals();
	uint64_t sectors[] = {0, 20 * mib, 40 * mib - 63};
	uint8_t before[3][512], after[512];
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t = table_of(d);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fill(d, sectors[i] * 512, 446);
		disk_read(d, sectors[i] * 512, before[i], 512);
	}
	assert_ok(sv_table_grow(d, &t, 6, 30 * mib * 512, NULL, &err));
	sv_store_le32(before[0] + ENTRY(1) + 12, (uint32_t)(50 * mib));
	sv_mbr_chs(70 * mib - 1, before[0] + ENTRY(1) + 5);
	sv_store_le32(before[1] + ENTRY(1) + 12, (uint32_t)(30 * mib + 63));
	sv_mbr_chs(70 * mib - 1, before[1] + ENTRY(1) + 5);
	sv_store_le32(before[2] + ENTRY(0) + 12, (uint32_t)(30 * mib));
	sv_mbr_chs(70 * mib - 1, before[2] + ENTRY(0) + 5);
	for (size_t i = 0; i < 3; i++) {
		disk_read(d, sectors[i] * 512, after, 512);
		assert_memory_equal(before[i], after, 512);
	}
	sv_table_free(&t);
	sv_dev_close(d);
}

static void leaves_the_container_alone_where_it_has_room(void **state)
{
	struct sv_dev *d = disk_with_logicals();
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t = table_of(d);
	uint8_t before[512], after[512];

	(void)state;
	disk_read(d, 0, before, 512);
	assert_ok(sv_table_grow(d, &t, 6, 20 * mib * 512, NULL, &err));
	assert_ok(sv_table_grow(d, &t, 5, 18 * mib * 512, NULL, &err));
	disk_read(d, 0, after, 512);
	assert_memory_equal(before, after, 512);
	sv_table_free(&t);
	t = table_of(d);
	assert_int_equal(sv_table_find(&t, 5)->size, 18 * mib * 512);
	assert_int_equal(sv_table_find(&t, 6)->size, 20 * mib * 512);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void keeps_every_byte_of_a_gpt_that_it_does_not_know(void **state)
{
	struct gpt_disk g = {.entry_size = 256, .parts = {{2, 2048, 4095, 0x11}}};
	struct sv_dev *d = disk_new(10 * mib);
	struct sv_err err = SV_ERR_INIT;
	uint8_t before[128 * 256], after[128 * 256];
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	fill(d, 1024 + 2 * 256 + 128, 128); /* what a later version may keep in an entry */
	seal_header(d, &g, 1);
	fill(d, 0, 446);
	fill(d, 512 + 92, 420);
	t = table_of(d);
	resize(d, 50 * mib);
	disk_read(d, 1024, before, sizeof before);
	assert_ok(sv_table_grow(d, &t, 3, 40 * mib * 512, NULL, &err));
	sv_store_le64(before + 2 * 256 + 40, 2048 + 40 * mib - 1);
	disk_read(d, 1024, after, sizeof after);
	assert_memory_equal(before, after, sizeof before);
	disk_read(d, (50 * mib - 65) * 512, after, sizeof after);
	assert_memory_equal(before, after, sizeof before);
	disk_read(d, 512 + 92, after, 420);
	disk_read(d, (50 * mib - 1) * 512 + 92, before, 420);
	assert_memory_equal(before, after, 420);
	for (size_t i = 0; i < 420; i++)
		assert_int_equal(after[i], (uint8_t)((512 + 92) * 31 + i * 7 + 1));
	sv_table_free(&t);
	sv_dev_close(d);
}

static void fits_the_protective_mbr_and_erases_the_old_backup(void **state)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}}};
	struct sv_dev *d = disk_new(10 * mib);
	struct sv_err err = SV_ERR_INIT;
	uint8_t sector[512];
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	t = table_of(d);
	resize(d, 50 * mib);
	assert_ok(sv_table_grow(d, &t, 0, 0, NULL, &err));
	disk_read(d, 0, sector, 512);
	assert_int_equal(sv_load_le32(sector + ENTRY(0) + 12), 50 * mib - 1);
	disk_read(d, (10 * mib - 1) * 512, sector, 512);
	assert_true(sv_is_zero(sector, 512));
	sv_table_free(&t);
	t = table_of(d);
	assert_true(t.primary_ok && t.backup_ok);
	assert_int_equal(t.gpt_backup_lba, 50 * mib - 1);
	assert_string_equal(t.warning, "");
	put_entry(d, 0, 0, 0xEE, 1, UINT32_MAX); /* as Windows writes it */
	resize(d, 60 * mib);
	assert_ok(sv_table_grow(d, &t, 0, 0, NULL, &err));
	disk_read(d, 0, sector, 512);
	assert_int_equal(sv_load_le32(sector + ENTRY(0) + 12), UINT32_MAX);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void finds_the_only_good_copy_where_it_was_before_the_disk_grew(void **state)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}}};
	struct sv_dev *d = disk_new(10 * mib);
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	disk_write(d, 600, "bad", 3);
	t = table_of(d);
	resize(d, 50 * mib);
	assert_ok(sv_table_grow(d, &t, 1, 40 * mib * 512, NULL, &err));
	sv_table_free(&t);
	t = table_of(d);
	assert_true(t.primary_ok && t.backup_ok);
	assert_int_equal(t.parts[0].size, 40 * mib * 512);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void caps_the_protective_mbr_above_two_tib(void **state)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}}};
	struct sv_dev *d = disk_new(10 * mib);
	uint64_t big = UINT64_C(5) << 32;
	struct sv_err err = SV_ERR_INIT;
	uint8_t sector[512];
	struct sv_table t;

	(void)state;
	put_gpt(d, &g);
	t = table_of(d);
	resize(d, big);
	assert_ok(sv_table_grow(d, &t, 1, (big - 2 * mib) * 512, NULL, &err));
	disk_read(d, 0, sector, 512);
	assert_int_equal(sv_load_le32(sector + ENTRY(0) + 12), UINT32_MAX);
	assert_memory_equal(sector + ENTRY(0) + 5, "\xFE\xFF\xFF", 3);
	sv_table_free(&t);
	t = table_of(d);
	assert_int_equal(t.parts[0].size, (big - 2 * mib) * 512);
	sv_table_free(&t);
	sv_dev_close(d);
}

static void refuses_a_table_that_changed_since_it_was_read(void **state)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}}};
	struct sv_dev *d = disk_with_primaries();
	struct sv_err err = SV_ERR_INIT;
	struct sv_table t = table_of(d);

	(void)state;
	put_entry(d, 0, 2, 0x83, 40 * 2048, 11 * 2048);
	assert_fails(sv_table_grow(d, &t, 3, 60 * mib * 512, NULL, &err), SV_CORRUPT, ENTRY(2));
	sv_table_free(&t);
	sv_dev_close(d);
	d = disk_new(10 * mib);
	put_gpt(d, &g);
	t = table_of(d);
	g.parts[0].last = 4000;
	put_gpt(d, &g);
	assert_fails(sv_table_grow(d, &t, 1, 4 * mib * 512, NULL, &err), SV_CORRUPT, 1024);
	sv_table_free(&t);
	sv_dev_close(d);
}

/* ---- power cuts ---- */

struct cut {
	struct sv_dev dev;
	struct sv_dev *under;
	unsigned writes, left; /* all writes so far; how many may still pass */
};

static int cut_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	return sv_dev_read(((struct cut *)d)->under, buf, n, off, err);
}

static int cut_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct cut *c = (struct cut *)d;

	c->writes++;
	if (!c->left)
		return sv_fail(err, SV_IO, NULL, "power cut");
	c->left--;
	return sv_dev_write(c->under, buf, n, off, err);
}

static int cut_flush(struct sv_dev *d, struct sv_err *err)
{
	(void)d;
	(void)err;
	return 0;
}

static void cut_close(struct sv_dev *d)
{
	free(d);
}

static const struct sv_dev_ops cut_ops = {.kind = "cut",
	.pread = cut_pread,
	.pwrite = cut_pwrite,
	.flush = cut_flush,
	.close = cut_close};

static struct sv_dev *cut_open(struct sv_dev *under, unsigned left)
{
	struct cut *c = calloc(1, sizeof *c);
	struct sv_err err = SV_ERR_INIT;

	assert_non_null(c);
	c->under = under;
	c->left = left;
	assert_ok(sv_dev_init(&c->dev, &cut_ops, "cut", sv_dev_size(under), true, &err));
	return &c->dev;
}

/* Every partition is the old one, or the grown one, or a container on its way. */
static void assert_old_or_new(const struct sv_table *old, const struct sv_table *now,
	unsigned number, uint64_t new_size)
{
	assert_int_equal(old->n, now->n);
	for (size_t i = 0; i < old->n; i++) {
		const struct sv_partition *a = &old->parts[i], *b = &now->parts[i];

		assert_int_equal(a->number, b->number);
		assert_int_equal(a->start, b->start);
		if (a->number == number && b->size == new_size)
			continue;
		assert_true(a->size == b->size || (a->extended && b->size > a->size));
	}
}

/* Grows on copies of `base`, cut after 0, 1, 2, ... writes; the table reads each time. Gives
 * how many writes a whole run takes. */
static unsigned cut_everywhere(
	struct sv_dev *base, uint64_t sectors, unsigned number, uint64_t new_size)
{
	struct sv_table old = table_of(base);

	for (unsigned n = 0;; n++) {
		struct sv_err err = SV_ERR_INIT;
		struct sv_dev *copy =
			sv_overlay_open(base, sectors * 512, 8 << 20, "copy", &err);
		struct sv_dev *cut = cut_open(copy, n);
		int rc = sv_table_grow(cut, &old, number, new_size, NULL, &err);
		unsigned writes = ((struct cut *)cut)->writes;
		struct sv_table now = table_of(copy);

		assert_old_or_new(&old, &now, number, new_size);
		if (rc == 0) {
			assert_int_equal(sv_table_find(&now, number)->size, new_size);
			assert_string_equal(now.warning, "");
		}
		sv_table_free(&now);
		sv_dev_close(cut);
		sv_dev_close(copy);
		if (rc == 0) {
			sv_table_free(&old);
			return writes;
		}
		assert_int_equal(err.code, SV_IO);
	}
}

static void leaves_a_readable_gpt_wherever_the_power_goes(void **state)
{
	struct gpt_disk g = {.parts = {{0, 2048, 4095, 0x11}, {1, 4096, 8191, 0x22}}};
	struct sv_dev *d = disk_new(10 * mib);

	(void)state;
	put_gpt(d, &g);
	assert_int_equal(cut_everywhere(d, 50 * mib, 2, 40 * mib * 512), 6);
	assert_int_equal(cut_everywhere(d, 10 * mib, 2, 7 * mib * 512), 5); /* same size */
	assert_int_equal(cut_everywhere(d, 10 * mib + 5, 2, 7 * mib * 512), 5);
	disk_write(d, 600, "bad", 3); /* only the backup is left */
	assert_int_equal(cut_everywhere(d, 10 * mib, 2, 7 * mib * 512), 5);
	sv_dev_close(d);
}

static void leaves_a_readable_chain_wherever_the_power_goes(void **state)
{
	struct sv_dev *d = disk_with_logicals();

	(void)state;
	assert_int_equal(cut_everywhere(d, 100 * mib, 6, 30 * mib * 512), 3);
	assert_int_equal(cut_everywhere(d, 100 * mib, 5, 12 * mib * 512), 1);
	sv_dev_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_recovery_partition_right_behind_it),
		cmocka_unit_test(tells_how_far_behind_the_next_partition_lies),
		cmocka_unit_test(refuses_what_is_no_growth),
		cmocka_unit_test(stops_at_two_tib_on_an_mbr),
		cmocka_unit_test(bounds_a_logical_by_the_next_boot_record),
		cmocka_unit_test(bounds_a_logical_by_an_empty_boot_record),
		cmocka_unit_test(refuses_logicals_of_an_odd_chain),
		cmocka_unit_test(keeps_the_room_of_a_gpt_backup),
		cmocka_unit_test(refuses_hybrids_and_dynamic_disks_by_name),
		cmocka_unit_test(changes_only_count_and_end_of_an_mbr_entry),
		cmocka_unit_test(grows_container_link_and_logical_and_nothing_else),
		cmocka_unit_test(leaves_the_container_alone_where_it_has_room),
		cmocka_unit_test(keeps_every_byte_of_a_gpt_that_it_does_not_know),
		cmocka_unit_test(fits_the_protective_mbr_and_erases_the_old_backup),
		cmocka_unit_test(finds_the_only_good_copy_where_it_was_before_the_disk_grew),
		cmocka_unit_test(caps_the_protective_mbr_above_two_tib),
		cmocka_unit_test(refuses_a_table_that_changed_since_it_was_read),
		cmocka_unit_test(leaves_a_readable_gpt_wherever_the_power_goes),
		cmocka_unit_test(leaves_a_readable_chain_wherever_the_power_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
