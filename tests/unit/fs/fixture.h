/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * File systems for tests, made by other people's tools in a folder that is removed at the
 * end. A test is skipped where a tool is missing.
 */
#ifndef SV_TESTS_FS_FIXTURE_H
#define SV_TESTS_FS_FIXTURE_H

#include "unit.h"

#include "base/str.h"
#include "io/host.h"

#include <unistd.h>

struct fixture {
	char dir[64];
	char image[96]; /* dir/image */
};

/* Runs a shell command made as by printf; the exit status, or -1. */
__attribute__((format(printf, 1, 2))) static inline int run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	return system(command);
}

static inline void need_tool(const char *name)
{
	if (run("command -v %s >/dev/null", name) != 0) {
		print_message("skip: %s is not installed\n", name);
		skip();
	}
}

static inline void fixture_make(struct fixture *f)
{
	snprintf(f->dir, sizeof f->dir, "/tmp/sharevm-test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->image, sizeof f->image, "%s/image", f->dir);
}

static inline void fixture_free(struct fixture *f)
{
	assert_int_equal(run("rm -rf '%s'", f->dir), 0);
}

/* An image of `size` (as truncate(1) reads it) with an NTFS made with these options. */
static inline void fixture_ntfs(struct fixture *f, const char *size, const char *options)
{
	need_tool("mkntfs");
	fixture_make(f);
	assert_int_equal(run("truncate -s %s '%s'", size, f->image), 0);
	assert_int_equal(run("mkntfs -q -Q -F -p 0 -H 0 -S 0 %s '%s' >/dev/null 2>&1", options,
				 f->image),
		0);
}

static inline struct sv_dev *fixture_open(const struct fixture *f, bool writable)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = NULL;

	assert_ok(sv_host_open(sv_host_posix(), f->image,
		writable ? SV_OPEN_WRITE : SV_OPEN_READ, &dev, &err));
	return dev;
}

#endif
