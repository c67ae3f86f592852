/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * btrfs volumes: opened, walked, listed, searched and read. The input stands for an image of up
 * to 16 MiB (sparse.h); the checksums of its superblock and nodes are put right first.
 */
#define SPARSE_MAX (16u << 20)
#include "sparse.h"
#include "volume.h"

#include "base/hash.h"
#include "fs/btrfs/btrfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void guard(uint8_t *p, size_t n, enum sv_btrfs_sum type)
{
	uint8_t sum[BTRFS_SUM_MAX];

	sv_btrfs_sum(type, p + BTRFS_SUMMED_FROM, n - BTRFS_SUMMED_FROM, sum);
	memcpy(p, sum, sv_btrfs_sum_size(type));
}

/* Blocks that hold the file system's id where nodes do. */
static void put_sums_right(uint8_t *image, size_t size)
{
	uint8_t *s = image + BTRFS_SUPER_AT;
	enum sv_btrfs_sum type;
	size_t node;

	if (size < BTRFS_SUPER_AT + BTRFS_SUPER_SIZE)
		return;
	type = (enum sv_btrfs_sum)(s[0xc4] & 3);
	node = sv_load_le32(s + 0x94);
	guard(s, BTRFS_SUPER_SIZE, type);
	if (!sv_is_pow2(node) || node < 4096 || node > 65536)
		return;
	for (size_t at = BTRFS_SUPER_AT + BTRFS_SUPER_SIZE; at + node <= size; at += 4096) {
		if (!memcmp(image + at + 0x20, s + 0x20, 16))
			guard(image + at, node, type);
	}
}

static void ask_for_subvolumes(struct sv_fs *fs)
{
	struct sv_err err = SV_ERR_INIT;

	for (uint64_t i = 0; i < 8; i++) {
		char *path = sv_fs_subvolume(fs, i < 4 ? i : 252 + i, &err);

		check(path ? 0 : -1, &err);
		free(path);
	}
}

/* The walk gives objects of each subvolume. */
static void use_walked(struct sv_fs *fs)
{
	struct visit v = {.fs = fs};
	struct sv_err err = SV_ERR_INIT;

	check(sv_fs_walk(fs, note_object, &v, NULL, &err), &err);
	for (size_t i = 0; i < v.n; i++)
		use_object(&v, v.inos[v.n - 1 - i]);
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
	rc = sv_btrfs_driver.open(dev, &fs, &err); /* not by probing: every input gets there */
	check(rc, &err);
	if (rc == 0) {
		use_volume(fs);
		use_walked(fs);
		ask_for_subvolumes(fs);
	}
	sv_fs_close(fs);
	sv_dev_close(dev);
	free(image);
	return 0;
}
