/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small pool of worker threads for work that is cut into independent items (compressing
 * grains, looking for zeros) while one thread, the owner, reads, submits, and consumes the
 * results in the order in which it submitted them: the output does not depend on timing.
 *
 * A pool belongs to the thread that made it; only the run functions are called elsewhere.
 * The usual loop keeps a ring of items: fill and submit one; when all are busy, wait for the
 * oldest, use its result and fill it anew.
 */
#ifndef SV_BASE_POOL_H
#define SV_BASE_POOL_H

#include "base/cleanup.h"
#include "base/err.h"

#define SV_POOL_THREADS_MAX 64
#define SV_POOL_THREADS     16 /* the most by default: each wants memory, and a disk to feed it */

struct sv_pool;

/* One item; embedded in what it works on. It begins as zeros and is touched only through the
 * functions below; it can be submitted again after it was waited for. */
struct sv_work {
	/*
	 * Does the work. `worker` is below sv_pool_workers() and no two items run with the
	 * same number at one time: an index of scratch memory. Raises into err like any
	 * function; touches nothing that the owner or another item changes meanwhile.
	 */
	int (*run)(struct sv_work *w, unsigned worker, struct sv_err *err);

	/* the pool's own */
	struct sv_work *next;
	int state;
	int result;
	struct sv_err err;
};

/* `threads` workers; 0 stands for one per processor that this process may use, at most
 * SV_POOL_THREADS. Threads that
 * the system refuses are done without: the owner then runs the items itself in sv_pool_wait().
 */
struct sv_pool *sv_pool_new(unsigned threads, struct sv_err *err);
/* Forgets what has not begun, waits for what has, ends the threads. NULL-safe. Free the pool
 * before the items that were submitted to it. */
void sv_pool_free(struct sv_pool *p);
SV_DEFINE_CLEANUP(struct sv_pool, sv_pool_free)
#define sv_autopool SV_CLEANUP(sv_pool_freep)

/* How many items can run at once, the owner's own counted: what scratch memory is needed for.
 */
unsigned sv_pool_workers(const struct sv_pool *p);

/* Hands an item over; the first submitted is the first begun. Never fails, never blocks. */
void sv_pool_submit(struct sv_pool *p, struct sv_work *w);
/* Waits until a submitted item is done, and runs it here if no worker has begun it. Gives what
 * its run function gave. */
int sv_pool_wait(struct sv_pool *p, struct sv_work *w, struct sv_err *err);

#endif
