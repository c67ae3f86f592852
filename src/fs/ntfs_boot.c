/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The boot sector of NTFS: sizes and places of everything else. Pure. */
#include "fs/ntfs.h"

#include "base/num.h"

#include <string.h>

#define CLUSTER_MAX (2u << 20)

/* Up to 0x80 a number of sectors, above it minus the logarithm of one (64 KiB and more). */
static uint64_t cluster_size(const struct ntfs_boot_disk *b)
{
	uint64_t sector = sv_get_le16(b->bytes_per_sector);
	unsigned n = b->sectors_per_cluster;

	if (n <= 0x80)
		return sector * n;
	return 256 - n < 32 ? sector << (256 - n) : 0;
}

/* Above 0 a number of clusters, below it minus the logarithm of a number of bytes. */
static uint64_t block_size(int8_t n, uint64_t cluster)
{
	if (n > 0)
		return (uint64_t)n * cluster;
	return n > -32 ? UINT64_C(1) << -n : 0;
}

static bool good_block(uint64_t size)
{
	return sv_is_pow2(size) && size >= SV_NTFS_STRIDE && size <= SV_NTFS_BLOCK_MAX;
}

static int check_sizes(const struct ntfs_boot_disk *b, struct sv_err *err)
{
	uint64_t sector = sv_get_le16(b->bytes_per_sector);
	uint64_t cluster = cluster_size(b);
	uint64_t record = block_size(b->clusters_per_record, cluster);

	if (!sv_is_pow2(sector) || sector < 256 || sector > 4096)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ntfs_boot_disk, bytes_per_sector),
			"a sector size of %llu bytes, expected 256 to 4096",
			(unsigned long long)sector);
	if (!sv_is_pow2(cluster) || cluster > CLUSTER_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ntfs_boot_disk, sectors_per_cluster),
			"a cluster size of %llu bytes (code 0x%02x), expected up to %u",
			(unsigned long long)cluster, b->sectors_per_cluster, CLUSTER_MAX);
	if (!good_block(record))
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ntfs_boot_disk, clusters_per_record),
			"a FILE record of %llu bytes, expected %d to %u",
			(unsigned long long)record, SV_NTFS_STRIDE, SV_NTFS_BLOCK_MAX);
	return 0;
}

static int check_places(const struct sv_ntfs_geometry *g, struct sv_err *err)
{
	uint64_t bytes;

	if (!sv_mul(g->sectors, g->sector_size, &bytes) || bytes > SV_DEV_SIZE_MAX ||
		!g->clusters)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ntfs_boot_disk, sectors),
			"a volume of %llu sectors cannot be", (unsigned long long)g->sectors);
	if (g->mft_lcn >= g->clusters)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ntfs_boot_disk, mft_lcn),
			"$MFT at cluster %llu, but the volume has %llu",
			(unsigned long long)g->mft_lcn, (unsigned long long)g->clusters);
	return 0;
}

int sv_ntfs_parse_boot(
	const void *bytes, size_t n, struct sv_ntfs_geometry *ret, struct sv_err *err)
{
	struct ntfs_boot_disk b;
	struct sv_ntfs_geometry g;

	if (n < sizeof b)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a boot sector of %zu bytes, expected %zu", n, sizeof b);
	memcpy(&b, bytes, sizeof b);
	if (memcmp(b.oem, "NTFS    ", sizeof b.oem) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct ntfs_boot_disk, oem),
			"this is no boot sector of NTFS");
	if (check_sizes(&b, err) < 0)
		return -1;
	g.sector_size = sv_get_le16(b.bytes_per_sector);
	g.cluster_size = (uint32_t)cluster_size(&b);
	g.record_size = (uint32_t)block_size(b.clusters_per_record, g.cluster_size);
	g.sectors = sv_get_le64(b.sectors);
	g.clusters = g.sectors / (g.cluster_size / g.sector_size);
	g.mft_lcn = sv_get_le64(b.mft_lcn);
	g.serial = sv_get_le64(b.serial);
	if (check_places(&g, err) < 0)
		return -1;
	*ret = g;
	return 0;
}
