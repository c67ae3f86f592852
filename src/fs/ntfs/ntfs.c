/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NTFS driver: opens a volume as far as $MFT and gives the table of its calls. */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"
#include "fs/ntfs/wof.h"

#include <string.h>

#define CACHE_BLOCKS 64

static void ntfs_close(struct sv_fs *fs)
{
	struct sv_ntfs *v = sv_ntfs_of(fs);

	sv_ntfs_stream_close(&v->mft);
	sv_ntfs_stream_close(&v->last);
	sv_wof_close(v->last_wof);
	free(v->last_name);
	free(v->upcase);
	sv_dev_close(v->dev);
	sv_dev_close(fs->volume);
	free(v);
}

static int read_boot(struct sv_ntfs *v, struct sv_err *err)
{
	uint8_t sector[512];

	if (sv_dev_read(v->dev, sector, sizeof sector, 0, err) < 0)
		return -1;
	if (sv_ntfs_raw_parse_boot(sector, sizeof sector, &v->geo, err) < 0)
		return sv_err_path(err, sv_dev_name(v->dev));
	return 0;
}

/* Until $MFT is open, its first record is reached where the boot sector says. */
static int bootstrap_mft(struct sv_ntfs *v, struct sv_err *err)
{
	uint64_t clusters = sv_div_up(v->geo.record_size, v->geo.cluster_size);

	if (!sv_in_range(v->geo.mft_lcn, clusters, v->geo.clusters))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"$MFT at cluster %llu does not fit on the volume",
			(unsigned long long)v->geo.mft_lcn);
	v->mft.runs.v = malloc(sizeof *v->mft.runs.v);
	if (!v->mft.runs.v)
		return sv_fail_nomem(err);
	v->mft.runs.v[0] = (struct sv_ntfs_raw_run){0, v->geo.mft_lcn, clusters};
	v->mft.runs.n = v->mft.runs.cap = 1;
	v->mft.runs.end = clusters;
	v->mft.size = v->mft.initialized = v->geo.record_size;
	return 0;
}

static int open_mft(struct sv_ntfs *v, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record r = {0};

	if (bootstrap_mft(v, err) < 0 || sv_ntfs_load(v, NTFS_FILE_MFT, false, &r, err) < 0)
		return -1;
	sv_ntfs_stream_close(&v->mft);
	if (sv_ntfs_stream_open(v, &r, NTFS_FILE_MFT, NTFS_ATTR_DATA, NULL, 0, &v->mft, err) <
		0)
		return -1;
	if (v->mft.resident || v->mft.size / v->geo.record_size < NTFS_FILE_FIRST_USER ||
		v->mft.size > v->mft.runs.allocated * v->geo.cluster_size)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"$MFT of %llu bytes in %llu clusters cannot be",
			(unsigned long long)v->mft.size,
			(unsigned long long)v->mft.runs.allocated);
	return 0;
}

static int ntfs_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err)
{
	struct sv_ntfs *v = calloc(1, sizeof *v);

	if (!v)
		return sv_fail_nomem(err);
	v->fs.driver = &sv_ntfs_driver;
	v->fs.volume = sv_dev_ref(volume);
	v->dev = sv_cache_open(volume, SV_NTFS_CACHE_BLOCK, CACHE_BLOCKS, err);
	if (!v->dev || read_boot(v, err) < 0 || open_mft(v, err) < 0) {
		ntfs_close(&v->fs);
		return -1;
	}
	*ret = &v->fs;
	return 0;
}

static uint64_t ntfs_root(struct sv_fs *fs)
{
	(void)fs;
	return NTFS_FILE_ROOT;
}

static void ntfs_size(struct sv_fs *fs, struct sv_fs_size *ret)
{
	const struct sv_ntfs *v = sv_ntfs_of(fs);

	ret->size = v->geo.sectors * v->geo.sector_size;
	ret->block_size = v->geo.cluster_size;
}

const struct sv_fs_driver sv_ntfs_driver = {
	.types = {"ntfs"},
	.open = ntfs_open,
	.close = ntfs_close,
	.info = sv_ntfs_info,
	.size = ntfs_size,
	.root = ntfs_root,
	.lookup = sv_ntfs_lookup,
	.stat = sv_ntfs_stat,
	.readdir = sv_ntfs_readdir,
	.read = sv_ntfs_read,
	.streams = sv_ntfs_streams,
	.readlink = sv_ntfs_readlink,
	.extents = sv_ntfs_extents,
	.walk = sv_ntfs_walk,
};
