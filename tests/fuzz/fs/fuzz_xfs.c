/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XFS volumes: opened, walked, listed, searched and read. The input stands for an image of up
 * to 32 MiB (sparse.h); the checksums of its metadata are put right first.
 */
#define SPARSE_MAX (32u << 20)
#include "sparse.h"
#include "volume.h"

#include "base/hash.h"
#include "fs/xfs/xfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct {
	const char *magic;
	size_t at, magic_len, crc_at;
	bool folder; /* as long as a folder's block; else a block, or an inode */
	bool inode;
} guarded[] = {
	{"IN", 0, 2, 100, false, true},
	{"BMA3", 0, 4, 64, false, false},
	{"IAB3", 0, 4, 52, false, false},
	{"XDB3", 0, 4, 4, true, false},
	{"XDD3", 0, 4, 4, true, false},
	{"\x3b\xee", 8, 2, 12, false, false},
	{"\x3e\xbe", 8, 2, 12, false, false},
	{"XARM", 0, 4, 12, false, false},
};

static void guard(uint8_t *p, size_t n, size_t crc_at)
{
	memset(p + crc_at, 0, 4);
	sv_store_le32(p + crc_at, sv_crc32c(0, p, n));
}

static void put_sums_right(uint8_t *image, size_t size)
{
	struct sv_xfs_super s;

	if (size < 4096 || sv_xfs_parse_super(image, 512, &s, NULL) < 0 || !s.v5)
		return;
	for (size_t at = 0; at + 512 <= size; at += 512) {
		for (size_t i = 0; i < SV_ARRAY_LEN(guarded); i++) {
			size_t n = guarded[i].inode    ? s.inode
				   : guarded[i].folder ? s.dir_block
						       : s.block;

			if (at + n <= size && !memcmp(image + at + guarded[i].at,
						      guarded[i].magic, guarded[i].magic_len))
				guard(image + at, n, guarded[i].crc_at);
		}
	}
	guard(image, s.sector, 224);
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
	put_sums_right(image, size);
	dev = sv_mem_open(image, size, false, "fuzz", &err);
	if (!dev)
		abort();
	rc = sv_xfs_driver.open(dev, &fs, &err); /* not by probing: every input gets there */
	check(rc, &err);
	if (rc == 0)
		use_volume(fs);
	sv_fs_close(fs);
	sv_dev_close(dev);
	free(image);
	return 0;
}
