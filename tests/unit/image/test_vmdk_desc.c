/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text descriptor: what is read, what is refused and where, what is printed. */
#include "unit.h"

#include "base/num.h"
#include "image/vmdk/desc.h"

#define HEAD                                                                                   \
	"# Disk DescriptorFile\n"                                                              \
	"version=1\n"                                                                          \
	"CID=fffffffe\n"                                                                       \
	"parentCID=ffffffff\n"                                                                 \
	"createType=\"monolithicSparse\"\n"
#define EXTENT "RW 2048 SPARSE \"a.vmdk\"\n"

static const char whole[] = "# Disk DescriptorFile\r\n"
			    "version=1\r\n"
			    "encoding=\"windows-1252\"\r\n"
			    "CID=0a1b2c3d\r\n"
			    "parentCID=12345678\r\n"
			    "isNativeSnapshot=\"no\"\r\n"
			    "createType=\"twoGbMaxExtentSparse\"\r\n"
			    "parentFileNameHint=\"C:\\VMs\\a b.vmdk\"\r\n"
			    "\r\n"
			    "# Extent description\r\n"
			    "RW 4192256 SPARSE \"a-s001.vmdk\"\r\n"
			    "rdonly 63 flat \"a flat.vmdk\" 128\r\n"
			    "RW 100 ZERO\r\n"
			    "NOACCESS 7 VMFS \"x\"\r\n"
			    "\r\n"
			    "# The Disk Data Base\r\n"
			    "#DDB\r\n"
			    "\r\n"
			    "ddb.adapterType = \"ide\"\r\n"
			    "ddb.longContentID = \"00112233445566778899aabb0a1b2c3d\"\r\n";

static void reads_all_fields(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc d;

	(void)state;
	assert_ok(sv_vmdk_desc_parse(whole, sizeof whole - 1, &d, &err));
	assert_int_equal(d.version, 1);
	assert_string_equal(d.encoding, "windows-1252");
	assert_int_equal(d.cid, 0x0a1b2c3d);
	assert_int_equal(d.parent_cid, 0x12345678);
	assert_string_equal(d.create_type, "twoGbMaxExtentSparse");
	assert_string_equal(d.parent_hint, "C:\\VMs\\a b.vmdk");
	assert_int_equal(d.n_extents, 4);
	assert_int_equal(d.sectors, 4192256 + 63 + 100 + 7);
	assert_int_equal(d.extents[1].access, SV_VMDK_RDONLY);
	assert_int_equal(d.extents[1].type, SV_VMDK_FLAT);
	assert_int_equal(d.extents[1].offset, 128);
	assert_string_equal(d.extents[1].file, "a flat.vmdk");
	assert_int_equal(d.extents[2].type, SV_VMDK_ZERO);
	assert_string_equal(d.extents[2].file, "");
	assert_int_equal(d.extents[3].access, SV_VMDK_NOACCESS);
	assert_int_equal(d.n_pairs, 3);
	assert_string_equal(sv_vmdk_desc_get(&d, "isnativesnapshot"), "no");
	assert_string_equal(sv_vmdk_desc_get(&d, "ddb.adapterType"), "ide");
	assert_null(sv_vmdk_desc_get(&d, "ddb.uuid"));
	sv_vmdk_desc_free(&d);
}

static void reads_what_it_prints(void **state)
{
	sv_autostr struct sv_str first = {0}, second = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc d, copy, again;

	(void)state;
	assert_ok(sv_vmdk_desc_parse(whole, sizeof whole - 1, &d, &err));
	assert_ok(sv_vmdk_desc_copy(&d, &copy, &err));
	sv_vmdk_desc_free(&d);
	sv_vmdk_desc_print(&copy, &first);
	assert_ok(sv_vmdk_desc_parse(first.data, first.len, &again, &err));
	sv_vmdk_desc_print(&again, &second);
	assert_string_equal(first.data, second.data);
	assert_int_equal(again.sectors, copy.sectors);
	sv_vmdk_desc_free(&copy);
	sv_vmdk_desc_free(&again);
}

static void stops_at_the_first_nul(void **state)
{
	static const char text[] = HEAD EXTENT "\0this is not a line";
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc d;

	(void)state;
	assert_ok(sv_vmdk_desc_parse(text, sizeof text - 1, &d, &err));
	sv_vmdk_desc_free(&d);
}

static const struct {
	const char *text;
	enum sv_code code;
	uint64_t offset;
} bad[] = {
	{"", SV_CORRUPT, 0},
	{"version=1\n", SV_CORRUPT, 0},
	{HEAD, SV_CORRUPT, 0},
	{"# Disk DescriptorFile\nCID=1\n" EXTENT, SV_CORRUPT, 0},
	{"# Disk DescriptorFile\ncreateType=\"x\"\n" EXTENT, SV_CORRUPT, 0},
	{HEAD EXTENT "nonsense\n", SV_CORRUPT, sizeof(HEAD EXTENT) - 1},
	{HEAD EXTENT "=x\n", SV_CORRUPT, sizeof(HEAD EXTENT) - 1},
	{HEAD EXTENT "CID=1\n", SV_CORRUPT, sizeof(HEAD EXTENT) - 1},
	{HEAD EXTENT "a=\"b\"c\"\n", SV_CORRUPT, sizeof(HEAD EXTENT) - 1},
	{HEAD EXTENT "a=b\"\n", SV_CORRUPT, sizeof(HEAD EXTENT) - 1},
	{HEAD EXTENT "a=\x01\n", SV_CORRUPT, sizeof(HEAD EXTENT) - 1},
	{HEAD "RW 0 SPARSE \"a\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW -1 SPARSE \"a\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 0x10 SPARSE \"a\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1 SPARSE\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1 SPARSE \"\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1 SPARSE \"a\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1 SPARSE \"a\" 5\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1 FLAT \"a\" 0 more\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1 ZERO \"a\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1 OTHER \"a\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 1\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 9223372036854775808 SPARSE \"a\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD "RW 99999999999999999999999 SPARSE \"a\"\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{HEAD EXTENT "RW 9007199254740992 SPARSE \"a\"\n", SV_CORRUPT, sizeof(HEAD EXTENT) - 1},
	{HEAD "RW 1 FLAT \"a\" 9007199254740993\n", SV_CORRUPT, sizeof(HEAD) - 1},
	{"# Disk DescriptorFile\nversion=9\n", SV_UNSUPPORTED, 22},
	{"# Disk DescriptorFile\nversion=\n", SV_CORRUPT, 22},
	{"# Disk DescriptorFile\nCID=123456789\n", SV_CORRUPT, 22},
	{"# Disk DescriptorFile\nCID=xyz\n", SV_CORRUPT, 22},
	{"# Disk DescriptorFile\nCID=1\nparentCID=2\ncreateType=\"x\"\n" EXTENT, SV_CORRUPT, 0},
};

