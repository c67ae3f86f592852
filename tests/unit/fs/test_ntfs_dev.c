/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include "ntfs_dev.h"

#include <errno.h>

static void mounts_read_only_without_a_write(void **state)
{
	struct sv_io_count count = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev, *counted;
	ntfs_volume *vol = NULL;
	char sector[512] = {0};
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "8M", "-c 4096 -L Größe");
	dev = fixture_open(&f, true);
	counted = sv_count_open(dev, &count, &err);
	assert_ok(sv_ntfs_mount(counted, false, &vol, &err));
	assert_int_equal(vol->cluster_size, 4096);
	/* the library is asked to write all the same */
	assert_int_equal(ntfs_pwrite(vol->dev, 0, 512, sector), -1);
	assert_int_equal(errno, EROFS);
	assert_ok(sv_ntfs_unmount(vol, &err));
	assert_int_equal(count.writes, 0);
	assert_true(count.reads > 0);
	sv_dev_close(counted);
	sv_dev_close(dev);
	fixture_free(&f);
}

static void mounts_clusters_of_two_mebibytes(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	ntfs_volume *vol = NULL;
	struct sv_dev *dev;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "1G", "-c 2097152");
	dev = fixture_open(&f, false);
	assert_ok(sv_ntfs_mount(dev, false, &vol, &err));
	assert_int_equal(vol->cluster_size, 2 << 20);
	assert_ok(sv_ntfs_unmount(vol, &err));
	sv_dev_close(dev);
	fixture_free(&f);
}

static void writes_what_a_writable_mount_changed(void **state)
{
	struct sv_io_count count = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev, *counted;
	ntfs_volume *vol = NULL;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "8M", "");
	dev = fixture_open(&f, true);
	counted = sv_count_open(dev, &count, &err);
	assert_ok(sv_ntfs_mount(counted, true, &vol, &err));
	assert_int_equal(count.writes, 0); /* mounting writes nothing */
	assert_int_equal(ntfs_volume_write_flags(vol, VOLUME_IS_DIRTY), 0);
	assert_ok(sv_ntfs_unmount(vol, &err));
	assert_true(count.writes > 0);
	assert_true(count.flushes > 0);
	vol = NULL;
	assert_ok(sv_ntfs_mount(counted, false, &vol, &err));
	assert_true(vol->flags & VOLUME_IS_DIRTY);
	assert_ok(sv_ntfs_unmount(vol, &err));
	sv_dev_close(counted);
	sv_dev_close(dev);
	fixture_free(&f);
}

static void refuses_what_is_not_ntfs(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	ntfs_volume *vol = NULL;
	struct sv_dev *dev = sv_sparse_open(1 << 20, 1 << 20, "zeros", &err);

	(void)state;
	assert_fails(sv_ntfs_mount(dev, false, &vol, &err), SV_CORRUPT, UINT64_MAX);
	assert_string_equal(err.path, "zeros");
	assert_null(vol);
	sv_dev_close(dev);
}

static void refuses_to_write_a_device_open_for_reading(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	ntfs_volume *vol = NULL;
	struct sv_dev *dev;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "4M", "");
	dev = fixture_open(&f, false);
	assert_fails(sv_ntfs_mount(dev, true, &vol, &err), SV_INTERNAL, UINT64_MAX);
	sv_dev_close(dev);
	fixture_free(&f);
}

/* The overlay below has no room: the library only knows errno, the caller learns the reason. */
static void tells_the_error_of_the_device_below(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev, *over;
	ntfs_volume *vol = NULL;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "4M", "");
	dev = fixture_open(&f, false);
	over = sv_overlay_open(dev, sv_dev_size(dev), 0, "over", &err);
	assert_ok(sv_ntfs_mount(over, true, &vol, &err));
	assert_int_equal(ntfs_pwrite(vol->dev, 4096, 5, "hello"), -1);
	assert_int_equal(sv_ntfs_fail(vol, &err, "cannot set the flag of volume %d", 1), -1);
	assert_int_equal(err.code, SV_NOMEM);
	assert_non_null(strstr(err.message, "cannot set the flag of volume 1"));
	assert_ok(sv_ntfs_unmount(vol, &err));
	sv_dev_close(over);
	sv_dev_close(dev);
	fixture_free(&f);
}

static void names_the_errno_where_the_device_did_not_fail(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	ntfs_volume *vol = NULL;
	struct sv_dev *dev;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "4M", "");
	dev = fixture_open(&f, false);
	assert_ok(sv_ntfs_mount(dev, false, &vol, &err));
	errno = ENOSPC;
	assert_fails(sv_ntfs_fail(vol, &err, "no cluster"), SV_NOSPACE, UINT64_MAX);
	assert_int_equal(err.sys, ENOSPC);
	errno = EIO;
	assert_fails(sv_ntfs_fail(vol, &err, "no record"), SV_CORRUPT, UINT64_MAX);
	assert_ok(sv_ntfs_unmount(vol, &err));
	assert_ok(sv_ntfs_unmount(NULL, &err));
	sv_dev_close(dev);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts_read_only_without_a_write),
		cmocka_unit_test(mounts_clusters_of_two_mebibytes),
		cmocka_unit_test(writes_what_a_writable_mount_changed),
		cmocka_unit_test(refuses_what_is_not_ntfs),
		cmocka_unit_test(refuses_to_write_a_device_open_for_reading),
		cmocka_unit_test(tells_the_error_of_the_device_below),
		cmocka_unit_test(names_the_errno_where_the_device_did_not_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
