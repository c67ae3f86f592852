/* SPDX-License-Identifier: GPL-3.0-or-later */
/* btrfs' structures, one by one: what is right is taken, what is wrong is told with its place.
 */
#include "unit.h"

#include "base/endian.h"
#include "base/num.h"
#include "fs/btrfs/btrfs.h"

/* ---- the superblock ---- */

static void sum(uint8_t *b)
{
	uint8_t out[BTRFS_SUM_MAX];
	enum sv_btrfs_sum type = (enum sv_btrfs_sum)(b[0xc4] & 3);

	sv_btrfs_sum(type, b + BTRFS_SUMMED_FROM, BTRFS_SUPER_SIZE - BTRFS_SUMMED_FROM, out);
	memcpy(b, out, sv_btrfs_sum_size(type));
}

static void make_super(uint8_t b[BTRFS_SUPER_SIZE])
{
	memset(b, 0, BTRFS_SUPER_SIZE);
	memcpy(b + 0x40, "_BHRfS_M", 8);
	sv_store_le64(b + 0x30, BTRFS_SUPER_AT);
	sv_store_le64(b + 0x70, 1 << 30);
	sv_store_le64(b + 0x78, 1 << 20);
	sv_store_le64(b + 0x88, 1);
	sv_store_le32(b + 0x90, 4096);
	sv_store_le32(b + 0x94, 16384);
	memcpy(b + 0x12b, "a label", 7);
	sum(b);
}

static void takes_a_superblock_with_each_checksum(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t b[BTRFS_SUPER_SIZE];
	struct sv_btrfs_super s;

	for (unsigned type = 0; type < 4; type++) {
		make_super(b);
		b[0xc4] = (uint8_t)type;
		sum(b);
		assert_ok(sv_btrfs_parse_super(b, sizeof b, BTRFS_SUPER_AT, &s, &err));
		assert_string_equal(s.label, "a label");
		assert_int_equal(s.node, 16384);
		b[0x500] ^= 1;
		assert_fails(sv_btrfs_parse_super(b, sizeof b, BTRFS_SUPER_AT, &s, &err),
			SV_CORRUPT, 0);
	}
}

static void refuses_wrong_superblocks_at_their_place(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		enum sv_code code;
		uint64_t place;
	} cases[] = {
		{0x30, 4096, SV_CORRUPT, 0x30}, {0x70, 0, SV_CORRUPT, 0x70},
		{0x88, 0, SV_CORRUPT, 0x88}, {0x90, 1000, SV_CORRUPT, 0x90},
		{0x94, 2048, SV_CORRUPT, 0x94}, {0x94, 131072, SV_CORRUPT, 0x94},
		{0xa0, 2049, SV_CORRUPT, 0xa0}, {0xc4, 4, SV_UNSUPPORTED, 0xc4},
		{0xc6, 8, SV_CORRUPT, 0xc6}, {0xbc, 0x1000, SV_UNSUPPORTED, 0xbc}, /* zoned */
		{0xbc, 0x2000, SV_UNSUPPORTED, 0xbc},  /* extent tree v2 */
		{0xbc, 0x4000, SV_UNSUPPORTED, 0xbc},  /* RAID stripe tree */
		{0xbc, 0x20000, SV_UNSUPPORTED, 0xbc}, /* remap tree */
		{0xbc, 0x40000, SV_UNSUPPORTED, 0xbc}, /* not known */
	};

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct sv_err err = SV_ERR_INIT;
		uint8_t b[BTRFS_SUPER_SIZE];
		struct sv_btrfs_super s;

		make_super(b);
		sv_store_le32(b + cases[i].at, cases[i].value);
		sum(b);
		assert_fails(sv_btrfs_parse_super(b, sizeof b, BTRFS_SUPER_AT, &s, &err),
			cases[i].code, cases[i].place);
	}
}

/* ---- chunks ---- */

static size_t make_chunk(uint8_t *b, uint64_t type, unsigned stripes, unsigned sub)
{
	memset(b, 0, 48 + 32 * (size_t)stripes);
	sv_store_le64(b, 1 << 30);
	sv_store_le64(b + 16, 65536);
	sv_store_le64(b + 24, type | BTRFS_DATA);
	sv_store_le16(b + 44, (uint16_t)stripes);
	sv_store_le16(b + 46, (uint16_t)sub);
	for (unsigned i = 0; i < stripes; i++) {
		sv_store_le64(b + 48 + 32 * i, i + 1);
		sv_store_le64(b + 56 + 32 * i, 0);
	}
	return 48 + 32 * (size_t)stripes;
}

