/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one way errors travel in sharevm.
 *
 * A function that can fail takes a `struct sv_err *` as its last parameter, owned by the
 * caller, possibly NULL, and returns -1 (or NULL). The object has fixed buffers, so that
 * raising an error works when memory is gone. An error is raised once, where it is known;
 * on the way up it may be given a path (sv_err_path) and at most one prefix (sv_err_context).
 */
#ifndef SV_BASE_ERR_H
#define SV_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum sv_code {
	SV_OK = 0,
	SV_IO,      /* the host failed to read or write */
	SV_NOMEM,   /* out of memory, or a stated cap was met */
	SV_CORRUPT, /* bytes from outside are wrong: found and expected are in the message */
	SV_UNSUPPORTED, /* right, but refused: unsupported, encrypted, dirty, hibernated, used
			 */
	SV_USAGE,       /* the caller (a person or a function) asked for nonsense */
	SV_NOTFOUND,
	SV_EXISTS,
	SV_BUSY, /* in use or suspended: the proof is in the message */
	SV_PERMISSION,
	SV_NOSPACE,
	SV_CANCELLED,
	SV_INTERNAL, /* a bug of ours, met without an assert */
};

struct sv_err {
	enum sv_code code;
	int sys; /* errno, 0 where none */
	bool has_offset;
	uint64_t offset; /* in bytes, within `path` */
	char path[512];
	char message[512]; /* one phrase, lower case, no newline, no final dot */
	char hint[512];    /* what to do next; empty where there is nothing to say */
};

#define SV_ERR_INIT                                                                            \
	{                                                                                      \
		.code = SV_OK                                                                  \
	}

/* The code's name as JSON prints it: "corrupt", "busy", ... Never NULL. */
const char *sv_code_name(enum sv_code code);

/*
 * Raise. Each fills *err (when not NULL), clears the hint and returns -1, so that a caller can
 * write `return sv_fail(err, SV_CORRUPT, path, "…")`. `path` may be NULL: a pure parser
 * does not know it, and its caller adds it with sv_err_path().
 */
__attribute__((format(printf, 4, 5))) int sv_fail(
	struct sv_err *err, enum sv_code code, const char *path, const char *fmt, ...);
__attribute__((format(printf, 5, 6))) int sv_fail_at(struct sv_err *err, enum sv_code code,
	const char *path, uint64_t offset, const char *fmt, ...);
/* From errno `sys`: picks the code and appends ": strerror". */
__attribute__((format(printf, 4, 5))) int sv_fail_errno(
	struct sv_err *err, int sys, const char *path, const char *fmt, ...);
int sv_fail_nomem(struct sv_err *err);

/* Sets the hint of an error just raised; returns -1 like the raisers. */
__attribute__((format(printf, 2, 3))) int sv_hint(struct sv_err *err, const char *fmt, ...);

/* Adds the path where none is set yet; returns -1. */
int sv_err_path(struct sv_err *err, const char *path);

/* Adds `delta` to a recorded offset (a window's start, say); returns -1. */
int sv_err_shift(struct sv_err *err, uint64_t delta);

/* Puts "context: " before the message; at most once on the way up; returns -1. */
__attribute__((format(printf, 2, 3))) int sv_err_context(
	struct sv_err *err, const char *fmt, ...);

/* Copies a whole error, e.g. to keep the first of several; dst may be NULL. */
void sv_err_copy(struct sv_err *dst, const struct sv_err *src);

#endif
