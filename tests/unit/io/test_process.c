/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tempdir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "io/process.h"

static void knows_itself_and_the_first_process(void **state)
{
	struct sv_process p;

	(void)state;
	assert_true(sv_process_exists(getpid(), &p));
	assert_int_equal(p.pid, getpid());
	assert_true(p.start > 0);
	assert_string_equal(p.name, "test-io_process");
	assert_true(sv_process_exists(1, &p));
}

static void knows_no_process_that_ended_or_never_was(void **state)
{
	struct sv_process p;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(sv_process_exists(pid, &p));
	assert_false(sv_process_exists(0, &p));
	assert_false(sv_process_exists(-1, &p));
	assert_false(sv_process_exists(INT64_C(1) << 40, &p));
}

/* A child that has `path` open until it is killed. Its name would break a careless parser. */
static pid_t child_with_open(const char *path, int flags)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, "a) R 1 (b");
		if (open(path, flags) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static bool find(const char *path, struct sv_process *ret)
{
	struct sv_file_id ids[2] = {{0}};
	struct sv_err err = SV_ERR_INIT;
	struct sv_process_writers *gathered;
	struct sv_process other;
	size_t file = 9;
	struct stat st;
	bool found;

	assert_int_equal(stat(path, &st), 0);
	ids[1] = (struct sv_file_id){st.st_dev, st.st_ino};
	gathered = sv_process_writers_gather(&err);
	assert_ok(gathered ? 0 : -1);
	found = sv_process_writers_find(gathered, ids, 2, &other, &file);
	sv_process_writers_free(gathered);
	assert_int_equal(file, found ? 1 : 9);
	assert_true(sv_process_find_writer(ids, 2, ret, &file) == found);
	if (!found)
		return false;
	assert_int_equal(file, 1);
	assert_int_equal(ret->pid, other.pid);
	return true;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void finds_who_has_a_file_open_for_writing(void **state)
{
	char *dir = make_temp_dir(), *path = in_dir(dir, "disk"),
	     *link = in_dir(dir, "other name");
	struct sv_process p;
	pid_t pid;

	(void)state;
	put_text(dir, "disk", "x");
	assert_false(find(path, &p));
	pid = child_with_open(path, O_RDWR);
	assert_int_equal(symlink(path, link), 0);
	assert_true(find(link, &p));
	assert_int_equal(p.pid, pid);
	assert_string_equal(p.name, "a) R 1 (b");
	assert_true(p.start > 0);
	end(pid);
	assert_false(find(path, &p));
	free(link);
	free(path);
	remove_tree(dir);
}

static void passes_over_readers_and_the_caller_itself(void **state)
{
	char *dir = make_temp_dir(), *path = in_dir(dir, "disk");
	struct sv_process p;
	pid_t pid;
	int fd;

	(void)state;
	put_text(dir, "disk", "x");
	pid = child_with_open(path, O_RDONLY);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_false(find(path, &p));
	close(fd);
	end(pid);
	free(path);
	remove_tree(dir);
}

static void looks_at_the_machine(void **state)
{
	struct sv_computer m;
	char name[256] = "";

	(void)state;
	sv_machine_look(&m);
	assert_int_equal(gethostname(name, sizeof name - 1), 0);
	assert_string_equal(m.host_name, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_itself_and_the_first_process),
		cmocka_unit_test(knows_no_process_that_ended_or_never_was),
		cmocka_unit_test(finds_who_has_a_file_open_for_writing),
		cmocka_unit_test(passes_over_readers_and_the_caller_itself),
		cmocka_unit_test(looks_at_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
