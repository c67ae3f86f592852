/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "fs/ntfs/claims.h"

static void sorts_claims_by_cluster(void **state)
{
	struct sv_ntfs_claims c;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_ntfs_claims_new(10, &c, &err));
	sv_ntfs_claims_begin(&c, 0, 1000);
	assert_ok(sv_ntfs_claim(&c, 500, 10, 3, &err));
	assert_ok(sv_ntfs_claim(&c, 5, 1, 1, &err));
	assert_ok(sv_ntfs_claim(&c, 6, 494, 2, &err));
	assert_ok(sv_ntfs_claims_sort(&c, &err));
	assert_int_equal(c.count, 3);
	assert_int_equal(c.list[1].lcn, 6);
	assert_int_equal(c.list[1].record, 2);
	assert_int_equal(c.high, 1000);
	sv_ntfs_claims_free(&c);
}

static void names_both_who_claim_a_cluster(void **state)
{
	struct sv_ntfs_claims c;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_ntfs_claims_new(10, &c, &err));
	sv_ntfs_claims_begin(&c, 0, 1000);
	assert_ok(sv_ntfs_claim(&c, 100, 20, 9, &err));
	assert_ok(sv_ntfs_claim(&c, 119, 1, 4, &err));
	assert_fails(sv_ntfs_claims_sort(&c, &err), SV_CORRUPT, UINT64_MAX);
	assert_string_equal(err.message, "cluster 119 is used twice, by MFT records 4 and 9");
	sv_ntfs_claims_free(&c);
}

static void keeps_only_what_lies_in_the_window(void **state)
{
	struct sv_ntfs_claims c;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_ntfs_claims_new(10, &c, &err));
	sv_ntfs_claims_begin(&c, 100, 200);
	assert_ok(sv_ntfs_claim(&c, 0, 100, 1, &err));
	assert_ok(sv_ntfs_claim(&c, 200, 100, 2, &err));
	assert_int_equal(c.count, 0);
	assert_ok(sv_ntfs_claim(&c, 50, 500, 3, &err));
	assert_int_equal(c.count, 1);
	assert_int_equal(c.list[0].lcn, 100);
	assert_int_equal(c.list[0].length, 100);
	sv_ntfs_claims_free(&c);
}

/* Claims on every cluster but the multiples of 5, told in an odd order, again and again until
 * all windows are through: each cluster turns up in exactly one. */
static void covers_the_volume_in_windows_that_fit(void **state)
{
	enum { CLUSTERS = 5000 };
	static uint8_t seen[CLUSTERS];
	struct sv_ntfs_claims c;
	struct sv_err err = SV_ERR_INIT;
	unsigned windows = 0;

	(void)state;
	assert_ok(sv_ntfs_claims_new(7, &c, &err));
	for (uint64_t low = 0; low < CLUSTERS; low = c.high, windows++) {
		sv_ntfs_claims_begin(&c, low, CLUSTERS);
		for (uint64_t i = 0; i < CLUSTERS / 5; i++)
			assert_ok(sv_ntfs_claim(
				&c, i * 377 % (CLUSTERS / 5) * 5 + 1, 4, i, &err));
		assert_ok(sv_ntfs_claims_sort(&c, &err));
		assert_true(c.high > low);
		for (size_t i = 0; i < c.count; i++)
			for (unsigned k = 0; k < c.list[i].length; k++)
				seen[c.list[i].lcn + k]++;
	}
	for (unsigned i = 0; i < CLUSTERS; i++)
		assert_int_equal(seen[i], i % 5 != 0);
	assert_true(windows >= CLUSTERS / 5 / 7);
	sv_ntfs_claims_free(&c);
}

static void stops_at_a_double_claim_when_it_is_full(void **state)
{
	struct sv_ntfs_claims c;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_ntfs_claims_new(4, &c, &err));
	sv_ntfs_claims_begin(&c, 0, 100);
	for (uint64_t i = 0; i < 4; i++)
		assert_ok(sv_ntfs_claim(&c, 10, 1, i, &err));
	assert_fails(sv_ntfs_claim(&c, 10, 1, 4, &err), SV_CORRUPT, UINT64_MAX);
	sv_ntfs_claims_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_claims_by_cluster),
		cmocka_unit_test(names_both_who_claim_a_cluster),
		cmocka_unit_test(keeps_only_what_lies_in_the_window),
		cmocka_unit_test(covers_the_volume_in_windows_that_fit),
		cmocka_unit_test(stops_at_a_double_claim_when_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
