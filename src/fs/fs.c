/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opens what a volume holds and passes the calls of fs.h on to its driver. What all formats
 * share is done here: the splitting of paths, and the table of drivers.
 */
#include "fs/fs.h"

#include "base/num.h"
#include "fs/driver.h"

#include <string.h>

static const struct sv_fs_driver *const drivers[] = {
	&sv_btrfs_driver,
	&sv_ext_driver,
	&sv_fat_driver,
	&sv_iso_driver,
	&sv_ntfs_driver,
	&sv_xfs_driver,
};

static const struct sv_fs_driver *find_driver(const char *type)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(drivers); i++) {
		for (size_t t = 0; t < SV_ARRAY_LEN(drivers[i]->types); t++) {
			if (drivers[i]->types[t] && !strcmp(drivers[i]->types[t], type))
				return drivers[i];
		}
	}
	return NULL;
}

static int refuse(struct sv_dev *volume, const char *type, struct sv_err *err)
{
	const char *name = sv_dev_name(volume);

	if (!type[0])
		return sv_fail(err, SV_UNSUPPORTED, name,
			"no file system was recognised on this volume");
	if (!strcmp(type, "bitlocker")) {
		sv_fail(err, SV_UNSUPPORTED, name, "encrypted with BitLocker");
		return sv_hint(err, "turn BitLocker off for this volume in the guest "
				    "(manage-bde -off), then try again");
	}
	if (!strcmp(type, "luks"))
		return sv_fail(err, SV_UNSUPPORTED, name, "encrypted with LUKS");
	return sv_fail(err, SV_UNSUPPORTED, name,
		"%s was recognised, but sharevm cannot read it", type);
}

int sv_fs_open_parts(struct sv_dev *const *parts, size_t n, bool *ret_used, struct sv_fs **ret,
	struct sv_err *err)
{
	const struct sv_fs_driver *driver;
	const char *type;

	for (size_t i = 0; i < n; i++)
		ret_used[i] = false;
	if (sv_fs_probe(parts[0], &type, err) < 0)
		return -1;
	driver = find_driver(type);
	if (!driver)
		return refuse(parts[0], type, err);
	if (driver->open_parts)
		return driver->open_parts(parts, n, ret_used, ret, err);
	return driver->open(parts[0], ret, err);
}

int sv_fs_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err)
{
	bool used;

	return sv_fs_open_parts(&volume, 1, &used, ret, err);
}

void sv_fs_close(struct sv_fs *fs)
{
	if (fs)
		fs->driver->close(fs);
}

int sv_fs_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err)
{
	return fs->driver->info(fs, ret, err);
}

int sv_fs_size(struct sv_fs *fs, struct sv_fs_size *ret, struct sv_err *err)
{
	struct sv_fs_info info;

	if (fs->driver->size) {
		fs->driver->size(fs, ret);
		return 0;
	}
	if (fs->driver->info(fs, &info, err) < 0)
		return -1;
	*ret = (struct sv_fs_size){info.size, info.block_size};
	return 0;
}

int sv_fs_root(struct sv_fs *fs, uint64_t *ret_ino, struct sv_err *err)
{
	(void)err;
	*ret_ino = fs->driver->root(fs);
	return 0;
}

/* The part of the path that was found, with the missing component, for the message. */
static int not_found(struct sv_fs *fs, const char *path, size_t upto, struct sv_err *err)
{
	int n = (int)SV_MIN(upto, (size_t)300);

	return sv_fail(err, SV_NOTFOUND, sv_dev_name(fs->volume),
		"there is no \"%.*s\" on this volume", n, path);
}

int sv_fs_lookup(struct sv_fs *fs, const char *path, uint64_t *ret_ino, struct sv_err *err)
{
	uint64_t ino = fs->driver->root(fs);
	const char *p = path;

	for (;;) {
		struct sv_err why = SV_ERR_INIT;
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (!n)
			break;
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return sv_fail(err, SV_USAGE, sv_dev_name(fs->volume),
				"\"%.300s\": \".\" and \"..\" have no meaning inside a guest",
				path);
		if (fs->driver->lookup(fs, ino, p, n, &ino, &why) < 0) {
			if (why.code == SV_NOTFOUND)
				return not_found(fs, path, (size_t)(p - path) + n, err);
			sv_err_copy(err, &why);
			return -1;
		}
		p += n;
	}
	*ret_ino = ino;
	return 0;
}

int sv_fs_child(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err)
{
	return fs->driver->lookup(fs, dir, name, name_len, ret_ino, err);
}

int sv_fs_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	return fs->driver->stat(fs, ino, ret, err);
}

int sv_fs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	return fs->driver->readdir(fs, ino, fn, user, err);
}

int sv_fs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	return fs->driver->read(fs, ino, stream, buf, n, off, ret_got, err);
}

int sv_fs_streams(
	struct sv_fs *fs, uint64_t ino, sv_fs_stream_fn fn, void *user, struct sv_err *err)
{
	return fs->driver->streams ? fs->driver->streams(fs, ino, fn, user, err) : 0;
}

int sv_fs_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err)
{
	return fs->driver->xattrs ? fs->driver->xattrs(fs, ino, fn, user, err) : 0;
}

char *sv_fs_subvolume(struct sv_fs *fs, uint64_t id, struct sv_err *err)
{
	char *root;

	if (fs->driver->subvolume)
		return fs->driver->subvolume(fs, id, err);
	root = id ? NULL : strdup("");
	if (id)
		sv_fail(err, SV_NOTFOUND, sv_dev_name(fs->volume),
			"this file system has no subvolumes");
	else if (!root)
		sv_fail_nomem(err);
	return root;
}

char *sv_fs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	return fs->driver->readlink(fs, ino, err);
}

int sv_fs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	return fs->driver->extents(fs, ino, fn, user, err);
}

int sv_fs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err)
{
	return fs->driver->walk(fs, fn, user, job, err);
}

void *sv_fs_read_file(
	struct sv_fs *fs, const char *path, size_t cap, size_t *ret_n, struct sv_err *err)
{
	sv_autofree char *bytes = NULL;
	struct sv_fs_stat st;
	uint64_t ino;
	size_t got;

	if (sv_fs_lookup(fs, path, &ino, err) < 0 || sv_fs_stat(fs, ino, &st, err) < 0)
		return NULL;
	if (st.size > cap) {
		sv_fail(err, SV_CORRUPT, sv_dev_name(fs->volume),
			"\"%.300s\" has %llu bytes, at most %zu are expected", path,
			(unsigned long long)st.size, cap);
		return NULL;
	}
	bytes = malloc((size_t)st.size + 1);
	if (!bytes) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_fs_read(fs, ino, NULL, bytes, (size_t)st.size, 0, &got, err) < 0)
		return NULL;
	bytes[got] = 0;
	*ret_n = got;
	return SV_STEAL(bytes);
}
