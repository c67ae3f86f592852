/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One job for each machine: see many.h. The pool begins the items in their order, so the one
 * whose turn it is to print is always begun, and those that wait for room wait for it alone.
 */
#include "cli/many.h"

#include "base/num.h"
#include "base/pool.h"
#include "cli/confine.h"
#include "cli/report.h"
#include "io/broker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define LOOK_MS 50 /* how often the owner looks whether it was asked to stop */

/* Something that was printed. */
struct piece {
	struct piece *next;
	size_t n;
	bool msg;
	char bytes[];
};

struct crew;

struct slot {
	struct sv_work work;
	struct crew *crew;
	size_t item;
	struct sv_cli cli;

	/* under the crew's lock */
	struct piece *first, **last;
	size_t queued;
	bool ended;
};

/* One of a slot's two streams. */
struct stream {
	struct slot *slot;
	bool msg;
};

struct crew {
	struct sv_cli *cli;
	const struct sv_many *m;
	pthread_mutex_t lock;
	pthread_cond_t room; /* a queue has become shorter */
	pthread_cond_t news; /* a queue has something, or a job has ended */
	bool gone;           /* nobody takes what is printed any more */
	struct slot *slots;
	size_t n_slots;
	size_t n, printed;
	unsigned good, bad;
	int first;
	size_t from; /* the items before were done by a process that died */
};

/* ---- on the workers ---- */

static int enqueue(struct slot *s, bool msg, const char *bytes, size_t n)
{
	struct piece *p = malloc(sizeof *p + n);
	struct crew *crew = s->crew;
	bool gone;

	if (!p)
		return -1;
	*p = (struct piece){.n = n, .msg = msg};
	memcpy(p->bytes, bytes, n);
	pthread_mutex_lock(&crew->lock);
	while (s->queued >= SV_MANY_AHEAD && !crew->gone)
		pthread_cond_wait(&crew->room, &crew->lock);
	gone = crew->gone;
	if (!gone) {
		*s->last = p;
		s->last = &p->next;
		s->queued += n;
		pthread_cond_signal(&crew->news);
	}
	pthread_mutex_unlock(&crew->lock);
	if (gone)
		free(p);
	errno = gone ? EPIPE : 0;
	return gone ? -1 : 0;
}

static ssize_t write_stream(void *cookie, const char *bytes, size_t n)
{
	const struct stream *st = cookie;

	return enqueue(st->slot, st->msg, bytes, n) < 0 ? 0 : (ssize_t)n;
}

static FILE *open_stream(struct stream *st)
{
	return fopencookie(st, "w", (cookie_io_functions_t){.write = write_stream});
}

/* A cli like the caller's, whose streams are the queue; no progress but that of all. */
static void fill_cli(struct slot *s, FILE *out, FILE *msg)
{
	const struct sv_cli *from = s->crew->cli;
	struct sv_cli *c = &s->cli;

	c->global = from->global;
	c->host = from->host;
	c->out = from->out;
	c->msg = from->msg;
	c->out.file = out;
	c->msg.file = msg;
	c->out.bar = c->msg.bar = NULL;
	sv_bar_init(&c->bar, &c->msg, from->global.json, from->global.quiet);
	c->job.progress = NULL;
	c->job.note = from->job.note;
	c->job.user = &c->bar;
}

static int run_slot(struct sv_work *w, unsigned worker, struct sv_err *err)
{
	struct slot *s = (struct slot *)w;
	struct stream streams[] = {{s, false}, {s, true}};
	FILE *out = open_stream(&streams[0]), *msg = open_stream(&streams[1]);
	int rc = -1;

	(void)worker;
	if (out && msg) {
		setvbuf(msg, NULL, _IOLBF, BUFSIZ);
		fill_cli(s, out, msg);
		rc = s->crew->m->work(&s->cli, s->item, s->crew->m->user, err);
	} else {
		sv_fail_nomem(err);
	}
	if (out && fclose(out) && rc >= 0 && errno != EPIPE)
		rc = sv_fail_errno(err, errno, NULL, "cannot keep the output");
	if (msg)
		fclose(msg);
	pthread_mutex_lock(&s->crew->lock);
	s->ended = true;
	pthread_cond_signal(&s->crew->news);
	pthread_mutex_unlock(&s->crew->lock);
	return rc;
}

