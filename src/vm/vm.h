/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A virtual machine as its hypervisor's configuration describes it: disks, run state with the
 * proof, and the clone of a configuration. Opening writes nothing and takes no lock.
 */
#ifndef SV_VM_VM_H
#define SV_VM_VM_H

#include "image/image.h"
#include "io/host.h"
#include "vm/vmx.h"

enum sv_vm_state {
	SV_VM_OFF,
	SV_VM_RUNNING,
	SV_VM_RUNNING_ELSEWHERE, /* a lock of another machine */
	SV_VM_SUSPENDED,
	SV_VM_MEMORY_SNAPSHOT,
	SV_VM_CRASHED,
	SV_VM_STALE_LOCK, /* same machine, the process is gone */
	SV_VM_CUT_OFF,    /* the same, and it was a sharevm that wrote: also "stale-lock" */
	SV_VM_LOCKED,     /* by another tool */
	SV_VM_UNKNOWN,    /* never treated as off */
};
const char *sv_vm_state_name(enum sv_vm_state s); /* as CLI.md names them */

struct sv_vm_disk {
	char *id;         /* "scsi0:0" */
	char *path;       /* absolute path of the image that the configuration names */
	char *as_written; /* as the configuration names it */
	bool independent_persistent, independent_nonpersistent;
	bool shared;    /* a multi-writer or shared-bus disk */
	bool physical;  /* a raw device */
	bool read_only; /* the configuration opens it for reading only */
	/* An appliance's: why it cannot be opened as it is, and what to do; NULL: it can. */
	char *problem, *remedy;
};

struct sv_vm {
	char *name;
	const char *hypervisor; /* "vmware"; "ovf" for an appliance; "image" for a bare image */
	char *config; /* canonical path of the .vmx, .ovf, .ova; of the image for a bare image
		       */
	char *named;  /* the same as the user named it: absolute, the last link kept */
	char *folder; /* absolute path of the folder it lies in */
	enum sv_vm_state state;
	char *state_reason; /* the proof: "vm.vmx.lck/M12.lck: process 4711 runs"; "" when off
			     */
	char *state_file;   /* absolute path of the file that proves it; "" where none does */
	char *nvram;        /* absolute path of the firmware's variables; "" for none */
	bool encrypted;
	bool has_snapshots;
	bool is_appliance;        /* an .ovf or .ova: a package for transport, only read */
	bool is_template;         /* .vmsd/.vmx say that linked clones depend on it */
	struct sv_vm_disk *disks; /* hard disks only, in the order of their ids */
	size_t n_disks;
	struct sv_vmx *vmx; /* the parsed configuration (vmx.h); NULL where there is no .vmx */
};

/*
 * `path`: a .vmx, an appliance (.ovf or .ova), a disk image, or a folder with exactly one .vmx
 * (Fusion's NAME.vmwarevm too), or no .vmx and one appliance. The disks of an .ova have paths
 * below it: they open through a host that takes archives for folders (io/tar.h). SV_NOTFOUND
 * and SV_USAGE name the candidates. A disk image that a .vmx of its own folder uses has that
 * machine's state, snapshots and children.
 */
int sv_vm_open(struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err);
void sv_vm_close(struct sv_vm *vm);
SV_DEFINE_CLEANUP(struct sv_vm, sv_vm_close)

/* Looks at the locks again (before and after a read that must be of a quiet machine). */
int sv_vm_refresh_state(struct sv_host *host, struct sv_vm *vm, struct sv_err *err);
/* 0 when off; else raises SV_BUSY (in use, suspended: exit 3) with the proof and the remedy
 * for its state. A stale lock is told apart and named with the file to remove. */
int sv_vm_require_off(const struct sv_vm *vm, struct sv_err *err);

/*
 * VMware's locks for writing disk `disk` where it lies: of the configuration, and of the disk
 * where it is a VMDK. SV_BUSY with who has one. Clears away what a sharevm that was killed has
 * left; look at the state again then.
 */
struct sv_vm_hold;
int sv_vm_hold(struct sv_host *host, const struct sv_vm *vm, size_t disk,
	struct sv_vm_hold **ret, struct sv_err *err);
void sv_vm_release(struct sv_vm_hold *h); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_vm_hold, sv_vm_release)

/* ---- clone of a configuration ---- */

struct sv_vm_clone {
	const char *name;         /* displayName of the clone */
	const char *folder;       /* where it will be read from in the end (absolute) */
	const char *const *disks; /* per vm->disks[i]: new value of fileName; NULL keeps it */
	bool new_identity;        /* uuid.action "create", generated MAC and ids dropped */
};

/* `name`, cut at 120 bytes, as a file name with `extension` (".vmx"): what file systems refuse
 * becomes "_". The clone's nvram is called sv_vm_file_name(name, ".nvram"). Caller frees; NULL
 * on NOMEM. */
char *sv_vm_file_name(const char *name, const char *extension);

/*
 * The clone's configuration as text: disk paths replaced, displayName set, snapshots and
 * checkpoint state dropped, uuid.action "keep" (or "create"), nvram renamed to the clone's,
 * relative paths of ISO, floppy, serial and parallel files made absolute. Unknown keys are
 * kept. Refuses (SV_UNSUPPORTED) an encrypted machine. *ret_nvram is the absolute path of the
 * nvram file to copy beside it, "" for none. Caller frees both.
 */
int sv_vm_clone_config(const struct sv_vm *vm, const struct sv_vm_clone *clone, char **ret_text,
	char **ret_nvram, struct sv_err *err);

#endif
