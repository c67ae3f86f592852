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

static void opens_a_hive(void **state)
{
	struct build *b = build_new();
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key root;

	(void)state;
	assert_false(sv_hive_dirty(h));
	assert_ok(sv_hive_root(h, &root, &err));
	assert_int_equal(root, b->root);
	sv_hive_close(h);
	sv_hive_close(NULL);
	free(b);
}

static void refuses_base_blocks_that_cannot_be(void **state)
{
	(void)state;
	refused_base(0, 0x66676572 + 1, SV_CORRUPT, 0);
	refused_base(20, 2, SV_UNSUPPORTED, 20);
	refused_base(24, 2, SV_UNSUPPORTED, 20);
	refused_base(24, 7, SV_UNSUPPORTED, 20);
	refused_base(28, 1, SV_CORRUPT, 28); /* a log */
	refused_base(32, 0, SV_CORRUPT, 28);
	refused_base(40, 0, SV_CORRUPT, 40);
	refused_base(40, BINS_SIZE - 8, SV_CORRUPT, 40);
	refused_base(40, BINS_SIZE + 4096, SV_CORRUPT, 40);
	refused_base(40, 0xFFFFF000, SV_CORRUPT, 40);
}

static void tells_the_checksum_found_and_expected(void **state)
{
	struct build *b = build_new();
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;
	char expected[32];

	(void)state;
	snprintf(expected, sizeof expected, "expected 0x%08x", sv_load_le32(b->bytes + 508));
	b->bytes[508] ^= 1;
	assert_fails(build_try_open(b, &h, &err), SV_CORRUPT, 508);
	assert_non_null(strstr(err.message, expected));
	free(b);
}

static void refuses_what_is_too_short(void **state)
{
	struct build *b = build_new();
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;

	(void)state;
	assert_fails(open_bytes(b->bytes, 0, &h, &err), SV_CORRUPT, 0);
	assert_fails(open_bytes(b->bytes, 4095, &h, &err), SV_CORRUPT, 0);
	assert_fails(open_bytes(b->bytes, 8192, &h, &err), SV_CORRUPT, 40);
	free(b);
}

static void refuses_a_first_bin_that_cannot_be(void **state)
{
	struct build *b = build_new();

	(void)state;
	b->bytes[4096] = 'H';
	refused(b, SV_CORRUPT, 4096);
	b = build_new();
	b->bytes[4096 + 4] = 8; /* its own place */
	refused(b, SV_CORRUPT, 4096 + 4);
	b = build_new();
	sv_store_le32(b->bytes + 4096 + 8, 0);
	refused(b, SV_CORRUPT, 4096 + 8);
	b = build_new();
	sv_store_le32(b->bytes + 4096 + 8, BINS_SIZE + 4096);
	refused(b, SV_CORRUPT, 4096 + 8);
}

static void reads_a_dirty_hive_with_a_bad_bin(void **state)
{
	struct build *b = build_new();
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;
	sv_hive_key root;

	(void)state;
	sv_store_le32(b->bytes + 4, 8);
	seal(b);
	b->bytes[4096] = 'H';
	h = build_open(b);
	assert_true(sv_hive_dirty(h));
	assert_ok(sv_hive_root(h, &root, &err));
	sv_hive_close(h);
	free(b);
}

static void refuses_roots_that_cannot_be(void **state)
{
	static const uint32_t roots[] = {0, 36, BINS_SIZE, BINS_SIZE - 4, 0xFFFFFFF8, NOWHERE};
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key root;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(roots); i++) {
		struct build *b = build_new();
		struct sv_hive *h;

		sv_store_le32(b->bytes + 36, roots[i]);
		seal(b);
		h = build_open(b);
		assert_fails(
			sv_hive_root(h, &root, &err), SV_CORRUPT, 4096 + (uint64_t)roots[i]);
		sv_hive_close(h);
		free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_a_hive),
		cmocka_unit_test(refuses_base_blocks_that_cannot_be),
		cmocka_unit_test(tells_the_checksum_found_and_expected),
		cmocka_unit_test(refuses_what_is_too_short),
		cmocka_unit_test(refuses_a_first_bin_that_cannot_be),
		cmocka_unit_test(reads_a_dirty_hive_with_a_bad_bin),
		cmocka_unit_test(refuses_roots_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
