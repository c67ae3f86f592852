/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "fs/ntfs/raw_boot.h"
#include "fs/ntfs/raw_disk.h"

/* 100 MiB in clusters of 4 KiB, as mkntfs makes it */
static struct ntfs_boot sound(void)
{
	struct ntfs_boot b = {
		.bytes_per_sector = sv_put_le16(512),
		.sectors_per_cluster = 8,
		.hidden_sectors = sv_put_le32(2048),
		.sectors = sv_put_le64(204799),
		.mft_lcn = sv_put_le64(4),
		.mftmirr_lcn = sv_put_le64(12799),
		.clusters_per_record = 0xF6,
		.serial = sv_put_le64(UINT64_C(0x1122334455667788)),
	};

	memcpy(b.oem, NTFS_OEM, sizeof b.oem);
	return b;
}

static void reads_the_geometry(void **state)
{
	struct ntfs_boot b = sound();
	struct sv_ntfs_raw_geometry g;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_ntfs_raw_parse_boot(&b, sizeof b, &g, &err));
	assert_int_equal(g.sector_size, 512);
	assert_int_equal(g.cluster_size, 4096);
	assert_int_equal(g.record_size, 1024);
	assert_int_equal(g.sectors, 204799);
	assert_int_equal(g.clusters, 25599);
	assert_int_equal(g.mft_lcn, 4);
	assert_int_equal(g.mftmirr_lcn, 12799);
	assert_int_equal(g.hidden_sectors, 2048);
}

static void reads_large_clusters_and_records(void **state)
{
	static const struct {
		uint16_t sector;
		uint8_t spc, cpr;
		uint32_t cluster, record;
	} cases[] = {
		{512, 1, 2, 512, 1024},
		{512, 128, 0xF6, 65536, 1024},
		{512, 0xF8, 0xF6, 131072, 1024},
		{512, 0xF4, 0xF6, 2 << 20, 1024},
		{4096, 1, 1, 4096, 4096},
		{4096, 0xF7, 0xF4, 2 << 20, 4096},
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct ntfs_boot b = sound();
		struct sv_ntfs_raw_geometry g;
		struct sv_err err = SV_ERR_INIT;

		b.bytes_per_sector = sv_put_le16(cases[i].sector);
		b.sectors_per_cluster = cases[i].spc;
		b.clusters_per_record = cases[i].cpr;
		b.sectors = sv_put_le64(UINT64_C(1) << 28);
		assert_ok(sv_ntfs_raw_parse_boot(&b, sizeof b, &g, &err));
		assert_int_equal(g.cluster_size, cases[i].cluster);
		assert_int_equal(g.record_size, cases[i].record);
	}
}

static void refuses_a_field(struct ntfs_boot b, uint64_t offset)
{
	struct sv_ntfs_raw_geometry g;
	struct sv_err err = SV_ERR_INIT;

	assert_fails(sv_ntfs_raw_parse_boot(&b, sizeof b, &g, &err), SV_CORRUPT, offset);
}

static void refuses_what_cannot_be(void **state)
{
	static const uint8_t spcs[] = {0, 3, 129, 0xF3, 200};
	static const uint8_t cprs[] = {0, 3, 0xF8, 0xEF, 128};
	struct ntfs_boot b;

	(void)state;
	for (unsigned n = 0; n < 16; n++) {
		b = sound();
		b.bytes_per_sector = sv_put_le16((uint16_t)(n < 8 ? n * 100 : 1U << n | 1));
		refuses_a_field(b, 0x0B);
	}
	b = sound();
	b.bytes_per_sector = sv_put_le16(8192);
	refuses_a_field(b, 0x0B);
	for (size_t i = 0; i < SV_ARRAY_LEN(spcs); i++) {
		b = sound();
		b.sectors_per_cluster = spcs[i];
		refuses_a_field(b, 0x0D);
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(cprs); i++) {
		b = sound();
		b.clusters_per_record = cprs[i];
		refuses_a_field(b, 0x40);
	}
	b = sound();
	b.sectors = sv_put_le64(7);
	refuses_a_field(b, 0x28);
	b.sectors = sv_put_le64(UINT64_C(8) << 32);
	refuses_a_field(b, 0x28);
	b.sectors = sv_put_le64(UINT64_MAX);
	refuses_a_field(b, 0x28);
	b = sound();
	b.mft_lcn = sv_put_le64(25599);
	refuses_a_field(b, 0x30);
	b = sound();
	b.mftmirr_lcn = sv_put_le64(UINT64_MAX);
	refuses_a_field(b, 0x38);
}

static void names_bitlocker(void **state)
{
	struct ntfs_boot b = sound();
	struct sv_ntfs_raw_geometry g;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	memcpy(b.oem, NTFS_OEM_BITLOCKER, sizeof b.oem);
	assert_fails(sv_ntfs_raw_parse_boot(&b, sizeof b, &g, &err), SV_UNSUPPORTED, 3);
	assert_non_null(strstr(err.message, "BitLocker"));
	assert_non_null(strstr(err.hint, "manage-bde"));
	b.oem[0] = 'X';
	assert_fails(sv_ntfs_raw_parse_boot(&b, sizeof b, &g, &err), SV_UNSUPPORTED, 3);
	assert_fails(sv_ntfs_raw_parse_boot(&b, 511, &g, &err), SV_CORRUPT, 511);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_geometry),
		cmocka_unit_test(reads_large_clusters_and_records),
		cmocka_unit_test(refuses_what_cannot_be),
		cmocka_unit_test(names_bitlocker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
