/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Locks of our own, as VMware makes them. That VMware's code agrees: tests/blackbox/vm. */
#include "tempdir.h"

#include <signal.h>
#include <sys/wait.h>

#include "vm/lock.h"

struct fixture {
	char *dir, *disk;
	struct sv_computer machine;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = make_temp_dir();
	f->disk = in_dir(f->dir, "a.vmdk");
	sv_machine_look(&f->machine);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->disk);
	remove_tree(f->dir);
	free(f);
	return 0;
}

static int take(struct fixture *f, struct sv_lock **l, struct sv_err *err)
{
	*l = NULL;
	return sv_lock_take(sv_host_posix(), f->disk, &f->machine, l, err);
}

static struct sv_lock_finding look(const struct fixture *f)
{
	struct sv_lock_finding found = {0};

	sv_lock_look(sv_host_posix(), f->disk, &f->machine, &found);
	return found;
}

/* The only name in the lock folder; NULL when there is no folder. */
static char *only_name(const struct fixture *f)
{
	sv_autofree char *folder = sv_format("%s.lck", f->disk);
	char **names, *name;
	size_t n;

	if (!sv_host_exists(sv_host_posix(), folder))
		return NULL;
	assert_int_equal(sv_host_list(sv_host_posix(), folder, &names, &n, NULL), 0);
	assert_int_equal(n, 1);
	name = strdup(names[0]);
	sv_host_free_names(names, n);
	return name;
}

static void put_member(const struct fixture *f, const char *name, int64_t pid, uint64_t start,
	const char *process, uint32_t number)
{
	struct sv_lock_member m = {.pid = pid, .start = start, .number = number};
	sv_autofree char *folder = sv_format("%s.lck", f->disk);
	sv_autofree char *path = sv_format("a.vmdk.lck/%s", name);
	char text[SV_LOCK_MEMBER_SIZE];
	struct sv_err err = SV_ERR_INIT;

	snprintf(m.process, sizeof m.process, "%s", process);
	sv_lock_machine_text(&f->machine, m.machine);
	assert_ok(sv_lock_print(&m, folder, text, &err));
	put_bytes(f->dir, path, text, sizeof text);
}

static struct sv_process parent(void)
{
	struct sv_process p;

	assert_true(sv_process_exists(getppid(), &p));
	return p;
}

/* What open-vm-tools 12.2 wrote for this folder, machine and process. */
static void prints_what_vmware_prints(void **state)
{
	static const char text[SV_LOCK_MEMBER_SIZE] =
		"6HlZAAL8AAAAAQAA 25235-1425668(python3) 1 X 1425668 lc=1712705103";
	static const struct sv_computer machine = {
		.host_name = "vm", .mac = {0x02, 0xfc, 0, 0, 0, 0x01}};
	struct sv_lock_member m = {.pid = 25235,
		.start = 1425668,
		.process = "python3",
		.number = 1,
		.exclusive = true};
	char got[SV_LOCK_MEMBER_SIZE];
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	sv_lock_machine_text(&machine, m.machine);
	assert_ok(sv_lock_print(&m, "/tmp/e2/vt/t.vmdk.lck", got, &err));
	assert_memory_equal(got, text, sizeof text);
}

static void is_there_while_it_is_held_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	sv_autofree char *name = NULL;
	struct sv_lock *l;
	unsigned number;

	assert_ok(take(f, &l, &err));
	name = only_name(f);
	assert_non_null(name);
	assert_int_equal(sscanf(name, "M%5u.lck", &number), 1);
	assert_int_equal(strlen(name), strlen("M12345.lck"));
	/* our own process needs not fear it */
	assert_int_equal(look(f).kind, SV_LOCK_NONE);
	sv_lock_release(l);
	assert_null(only_name(f));
}

/* A child that takes the lock and waits to be killed. */
static pid_t take_in_child(struct fixture *f)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		struct sv_lock *l;

		if (take(f, &l, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void shuts_another_process_out(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	pid_t child = take_in_child(f);
	struct sv_lock *l;

	assert_int_equal(look(f).kind, SV_LOCK_HELD);
	assert_fails(take(f, &l, &err), SV_BUSY, UINT64_MAX);
	assert_non_null(strstr(err.message, "holds it"));
	assert_true(err.hint[0] != 0);
	assert_int_equal(look(f).kind, SV_LOCK_HELD);
	end_child(child);
}

static void a_killed_holder_is_told_as_ours_and_cleared_away(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock *l;

	end_child(take_in_child(f));
	assert_int_equal(look(f).kind, SV_LOCK_STALE_OWN);
	assert_ok(take(f, &l, &err));
	assert_int_equal(look(f).kind, SV_LOCK_NONE);
	sv_lock_release(l);
	assert_null(only_name(f));
}

static void an_entry_that_was_never_finished_is_cleared_away(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock *l;

	put_dir(f->dir, "a.vmdk.lck");
	put_text(f->dir, "a.vmdk.lck/E00007.lck", "");
	assert_ok(take(f, &l, &err));
	sv_lock_release(l);
	assert_null(only_name(f));
}

static void gives_way_to_anybody_else(void **state)
{
	static const struct {
		const char *process;
		uint64_t later;
	} others[] = {{"vmware-vmx", 0}, {"vmware", 0}, {"vmware-vmx", 1}};
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock *l;

	put_dir(f->dir, "a.vmdk.lck");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		/* the last one's process is gone: that is no reason to remove it */
		put_member(f, "M00001.lck", parent().pid, parent().start + others[i].later,
			others[i].process, 1);
		assert_fails(take(f, &l, &err), SV_BUSY, UINT64_MAX);
		assert_string_equal(only_name(f), "M00001.lck");
	}
	put_text(f->dir, "a.vmdk.lck/M00001.lck", "garbage");
	assert_fails(take(f, &l, &err), SV_BUSY, UINT64_MAX);
	assert_string_equal(only_name(f), "M00001.lck");
}

static void gives_way_to_somebody_who_is_entering(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock *l;

	put_dir(f->dir, "a.vmdk.lck");
	put_dir(f->dir, "a.vmdk.lck/D00001.lck");
	assert_fails(take(f, &l, &err), SV_BUSY, UINT64_MAX);
	assert_non_null(strstr(err.message, "about to lock"));
	assert_string_equal(only_name(f), "D00001.lck");
}

static void refuses_a_file_in_the_folders_place(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock *l;

	put_text(f->dir, "a.vmdk.lck", "");
	assert_int_equal(take(f, &l, &err), -1);
	assert_true(err.message[0] != 0);
	assert_true(sv_host_exists(sv_host_posix(), f->disk) == false);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_vmware_prints),
		TEST(is_there_while_it_is_held_and_leaves_nothing),
		TEST(shuts_another_process_out),
		TEST(a_killed_holder_is_told_as_ours_and_cleared_away),
		TEST(an_entry_that_was_never_finished_is_cleared_away),
		TEST(gives_way_to_anybody_else),
		TEST(gives_way_to_somebody_who_is_entering),
		TEST(refuses_a_file_in_the_folders_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
