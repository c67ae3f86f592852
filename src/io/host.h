/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The host's file system, as an object that is passed to whoever opens, makes or renames
 * files: the real one (sv_host_posix), one that keeps all changes in memory until they are
 * recorded and applied (sv_stage, stage.h), and one that fails or loses power at a chosen
 * step (tests). No room above io calls open(2), rename(2) or fsync(2) itself.
 *
 * Paths are host paths in the host's own bytes. Rules that all callers rely on:
 * - reading never creates anything beside the file;
 * - only regular files are opened (a device, a FIFO or a socket is SV_UNSUPPORTED);
 * - SV_OPEN_NOFOLLOW refuses a symbolic link as the last component (SV_UNSUPPORTED).
 */
#ifndef SV_IO_HOST_H
#define SV_IO_HOST_H

#include "io/dev.h"

struct sv_process;
struct sv_file_id;
struct sv_computer; /* process.h */

enum sv_open_flags {
	SV_OPEN_READ = 0,
	SV_OPEN_WRITE = 1 << 0,
	SV_OPEN_CREATE = 1 << 1, /* must not exist yet; implies WRITE */
	SV_OPEN_NOFOLLOW = 1 << 2,
	/* QEMU's byte-range locks (block/file-posix.c: bytes 100.. and 200..): a reader holds
	 * "consistent read" and shuts writers out, a writer holds all. SV_BUSY when QEMU, or
	 * another sharevm, has it; no lock where the host file system knows none. */
	SV_OPEN_LOCK = 1 << 3,
};

enum sv_host_type { SV_HOST_FILE, SV_HOST_DIR, SV_HOST_LINK, SV_HOST_OTHER };

struct sv_host_stat {
	enum sv_host_type type;
	uint64_t size;
	uint64_t allocated; /* bytes the host stores: st_blocks * 512 */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint64_t dev, ino;
	uint32_t mode;
};

struct sv_host;

struct sv_host_ops {
	int (*open)(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
		struct sv_err *err);
	/* follow: of the link's target; else of the link itself */
	int (*stat)(struct sv_host *h, const char *path, bool follow, struct sv_host_stat *ret,
		struct sv_err *err);
	/* Names in a folder without "." and "..", sorted by bytes. Caller frees with
	 * sv_host_free_names(). At most SV_HOST_NAMES_MAX. */
	int (*list)(struct sv_host *h, const char *path, char ***ret, size_t *ret_n,
		struct sv_err *err);
	int (*make_dir)(struct sv_host *h, const char *path, struct sv_err *err);
	/* Atomic; refuses (SV_EXISTS) an existing target unless `replace`. */
	int (*rename)(struct sv_host *h, const char *from, const char *to, bool replace,
		struct sv_err *err);
	int (*unlink)(struct sv_host *h, const char *path, struct sv_err *err);
	int (*remove_dir)(struct sv_host *h, const char *path, struct sv_err *err);
	int (*sync_dir)(struct sv_host *h, const char *path, struct sv_err *err);
	/* dst (new) shares src's blocks; SV_UNSUPPORTED where the file system cannot. */
	int (*reflink)(struct sv_host *h, const char *src, const char *dst, struct sv_err *err);
	/* Would reflink() of src into folder `dir` work? Leaves nothing behind. NULL: no. */
	bool (*can_reflink)(struct sv_host *h, const char *src, const char *dir);
	/* Bytes that an ordinary user may still write at `path`'s file system. */
	int (*free_space)(
		struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err);
	/* Canonical absolute path, all links resolved. Caller frees. */
	char *(*real_path)(struct sv_host *h, const char *path, struct sv_err *err);
	/*
	 * Who runs here, as process.h has it, and a text from or to UTF-8 (`encoding` is the
	 * other one; NULL where it does not fit). NULL: the system itself is asked.
	 */
	bool (*process_exists)(struct sv_host *h, int64_t pid, struct sv_process *ret);
	bool (*find_writer)(struct sv_host *h, const struct sv_file_id *files, size_t n,
		struct sv_process *ret, size_t *ret_file);
	void (*look_at_computer)(struct sv_host *h, struct sv_computer *ret);
	char *(*recode)(
		struct sv_host *h, const char *text, const char *encoding, bool to_utf8);
	void (*close)(struct sv_host *h);
};

