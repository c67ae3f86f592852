/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "io/dev.h"

static void matches_a_plain_buffer_after_random_writes(void **state)
{
	enum { SIZE = 300000, UNDER = 200001 };
	uint8_t *model = calloc(1, SIZE), *got = malloc(SIZE), under[UNDER];
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *mem, *over;

	(void)state;
	srand(7);
	for (size_t i = 0; i < UNDER; i++)
		under[i] = model[i] = (uint8_t)rand();
	mem = sv_mem_open(under, UNDER, true, "mem", &err);
	over = sv_overlay_open(mem, SIZE, 1 << 20, "over", &err);
	for (int i = 0; i < 2000; i++) {
		size_t off = (size_t)rand() % SIZE, n = (size_t)rand() % 9000;

		n = SV_MIN(n, SIZE - off);
		if (i % 5 == 0) {
			assert_ok(sv_dev_discard(over, off, n, &err));
			memset(model + off, 0, n);
		} else {
			memset(got, i, n);
			assert_ok(sv_dev_write(over, got, n, off, &err));
			memset(model + off, i, n);
		}
		off = (size_t)rand() % SIZE;
		n = SV_MIN((size_t)rand() % 20000, SIZE - off);
		assert_ok(sv_dev_read(over, got, n, off, &err));
		assert_memory_equal(got, model + off, n);
	}
	assert_ok(sv_dev_read(mem, got, UNDER, 0, &err));
	assert_memory_equal(got, under, UNDER);
	sv_dev_close(over);
	sv_dev_close(mem);
	free(model);
	free(got);
}

static void walks_what_was_written(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *over = sv_sparse_open(1ULL << 43, 1 << 20, "sparse", &err);
	uint64_t start, len;

	(void)state;
	assert_false(sv_overlay_next(over, 0, &start, &len));
	assert_ok(sv_dev_write(over, "x", 1, 5 * 4096 + 7, &err));
	assert_ok(sv_dev_write(over, "x", 1, 6 * 4096, &err));
	assert_ok(sv_dev_write(over, "x", 1, (1ULL << 43) - 1, &err));
	assert_true(sv_overlay_next(over, 0, &start, &len));
	assert_int_equal(start, 5 * 4096);
	assert_int_equal(len, 2 * 4096);
	assert_true(sv_overlay_next(over, start + len, &start, &len));
	assert_int_equal(start, (1ULL << 43) - 4096);
	assert_int_equal(len, 4096);
	assert_false(sv_overlay_next(over, start + len, &start, &len));
	assert_int_equal(sv_overlay_changed(over), 3 * 4096);
	sv_dev_close(over);
}

static void refuses_more_memory_than_its_cap(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *over = sv_sparse_open(1 << 20, 2 * 4096, "sparse", &err);

	(void)state;
	assert_ok(sv_dev_write(over, "x", 1, 0, &err));
	assert_ok(sv_dev_write(over, "x", 1, 4096, &err));
	assert_fails(sv_dev_write(over, "x", 1, 8192, &err), SV_NOMEM, UINT64_MAX);
	sv_dev_close(over);
}

static void refuses_ranges_beyond_the_end(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *mem = sv_mem_open("0123456789", 10, true, "mem", &err);
	char buf[16];

	(void)state;
	assert_fails(sv_dev_read(mem, buf, 2, 9, &err), SV_CORRUPT, 9);
	assert_fails(sv_dev_read(mem, buf, 2, UINT64_MAX, &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(sv_dev_write(mem, buf, 2, 9, &err), SV_INTERNAL, 9);
	assert_ok(sv_dev_read(mem, buf, 0, 10, &err));
	assert_null(sv_window_open(mem, 5, 6, "window", &err));
	sv_dev_close(mem);
}

static void reads_through_the_cache_what_lies_below(void **state)
{
	uint8_t bytes[10000], got[10000];
	struct sv_io_count count = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *mem, *counted, *cache;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	mem = sv_mem_open(bytes, sizeof bytes, false, "mem", &err);
	counted = sv_count_open(mem, &count, &err);
	cache = sv_cache_open(counted, 1024, 4, &err);
	for (size_t i = 0; i + 100 <= sizeof bytes; i += 50) {
		assert_ok(sv_dev_read(cache, got, 100, i, &err));
		assert_memory_equal(got, bytes + i, 100);
	}
	assert_int_equal(count.reads, 10);
	assert_ok(sv_dev_read(cache, got, sizeof got, 0, &err));
	assert_memory_equal(got, bytes, sizeof bytes);
	sv_dev_close(cache);
	sv_dev_close(counted);
	sv_dev_close(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_a_plain_buffer_after_random_writes),
		cmocka_unit_test(walks_what_was_written),
		cmocka_unit_test(refuses_more_memory_than_its_cap),
		cmocka_unit_test(refuses_ranges_beyond_the_end),
		cmocka_unit_test(reads_through_the_cache_what_lies_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
