/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power is cut, or a call fails, at every single step of each operation of this room that
 * writes. Whatever is left, the original is intact (or comes back), a result is whole or not
 * there, and the next run goes on.
 */
#include "sample.h"

#include "base/num.h"
#include "base/str.h"
#include "extend/extend.h"
#include "host_fault.h"

#define NEW_SIZE (96 * SV_MIB)
#define MACHINE  "Windows 7"
#define RESULT   MACHINE "-extended"

struct cuts {
	const char *machine;  /* folder of the machine that is read, never to be changed */
	const char *original; /* what it must be like */
	struct sample_state *state;
	enum sv_extend_mode mode;
	uint64_t size;
	struct sv_err why; /* of the last failure */
};

struct sample {
	char *machine, *original;
	struct sample_state state;
};

static char wrong_text[1200];

static const char *wrong(const char *what, const struct sv_err *err)
{
	snprintf(wrong_text, sizeof wrong_text, "%s: %s: %s", what, err->path, err->message);
	return wrong_text;
}

/* ---- the operations ---- */

/* In place: of a copy of the machine in dir; else of the machine itself, into dir. */
static int extend(struct sv_host *h, const char *dir, const struct cuts *c, struct sv_err *err)
{
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = sv_allow_new(err);
	SV_CLEANUP(sv_extend_closep) struct sv_extend *x = NULL;
	sv_autofree char *copy = in_dir(dir, MACHINE);
	sv_autofree char *into = in_dir(dir, RESULT);
	bool in_place = c->mode == SV_EXTEND_IN_PLACE;
	struct sv_extend_result result = {0};
	struct sv_extend_request req = {.vm = in_place ? copy : c->machine,
		.to = c->size,
		.into = in_place ? NULL : into,
		.mode = c->mode,
		.no_chkdsk = true,
		.allow = allow};

	if (sv_extend_open(h, &req, NULL, &x, err) < 0 ||
		sv_extend_run(x, NULL, &result, err) < 0)
		return -1;
	sv_extend_result_free(&result);
	return 0;
}

static int roll_back(struct sv_host *h, const char *dir, const char *name, struct sv_err *err)
{
	sv_autofree char *path = in_dir(dir, name);
	sv_autofree char *text = NULL;

	return sv_extend_rollback(h, path, false, NULL, &text, err);
}

/* NULL when the result in dir is sound. */
static const char *look_at_result(const char *dir)
{
	sv_autofree char *path = in_dir(dir, RESULT);
	struct sv_verify_report report = {0};
	struct sv_err err = SV_ERR_INIT;
	const char *text = NULL;

	if (sv_extend_verify(sv_host_posix(), path, false, NULL, &report, &err) < 0)
		return wrong("verify", &err);
	if (report.n_faults) {
		snprintf(wrong_text, sizeof wrong_text, "verify: %s", report.faults[0]);
		text = wrong_text;
	}
	sv_verify_report_free(&report);
	return text;
}

static bool exists(const char *dir, const char *name)
{
	sv_autofree char *path = in_dir(dir, name);

	return access(path, F_OK) == 0;
}

/* ---- a linked or copied result ---- */

static void put_machine(const char *dir, void *user)
{
	struct cuts *c = user;
	sv_autofree char *to = in_dir(dir, MACHINE);

	if (c->mode == SV_EXTEND_IN_PLACE)
		sample_copy(c->original, to);
}

static int work_extend(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	struct cuts *c = user;
	int rc = extend(h, dir, c, &c->why);

	sv_err_copy(err, &c->why);
	return rc;
}

/* NULL when the original is as it was. */
static const char *check_original(const char *dir, const struct cuts *c, const char *but)
{
	sv_autofree char *copy = in_dir(dir, MACHINE);

	if (c->mode == SV_EXTEND_IN_PLACE)
		return sample_differs(c->original, copy, but);
	return sample_untouched(c->machine, c->state) ? NULL : "the original was written to";
}

static const char *check_extend(const char *dir, void *user, bool done)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;
	const char *text = check_original(dir, c, NULL);

	if (text)
		return text;
	if (!done && !*c->why.message)
		return "it failed without a message";
	if (done && !exists(dir, RESULT))
		return "it said it was done, and there is no result";
	if (!exists(dir, RESULT) && extend(sv_host_posix(), dir, c, &err) < 0)
		return wrong("the next run", &err);
	if (exists(dir, RESULT ".partial"))
		return "a .partial folder is left after the next run";
	text = look_at_result(dir);
	if (text)
		return text;
	if (roll_back(sv_host_posix(), dir, RESULT, &err) < 0)
		return wrong("rollback", &err);
	return exists(dir, RESULT) ? "rollback left the folder" : check_original(dir, c, NULL);
}

