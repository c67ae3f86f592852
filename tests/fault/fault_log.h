/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was changed below a folder and is not durable yet, and how to undo it. Files and folders
 * are known by an open descriptor, so that renames do not lose them; what is deleted is kept
 * under another name (the stash).
 */
#ifndef SV_TESTS_FAULT_LOG_H
#define SV_TESTS_FAULT_LOG_H

#include "host_fault.h"

#define FAULT_LOG_BYTES_MAX (1ULL << 30) /* old contents kept, all files together */

struct fault_log;
struct fault_node; /* a file or a folder */

struct fault_log *fault_log_new(const char *dir, struct sv_err *err);
void fault_log_free(struct fault_log *log); /* removes the stash */

/* The file or folder at a path that exists, below the log's folder; NULL otherwise. */
struct fault_node *fault_log_node(struct fault_log *log, const char *path, struct sv_err *err);

/* Called before the change: records what is needed to undo it. */
int fault_log_write(struct fault_log *log, struct fault_node *file, uint64_t off, uint64_t len,
	struct sv_err *err);
int fault_log_resize(
	struct fault_log *log, struct fault_node *file, uint64_t size, struct sv_err *err);

/* Called after a new, empty file got its content at once (a reflink). */
int fault_log_filled(struct fault_log *log, struct fault_node *file, struct sv_err *err);

/* Called after a name was made. */
int fault_log_created(struct fault_log *log, const char *path, bool dir, struct sv_err *err);

/* Make the change and record it. */
int fault_log_unlink(struct fault_log *log, const char *path, struct sv_err *err);
int fault_log_remove_dir(struct fault_log *log, const char *path, struct sv_err *err);
int fault_log_rename(struct fault_log *log, const char *from, const char *to, bool replace,
	struct sv_err *err);

/* A file or a folder was flushed. */
void fault_log_durable(struct fault_log *log, struct fault_node *node);
/* A flush failed: nothing of the file becomes durable any more. */
void fault_log_poison(struct fault_node *file);

int fault_log_settle(
	struct fault_log *log, enum host_fault_mode mode, uint64_t seed, struct sv_err *err);

#endif
