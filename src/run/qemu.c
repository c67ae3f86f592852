/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Starting and ending a QEMU process: see qemu.h. QEMU gets its ends of two socket pairs by
 * number (-chardev socket,fd=), so there is no socket in a folder that others could meet, and
 * no waiting for one to appear. fork and not posix_spawn, because only code that runs between
 * fork and exec can ask the kernel that the child die with its parent; that code keeps to
 * async-signal-safe calls.
 */
#include "run/qemu.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OVMF_IMAGE    "/usr/share/ovmf/OVMF.fd"
#define COMPLAINT_MAX 2048
#define ARGS_MAX      48

extern char **environ;

struct sv_qemu {
	pid_t pid; /* 0: not started, or gone */
	int monitor, serial, complaints;
	char *folder;
};

struct args {
	char *list[ARGS_MAX + 1];
	size_t n;
	bool failed;
};

static void args_free(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->list[i]);
}

/* Takes the text over. */
static void args_take(struct args *a, char *text)
{
	if (!text || a->n == ARGS_MAX) {
		a->failed = true;
		free(text);
		return;
	}
	a->list[a->n++] = text;
}

static void args_add(struct args *a, const char *text)
{
	args_take(a, strdup(text));
}

/* QEMU's option syntax ends a value at a comma; a comma of the value is doubled. */
static char *option_value(const char *text)
{
	sv_autostr struct sv_str out = {0};

	for (; *text; text++)
		sv_str_addn(&out, *text == ',' ? ",," : text, *text == ',' ? 2 : 1);
	return sv_str_take(&out);
}

static void add_socket(struct args *a, const char *id, int fd)
{
	args_add(a, "-chardev");
	args_take(a, sv_format("socket,id=%s,fd=%d", id, fd));
}

bool sv_qemu_may_kvm(void)
{
	return access("/dev/kvm", R_OK | W_OK) == 0;
}

/*
 * An old chipset with IDE: every Windows since XP and every Linux has the drivers. The
 * processor has SSE 4.2 and POPCNT, which new guests demand; `enforce` because a KVM inside
 * another machine may offer less, and guests then hang without a word.
 */
static void build_args(
	struct args *a, const struct sv_qemu_opts *o, int monitor_fd, int serial_fd)
{
	static const char *const fixed[] = {SV_QEMU_PROGRAM, "-cpu", "Nehalem,enforce=on",
		"-smp", "1", "-nodefaults", "-no-user-config", "-display", "none", "-vga",
		"std", "-no-reboot", "-nic", "none", "-rtc", "base=localtime"};
	sv_autofree char *path = option_value(o->disk);

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		args_add(a, fixed[i]);
	args_add(a, "-machine");
	args_add(a, o->kvm ? "pc,accel=kvm" : "pc,accel=tcg");
	args_add(a, "-m");
	args_take(a, sv_format("%u", o->memory_mib));
	args_add(a, "-drive");
	args_take(a, path ? sv_format("file=%s,format=%s,if=ide,index=0,media=disk,snapshot=on",
				    path, o->format)
			  : NULL);
	add_socket(a, "monitor", monitor_fd);
	args_add(a, "-mon");
	args_add(a, "chardev=monitor,mode=control");
	add_socket(a, "serial", serial_fd);
	args_add(a, "-serial");
	args_add(a, "chardev:serial");
	if (o->efi) {
		args_add(a, "-bios");
		args_add(a, OVMF_IMAGE);
	}
	a->list[a->n] = NULL;
}

/* TMPDIR is where QEMU keeps what the guest writes to its throw-away overlay. */
static char **build_env(const char *folder, struct args *own)
{
	size_t n = 0, out = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 2, sizeof *env);
	args_take(own, sv_format("TMPDIR=%s", folder));
	if (!env || own->failed) {
		free(env);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!sv_starts_with(environ[i], "TMPDIR="))
			env[out++] = environ[i];
	}
	env[out] = own->list[0];
	return env;
}

struct child_ends {
	int monitor, serial, complaints, report;
};

/* Between fork and exec. Reports errno through the pipe, which exec closes by itself. */
__attribute__((noreturn)) static void child(
	const struct child_ends *e, pid_t parent, char **argv, char **env)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;
	int sys;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid(); /* a Ctrl-C at our terminal is ours to handle */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
		dup2(e->complaints, 2) >= 0 && fcntl(e->monitor, F_SETFD, 0) == 0 &&
		fcntl(e->serial, F_SETFD, 0) == 0) {
		execvpe(argv[0], argv, env);
	}
	sys = errno;
	(void)!write(e->report, &sys, sizeof sys);
	_exit(127);
}

