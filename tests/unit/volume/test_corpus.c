/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of real disk images, as sfdisk lists them in EXPECTED.tsv. */
#include "corpus.h"

#include "base/num.h"
#include "volume/table.h"

struct read_disk {
	void *bytes;
	struct sv_dev *dev;
	struct sv_table t;
};

static struct read_disk read_disk(const struct corpus *c, const char *file)
{
	struct sv_err err = SV_ERR_INIT;
	struct read_disk d;
	size_t n;

	d.bytes = corpus_file(c, file, &n);
	d.dev = sv_mem_open(d.bytes, n, false, file, &err);
	assert_non_null(d.dev);
	assert_ok(sv_table_read(d.dev, &d.t, &err));
	return d;
}

static void forget_disk(struct read_disk *d)
{
	sv_table_free(&d->t);
	sv_dev_close(d->dev);
	free(d->bytes);
}

/* The words of sfdisk for a partition, as EXPECTED.tsv holds them. */
static char *words(const struct sv_table *t, const struct sv_partition *p)
{
	char type[SV_GUID_TEXT], guid[SV_GUID_TEXT];
	uint64_t start = p->start / t->sector_size, size = p->size / t->sector_size;

	if (t->kind == SV_TABLE_MBR)
		return sv_format("start=%llu size=%llu type=%x", (unsigned long long)start,
			(unsigned long long)size, p->mbr_type);
	sv_guid_text(p->type_guid, type);
	sv_guid_text(p->guid, guid);
	return sv_format("start=%llu size=%llu type=%s uuid=%s%s%s", (unsigned long long)start,
		(unsigned long long)size, type, guid, *p->name ? " name=" : "", p->name);
}

static void compare(const struct corpus *c, const char *file, enum sv_table_kind kind, size_t n)
{
	struct read_disk d = read_disk(c, file);

	assert_int_equal(d.t.kind, kind);
	assert_int_equal(d.t.n, n);
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *key = sv_format("partition.entry.%u", d.t.parts[i].number);
		sv_autofree char *expected = corpus_fact(c, file, key);
		sv_autofree char *found = words(&d.t, &d.t.parts[i]);

		assert_string_equal(found, expected);
	}
	forget_disk(&d);
}

static void reads_tables_as_sfdisk_does(void **state)
{
	compare(*state, "dfvfs/gpt.raw", SV_TABLE_GPT, 2);
	compare(*state, "dfvfs/gpt_non_sequential.raw", SV_TABLE_GPT, 2);
	compare(*state, "dfvfs/mbr.raw", SV_TABLE_MBR, 3);
	compare(*state, "dfvfs/gpt_empty_with_mbr.raw", SV_TABLE_MBR, 1);
}

/* mmls lists 'c', the whole disk, as a partition, too; the maps count in 512 bytes. */
static void reads_disklabels_and_apples_maps_as_mmls_does(void **state)
{
	static const struct {
		const char *file;
		enum sv_table_kind kind;
		unsigned fact; /* partition.N is our first */
		size_t n;
	} disks[] = {{"dfvfs/ufs1.raw", SV_TABLE_BSD, 2, 1},
		{"dfvfs/ufs2.raw", SV_TABLE_BSD, 2, 1}, {"dfvfs/apm.dmg", SV_TABLE_APM, 1, 2}};

	for (size_t i = 0; i < SV_ARRAY_LEN(disks); i++) {
		struct read_disk d = read_disk(*state, disks[i].file);

		assert_int_equal(d.t.kind, disks[i].kind);
		assert_int_equal(d.t.n, disks[i].n);
		for (unsigned k = 0; k < d.t.n; k++) {
			sv_autofree char *key = sv_format("partition.%u", disks[i].fact + k);
			sv_autofree char *expected = corpus_fact(*state, disks[i].file, key);
			sv_autofree char *found = sv_format("start=%llu sectors=%llu",
				(unsigned long long)d.t.parts[k].start / 512,
				(unsigned long long)d.t.parts[k].size / 512);

			assert_memory_equal(expected, found, strlen(found));
		}
		forget_disk(&d);
	}
}

static void finds_no_table_on_disks_with_a_file_system_of_their_own(void **state)
{
	static const char *const files[] = {"dfvfs/fat12.raw", "dfvfs/ntfs.raw",
		"dfvfs/ext2.raw", "dfvfs/ext4.raw", "dfvfs/xfs.raw", "dfvfs/lvm.raw",
		"dfvfs/hfsplus.raw"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		compare(*state, files[i], SV_TABLE_NONE, 0);
}

int main(void)
{
	struct corpus c;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(reads_tables_as_sfdisk_does, &c),
		cmocka_unit_test_prestate(reads_disklabels_and_apples_maps_as_mmls_does, &c),
		cmocka_unit_test_prestate(
			finds_no_table_on_disks_with_a_file_system_of_their_own, &c),
	};
	int failed;

	if (!corpus_begin(&c))
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	corpus_end(&c);
	return failed;
}
