/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subkeys in lists of every kind, lookup by path, and lists that lie. */
#include "build.h"

struct names {
	char text[512];
	unsigned calls, stop_after;
};

static int note_name(void *user, const char *name, sv_hive_key key)
{
	struct names *n = user;
	size_t used = strlen(n->text);

	(void)key;
	snprintf(n->text + used, sizeof n->text - used, "%s%s", used ? "," : "", name);
	return ++n->calls == n->stop_after ? 42 : 0;
}

/* The names under `key`, and closes the hive. */
static struct names names_under(struct build *b, uint32_t key)
{
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	struct names n = {.calls = 0};

	assert_ok(sv_hive_subkeys(h, key, note_name, &n, &err));
	sv_hive_close(h);
	return n;
}

/* Listing under the root must fail there, after it gave the names that can be read. */
static void damaged_list(struct build *b, uint64_t offset, const char *names)
{
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	struct names n = {.calls = 0};

	assert_fails(sv_hive_subkeys(h, b->root, note_name, &n, &err), SV_CORRUPT, offset);
	assert_string_equal(err.path, "HIVE");
	assert_string_equal(n.text, names);
	sv_hive_close(h);
	free(b);
}

static void lists_subkeys_of_every_kind_of_list(void **state)
{
	static const char *const kinds[] = {"lf", "lh", "li"};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		struct build *b = build_new();
		uint32_t keys[] = {put_key(b, b->root, "Alpha"), put_key(b, b->root, "Beta")};

		set_subkeys(b, b->root, put_list(b, kinds[i], keys, 2), 2);
		assert_string_equal(names_under(b, b->root).text, "Alpha,Beta");
		assert_string_equal(names_under(b, keys[0]).text, "");
		free(b);
	}
}

static void lists_subkeys_of_an_index(void **state)
{
	struct build *b = build_new();
	uint32_t keys[] = {
		put_key(b, b->root, "A"), put_key(b, b->root, "B"), put_key(b, b->root, "C")};
	uint32_t leaves[] = {put_list(b, "lh", keys, 2), put_list(b, "li", keys + 2, 1)};

	(void)state;
	set_subkeys(b, b->root, put_list(b, "ri", leaves, 2), 3);
	assert_string_equal(names_under(b, b->root).text, "A,B,C");
	free(b);
}

static void stops_when_the_callback_says_so(void **state)
{
	struct build *b = build_new();
	uint32_t keys[] = {put_key(b, b->root, "A"), put_key(b, b->root, "B")};
	struct names n = {.stop_after = 1};
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;

	(void)state;
	set_subkeys(b, b->root, put_list(b, "lf", keys, 2), 2);
	h = build_open(b);
	assert_int_equal(sv_hive_subkeys(h, b->root, note_name, &n, &err), 42);
	assert_string_equal(n.text, "A");
	sv_hive_close(h);
	free(b);
}

static struct build *hive_with_names(uint32_t *ret_deep)
{
	struct build *b = build_new();
	uint32_t keys[4], deep;

	keys[0] = put_key(b, b->root, "Select");
	keys[1] = put_key_named(b, b->root, "\xC4pfel", 5, false, 0);        /* Latin-1 */
	keys[2] = put_key_named(b, b->root, "\x14\x04\x30\x04", 4, true, 0); /* Да */
	keys[3] = put_key(b, b->root, "Content/Type");
	set_subkeys(b, b->root, put_list(b, "lh", keys, 4), 4);
	deep = put_key(b, keys[3], "application/pdf");
	set_subkeys(b, keys[3], put_list(b, "lf", &deep, 1), 1);
	*ret_deep = deep;
	return b;
}

