/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "fs/ntfs/edit.h"
#include "fs/ntfs/raw_disk.h"
#include "fs/ntfs/raw_record.h"

#define SIZE 1024

/* A record with a resident attribute of 3 bytes, a mapped one named "$Bad", and the end. */
struct sample {
	uint8_t bytes[SIZE];
	size_t resident, mapped, end;
};

static size_t add(struct sample *s, const void *bytes, size_t n)
{
	size_t at = s->end;

	memcpy(s->bytes + at, bytes, n);
	s->end += n;
	return at;
}

static struct sample make_sample(void)
{
	struct sample s = {.end = 56};
	struct ntfs_record head = {
		.head = {.magic = "FILE",
			.usa_offset = sv_put_le16(48),
			.usa_count = sv_put_le16(3)},
		.attrs_offset = sv_put_le16(56),
		.flags = sv_put_le16(NTFS_RECORD_IN_USE),
		.allocated = sv_put_le32(SIZE),
	};
	struct ntfs_attr_resident r = {
		.head = {.type = sv_put_le32(0x60), .length = sv_put_le32(32)},
		.value_length = sv_put_le32(3),
		.value_offset = sv_put_le16(24),
	};
	struct ntfs_attr_mapped m = {
		.head = {.type = sv_put_le32(NTFS_ATTR_DATA),
			.length = sv_put_le32(80),
			.non_resident = 1,
			.name_length = 4,
			.name_offset = sv_put_le16(64),
			.instance = sv_put_le16(5)},
		.highest_vcn = sv_put_le64(0x37),
		.mapping_offset = sv_put_le16(72),
		.allocated = sv_put_le64(0x38000),
		.size = sv_put_le64(0x38000),
		.initialized = sv_put_le64(0),
	};
	static const uint8_t runs[8] = {0x21, 0x38, 0x34, 0x56, 0};

	s.resident = add(&s, &r, sizeof r);
	add(&s, "abc\0\0\0\0", 8);
	s.mapped = add(&s, &m, sizeof m);
	add(&s, "$\0B\0a\0d", 8);
	add(&s, runs, sizeof runs);
	add(&s, "\xFF\xFF\xFF\xFF\0\0\0", 8);
	head.used = sv_put_le32((uint32_t)s.end);
	memcpy(s.bytes, &head, sizeof head);
	return s;
}

static void walks_the_attributes(void **state)
{
	struct sample s = make_sample();
	struct sv_ntfs_raw_attr a = {0};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_ntfs_raw_check_record(s.bytes, SIZE, &err));
	assert_int_equal(sv_ntfs_raw_next_attr(s.bytes, SIZE, &a, &err), 1);
	assert_true(sv_ntfs_raw_attr_is(&a, 0x60, ""));
	assert_int_equal(a.value_length, 3);
	assert_memory_equal(s.bytes + a.value_offset, "abc", 3);
	assert_int_equal(sv_ntfs_raw_next_attr(s.bytes, SIZE, &a, &err), 1);
	assert_true(sv_ntfs_raw_attr_is(&a, NTFS_ATTR_DATA, "$Bad"));
	assert_false(sv_ntfs_raw_attr_is(&a, NTFS_ATTR_DATA, ""));
	assert_false(sv_ntfs_raw_attr_is(&a, NTFS_ATTR_DATA, "$Bac"));
	assert_true(a.mapped);
	assert_int_equal(a.end_vcn, 0x38);
	assert_int_equal(a.size, 0x38000);
	assert_int_equal(a.instance, 5);
	assert_int_equal(s.bytes[a.runs_offset], 0x21);
	assert_int_equal(sv_ntfs_raw_next_attr(s.bytes, SIZE, &a, &err), 0);
	assert_int_equal(
		sv_ntfs_raw_find_attr(s.bytes, SIZE, NTFS_ATTR_DATA, "$Bad", &a, &err), 1);
	assert_int_equal(sv_ntfs_raw_find_attr(s.bytes, SIZE, NTFS_ATTR_DATA, "", &a, &err), 0);
}

