/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver of btrfs: opens a file system from its superblock over the chunks to its trees,
 * and gives the table of its calls.
 */
#include "fs/btrfs/btrfs.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

static void btrfs_close(struct sv_fs *fs)
{
	struct sv_btrfs *v = sv_btrfs_of(fs);

	for (size_t i = 0; i < v->n_devices; i++)
		sv_dev_close(v->devices[i].dev);
	free(v->devices);
	sv_btrfs_chunks_free(&v->chunks);
	sv_btrfs_nodes_free(&v->nodes);
	sv_btrfs_unpack_free(v->unpack);
	free(v->extent);
	sv_dev_close(fs->volume);
	free(v);
}

/* ---- devices ---- */

static bool has_device(const struct sv_btrfs *v, uint64_t devid)
{
	for (size_t i = 0; i < v->n_devices; i++) {
		if (v->devices[i].devid == devid)
			return true;
	}
	return false;
}

/* The newest superblock is the file system's: a device may have been away for a while. */
static void add_device(struct sv_btrfs *v, struct sv_dev *dev, const struct sv_btrfs_super *s)
{
	v->devices[v->n_devices++] = (struct sv_btrfs_device){s->devid, sv_dev_ref(dev)};
	if (v->n_devices == 1 || s->generation > v->super.generation)
		v->super = *s;
}

static int add_devices(struct sv_btrfs *v, struct sv_dev *const *parts, size_t n, bool *used,
	struct sv_err *err)
{
	struct sv_btrfs_super s;
	bool primary;

	v->devices = calloc(n, sizeof *v->devices);
	if (!v->devices)
		return sv_fail_nomem(err);
	if (sv_btrfs_read_super(parts[0], &s, &primary, err) < 0)
		return -1;
	add_device(v, parts[0], &s);
	if (!primary)
		snprintf(v->warning, sizeof v->warning,
			"its first superblock is damaged or old: a copy was taken");
	for (size_t i = 1; i < n; i++) {
		used[i] = sv_btrfs_read_super(parts[i], &s, &primary, NULL) == 0 &&
			  !memcmp(s.fsid, v->super.fsid, 16) && !has_device(v, s.devid);
		if (used[i])
			add_device(v, parts[i], &s);
	}
	return 0;
}

/* ---- chunks ---- */

static int add_system_chunks(struct sv_btrfs *v, struct sv_err *err)
{
	const uint8_t *b = v->super.system_chunks;
	size_t n = v->super.system_chunks_size;

	for (size_t at = 0, size; at < n; at += BTRFS_KEY_SIZE + size) {
		struct sv_btrfs_key key;

		if (n - at < BTRFS_KEY_SIZE)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(v->fs.volume),
				"the superblock's system chunks end within one");
		sv_btrfs_parse_key(b + at, &key);
		if (sv_btrfs_add_chunk(&v->chunks, key.offset, b + at + BTRFS_KEY_SIZE,
			    n - at - BTRFS_KEY_SIZE, &size, err) < 0)
			return sv_err_path(err, sv_dev_name(v->fs.volume));
	}
	return 0;
}

static int read_chunks(struct sv_btrfs *v, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	const struct sv_btrfs_root tree = {BTRFS_CHUNK_TREE, v->super.chunk_root,
		v->super.chunk_root_generation, v->super.chunk_root_level, 0};
	struct sv_btrfs_key key = {0, 0, 0};
	int there = sv_btrfs_seek(v, &tree, &key, &c, err);

	for (; there > 0; there = sv_btrfs_next(&c, err)) {
		size_t size;

		if (c.key.type == BTRFS_CHUNK_ITEM &&
			sv_btrfs_add_chunk(
				&v->chunks, c.key.offset, c.data, c.size, &size, err) < 0)
			return sv_err_path(err, sv_dev_name(v->fs.volume));
	}
	return there;
}

/* ---- opening ---- */

/* What a damaged tree of checksums, or a log, takes from who reads. */
static void warn(struct sv_btrfs *v)
{
	uint64_t away = v->super.devices - SV_MIN(v->super.devices, (uint64_t)v->n_devices);

	if (away)
		snprintf(v->warning, sizeof v->warning,
			"%llu of its %llu devices %s missing: what lies only there cannot be read",
			(unsigned long long)away, (unsigned long long)v->super.devices,
			away == 1 ? "is" : "are");
	else if (v->super.log_root)
		snprintf(v->warning, sizeof v->warning,
			"it was not unmounted: what was saved last lies in its log and is not "
			"shown");
}

