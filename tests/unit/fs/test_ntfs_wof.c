/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Windows packs: the table of chunks, reparse points, and damage that no packer makes. */
#include "unit.h"

#include "fs/ntfs/wof.h"

static const struct sv_wof_table small = {.size = 10000, .packed = 1000, .chunk = 4096};

static void entry(uint8_t *at, uint32_t value)
{
	sv_store_le32(at, value);
}

static void finds_the_first_a_middle_and_the_last_chunk(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t entries[16] = {0};
	struct sv_wof_chunk c;

	(void)state;
	entry(entries + 4, 300);
	assert_ok(sv_wof_parse_chunk(&small, 0, entries, &c, &err));
	assert_int_equal(c.off, 8); /* behind the table */
	assert_int_equal(c.n, 300);
	assert_int_equal(c.plain, 4096);
	entry(entries, 300);
	entry(entries + 4, 500);
	assert_ok(sv_wof_parse_chunk(&small, 1, entries, &c, &err));
	assert_int_equal(c.off, 308);
	assert_int_equal(c.n, 200);
	entry(entries, 500);
	assert_ok(sv_wof_parse_chunk(&small, 2, entries, &c, &err));
	assert_int_equal(c.off, 508);
	assert_int_equal(c.n, 492);
	assert_int_equal(c.plain, 10000 - 8192);
}

static void large_files_have_wide_entries(void **state)
{
	struct sv_wof_table t = {.size = 1ull << 33, .packed = 1ull << 32, .chunk = 32768};
	struct sv_err err = SV_ERR_INIT;
	uint8_t entries[16];
	struct sv_wof_chunk c;
	uint64_t table;

	(void)state;
	assert_true(sv_wof_table_bytes(&t, &table));
	assert_int_equal(table, ((1u << 18) - 1) * 8);
	sv_store_le64(entries, 0xffff0000);
	sv_store_le64(entries + 8, 0xffff0005);
	assert_fails(sv_wof_parse_chunk(&t, 9, entries, &c, &err), SV_CORRUPT, UINT64_MAX);
	sv_store_le64(entries, 0xf0000000);
	sv_store_le64(entries + 8, 0xf0000005);
	assert_ok(sv_wof_parse_chunk(&t, 9, entries, &c, &err));
	assert_int_equal(c.off, table + 0xf0000000);
}

