/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Joined devices: what lies where, what is written, and what RAID computes of missing parts.
 * The layouts themselves are judged by the kernel (tests/blackbox/volume). */
#include "unit.h"

#include "base/num.h"
#include "volume/join.h"
#include "volume/raid.h"

#define CHUNK 512u
#define ROWS  6u

static struct sv_dev *part(uint8_t fill, uint64_t size)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = sv_sparse_open(size, 1 << 20, "part", &err);
	uint8_t byte = fill;

	assert_non_null(d);
	for (uint64_t i = 0; i < size; i++, byte = (uint8_t)(byte * 5 + 3))
		assert_ok(sv_dev_write(d, &byte, 1, i, &err));
	return d;
}

static void close_all(struct sv_dev **parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sv_dev_close(parts[i]);
}

static uint8_t byte_of(struct sv_dev *d, uint64_t at)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t byte;

	assert_ok(sv_dev_read(d, &byte, 1, at, &err));
	return byte;
}

static void puts_parts_behind_each_other(void **state)
{
	struct sv_dev *parts[] = {part(1, 700), part(2, 100), part(3, 900)};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = sv_join_linear(parts, 3, "linear", &err);

	(void)state;
	assert_non_null(d);
	assert_int_equal(sv_dev_size(d), 1700);
	assert_int_equal(byte_of(d, 699), byte_of(parts[0], 699));
	assert_int_equal(byte_of(d, 700), byte_of(parts[1], 0));
	assert_int_equal(byte_of(d, 800), byte_of(parts[2], 0));
	assert_ok(sv_dev_write(d, "seam", 4, 698, &err));
	assert_int_equal(byte_of(parts[0], 699), 'e');
	assert_int_equal(byte_of(parts[1], 0), 'a');
	sv_dev_close(d);
	close_all(parts, 3);
}

static void deals_chunks_to_stripes_in_turn(void **state)
{
	struct sv_dev *parts[] = {part(1, 2 * CHUNK), part(2, 2 * CHUNK)};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = sv_join_striped(parts, 2, CHUNK, 4 * CHUNK, "stripes", &err);

	(void)state;
	assert_non_null(d);
	assert_int_equal(byte_of(d, CHUNK + 7), byte_of(parts[1], 7));
	assert_int_equal(byte_of(d, 2 * CHUNK + 7), byte_of(parts[0], CHUNK + 7));
	sv_dev_close(d);
	assert_null(sv_join_striped(parts, 2, CHUNK, 4 * CHUNK + 1, "stripes", &err));
	assert_int_equal(err.code, SV_CORRUPT);
	assert_null(sv_join_striped(parts, 2, 0, CHUNK, "stripes", &err));
	close_all(parts, 2);
}

static void believes_the_copy_that_can_be_read(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *lost = sv_join_missing(CHUNK, "lost", "it is lost", &err);
	struct sv_dev *parts[] = {NULL, lost, part(7, CHUNK)};
	struct sv_dev *d = sv_join_mirrored(parts, 3, CHUNK, "mirror", &err);

	(void)state;
	assert_non_null(d);
	assert_int_equal(byte_of(d, 100), byte_of(parts[2], 100));
	sv_dev_close(d);
	d = sv_join_mirrored(parts, 2, CHUNK, "mirror", &err);
	assert_fails(sv_dev_read(d, &(uint8_t){0}, 1, 0, &err), SV_NOTFOUND, UINT64_MAX);
	assert_string_equal(err.message, "it is lost");
	sv_dev_close(d);
	assert_null(sv_join_mirrored(parts, 1, CHUNK, "mirror", &err));
	assert_int_equal(err.code, SV_NOTFOUND);
	close_all(parts, 3);
}

/* Parity over all parts but one, in every row: then any one may be missing, whatever layout. */
static void computes_what_a_missing_part_held(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t whole[3 * CHUNK * ROWS], now[sizeof whole];

	(void)state;
	for (unsigned layout = 0; layout <= SV_RAID_PARITY_LAST; layout++) {
		struct sv_dev *parts[] = {part(1, ROWS * CHUNK), part(2, ROWS * CHUNK),
			part(3, ROWS * CHUNK), part(0, ROWS * CHUNK)};
		struct sv_raid r = {5, layout, CHUNK, ROWS * CHUNK, parts, 4};
		struct sv_dev *d;

		for (uint64_t i = 0; i < ROWS * CHUNK; i++) {
			uint8_t x = (uint8_t)(byte_of(parts[0], i) ^ byte_of(parts[1], i) ^
					      byte_of(parts[2], i));

			assert_ok(sv_dev_write(parts[3], &x, 1, i, &err));
		}
		d = sv_raid_open(&r, sizeof whole, "raid", &err);
		assert_non_null(d);
		assert_ok(sv_dev_read(d, whole, sizeof whole, 0, &err));
		sv_dev_close(d);
		for (size_t lost = 0; lost < 4; lost++) {
			struct sv_dev *kept = parts[lost];

			parts[lost] = NULL;
			d = sv_raid_open(&r, sizeof whole, "raid", &err);
			assert_non_null(d);
			assert_ok(sv_dev_read(d, now, sizeof now, 0, &err));
			assert_memory_equal(now, whole, sizeof now);
			sv_dev_close(d);
			parts[lost] = kept;
		}
		close_all(parts, 4);
	}
}

static void refuses_geometries_that_cannot_be(void **state)
{
	struct sv_dev *parts[] = {part(1, 4 * CHUNK), part(2, 4 * CHUNK), NULL};
	static const struct {
		struct sv_raid r;
		enum sv_code code;
	} bad[] = {
		{{5, 2, 0, 4 * CHUNK, NULL, 3}, SV_CORRUPT},
		{{0, 0, 0, 4 * CHUNK, NULL, 2}, SV_CORRUPT},
		{{5, 2, 700, 4 * CHUNK, NULL, 3}, SV_CORRUPT},
		{{5, 99, CHUNK, 4 * CHUNK, NULL, 3}, SV_UNSUPPORTED},
		{{3, 0, CHUNK, 4 * CHUNK, NULL, 3}, SV_UNSUPPORTED},
		{{113, 0, CHUNK, 4 * CHUNK, NULL, 3}, SV_UNSUPPORTED},
		{{10, 0x909, CHUNK, 4 * CHUNK, NULL, 3}, SV_CORRUPT},
		{{0, 2, CHUNK, 4 * CHUNK, NULL, 3}, SV_NOTFOUND},
		{{5, 2, CHUNK, 5 * CHUNK, NULL, 3}, SV_CORRUPT},
		{{6, 2, CHUNK, 4 * CHUNK, NULL, 2}, SV_CORRUPT},
	};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		struct sv_raid r = bad[i].r;

		r.parts = parts;
		assert_null(sv_raid_open(&r, CHUNK, "raid", &err));
		assert_string_equal(sv_code_name(err.code), sv_code_name(bad[i].code));
	}
	close_all(parts, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_parts_behind_each_other),
		cmocka_unit_test(deals_chunks_to_stripes_in_turn),
		cmocka_unit_test(believes_the_copy_that_can_be_read),
		cmocka_unit_test(computes_what_a_missing_part_held),
		cmocka_unit_test(refuses_geometries_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