static void finds_keys_without_regard_to_case(void **state)
{
	uint32_t deep;
	struct build *b = hive_with_names(&deep);
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key key = 0;

	(void)state;
	assert_string_equal(names_under(b, b->root).text, "Select,Äpfel,Да,Content/Type");
	assert_ok(sv_hive_find(h, b->root, "sELECT", &key, &err));
	assert_ok(sv_hive_find(h, b->root, "/ÄPFEL/", &key, &err));
	assert_ok(sv_hive_find(h, b->root, "äpfeL", &key, &err));
	assert_ok(sv_hive_find(h, b->root, "дА", &key, &err));
	assert_ok(sv_hive_find(h, b->root, "\\content/type\\APPLICATION/PDF", &key, &err));
	assert_int_equal(key, deep);
	assert_ok(sv_hive_find(h, b->root, "", &key, &err));
	assert_int_equal(key, b->root);
	sv_hive_close(h);
	free(b);
}

static void names_the_key_that_is_missing(void **state)
{
	uint32_t deep;
	struct build *b = hive_with_names(&deep);
	struct sv_hive *h = build_open(b);
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key key = 7;

	(void)state;
	assert_fails(sv_hive_find(h, b->root, "Content/Type\\nothing\\more", &key, &err),
		SV_NOTFOUND, UINT64_MAX);
	assert_string_equal(err.message, "there is no key 'nothing' in 'Content/Type\\'");
	assert_int_equal(key, 7);
	assert_fails(sv_hive_find(h, b->root, "Selec", &key, &err), SV_NOTFOUND, UINT64_MAX);
	assert_fails(sv_hive_find(h, b->root, "Selects", &key, &err), SV_NOTFOUND, UINT64_MAX);
	assert_fails(sv_hive_find(h, b->root, "\xFF", &key, &err), SV_NOTFOUND, UINT64_MAX);
	sv_hive_close(h);
	free(b);
}

static void shows_what_has_no_place_in_a_name_as_a_replacement(void **state)
{
	struct build *b = build_new();
	uint32_t keys[2];

	(void)state;
	keys[0] = put_key_named(b, b->root, "a\0b", 3, false, 0);
	keys[1] = put_key_named(b, b->root, "\x3D\xD8\0\xDE\0\xD8", 6, true, 0);
	set_subkeys(b, b->root, put_list(b, "lf", keys, 2), 2);
	assert_string_equal(names_under(b, b->root).text, "a\xEF\xBF\xBD"
							  "b,\xF0\x9F\x98\x80\xEF\xBF\xBD");
	free(b);
}

static void refuses_a_list_that_does_not_keep_the_count(void **state)
{
	struct build *b = build_new();
	uint32_t keys[] = {put_key(b, b->root, "A"), put_key(b, b->root, "B")};
	uint32_t list = put_list(b, "li", keys, 2);

	(void)state;
	set_subkeys(b, b->root, list, 1);
	damaged_list(b, where(list, 8), "A");
	b = build_new();
	keys[0] = put_key(b, b->root, "A");
	set_subkeys(b, b->root, put_list(b, "li", keys, 1), 2);
	damaged_list(b, where(b->root, 20), "A");
	b = build_new();
	keys[0] = put_key(b, b->root, "A");
	set_subkeys(b, b->root, put_list(b, "li", keys, 1), 820); /* more than fit in the bin */
	damaged_list(b, where(b->root, 20), "A");
}

static void passes_over_what_is_damaged(void **state)
{
	struct build *b = build_new();
	uint32_t keys[] = {put_key(b, b->root, "A"), put_key(b, b->root, "B"),
		put_key(b, b->root, "C"), put_key(b, b->root, "D")};
	uint32_t leaves[] = {
		put_list(b, "lh", keys, 2), keys[0], put_list(b, "li", keys + 2, 2)};
	struct sv_hive *h;
	struct sv_err err = SV_ERR_INIT;
	struct names n = {.calls = 0};
	sv_hive_key key = 0;

	(void)state;
	at(b, keys[1])[0] = 'N';
	set_subkeys(b, b->root, put_list(b, "ri", leaves, 3), 4);
	h = build_open(b);
	assert_fails(sv_hive_subkeys(h, b->root, note_name, &n, &err), SV_CORRUPT,
		where(keys[1], 0));
	assert_string_equal(n.text, "A,C,D");
	assert_ok(sv_hive_find(h, b->root, "d", &key, &err)); /* found in spite of it */
	assert_int_equal(key, keys[3]);
	/* what is not found may be in what cannot be read */
	assert_fails(sv_hive_find(h, b->root, "B", &key, &err), SV_CORRUPT, where(keys[1], 0));
	sv_hive_close(h);
	free(b);
}

