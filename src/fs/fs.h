/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * File systems behind one interface, read-only. An open file system belongs to one thread.
 * Objects are named by their inode number (NTFS: MFT record); paths are UTF-8 with '/',
 * compared as the file system compares names. Nothing of the guest is trusted.
 */
#ifndef SV_FS_FS_H
#define SV_FS_FS_H

#include "base/job.h"
#include "io/dev.h"

struct sv_fs;

enum sv_fs_type {
	SV_FS_FILE,
	SV_FS_DIR,
	SV_FS_SYMLINK,
	SV_FS_CHAR,
	SV_FS_BLOCK,
	SV_FS_FIFO,
	SV_FS_SOCKET,
	SV_FS_OTHER, /* something that has no content to copy: NTFS reparse points of others */
};

struct sv_fs_time {
	int64_t sec; /* since 1970, UTC */
	uint32_t nsec;
};

struct sv_fs_stat {
	uint64_t ino;
	enum sv_fs_type type;
	uint64_t size;
	uint64_t allocated;
	struct sv_fs_time mtime, atime, ctime, born;
	uint32_t mode; /* POSIX permission bits, 07777; 0 where there are none */
	bool owned;    /* uid and gid mean something: a Unix file system */
	uint32_t uid, gid;
	uint32_t dev_major, dev_minor; /* of the device that a CHAR or BLOCK node names */
	uint32_t attributes;           /* Windows FILE_ATTRIBUTE_*; 0 where there are none */
	uint32_t nlink;
	uint32_t reparse_tag; /* NTFS; 0 for none */
	bool sparse, compressed, encrypted;
};

struct sv_fs_info {
	const char *type; /* "ntfs" */
	char label[256];  /* UTF-8 */
	char uuid[64];    /* as blkid prints it */
	uint64_t size;    /* bytes that the file system covers */
	uint64_t used, free;
	uint32_t block_size; /* allocation unit */
	bool dirty;          /* asks for a check */
	char state[128]; /* "" or "hibernated", "unclean journal": why it should not be written
			  */
	char warning[256]; /* "" or what one who reads must know: what is missing, and why */
};

/*
 * What is on this volume? Fills *ret_type with a constant: "ntfs", "bitlocker", "luks",
 * "ext4", "swap", ... or "" for unknown. Recognising is wider than reading.
 */
int sv_fs_probe(struct sv_dev *volume, const char **ret_type, struct sv_err *err);

/* The same with what can be told of a volume that is not read: "" where nothing can, and for
 * the types that sv_fs_open() takes. As blkid prints them. */
struct sv_fs_mark {
	const char *type;
	char label[256]; /* UTF-8 */
	char uuid[64];
};
int sv_fs_mark(struct sv_dev *volume, struct sv_fs_mark *ret, struct sv_err *err);

/* SV_UNSUPPORTED for a type that is only recognised, named in the message. */
int sv_fs_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err);
/*
 * The same of one that may lie on several devices (btrfs): parts[0] is the volume, of the
 * others those are taken that belong to it, which ret_used tells. Devices that are missing are
 * named in the info; what lies there is read from copies as far as there are any.
 */
int sv_fs_open_parts(struct sv_dev *const *parts, size_t n, bool *ret_used, struct sv_fs **ret,
	struct sv_err *err);
void sv_fs_close(struct sv_fs *fs);
SV_DEFINE_CLEANUP(struct sv_fs, sv_fs_close)

/* Reads the map of free space. */
int sv_fs_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err);
/* What of it is known without reading. */
struct sv_fs_size {
	uint64_t size;
	uint32_t block_size;
};
int sv_fs_size(struct sv_fs *fs, struct sv_fs_size *ret, struct sv_err *err);
int sv_fs_root(struct sv_fs *fs, uint64_t *ret_ino, struct sv_err *err);
/* From the root; "" and "/" are the root. SV_NOTFOUND names the component that is missing.
 * Links are not followed. */
int sv_fs_lookup(struct sv_fs *fs, const char *path, uint64_t *ret_ino, struct sv_err *err);
/* One name of a folder, compared as the file system does; never "", "." or "..". */
int sv_fs_child(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err);
int sv_fs_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err);

/*
 * Called per entry, "." and ".." left out, DOS names and the file system's own files left out.
 * A non-zero return stops the listing and is returned by it. `raw`/`raw_len` are the guest's
 * own bytes (UTF-16LE on NTFS) where `name` lost something, else NULL; `name` never holds a
 * '/'. Damage does not stop it: what can be listed is listed, then the first error is raised.
 * Folders of a hostile volume may hold one another: who goes down them keeps a depth cap.
 */
typedef int (*sv_fs_entry_fn)(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type);
int sv_fs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err);

/* Up to n bytes at off of the unnamed stream, or of `stream` (UTF-8) when not NULL; *ret_got is
 * less than n only at the end. Sparse parts read as zeros, LZNT1 is unpacked; encrypted data
 * is SV_UNSUPPORTED. */
int sv_fs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);

/* Named streams (NTFS): name and size. */
typedef int (*sv_fs_stream_fn)(void *user, const char *name, uint64_t size);
int sv_fs_streams(
	struct sv_fs *fs, uint64_t ino, sv_fs_stream_fn fn, void *user, struct sv_err *err);

/* Extended attributes by their whole names ("user.x", "security.capability",
 * "system.posix_acl_access" in the form that getxattr(2) gives it). */
typedef int (*sv_fs_xattr_fn)(void *user, const char *name, const void *value, size_t n);
int sv_fs_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err);

/* Subvolumes (btrfs) are folders. The path from the root of the one with this id; 0: of the one
 * that a guest mounts where it names none, which is "", the root, in all other file systems.
 * SV_NOTFOUND. Caller frees. */
char *sv_fs_subvolume(struct sv_fs *fs, uint64_t id, struct sv_err *err);

/* The target of a symlink or junction as the guest wrote it, with '/' . Caller frees. */
char *sv_fs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err);

/* Where a file's data lie, in order: file offset, volume offset (SV_NO_HOST_OFFSET for a
 * hole), bytes, cut at the file's size. Resident data has none. Cheap: metadata only. Of a
 * compressed file these are the packed bytes and the room that packing saved. */
typedef int (*sv_fs_extent_fn)(
	void *user, uint64_t file_off, uint64_t volume_off, uint64_t len);
int sv_fs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err);

/*
 * Every object of the file system in the order its records lie on the disk (one sequential
 * read of $MFT): once per name (hard links come several times). `parent` is the folder's ino.
 * File-system metadata ($MFT, ...) is left out. Damaged records do not stop the walk: they are
 * counted, and it ends with SV_CORRUPT at the place of the first one.
 */
typedef int (*sv_fs_walk_fn)(
	void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st);
int sv_fs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err);

/* ---- helpers over the calls above ---- */

/* A whole small file with a NUL after it (not counted). Caller frees; SV_CORRUPT when larger
 * than cap. */
void *sv_fs_read_file(
	struct sv_fs *fs, const char *path, size_t cap, size_t *ret_n, struct sv_err *err);

#endif
