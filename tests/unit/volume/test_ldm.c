/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Headers and records of dynamic disks, good and bad; whole databases: tests/blackbox/volume.
 */
#include "unit.h"

#include "base/endian.h"
#include "volume/ldm/header.h"
#include "volume/ldm/record.h"

#define GUID "01234567-89ab-cdef-0123-456789abcdef"

static void make_private(uint8_t b[512])
{
	memset(b, 0, 512);
	memcpy(b, "PRIVHEAD", 8);
	sv_store_be16(b + 12, 2);
	sv_store_be16(b + 14, 12);
	memcpy(b + 48, GUID, 36);
	memcpy(b + 176, GUID, 36);
	memcpy(b + 240, "Dg0", 3);
	sv_store_be64(b + 0x11b, 63);
	sv_store_be64(b + 0x123, 100000);
	sv_store_be64(b + 0x12b, 100063);
	sv_store_be64(b + 0x133, 2048);
}

static void reads_where_data_and_database_lie(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ldm_private p;
	char guid[SV_LDM_GUID_TEXT];
	uint8_t b[512];

	(void)state;
	make_private(b);
	assert_ok(sv_ldm_parse_private(b, sizeof b, &p, &err));
	assert_int_equal(p.data_start, 63);
	assert_int_equal(p.data_size, 100000);
	assert_int_equal(p.config_start, 100063);
	assert_int_equal(p.config_size, 2048);
	assert_string_equal(p.group_name, "Dg0");
	sv_ldm_guid_text(p.disk, guid);
	assert_string_equal(guid, GUID);
}

static void refuses_headers_that_cannot_be(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ldm_private p;
	struct sv_ldm_vmdb m;
	struct sv_ldm_toc t;
	uint8_t b[512];

	(void)state;
	make_private(b);
	b[0] = 'Q';
	assert_fails(sv_ldm_parse_private(b, sizeof b, &p, &err), SV_NOTFOUND, UINT64_MAX);
	make_private(b);
	b[13] = 3;
	assert_fails(sv_ldm_parse_private(b, sizeof b, &p, &err), SV_UNSUPPORTED, 12);
	make_private(b);
	b[0x12b] = 0xff;
	assert_fails(sv_ldm_parse_private(b, sizeof b, &p, &err), SV_CORRUPT, 0x11b);
	make_private(b);
	b[50] = 'x';
	assert_fails(sv_ldm_parse_private(b, sizeof b, &p, &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(sv_ldm_parse_private(b, 300, &p, &err), SV_NOTFOUND, UINT64_MAX);
	memset(b, 0, sizeof b);
	memcpy(b, "TOCBLOCK", 8);
	assert_fails(sv_ldm_parse_toc(b, sizeof b, &t, &err), SV_CORRUPT, 0x24);
	memcpy(b, "VMDB", 4);
	assert_fails(sv_ldm_parse_vmdb(b, sizeof b, &m, &err), SV_UNSUPPORTED, 0x12);
	sv_store_be16(b + 0x12, 4);
	sv_store_be16(b + 0x14, 10);
	assert_fails(sv_ldm_parse_vmdb(b, sizeof b, &m, &err), SV_CORRUPT, 8);
}

/* A partition: number 9, called "P", 5 sectors at 70 of disk 3, of component 4. */
static size_t make_partition(uint8_t b[64])
{
	static const uint8_t body[] = {1, 9, 1, 'P', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, /* log */
		0, 0, 0, 0, 0, 0, 0, 70, 0, 0, 0, 0, 0, 0, 1, 0, 1, 5, 1, 4, 1, 3, 1, 2};

	memset(b, 0, 64);
	b[2] = 0x08;
	b[3] = 0x33;
	sv_store_be32(b + 4, sizeof body);
	memcpy(b + 8, body, sizeof body);
	return 8 + sizeof body;
}

static void reads_a_partition_record(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ldm_record r;
	uint8_t b[64];

	(void)state;
	make_partition(b);
	assert_ok(sv_ldm_parse_record(b, sizeof b, &r, &err));
	assert_int_equal(r.kind, SV_LDM_PARTITION);
	assert_int_equal(r.id, 9);
	assert_string_equal(r.name, "P");
	assert_int_equal(r.partition.start, 70);
	assert_int_equal(r.partition.offset, 256);
	assert_int_equal(r.partition.size, 5);
	assert_int_equal(r.partition.parent, 4);
	assert_int_equal(r.partition.disk, 3);
	assert_int_equal(r.partition.column, 2);
}

static void passes_over_records_that_are_not_yet(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ldm_record r;
	uint8_t b[64];

	(void)state;
	make_partition(b);
	sv_store_be16(b, 1);
	assert_ok(sv_ldm_parse_record(b, sizeof b, &r, &err));
	assert_int_equal(r.kind, SV_LDM_BLANK);
}

static void refuses_records_that_pass_their_end(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ldm_record r;
	uint8_t b[64];
	size_t n;

	(void)state;
	n = make_partition(b);
	for (uint32_t cut = 0; cut < n - 8; cut++) {
		sv_store_be32(b + 4, cut);
		assert_fails(
			sv_ldm_parse_record(b, sizeof b, &r, &err), SV_CORRUPT, UINT64_MAX);
		assert_int_equal(r.kind, SV_LDM_BLANK);
	}
	sv_store_be32(b + 4, 57);
	assert_fails(sv_ldm_parse_record(b, sizeof b, &r, &err), SV_CORRUPT, UINT64_MAX);
	make_partition(b);
	b[8] = 9; /* a number of nine bytes */
	assert_fails(sv_ldm_parse_record(b, sizeof b, &r, &err), SV_CORRUPT, UINT64_MAX);
	b[3] = 0x77;
	assert_fails(sv_ldm_parse_record(b, sizeof b, &r, &err), SV_UNSUPPORTED, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_where_data_and_database_lie),
		cmocka_unit_test(refuses_headers_that_cannot_be),
		cmocka_unit_test(reads_a_partition_record),
		cmocka_unit_test(passes_over_records_that_are_not_yet),
		cmocka_unit_test(refuses_records_that_pass_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
