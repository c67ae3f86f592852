/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The byte device: the one thing that every layer of sharevm reads and writes through.
 *
 * A host file is a device; a virtual disk is a device over devices; a volume is a window on
 * one; an overlay, a fault injector and a fuzzer's buffer are devices. So each layer can be
 * tested, stacked and broken alone.
 *
 * Reads are safe from several threads at once. Writes, discard and resize need one writer and
 * no reader at the same time, but for devices that write apart (sv_dev_writes_apart). Devices
 * are reference counted: sv_dev_close() drops one reference; a device that is opened over
 * another takes its own reference.
 */
#ifndef SV_IO_DEV_H
#define SV_IO_DEV_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No device of ours is larger: keeps every sum of an offset and a length below 2^63. */
#define SV_DEV_SIZE_MAX (UINT64_C(1) << 62)

enum sv_extent_kind {
	SV_EXTENT_HOLE, /* nothing stored here; reads as zeros */
	SV_EXTENT_ZERO, /* stored as "zero" without data (a zeroed grain) */
	SV_EXTENT_DATA,
};

struct sv_extent {
	uint64_t start;
	uint64_t length; /* at least 1 */
	enum sv_extent_kind kind;
	unsigned depth;       /* link of an image chain that holds it; 0 is the leaf */
	uint64_t host_offset; /* where the bytes lie in the host file; SV_NO_HOST_OFFSET if
				 unknown */
};
#define SV_NO_HOST_OFFSET UINT64_MAX

struct sv_dev;

struct sv_dev_ops {
	const char *kind; /* "file", "overlay", "vmdk": for messages */
	/* The range lies within the size. All of it is read or written, or it is an error. */
	int (*pread)(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err);
	int (*pwrite)(
		struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err);
	/* After it returns, everything written before survives a power cut. */
	int (*flush)(struct sv_dev *d, struct sv_err *err);
	/* The extent that begins at off, at most max long. NULL: all is data. */
	int (*extent)(struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret,
		struct sv_err *err);
	/* The range reads as zeros afterwards; space is given back where possible. */
	int (*discard)(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err);
	int (*resize)(struct sv_dev *d, uint64_t size, struct sv_err *err);
	/* See sv_dev_append(); NULL: a resize and a write. */
	int (*append)(
		struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err);
	/* Begins to bring written bytes to the disk without waiting for it: a hint. NULL: the
	 * next flush will do. */
	void (*push)(struct sv_dev *d, uint64_t off, uint64_t len);
	/* See sv_dev_write_out(); NULL: a write, and a push. */
	int (*write_out)(
		struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err);
	/* Ranges that do not overlap may be read and written by several threads at once, also
	 * while one of them makes the device larger. */
	bool writes_apart;
	void (*close)(struct sv_dev *d); /* frees what the driver owns, not `d->name` */
};

/* A driver embeds this as its first member and frees itself in close(). */
struct sv_dev {
	const struct sv_dev_ops *ops;
	char *name; /* what messages call it: a path, or "path@partition 2"; owned */
	atomic_uint_fast64_t size;
	bool writable;
	atomic_uint refs;
};

/* For drivers: fills the common part with one reference; name is copied. -1 on NOMEM. */
int sv_dev_init(struct sv_dev *d, const struct sv_dev_ops *ops, const char *name, uint64_t size,
	bool writable, struct sv_err *err);

struct sv_dev *sv_dev_ref(struct sv_dev *d);
void sv_dev_close(struct sv_dev *d); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_dev, sv_dev_close)
#define sv_autodev SV_CLEANUP(sv_dev_closep)

const char *sv_dev_name(const struct sv_dev *d);
uint64_t sv_dev_size(const struct sv_dev *d);

/*
 * Exact reads and writes. A range beyond the size is SV_CORRUPT with the offset for reads (the
 * caller followed a number from outside), SV_INTERNAL for writes. n may be 0.
 */