static void protects_and_sees_torn_writes(void **state)
{
	struct sample s = make_sample();
	uint8_t before[SIZE];
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	memcpy(s.bytes + 510, "xy", 2);
	memcpy(s.bytes + 1022, "zw", 2);
	sv_ntfs_raw_protect(s.bytes, SIZE);
	assert_memory_equal(s.bytes + 510, s.bytes + 48, 2);
	assert_memory_equal(s.bytes + 1022, s.bytes + 48, 2);
	memcpy(before, s.bytes, SIZE);
	assert_ok(sv_ntfs_raw_unprotect(s.bytes, SIZE, "FILE", &err));
	assert_memory_equal(s.bytes + 510, "xy", 2);
	assert_memory_equal(s.bytes + 1022, "zw", 2);

	memcpy(s.bytes, before, SIZE);
	s.bytes[1022] ^= 1;
	assert_fails(sv_ntfs_raw_unprotect(s.bytes, SIZE, "FILE", &err), SV_CORRUPT, 1022);
	memcpy(s.bytes, before, SIZE);
	assert_fails(sv_ntfs_raw_unprotect(s.bytes, SIZE, "INDX", &err), SV_CORRUPT, 0);
	s.bytes[6] = 4;
	assert_fails(sv_ntfs_raw_unprotect(s.bytes, SIZE, "FILE", &err), SV_CORRUPT, 4);
	memcpy(s.bytes, before, SIZE);
	sv_store_le16(s.bytes + 4, 506); /* would protect itself */
	assert_fails(sv_ntfs_raw_unprotect(s.bytes, SIZE, "FILE", &err), SV_CORRUPT, 4);
}

static void never_protects_with_zero_or_all_ones(void **state)
{
	struct sample s = make_sample();
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (unsigned i = 0; i < 70000; i++) {
		sv_ntfs_raw_protect(s.bytes, SIZE);
		assert_int_not_equal(sv_load_le16(s.bytes + 48), 0);
		assert_int_not_equal(sv_load_le16(s.bytes + 48), 0xFFFF);
		assert_ok(sv_ntfs_raw_unprotect(s.bytes, SIZE, "FILE", &err));
	}
}

/* Each field with a value that must be refused, and where. */
static void refuses_fields_that_lead_outside(void **state)
{
	struct sample s = make_sample();
	const struct {
		size_t at;
		unsigned bytes;
		uint64_t value;
		size_t offset;
	} cases[] = {
		{0x1C, 4, 2048, 0x1C},
		{0x18, 4, 1032, 0x18},
		{0x18, 4, 1020, 0x18},
		{0x14, 2, 57, 0x14},
		{0x14, 2, 32, 0x14},
		{0x14, 2, 1024, 1024},
		{s.resident + 4, 4, 0, s.resident + 4},
		{s.resident + 4, 4, 33, s.resident + 4},
		{s.resident + 4, 4, 16, s.resident + 4},
		{s.resident + 4, 4, 0xFFFFFFF8, s.resident + 4},
		{s.resident + 16, 4, 9, s.resident + 16},
		{s.resident + 16, 4, UINT32_MAX, s.resident + 16},
		{s.resident + 20, 2, 8, s.resident + 16},
		{s.resident + 8, 1, 2, s.resident + 8},
		{s.mapped + 4, 4, 56, s.mapped + 10},
		{s.mapped + 10, 2, 73, s.mapped + 10},
		{s.mapped + 9, 1, 255, s.mapped + 10},
		{s.mapped + 32, 2, 81, s.mapped + 32},
		{s.mapped + 32, 2, 40, s.mapped + 32},
		{s.mapped + 24, 8, UINT64_MAX - 1, s.mapped + 24},
		{s.mapped + 16, 8, UINT64_MAX, s.mapped + 24},
		{s.mapped + 56, 8, 0x38001, s.mapped + 56},
		{s.mapped + 48, 8, UINT64_MAX, s.mapped + 56},
		{s.end - 8, 4, 0x90, s.end - 8},
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct sample t = s;
		struct sv_err err = SV_ERR_INIT;
		sv_le64 value = sv_put_le64(cases[i].value);

		memcpy(t.bytes + cases[i].at, value.b, cases[i].bytes);
		assert_fails(sv_ntfs_raw_check_record(t.bytes, SIZE, &err), SV_CORRUPT,
			cases[i].offset);
	}
}

