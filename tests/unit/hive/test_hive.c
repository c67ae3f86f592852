/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base blocks and hive bins, good and bad. */
#include "build.h"

static void refused(struct build *b, enum sv_code code, uint64_t offset)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h = NULL;

	assert_fails(build_try_open(b, &h, &err), code, offset);
	assert_string_equal(err.path, "HIVE");
	assert_null(h);
	free(b);
}

/* A word of the base block is set; the checksum fits. */
static void refused_base(size_t field, uint32_t value, enum sv_code code, uint64_t offset)
{
	struct build *b = build_new();

	sv_store_le32(b->bytes + field, value);
	seal(b);
	refused(b, code, offset);
}

/* It opens, and says this of itself; closes it. */
static void opens_with_problem(struct build *b, const char *problem)
{
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key root;

	assert_non_null(strstr(sv_hive_state(h)->problem, problem));
	assert_ok(sv_hive_root(h, &root, &err));
	assert_int_equal(root, b->root);
	sv_hive_close(h);
	free(b);
}

static void opens_a_hive(void **state)
{
	struct build *b = build_new();
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key root;

	(void)state;
	assert_false(sv_hive_state(h)->dirty);
	assert_string_equal(sv_hive_state(h)->problem, "");
	assert_ok(sv_hive_root(h, &root, &err));
	assert_int_equal(root, b->root);
	sv_hive_close(h);
	sv_hive_close(NULL);
	free(b);
}

static void refuses_base_blocks_that_cannot_be(void **state)
{
	(void)state;
	refused_base(20, 2, SV_UNSUPPORTED, 20);
	refused_base(24, 2, SV_UNSUPPORTED, 20);
	refused_base(24, 7, SV_UNSUPPORTED, 20);
	refused_base(28, 1, SV_UNSUPPORTED, 28); /* a log */
	refused_base(32, 0, SV_CORRUPT, 32);
}

static void reads_a_hive_whose_base_block_is_damaged(void **state)
{
	struct build *b = build_new();

	(void)state;
	b->bytes[508] ^= 1;
	opens_with_problem(b, "checksum is wrong");
	b = build_new();
	memset(b->bytes, 0, 512);
	opens_with_problem(b, "its base block is damaged");
	b = build_new();
	b->bytes[0] = 'R';
	seal(b);
	opens_with_problem(b, "begins with 52656766, expected 'regf'");
	b = build_new();
	sv_store_le32(b->bytes + 40, 0);
	seal(b);
	opens_with_problem(b, "its file ends after 65536 bytes of 0");
	b = build_new();
	sv_store_le32(b->bytes + 40, 0xFFFFF000);
	seal(b);
	opens_with_problem(b, "keys behind are missing");
}

static void refuses_what_is_no_hive(void **state)
{
	struct build *b = build_new();
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;

	(void)state;
	assert_fails(open_bytes(b->bytes, 0, &h, &err), SV_CORRUPT, 0);
	assert_fails(open_bytes(b->bytes, 4095, &h, &err), SV_CORRUPT, 0);
	assert_fails(open_bytes(b->bytes, 4096, &h, &err), SV_CORRUPT, UINT64_MAX);
	memset(b->bytes, 0, 8192);
	refused(b, SV_CORRUPT, 0);
}

static void reads_what_is_there_of_a_hive_that_was_cut(void **state)
{
	struct build *b = build_new();
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h = NULL;

	(void)state;
	assert_ok(open_bytes(b->bytes, 8192, &h, &err));
	assert_non_null(strstr(sv_hive_state(h)->problem, "ends after 4096 bytes of 65536"));
	sv_hive_close(h);
	free(b);
}

static void reads_a_hive_whose_first_bin_has_no_header(void **state)
{
	struct build *b = build_new();

	(void)state;
	b->bytes[4096] = 'H';
	opens_with_problem(b, "");
}

static void tells_that_logs_are_missing(void **state)
{
	struct build *b = build_new();

	(void)state;
	sv_store_le32(b->bytes + 4, 8);
	seal(b);
	opens_with_problem(b, "its logs were not given");
}

static void takes_the_first_key_for_a_root_that_is_lost(void **state)
{
	static const uint32_t roots[] = {0, 36, BINS_SIZE, BINS_SIZE - 4, 0xFFFFFFF8, NOWHERE};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(roots); i++) {
		struct build *b = build_new();

		sv_store_le32(b->bytes + 36, roots[i]);
		seal(b);
		opens_with_problem(b, "its root key is damaged");
		b = build_new();
		sv_store_le32(b->bytes + 36, roots[i]);
		seal(b);
		at(b, b->root)[2] = 0x28; /* the first key is no root either */
		refused(b, SV_CORRUPT, 4096 + (uint64_t)roots[i]);
	}
}

static void turns_windows_times_into_those_of_unix(void **state)
{
	struct sv_hive_time t = sv_hive_time(UINT64_C(116444736000000000) + 15);

	(void)state;
	assert_int_equal(t.sec, 0);
	assert_int_equal(t.nsec, 1500);
	t = sv_hive_time(UINT64_C(129352121350000000)); /* 2010-11-26 07:42:15 */
	assert_int_equal(t.sec, 1290738535);
	t = sv_hive_time(1);
	assert_int_equal(t.sec, -11644473600);
	assert_int_equal(t.nsec, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_a_hive),
		cmocka_unit_test(refuses_base_blocks_that_cannot_be),
		cmocka_unit_test(reads_a_hive_whose_base_block_is_damaged),
		cmocka_unit_test(refuses_what_is_no_hive),
		cmocka_unit_test(reads_what_is_there_of_a_hive_that_was_cut),
		cmocka_unit_test(reads_a_hive_whose_first_bin_has_no_header),
		cmocka_unit_test(tells_that_logs_are_missing),
		cmocka_unit_test(takes_the_first_key_for_a_root_that_is_lost),
		cmocka_unit_test(turns_windows_times_into_those_of_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