static uint32_t hash_of(const char *upper)
{
	uint32_t hash = 0;

	while (*upper)
		hash = 37 * hash + (uint8_t)*upper++;
	return hash;
}

static void looks_at_hashes_first_and_at_names_when_they_lie(void **state)
{
	struct build *b = build_new();
	uint32_t keys[] = {put_key(b, b->root, "Alpha"), put_key(b, b->root, "Beta")};
	uint32_t list = put_list(b, "lh", keys, 2);
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key key = 0;
	struct sv_hive *h;

	(void)state;
	set_subkeys(b, b->root, list, 2);
	sv_store_le32(at(b, list) + 8, hash_of("ALPHA"));
	sv_store_le32(at(b, list) + 16, hash_of("BETA"));
	at(b, keys[0])[0] = 'N'; /* not looked at: its hash is another */
	h = build_open(b);
	assert_ok(sv_hive_find(h, b->root, "beta", &key, &err));
	assert_int_equal(key, keys[1]);
	sv_hive_close(h);
	at(b, keys[0])[0] = 'n';
	sv_store_le32(at(b, list) + 8, 4711);
	h = build_open(b);
	assert_ok(sv_hive_find(h, b->root, "alpha", &key, &err));
	assert_int_equal(key, keys[0]);
	sv_hive_close(h);
	free(b);
}

static void tells_what_a_node_knows(void **state)
{
	struct build *b = build_new();
	uint32_t key = put_key(b, b->root, "A");
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive_key_info info;
	struct sv_hive *h;
	char *text;

	(void)state;
	sv_store_le64(at(b, key) + 4, UINT64_C(129352121350000000));
	sv_store_le32(at(b, key) + offsetof(struct sv_regf_disk_key, class_name),
		put_cell(b, "c\0l\0a\0s\0s", 10));
	sv_store_le16(at(b, key) + offsetof(struct sv_regf_disk_key, class_size), 10);
	set_subkeys(b, b->root, put_list(b, "lf", &key, 1), 1);
	h = build_open(b);
	assert_ok(sv_hive_key_info(h, key, &info, &err));
	assert_int_equal(info.written.sec, 1290738535);
	assert_int_equal(info.n_subkeys, 0);
	text = sv_hive_key_class(h, key, &err);
	assert_string_equal(text, "class");
	free(text);
	text = sv_hive_key_class(h, b->root, &err);
	assert_string_equal(text, "");
	free(text);
	text = sv_hive_key_security(h, key, &err); /* none is stored */
	assert_string_equal(text, "");
	free(text);
	text = sv_hive_key_name(h, key, &err);
	assert_string_equal(text, "A");
	free(text);
	assert_null(sv_hive_key_name(h, 8, &err));
	assert_int_equal(err.code, SV_CORRUPT);
	assert_string_equal(err.path, "HIVE");
	sv_hive_close(h);
	free(b);
}

static void refuses_a_list_that_its_cell_cannot_hold(void **state)
{
	struct build *b = build_new();
	uint32_t key = put_key(b, b->root, "A"), list = put_list(b, "lf", &key, 1);

	(void)state;
	sv_store_le16(at(b, list) + 2, 3);
	set_subkeys(b, b->root, list, 3);
	damaged_list(b, where(list, 2), "");
	b = build_new();
	key = put_key(b, b->root, "A");
	list = put_list(b, "lx", &key, 1);
	set_subkeys(b, b->root, list, 1);
	damaged_list(b, where(list, 0), "");
}

static void refuses_an_index_of_indexes(void **state)
{
	struct build *b = build_new();
	uint32_t key = put_key(b, b->root, "A"), inner = put_list(b, "ri", &key, 1);
	uint32_t outer = put_list(b, "ri", &inner, 1);

	(void)state;
	set_subkeys(b, b->root, outer, 1);
	damaged_list(b, where(outer, 4), "");
}