/* The device, and the stripe on it, of the unit-th 64 KiB of a chunk. */
static void expect_place(uint64_t type, unsigned stripes, unsigned sub, uint64_t unit,
	unsigned copy, uint64_t devid, uint64_t row)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_btrfs_chunks t = {0};
	struct sv_btrfs_piece p;
	uint8_t b[48 + 32 * 8];
	size_t n = make_chunk(b, type, stripes, sub), size;

	assert_ok(sv_btrfs_add_chunk(&t, 1 << 30, b, n, &size, &err));
	assert_int_equal(size, n);
	sv_btrfs_place(
		&t, sv_btrfs_find_chunk(&t, 1 << 30), (1 << 30) + unit * 65536 + 100, copy, &p);
	assert_int_equal(p.devid, devid);
	assert_int_equal(p.at, row * 65536 + 100);
	sv_btrfs_chunks_free(&t);
}

static void spreads_as_each_profile_says(void **state)
{
	expect_place(0, 1, 0, 5, 0, 1, 5);
	expect_place(BTRFS_DUP, 2, 0, 5, 1, 2, 5);
	expect_place(BTRFS_RAID1C3, 3, 0, 5, 2, 3, 5);
	expect_place(BTRFS_RAID0, 3, 0, 5, 0, 3, 1);
	expect_place(BTRFS_RAID10, 4, 2, 5, 0, 3, 2);
	expect_place(BTRFS_RAID10, 4, 2, 5, 1, 4, 2);
	expect_place(BTRFS_RAID5, 3, 0, 3, 0, 3, 1); /* row 1 begins a device later */
	expect_place(BTRFS_RAID6, 4, 0, 5, 0, 4, 2);
}

static void leaves_the_second_parity_out_of_a_row(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_btrfs_chunks t = {0};
	struct sv_btrfs_piece p;
	uint8_t b[48 + 32 * 8];
	size_t n = make_chunk(b, BTRFS_RAID6, 4, 0), size;
	const struct sv_btrfs_chunk *c;

	assert_ok(sv_btrfs_add_chunk(&t, 1 << 30, b, n, &size, &err));
	c = sv_btrfs_find_chunk(&t, 1 << 30);
	for (unsigned row = 0; row < 8; row++) {
		/* a row of two units of data turns by one stripe */
		uint64_t logical = (1 << 30) + row * UINT64_C(2) * 65536 + 7;

		for (unsigned i = 0; i < 4; i++) {
			bool counts = sv_btrfs_place_in_row(&t, c, logical, i, &p);

			assert_int_equal(counts, i != (row + 3) % 4);
			assert_int_equal(p.devid, i + 1);
			assert_int_equal(p.at, row * UINT64_C(65536) + 7);
		}
	}
	sv_btrfs_chunks_free(&t);
}

static void refuses_wrong_chunks(void **state)
{
	static const struct {
		uint64_t type;
		unsigned stripes, sub;
		size_t at;
		uint64_t value, place;
	} cases[] = {
		{0, 1, 0, 0, 0, 0},                  /* no length */
		{0, 1, 0, 0, INT64_MAX, 0},          /* too long */
		{0, 1, 0, 16, 1000, 16},             /* stripes of 1000 bytes */
		{0, 2, 0, 16, 65536, 44},            /* single, on two */
		{BTRFS_RAID10, 3, 2, 16, 65536, 44}, /* not in pairs */
		{BTRFS_RAID6, 2, 0, 16, 65536, 44},  /* parity only */
		{BTRFS_RAID0 | BTRFS_DUP, 2, 0, 16, 65536, 44},
	};

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct sv_err err = SV_ERR_INIT;
		struct sv_btrfs_chunks t = {0};
		uint8_t b[48 + 32 * 8];
		size_t n = make_chunk(b, cases[i].type, cases[i].stripes, cases[i].sub), size;

		sv_store_le64(b + cases[i].at, cases[i].value);
		assert_fails(sv_btrfs_add_chunk(&t, 1 << 30, b, n, &size, &err), SV_CORRUPT,
			cases[i].place);
		assert_int_equal(t.n, 0);
	}
}

static void no_address_has_two_meanings(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_btrfs_chunks t = {0};
	uint8_t b[80];
	size_t n = make_chunk(b, 0, 1, 0), size;

	assert_ok(sv_btrfs_add_chunk(&t, 1 << 30, b, n, &size, &err));
	assert_ok(sv_btrfs_add_chunk(&t, 1 << 30, b, n, &size, &err)); /* the same again */
	assert_int_equal(t.n, 1);
	assert_fails(
		sv_btrfs_add_chunk(&t, (1 << 30) + 4096, b, n, &size, &err), SV_CORRUPT, 0);
	assert_fails(
		sv_btrfs_add_chunk(&t, (1 << 30) - 4096, b, n, &size, &err), SV_CORRUPT, 0);
	assert_null(sv_btrfs_find_chunk(&t, (1 << 30) - 1));
	assert_null(sv_btrfs_find_chunk(&t, UINT64_C(2) << 30));
	sv_btrfs_chunks_free(&t);
}

