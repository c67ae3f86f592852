/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a long operation reports to and asks of its caller: progress, cancellation, notes.
 * The command line draws a bar from it, `--json` prints a line, tests record it.
 * A NULL job is always allowed.
 */
#ifndef SV_BASE_JOB_H
#define SV_BASE_JOB_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdint.h>

struct sv_job {
	/* Called from the operation's own thread; `stage` is a short phrase ("copying disk").
	 * total is 0 where it is not known. May be NULL. */
	void (*progress)(void *user, const char *stage, uint64_t done, uint64_t total);
	/* A sentence worth telling a person (a damaged GPT header was passed over, say). */
	void (*note)(void *user, const char *text);
	void *user;
	atomic_bool cancel; /* set by a signal handler; operations look at least every 100 ms */
};

void sv_job_progress(struct sv_job *job, const char *stage, uint64_t done, uint64_t total);
__attribute__((format(printf, 2, 3))) void sv_job_note(
	struct sv_job *job, const char *fmt, ...);
/* Raises SV_CANCELLED and returns -1 once cancel is set, else 0. */
int sv_job_check(struct sv_job *job, struct sv_err *err);

#endif
