/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values: inline, in a cell, in segments; and those that lie. */
#include "build.h"

static const char utf16_text[] = "C\0:\0\\\0W\0\0\0x\0"; /* a tail behind its NUL */

static void *value_of(
	struct sv_hive *h, sv_hive_key key, const char *name, uint32_t type, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	uint32_t found_type = 99;
	size_t found_n = 99;
	void *data = sv_hive_value(h, key, name, &found_type, &found_n, &err);

	if (!data)
		fail_msg("%s", err.message);
	assert_int_equal(found_type, type);
	assert_int_equal(found_n, n);
	return data;
}

static void refused_value(struct build *b, uint64_t offset)
{
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	uint32_t type;
	size_t n;

	assert_fails(
		sv_hive_value(h, b->root, "V", &type, &n, &err) ? 0 : -1, SV_CORRUPT, offset);
	assert_string_equal(err.path, "HIVE");
	sv_hive_close(h);
	free(b);
}

static void reads_values_by_name(void **state)
{
	struct build *b = build_new();
	uint32_t values[] = {put_value(b, "", SV_REG_SZ, "x\0\0", 4),
		put_value(b, "Root", SV_REG_EXPAND_SZ, utf16_text, 12),
		put_value(b, "Count", SV_REG_DWORD, "\x78\x56\x34\x12", 4),
		put_value(b, "Nothing", SV_REG_BINARY, "", 0),
		put_value(b, "Byte", SV_REG_BINARY, "\x80", 1),
		put_value(b, "Big", SV_REG_QWORD, "12345678", 8)};
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;
	uint32_t number = 0;
	char *text;

	(void)state;
	set_values(b, b->root, values, SV_ARRAY_LEN(values));
	h = build_open(b);
	text = sv_hive_string(h, b->root, "", &err);
	assert_string_equal(text, "x");
	free(text);
	text = sv_hive_string(h, b->root, "ROOT", &err);
	assert_string_equal(text, "C:\\W");
	free(text);
	assert_ok(sv_hive_dword(h, b->root, "count", &number, &err));
	assert_int_equal(number, 0x12345678);
	free(value_of(h, b->root, "Nothing", SV_REG_BINARY, 0));
	text = value_of(h, b->root, "Byte", SV_REG_BINARY, 1);
	assert_int_equal((uint8_t)text[0], 0x80);
	free(text);
	text = value_of(h, b->root, "Big", SV_REG_QWORD, 8);
	assert_memory_equal(text, "12345678", 8);
	free(text);
	sv_hive_close(h);
	free(b);
}

static int note_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	char *out = user;
	size_t used = strlen(out);

	snprintf(out + used, 100 - used, "%s:%u:%zu:%02x ", name, type, n,
		n ? *(const uint8_t *)data : 0);
	return strcmp(name, "Stop") == 0 ? 7 : 0;
}

static void lists_values_until_the_callback_stops(void **state)
{
	struct build *b = build_new();
	uint32_t values[] = {put_value(b, "", SV_REG_DWORD, "\x11\0\0", 4),
		put_value(b, "\xC4", SV_REG_BINARY,
			"\x22"
			"234567",
			7),
		put_value(b, "Stop", SV_REG_NONE, "", 0),
		put_value(b, "D", SV_REG_NONE, "", 0)};
	struct sv_err err = SV_ERR_INIT;
	char out[100] = "";
	struct sv_hive *h;

	(void)state;
	set_values(b, b->root, values, SV_ARRAY_LEN(values));
	h = build_open(b);
	assert_int_equal(sv_hive_values(h, b->root, note_value, out, &err), 7);
	assert_string_equal(out, ":4:4:11 Ä:3:7:22 Stop:0:0:00 ");
	sv_hive_close(h);
	free(b);
}

static void says_which_value_is_missing_or_of_another_type(void **state)
{
	struct build *b = build_new();
	uint32_t value = put_value(b, "V", SV_REG_DWORD, "\1\0\0", 4);
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;
	uint32_t number;
	size_t n;

	(void)state;
	set_values(b, b->root, &value, 1);
	h = build_open(b);
	assert_null(sv_hive_value(h, b->root, "W", &number, &n, &err));
	assert_int_equal(err.code, SV_NOTFOUND);
	assert_string_equal(err.message, "there is no value 'W'");
	assert_null(sv_hive_string(h, b->root, "V", &err));
	assert_int_equal(err.code, SV_CORRUPT);
	sv_hive_close(h);
	free(b);
	b = build_new();
	value = put_value(b, "V", SV_REG_DWORD, "12345678", 8);
	set_values(b, b->root, &value, 1);
	h = build_open(b);
	assert_fails(sv_hive_dword(h, b->root, "V", &number, &err), SV_CORRUPT, UINT64_MAX);
	sv_hive_close(h);
	free(b);
}

enum { BIG = 2 * SV_REGF_SEGMENT + 5 };

/* Big data in three segments; gives the cells of the record and of the list. */
static struct build *hive_with_big_data(uint32_t *ret_db, uint32_t *ret_list)
{
	struct build *b = build_new();
	uint8_t db[8] = {'d', 'b', 3}, list[12];
	uint32_t value;

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t n = i < 2 ? SV_REGF_SEGMENT + 4 : 8; /* Windows pads segments so */
		uint32_t cell = put_cell(b, NULL, n);

