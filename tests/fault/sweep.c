/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole work once for each place where it can be cut or fail, see host_fault.h. */
#include "unit.h"

#include <errno.h>

#include "base/num.h"
#include "host_fault.h"
#include "tempdir.h"

/* One outcome to look at. */
struct outcome {
	uint64_t step;
	int fail_errno; /* 0: the power is cut at the step */
	enum host_fault_mode mode;
	uint64_t seed;
};

static const char *mode_name(const struct outcome *o)
{
	return o->mode == HOST_FAULT_KEEP   ? "kept"
	       : o->mode == HOST_FAULT_DROP ? "dropped"
					    : "torn";
}

static struct sv_host *new_host(const struct host_fault_sweep *s, const char *dir)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *h;

	if (s->prepare)
		s->prepare(dir, s->user);
	h = host_fault_new(dir, &err);
	if (!h)
		fail_msg("%s: %s", err.path, err.message);
	if (s->copy_reflinks)
		host_fault_copy_reflinks(h);
	return h;
}

static void look(const struct host_fault_sweep *s, const struct outcome *o)
{
	char *top = make_temp_dir(), *dir = in_dir(top, "w");
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *h;
	const char *wrong;
	bool done;

	put_dir(top, "w");
	h = new_host(s, dir);
	if (o->fail_errno)
		host_fault_fail_at(h, o->step, o->fail_errno);
	else
		host_fault_cut_at(h, o->step);
	done = s->work(h, dir, s->user, &err) == 0;
	if (host_fault_settle(h, o->mode, o->seed, &err) < 0)
		fail_msg("step %llu: %s", (unsigned long long)o->step, err.message);
	wrong = s->check(dir, s->user, done);
	if (wrong)
		fail_msg("%s at step %llu, %s (seed %llu), the step before was '%s': %s",
			o->fail_errno ? strerror(o->fail_errno) : "power cut",
			(unsigned long long)o->step, mode_name(o), (unsigned long long)o->seed,
			o->step ? host_fault_step(h, o->step - 1) : "", wrong);
	sv_host_close(h);
	free(dir);
	remove_tree(top);
}

/* How many steps the work has when nothing fails. */
static uint64_t count_steps(const struct host_fault_sweep *s)
{
	char *top = make_temp_dir(), *dir = in_dir(top, "w");
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *h;
	uint64_t n;

	put_dir(top, "w");
	h = new_host(s, dir);
	if (s->work(h, dir, s->user, &err) < 0)
		fail_msg("without a fault: %s: %s", err.path, err.message);
	n = host_fault_steps(h);
	sv_host_close(h);
	free(dir);
	remove_tree(top);
	return n;
}

static uint64_t look_at_cuts(const struct host_fault_sweep *s, uint64_t step)
{
	struct outcome o = {.step = step, .mode = HOST_FAULT_KEEP};

	look(s, &o);
	o.mode = HOST_FAULT_DROP;
	look(s, &o);
	o.mode = HOST_FAULT_TORN;
	for (o.seed = 1; o.seed <= s->seeds; o.seed++)
		look(s, &o);
	return 2 + s->seeds;
}

static uint64_t look_at_failures(const struct host_fault_sweep *s, uint64_t step)
{
	static const int codes[] = {EIO, ENOSPC};

	for (size_t i = 0; i < SV_ARRAY_LEN(codes); i++) {
		look(s, &(struct outcome){step, codes[i], HOST_FAULT_KEEP, 0});
		look(s, &(struct outcome){step, codes[i], HOST_FAULT_DROP, 0});
	}
	return 4;
}

uint64_t host_fault_sweep(const struct host_fault_sweep *s)
{
	uint64_t steps = count_steps(s), looked = 0;
	/* one cut more than steps: behind the last */
	uint64_t cuts = s->max_cuts ? SV_MIN(s->max_cuts, steps + 1) : steps + 1;

	for (uint64_t i = 0; i < cuts; i++) {
		uint64_t at = cuts > 1 ? i * steps / (cuts - 1) : 0;

		looked += look_at_cuts(s, at);
		if (s->failures && at < steps)
			looked += look_at_failures(s, at);
	}
	return looked;
}
