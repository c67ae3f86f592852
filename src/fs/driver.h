/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a file-system driver gives to fs.c. Private to the fs room. The calls have the
 * meaning that fs.h states; `sv_fs` is embedded first in the driver's own struct. A call that
 * a format has no use for may be NULL: the comment says what fs.c then answers.
 */
#ifndef SV_FS_DRIVER_H
#define SV_FS_DRIVER_H

#include "fs/fs.h"

struct sv_fs_driver {
	const char *types[4]; /* as sv_fs_probe() names them; NULL ends the list */
	int (*open)(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err);
	/* NULL: it lies on one device. ret_used is all false. */
	int (*open_parts)(struct sv_dev *const *parts, size_t n, bool *ret_used,
		struct sv_fs **ret, struct sv_err *err);
	void (*close)(struct sv_fs *fs);
	int (*info)(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err);
	/* NULL: info() tells */
	void (*size)(struct sv_fs *fs, struct sv_fs_size *ret);
	uint64_t (*root)(struct sv_fs *fs);
	/* One component (UTF-8, never empty, "." or ".."), compared by the format's rules. */
	int (*lookup)(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
		uint64_t *ret_ino, struct sv_err *err);
	int (*stat)(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err);
	int (*readdir)(struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user,
		struct sv_err *err);
	int (*read)(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
		uint64_t off, size_t *ret_got, struct sv_err *err);
	/* NULL: there are none */
	int (*streams)(struct sv_fs *fs, uint64_t ino, sv_fs_stream_fn fn, void *user,
		struct sv_err *err);
	/* NULL: there are none */
	int (*xattrs)(struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user,
		struct sv_err *err);
	/* NULL: there are none */
	char *(*subvolume)(struct sv_fs *fs, uint64_t id, struct sv_err *err);
	char *(*readlink)(struct sv_fs *fs, uint64_t ino, struct sv_err *err);
	int (*extents)(struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user,
		struct sv_err *err);
	int (*walk)(struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job,
		struct sv_err *err);
};

struct sv_fs {
	const struct sv_fs_driver *driver;
	struct sv_dev *volume; /* for messages; the driver's reference */
};

extern const struct sv_fs_driver sv_btrfs_driver; /* btrfs/btrfs.c */
extern const struct sv_fs_driver sv_ext_driver;   /* ext/ext.c */
extern const struct sv_fs_driver sv_fat_driver;   /* fat/fat.c */
extern const struct sv_fs_driver sv_iso_driver;   /* iso/iso.c */
extern const struct sv_fs_driver sv_ntfs_driver;  /* ntfs/ntfs.c */
extern const struct sv_fs_driver sv_xfs_driver;   /* xfs/xfs.c */

#endif
