/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The filter of system calls, written by libseccomp (seccomp_rule_add(3)). A call that is not
 * listed gives EPERM. A filter sees a call's numbers and not what its pointers point to: hence
 * clone3 is absent (libc then takes clone, whose flags can be looked at), and the status of a
 * path can be asked for only where the path is empty and a descriptor is meant.
 */
#include "io/sandbox.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What works on descriptors that are held, memory, threads of this process, and time. */
static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64),
	SCMP_SYS(preadv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat),
	SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(gettid), SCMP_SYS(getpid),
	SCMP_SYS(getcwd), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(exit),
	SCMP_SYS(exit_group)};

/* Libraries try these, and go on without. */
static const struct {
	int call, error;
} absent[] = {{SCMP_SYS(open), ENOENT}, {SCMP_SYS(openat), ENOENT}, {SCMP_SYS(openat2), ENOENT},
	{SCMP_SYS(access), ENOENT}, {SCMP_SYS(faccessat), ENOENT},
	{SCMP_SYS(faccessat2), ENOENT}, {SCMP_SYS(stat), ENOENT}, {SCMP_SYS(lstat), ENOENT},
	{SCMP_SYS(readlink), ENOENT}, {SCMP_SYS(readlinkat), ENOENT}, {SCMP_SYS(statx), ENOSYS},
	{SCMP_SYS(clone3), ENOSYS}};

/* No reader calls these, whatever it reads: the process has been taken over. */
static const int deadly[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
	SCMP_SYS(vfork), SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect),
	SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
	SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(personality), SCMP_SYS(modify_ldt)};

static int add_lists(scmp_filter_ctx c)
{
	int rc = 0;

	for (size_t i = 0; i < SV_ARRAY_LEN(allowed) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < SV_ARRAY_LEN(absent) && !rc; i++)
		rc = seccomp_rule_add(
			c, SCMP_ACT_ERRNO((unsigned)absent[i].error), absent[i].call, 0);
	for (size_t i = 0; i < SV_ARRAY_LEN(deadly) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	return rc;
}

/* One argument must have this value under a mask. */
static int add_masked(scmp_filter_ctx c, int call, unsigned arg, uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp cmp = {
		.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};

	return seccomp_rule_add_array(c, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static int add_equal(scmp_filter_ctx c, int call, unsigned arg, uint64_t value)
{
	struct scmp_arg_cmp cmp = {.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value};

	return seccomp_rule_add_array(c, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static int add_above(scmp_filter_ctx c, int call, unsigned arg, uint64_t value)
{
	struct scmp_arg_cmp cmp = {.arg = arg, .op = SCMP_CMP_GT, .datum_a = value};

	return seccomp_rule_add_array(c, SCMP_ACT_ALLOW, call, 1, &cmp);
}

/* Where the value of an argument decides. */
static int add_numbers(scmp_filter_ctx c, int socket)
{
	const uint64_t made = CLONE_THREAD | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID |
			      CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	int rc = add_masked(c, SCMP_SYS(clone), 0, made, CLONE_THREAD);

	rc = rc ? rc : add_masked(c, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
	rc = rc ? rc : add_masked(c, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	/* standard output may be a file of the user's: it is only ever added to */
	rc = rc ? rc : add_above(c, SCMP_SYS(pwrite64), 0, STDERR_FILENO);
	rc = rc ? rc : add_above(c, SCMP_SYS(lseek), 0, STDERR_FILENO);
	rc = rc ? rc : add_equal(c, SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH);
	rc = rc ? rc : add_equal(c, SCMP_SYS(ioctl), 1, TIOCGWINSZ);
	rc = rc ? rc : add_equal(c, SCMP_SYS(ioctl), 1, TCGETS);
	rc = rc ? rc : add_equal(c, SCMP_SYS(fcntl), 1, F_GETFL);
	rc = rc ? rc : add_equal(c, SCMP_SYS(fcntl), 1, F_GETFD);
	rc = rc ? rc : add_equal(c, SCMP_SYS(prctl), 0, PR_SET_NAME);
	rc = rc ? rc : add_equal(c, SCMP_SYS(prctl), 0, PR_SET_VMA); /* glibc names its heap */
	rc = rc ? rc : add_equal(c, SCMP_SYS(prlimit64), 2, 0);      /* asks only */
	rc = rc ? rc : add_equal(c, SCMP_SYS(tgkill), 0, (uint64_t)getpid()); /* abort(3) */
	rc = rc ? rc : add_equal(c, SCMP_SYS(sendmsg), 0, (uint64_t)socket);
	return rc ? rc : add_equal(c, SCMP_SYS(recvmsg), 0, (uint64_t)socket);
}

/* 1 where the kernel, or who started us in a container, has no filters for us. */
static int load(scmp_filter_ctx c, struct sv_err *err)
{
	int rc = seccomp_load(c);

	if (rc == -EINVAL || rc == -ENOSYS || rc == -EPERM || rc == -EACCES)
		return 1;
	return rc ? sv_fail_errno(err, -rc, NULL, "cannot enter the filter of system calls")
		  : 0;
}

int sv_sandbox_filter(int socket, struct sv_err *err)
{
	scmp_filter_ctx c;
	int rc;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return 1;
	c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!c)
		return sv_fail_nomem(err);
	rc = add_lists(c);
	rc = rc ? rc : add_numbers(c, socket);
	if (rc)
		sv_fail_errno(err, -rc, NULL, "cannot write the filter of system calls");
	rc = rc ? -1 : load(c, err);
	seccomp_release(c);
	return rc;
}
