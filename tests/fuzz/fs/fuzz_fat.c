/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FAT12, FAT16, FAT32 and exFAT volumes: opened, walked, listed, searched and read. The input
 * stands for an image of up to 4 MiB (sparse.h); the checksums of exFAT's entry sets are put
 * right first.
 */
#include "sparse.h"
#include "volume.h"

#include "fs/fat/fat.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void put_sums_right(uint8_t *image, size_t size)
{
	for (size_t at = 0; at + 32 <= size; at += 32) {
		size_t n = sv_fat_set_size(image + at);
		uint16_t sum = 0;

		if (image[at] != 0x85 || at + n > size)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (i != 2 && i != 3)
				sum = (uint16_t)((sum << 15 | sum >> 1) + image[at + i]);
		}
		sv_store_le16(image + at + 2, sum);
	}
}

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
	if (size >= 512 && !memcmp(image + 3, "EXFAT", 5))
		put_sums_right(image, size);
	dev = sv_mem_open(image, size, false, "fuzz", &err);
	if (!dev)
		abort();
	rc = sv_fat_driver.open(dev, &fs, &err); /* not by probing: every input gets there */
	check(rc, &err);
	if (rc == 0)
		use_volume(fs);
	sv_fs_close(fs);
	sv_dev_close(dev);
	free(image);
	return 0;
}
