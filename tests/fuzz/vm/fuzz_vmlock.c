/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a member of a lock folder, looked at as sv_lock_look() does: whatever they are,
 * a lock was found, and only a member that is understood can be stale.
 */
#include "vm/lock.h"

#include <stdlib.h>
#include <string.h>

struct fake {
	struct sv_host host;
	const uint8_t *bytes;
	size_t n;
};

static int fake_stat(struct sv_host *h, const char *path, bool follow, struct sv_host_stat *ret,
	struct sv_err *err)
{
	(void)h;
	(void)path;
	(void)follow;
	(void)err;
	*ret = (struct sv_host_stat){.type = SV_HOST_DIR};
	return 0;
}

static int fake_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	(void)h;
	(void)path;
	(void)err;
	*ret = calloc(1, sizeof **ret);
	**ret = strdup("M00001.lck");
	*ret_n = 1;
	return 0;
}

static int fake_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	struct fake *f = (struct fake *)h;

	(void)flags;
	*ret = sv_mem_open(f->bytes, f->n, false, path, err);
	return *ret ? 0 : -1;
}

static const struct sv_host_ops fake_ops = {
	.stat = fake_stat, .list = fake_list, .open = fake_open};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct sv_computer machine = {
		.host_name = "build7",
		.mac = {0x00, 0x0c, 0x29, 0x11, 0x22, 0x33},
		.uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		.has_uuid = true,
	};
	struct fake fake = {{&fake_ops}, bytes, n};
	struct sv_lock_finding found = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock_member m;
	int rc = sv_lock_parse(bytes, n, &m, &err);

	if (rc < 0 && err.code != SV_CORRUPT)
		__builtin_trap();
	sv_lock_look(&fake.host, "/vm/a.vmx", &machine, &found);
	if (found.kind == SV_LOCK_NONE || (rc < 0) != (found.kind == SV_LOCK_UNCLEAR))
		__builtin_trap();
	return 0;
}