static void find(
	struct sample *s, uint32_t type, const char *name, struct sv_ntfs_raw_attr *ret)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_ntfs_raw_check_record(s->bytes, SIZE, &err));
	assert_int_equal(sv_ntfs_raw_find_attr(s->bytes, SIZE, type, name, ret, &err), 1);
}

static void replaces_runs_in_place(void **state)
{
	struct sample s = make_sample();
	struct sv_ntfs_raw_run runs[100];
	struct sv_ntfs_raw_attr a;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		runs[i] = (struct sv_ntfs_raw_run){i, 1000 + 1000 * (i % 2), 1};
	find(&s, NTFS_ATTR_DATA, "$Bad", &a);
	assert_true(sv_ntfs_set_runs(s.bytes, SIZE, &a, runs, 100));
	sv_ntfs_set_sizes(s.bytes, &a, 111, 222, 33);
	find(&s, NTFS_ATTR_DATA, "$Bad", &a);
	assert_int_equal(a.end_vcn, 100);
	assert_int_equal(a.allocated, 111);
	assert_int_equal(a.size, 222);
	assert_int_equal(a.initialized, 33);
	assert_int_equal(a.length, (72 + sv_ntfs_raw_runs_packed_size(runs, 100) + 7) / 8 * 8);
	/* shorter again: nothing of the longer list stays */
	assert_true(sv_ntfs_set_runs(s.bytes, SIZE, &a, runs, 1));
	find(&s, NTFS_ATTR_DATA, "$Bad", &a);
	assert_int_equal(a.length, 80);
	find(&s, 0x60, "", &a);
}

static void leaves_a_full_record_as_it_is(void **state)
{
	struct sample s = make_sample(), before = s;
	struct sv_ntfs_raw_run runs[400];
	struct sv_ntfs_raw_attr a;

	(void)state;
	for (uint64_t i = 0; i < 400; i++)
		runs[i] = (struct sv_ntfs_raw_run){i, 1000 + 1000 * (i % 2), 1};
	find(&s, NTFS_ATTR_DATA, "$Bad", &a);
	assert_false(sv_ntfs_set_runs(s.bytes, SIZE, &a, runs, 400));
	assert_memory_equal(s.bytes, before.bytes, SIZE);
}

static void makes_a_resident_attribute_mapped(void **state)
{
	struct sample s = make_sample();
	struct sv_ntfs_raw_run run = {0, 77, 12};
	struct sv_ntfs_raw_attr a;

	(void)state;
	find(&s, 0x60, "", &a);
	assert_true(sv_ntfs_make_mapped(s.bytes, SIZE, &a, &run, 1));
	sv_ntfs_set_sizes(s.bytes, &a, 12 * 4096, 40000, 40000);
	find(&s, 0x60, "", &a);
	assert_true(a.mapped);
	assert_int_equal(a.end_vcn, 12);
	assert_int_equal(a.size, 40000);
	find(&s, NTFS_ATTR_DATA, "$Bad", &a);
	assert_int_equal(a.end_vcn, 0x38);
}

static void removes_an_attribute(void **state)
{
	struct sample s = make_sample();
	struct sv_ntfs_raw_attr a;

	(void)state;
	find(&s, 0x60, "", &a);
	assert_true(sv_ntfs_raw_resize_attr(s.bytes, SIZE, &a, 0));
	find(&s, NTFS_ATTR_DATA, "$Bad", &a);
	assert_int_equal(a.offset, 56);
	assert_int_equal(sv_load_le32(s.bytes + 0x18), s.end - 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_the_attributes),
		cmocka_unit_test(protects_and_sees_torn_writes),
		cmocka_unit_test(never_protects_with_zero_or_all_ones),
		cmocka_unit_test(refuses_fields_that_lead_outside),
		cmocka_unit_test(replaces_runs_in_place),
		cmocka_unit_test(leaves_a_full_record_as_it_is),
		cmocka_unit_test(makes_a_resident_attribute_mapped),
		cmocka_unit_test(removes_an_attribute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
