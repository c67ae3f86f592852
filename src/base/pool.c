/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker pool: see pool.h. One mutex guards the queue and the state of all items. */
#include "base/pool.h"

#include "base/num.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

enum { IDLE, QUEUED, RUNNING, DONE };

struct worker {
	struct sv_pool *pool;
	pthread_t thread;
	unsigned number;
};

struct sv_pool {
	pthread_mutex_t lock;
	pthread_cond_t queued; /* there is work, or it is time to end */
	pthread_cond_t done;   /* an item is done */
	struct sv_work *first, **last;
	bool ending;
	unsigned n; /* threads; the owner's number is n */
	struct worker workers[SV_POOL_THREADS_MAX];
};

static struct sv_work *take_first(struct sv_pool *p)
{
	struct sv_work *w = p->first;

	p->first = w->next;
	if (!p->first)
		p->last = &p->first;
	return w;
}

/* Runs an item that is no longer queued. The lock is held, but not while it runs. */
static void run(struct sv_pool *p, struct sv_work *w, unsigned number)
{
	w->state = RUNNING;
	pthread_mutex_unlock(&p->lock);
	w->result = w->run(w, number, &w->err);
	pthread_mutex_lock(&p->lock);
	w->state = DONE;
	pthread_cond_signal(&p->done); /* only the owner ever waits for it */
}

static void *work(void *arg)
{
	struct worker *me = arg;
	struct sv_pool *p = me->pool;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->first && !p->ending)
			pthread_cond_wait(&p->queued, &p->lock);
		if (p->ending)
			break;
		run(p, take_first(p), me->number);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1; /* more than 1024 of them; one always works */
	return SV_MIN((unsigned)CPU_COUNT(&set), (unsigned)SV_POOL_THREADS);
}

/* Signals are the owner's: its handler sets the job's cancel flag. */
static void start(struct sv_pool *p, unsigned threads)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->n < threads) {
		struct worker *w = &p->workers[p->n];

		*w = (struct worker){.pool = p, .number = p->n};
		if (pthread_create(&w->thread, NULL, work, w) != 0)
			break;
		p->n++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct sv_pool *sv_pool_new(unsigned threads, struct sv_err *err)
{
	struct sv_pool *p = calloc(1, sizeof *p);

	if (!p) {
		sv_fail_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->queued, NULL);
	pthread_cond_init(&p->done, NULL);
	p->last = &p->first;
	start(p, SV_MIN(threads ? threads : processors(), (unsigned)SV_POOL_THREADS_MAX));
	return p;
}

void sv_pool_free(struct sv_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->queued);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n; i++)
		pthread_join(p->workers[i].thread, NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->queued);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

unsigned sv_pool_workers(const struct sv_pool *p)
{
	return p->n + 1;
}

void sv_pool_submit(struct sv_pool *p, struct sv_work *w)
{
	pthread_mutex_lock(&p->lock);
	assert(w->state == IDLE);
	w->state = QUEUED;
	w->next = NULL;
	*p->last = w;
	p->last = &w->next;
	pthread_cond_signal(&p->queued);
	pthread_mutex_unlock(&p->lock);
}

/* The owner may wait in any order: the item need not be the first. */
static void take(struct sv_pool *p, struct sv_work *w)
{
	struct sv_work **at = &p->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!*at)
		p->last = at;
}

int sv_pool_wait(struct sv_pool *p, struct sv_work *w, struct sv_err *err)
{
	pthread_mutex_lock(&p->lock);
	assert(w->state != IDLE);
	if (w->state == QUEUED) {
		take(p, w);
		run(p, w, p->n);
	}
	while (w->state != DONE)
		pthread_cond_wait(&p->done, &p->lock);
	w->state = IDLE;
	pthread_mutex_unlock(&p->lock);
	if (w->result < 0)
		sv_err_copy(err, &w->err);
	return w->result;
}