int sv_dev_read(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_dev_write(struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_dev_flush(struct sv_dev *d, struct sv_err *err);

/* May several threads write ranges that do not overlap? True of a host's file. */
bool sv_dev_writes_apart(const struct sv_dev *d);
/* The range will not be written again soon: begin to bring it to the disk, so that the flush
 * has less to wait for. Never fails; any thread that may write. */
void sv_dev_push(struct sv_dev *d, uint64_t off, uint64_t len);
/*
 * A write of many bytes to a place where nothing is stored yet, which nobody will read soon: a
 * host's file takes them past its cache where it can, else they are pushed. To be flushed like
 * any other. Fast where the memory and the offset are multiples of 4 KiB.
 */
int sv_dev_write_out(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err);

/*
 * The extent that begins at off (off < size), at most max long: walk a device with
 * `for (off = 0; off < size; off += e.length)`. Neighbours of one kind may come in pieces.
 */
int sv_dev_extent(struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret,
	struct sv_err *err);
int sv_dev_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err);
int sv_dev_resize(struct sv_dev *d, uint64_t size, struct sv_err *err);
/*
 * A write at the end or beyond it, by which the device becomes off + n bytes large. A host file
 * gets the size and the bytes in one step: nobody finds it larger without them, a power cut
 * included where the file system writes data before the size (ext4, XFS and btrfs do).
 */
int sv_dev_append(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err);

/* SHA-256 of a range; holes are hashed as zeros. */
struct sv_job;
int sv_dev_hash(struct sv_dev *d, uint64_t off, uint64_t len, uint8_t ret[32],
	struct sv_job *job, struct sv_err *err);

/* Is the range all zeros in memory? Word-wise. */
bool sv_is_zero(const void *bytes, size_t n);

/* ---- devices of this room that need no host ---- */

/* A fixed buffer; `bytes` is copied when copy is set, else borrowed for the device's life. */
struct sv_dev *sv_mem_open(
	const void *bytes, size_t n, bool copy, const char *name, struct sv_err *err);

/* A sparse, resizable, writable memory device that begins as zeros (4 KiB pages). At most
 * `cap` bytes of pages are held (SV_NOMEM beyond it). */
struct sv_dev *sv_sparse_open(
	uint64_t size, uint64_t cap, const char *name, struct sv_err *err);

/* [start, start+len) of `under`, with offsets from 0. Errors name `name`, offsets are shifted
 * to the lower device's where it raised them. */
struct sv_dev *sv_window_open(struct sv_dev *under, uint64_t start, uint64_t len,
	const char *name, struct sv_err *err);

/* n devices, one after the other, each with its own size; it takes a reference to each. What is
 * read or written within one part is one call to it; a flush flushes all. */
struct sv_dev *sv_join_open(
	struct sv_dev *const *parts, size_t n, const char *name, struct sv_err *err);

/*
 * Writes are kept in memory (4 KiB pages) above a device that is never written. `size` may be
 * larger than the lower device: the tail reads as zeros. At most `cap` bytes of pages. It can
 * be resized: what was cut off reads as zeros when it grows again.
 * sv_overlay_next() walks what was changed in order: from pos on, gives the next run of
 * changed pages (start, length clipped to the size), returns false at the end. What was cut
 * off and is zeros again counts as changed.
 */
struct sv_dev *sv_overlay_open(struct sv_dev *under, uint64_t size, uint64_t cap,
	const char *name, struct sv_err *err);
bool sv_overlay_next(
	struct sv_dev *overlay, uint64_t pos, uint64_t *ret_start, uint64_t *ret_len);
uint64_t sv_overlay_changed(const struct sv_dev *overlay); /* bytes in changed pages, at most */

/* Reads through `under` in aligned blocks, `blocks` of them kept (least recently used goes).
 * Read-only. For libraries that read 4 KiB at a time. */
struct sv_dev *sv_cache_open(
	struct sv_dev *under, size_t block, unsigned blocks, struct sv_err *err);

/* Counts what passes: for cost figures and for limits in tests. */
struct sv_io_count {
	atomic_uint_fast64_t reads, read_bytes, writes, written_bytes, flushes;
};
struct sv_dev *sv_count_open(
	struct sv_dev *under, struct sv_io_count *count, struct sv_err *err);

#endif