		memset(at(b, cell), (int)('A' + i), n);
		sv_store_le32(list + 4 * i, cell);
	}
	*ret_list = put_cell(b, list, sizeof list);
	sv_store_le32(db + 4, *ret_list);
	*ret_db = put_cell(b, db, sizeof db);
	value = put_vk(b, "V", SV_REG_BINARY, BIG, *ret_db);
	set_values(b, b->root, &value, 1);
	return b;
}

static void puts_big_data_together(void **state)
{
	uint32_t db, list;
	struct build *b = hive_with_big_data(&db, &list);
	struct sv_hive *h = build_open(b);
	char *data = value_of(h, b->root, "V", SV_REG_BINARY, BIG);

	(void)state;
	assert_int_equal(data[SV_REGF_SEGMENT - 1], 'A');
	assert_int_equal(data[SV_REGF_SEGMENT], 'B');
	assert_int_equal(data[2 * SV_REGF_SEGMENT - 1], 'B');
	assert_int_equal(data[2 * SV_REGF_SEGMENT], 'C');
	assert_int_equal(data[BIG - 1], 'C');
	free(data);
	sv_hive_close(h);
	free(b);
}

static void refuses_big_data_that_cannot_be(void **state)
{
	uint32_t db, list, cell;
	struct build *b = hive_with_big_data(&db, &list);

	(void)state;
	at(b, db)[2] = 2; /* segments */
	refused_value(b, where(db, 2));
	b = hive_with_big_data(&db, &list);
	sv_store_le32(at(b, list) + 8, 0x7FFFFFF8);
	refused_value(b, 4096 + UINT64_C(0x7FFFFFF8));
	b = hive_with_big_data(&db, &list);
	cell = sv_load_le32(at(b, list) + 8);
	sv_store_le32(at(b, list), cell); /* a segment that is too small */
	refused_value(b, 4096 + cell);
	b = hive_with_big_data(&db, &list);
	sv_store_le32(b->bytes + 24, 3); /* version 1.3 knows no big data */
	seal(b);
	refused_value(b, where(db, 0));
}

static void refuses_values_that_cannot_be(void **state)
{
	struct build *b = build_new();
	uint32_t value = put_vk(b, "V", SV_REG_BINARY, 5 | SV_REGF_INLINE, 0), cell;

	(void)state;
	set_values(b, b->root, &value, 1);
	refused_value(b, where(value, 4)); /* five bytes in four */
	b = build_new();
	cell = put_cell(b, "1234567", 8);
	value = put_vk(b, "V", SV_REG_BINARY, 13, cell);
	set_values(b, b->root, &value, 1);
	refused_value(b, where(cell, 0)); /* 13 bytes in 12 */
	b = build_new();
	value = put_vk(b, "V", SV_REG_BINARY, 8, NOWHERE);
	set_values(b, b->root, &value, 1);
	refused_value(b, 4096 + (uint64_t)NOWHERE);
	b = build_new();
	value = put_vk(b, "V", SV_REG_BINARY, 0x7FFFFFFF, 0);
	set_values(b, b->root, &value, 1);
	refused_value(b, UINT64_MAX); /* more than the hive has */
	b = build_new();
	value = put_value(b, "V", SV_REG_DWORD, "1234", 4);
	at(b, value)[0] = 'V';
	set_values(b, b->root, &value, 1);
	refused_value(b, where(value, 0));
	b = build_new();
	value = put_value(b, "V", SV_REG_DWORD, "1234", 4);
	at(b, value)[2] = 200;
	set_values(b, b->root, &value, 1);
	refused_value(b, where(value, 20));
}

static void refuses_a_list_of_values_that_its_cell_cannot_hold(void **state)
{
	struct build *b = build_new();
	uint32_t value = put_value(b, "V", SV_REG_DWORD, "1234", 4), list;

	(void)state;
	list = b->used;
	set_values(b, b->root, &value, 1);
	sv_store_le32(at(b, b->root) + offsetof(struct sv_regf_disk_key, n_values), 2);
	refused_value(b, 4096 + list);
}

/* Each entry leads to the same large value: reading all would take hours in a large hive. */
static void refuses_values_that_add_up_to_more_than_the_hive(void **state)
{
	struct build *b = build_new();
	uint32_t value = put_vk(b, "V", SV_REG_BINARY, 30000, put_cell(b, NULL, 30000));
	uint32_t values[] = {value, value, value};
	struct sv_err err = SV_ERR_INIT;
	char out[100] = "";
	struct sv_hive *h;

	(void)state;
	set_values(b, b->root, values, 3);
	h = build_open(b);
	assert_fails(sv_hive_values(h, b->root, note_value, out, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "more bytes than the hive"));
	sv_hive_close(h);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_values_by_name),
		cmocka_unit_test(lists_values_until_the_callback_stops),
		cmocka_unit_test(says_which_value_is_missing_or_of_another_type),
		cmocka_unit_test(puts_big_data_together),
		cmocka_unit_test(refuses_big_data_that_cannot_be),
		cmocka_unit_test(refuses_values_that_cannot_be),
		cmocka_unit_test(refuses_a_list_of_values_that_its_cell_cannot_hold),
		cmocka_unit_test(refuses_values_that_add_up_to_more_than_the_hive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
