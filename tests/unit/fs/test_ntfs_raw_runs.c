/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"
#include "fs/ntfs/raw_runs.h"

/* Reads n bytes of mapping pairs on a volume of this many clusters; how many runs. */
static int read_all(const uint8_t *bytes, size_t n, uint64_t clusters,
	struct sv_ntfs_raw_run *runs, size_t max, struct sv_err *err)
{
	struct sv_ntfs_raw_run_reader r;
	size_t count = 0;
	int more;

	sv_ntfs_raw_runs_begin(&r, bytes, n, 0, clusters);
	while ((more = sv_ntfs_raw_next_run(&r, &runs[count], err)) == 1)
		assert_true(++count < max);
	return more < 0 ? -1 : (int)count;
}

static void reads_known_pairs(void **state)
{
	/* 0x38 clusters at 0x5634, a hole of 0x10, 0x114 clusters 0x15 before the first */
	static const uint8_t bytes[] = {
		0x21, 0x38, 0x34, 0x56, 0x01, 0x10, 0x12, 0x14, 0x01, 0xEB, 0x00};
	struct sv_ntfs_raw_run runs[8];
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_int_equal(read_all(bytes, sizeof bytes, 1 << 20, runs, 8, &err), 3);
	assert_int_equal(runs[0].lcn, 0x5634);
	assert_int_equal(runs[0].length, 0x38);
	assert_true(runs[1].lcn == NTFS_HOLE);
	assert_int_equal(runs[1].vcn, 0x38);
	assert_int_equal(runs[2].vcn, 0x48);
	assert_int_equal(runs[2].lcn, 0x5634 - 0x15);
	assert_int_equal(runs[2].length, 0x114);
	/* an attribute that is full to its last byte may end without the mark */
	assert_int_equal(read_all(bytes, sizeof bytes - 1, 1 << 20, runs, 8, &err), 3);
}

static void refuses_pairs(const uint8_t *bytes, size_t n, uint64_t offset)
{
	struct sv_ntfs_raw_run runs[8];
	struct sv_err err = SV_ERR_INIT;

	assert_fails(read_all(bytes, n, 1000, runs, 8, &err), SV_CORRUPT, offset);
}

static void refuses_broken_pairs(void **state)
{
	(void)state;
	refuses_pairs((const uint8_t[]){0x20, 1, 1}, 3, 0);       /* no length */
	refuses_pairs((const uint8_t[]){0x11, 0, 1, 0}, 4, 0);    /* of no clusters */
	refuses_pairs((const uint8_t[]){0x11, 0x80, 1, 0}, 4, 0); /* negative */
	refuses_pairs((const uint8_t[]){0x21, 1, 1}, 3, 0);       /* cut */
	refuses_pairs((const uint8_t[]){0x91, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 11, 0);
	refuses_pairs((const uint8_t[]){0x21, 1, 0xE8, 0x03, 0}, 5, 0); /* cluster 1000 */
	refuses_pairs((const uint8_t[]){0x11, 1, 0xFF, 0}, 4, 0);       /* cluster -1 */
	/* the second one: 2 clusters at 999 */
	refuses_pairs((const uint8_t[]){0x11, 1, 1, 0x21, 2, 0xE6, 0x03, 0}, 8, 3);
	/* holes that add up beyond what a file can have */
	refuses_pairs((const uint8_t[]){8, 0, 0, 0, 0, 0, 0, 0, 0x20, 0}, 10, 0);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

static void packs_what_it_reads(void **state)
{
	uint64_t clusters = NTFS_CLUSTERS_MAX, seed = 7;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		struct sv_ntfs_raw_run runs[20], back[21];
		struct sv_err err = SV_ERR_INIT;
		size_t n = 1 + next_random(&seed) % 20, size;
		uint64_t vcn = 0;
		uint8_t bytes[512];

		for (size_t i = 0; i < n; i++) {
			uint64_t limit = UINT64_C(1) << next_random(&seed) % 31;

			runs[i] = (struct sv_ntfs_raw_run){vcn, next_random(&seed) % limit,
				1 + next_random(&seed) % limit};
			if (next_random(&seed) % 5 == 0)
				runs[i].lcn = NTFS_HOLE;
			vcn += runs[i].length;
		}
		size = sv_ntfs_raw_runs_packed_size(runs, n);
		assert_true(size <= sizeof bytes);
		memset(bytes, 0xAA, sizeof bytes);
		sv_ntfs_raw_pack_runs(runs, n, bytes);
		assert_int_equal(bytes[size], 0xAA);
		assert_int_equal(bytes[size - 1], 0);
		assert_int_equal(read_all(bytes, size, clusters, back, 21, &err), n);
		assert_memory_equal(runs, back, n * sizeof *runs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_known_pairs),
		cmocka_unit_test(refuses_broken_pairs),
		cmocka_unit_test(packs_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
