/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The driver of ext2, ext3 and ext4: opens a volume, through its journal where that is not
 * empty, and gives the table of its calls. */
#include "fs/ext/ext.h"

#include "base/num.h"
#include "fs/ext/fast.h"
#include "fs/ext/journal.h"

#include <stdio.h>
#include <stdlib.h>

/* Inode tables and folders are read in small pieces: 4 MiB of blocks of 64 KiB. */
#define CACHE_BLOCK  (64 * 1024)
#define CACHE_BLOCKS 64

static void ext_close(struct sv_fs *fs)
{
	struct sv_ext *v = sv_ext_of(fs);

	sv_ext_map_free(&v->last);
	free(v->last_inline);
	sv_ext_fast_free(v->fast);
	free(v->raw);
	sv_dev_close(v->dev);
	sv_dev_close(fs->volume);
	free(v);
}

static int read_super(struct sv_ext *v, struct sv_ext_super *ret, struct sv_err *err)
{
	uint8_t bytes[EXT_SUPER_SIZE];

	if (sv_dev_read(v->dev, bytes, sizeof bytes, EXT_SUPER_OFFSET, err) < 0)
		return -1;
	if (sv_ext_parse_super(bytes, sizeof bytes, ret, err) < 0) {
		sv_err_shift(err, EXT_SUPER_OFFSET);
		return sv_err_path(err, sv_dev_name(v->dev));
	}
	return 0;
}

static void format_uuid(const uint8_t u[16], char ret[64])
{
	snprintf(ret, 64,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		u[13], u[14], u[15]);
}

static int put_cache(struct sv_ext *v, struct sv_dev *under, struct sv_err *err)
{
	struct sv_dev *cache = sv_cache_open(under, CACHE_BLOCK, CACHE_BLOCKS, err);

	if (!cache)
		return -1;
	sv_dev_close(v->dev);
	v->dev = cache;
	return 0;
}

/* From here on the volume is seen as it will be after the replay, its superblock included. */
static int recover(struct sv_ext *v, struct sv_err *err)
{
	sv_autodev struct sv_dev *view = NULL;
	struct sv_ext_super super;
	char uuid[64];

	v->recovering = true;
	if (!v->super.journal_ino) {
		format_uuid(v->super.journal_uuid, uuid);
		snprintf(v->warning, sizeof v->warning,
			"the journal lies on another device (%s) and is not empty: what changed "
			"last is not shown",
			uuid);
		return 0;
	}
	if (sv_ext_replay(v, &view, err) < 0)
		return -1;
	if (!view)
		return 0;
	v->group_valid = false;
	if (put_cache(v, view, err) < 0)
		return -1;
	if (read_super(v, &super, NULL) == 0 && super.block_size == v->super.block_size &&
		super.inode_size == v->super.inode_size)
		v->super = super;
	return 0;
}

/* The root lies in it. Of the others the walk tells. */
static void check_first_group(struct sv_ext *v)
{
	const struct sv_ext_group *g;

	if (sv_ext_load_group(v, 0, &g, NULL) == 0 && !g->checksum_ok)
		snprintf(v->warning, sizeof v->warning,
			"the group descriptors are damaged (their checksums are wrong)");
}

static int open_volume(struct sv_ext *v, struct sv_err *err)
{
	if (put_cache(v, v->fs.volume, err) < 0 || read_super(v, &v->super, err) < 0)
		return -1;
	if (!v->super.checksum_ok)
		snprintf(v->warning, sizeof v->warning, "the superblock's checksum is wrong");
	v->raw = malloc(v->super.inode_size);
	if (!v->raw)
		return sv_fail_nomem(err);
	check_first_group(v);
	if (v->super.compat & EXT_COMPAT_JOURNAL && sv_ext_has(&v->super, EXT_INCOMPAT_RECOVER))
		return recover(v, err);
	return 0;
}