struct sv_host {
	const struct sv_host_ops *ops;
};

#define SV_HOST_NAMES_MAX 1000000 /* entries of one folder; beyond it SV_NOMEM */

/* The real file system. A constant object: never closed, safe from every thread. */
struct sv_host *sv_host_posix(void);
/* Lets this process have as many files open as the system allows it at all: a disk of 8 TB in
 * 2 GB files has 4096, and one that is linked to it opens them once more. For main(). */
void sv_host_allow_many_files(void);
void sv_host_close(struct sv_host *h); /* NULL-safe; does nothing for sv_host_posix() */

int sv_host_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err);
int sv_host_stat(struct sv_host *h, const char *path, struct sv_host_stat *ret,
	struct sv_err *err); /* follows links */
int sv_host_lstat(
	struct sv_host *h, const char *path, struct sv_host_stat *ret, struct sv_err *err);
bool sv_host_exists(struct sv_host *h, const char *path); /* the name, even a dangling link */
int sv_host_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err);
void sv_host_free_names(char **names, size_t n);
int sv_host_make_dir(struct sv_host *h, const char *path, struct sv_err *err);
int sv_host_rename(
	struct sv_host *h, const char *from, const char *to, bool replace, struct sv_err *err);
int sv_host_unlink(struct sv_host *h, const char *path, struct sv_err *err);
int sv_host_remove_dir(struct sv_host *h, const char *path, struct sv_err *err);
int sv_host_sync_dir(struct sv_host *h, const char *path, struct sv_err *err);
int sv_host_reflink(struct sv_host *h, const char *src, const char *dst, struct sv_err *err);
bool sv_host_can_reflink(struct sv_host *h, const char *src, const char *dir);
int sv_host_free_space(struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err);
char *sv_host_real_path(struct sv_host *h, const char *path, struct sv_err *err);
/* sv_process_exists() and its like, of the machine whose files these are. */
bool sv_host_process_exists(struct sv_host *h, int64_t pid, struct sv_process *ret);
bool sv_host_find_writer(struct sv_host *h, const struct sv_file_id *files, size_t n,
	struct sv_process *ret, size_t *ret_file);
/* ret->host is set, too. */
void sv_host_look_at_computer(struct sv_host *h, struct sv_computer *ret);
/* A text from or to UTF-8, as sv_charset_convert() does it. Caller frees. */
char *sv_host_recode(struct sv_host *h, const char *text, const char *encoding, bool to_utf8);

/* ---- helpers over the calls above ---- */

/* A whole small file, NUL-terminated (the NUL not counted in *ret_n). SV_CORRUPT when larger
 * than cap. Caller frees. */
char *sv_host_read_file(
	struct sv_host *h, const char *path, size_t cap, size_t *ret_n, struct sv_err *err);

/* Makes a new file with these bytes and flushes it (not its folder). */
int sv_host_write_file(
	struct sv_host *h, const char *path, const void *bytes, size_t n, struct sv_err *err);

/*
 * Removes a file; or a folder with the plain files in it. Where a folder holds anything else
 * nothing of it is removed: SV_EXISTS names that.
 */
int sv_host_remove(struct sv_host *h, const char *path, struct sv_err *err);
/* Would it be removed? SV_EXISTS also for what is neither a file nor a folder. */
int sv_host_check_flat(struct sv_host *h, const char *path, struct sv_err *err);
/* Bytes that the host stores for a file, or for a folder and the files in it. */
int sv_host_stored(struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err);

/*
 * Publishes: writes PATH.tmp-new, flushes, renames over PATH (replace) or to it, syncs the
 * folder. A reader sees the old bytes or the new, never a mixture.
 */
int sv_publish_file(struct sv_host *h, const char *path, const void *bytes, size_t n,
	bool replace, struct sv_err *err);
/* Publishes a finished folder: syncs it, renames, syncs the parent folder. Never replaces. */
int sv_publish_dir(
	struct sv_host *h, const char *partial, const char *final, struct sv_err *err);

/* Copies a file to a new one keeping its holes; flushed. */
struct sv_job;
int sv_host_copy_file(struct sv_host *h, const char *src, const char *dst, struct sv_job *job,
	struct sv_err *err);

#endif