/* ---- in place ---- */

static const char *check_in_place(const char *dir, void *user, bool done)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;
	const char *text;

	if (roll_back(sv_host_posix(), dir, MACHINE, &err) < 0 &&
		(done || err.code != SV_NOTFOUND))
		return wrong("rollback", &err);
	text = check_original(dir, c, ".sharevm-new");
	if (text)
		return text;
	if (extend(sv_host_posix(), dir, c, &err) < 0)
		return wrong("the next run", &err);
	if (roll_back(sv_host_posix(), dir, MACHINE, &err) < 0)
		return wrong("the next rollback", &err);
	return check_original(dir, c, NULL);
}

/* ---- rollback ---- */

static void put_extended(const char *dir, void *user)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;

	put_machine(dir, user);
	assert_ok(extend(sv_host_posix(), dir, c, &err));
}

static int work_rollback(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	struct cuts *c = user;

	return roll_back(h, dir, c->mode == SV_EXTEND_IN_PLACE ? MACHINE : RESULT, err);
}

static const char *check_rollback(const char *dir, void *user, bool done)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;
	const char *text = check_original(dir, c, NULL);

	if (text)
		return text;
	if (done && exists(dir, RESULT))
		return "it said it was done, and the folder is there";
	if (exists(dir, RESULT) && roll_back(sv_host_posix(), dir, RESULT, &err) < 0)
		return wrong("the next rollback", &err);
	if (extend(sv_host_posix(), dir, c, &err) < 0)
		return wrong("the next extension", &err);
	return exists(dir, RESULT ".partial") ? "a .partial folder is left" : NULL;
}

/* The locks of a rollback that was cut off go with the next one that has something to do. */
static const char *check_rollback_in_place(const char *dir, void *user, bool done)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;
	const char *text;

	if (!done && roll_back(sv_host_posix(), dir, MACHINE, &err) < 0 &&
		err.code != SV_NOTFOUND)
		return wrong("the next rollback", &err);
	text = check_original(dir, c, ".lck");
	if (text)
		return text;
	if (extend(sv_host_posix(), dir, c, &err) < 0)
		return wrong("the next extension", &err);
	if (roll_back(sv_host_posix(), dir, MACHINE, &err) < 0)
		return wrong("its rollback", &err);
	return check_original(dir, c, NULL);
}

/* ---- in place, once more ---- */

#define ONCE "extended once" /* folder: the machine between the two extensions */

static void put_extended_once(const char *dir, void *user)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;
	sv_autofree char *machine = in_dir(dir, MACHINE);
	sv_autofree char *once = in_dir(dir, ONCE);

	put_machine(dir, user);
	c->size = NEW_SIZE / 3 * 2;
	assert_ok(extend(sv_host_posix(), dir, c, &err));
	c->size = NEW_SIZE;
	sample_copy(machine, once);
}

/* NULL when the machine is as it was between the two; the manifest knows the disk's new time.
 */
static const char *check_once(const char *dir)
{
	sv_autofree char *machine = in_dir(dir, MACHINE);
	sv_autofree char *once = in_dir(dir, ONCE);
	sv_autofree char *manifest = NULL;
	char **names;
	size_t n;

	assert_int_equal(sv_host_list(sv_host_posix(), once, &names, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		if (!sv_ends_with(names[i], ".sharevm.json"))
			continue;
		manifest = in_dir(once, names[i]);
		unlink(manifest);
	}
	sv_host_free_names(names, n);
	return manifest ? sample_differs(once, machine, ".sharevm.json")
			: "there was no manifest";
}

/* Each rollback takes one step: to what was between the two, and to the original. */
static const char *check_both_ways_back(const char *dir, void *user, bool done)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;
	const char *text;

	if (done && roll_back(sv_host_posix(), dir, MACHINE, &err) < 0)
		return wrong("rollback", &err);
	text = done ? check_once(dir) : NULL;
	if (text)
		return text;
	while (roll_back(sv_host_posix(), dir, MACHINE, &err) == 0)
		;
	if (err.code != SV_NOTFOUND)
		return wrong("going back", &err);
	return check_original(dir, c, ".sharevm-new");
}

static void put_extended_twice(const char *dir, void *user)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;

	put_extended_once(dir, user);
	assert_ok(extend(sv_host_posix(), dir, c, &err));
}

static const char *check_second_step_back(const char *dir, void *user, bool done)
{
	const char *text = done ? check_once(dir) : NULL;

	return text ? text : check_both_ways_back(dir, user, false);
}

/* ---- flatten ---- */

