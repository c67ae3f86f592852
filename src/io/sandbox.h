/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shuts the calling process off, for good: afterwards it can use the descriptors that it holds
 * and its memory, and nothing else. For a process that parses what nobody vouches for, before
 * its first thread. See ARCHITECTURE.md, "Trust boundary"; Linux: seccomp(2), landlock(7).
 *
 * What is left: reading any descriptor, writing to any but by offset to 0, 1 and 2, messages on
 * one socket, threads, memory up to SV_SANDBOX_MEMORY, the clock. Opening says ENOENT, what
 * else is missing EPERM; running a program, a socket, tracing and mounting end the process.
 */
#ifndef SV_IO_SANDBOX_H
#define SV_IO_SANDBOX_H

#include "base/err.h"

#define SV_SANDBOX_MEMORY (UINT64_C(1) << 30) /* writable bytes; a hive of 200 MiB fits */

/* What could not be had; "" where all is. For people. */
struct sv_sandbox {
	bool filter; /* seccomp: without it the process is not confined in earnest */
	char missing[256];
};

/*
 * `socket` is the one for messages. Descriptors but 0, 1, 2 and `socket` are closed, and 0
 * becomes empty. What the kernel has no means for is left out and told in *ret. SV_IO only
 * where a means that is there fails.
 */
int sv_sandbox_enter(int socket, struct sv_sandbox *ret, struct sv_err *err);

/* ---- the parts ---- */

/* 0; 1 where this build or kernel has none; -1. Needs no_new_privs or privileges. */
int sv_sandbox_filter(int socket, struct sv_err *err);
int sv_sandbox_landlock(struct sv_err *err);

#endif
