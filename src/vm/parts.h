/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this room share among themselves. */
#ifndef SV_VM_PARTS_H
#define SV_VM_PARTS_H

#include "vm/vm.h"

#define SV_VM_DISKS_MAX 1024 /* VMware: 4 SCSI x 64 + 4 SATA x 30 + 4 NVMe x 64 + 4 IDE */

/* A device name of a .vmx: "scsi0:1" of "scsi0:1.fileName". */
struct sv_vm_slot {
	char bus[8]; /* "ide", "nvme", "sata", "scsi" */
	unsigned controller, unit;
};
/* Reads the slot in front of the last part of a name (".present"); gives that part, NULL where
 * the name is no slot's. */
const char *sv_vm_slot_parse(const char *name, struct sv_vm_slot *ret);
/* Is the device in the slot there and a hard disk (not a CD drive, tape or nothing)? */
bool sv_vm_slot_is_disk(const struct sv_vmx *vmx, const struct sv_vm_slot *slot);

/* disks.c: fills vm->disks from vm->vmx. */
int sv_vm_collect_disks(struct sv_host *host, struct sv_vm *vm, struct sv_err *err);
void sv_vm_free_disks(struct sv_vm *vm);

/* disks.c: the host path of the file that a key names. NULL where the key is absent, or on
 * NOMEM. Caller frees. */
char *sv_vm_resolve(struct sv_host *host, const struct sv_vm *vm, const char *key);

/* open.c: opens a .vmx without looking at its state. */
int sv_vm_open_config(
	struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err);

/* open.c: sv_vm_open() without a look at the state. */
int sv_vm_describe(
	struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err);
/* Is it, by its name, a configuration that can be opened? */
bool sv_vm_is_config(const char *path);

/* open.c: a machine with the paths that each has. */
struct sv_vm *sv_vm_new(
	struct sv_host *host, const char *path, const char *hypervisor, struct sv_err *err);

/* appliance.c: is it an .ovf or .ova by its name, and what it holds. */
bool sv_vm_is_appliance(const char *path);
int sv_vm_open_appliance(
	struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err);

/* Length of the name without its extension. */
size_t sv_vm_stem(const char *name);
/* Does `name` belong to `file` ("Win.vmx", "Win.vmdk")? Win.vmss, Win-flat.vmdk, Win-1f.vmem
 * do, Windows.vmdk does not. */
bool sv_vm_is_sibling(const char *name, const char *file);

#endif
