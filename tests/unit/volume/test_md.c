/* SPDX-License-Identifier: GPL-3.0-or-later */
/* md superblocks of both versions, good and bad. Arrays: tests/blackbox/volume. */
#include "unit.h"

#include "base/endian.h"
#include "base/num.h"
#include "volume/md/super.h"

#define SIZE (1u << 20)

static void seal_1(uint8_t *b)
{
	uint64_t sum = 0;

	sv_store_le32(b + 216, 0);
	for (size_t i = 0; i < 256 + 2 * sv_load_le32(b + 220); i += 4)
		sum += sv_load_le32(b + i);
	sv_store_le32(b + 216, (uint32_t)sum + (uint32_t)(sum >> 32));
}

/* Of the second of four devices, at 4 KiB. */
static void make_1(uint8_t b[SV_MD_SUPER_SIZE])
{
	memset(b, 0, SV_MD_SUPER_SIZE);
	sv_store_le32(b, 0xa92b4efc);
	sv_store_le32(b + 4, 1);
	memset(b + 16, 0xab, 16);
	memcpy(b + 32, "host:data", 9);
	sv_store_le32(b + 72, 5);
	sv_store_le32(b + 76, 2);
	sv_store_le64(b + 80, 1000);
	sv_store_le32(b + 88, 128);
	sv_store_le32(b + 92, 4);
	sv_store_le64(b + 128, 64);
	sv_store_le64(b + 136, 1024);
	sv_store_le64(b + 144, 8);
	sv_store_le32(b + 160, 1);
	sv_store_le64(b + 200, 77);
	sv_store_le32(b + 220, 4);
	for (uint16_t i = 0; i < 4; i++)
		sv_store_le16(b + 256 + 2 * i, i);
	seal_1(b);
}

static void reads_version_1(void **state)
{
	uint8_t b[SV_MD_SUPER_SIZE];
	struct sv_err err = SV_ERR_INIT;
	struct sv_md_super s;

	(void)state;
	make_1(b);
	assert_ok(sv_md_parse_v1(b, sizeof b, 4096, SIZE, &s, &err));
	assert_int_equal(s.minor, 2);
	assert_string_equal(s.name, "host:data");
	assert_int_equal(s.level, 5);
	assert_int_equal(s.disks, 4);
	assert_int_equal(s.role, 1);
	assert_int_equal(s.chunk, 65536);
	assert_int_equal(s.data_start, 32768);
	assert_int_equal(s.events, 77);
	assert_false(s.reshaping || s.recovering);
}

static void refuses_version_1_that_cannot_be(void **state)
{
	uint8_t b[SV_MD_SUPER_SIZE];
	struct sv_err err = SV_ERR_INIT;
	struct sv_md_super s;

	(void)state;
	make_1(b);
	assert_fails(sv_md_parse_v1(b, sizeof b, 0, SIZE, &s, &err), SV_NOTFOUND, UINT64_MAX);
	b[40] ^= 1;
	assert_fails(sv_md_parse_v1(b, sizeof b, 4096, SIZE, &s, &err), SV_CORRUPT, 4096);
	make_1(b);
	sv_store_le32(b + 220, 5000);
	assert_fails(sv_md_parse_v1(b, sizeof b, 4096, SIZE, &s, &err), SV_CORRUPT, 4096);
	make_1(b);
	sv_store_le64(b + 136, UINT64_MAX / 2);
	seal_1(b);
	assert_fails(sv_md_parse_v1(b, sizeof b, 4096, SIZE, &s, &err), SV_CORRUPT, 4096);
}

static void store(uint8_t *b, unsigned word, uint32_t value, bool big)
{
	if (big)
		sv_store_be32(b + 4 * word, value);
	else
		sv_store_le32(b + 4 * word, value);
}

static void make_0(uint8_t b[SV_MD_SUPER_SIZE], bool big)
{
	static const struct {
		unsigned word;
		uint32_t value;
	} words[] = {{0, 0xa92b4efc}, {2, 90}, {7, 1}, {8, 400}, {10, 2}, {11, 3}, {65, 4096},
		{995, 1}, {996, 2}};
	uint64_t sum = 0;

	memset(b, 0, SV_MD_SUPER_SIZE);
	for (size_t i = 0; i < SV_ARRAY_LEN(words); i++) {
		store(b, words[i].word, words[i].value, big);
		sum += words[i].value;
	}
	store(b, big ? 40 : 39, 9, big);
	sum += 9;
	store(b, 38, (uint32_t)sum + (uint32_t)(sum >> 32), big);
}

static void reads_version_0_in_both_orders(void **state)
{
	uint8_t b[SV_MD_SUPER_SIZE];
	struct sv_err err = SV_ERR_INIT;
	struct sv_md_super s;

	(void)state;
	for (int big = 0; big < 2; big++) {
		make_0(b, big);
		assert_ok(sv_md_parse_v0(b, sizeof b, SIZE - 65536, SIZE, &s, &err));
		assert_int_equal(s.level, 1);
		assert_int_equal(s.disks, 2);
		assert_int_equal(s.role, 1);
		assert_int_equal(s.events, 9);
		assert_int_equal(s.part_size, 400 * 1024);
		assert_int_equal(s.big_endian, big);
		b[500] ^= 1;
		assert_fails(sv_md_parse_v0(b, sizeof b, SIZE - 65536, SIZE, &s, &err),
			SV_CORRUPT, SIZE - 65536);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_version_1),
		cmocka_unit_test(refuses_version_1_that_cannot_be),
		cmocka_unit_test(reads_version_0_in_both_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