static int ext_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err)
{
	struct sv_ext *v = calloc(1, sizeof *v);

	if (!v)
		return sv_fail_nomem(err);
	v->fs.driver = &sv_ext_driver;
	v->fs.volume = sv_dev_ref(volume);
	if (open_volume(v, err) < 0) {
		ext_close(&v->fs);
		return -1;
	}
	*ret = &v->fs;
	return 0;
}

static uint64_t ext_root(struct sv_fs *fs)
{
	(void)fs;
	return EXT_ROOT_INO;
}

int sv_ext_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	struct sv_ext *v = sv_ext_of(fs);
	struct sv_ext_inode i;

	if (sv_ext_load_used(v, ino, &i, err) < 0)
		return -1;
	sv_ext_describe(&i, &v->super, ret);
	return 0;
}

/* ---- info ---- */

/* As libblkid tells the generations apart: by the features that came with them. */
static const char *type_of(const struct sv_ext_super *s)
{
	const uint32_t ext3_incompat =
		EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_RECOVER | EXT_INCOMPAT_META_BG;
	const uint32_t ext3_ro = 0x7; /* sparse_super, large_file, btree_dir */

	if (s->incompat & ~ext3_incompat || s->ro_compat & ~ext3_ro)
		return "ext4";
	return s->compat & EXT_COMPAT_JOURNAL ? "ext3" : "ext2";
}

/* The superblock's count is written when a volume is unmounted; until then the groups' are
 * right. Damaged groups have nothing free. */
static uint64_t count_free(struct sv_ext *v)
{
	const struct sv_ext_group *g;
	uint64_t n = 0;

	if (!v->recovering && v->super.state & EXT_STATE_VALID)
		return v->super.free_blocks;
	for (uint32_t i = 0; i < v->super.groups; i++) {
		struct sv_err why = SV_ERR_INIT;

		if (sv_ext_load_group(v, i, &g, &why) == 0)
			n += g->free_blocks;
		else if (why.code != SV_CORRUPT || i > 1000)
			break;
	}
	return n;
}

static const char *state_of(const struct sv_ext *v)
{
	uint64_t covers = v->super.blocks * v->super.block_size;

	if (v->recovering)
		return "unclean journal";
	if (v->super.state & EXT_STATE_ERRORS)
		return "errors were found, it asks for a check";
	if (!(v->super.state & EXT_STATE_VALID))
		return "not unmounted";
	return covers > sv_dev_size(v->dev) ? "larger than its partition" : "";
}

int sv_ext_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err)
{
	struct sv_ext *v = sv_ext_of(fs);
	const struct sv_ext_super *s = &v->super;
	uint64_t free = SV_MIN(count_free(v), s->blocks);
	char label[SV_FS_UNIX_NAME];

	(void)err;
	*ret = (struct sv_fs_info){
		.type = type_of(s),
		.size = s->blocks * s->block_size,
		.free = free * s->block_size,
		.used = (s->blocks - free) * s->block_size,
		.block_size = s->block_size * s->cluster_blocks,
		.dirty = v->recovering || !(s->state & EXT_STATE_VALID) ||
			 s->state & EXT_STATE_ERRORS,
	};
	sv_fs_unix_name((const uint8_t *)s->label, (unsigned)strlen(s->label), label);
	snprintf(ret->label, sizeof ret->label, "%s", label);
	format_uuid(s->uuid, ret->uuid);
	snprintf(ret->state, sizeof ret->state, "%s", state_of(v));
	snprintf(ret->warning, sizeof ret->warning, "%s", v->warning);
	return 0;
}

const struct sv_fs_driver sv_ext_driver = {
	.types = {"ext2", "ext3", "ext4"},
	.open = ext_open,
	.close = ext_close,
	.info = sv_ext_info,
	.root = ext_root,
	.lookup = sv_ext_lookup,
	.stat = sv_ext_stat,
	.readdir = sv_ext_readdir,
	.read = sv_ext_read,
	.xattrs = sv_ext_xattrs,
	.readlink = sv_ext_readlink,
	.extents = sv_ext_extents,
	.walk = sv_ext_walk,
};
