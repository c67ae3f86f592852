/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Growing through the room's door: plan, overlay, and what libntfs-3g makes of the result. */
#include "fixture.h"

#include "base/num.h"
#include "fs/grow.h"
#include "ntfs_dev.h"

static const struct sv_fs_grow_opts plain = {0};

/* Grows a fresh volume in an overlay, which is returned. */
static struct sv_dev *grow_fresh(struct fixture *f, const char *options, uint64_t size)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_grow_plan plan;
	sv_autodev struct sv_dev *file = NULL;
	struct sv_dev *overlay;

	fixture_ntfs(f, "100M", options);
	file = fixture_open(f, false);
	assert_ok(sv_fs_check_grow(file, size, &plain, &plan, &err));
	assert_int_equal(plan.old_size, 100 * SV_MIB - 512);
	assert_int_equal(plan.new_size, size - 512);
	overlay = sv_overlay_open(file, size, SV_MIB, "overlay", &err);
	assert_non_null(overlay);
	assert_ok(sv_fs_grow(overlay, &plain, &err));
	assert_true(sv_overlay_changed(overlay) <= plan.write_bytes);
	return overlay;
}

static void check_with_library(struct sv_dev *volume, int64_t clusters, int64_t free)
{
	struct sv_err err = SV_ERR_INIT;
	ntfs_volume *vol;

	assert_ok(sv_ntfs_mount(volume, false, &vol, &err));
	assert_int_equal(vol->nr_clusters, clusters);
	assert_int_equal(ntfs_volume_get_free_space(vol), 0);
	assert_int_equal(vol->free_clusters, free);
	assert_ok(sv_ntfs_unmount(vol, &err));
}

static void the_library_mounts_a_grown_volume(void **state)
{
	struct fixture f;
	sv_autodev struct sv_dev *overlay = grow_fresh(&f, "-c 4096", 10 * SV_GIB);
	struct sv_fs_grow_plan plan;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_fs_check_grow(overlay, 20 * SV_GIB, &plain, &plan, &err));
	check_with_library(
		overlay, (int64_t)(10 * SV_GIB / 4096 - 1), (int64_t)plan.free / 4096);
	fixture_free(&f);
}

static void refuses_to_grow_to_a_smaller_size(void **state)
{
	struct fixture f;
	struct sv_fs_grow_plan plan;
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *file = NULL;

	(void)state;
	fixture_ntfs(&f, "100M", "");
	file = fixture_open(&f, false);
	assert_fails(
		sv_fs_check_grow(file, 50 * SV_MIB, &plain, &plan, &err), SV_USAGE, UINT64_MAX);
	fixture_free(&f);
}

/* Writes run out at each possible point: an error with its reason, and nothing below changed.
 */
static void fails_cleanly_when_the_overlay_is_full(void **state)
{
	struct fixture f;
	struct sv_fs_grow_opts ask = {.ask_check = true};
	sv_autodev struct sv_dev *file = NULL;
	struct sv_err err = SV_ERR_INIT;
	uint64_t pages = 0;
	int result = -1;

	(void)state;
	fixture_ntfs(&f, "100M", "-c 4096");
	file = fixture_open(&f, false);
	for (; result < 0; pages++) {
		sv_autodev struct sv_dev *over =
			sv_overlay_open(file, 10 * SV_GIB, pages * 4096, "overlay", &err);

		assert_non_null(over);
		result = sv_fs_grow(over, &ask, &err);
		assert_true(result == 0 || err.code == SV_NOMEM);
		assert_true(pages < 100);
	}
	assert_true(pages > 5);
	fixture_free(&f);
}

static void can_be_cancelled(void **state)
{
	struct fixture f;
	struct sv_job job = {.cancel = true};
	struct sv_fs_grow_opts opts = {.job = &job};
	struct sv_fs_grow_plan plan;
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *file = NULL;

	(void)state;
	fixture_ntfs(&f, "100M", "-c 4096");
	file = fixture_open(&f, false);
	assert_fails(
		sv_fs_check_grow(file, SV_GIB, &opts, &plan, &err), SV_CANCELLED, UINT64_MAX);
	fixture_free(&f);
}

static void names_what_it_cannot_grow(void **state)
{
	static uint8_t bytes[1 << 20];
	sv_autodev struct sv_dev *dev = sv_mem_open(bytes, sizeof bytes, false, "mem", NULL);
	struct sv_fs_grow_plan plan;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_fails(
		sv_fs_check_grow(dev, SV_GIB, &plain, &plan, &err), SV_UNSUPPORTED, UINT64_MAX);
	memcpy(bytes, "XFSB", 4);
	assert_fails(
		sv_fs_check_grow(dev, SV_GIB, &plain, &plan, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "XFS"));
	assert_non_null(strstr(err.hint, "xfs_growfs"));
	assert_fails(sv_fs_grow(dev, &plain, &err), SV_UNSUPPORTED, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_library_mounts_a_grown_volume),
		cmocka_unit_test(refuses_to_grow_to_a_smaller_size),
		cmocka_unit_test(fails_cleanly_when_the_overlay_is_full),
		cmocka_unit_test(can_be_cancelled),
		cmocka_unit_test(names_what_it_cannot_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