static void refuses_bad_lines_with_their_offset(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc d;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++)
		assert_fails(sv_vmdk_desc_parse(bad[i].text, strlen(bad[i].text), &d, &err),
			bad[i].code, bad[i].offset);
}

static void refuses_more_extents_than_its_cap(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_str s = {0};
	struct sv_vmdk_desc d;

	(void)state;
	sv_str_add(&s, HEAD);
	for (int i = 0; i < SV_VMDK_EXTENTS_MAX; i++)
		sv_str_add(&s, "RW 1 ZERO\n");
	assert_ok(sv_vmdk_desc_parse(s.data, s.len, &d, &err));
	sv_vmdk_desc_free(&d);
	sv_str_add(&s, "RW 1 ZERO\n");
	assert_fails(sv_vmdk_desc_parse(s.data, s.len, &d, &err), SV_CORRUPT, s.len - 10);
	sv_str_free(&s);
}

static void refuses_more_settings_than_its_cap(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_str s = {0};
	struct sv_vmdk_desc d;

	(void)state;
	sv_str_add(&s, HEAD EXTENT);
	for (int i = 0; i < 5000; i++)
		sv_str_addf(&s, "k%d=v\n", i);
	assert_fails(sv_vmdk_desc_parse(s.data, s.len, &d, &err), SV_CORRUPT, UINT64_MAX);
	sv_str_free(&s);
}

static void refuses_a_text_larger_than_its_cap(void **state)
{
	char *text = calloc(1, SV_VMDK_DESC_MAX + 1);
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc d;

	(void)state;
	assert_fails(sv_vmdk_desc_parse(text, SV_VMDK_DESC_MAX + 1, &d, &err), SV_CORRUPT,
		UINT64_MAX);
	free(text);
}

static void changes_settings(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc d;

	(void)state;
	assert_ok(sv_vmdk_desc_parse(whole, sizeof whole - 1, &d, &err));
	assert_ok(sv_vmdk_desc_set(&d, "ddb.adapterType", "lsilogic", &err));
	assert_ok(sv_vmdk_desc_set(&d, "ddb.new", "1", &err));
	assert_int_equal(d.n_pairs, 4);
	assert_string_equal(sv_vmdk_desc_get(&d, "ddb.adapterType"), "lsilogic");
	assert_fails(sv_vmdk_desc_set(&d, "ddb.new", "a\"b", &err), SV_USAGE, UINT64_MAX);
	assert_fails(sv_vmdk_desc_set(&d, "ddb.new", "a\nb", &err), SV_USAGE, UINT64_MAX);
	sv_vmdk_desc_unset(&d, "ddb.adapterType");
	sv_vmdk_desc_unset(&d, "ddb.adapterType");
	assert_int_equal(d.n_pairs, 3);
	assert_null(sv_vmdk_desc_get(&d, "ddb.adapterType"));
	assert_string_equal(sv_vmdk_desc_get(&d, "ddb.new"), "1");
	assert_fails(sv_vmdk_desc_add_extent(&d, SV_VMDK_FLAT, 1, "a\"b", 0, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	sv_vmdk_desc_free(&d);
}

static void finds_a_value_in_a_text(void **state)
{
	size_t at, n;

	(void)state;
	assert_true(sv_vmdk_desc_locate(whole, sizeof whole - 1, "CID", &at, &n));
	assert_int_equal(n, 8);
	assert_memory_equal(whole + at, "0a1b2c3d", 8);
	assert_true(sv_vmdk_desc_locate(whole, sizeof whole - 1, "parentCID", &at, &n));
	assert_memory_equal(whole + at, "12345678", 8);
	assert_true(sv_vmdk_desc_locate(whole, sizeof whole - 1, "ddb.longContentID", &at, &n));
	assert_int_equal(n, 32);
	assert_false(sv_vmdk_desc_locate(whole, sizeof whole - 1, "ddb.long", &at, &n));
	assert_false(sv_vmdk_desc_locate("CID", 3, "CID", &at, &n));
	assert_true(sv_vmdk_desc_locate("CID=", 4, "CID", &at, &n));
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_fields),
		cmocka_unit_test(reads_what_it_prints),
		cmocka_unit_test(stops_at_the_first_nul),
		cmocka_unit_test(refuses_bad_lines_with_their_offset),
		cmocka_unit_test(refuses_more_extents_than_its_cap),
		cmocka_unit_test(refuses_more_settings_than_its_cap),
		cmocka_unit_test(refuses_a_text_larger_than_its_cap),
		cmocka_unit_test(changes_settings),
		cmocka_unit_test(finds_a_value_in_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
