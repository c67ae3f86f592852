/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Landlock with no rule: no file can be opened, made or removed, no TCP port used, no process
 * outside signalled (landlock(7)). The layout is written out here, since the kernel's header of
 * the build may be older than the kernel; the kernel takes a longer struct when what it does
 * not know is zeros, and an older one is told its own rights only.
 */
#include "io/sandbox.h"

#include "base/num.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif
#define CREATE_RULESET_VERSION 1u /* LANDLOCK_CREATE_RULESET_VERSION */

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

/* By the kernel's version of Landlock, from 1 on: how many rights there are of each kind. */
static const struct {
	unsigned fs, net, scoped;
} rights[] = {{13, 0, 0}, {14, 0, 0}, {15, 0, 0}, {15, 2, 0}, {16, 2, 0}, {16, 2, 2}};

static uint64_t bits(unsigned n)
{
	return (UINT64_C(1) << n) - 1;
}

/* The struct as that version knows it. */
static size_t size_of(const struct ruleset_attr *a)
{
	return a->scoped ? 24 : a->net ? 16 : 8;
}

int sv_sandbox_landlock(struct sv_err *err)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);
	struct ruleset_attr a;
	long fd, rc;
	size_t i;

	if (version < 1)
		return 1;
	i = SV_MIN((size_t)version, SV_ARRAY_LEN(rights)) - 1;
	a = (struct ruleset_attr){
		bits(rights[i].fs), bits(rights[i].net), bits(rights[i].scoped)};
	fd = syscall(SYS_landlock_create_ruleset, &a, size_of(&a), 0u);
	if (fd < 0)
		return sv_fail_errno(err, errno, NULL, "cannot ask Landlock for a ruleset");
	rc = syscall(SYS_landlock_restrict_self, (int)fd, 0u);
	if (rc < 0)
		sv_fail_errno(err, errno, NULL, "cannot enter Landlock");
	close((int)fd);
	return rc < 0 ? -1 : 0;
}
