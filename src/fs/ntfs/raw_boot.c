/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NTFS boot sector and BIOS parameter block. */
#include "fs/ntfs/raw_boot.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"

#include <string.h>

static int bad(struct sv_err *err, size_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "NTFS boot sector: %s cannot be %llu",
		what, (unsigned long long)found);
}

static int check_type(const struct ntfs_boot *b, struct sv_err *err)
{
	if (memcmp(b->oem, NTFS_OEM, sizeof b->oem) == 0)
		return 0;
	if (memcmp(b->oem, NTFS_OEM_BITLOCKER, sizeof b->oem) != 0)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, offsetof(struct ntfs_boot, oem),
			"not an NTFS volume");
	sv_fail_at(err, SV_UNSUPPORTED, NULL, offsetof(struct ntfs_boot, oem),
		"the volume is encrypted with BitLocker");
	return sv_hint(err,
		"start Windows and turn BitLocker off: manage-bde -off C:  (wait for "
		"\"Fully Decrypted\"), then shutdown /s /t 0");
}

/* Sector and cluster; what is said in the BPB must be powers of two. */
static int parse_units(
	const struct ntfs_boot *b, struct sv_ntfs_raw_geometry *g, struct sv_err *err)
{
	uint32_t spc = b->sectors_per_cluster;

	g->sector_size = sv_get_le16(b->bytes_per_sector);
	if (!sv_is_pow2(g->sector_size) || g->sector_size < NTFS_FIXUP_STRIDE ||
		g->sector_size > 4096)
		return bad(err, offsetof(struct ntfs_boot, bytes_per_sector),
			"bytes per sector", g->sector_size);
	if (spc > 128)
		spc = spc < 240 ? 0 : 1U << (256 - spc);
	if (!sv_is_pow2(spc) || spc > NTFS_CLUSTER_MAX / g->sector_size)
		return bad(err, offsetof(struct ntfs_boot, sectors_per_cluster),
			"sectors per cluster", b->sectors_per_cluster);
	g->cluster_size = spc * g->sector_size;
	return 0;
}

static int parse_record_size(
	const struct ntfs_boot *b, struct sv_ntfs_raw_geometry *g, struct sv_err *err)
{
	uint32_t n = b->clusters_per_record;
	uint64_t size =
		n < 128 ? (uint64_t)n * g->cluster_size : UINT64_C(1) << SV_MIN(256 - n, 63U);

	if (!sv_is_pow2(size) || size < NTFS_FIXUP_STRIDE || size > NTFS_RECORD_MAX)
		return bad(err, offsetof(struct ntfs_boot, clusters_per_record),
			"clusters per MFT record", n);
	g->record_size = (uint32_t)size;
	return 0;
}

static int parse_places(
	const struct ntfs_boot *b, struct sv_ntfs_raw_geometry *g, struct sv_err *err)
{
	g->sectors = sv_get_le64(b->sectors);
	g->clusters = g->sectors / (g->cluster_size / g->sector_size);
	if (!g->clusters || g->clusters > NTFS_CLUSTERS_MAX)
		return bad(err, offsetof(struct ntfs_boot, sectors), "the number of sectors",
			g->sectors);
	g->mft_lcn = sv_get_le64(b->mft_lcn);
	if (g->mft_lcn >= g->clusters)
		return bad(err, offsetof(struct ntfs_boot, mft_lcn), "the cluster of $MFT",
			g->mft_lcn);
	g->mftmirr_lcn = sv_get_le64(b->mftmirr_lcn);
	if (g->mftmirr_lcn >= g->clusters)
		return bad(err, offsetof(struct ntfs_boot, mftmirr_lcn),
			"the cluster of $MFTMirr", g->mftmirr_lcn);
	return 0;
}

int sv_ntfs_raw_parse_boot(
	const void *bytes, size_t n, struct sv_ntfs_raw_geometry *ret, struct sv_err *err)
{
	struct sv_ntfs_raw_geometry g = {0};
	struct ntfs_boot b;

	if (n < sizeof b)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"the volume has %zu bytes, a boot sector has 512", n);
	memcpy(&b, bytes, sizeof b);
	g.hidden_sectors = sv_get_le32(b.hidden_sectors);
	g.serial = sv_get_le64(b.serial);
	if (check_type(&b, err) < 0 || parse_units(&b, &g, err) < 0 ||
		parse_record_size(&b, &g, err) < 0 || parse_places(&b, &g, err) < 0)
		return -1;
	*ret = g;
	return 0;
}