/* ---- nodes ---- */

static void put_item(uint8_t *b, unsigned i, uint64_t objectid, uint32_t at, uint32_t size)
{
	sv_store_le64(b + 101 + 25 * i, objectid);
	sv_store_le32(b + 101 + 25 * i + 17, at);
	sv_store_le32(b + 101 + 25 * i + 21, size);
}

static void refuses_items_outside_their_leaf_or_order(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t b[4096] = {0};
	unsigned level, n;

	sv_store_le32(b + 96, 2);
	put_item(b, 0, 5, 3000, 100);
	put_item(b, 1, 6, 2000, 100);
	assert_ok(sv_btrfs_parse_node(b, sizeof b, &level, &n, &err));
	assert_int_equal(n, 2);
	put_item(b, 1, 5, 2000, 100);
	assert_fails(sv_btrfs_parse_node(b, sizeof b, &level, &n, &err), SV_CORRUPT, 126);
	put_item(b, 1, 6, 3990, 100);
	assert_fails(sv_btrfs_parse_node(b, sizeof b, &level, &n, &err), SV_CORRUPT, 126);
	put_item(b, 1, 6, 10, 100); /* in the table of items */
	assert_fails(sv_btrfs_parse_node(b, sizeof b, &level, &n, &err), SV_CORRUPT, 126);
	sv_store_le32(b + 96, 1000);
	assert_fails(sv_btrfs_parse_node(b, sizeof b, &level, &n, &err), SV_CORRUPT, 96);
	sv_store_le32(b + 96, 0);
	b[100] = 1; /* a node without children */
	assert_fails(sv_btrfs_parse_node(b, sizeof b, &level, &n, &err), SV_CORRUPT, 96);
	b[100] = 8;
	assert_fails(sv_btrfs_parse_node(b, sizeof b, &level, &n, &err), SV_CORRUPT, 96);
}

/* ---- pieces of files ---- */

static void make_extent(uint8_t b[53])
{
	memset(b, 0, 53);
	sv_store_le64(b + 8, 131072);
	b[16] = BTRFS_ZSTD;
	b[20] = BTRFS_EXTENT_REGULAR;
	sv_store_le64(b + 21, 1 << 20);
	sv_store_le64(b + 29, 8192);
	sv_store_le64(b + 37, 4096);
	sv_store_le64(b + 45, 8192);
}

static void refuses_pieces_beyond_their_extent_and_bombs(void **state)
{
	static const struct {
		size_t at;
		uint64_t value, place;
	} cases[] = {
		{8, 262144, 8},   /* unpacks to more than any extent does */
		{8, 8192, 37},    /* the piece is longer than the extent */
		{21, 12345, 21},  /* not at a sector */
		{37, 1000, 21},   /* nor there */
		{37, 131072, 37}, /* begins where the extent ends */
		{45, 100, 45},    /* no whole sectors */
		{45, UINT64_C(1) << 63, 45},
	};
	const struct sv_btrfs_super s = {.sector = 4096, .node = 16384};
	struct sv_err err = SV_ERR_INIT;
	struct sv_btrfs_extent e;
	uint8_t b[53];

	make_extent(b);
	assert_ok(sv_btrfs_parse_extent(b, sizeof b, &s, 0, &e, &err));
	assert_int_equal(e.len, 8192);
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		make_extent(b);
		sv_store_le64(b + cases[i].at, cases[i].value);
		assert_fails(sv_btrfs_parse_extent(b, sizeof b, &s, 0, &e, &err), SV_CORRUPT,
			cases[i].place);
	}
	make_extent(b);
	b[16] = 9;
	assert_fails(sv_btrfs_parse_extent(b, sizeof b, &s, 0, &e, &err), SV_UNSUPPORTED, 16);
	make_extent(b);
	b[17] = 1;
	assert_fails(sv_btrfs_parse_extent(b, sizeof b, &s, 0, &e, &err), SV_UNSUPPORTED, 17);
	make_extent(b);
	assert_fails(sv_btrfs_parse_extent(b, 40, &s, 0, &e, &err), SV_CORRUPT, 20);
}

/* ---- packed data ---- */

