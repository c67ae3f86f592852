/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pure decoders of the NTFS reader: runs, LZNT1, names, attribute lists, index nodes. */
#include "unit.h"

#include "base/num.h"
#include "fs/ntfs/ntfs.h"

/* ---- runs ---- */

static int add(
	struct sv_ntfs_runs *r, const char *pairs, size_t n, uint64_t end, struct sv_err *err)
{
	return sv_ntfs_runs_add(r, (const uint8_t *)pairs, n, end, 1000, err);
}

static void decodes_runs_and_joins_neighbours(void **state)
{
	struct sv_ntfs_runs r = {0};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	/* 16 at 100; a hole of 4; 2 at 50; 3 right behind it; then a second piece behind that
	 */
	assert_ok(add(&r, "\x11\x10\x64\x01\x04\x11\x02\xce\x11\x03\x02\0", 12, 25, &err));
	assert_ok(add(&r, "\x11\x05\x37\0", 4, 30, &err));
	assert_int_equal(r.n, 3);
	assert_int_equal(r.end, 30);
	assert_int_equal(r.allocated, 26);
	assert_int_equal(r.v[0].lcn, 100);
	assert_true(r.v[1].lcn == NTFS_HOLE);
	assert_int_equal(r.v[2].vcn, 20);
	assert_int_equal(r.v[2].lcn, 50);
	assert_int_equal(r.v[2].length, 10);
	for (uint64_t vcn = 0; vcn < 30; vcn++)
		assert_ptr_equal(sv_ntfs_runs_at(&r, vcn), &r.v[vcn < 16      ? 0
								   : vcn < 20 ? 1
									      : 2]);
	assert_null(sv_ntfs_runs_at(&r, 30));
	free(r.v);
}

static void refuses_runs_that_cannot_be(void **state)
{
	static const struct {
		const char *pairs;
		size_t n;
		uint64_t end;
	} bad[] = {
		{"\x11\x10\x64\0", 4, 15},                  /* longer than the stream */
		{"\x11\x10\x64\0", 4, 17},                  /* shorter */
		{"\x11\x10\x64", 2, 16},                    /* cut */
		{"\x11\0\x64\0", 4, 16},                    /* empty */
		{"\x11\x80\x64\0", 4, 16},                  /* negative */
		{"\x11\x10\x80\0", 4, 16},                  /* before the volume */
		{"\x21\x10\xe0\x03\0", 5, 16},              /* beyond it: 992 to 1008 of 1000 */
		{"\x99\x10\0\0\0\0\0\0\0\0\0\0", 12, 16},   /* nine bytes */
		{"\x22\xe8\x03\0\0\x12\1\0\0\0", 10, 1001}, /* the same clusters twice over */
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		struct sv_ntfs_runs r = {0};
		struct sv_err err = SV_ERR_INIT;

		assert_fails(add(&r, bad[i].pairs, bad[i].n, bad[i].end, &err), SV_CORRUPT,
			UINT64_MAX);
		assert_true(err.has_offset);
		free(r.v);
	}
}

/* ---- LZNT1 ---- */

/* Three literals, a reference that repeats them three times over, one more literal. */
static void unpacks_literals_and_references(void **state)
{
	static const uint8_t packed[] = {
		0x06, 0xb0, 0x08, 'a', 'b', 'c', 0x06, 0x20, 'd', 0, 0};
	uint8_t out[20];
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	memset(out, 'x', sizeof out);
	assert_ok(sv_ntfs_unpack(packed, sizeof packed, out, sizeof out, &err));
	assert_memory_equal(out, "abcabcabcabcd\0\0\0\0\0\0\0", 20);
}

static void unpacks_stored_chunks_and_fills_with_zeros(void **state)
{
	uint8_t packed[2 + 4096 + 4], *out = malloc(9000);
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	sv_store_le16(packed, 0x3fff);
	for (size_t i = 0; i < 4096; i++)
		packed[2 + i] = (uint8_t)(i * 31);
	memcpy(packed + 4098, "\x01\xb0\0z", 4);
	assert_ok(sv_ntfs_unpack(packed, sizeof packed, out, 9000, &err));
	assert_memory_equal(out, packed + 2, 4096);
	assert_int_equal(out[4096], 'z');
	for (size_t i = 4097; i < 9000; i++)
		assert_int_equal(out[i], 0);
	/* less than all is wanted */
	assert_fails(sv_ntfs_unpack(packed, sizeof packed, out, 4000, &err), SV_CORRUPT, 0);
	assert_ok(sv_ntfs_unpack(packed, 0, out, 9000, &err));
	assert_int_equal(out[0], 0);
	free(out);
}

