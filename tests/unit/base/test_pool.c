/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/pool.h"

#include "unit.h"

#include "base/num.h"

#include <sched.h>
#include <stdatomic.h>

#define ITEMS 5000
#define RING  16

struct square {
	struct sv_work work;
	uint64_t n, result;
	atomic_uint *busy; /* one per worker number: is it in use? */
};

static int square(struct sv_work *w, unsigned worker, struct sv_err *err)
{
	struct square *s = (struct square *)w;

	if (atomic_fetch_add(&s->busy[worker], 1) != 0)
		return sv_fail(err, SV_INTERNAL, NULL, "worker %u runs twice", worker);
	s->result = s->n * s->n;
	if (s->n % 7 == 0)
		sched_yield();
	atomic_fetch_sub(&s->busy[worker], 1);
	return s->n == 4321 ? sv_fail(err, SV_IO, NULL, "item 4321 cannot be done") : 0;
}

/* Submits items 0 to n-1 through a ring and consumes them in order. */
static int squares(unsigned threads, uint64_t n, struct sv_err *err)
{
	struct square ring[RING] = {0};
	atomic_uint busy[SV_POOL_THREADS_MAX + 1] = {0};
	sv_autopool struct sv_pool *p = sv_pool_new(threads, err);

	assert_non_null(p);
	assert_true(sv_pool_workers(p) >= 1 && sv_pool_workers(p) <= SV_POOL_THREADS_MAX + 1);
	for (uint64_t i = 0; i < n + RING; i++) {
		struct square *s = &ring[i % RING];

		if (i >= RING && i - RING < n) {
			if (sv_pool_wait(p, &s->work, err) < 0)
				return -1;
			assert_int_equal(s->result, (i - RING) * (i - RING));
		}
		if (i >= n)
			continue;
		s->work.run = square;
		s->busy = busy;
		s->n = i;
		sv_pool_submit(p, &s->work);
	}
	return 0;
}

static void gives_results_in_the_order_of_submission(void **state)
{
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (unsigned threads = 0; threads < 5; threads++)
		assert_ok(squares(threads, 4000, &err));
	assert_ok(squares(SV_POOL_THREADS_MAX + 100, 4000, &err));
}

static void hands_over_the_error_of_an_item(void **state)
{
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_fails(squares(2, ITEMS, &err), SV_IO, UINT64_MAX);
	assert_string_equal(err.message, "item 4321 cannot be done");
}

static void waits_for_items_in_any_order(void **state)
{
	struct square items[RING] = {0};
	atomic_uint busy[SV_POOL_THREADS_MAX + 1] = {0};
	struct sv_err err = SV_ERR_INIT;
	sv_autopool struct sv_pool *p = sv_pool_new(1, &err);

	(void)state;
	assert_non_null(p);
	for (unsigned round = 0; round < 200; round++) {
		for (uint64_t i = 0; i < RING; i++) {
			items[i].work.run = square;
			items[i].busy = busy;
			items[i].n = round + i;
			sv_pool_submit(p, &items[i].work);
		}
		for (uint64_t i = RING; i-- > 0;) {
			assert_ok(sv_pool_wait(p, &items[i].work, &err));
			assert_int_equal(items[i].result, (round + i) * (round + i));
		}
	}
}

/* ---- items that are held up ---- */

struct gate {
	struct sv_work work;
	atomic_bool *open;
	atomic_uint *begun;
};

static int pass_gate(struct sv_work *w, unsigned worker, struct sv_err *err)
{
	struct gate *g = (struct gate *)w;

	(void)worker;
	(void)err;
	atomic_fetch_add(g->begun, 1);
	while (!atomic_load(g->open))
		sched_yield();
	return 0;
}

static void runs_an_item_itself_while_the_workers_are_busy(void **state)
{
	atomic_bool open = false, always = true;
	atomic_uint begun = 0, other = 0;
	struct gate held = {{.run = pass_gate}, &open, &begun};
	struct gate own = {{.run = pass_gate}, &always, &other};
	struct sv_err err = SV_ERR_INIT;
	sv_autopool struct sv_pool *p = sv_pool_new(1, &err);

	(void)state;
	assert_non_null(p);
	sv_pool_submit(p, &held.work);
	while (!atomic_load(&begun))
		sched_yield();
	sv_pool_submit(p, &own.work);
	assert_ok(sv_pool_wait(p, &own.work, &err)); /* would wait for ever otherwise */
	assert_int_equal(atomic_load(&other), 1);
	atomic_store(&open, true);
	assert_ok(sv_pool_wait(p, &held.work, &err));
}

static void ends_with_items_that_nobody_waited_for(void **state)
{
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		struct square items[RING] = {0};
		atomic_uint busy[SV_POOL_THREADS_MAX + 1] = {0};
		struct sv_pool *p = sv_pool_new(2, &err);

		assert_non_null(p);
		for (size_t i = 0; i < RING; i++) {
			items[i] = (struct square){
				.work.run = square, .n = round + i, .busy = busy};
			sv_pool_submit(p, &items[i].work);
		}
		sv_pool_free(p); /* the items' memory goes right after it */
	}
	sv_pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_results_in_the_order_of_submission),
		cmocka_unit_test(hands_over_the_error_of_an_item),
		cmocka_unit_test(waits_for_items_in_any_order),
		cmocka_unit_test(runs_an_item_itself_while_the_workers_are_busy),
		cmocka_unit_test(ends_with_items_that_nobody_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
