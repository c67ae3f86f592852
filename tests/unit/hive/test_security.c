/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Security descriptors as SDDL. The corpus test below it all compares with Samba's reading of
 * the same words (test_corpus.c); here are small ones, and bad ones.
 */
#include "build.h"

/* Everybody reads, administrators do all and inherit, of a key that belongs to SYSTEM. */
static const uint8_t good[] = {1, 0, 0x04, 0x94, 0x60, 0, 0, 0, 0x6C, 0, 0, 0, 0, 0, 0, 0, 0x14,
	0, 0, 0,                   /* DACL at 0x14, protected and inherited */
	2, 0, 0x4C, 0, 3, 0, 0, 0, /* three entries */
	0, 0, 0x14, 0, 0x19, 0, 2, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, /* WD: KR */
	0, 2, 0x18, 0, 0x3F, 0, 0x0F, 0, 1, 2, 0, 0, 0, 0, 0, 5, 0x20, 0, 0, 0, 0x20, 2, 0, 0,
	1, 0x0B, 0x18, 0, 0x09, 0, 0x01, 0, 1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 77, 0, 0, 0, 1,
	1, 0, 0, 0, 0, 0, 5, 0x12, 0, 0, 0,     /* owner: SY */
	1, 1, 0, 0, 0, 0, 0, 5, 0x12, 0, 0, 0}; /* group */

static void writes_descriptors_in_words(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	char *text = sv_regf_parse_security(good, sizeof good, &err);

	(void)state;
	if (!text)
		fail_msg("%llu: %s", (unsigned long long)err.offset, err.message);
	assert_string_equal(
		text, "O:SYG:SYD:PAI(A;;KR;;;WD)(A;CI;KA;;;BA)(D;OICIIO;CCSWSD;;;S-1-5-21-77)");
	free(text);
}

static void knows_a_missing_list_from_an_empty_one(void **state)
{
	uint8_t d[28] = {1, 0, 0x04, 0x80};
	struct sv_err err = SV_ERR_INIT;
	char *text = sv_regf_parse_security(d, 20, &err);

	(void)state;
	assert_string_equal(text, "D:NO_ACCESS_CONTROL"); /* everybody may do everything */
	free(text);
	d[16] = 20;
	d[20] = 2;
	d[22] = 8;
	text = sv_regf_parse_security(d, 28, &err);
	assert_string_equal(text, "D:"); /* nobody may do anything */
	free(text);
}

static void refused(size_t at, uint8_t value, uint64_t offset)
{
	uint8_t bad[sizeof good];
	struct sv_err err = SV_ERR_INIT;

	memcpy(bad, good, sizeof bad);
	bad[at] = value;
	assert_fails(
		sv_regf_parse_security(bad, sizeof bad, &err) ? 0 : -1, SV_CORRUPT, offset);
}

static void refuses_descriptors_that_cannot_be(void **state)
{
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	refused(0, 2, 0);
	refused(4, 0xF0, 0xF0);    /* the owner lies behind the end */
	refused(0x60, 2, 0x60);    /* an identity of revision 2 */
	refused(0x61, 16, 0x60);   /* of 16 parts */
	refused(0x61, 9, 0x60);    /* of more parts than there are bytes */
	refused(16, 0xF0, 0xF0);   /* the list lies behind the end */
	refused(0x18, 9, 0x60);    /* nine entries */
	refused(0x1E, 4, 0x1C);    /* an entry of four bytes */
	refused(0x1E, 0xFF, 0x1C); /* an entry that is longer than the list */
	refused(0x1C, 5, 0x1C);    /* about an object, and too short for it */
	assert_null(sv_regf_parse_security(good, 19, &err));
	assert_int_equal(err.code, SV_CORRUPT);
}

static void shows_entries_that_have_no_word_by_their_number(void **state)
{
	uint8_t odd[sizeof good];
	struct sv_err err = SV_ERR_INIT;
	char *text;

	(void)state;
	memcpy(odd, good, sizeof odd);
	odd[0x1C] = 0x77;
	odd[0x23] = 0x03; /* a right that no word means */
	text = sv_regf_parse_security(odd, sizeof odd, &err);
	assert_non_null(text);
	assert_non_null(strstr(text, "(0x77;;0x3020019;;;WD)"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_descriptors_in_words),
		cmocka_unit_test(knows_a_missing_list_from_an_empty_one),
		cmocka_unit_test(refuses_descriptors_that_cannot_be),
		cmocka_unit_test(shows_entries_that_have_no_word_by_their_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
