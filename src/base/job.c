/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs: see job.h. */
#include "base/job.h"

#include <stdio.h>

void sv_job_progress(struct sv_job *job, const char *stage, uint64_t done, uint64_t total)
{
	if (job && job->progress)
		job->progress(job->user, stage, done, total);
}

void sv_job_note(struct sv_job *job, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!job || !job->note)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	job->note(job->user, text);
}

int sv_job_check(struct sv_job *job, struct sv_err *err)
{
	if (job && atomic_load_explicit(&job->cancel, memory_order_relaxed))
		return sv_fail(err, SV_CANCELLED, NULL, "interrupted");
	return 0;
}