static void refuses_chunks_that_cannot_be(void **state)
{
	struct sv_wof_table none = {.size = 1 << 20, .packed = 8, .chunk = 4096};
	struct sv_err err = SV_ERR_INIT;
	uint8_t entries[16] = {0};
	struct sv_wof_chunk c;

	(void)state;
	entry(entries, 300);
	entry(entries + 4, 300); /* empty */
	assert_fails(sv_wof_parse_chunk(&small, 1, entries, &c, &err), SV_CORRUPT, UINT64_MAX);
	entry(entries + 4, 200); /* ends before it begins */
	assert_fails(sv_wof_parse_chunk(&small, 1, entries, &c, &err), SV_CORRUPT, UINT64_MAX);
	entry(entries + 4, 993); /* the stream has 992 behind its table */
	assert_fails(sv_wof_parse_chunk(&small, 1, entries, &c, &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(sv_wof_parse_chunk(&small, 3, entries, &c, &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(sv_wof_parse_chunk(&none, 0, entries, &c, &err), SV_CORRUPT, UINT64_MAX);
}

static void knows_the_formats_and_refuses_others(void **state)
{
	uint8_t point[24] = {0x17, 0, 0, 0x80, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1};
	struct sv_err err = SV_ERR_INIT;
	const struct sv_wof_format *f;

	(void)state;
	for (uint8_t i = 0; i < 4; i++) {
		static const char *const names[] = {"XPRESS4K", "LZX", "XPRESS8K", "XPRESS16K"};

		point[20] = i;
		assert_ok(sv_wof_parse_point(point, sizeof point, &f, &err));
		assert_string_equal(f->name, names[i]);
	}
	point[20] = 4;
	assert_fails(sv_wof_parse_point(point, 24, &f, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_wof_parse_point(point, 23, &f, &err), SV_CORRUPT, 0);
	point[12] = 1; /* an image file */
	assert_fails(sv_wof_parse_point(point, 24, &f, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_true(err.hint[0] != 0);
	point[12] = 9;
	assert_fails(sv_wof_parse_point(point, 24, &f, &err), SV_CORRUPT, 0);
}

/* ---- LZX by hand: what wimlib's packer never makes ---- */

static void put_bits(uint8_t *out, size_t *at, unsigned value, unsigned n)
{
	for (; n; n--, ++*at) {
		size_t byte = *at / 16 * 2 + (*at % 16 < 8); /* units are little-endian */

		if (value >> (n - 1) & 1)
			out[byte] |= (uint8_t)(0x80 >> *at % 8);
	}
}

static void reads_blocks_that_are_not_packed(void **state)
{
	static const char first[] = "seventeen bytes..", second[] = "and more";
	static const struct sv_wof_codes none;
	struct sv_wof_codes codes = none;
	struct sv_err err = SV_ERR_INIT;
	uint8_t in[128] = {0}, out[25];
	size_t bit = 0, n;

	(void)state;
	put_bits(in, &bit, 3, 3);
	put_bits(in, &bit, 0, 1);
	put_bits(in, &bit, 17, 16);
	memset(in + 4, 1, 12); /* padding up to here, then the three distances */
	memcpy(in + 16, first, 17);
	n = 16 + 18; /* one more, because 17 is odd */
	bit = 8 * n;
	put_bits(in, &bit, 3, 3);
	put_bits(in, &bit, 0, 1);
	put_bits(in, &bit, 8, 16);
	memset(in + n + 4, 1, 12);
	memcpy(in + n + 16, second, 8);
	n += 24;
	assert_ok(sv_lzx_unpack(&codes, in, n, out, sizeof out, &err));
	assert_memory_equal(out, first, 17);
	assert_memory_equal(out + 17, second, 8);
	assert_fails(sv_lzx_unpack(&codes, in, n - 1, out, sizeof out, &err), SV_CORRUPT,
		UINT64_MAX);
	assert_fails(sv_lzx_unpack(&codes, in, n, out, 16, &err), SV_CORRUPT, UINT64_MAX);
}

static void refuses_packed_data_that_cannot_be(void **state)
{
	static const struct sv_wof_codes none;
	struct sv_wof_codes codes = none;
	struct sv_err err = SV_ERR_INIT;
	uint8_t in[600], out[4096];

	(void)state;
	for (unsigned fill = 0; fill < 256; fill += 17) {
		memset(in, (int)fill, sizeof in);
		assert_fails(sv_lzx_unpack(&codes, in, sizeof in, out, sizeof out, &err),
			SV_CORRUPT, UINT64_MAX);
		assert_true(err.has_offset);
	}
	memset(in, 0, sizeof in); /* no code at all */
	assert_fails(sv_xpress_unpack(&codes, in, sizeof in, out, sizeof out, &err), SV_CORRUPT,
		UINT64_MAX);
	memset(in, 0x11, 256); /* 512 codes of one bit */
	assert_fails(sv_xpress_unpack(&codes, in, sizeof in, out, sizeof out, &err), SV_CORRUPT,
		UINT64_MAX);
	assert_fails(sv_xpress_unpack(&codes, in, 255, out, sizeof out, &err), SV_CORRUPT, 0);
	memset(in, 0, sizeof in);
	in[128] = 0x11; /* two symbols, a match each, and nothing before them */
	assert_fails(sv_xpress_unpack(&codes, in, sizeof in, out, sizeof out, &err), SV_CORRUPT,
		UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_first_a_middle_and_the_last_chunk),
		cmocka_unit_test(large_files_have_wide_entries),
		cmocka_unit_test(refuses_chunks_that_cannot_be),
		cmocka_unit_test(knows_the_formats_and_refuses_others),
		cmocka_unit_test(reads_blocks_that_are_not_packed),
		cmocka_unit_test(refuses_packed_data_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