/* Waits until the child has become QEMU, or tells why it could not. */
static int await_exec(int report, struct sv_err *err)
{
	int sys = 0;
	ssize_t n;

	do {
		n = read(report, &sys, sizeof sys);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n == sizeof sys && sys == ENOENT) {
		sv_fail(err, SV_NOTFOUND, SV_QEMU_PROGRAM, "QEMU is not installed");
		return sv_hint(err, "apt-get install qemu-system-x86");
	}
	return sv_fail_errno(
		err, n == sizeof sys ? sys : errno, SV_QEMU_PROGRAM, "cannot start QEMU");
}

static int spawn(struct sv_qemu *q, const struct child_ends *ends, int report_in, char **argv,
	char **env, struct sv_err *err)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return sv_fail_errno(err, errno, SV_QEMU_PROGRAM, "cannot start a process");
	if (pid == 0)
		child(ends, parent, argv, env);
	q->pid = pid;
	close(ends->report);
	return await_exec(report_in, err);
}

static int socket_pair(int *ret_ours, int *ret_theirs, struct sv_err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return sv_fail_errno(err, errno, NULL, "cannot make a socket pair");
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int pipe_pair(int *ret_in, int *ret_out, struct sv_err *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC))
		return sv_fail_errno(err, errno, NULL, "cannot make a pipe");
	*ret_in = pair[0];
	*ret_out = pair[1];
	return 0;
}

static void close_fd(int *fd)
{
	sv_closep(fd);
	*fd = -1;
}

static int start_with_folder(
	struct sv_qemu *q, const struct sv_qemu_opts *opts, struct sv_err *err)
{
	sv_autofd int monitor = -1, serial = -1, complaints = -1, report_in = -1;
	int report_out = -1; /* closed by spawn() */
	SV_CLEANUP(args_free) struct args args = {0}, own_env = {0};
	sv_autofree char **env = build_env(q->folder, &own_env);

	if (!env)
		return sv_fail_nomem(err);
	if (socket_pair(&q->monitor, &monitor, err) || socket_pair(&q->serial, &serial, err) ||
		pipe_pair(&q->complaints, &complaints, err))
		return -1;
	/* both ends: QEMU must not stop because nobody reads what it complains of */
	fcntl(q->complaints, F_SETFL, O_NONBLOCK);
	fcntl(complaints, F_SETFL, O_NONBLOCK);
	build_args(&args, opts, monitor, serial);
	if (args.failed)
		return sv_fail_nomem(err);
	if (pipe_pair(&report_in, &report_out, err))
		return -1;
	return spawn(q,
		&(struct child_ends){.monitor = monitor,
			.serial = serial,
			.complaints = complaints,
			.report = report_out},
		report_in, args.list, env, err);
}

static char *private_folder(struct sv_err *err)
{
	const char *base = getenv("TMPDIR");
	char *path = sv_format("%s/sharevm-run-XXXXXX", base && *base ? base : "/var/tmp");

	if (!path) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (!mkdtemp(path)) {
		sv_fail_errno(
			err, errno, path, "cannot make a folder for QEMU's temporary files");
		free(path);
		return NULL;
	}
	return path;
}

int sv_qemu_start(const struct sv_qemu_opts *opts, struct sv_qemu **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_qemu_killp) struct sv_qemu *q = NULL;

	if (opts->efi && access(OVMF_IMAGE, R_OK)) {
		sv_fail(err, SV_NOTFOUND, OVMF_IMAGE, "the UEFI firmware is not installed");
		return sv_hint(err, "apt-get install ovmf");
	}
	q = calloc(1, sizeof *q);
	if (!q)
		return sv_fail_nomem(err);
	q->monitor = q->serial = q->complaints = -1;
	q->folder = private_folder(err);
	if (!q->folder || start_with_folder(q, opts, err))
		return -1;
	*ret = SV_STEAL(q);
	return 0;
}

static void remove_folder(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
	rmdir(folder);
}

void sv_qemu_kill(struct sv_qemu *q)
{
	if (!q)
		return;
	if (q->pid > 0) {
		kill(q->pid, SIGKILL);
		while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_fd(&q->monitor);
	close_fd(&q->serial);
	close_fd(&q->complaints);
	if (q->folder)
		remove_folder(q->folder);
	free(q->folder);
	free(q);
}

int sv_qemu_monitor(const struct sv_qemu *q)
{
	return q->monitor;
}

int sv_qemu_serial(const struct sv_qemu *q)
{
	return q->serial;
}

const char *sv_qemu_folder(const struct sv_qemu *q)
{
	return q->folder;
}

char *sv_qemu_complaint(struct sv_qemu *q)
{
	char raw[COMPLAINT_MAX];
	ssize_t n = read(q->complaints, raw, sizeof raw - 1);
	sv_autofree char *line = sv_trimmed(raw, n > 0 ? (size_t)n : 0);

	return line ? sv_printable(line) : NULL;
}