static int work_flatten(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	sv_autofree char *path = in_dir(dir, RESULT);
	sv_autofree char *text = NULL;

	(void)user;
	return sv_extend_flatten(h, path, NULL, &text, err);
}

static const char *check_flatten(const char *dir, void *user, bool done)
{
	struct cuts *c = user;
	struct sv_err err = SV_ERR_INIT;
	const char *text = look_at_result(dir);

	if (text)
		return text;
	if (!done && work_flatten(sv_host_posix(), dir, user, &err) < 0 && err.code != SV_USAGE)
		return wrong("the next flatten", &err);
	text = look_at_result(dir);
	if (text)
		return text;
	if (roll_back(sv_host_posix(), dir, RESULT, &err) < 0)
		return wrong("rollback", &err);
	return check_original(dir, c, NULL);
}

/* ---- the tests ---- */

static void sweep(void **state, enum sv_extend_mode mode, const struct host_fault_sweep *how)
{
	struct sample *sample = *state;
	struct cuts c = {.machine = sample->machine,
		.original = sample->original,
		.state = &sample->state,
		.mode = mode,
		.size = NEW_SIZE};
	struct host_fault_sweep s = *how;
	uint64_t n;

	s.user = &c;
	s.copy_reflinks = true;
	if (getenv("SHAREVM_SOAK"))
		s.max_cuts = 0;
	n = host_fault_sweep(&s);
	print_message("%llu outcomes looked at\n", (unsigned long long)n);
	assert_true(n > 20);
}

static void leaves_a_linked_result_or_nothing(void **state)
{
	sweep(state, SV_EXTEND_LINKED,
		&(struct host_fault_sweep){
			put_machine, work_extend, check_extend, .seeds = 1, .failures = true});
}

static void leaves_a_copied_result_or_nothing(void **state)
{
	sweep(state, SV_EXTEND_COPY,
		&(struct host_fault_sweep){
			put_machine, work_extend, check_extend, .seeds = 1, .failures = true});
}

static void brings_a_disk_extended_in_place_back(void **state)
{
	sweep(state, SV_EXTEND_IN_PLACE,
		&(struct host_fault_sweep){put_machine, work_extend, check_in_place, .seeds = 3,
			.failures = true});
}

static void deletes_a_folder_whole(void **state)
{
	sweep(state, SV_EXTEND_LINKED,
		&(struct host_fault_sweep){
			put_extended, work_rollback, check_rollback, .seeds = 1});
}

static void puts_old_bytes_back_whole(void **state)
{
	sweep(state, SV_EXTEND_IN_PLACE,
		&(struct host_fault_sweep){
			put_extended, work_rollback, check_rollback_in_place, .seeds = 3});
}

static void keeps_each_step_back_of_a_disk_extended_twice(void **state)
{
	sweep(state, SV_EXTEND_IN_PLACE,
		&(struct host_fault_sweep){put_extended_once, work_extend, check_both_ways_back,
			.seeds = 1, .failures = true});
	sweep(state, SV_EXTEND_IN_PLACE,
		&(struct host_fault_sweep){
			put_extended_twice, work_rollback, check_second_step_back, .seeds = 1});
}

static void flattens_or_goes_on_later(void **state)
{
	sweep(state, SV_EXTEND_LINKED,
		&(struct host_fault_sweep){put_extended, work_flatten, check_flatten,
			.seeds = 1, .max_cuts = 60, .failures = true});
}

int main(void)
{
	static const char *const options[] = {"--small", "--size", "40M", "--files", "30",
		"--fill", "20", "--chain", "1", "--subformat", "monolithicSparse", NULL};
	struct sample sample = {0};
	char *dir;
	int failed;

	/* many thousand flushes: in memory, where the machine has such a folder */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	dir = sample_make(options);
	sample.machine = in_dir(dir, MACHINE);
	sample.original = in_dir(dir, "original");
	sample_copy(sample.machine, sample.original);
	sample_untouched(sample.machine, &sample.state);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(leaves_a_linked_result_or_nothing, &sample),
		cmocka_unit_test_prestate(leaves_a_copied_result_or_nothing, &sample),
		cmocka_unit_test_prestate(brings_a_disk_extended_in_place_back, &sample),
		cmocka_unit_test_prestate(deletes_a_folder_whole, &sample),
		cmocka_unit_test_prestate(puts_old_bytes_back_whole, &sample),
		cmocka_unit_test_prestate(
			keeps_each_step_back_of_a_disk_extended_twice, &sample),
		cmocka_unit_test_prestate(flattens_or_goes_on_later, &sample),
	};
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(sample.machine);
	free(sample.original);
	remove_tree(dir);
	return failed;
}
