/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The driver of XFS: opens a volume, looks at its log, and gives the table of its calls. */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define CACHE_BLOCK  (64 * 1024)
#define CACHE_BLOCKS 64
#define CRC_AT       224u

static void xfs_close(struct sv_fs *fs)
{
	struct sv_xfs *v = sv_xfs_of(fs);

	sv_dev_close(v->dev);
	sv_dev_close(fs->volume);
	free(v);
}

static int read_super(struct sv_xfs *v, struct sv_err *err)
{
	sv_autofree uint8_t *sector = NULL;
	uint8_t bytes[XFS_SUPER_SIZE];

	if (sv_dev_read(v->dev, bytes, sizeof bytes, 0, err) < 0)
		return -1;
	if (sv_xfs_parse_super(bytes, sizeof bytes, &v->super, err) < 0)
		return sv_err_path(err, sv_dev_name(v->dev));
	if (!v->super.v5)
		return 0;
	sector = malloc(v->super.sector);
	if (!sector)
		return sv_fail_nomem(err);
	if (sv_dev_read(v->dev, sector, v->super.sector, 0, err) < 0)
		return -1;
	v->super.checksum_ok = sv_xfs_crc_ok(sector, v->super.sector, CRC_AT);
	return 0;
}

static int look_at_log(struct sv_xfs *v, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	if (sv_xfs_log_state(v, &v->log_dirty, &why) == 0)
		return 0;
	if (why.code != SV_CORRUPT) {
		sv_err_copy(err, &why);
		return -1;
	}
	v->log_dirty = true;
	return 0;
}

static void set_warning(struct sv_xfs *v)
{
	if (v->log_dirty)
		snprintf(v->warning, sizeof v->warning,
			"it was not unmounted: what changed last lies in its log and is not "
			"shown");
	else if (!v->super.checksum_ok)
		snprintf(v->warning, sizeof v->warning, "the superblock's checksum is wrong");
	else if (v->super.incompat & XFS_INCOMPAT_NEEDSREPAIR)
		snprintf(v->warning, sizeof v->warning, "it asks for xfs_repair");
}

static int xfs_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err)
{
	struct sv_xfs *v = calloc(1, sizeof *v);

	if (!v)
		return sv_fail_nomem(err);
	v->fs.driver = &sv_xfs_driver;
	v->fs.volume = sv_dev_ref(volume);
	v->dev = sv_cache_open(volume, CACHE_BLOCK, CACHE_BLOCKS, err);
	if (!v->dev || read_super(v, err) < 0 || look_at_log(v, err) < 0) {
		xfs_close(&v->fs);
		return -1;
	}
	set_warning(v);
	*ret = &v->fs;
	return 0;
}

static uint64_t xfs_root(struct sv_fs *fs)
{
	return sv_xfs_of(fs)->super.root_ino;
}

static int xfs_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	struct sv_xfs *v = sv_xfs_of(fs);
	struct sv_xfs_inode i;

	if (sv_xfs_load(v, ino, &i, err) < 0)
		return -1;
	sv_xfs_describe(v, &i, ret);
	return 0;
}

static const char *state_of(const struct sv_xfs *v)
{
	if (v->log_dirty)
		return "unclean log";
	if (v->super.incompat & XFS_INCOMPAT_NEEDSREPAIR)
		return "it asks for a repair";
	return v->super.blocks << v->super.block_log > sv_dev_size(v->dev)
		       ? "larger than its partition"
		       : "";
}

static int xfs_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err)
{
	struct sv_xfs *v = sv_xfs_of(fs);
	const struct sv_xfs_super *s = &v->super;
	const uint8_t *u = s->uuid;
	char label[SV_FS_UNIX_NAME];

	(void)err;
	*ret = (struct sv_fs_info){.type = "xfs",
		.size = s->blocks << s->block_log,
		.free = s->free_blocks << s->block_log,
		.used = (s->blocks - s->free_blocks) << s->block_log,
		.block_size = s->block,
		.dirty = v->log_dirty || s->incompat & XFS_INCOMPAT_NEEDSREPAIR};
	sv_fs_unix_name((const uint8_t *)s->label, (unsigned)strlen(s->label), label);
	snprintf(ret->label, sizeof ret->label, "%s", label);
	snprintf(ret->uuid, sizeof ret->uuid,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		u[13], u[14], u[15]);
	snprintf(ret->state, sizeof ret->state, "%s", state_of(v));
	snprintf(ret->warning, sizeof ret->warning, "%s", v->warning);
	return 0;
}

const struct sv_fs_driver sv_xfs_driver = {
	.types = {"xfs"},
	.open = xfs_open,
	.close = xfs_close,
	.info = xfs_info,
	.root = xfs_root,
	.lookup = sv_xfs_lookup,
	.stat = xfs_stat,
	.readdir = sv_xfs_readdir,
	.read = sv_xfs_read,
	.xattrs = sv_xfs_xattrs,
	.readlink = sv_xfs_readlink,
	.extents = sv_xfs_extents,
	.walk = sv_xfs_walk,
};
