/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deliberate violations: a child shuts itself off as a reader does, and then does the deed. */
#include "tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/num.h"
#include "io/sandbox.h"

static void skip_without_filter(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		struct sv_sandbox s;

		_exit(sv_sandbox_enter(3, &s, NULL) == 0 && s.filter ? 0 : 77);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77) {
		print_message("skip: no seccomp filter in this build or on this kernel\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* How a child ends that enters with one end of a socket and then runs `deed`: the child's exit
 * code is the deed's errno, 0 where it worked; or minus the signal. */
static int end_of(int (*deed)(int socket))
{
	int pair[2], status = 0;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (!pid) {
		struct sv_sandbox s;

		errno = 0;
		if (sv_sandbox_enter(pair[1], &s, NULL) < 0)
			_exit(200);
		errno = 0;
		_exit(deed(pair[1]) < 0 ? errno : 0);
	}
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- deeds ---- */

static int open_passwd(int s)
{
	(void)s;
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int make_file(int s)
{
	(void)s;
	return open("/tmp/sharevm-test-never", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int make_folder(int s)
{
	(void)s;
	return mkdir("/tmp/sharevm-test-never", 0700);
}

static int remove_file(int s)
{
	(void)s;
	return unlink("/etc/passwd");
}

static int look_at_path(int s)
{
	struct stat st;

	(void)s;
	return stat("/etc/passwd", &st);
}

static int overwrite_output(int s)
{
	(void)s;
	return pwrite(STDOUT_FILENO, "x", 1, 0) < 0 ? -1 : 0;
}

static int rewind_output(int s)
{
	(void)s;
	return lseek(STDOUT_FILENO, 0, SEEK_SET) < 0 ? -1 : 0;
}

static int map_code(int s)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)s;
	return p == MAP_FAILED ? -1 : 0;
}

static int kill_parent(int s)
{
	(void)s;
	return kill(getppid(), 0);
}

static int kill_thread_of_parent(int s)
{
	(void)s;
	return (int)syscall(SYS_tgkill, 1, 1, SIGTERM);
}

static int raise_limit(int s)
{
	struct rlimit l = {1, 1};

	(void)s;
	return setrlimit(RLIMIT_NOFILE, &l);
}

static int become_root(int s)
{
	(void)s;
	return setuid(0);
}

static int write_elsewhere(int s)
{
	(void)s;
	return sendto(STDERR_FILENO, "x", 1, 0, NULL, 0) < 0 ? -1 : 0;
}

static int make_process(int s)
{
	(void)s;
	return (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
}

static int run_program(int s)
{
	char *none[] = {NULL};

	(void)s;
	return execve("/bin/true", none, none);
}

static int make_socket(int s)
{
	(void)s;
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int trace_parent(int s)
{
	(void)s;
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int make_namespace(int s)
{
	(void)s;
	return unshare(CLONE_NEWUSER);
}

static const struct {
	const char *what;
	int (*deed)(int socket);
	int end; /* an errno, or minus a signal */
} violations[] = {
	{"opens a file", open_passwd, ENOENT},
	{"makes a file", make_file, ENOENT},
	{"makes a folder", make_folder, EPERM},
	{"removes a file", remove_file, EPERM},
	{"looks at a path", look_at_path, EPERM},
	{"writes into the middle of its output", overwrite_output, EPERM},
	{"goes back in its output", rewind_output, EPERM},
	{"makes memory that can be run", map_code, EPERM},
	{"signals its parent", kill_parent, EPERM},
	{"signals another's thread", kill_thread_of_parent, EPERM},
	{"changes a limit", raise_limit, EPERM},
	{"becomes another user", become_root, EPERM},
	{"sends on another descriptor", write_elsewhere, EPERM},
	{"makes a process", make_process, EPERM},
	{"runs a program", run_program, -SIGSYS},
	{"makes a socket", make_socket, -SIGSYS},
	{"traces its parent", trace_parent, -SIGSYS},
	{"makes a namespace", make_namespace, -SIGSYS},
};

static void stops_every_violation(void **state)
{
	(void)state;
	skip_without_filter();
	for (size_t i = 0; i < SV_ARRAY_LEN(violations); i++) {
		int end = end_of(violations[i].deed);

		/* an old kernel looks at a path by its number, a new one by its descriptor */
		if (end == ENOENT && violations[i].end == EPERM &&
			violations[i].deed == look_at_path)
			continue;
		if (end != violations[i].end)
			fail_msg("who %s ends with %d, not %d", violations[i].what, end,
				violations[i].end);
	}
}

/* The same deeds work where nobody shuts off: the test would see it. */
static void the_deeds_work_elsewhere(void **state)
{
	(void)state;
	assert_true(open_passwd(0) >= 0);
	assert_int_equal(look_at_path(0), 0);
	assert_int_equal(map_code(0), 0);
	assert_int_equal(kill_parent(0), 0);
	assert_true(make_socket(0) >= 0);
}

/* ---- what a reader needs ---- */

static void *answer(void *arg)
{
	return arg;
}

static int use_threads_and_memory(int s)
{
	char *big = malloc(64 << 20);
	pthread_t t;
	void *got = NULL;

	(void)s;
	if (!big || pthread_create(&t, NULL, answer, big))
		return -1;
	memset(big, 1, 64 << 20);
	pthread_join(t, &got);
	return got == big ? 0 : -1;
}

/* A descriptor that comes by the socket can be read by offset. */
static int read_what_is_handed(int s)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char c = 0;
	struct iovec iov = {&c, 1};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control.room};
	int fd;

	if (recvmsg(s, &m, 0) != 1)
		return -1;
	memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
	return pread(fd, &c, 1, 1) == 1 && c == 'b' && lseek(fd, 0, SEEK_END) == 3 ? 0 : -1;
}

static void lets_threads_and_memory_be(void **state)
{
	(void)state;
	skip_without_filter();
	assert_int_equal(end_of(use_threads_and_memory), 0);
}

static void reads_a_descriptor_that_is_handed_over(void **state)
{
	char *dir = make_temp_dir(), *path = in_dir(dir, "f");
	int pair[2], fd, status = 0;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec iov = {(void *)"x", 1};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control.room};
	struct sv_sandbox s;
	pid_t pid;

	(void)state;
	put_text(dir, "f", "abc");
	fd = open(path, O_RDONLY);
	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (!pid)
		_exit(sv_sandbox_enter(pair[1], &s, NULL) < 0 ||
					read_what_is_handed(pair[1]) < 0
				? 1
				: 0);
	assert_int_equal(sendmsg(pair[0], &m, 0), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	free(path);
	remove_tree(dir);
}

static int take_too_much(int s)
{
	(void)s;
	return malloc(SV_SANDBOX_MEMORY + 1) ? 0 : -1;
}

static void caps_the_memory(void **state)
{
	(void)state;
	skip_without_filter();
	assert_int_equal(end_of(take_too_much), ENOMEM);
}

/* Not hidden behind the filter: Landlock by itself. */
static void landlock_alone_lets_nothing_be_opened(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		int rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

		rc = rc ? rc : sv_sandbox_landlock(NULL);
		if (rc)
			_exit(rc > 0 ? 77 : 1);
		_exit(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77) {
		print_message("skip: no Landlock on this kernel\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_every_violation),
		cmocka_unit_test(the_deeds_work_elsewhere),
		cmocka_unit_test(lets_threads_and_memory_be),
		cmocka_unit_test(reads_a_descriptor_that_is_handed_over),
		cmocka_unit_test(caps_the_memory),
		cmocka_unit_test(landlock_alone_lets_nothing_be_opened),
	};

	return cmocka_run_group_tests_name("io/sandbox", tests, NULL, NULL);
}
