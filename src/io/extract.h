/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files and folders from inside a guest, written below one folder of the host.
 *
 * Names come from a disk that nobody vouches for. Each is one component and is refused
 * (SV_UNSUPPORTED) when it is empty, ".", "..", or holds a '/'. Every folder below the first is
 * opened from its parent's descriptor and never through a symbolic link, so nothing can be
 * written outside the first folder, whatever the names are and whatever else happens in it
 * meanwhile: what openat2(RESOLVE_BENEATH) checks, on every kernel.
 *
 * A file gets its name when it is whole: until then it is ".NAME.sharevm-part".
 */
#ifndef SV_IO_EXTRACT_H
#define SV_IO_EXTRACT_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sv_extract;

/* An extended attribute by its whole name, as setxattr(2) takes it. */
struct sv_extract_attr {
	char *name;
	void *value;
	size_t n;
};

/* What is set on a finished file or folder. */
struct sv_extract_meta {
	int64_t mtime_sec, atime_sec;
	uint32_t mtime_nsec, atime_nsec;
	bool has_mode; /* else the host's default */
	uint32_t mode; /* permission bits */
	uint32_t uid, gid;
	const struct sv_extract_attr *attrs;
	size_t n_attrs;
};

/*
 * `dir` exists; links on the way to it are the user's own and are followed. With `archive`
 * owners, set-id bits and attributes of every kind are set, as cp -a does; without it the files
 * are the caller's own, never with set-id bits, and only attributes named "user." are kept.
 */
int sv_extract_open(const char *dir, bool archive, struct sv_extract **ret, struct sv_err *err);
void sv_extract_close(struct sv_extract *x); /* drops an unfinished file; NULL-safe */
SV_DEFINE_CLEANUP(struct sv_extract, sv_extract_close)

/* Is `name` something that may become the name of a file on the host? */
int sv_extract_check_name(const char *name, struct sv_err *err);

/* Makes the folder (one that exists is used) and goes into it; leaves it, setting its time. */
int sv_extract_enter(struct sv_extract *x, const char *name, struct sv_err *err);
int sv_extract_leave(
	struct sv_extract *x, const struct sv_extract_meta *meta, struct sv_err *err);

/*
 * One file at a time in the present folder: begin, write pieces in any order, finish with the
 * whole size (what was not written is a hole). Whole pages of zeros become holes.
 * SV_EXISTS where the name is taken, unless `replace` (of a file, never of a folder).
 */
int sv_extract_begin(struct sv_extract *x, const char *name, bool replace, struct sv_err *err);
int sv_extract_write(
	struct sv_extract *x, const void *bytes, size_t n, uint64_t off, struct sv_err *err);
int sv_extract_finish(struct sv_extract *x, uint64_t size, const struct sv_extract_meta *meta,
	struct sv_err *err);
void sv_extract_drop(struct sv_extract *x); /* the file that was begun */
/* Its descriptor, for who writes by himself; and what sv_extract_write() does to one: 0 or an
 * errno. */
int sv_extract_fd(const struct sv_extract *x);
int sv_extract_write_to(int fd, const void *bytes, size_t n, uint64_t off);

/* A symbolic link, never followed here. The caller decides which targets are harmless. */
int sv_extract_link(struct sv_extract *x, const char *name, const char *target, bool replace,
	const struct sv_extract_meta *meta, struct sv_err *err);

/* A device, pipe or socket; `type` as in st_mode. SV_PERMISSION where the host lets only root.
 */
int sv_extract_node(struct sv_extract *x, const char *name, uint32_t type, uint32_t major,
	uint32_t minor, bool replace, const struct sv_extract_meta *meta, struct sv_err *err);

/* One more name for what was made before at `first`, a path from the first folder. Links are
 * not followed on the way there. */
int sv_extract_again(struct sv_extract *x, const char *name, const char *first, bool replace,
	struct sv_err *err);

/* How many owners and attributes the host did not take. */
uint64_t sv_extract_left_out(const struct sv_extract *x);

#endif