static void refuses_lzo_segments_beyond_their_end(void **state)
{
	/* four literals, then the end mark */
	static const uint8_t good[] = {
		16, 0, 0, 0, 8, 0, 0, 0, 21, 'a', 'b', 'c', 'd', 17, 0, 0, 9, 9, 9, 9};
	struct sv_btrfs_unpack *u = NULL;
	struct sv_err err = SV_ERR_INIT;
	uint8_t b[sizeof good], out[8];

	memset(out, 'x', sizeof out);
	assert_ok(
		sv_btrfs_unpack(&u, BTRFS_LZO, 4096, good, sizeof good, out, sizeof out, &err));
	assert_memory_equal(out, "abcd\0\0\0\0", 8);
	memcpy(b, good, sizeof b);
	b[0] = 21; /* more than there is */
	assert_fails(sv_btrfs_unpack(&u, BTRFS_LZO, 4096, b, sizeof b, out, sizeof out, &err),
		SV_CORRUPT, 0);
	b[0] = 16;
	b[4] = 9; /* the segment goes beyond them all */
	assert_fails(sv_btrfs_unpack(&u, BTRFS_LZO, 4096, b, sizeof b, out, sizeof out, &err),
		SV_CORRUPT, 4);
	b[4] = 8;
	b[8] = 200; /* more literals than there are */
	assert_fails(sv_btrfs_unpack(&u, BTRFS_LZO, 4096, b, sizeof b, out, sizeof out, &err),
		SV_CORRUPT, 8);
	assert_fails(sv_btrfs_unpack(&u, BTRFS_LZO, 4096, b, 3, out, sizeof out, &err),
		SV_CORRUPT, 0);
	sv_btrfs_unpack_free(u);
}

static void refuses_streams_that_unpack_to_more_than_announced(void **state)
{
	/* "hello hello hello hello\n" as zlib and zstd pack it */
	static const uint8_t zlib[] = {0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8,
		0x40, 0x27, 0xb9, 0x00, 0x70, 0xbe, 0x08, 0xbb};
	struct sv_btrfs_unpack *u = NULL;
	struct sv_err err = SV_ERR_INIT;
	uint8_t out[64];

	assert_ok(sv_btrfs_unpack(
		&u, BTRFS_ZLIB, 4096, zlib, sizeof zlib, out, sizeof out, &err));
	assert_memory_equal(out, "hello hello hello hello\n\0\0", 26);
	assert_fails(sv_btrfs_unpack(&u, BTRFS_ZLIB, 4096, zlib, sizeof zlib, out, 10, &err),
		SV_CORRUPT, 0);
	assert_fails(
		sv_btrfs_unpack(&u, BTRFS_ZSTD, 4096, zlib, sizeof zlib, out, sizeof out, &err),
		SV_CORRUPT, 0);
	sv_btrfs_unpack_free(u);
}

/* ---- numbers and names ---- */

static void numbers_tell_the_subvolume_and_the_inode(void **state)
{
	uint64_t ino, subvolume, objectid;

	assert_true(sv_btrfs_number(BTRFS_FS_TREE, 257, &ino));
	assert_int_equal(ino, 257);
	assert_true(sv_btrfs_number(300, 257, &ino));
	sv_btrfs_split(ino, &subvolume, &objectid);
	assert_int_equal(subvolume, 300);
	assert_int_equal(objectid, 257);
	assert_false(sv_btrfs_number(BTRFS_SUBVOLUMES_END, 257, &ino));
	assert_false(sv_btrfs_number(300, UINT64_C(1) << BTRFS_INO_BITS, &ino));
}

static void hashes_names_as_the_kernel_does(void **state)
{
	assert_int_equal(sv_btrfs_name_hash("default", 7), 0x8dbfc2d2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_superblock_with_each_checksum),
		cmocka_unit_test(refuses_wrong_superblocks_at_their_place),
		cmocka_unit_test(spreads_as_each_profile_says),
		cmocka_unit_test(leaves_the_second_parity_out_of_a_row),
		cmocka_unit_test(refuses_wrong_chunks),
		cmocka_unit_test(no_address_has_two_meanings),
		cmocka_unit_test(refuses_items_outside_their_leaf_or_order),
		cmocka_unit_test(refuses_pieces_beyond_their_extent_and_bombs),
		cmocka_unit_test(refuses_lzo_segments_beyond_their_end),
		cmocka_unit_test(refuses_streams_that_unpack_to_more_than_announced),
		cmocka_unit_test(numbers_tell_the_subvolume_and_the_inode),
		cmocka_unit_test(hashes_names_as_the_kernel_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
