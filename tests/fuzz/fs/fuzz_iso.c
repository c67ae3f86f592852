/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ISO 9660 volumes: opened, walked, listed, searched and read. The input stands for an image of
 * up to 4 MiB (sparse.h). */
#include "sparse.h"
#include "volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev;
	struct sv_fs *fs = NULL;
	struct sv_fs_mark mark;
	size_t size = 0;
	uint8_t *image = sparse_image(bytes, n, &size);

	if (!image)
		return 0;
	dev = sv_mem_open(image, size, false, "volume", &err);
	if (!dev)
		abort();
	check(sv_fs_mark(dev, &mark, &err), &err);
	check(sv_iso_driver.open(dev, &fs, &err), &err);
	if (fs)
		use_volume(fs);
	sv_fs_close(fs);
	sv_dev_close(dev);
	free(image);
	return 0;
}
