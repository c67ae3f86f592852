/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A whole volume: opened, walked, listed, searched and read. The input stands for an image of
 * up to 4 MiB (sparse.h) whose update sequences are put right first.
 */
#include "sparse.h"

#include "volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs = NULL;
	size_t size = 0;
	uint8_t *image = sparse_image(bytes, n, &size);
	struct sv_dev *dev;
	int rc;

	if (!image)
		return 0;
	sparse_protect_all(image, size);
	dev = sv_mem_open(image, size, false, "fuzz", &err);
	if (!dev)
		abort();
	rc = sv_ntfs_driver.open(dev, &fs, &err); /* not by probing: every input gets there */
	check(rc, &err);
	if (rc == 0)
		use_volume(fs);
	sv_fs_close(fs);
	sv_dev_close(dev);
	free(image);
	return 0;
}