/* ---- on the caller's thread ---- */

static void stop_all(struct crew *crew)
{
	for (size_t i = 0; i < crew->n_slots; i++)
		atomic_store(&crew->slots[i].cli.job.cancel, true);
	pthread_mutex_lock(&crew->lock);
	crew->gone = true;
	pthread_cond_broadcast(&crew->room);
	pthread_mutex_unlock(&crew->lock);
}

static void wait_for_news(struct crew *crew)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&crew->news, &crew->lock, &until);
}

/* The next piece of the slot; NULL at its end, or when all is to stop. */
static struct piece *next_piece(struct crew *crew, struct slot *s)
{
	struct piece *p = NULL;

	pthread_mutex_lock(&crew->lock);
	while (!s->first && !s->ended && !sv_job_check(&crew->cli->job, NULL))
		wait_for_news(crew);
	p = s->first;
	if (p) {
		s->first = p->next;
		if (!s->first)
			s->last = &s->first;
		s->queued -= p->n;
		pthread_cond_broadcast(&crew->room);
	}
	pthread_mutex_unlock(&crew->lock);
	return p;
}

static void drop_pieces(struct slot *s)
{
	while (s->first) {
		struct piece *p = s->first;

		s->first = p->next;
		free(p);
	}
	s->last = &s->first;
	s->queued = 0;
}

/* Passes on what the item prints, until it ends. */
static void pass_on(struct crew *crew, struct slot *s)
{
	struct sv_cli *cli = crew->cli;
	bool begun = false;
	struct piece *p;

	while (!sv_out_gone(&cli->out) && (p = next_piece(crew, s))) {
		if (!p->msg && !begun) {
			if (crew->m->blank_between && crew->printed++)
				sv_out_nl(&cli->out);
			begun = true;
		}
		sv_out_bytes(p->msg ? &cli->msg : &cli->out, p->bytes, p->n);
		free(p);
	}
}

static void count(struct crew *crew, int rc)
{
	crew->good += rc == SV_EXIT_OK || rc == SV_EXIT_PARTLY || rc == SV_EXIT_FAULTS;
	crew->bad += rc != SV_EXIT_OK;
	crew->first = crew->first ? crew->first : rc;
}

/* The item's result; -1 ends all. */
static int finish(
	struct crew *crew, size_t item, int rc, const struct sv_err *own, struct sv_err *err)
{
	struct sv_cli *cli = crew->cli;

	if (rc < 0 && own->code == SV_CANCELLED) {
		sv_err_copy(err, own);
		return -1;
	}
	if (crew->m->done) {
		rc = crew->m->done(cli, item, rc, own, crew->m->user, err);
		if (rc < 0)
			return -1;
	} else if (rc < 0) {
		fflush(cli->out.file); /* in the order of the items */
		sv_report(&cli->msg, cli->global.json, own);
		rc = sv_exit_code(own->code);
	}
	count(crew, rc);
	return 0;
}

static void submit(struct crew *crew, struct sv_pool *pool, struct slot *s, size_t item)
{
	s->work.run = run_slot;
	s->crew = crew;
	s->item = item;
	s->ended = false;
	s->last = &s->first;
	sv_pool_submit(pool, &s->work);
}

static int result_of(const struct crew *crew)
{
	return crew->good && crew->bad
		       ? (crew->first == SV_EXIT_FAULTS ? SV_EXIT_FAULTS : SV_EXIT_PARTLY)
		       : crew->first;
}

