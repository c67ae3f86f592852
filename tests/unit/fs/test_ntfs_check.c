/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cross-check on volumes of mkntfs, with room for few claims at a time. */
#include "fixture.h"

#include "base/num.h"
#include "fs/ntfs/check.h"
#include "fs/ntfs/raw_disk.h"

static const size_t rooms[] = {2, 3, 5, 16, 1000};

struct opened {
	struct fixture f;
	struct sv_dev *dev;
	struct sv_ntfs_raw_vol v;
	struct sv_ntfs_raw_stream bitmap;
};

static void open_fresh(struct opened *o, const char *options)
{
	struct sv_err err = SV_ERR_INIT;

	*o = (struct opened){0};
	fixture_ntfs(&o->f, "50M", options);
	o->dev = fixture_open(&o->f, true);
	assert_ok(sv_ntfs_raw_open_vol(o->dev, &o->v, &err));
	assert_int_equal(sv_ntfs_raw_open_stream(
				 &o->v, NTFS_FILE_BITMAP, NTFS_ATTR_DATA, "", &o->bitmap, &err),
		1);
}

static void close_fresh(struct opened *o)
{
	sv_ntfs_raw_free_stream(&o->bitmap);
	sv_ntfs_raw_free_vol(&o->v);
	sv_dev_close(o->dev);
	fixture_free(&o->f);
}

static void flip(struct opened *o, uint64_t cluster)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t byte;

	assert_ok(sv_ntfs_raw_read_stream(&o->v, &o->bitmap, &byte, 1, cluster / 8, &err));
	byte ^= (uint8_t)(1U << cluster % 8);
	assert_ok(sv_ntfs_raw_write_stream(&o->v, &o->bitmap, &byte, 1, cluster / 8, &err));
}

static void agrees_whatever_room_there_is(void **state)
{
	struct opened o;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	open_fresh(&o, "-c 4096");
	for (size_t i = 0; i < SV_ARRAY_LEN(rooms); i++)
		assert_ok(sv_ntfs_cross_check(&o.v, &o.bitmap, rooms[i], NULL, &err));
	close_fresh(&o);
}

/* Each cluster of a small volume in turn: the one that disagrees is named. */
static void finds_each_single_wrong_bit(void **state)
{
	struct opened o;

	(void)state;
	open_fresh(&o, "-c 65536");
	for (uint64_t cluster = 0; cluster < o.v.geo.clusters; cluster++) {
		size_t room = rooms[cluster % SV_ARRAY_LEN(rooms)];
		struct sv_err err = SV_ERR_INIT;
		char want[64];

		flip(&o, cluster);
		assert_fails(sv_ntfs_cross_check(&o.v, &o.bitmap, room, NULL, &err), SV_CORRUPT,
			cluster * 65536);
		snprintf(want, sizeof want, "cluster %u is marked", (unsigned)cluster);
		assert_memory_equal(err.message, want, strlen(want));
		assert_non_null(strstr(err.hint, "chkdsk"));
		flip(&o, cluster);
	}
	close_fresh(&o);
}

static void counts_used_clusters_and_not_the_padding(void **state)
{
	struct opened o;
	struct sv_err err = SV_ERR_INIT;
	uint64_t before, after;

	(void)state;
	open_fresh(&o, "-c 65536");
	assert_ok(sv_ntfs_count_used(&o.v, &o.bitmap, &before, NULL, &err));
	flip(&o, o.v.geo.clusters); /* padding */
	assert_ok(sv_ntfs_count_used(&o.v, &o.bitmap, &after, NULL, &err));
	assert_int_equal(after, before);
	flip(&o, 0);
	assert_ok(sv_ntfs_count_used(&o.v, &o.bitmap, &after, NULL, &err));
	assert_int_equal(after, before - 1);
	close_fresh(&o);
}

static void names_the_record_that_cannot_be_read(void **state)
{
	struct opened o;
	struct sv_err err = SV_ERR_INIT;
	uint64_t at, length;
	uint8_t byte = 0;

	(void)state;
	open_fresh(&o, "-c 4096");
	assert_ok(sv_ntfs_raw_map(&o.v, &o.v.mft, 10 * 1024 + 4, 1, &at, &length, &err));
	assert_ok(sv_dev_write(o.dev, &byte, 1, at, &err));
	assert_fails(sv_ntfs_cross_check(&o.v, &o.bitmap, 1000, NULL, &err), SV_CORRUPT, at);
	assert_non_null(strstr(err.message, "MFT record 10:"));
	close_fresh(&o);
}

static void passes_over_garbage_in_a_free_record(void **state)
{
	struct opened o;
	struct sv_ntfs_raw_stream records = {0};
	struct sv_err err = SV_ERR_INIT;
	uint8_t record[1024], byte = 0;
	uint64_t at, length;

	(void)state;
	open_fresh(&o, "-c 4096");
	/* record 12 is in use without any attribute that has clusters */
	assert_ok(sv_ntfs_raw_map(&o.v, &o.v.mft, 12 * 1024, 1, &at, &length, &err));
	memset(record, 0xA5, sizeof record);
	assert_ok(sv_dev_write(o.dev, record, sizeof record, at, &err));
	assert_fails(sv_ntfs_cross_check(&o.v, &o.bitmap, 1000, NULL, &err), SV_CORRUPT, at);
	assert_int_equal(sv_ntfs_raw_open_stream(
				 &o.v, NTFS_FILE_MFT, NTFS_ATTR_BITMAP, "", &records, &err),
		1);
	assert_ok(sv_ntfs_raw_write_stream(&o.v, &records, &byte, 1, 12 / 8, &err));
	assert_ok(sv_ntfs_cross_check(&o.v, &o.bitmap, 1000, NULL, &err));
	sv_ntfs_raw_free_stream(&records);
	close_fresh(&o);
}

static void stops_when_it_is_cancelled(void **state)
{
	struct opened o;
	struct sv_job job = {.cancel = true};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	open_fresh(&o, "-c 4096");
	assert_fails(sv_ntfs_cross_check(&o.v, &o.bitmap, 1000, &job, &err), SV_CANCELLED,
		UINT64_MAX);
	close_fresh(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_whatever_room_there_is),
		cmocka_unit_test(finds_each_single_wrong_bit),
		cmocka_unit_test(counts_used_clusters_and_not_the_padding),
		cmocka_unit_test(names_the_record_that_cannot_be_read),
		cmocka_unit_test(passes_over_garbage_in_a_free_record),
		cmocka_unit_test(stops_when_it_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
