/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything but the filter of system calls: see sandbox.h. Nothing here is undone; what one
 * part lets through another may stop, so each is taken where the kernel has it.
 */
#include "io/sandbox.h"

#include "base/cleanup.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                     \
	__has_feature(thread_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif
#ifndef WITH_SANITIZER
#define WITH_SANITIZER 0
#endif

static void add_missing(struct sv_sandbox *s, const char *what)
{
	size_t n = strlen(s->missing);

	snprintf(s->missing + n, sizeof s->missing - n, "%s%s", n ? ", " : "", what);
}

/* Standard input becomes /dev/null: what a person types is none of a disk's business. */
static int keep_descriptors(int socket, struct sv_err *err)
{
	sv_autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return sv_fail_errno(err, errno, "/dev/null", "cannot open");
	if ((socket > 3 && close_range(3, (unsigned)socket - 1, 0) < 0) ||
		close_range((unsigned)socket + 1, UINT32_MAX, 0) < 0) {
		for (int fd = 3; fd < 1024; fd++) { /* a kernel before 5.9 */
			if (fd != socket)
				close(fd);
		}
	}
	null = -1; /* closed with the others */
	return 0;
}

static int limit(int what, rlim_t most, struct sv_err *err)
{
	struct rlimit now;

	if (getrlimit((unsigned)what, &now) < 0)
		return sv_fail_errno(err, errno, NULL, "cannot ask for a limit");
	if (now.rlim_max == RLIM_INFINITY || now.rlim_max > most)
		now.rlim_max = most;
	if (now.rlim_cur == RLIM_INFINITY || now.rlim_cur > most)
		now.rlim_cur = most;
	if (setrlimit((unsigned)what, &now) < 0)
		return sv_fail_errno(err, errno, NULL, "cannot set a limit");
	return 0;
}

/* A root's worker is root without what makes one. */
static int drop_privileges(struct sv_err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sv_fail_errno(err, errno, NULL, "cannot give up new privileges");
	if (syscall(SYS_capset, &head, none) < 0)
		return sv_fail_errno(err, errno, NULL, "cannot give up privileges");
	return 0;
}

int sv_sandbox_enter(int socket, struct sv_sandbox *ret, struct sv_err *err)
{
	int locked, filtered;

	*ret = (struct sv_sandbox){0};
	if (WITH_SANITIZER) {
		add_missing(ret, "all of it, as this is a build with a sanitizer");
		return 0;
	}
	if (keep_descriptors(socket, err) < 0 || limit(RLIMIT_CORE, 0, err) < 0 ||
		limit(RLIMIT_DATA, SV_SANDBOX_MEMORY, err) < 0 || drop_privileges(err) < 0)
		return -1;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	locked = sv_sandbox_landlock(err);
	filtered = locked < 0 ? -1 : sv_sandbox_filter(socket, err);
	if (filtered < 0)
		return -1;
	ret->filter = !filtered;
	if (filtered)
		add_missing(ret, "a filter of system calls (seccomp)");
	if (locked)
		add_missing(ret, "Landlock");
	return 0;
}