static int run_all(struct crew *crew, struct sv_pool *pool, struct sv_err *err)
{
	size_t next = 0;

	for (; next < SV_MIN(crew->n, crew->n_slots); next++)
		submit(crew, pool, &crew->slots[next], next);
	for (size_t i = 0; i < crew->n; i++) {
		struct slot *s = &crew->slots[i % crew->n_slots];
		struct sv_err own = SV_ERR_INIT;
		int rc;

		sv_job_progress(&crew->cli->job, crew->m->stage, i, crew->n);
		pass_on(crew, s);
		if (sv_job_check(&crew->cli->job, err))
			return -1;
		if (sv_out_gone(&crew->cli->out))
			return 0;
		rc = sv_pool_wait(pool, &s->work, &own);
		if (finish(crew, i, rc, &own, err))
			return -1;
		if (!crew->m->prints_last && sv_confine_at(crew->cli, NULL, SV_BROKER_ANY,
						     i + 1, result_of(crew), err))
			return -1;
		if (next < crew->n)
			submit(crew, pool, s, next++);
	}
	return 0;
}

/* Where a worker stands that may die (confine.h). */
static int tell(struct crew *crew, size_t i, struct sv_err *err)
{
	const struct sv_many *m = crew->m;

	if (crew->n < 2)
		return 0;
	return sv_confine_at(crew->cli, m->name(i, m->user), i, m->prints_last ? 0 : i,
		result_of(crew), err);
}

/* Where the system gives no threads, for a single item, and after a reader has died. */
static int run_alone(struct crew *crew, struct sv_err *err)
{
	for (size_t i = crew->from; i < crew->n && !sv_out_gone(&crew->cli->out); i++) {
		struct sv_err own = SV_ERR_INIT;
		int rc;

		if (crew->m->blank_between && i)
			sv_out_nl(&crew->cli->out);
		rc = tell(crew, i, &own);
		rc = rc < 0 ? -1 : crew->m->work(crew->cli, i, crew->m->user, &own);
		if (finish(crew, i, rc, &own, err))
			return -1;
	}
	return result_of(crew);
}

int sv_many_run(struct sv_cli *cli, const struct sv_many *m, size_t n, struct sv_err *err)
{
	struct crew crew = {.cli = cli,
		.m = m,
		.n = n,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.room = PTHREAD_COND_INITIALIZER,
		.news = PTHREAD_COND_INITIALIZER};
	struct sv_pool *pool = n > 1 && !cli->again.careful ? sv_pool_new(0, NULL) : NULL;
	int rc;

	if (cli->again.from) {
		crew.from = cli->again.from;
		count(&crew, cli->again.result);
	}
	if (!pool || sv_pool_workers(pool) < 2) {
		sv_pool_free(pool);
		return run_alone(&crew, err);
	}
	crew.n_slots = SV_MIN(2 * (size_t)sv_pool_workers(pool), n);
	crew.slots = calloc(crew.n_slots, sizeof *crew.slots);
	if (!crew.slots) {
		sv_pool_free(pool);
		return sv_fail_nomem(err);
	}
	for (size_t i = 0; i < crew.n_slots; i++)
		crew.slots[i].last = &crew.slots[i].first;
	rc = run_all(&crew, pool, err);
	stop_all(&crew);
	sv_pool_free(pool);
	for (size_t i = 0; i < crew.n_slots; i++)
		drop_pieces(&crew.slots[i]);
	free(crew.slots);
	return rc < 0 ? -1 : result_of(&crew);
}

/* ---- words ---- */

struct each {
	const struct sv_words *words;
	sv_each_fn fn;
	const void *user;
};

static int do_word(struct sv_cli *cli, size_t i, void *user, struct sv_err *err)
{
	const struct each *e = user;
	int rc = e->fn(cli, e->words->item[i], (void *)(uintptr_t)e->user, err);

	if (rc < 0)
		sv_err_path(err, e->words->item[i]);
	return rc;
}

static const char *name_of_word(size_t i, void *user)
{
	const struct each *e = user;

	return e->words->item[i];
}

int sv_each_at_once(struct sv_cli *cli, const struct sv_words *words, bool blank_between,
	sv_each_fn fn, const void *user, struct sv_err *err)
{
	struct each e = {words, fn, user};
	struct sv_many m = {.work = do_word,
		.name = name_of_word,
		.user = &e,
		.stage = "looking at the machines",
		.blank_between = blank_between && !cli->global.json && !cli->global.plain};

	if (words->n == 1)
		return fn(cli, words->item[0], (void *)(uintptr_t)user, err);
	cli->out.one_line_json = true;
	return sv_many_run(cli, &m, words->n, err);
}