static void refuses_a_key_listed_twice(void **state)
{
	struct build *b = build_new();
	uint32_t key = put_key(b, b->root, "A"), twice[] = {key, key};
	uint32_t list = put_list(b, "li", twice, 2);

	(void)state;
	set_subkeys(b, b->root, list, 2);
	damaged_list(b, 4096 + b->root, "A");
}

static void refuses_a_circle_of_keys(void **state)
{
	struct build *b = build_new();
	uint32_t key = put_key(b, b->root, "A");
	uint32_t list = put_list(b, "li", &b->root, 1);
	struct names n = {.calls = 0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h;

	(void)state;
	set_subkeys(b, b->root, put_list(b, "li", &key, 1), 1);
	set_subkeys(b, key, list, 1);
	sv_store_le32(at(b, b->root) + offsetof(struct sv_regf_disk_key, parent), key);
	h = build_open(b);
	assert_fails(sv_hive_subkeys(h, key, note_name, &n, &err), SV_CORRUPT, where(list, 4));
	sv_hive_close(h);
	free(b);
}

static void refuses_a_key_below_a_foreign_parent(void **state)
{
	struct build *b = build_new();
	uint32_t key = put_key(b, 4711 * 8, "A"), list = put_list(b, "lh", &key, 1);

	(void)state;
	set_subkeys(b, b->root, list, 1);
	damaged_list(b, where(list, 4), "");
}

/* The only subkey's cell is spoilt at a byte; the error is told at `off` of the cell. */
static void refused_key(uint64_t byte, uint8_t value, uint64_t off)
{
	struct build *b = build_new();
	uint32_t key = put_key(b, b->root, "Alphabet");

	set_subkeys(b, b->root, put_list(b, "lf", &key, 1), 1);
	b->bytes[SV_REGF_BINS_AT + key + byte] = value;
	damaged_list(b, SV_REGF_BINS_AT + key + off, "");
}

static void refuses_key_nodes_that_cannot_be(void **state)
{
	(void)state;
	refused_key(3, 0x00, 0);          /* a free cell */
	refused_key(0, 0xA1, 0);          /* a size that is no multiple of 8 */
	refused_key(0, 0xF8, 0);          /* 8 bytes */
	refused_key(4, 'N', 4);           /* signature */
	refused_key(4 + 72, 100, 4 + 76); /* a name longer than the cell */
}

static void refuses_an_odd_name_in_utf16(void **state)
{
	struct build *b = build_new();
	uint32_t key = put_key_named(b, b->root, "abc", 3, true, 0);

	(void)state;
	set_subkeys(b, b->root, put_list(b, "lf", &key, 1), 1);
	damaged_list(b, where(key, 76), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_subkeys_of_every_kind_of_list),
		cmocka_unit_test(lists_subkeys_of_an_index),
		cmocka_unit_test(stops_when_the_callback_says_so),
		cmocka_unit_test(finds_keys_without_regard_to_case),
		cmocka_unit_test(names_the_key_that_is_missing),
		cmocka_unit_test(shows_what_has_no_place_in_a_name_as_a_replacement),
		cmocka_unit_test(refuses_a_list_that_does_not_keep_the_count),
		cmocka_unit_test(passes_over_what_is_damaged),
		cmocka_unit_test(looks_at_hashes_first_and_at_names_when_they_lie),
		cmocka_unit_test(tells_what_a_node_knows),
		cmocka_unit_test(refuses_a_list_that_its_cell_cannot_hold),
		cmocka_unit_test(refuses_an_index_of_indexes),
		cmocka_unit_test(refuses_a_key_listed_twice),
		cmocka_unit_test(refuses_a_circle_of_keys),
		cmocka_unit_test(refuses_a_key_below_a_foreign_parent),
		cmocka_unit_test(refuses_key_nodes_that_cannot_be),
		cmocka_unit_test(refuses_an_odd_name_in_utf16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
