/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/str.h"
#include "samples.h"
#include "vm/vmsd.h"

static struct sv_vmsd parse(const char *text)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmsd vmsd;

	assert_ok(sv_vmsd_parse(text, strlen(text), &vmsd, &err));
	return vmsd;
}

static void lists_snapshots_whose_numbers_have_gaps(void **state)
{
	struct sv_vmsd v = parse(FUSION_VMSD);

	(void)state;
	assert_string_equal(v.current, "3");
	assert_int_equal(v.n_snapshots, 2);
	assert_int_equal(v.snapshots[0].number, 0);
	assert_string_equal(v.snapshots[0].uid, "1");
	assert_string_equal(v.snapshots[0].parent, "");
	assert_false(v.snapshots[0].memory);
	assert_int_equal(v.snapshots[1].number, 2);
	assert_string_equal(v.snapshots[1].parent, "1");
	assert_string_equal(v.snapshots[1].name, "with \"Office\"");
	assert_true(v.snapshots[1].memory);
	assert_int_equal(v.n_clones, 0);
	sv_vmsd_clear(&v);
}

static void finds_the_linked_clones_that_depend_on_it(void **state)
{
	struct sv_vmsd v = parse(".encoding = \"windows-1251\"\r\n"
				 "snapshot0.uid = \"1\"\r\n"
				 "snapshot0.clone0 = \"/vm/a/a.vmx\"\r\n"
				 "snapshot0.clone1 = \"D:\\\xe1\\b.vmx\"\r\n"
				 "snapshot0.cloneCount = \"7\"\r\n"
				 "snapshot0.clone2 = \"\"\r\n"
				 "snapshot0.numClones = \"2\"\r\n"
				 "snapshot.current = \"0\"\r\n"
				 "snapshot.clone0 = \"/no/number\"\r\n"
				 "snapshot00.uid = \"1\"\r\n"
				 "snapshot9999999999.uid = \"1\"\r\n");

	(void)state;
	assert_int_equal(v.n_snapshots, 1);
	assert_int_equal(v.n_clones, 2);
	assert_string_equal(v.clones[0], "/vm/a/a.vmx");
	assert_string_equal(v.clones[1], "D:\\\xd0\xb1\\b.vmx");
	assert_string_equal(v.current, "");
	sv_vmsd_clear(&v);
}

static void finds_nothing_in_a_machine_without_snapshots(void **state)
{
	struct sv_vmsd v = parse("");

	(void)state;
	assert_int_equal(v.n_snapshots, 0);
	assert_string_equal(v.current, "");
	sv_vmsd_clear(&v);
	v = parse(
		".encoding = \"UTF-8\"\nsnapshot.lastUID = \"4\"\nsnapshot.numSnapshots = \"0\"\n");
	assert_int_equal(v.n_snapshots, 0);
	sv_vmsd_clear(&v);
}

static void refuses_more_than_its_caps(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		struct sv_err err = SV_ERR_INIT;
		struct sv_str text = {0};
		struct sv_vmsd v;

		for (int i = 0; i <= 4096; i++)
			sv_str_addf(&text,
				k ? "snapshot0.clone%d = \"c\"\n" : "snapshot%d.uid = \"1\"\n",
				i);
		assert_fails(
			sv_vmsd_parse(text.data, text.len, &v, &err), SV_CORRUPT, UINT64_MAX);
		sv_vmsd_clear(&v);
		sv_str_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_snapshots_whose_numbers_have_gaps),
		cmocka_unit_test(finds_the_linked_clones_that_depend_on_it),
		cmocka_unit_test(finds_nothing_in_a_machine_without_snapshots),
		cmocka_unit_test(refuses_more_than_its_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