static int read_trees(struct sv_btrfs *v, struct sv_err *err)
{
	struct sv_btrfs_root root;
	struct sv_err why = SV_ERR_INIT;

	v->tree_root = (struct sv_btrfs_root){
		BTRFS_ROOT_TREE, v->super.root, v->super.generation, v->super.root_level, 0};
	if (sv_btrfs_root_of(v, BTRFS_FS_TREE, &root, err) < 0)
		return -1;
	if (sv_btrfs_root_of(v, BTRFS_SUM_TREE, &v->sums, &why) < 0)
		snprintf(v->warning, sizeof v->warning, "its checksum tree cannot be found");
	if (sv_btrfs_find_default(v, &why) < 0) {
		v->default_subvolume = BTRFS_FS_TREE;
		snprintf(
			v->warning, sizeof v->warning, "its default subvolume cannot be found");
	}
	return 0;
}

static int btrfs_open_parts(struct sv_dev *const *parts, size_t n, bool *used,
	struct sv_fs **ret, struct sv_err *err)
{
	struct sv_btrfs *v = calloc(1, sizeof *v);

	if (!v)
		return sv_fail_nomem(err);
	v->fs.driver = &sv_btrfs_driver;
	v->fs.volume = sv_dev_ref(parts[0]);
	if (add_devices(v, parts, n, used, err) < 0 || add_system_chunks(v, err) < 0 ||
		read_chunks(v, err) < 0 || read_trees(v, err) < 0) {
		btrfs_close(&v->fs);
		return -1;
	}
	warn(v);
	*ret = &v->fs;
	return 0;
}

static int btrfs_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err)
{
	bool used = false;

	return btrfs_open_parts(&volume, 1, &used, ret, err);
}

/* ---- what it is ---- */

static uint64_t btrfs_root(struct sv_fs *fs)
{
	(void)fs;
	return BTRFS_FIRST_INODE; /* of the top-level subvolume */
}

static int btrfs_stat(
	struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	struct sv_btrfs_inode i;
	struct sv_btrfs_root root;

	if (sv_btrfs_load(sv_btrfs_of(fs), ino, &i, &root, err) < 0)
		return -1;
	sv_btrfs_describe(&i, ret);
	return 0;
}

/* As the data are kept: of two copies half of the devices' room can be used. */
static void btrfs_size(struct sv_fs *fs, struct sv_fs_size *ret)
{
	struct sv_btrfs *v = sv_btrfs_of(fs);
	uint64_t size = v->super.total;

	for (size_t i = 0; i < v->chunks.n; i++) {
		unsigned raw, net;

		if (!(v->chunks.c[i].type & BTRFS_DATA))
			continue;
		sv_btrfs_cost(&v->chunks.c[i], &raw, &net);
		size = v->super.total / raw * net;
	}
	*ret = (struct sv_fs_size){size, v->super.sector};
}

static const char *state_of(const struct sv_btrfs *v)
{
	if (v->super.log_root)
		return "unclean log";
	if (v->n_devices < v->super.devices)
		return "a device is missing";
	return v->super.devices == 1 && v->super.total > sv_dev_size(v->fs.volume)
		       ? "larger than its partition"
		       : "";
}

static int btrfs_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err)
{
	struct sv_btrfs *v = sv_btrfs_of(fs);
	const uint8_t *u = v->super.fsid;
	char label[SV_FS_UNIX_NAME];
	struct sv_fs_size size;

	(void)err;
	btrfs_size(fs, &size);
	*ret = (struct sv_fs_info){.type = "btrfs",
		.size = size.size,
		.used = SV_MIN(v->super.used, size.size),
		.block_size = v->super.sector,
		.dirty = v->super.log_root != 0};
	ret->free = ret->size - ret->used;
	sv_fs_unix_name((const uint8_t *)v->super.label,
		(unsigned)strnlen(v->super.label, BTRFS_NAME_MAX), label);
	snprintf(ret->label, sizeof ret->label, "%s", label);
	snprintf(ret->uuid, sizeof ret->uuid,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		u[13], u[14], u[15]);
	snprintf(ret->state, sizeof ret->state, "%s", state_of(v));
	snprintf(ret->warning, sizeof ret->warning, "%s", v->warning);
	return 0;
}

const struct sv_fs_driver sv_btrfs_driver = {
	.types = {"btrfs"},
	.open = btrfs_open,
	.open_parts = btrfs_open_parts,
	.close = btrfs_close,
	.info = btrfs_info,
	.size = btrfs_size,
	.root = btrfs_root,
	.lookup = sv_btrfs_lookup,
	.stat = btrfs_stat,
	.readdir = sv_btrfs_readdir,
	.read = sv_btrfs_read,
	.xattrs = sv_btrfs_xattrs,
	.subvolume = sv_btrfs_subvolume,
	.readlink = sv_btrfs_readlink,
	.extents = sv_btrfs_extents,
	.walk = sv_btrfs_walk,
};
