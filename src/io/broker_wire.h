/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The messages between a worker and its broker. Both are one program on one machine, so numbers
 * are the machine's own; but a question comes from a process that may have been taken over, and
 * sv_ask_parse() checks all of it.
 */
#ifndef SV_IO_BROKER_WIRE_H
#define SV_IO_BROKER_WIRE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sv_ask_op {
	SV_ASK_OPEN, /* text; a: enum sv_open_flags */
	SV_ASK_STAT, /* text; a: follow */
	SV_ASK_LIST,
	SV_ASK_REAL_PATH,
	SV_ASK_FREE_SPACE,
	SV_ASK_PROCESS, /* a: pid */
	SV_ASK_WRITER,  /* data: struct sv_file_id[] */
	SV_ASK_COMPUTER,
	SV_ASK_RECODE, /* text: the encoding; data: what; a: to UTF-8 */
	SV_ASK_AT,     /* a: the item; b: from << 8 | the exit code so far */
	SV_ASK_EXTRACT_OPEN,
	SV_ASK_ENTER,
	SV_ASK_LEAVE,
	SV_ASK_BEGIN,
	SV_ASK_FINISH, /* a: size */
	SV_ASK_DROP,
	SV_ASK_PUT,   /* data: the content */
	SV_ASK_LINK,  /* data: the target */
	SV_ASK_NODE,  /* a: type; b: major << 32 | minor */
	SV_ASK_AGAIN, /* data: the first name */
	SV_ASK_ATTR,  /* text: name, data: value: goes with the next of the above */
	SV_ASK_LEFT_OUT,
	SV_ASK_SPOOL, /* a file without a name, to be written and read */
	SV_ASK_OPS,
};

#define SV_ASK_TEXT_MAX 4096  /* a path: PATH_MAX */
#define SV_ASK_DATA_MAX 65536 /* an attribute's value, a small file, 4096 files' ids */

struct sv_ask_meta {
	int64_t mtime_sec, atime_sec;
	uint32_t mtime_nsec, atime_nsec;
	uint32_t has_mode, mode, uid, gid;
};

struct sv_ask_head {
	uint32_t op;
	uint32_t text_n, data_n; /* what follows: text with its NUL, then data */
	uint32_t zero;
	uint64_t a, b;
	struct sv_ask_meta meta;
};
#define SV_ASK_MAX (sizeof(struct sv_ask_head) + SV_ASK_TEXT_MAX + SV_ASK_DATA_MAX)

struct sv_ask {
	struct sv_ask_head head;
	const char *text;    /* a string; "" where there is none */
	const uint8_t *data; /* into the message */
};

/* Pure. SV_CORRUPT for anything that the worker's side would not send. */
int sv_ask_parse(const void *bytes, size_t n, struct sv_ask *ret, struct sv_err *err);

struct sv_answer_head {
	int32_t rc;    /* -1: what follows is a struct sv_err */
	uint32_t more; /* of a list: another message follows */
	uint64_t a;
	uint32_t n; /* bytes that follow */
	uint32_t has_fd;
};
#define SV_ANSWER_DATA 65536
#define SV_ANSWER_MAX  (sizeof(struct sv_answer_head) + SV_ANSWER_DATA)

#endif
