/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Progress of a long operation on stderr: on a terminal a bar with stage, percentage, rate
 * and time left, drawn once the work has taken a second and removed when it ends; with --json
 * a line of JSON per step. Used as the callbacks of an sv_job.
 */
#ifndef SV_CLI_BAR_H
#define SV_CLI_BAR_H

#include "cli/out.h"

#include <time.h>

struct sv_bar {
	struct sv_out *out; /* stderr */
	bool draw;          /* a terminal, and neither --quiet nor --plain */
	bool json;
	bool quiet;
	/* private */
	bool drawn;
	char stage[64];
	struct timespec begin;       /* of the whole operation */
	struct timespec stage_begin; /* and of its stage */
	struct timespec last;        /* when something was shown */
};

void sv_bar_init(struct sv_bar *b, struct sv_out *out, bool json, bool quiet);
void sv_bar_clear(struct sv_bar *b); /* takes the bar off the terminal */

/* For sv_job: `user` is the bar. */
void sv_bar_progress(void *user, const char *stage, uint64_t done, uint64_t total);
void sv_bar_note(void *user, const char *text);

#endif
