/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "disk.h"

static void check_disk(struct sv_guest *g, enum sv_table_kind kind)
{
	assert_int_equal(g->n_disks, 1);
	assert_int_equal(g->disks[0].table.kind, kind);
	assert_string_equal(g->disks[0].problem, "");
	assert_int_equal(g->n_volumes, 3);
	assert_string_equal(g->volumes[0].id, "disk0p1");
	assert_string_equal(g->volumes[0].type, "ntfs");
	assert_string_equal(g->volumes[0].info.label, "System Reserved");
	assert_int_equal(g->volumes[0].active, kind == SV_TABLE_MBR);
	assert_true(g->volumes[0].readable);
	assert_string_equal(g->volumes[0].problem, "");
	assert_int_equal(g->volumes[1].start, 17 << 20);
	assert_int_equal(g->volumes[1].size, 128 << 20);
	assert_true(g->volumes[1].info.free > 100 << 20);
	assert_int_equal(g->volumes[1].info.used + g->volumes[1].info.free,
		g->volumes[1].info.size / 4096 * 4096);
	assert_false(g->volumes[2].readable);
	assert_string_equal(g->volumes[2].type, "bitlocker");
	assert_string_equal(g->volumes[2].problem, "encrypted with BitLocker");
	assert_int_equal(g->system_volume, 1);
	assert_string_equal(g->os.family, "windows");
}

static void shows_a_disk_with_an_mbr(void **state)
{
	struct sv_guest *g;
	struct fixture f;

	(void)state;
	disk_fixture(&f);
	make_disk(&f, "dos");
	g = open_guest(&f);
	check_disk(g, SV_TABLE_MBR);
	sv_guest_close(g);
	fixture_free(&f);
}

static void resolves(struct sv_guest *g, const char *path, size_t volume, const char *want)
{
	struct sv_err err = SV_ERR_INIT;
	size_t got = 99;
	char *found = NULL;

	assert_ok(sv_guest_resolve(g, path, &got, &found, &err));
	assert_int_equal(got, volume);
	assert_string_equal(found, want);
	free(found);
}

static void shows_a_gpt_disk_and_resolves_paths_on_it(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs = NULL;
	struct sv_guest *g;
	struct fixture f;
	size_t volume, n;
	char *path, *text;

	(void)state;
	disk_fixture(&f);
	make_disk(&f, "gpt");
	g = open_guest(&f);
	check_disk(g, SV_TABLE_GPT);
	resolves(g, "@disk0p1:/a\\b", 0, "/a/b");
	resolves(g, "@disk0p1", 0, "/");
	resolves(g, "/users//ZOË/", 1, "/users/ZOË");
	resolves(g, "", 1, "/");
	resolves(g, "\\Users", 1, "/Users");
	assert_ok(sv_guest_fs(g, 1, &fs, &err));
	text = sv_fs_read_file(fs, "/users/zoË/NOTE.TXT", 100, &n, &err);
	assert_non_null(text);
	assert_string_equal(text, "hello\n");
	free(text);
	assert_ok(sv_guest_find_volume(g, "disk0p3", &volume, &err));
	assert_int_equal(volume, 2);
	assert_fails(sv_guest_fs(g, 2, &fs, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "BitLocker"));
	assert_fails(
		sv_guest_resolve(g, "Q:/x", &volume, &path, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.hint, "@disk0p1"));
	assert_fails(sv_guest_resolve(g, "@disk7p1:/x", &volume, &path, &err), SV_NOTFOUND,
		UINT64_MAX);
	sv_guest_close(g);
	fixture_free(&f);
}

static void takes_a_disk_without_a_table_for_one_volume(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *disks[2];
	struct sv_guest *g = NULL;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "8M", "-L Stick");
	disks[0] = fixture_open(&f, false);
	disks[1] = sv_sparse_open(1 << 20, 0, "empty", &err);
	assert_ok(sv_guest_open(disks, 2, NULL, &g, &err));
	assert_int_equal(g->n_volumes, 2);
	assert_string_equal(g->volumes[0].id, "disk0");
	assert_string_equal(g->volumes[0].info.label, "Stick");
	assert_int_equal(g->volumes[0].number, 0);
	assert_string_equal(g->volumes[1].id, "disk1");
	assert_string_equal(g->volumes[1].type, "");
	assert_false(g->volumes[1].readable);
	assert_int_equal(g->system_volume, -1);
	assert_string_equal(g->os.family, "");
	resolves(g, "/x", 0, "/x"); /* the only one that can be read */
	sv_guest_close(g);
	sv_dev_close(disks[0]);
	sv_dev_close(disks[1]);
	fixture_free(&f);
}

/* A table whose partition lies beyond the disk: that disk has a problem, the other none. */
static void a_bad_table_does_not_stop_the_other_disk(void **state)
{
	uint8_t mbr[1024] = {
		[446 + 4] = 7, [446 + 8] = 1, [446 + 13] = 1, [510] = 0x55, [511] = 0xaa};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *disks[2];
	struct sv_guest *g = NULL;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "8M", "");
	disks[0] = sv_mem_open(mbr, sizeof mbr, true, "bad", &err);
	disks[1] = fixture_open(&f, false);
	assert_ok(sv_guest_open(disks, 2, NULL, &g, &err));
	assert_true(g->disks[0].problem[0] != 0);
	assert_string_equal(g->disks[1].problem, "");
	assert_int_equal(g->n_volumes, 1);
	assert_string_equal(g->volumes[0].id, "disk1");
	assert_true(g->volumes[0].readable);
	sv_guest_close(g);
	sv_dev_close(disks[0]);
	sv_dev_close(disks[1]);
	fixture_free(&f);
}

static void stops_when_it_is_cancelled(void **state)
{
	struct sv_job job = {.cancel = true};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *disk = sv_sparse_open(1 << 20, 0, "empty", &err);
	struct sv_guest *g = NULL;

	(void)state;
	assert_fails(sv_guest_open(&disk, 1, &job, &g, &err), SV_CANCELLED, UINT64_MAX);
	assert_null(g);
	sv_dev_close(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_a_disk_with_an_mbr),
		cmocka_unit_test(shows_a_gpt_disk_and_resolves_paths_on_it),
		cmocka_unit_test(takes_a_disk_without_a_table_for_one_volume),
		cmocka_unit_test(a_bad_table_does_not_stop_the_other_disk),
		cmocka_unit_test(stops_when_it_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