static void refuses_packed_data_that_lead_outside(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		uint64_t offset;
	} bad[] = {
		{"\x02\xb0\x01\x00\x00", 5, 3},     /* a reference before the first byte */
		{"\x03\xb0\x02\x61\x00\x10", 6, 4}, /* two back, one there */
		{"\x03\xb0\x02\x61\xff\x0f", 6, 4}, /* longer than a chunk */
		{"\x02\xb0\x02\x61\x00", 5, 4},     /* cut within a reference */
		{"\x10\xb0\x00\x61", 4, 0},         /* cut within a chunk */
		{"\x02\x80\x00\x61\x61", 5, 0},     /* no signature */
	};
	uint8_t *out = malloc(4096);

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		struct sv_err err = SV_ERR_INIT;

		assert_fails(sv_ntfs_unpack(
				     (const uint8_t *)bad[i].bytes, bad[i].n, out, 4096, &err),
			SV_CORRUPT, bad[i].offset);
	}
	free(out);
}

/* ---- names ---- */

static void carries_names_there_and_back(void **state)
{
	static const char *const names[] = {"a", "größe", "日本語", "😀 x", "\xef\xbf\xbd"};
	uint8_t units[2 * SV_NTFS_NAME_MAX];
	char text[SV_NTFS_NAME_UTF8];
	unsigned len = 0;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		assert_true(sv_ntfs_name_from_utf8(names[i], strlen(names[i]), units, &len));
		assert_false(sv_ntfs_name_to_utf8(units, len, text));
		assert_string_equal(text, names[i]);
	}
	assert_true(sv_ntfs_name_from_utf8("😀", 4, units, &len));
	assert_int_equal(len, 2);
}

static void tells_names_that_lose_something(void **state)
{
	char text[SV_NTFS_NAME_UTF8];

	(void)state;
	assert_true(sv_ntfs_name_to_utf8((const uint8_t *)"a\0\x00\xd8"
							  "b\0",
		3, text));
	assert_string_equal(text, "a\xef\xbf\xbd"
				  "b"); /* half of a pair */
	assert_true(sv_ntfs_name_to_utf8((const uint8_t *)"\x00\xdc", 1, text));
	assert_true(sv_ntfs_name_to_utf8((const uint8_t *)"a\0/\0b\0", 3, text));
	assert_string_equal(text, "a\xef\xbf\xbd"
				  "b"); /* a path is made of no name */
	assert_true(sv_ntfs_name_to_utf8((const uint8_t *)"a\0\0\0b\0", 3, text));
	assert_string_equal(text, "a\xef\xbf\xbd"
				  "b");
}

static void refuses_names_that_are_too_long_or_no_utf8(void **state)
{
	uint8_t units[2 * SV_NTFS_NAME_MAX];
	char name[300];
	unsigned len = 0;

	(void)state;
	memset(name, 'n', sizeof name);
	assert_true(sv_ntfs_name_from_utf8(name, 255, units, &len));
	assert_int_equal(len, 255);
	assert_false(sv_ntfs_name_from_utf8(name, 256, units, &len));
	memcpy(name + 254, "😀", 4); /* two units, one too many */
	assert_false(sv_ntfs_name_from_utf8(name, 258, units, &len));
	assert_false(sv_ntfs_name_from_utf8("\xed\xa0\x80", 3, units, &len));
	assert_false(sv_ntfs_name_from_utf8("\xff", 1, units, &len));
}

/* ---- attribute lists and index nodes ---- */

