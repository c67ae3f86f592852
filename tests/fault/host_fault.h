/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A host that fails: the real one inside one folder, with a step counted for each call that
 * changes something (create, write, resize, append, discard, flush, rename, unlink, make_dir,
 * remove_dir, reflink, sync_dir), numbered from 0. At a chosen step
 *
 * - that step fails once with a chosen errno and all goes on (host_fault_fail_at): a failing
 *   write has written its first half, in whole sectors, and after a failed flush nothing of
 *that file becomes durable any more, whatever later flushes say; or
 * - the power is cut (host_fault_cut_at): the step is not done, and every call from then on
 *   fails with EIO. Once all devices are closed, host_fault_settle() makes the real files what
 *   a machine could find after the cut.
 *
 * What is durable: the bytes and the size of a file once it was flushed (the bytes of an append
 * whenever its size is); a name (create,
 * rename, unlink, make_dir, remove_dir) once its folder was synced, of a rename between two
 * folders once both were. What is not durable:
 *
 *	HOST_FAULT_KEEP  is all there: what a killed program leaves (kill -9)
 *	HOST_FAULT_DROP  is all undone
 *	HOST_FAULT_TORN  is undone in part: each 4 KiB page of a file, its size, and the names
 *	                 of each folder are as they were at some moment since the last flush or
 *	                 sync, each at its own, drawn from a seed
 *
 * Not modelled: a name that is used again after an unsynced rename took it to another folder.
 *
 * The usual way is host_fault_sweep(), which does the whole work once for each cut:
 *
 *	static int work(struct sv_host *h, const char *dir, void *user, struct sv_err *err);
 *	static const char *check(const char *dir, void *user, bool done);
 *	...
 *	const struct host_fault_sweep s = {prepare, work, check, user, .seeds = 4};
 *	host_fault_sweep(&s);   // fails the cmocka test with the step, the mode and the text
 *
 * Only files below the folder may be changed through it: anything else is SV_INTERNAL and not
 * done. One thread. Links are not followed by what is undone: give real paths.
 */
#ifndef SV_TESTS_HOST_FAULT_H
#define SV_TESTS_HOST_FAULT_H

#include "io/host.h"

#define HOST_FAULT_NEVER UINT64_MAX

/* `dir` exists; DIR.stash is made beside it and removed by sv_host_close(). NULL on error. */
struct sv_host *host_fault_new(const char *dir, struct sv_err *err);

void host_fault_fail_at(struct sv_host *h, uint64_t step, int sys);
void host_fault_cut_at(struct sv_host *h, uint64_t step);
/* Reflinks become copies, so that what uses them runs on any file system. */
void host_fault_copy_reflinks(struct sv_host *h);

uint64_t host_fault_steps(const struct sv_host *h); /* counted so far */
bool host_fault_was_hit(const struct sv_host *h);
/* What a step was: "write disk.vmdk 4096+512"; "" beyond the steps so far. */
const char *host_fault_step(const struct sv_host *h, uint64_t step);

enum host_fault_mode { HOST_FAULT_KEEP, HOST_FAULT_DROP, HOST_FAULT_TORN };
/* Cuts the power now, if it was not cut yet, and undoes. Once; only closing may follow. */
int host_fault_settle(
	struct sv_host *h, enum host_fault_mode mode, uint64_t seed, struct sv_err *err);

struct host_fault_sweep {
	/* Fills the empty folder; through no host, durable. May be NULL. */
	void (*prepare)(const char *dir, void *user);
	/* The work under test. */
	int (*work)(struct sv_host *h, const char *dir, void *user, struct sv_err *err);
	/* Looks at what is left: NULL when it is right, else what is wrong. `done`: the work
	 * returned success before the power went. */
	const char *(*check)(const char *dir, void *user, bool done);
	void *user;
	unsigned seeds;    /* how many torn outcomes of each cut */
	uint64_t max_cuts; /* 0: all; else so many, spread evenly */
	bool copy_reflinks;
	/* Also each step failing once with EIO and with ENOSPC, kept and dropped; then `done`
	 * can be true although a step failed. */
	bool failures;
};
/* Fails the running cmocka test where check does. Returns the number of outcomes looked at. */
uint64_t host_fault_sweep(const struct host_fault_sweep *s);

#endif
