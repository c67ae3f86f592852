/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "base/endian.h"
#include "base/num.h"
#include "fs/ntfs/log.h"
#include "fs/ntfs/raw_record.h"

#define PAGE   4096
#define AREA   0x58 /* of the page */
#define CLIENT 0x40 /* of the area */

static uint8_t *new_log(uint8_t fill)
{
	uint8_t *log = malloc(SV_NTFS_LOG_HEAD);

	assert_non_null(log);
	memset(log, fill, SV_NTFS_LOG_HEAD);
	return log;
}

/* A restart page without protection yet, of an open journal. */
static void put_page(uint8_t *page, uint64_t lsn, uint16_t flags)
{
	memset(page, 0, PAGE);
	memcpy(page, "RSTR", 4);
	sv_store_le16(page + 4, 0x1E);
	sv_store_le16(page + 6, PAGE / 512 + 1);
	sv_store_le32(page + 16, PAGE);
	sv_store_le32(page + 20, PAGE);
	sv_store_le16(page + 24, AREA);
	sv_store_le16(page + 26, 1);
	sv_store_le16(page + 28, 1);
	sv_store_le64(page + AREA, lsn);
	sv_store_le16(page + AREA + 8, 1);
	sv_store_le16(page + AREA + 10, 0xFFFF);
	sv_store_le16(page + AREA + 12, 0);
	sv_store_le16(page + AREA + 14, flags);
	sv_store_le16(page + AREA + 20, CLIENT + 160);
	sv_store_le16(page + AREA + 22, CLIENT);
	sv_store_le16(page + AREA + CLIENT + 16, 0xFFFF);
	sv_store_le16(page + AREA + CLIENT + 18, 0xFFFF);
}

static void judged(const uint8_t *log, enum sv_ntfs_log want)
{
	enum sv_ntfs_log found;
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_ntfs_parse_log(log, SV_NTFS_LOG_HEAD, &found, &err));
	assert_int_equal(found, want);
}

static void takes_an_emptied_journal_for_clean(void **state)
{
	sv_autofree uint8_t *log = new_log(0xFF);

	(void)state;
	judged(log, SV_NTFS_LOG_EMPTY);
}

static void believes_the_newer_of_two_pages(void **state)
{
	sv_autofree uint8_t *log = new_log(0);

	(void)state;
	put_page(log, 10, 2);
	put_page(log + PAGE, 11, 0);
	sv_ntfs_raw_protect(log, PAGE);
	sv_ntfs_raw_protect(log + PAGE, PAGE);
	judged(log, SV_NTFS_LOG_UNCLEAN);
	put_page(log, 12, 2);
	sv_ntfs_raw_protect(log, PAGE);
	judged(log, SV_NTFS_LOG_CLEAN);
}

static void takes_a_closed_journal_for_clean(void **state)
{
	sv_autofree uint8_t *log = new_log(0);

	(void)state;
	put_page(log, 10, 0);
	sv_store_le16(log + AREA + 10, 0);
	sv_store_le16(log + AREA + 12, 0xFFFF);
	sv_ntfs_raw_protect(log, PAGE);
	judged(log, SV_NTFS_LOG_CLEAN);
}

static void tells_that_windows_keeps_metadata(void **state)
{
	sv_autofree uint8_t *log = new_log(0);

	(void)state;
	put_page(log, 10, 2);
	sv_store_le16(log + 26, 0);
	sv_store_le16(log + 28, 2);
	sv_ntfs_raw_protect(log, PAGE);
	judged(log, SV_NTFS_LOG_CACHED);
}

static void takes_a_page_of_chkdsk_without_protection(void **state)
{
	sv_autofree uint8_t *log = new_log(0);

	(void)state;
	put_page(log, 10, 2);
	memcpy(log, "CHKD", 4);
	sv_store_le16(log + 6, 0);
	sv_store_le64(log + 8, 10);
	judged(log, SV_NTFS_LOG_CLEAN);
}

static void goes_by_the_other_page_where_one_is_torn(void **state)
{
	sv_autofree uint8_t *log = new_log(0);
	struct sv_err err = SV_ERR_INIT;
	enum sv_ntfs_log found;

	(void)state;
	put_page(log, 10, 2);
	put_page(log + PAGE, 11, 0);
	sv_ntfs_raw_protect(log, PAGE);
	sv_ntfs_raw_protect(log + PAGE, PAGE);
	log[PAGE + 1022] ^= 1;
	judged(log, SV_NTFS_LOG_CLEAN);
	log[510] ^= 1;
	assert_fails(sv_ntfs_parse_log(log, SV_NTFS_LOG_HEAD, &found, &err), SV_CORRUPT, 510);
}

static void refuses_fields_that_cannot_be(void **state)
{
	static const struct {
		size_t at;
		uint16_t value;
		uint64_t offset;
	} cases[] = {
		{16, 1000, 16},                         /* page size */
		{16, 256, 16},                          /* too small */
		{8, 1, 8},                              /* chkdsk's number without chkdsk */
		{24, 0x5C, 24},                         /* area's offset: not a multiple of 8 */
		{24, 8, 24},                            /* within the head */
		{24, 4088, 24},                         /* beyond the page */
		{AREA + 20, 100, AREA + 20},            /* shorter than its clients */
		{AREA + 20, 4096, AREA + 20},           /* beyond the page */
		{AREA + 22, 0x41, AREA + 20},           /* clients' offset */
		{AREA + 12, 1, AREA + CLIENT},          /* a client that is not there */
		{AREA + CLIENT + 18, 0, AREA + CLIENT}, /* a list without an end */
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		sv_autofree uint8_t *log = new_log(0);
		struct sv_err err = SV_ERR_INIT;
		enum sv_ntfs_log found;

		put_page(log, 10, 2);
		sv_store_le16(log + cases[i].at, cases[i].value);
		sv_ntfs_raw_protect(log, PAGE);
		assert_fails(sv_ntfs_parse_log(log, SV_NTFS_LOG_HEAD, &found, &err), SV_CORRUPT,
			cases[i].offset);
	}
}

static void refuses_other_versions_and_nothing(void **state)
{
	sv_autofree uint8_t *log = new_log(0);
	struct sv_err err = SV_ERR_INIT;
	enum sv_ntfs_log found;

	(void)state;
	assert_fails(sv_ntfs_parse_log(log, SV_NTFS_LOG_HEAD, &found, &err), SV_CORRUPT, 0);
	assert_fails(sv_ntfs_parse_log(log, 0, &found, &err), SV_CORRUPT, 0);
	put_page(log, 10, 2);
	sv_store_le16(log + 28, 3);
	assert_fails(
		sv_ntfs_parse_log(log, SV_NTFS_LOG_HEAD, &found, &err), SV_UNSUPPORTED, 26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_an_emptied_journal_for_clean),
		cmocka_unit_test(believes_the_newer_of_two_pages),
		cmocka_unit_test(takes_a_closed_journal_for_clean),
		cmocka_unit_test(tells_that_windows_keeps_metadata),
		cmocka_unit_test(takes_a_page_of_chkdsk_without_protection),
		cmocka_unit_test(goes_by_the_other_page_where_one_is_torn),
		cmocka_unit_test(refuses_fields_that_cannot_be),
		cmocka_unit_test(refuses_other_versions_and_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