static void walks_attribute_lists(void **state)
{
	uint8_t list[64] = {0};
	struct sv_ntfs_list_entry e;
	struct sv_err err = SV_ERR_INIT;
	size_t pos = 0;

	(void)state;
	for (size_t at = 0; at < 64; at += 32) {
		sv_store_le32(list + at, NTFS_ATTR_DATA);
		sv_store_le16(list + at + 4, 32);
		list[at + 6] = 1;
		list[at + 7] = 26;
		sv_store_le64(list + at + 8, at);
		sv_store_le64(list + at + 16, 0x0003000000000040);
		list[at + 26] = 'n';
	}
	assert_int_equal(sv_ntfs_next_list_entry(list, 64, &pos, &e, &err), 1);
	assert_int_equal(NTFS_REF_RECORD(e.record), 0x40);
	assert_int_equal(NTFS_REF_SEQUENCE(e.record), 3);
	assert_int_equal(e.name_len, 1);
	assert_int_equal(sv_ntfs_next_list_entry(list, 64, &pos, &e, &err), 1);
	assert_int_equal(e.lowest, 32);
	assert_int_equal(sv_ntfs_next_list_entry(list, 64, &pos, &e, &err), 0);
	pos = 0;
	assert_fails(sv_ntfs_next_list_entry(list, 31, &pos, &e, &err), SV_CORRUPT, 0);
	list[4] = 0; /* would never end */
	assert_fails(sv_ntfs_next_list_entry(list, 64, &pos, &e, &err), SV_CORRUPT, 0);
	list[4] = 32;
	list[6] = 4; /* the name ends beyond the entry */
	assert_fails(sv_ntfs_next_list_entry(list, 64, &pos, &e, &err), SV_CORRUPT, 0);
}

static void walks_index_nodes(void **state)
{
	uint8_t node[200] = {0};
	struct sv_ntfs_node n;
	struct sv_ntfs_entry e;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	sv_store_le32(node, 16);
	sv_store_le32(node + 4, 16 + 88 + 24);
	sv_store_le64(node + 16, 77); /* an entry with the name "x" */
	sv_store_le16(node + 24, 88);
	sv_store_le16(node + 26, 68);
	node[16 + 16 + 64] = 1;
	node[16 + 16 + 66] = 'x';
	sv_store_le16(node + 104 + 8, 24); /* the last one, with a child */
	node[104 + 12] = NTFS_ENTRY_LAST | NTFS_ENTRY_CHILD;
	node[104 + 16] = 9;
	assert_ok(sv_ntfs_parse_node(node, sizeof node, 0, &n, &err));
	assert_int_equal(sv_ntfs_next_entry(&n, &e, &err), 1);
	assert_int_equal(e.record, 77);
	assert_int_equal(e.key.name_len, 1);
	assert_false(e.last || e.has_child);
	assert_int_equal(sv_ntfs_next_entry(&n, &e, &err), 1);
	assert_true(e.last && e.has_child);
	assert_int_equal(e.child, 9);
	assert_fails(sv_ntfs_next_entry(&n, &e, &err), SV_CORRUPT, 128);
	sv_store_le16(node + 26, 80); /* the key ends beyond the entry */
	assert_ok(sv_ntfs_parse_node(node, sizeof node, 0, &n, &err));
	assert_fails(sv_ntfs_next_entry(&n, &e, &err), SV_CORRUPT, 16);
	sv_store_le16(node + 26, 60); /* too short for a name */
	assert_ok(sv_ntfs_parse_node(node, sizeof node, 0, &n, &err));
	assert_fails(sv_ntfs_next_entry(&n, &e, &err), SV_CORRUPT, 32);
	sv_store_le32(node + 4, 201);
	assert_fails(sv_ntfs_parse_node(node, sizeof node, 0, &n, &err), SV_CORRUPT, 0);
	assert_fails(sv_ntfs_parse_node(node, 8, 0, &n, &err), SV_CORRUPT, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_runs_and_joins_neighbours),
		cmocka_unit_test(refuses_runs_that_cannot_be),
		cmocka_unit_test(unpacks_literals_and_references),
		cmocka_unit_test(unpacks_stored_chunks_and_fills_with_zeros),
		cmocka_unit_test(refuses_packed_data_that_lead_outside),
		cmocka_unit_test(carries_names_there_and_back),
		cmocka_unit_test(tells_names_that_lose_something),
		cmocka_unit_test(refuses_names_that_are_too_long_or_no_utf8),
		cmocka_unit_test(walks_attribute_lists),
		cmocka_unit_test(walks_index_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
