/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LVM2's text, good and bad, and a physical volume of the corpus. */
#include "corpus.h"

#include "volume/group.h"
#include "volume/lvm2/text.h"

static void reads_sections_lists_and_comments(void **state)
{
	static const char text[] = "# made by hand\nvg {\nid = \"a\\\"b\"\nn = 42\n"
				   "status = [\"READ\", \"WRITE\"]\nempty = []\n}\n";
	struct sv_err err = SV_ERR_INIT;
	struct sv_lvm2_tree *t;
	const struct sv_lvm2_node *vg;

	(void)state;
	assert_ok(sv_lvm2_parse_text(text, sizeof text - 1, &t, &err));
	vg = sv_lvm2_find(sv_lvm2_root(t), "vg", SV_LVM2_SECTION);
	assert_non_null(vg);
	assert_string_equal(sv_lvm2_string(vg, "id", ""), "a\"b");
	assert_int_equal(sv_lvm2_number(vg, "n", 0), 42);
	assert_true(sv_lvm2_has_word(vg, "status", "WRITE"));
	assert_false(sv_lvm2_has_word(vg, "status", "VISIBLE"));
	assert_null(sv_lvm2_find(vg, "n", SV_LVM2_SECTION));
	sv_lvm2_tree_free(t);
}

static void refuses_text_that_breaks_off(void **state)
{
	static const char *const bad[] = {"a", "a =", "a = \"x", "a = [1", "a = [1,, 2]", "a {",
		"}", "a = 1 }", "= 1", "a = {", "a = 99999999999999999999999"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_lvm2_tree *t;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (sv_lvm2_parse_text(bad[i], strlen(bad[i]), &t, &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_string_equal(sv_code_name(err.code), "corrupt");
		assert_true(err.has_offset && err.offset <= strlen(bad[i]));
	}
}

static void reads_the_volumes_of_the_corpus(void **state)
{
	static const char file[] = "dfvfs/lvm.raw";
	const struct corpus *c = *state;
	struct sv_group_volumes made = {0};
	struct sv_err err = SV_ERR_INIT;
	size_t n;
	void *bytes;

	if (!c->dir)
		skip();
	bytes = corpus_file(c, file, &n);
	struct sv_dev *dev = sv_mem_open(bytes, n, false, file, &err);
	struct sv_member member = {dev, "disk0", false};

	assert_ok(sv_group_assemble(&member, 1, &made, NULL, &err));
	assert_int_equal(made.n, 2);
	for (size_t i = 0; i < made.n; i++) {
		sv_autofree char *key = sv_format("lvm.lv.%zu", i + 1);
		sv_autofree char *sum_key = sv_format("lvm.lv.%zu.sha256", i + 1);
		sv_autofree char *expected = corpus_fact(c, file, key);
		sv_autofree char *sum = corpus_fact(c, file, sum_key), *found = NULL;
		char hex[SV_SHA256_TEXT];
		uint8_t raw[SV_SHA256_SIZE];

		assert_memory_equal(made.v[i].name, "test_volume_group/", 18);
		found = sv_format("name=%s uuid=%s size=%llu", made.v[i].name + 18,
			made.v[i].uuid, (unsigned long long)made.v[i].size);
		assert_string_equal(found, expected);
		assert_ok(sv_dev_hash(made.v[i].dev, 0, made.v[i].size, raw, NULL, &err));
		sv_hex(raw, sizeof raw, hex);
		assert_string_equal(hex, sum);
	}
	sv_group_volumes_free(&made);
	sv_dev_close(dev);
	free(bytes);
}

int main(void)
{
	struct corpus c = {0};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sections_lists_and_comments),
		cmocka_unit_test(refuses_text_that_breaks_off),
		cmocka_unit_test_prestate(reads_the_volumes_of_the_corpus, &c),
	};
	int failed;

	if (!corpus_begin(&c))
		c.dir = NULL;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (c.dir)
		corpus_end(&c);
	return failed;
}
