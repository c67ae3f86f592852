/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of partition types. */
#include "unit.h"

#include "volume/parts.h"

static void prints_a_guid_in_mixed_endian(void **state)
{
	static const uint8_t efi[16] = {0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11, 0xBA,
		0x4B, 0x00, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B};
	struct sv_table t = {.kind = SV_TABLE_GPT};
	struct sv_partition p = {.number = 1};
	char text[SV_GUID_TEXT];

	(void)state;
	sv_guid_text(efi, text);
	assert_string_equal(text, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
	memcpy(p.type_guid, efi, sizeof efi);
	assert_string_equal(sv_partition_type_name(&t, &p), "EFI system");
	p.type_guid[15] ^= 1;
	assert_string_equal(sv_partition_type_name(&t, &p), "unknown type");
}

static void names_every_mbr_type(void **state)
{
	struct sv_table t = {.kind = SV_TABLE_MBR};

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		struct sv_partition p = {.mbr_type = (uint8_t)type};

		assert_non_null(sv_partition_type_name(&t, &p));
		assert_int_equal(sv_partition_is_recovery(&t, &p), type == 0x27);
		assert_int_equal(sv_partition_is_dynamic(&t, &p), type == 0x42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_a_guid_in_mixed_endian),
		cmocka_unit_test(names_every_mbr_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
