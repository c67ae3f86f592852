/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All locks of VMware's that writing a disk in place needs. A lock lies beside the name by
 * which the file is opened, and that may be a link: both names are locked.
 */
#include "vm/vm.h"

#include "base/str.h"
#include "vm/lock.h"

#include <string.h>

#define HOLDS_MAX 4

struct sv_vm_hold {
	struct sv_lock *locks[HOLDS_MAX];
	size_t n;
};

static int hold_one(struct sv_vm_hold *h, struct sv_host *host, const char *path,
	const struct sv_computer *machine, struct sv_err *err)
{
	if (sv_lock_take(host, path, machine, &h->locks[h->n], err) < 0)
		return -1;
	h->n++;
	return 0;
}

static int hold_both(struct sv_vm_hold *h, struct sv_host *host, const char *path,
	const struct sv_computer *machine, struct sv_err *err)
{
	sv_autofree char *real = sv_host_real_path(host, path, err);

	if (!real || hold_one(h, host, real, machine, err) < 0)
		return -1;
	return strcmp(real, path) ? hold_one(h, host, path, machine, err) : 0;
}

/* The configuration first, as VMware does. */
static int hold_all(struct sv_vm_hold *h, struct sv_host *host, const struct sv_vm *vm,
	const char *disk, struct sv_err *err)
{
	struct sv_computer machine;

	sv_machine_look(&machine);
	if (vm->vmx && hold_both(h, host, vm->named, &machine, err) < 0)
		return -1;
	if (!vm->vmx && !sv_ends_with_nocase(disk, ".vmdk"))
		return 0;
	return hold_both(h, host, disk, &machine, err);
}

int sv_vm_hold(struct sv_host *host, const struct sv_vm *vm, size_t disk,
	struct sv_vm_hold **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_releasep) struct sv_vm_hold *h = calloc(1, sizeof *h);

	if (!h)
		return sv_fail_nomem(err);
	if (hold_all(h, host, vm, vm->disks[disk].path, err) < 0)
		return -1;
	*ret = SV_STEAL(h);
	return 0;
}

void sv_vm_release(struct sv_vm_hold *h)
{
	while (h && h->n)
		sv_lock_release(h->locks[--h->n]);
	free(h);
}
