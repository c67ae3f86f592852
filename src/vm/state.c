/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is the machine off? VMware's locks, then who has the disks open for writing, then what a
 * suspended or crashed machine leaves behind. The gravest finding counts; what cannot be found
 * out is SV_VM_UNKNOWN and never off. Everything is looked at anew on each call.
 */
#include "vm/parts.h"

#include "base/num.h"
#include "base/str.h"
#include "io/process.h"
#include "vm/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WATCHED_MAX 4096 /* files of the disks that are looked for among open files */

static const struct {
	enum sv_vm_state state;
	const char *name;
	const char *remedy; /* with %s: the file of the proof; of SV_VM_CUT_OFF the machine */
} states[] = {
	{SV_VM_OFF, "off", ""},
	{SV_VM_RUNNING, "running", "shut the machine down, then try again"},
	{SV_VM_RUNNING_ELSEWHERE, "running-elsewhere",
		"shut the machine down on the computer that runs it; if none does, delete %s"},
	{SV_VM_SUSPENDED, "suspended", "resume the machine and shut it down, then try again"},
	{SV_VM_MEMORY_SNAPSHOT, "has-memory-snapshot",
		"start the machine from its snapshot and shut it down, then try again"},
	{SV_VM_CRASHED, "crashed",
		"start the machine and shut it down; if it is shut down already, delete %s"},
	{SV_VM_STALE_LOCK, "stale-lock",
		"if no program uses the machine, delete %s, then try again"},
	{SV_VM_CUT_OFF, "stale-lock", "bring the machine back: sharevm rollback '%s'"},
	{SV_VM_LOCKED, "locked",
		"close the machine in the program that has it open, then try again"},
	{SV_VM_UNKNOWN, "unknown",
		"see that nobody uses the machine and that %s can be read, then try again"},
};

const char *sv_vm_state_name(enum sv_vm_state s)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(states); i++) {
		if (states[i].state == s)
			return states[i].name;
	}
	return "unknown";
}

/* What was found so far. Allocation failures end in SV_VM_UNKNOWN. */
struct finding {
	enum sv_vm_state state;
	char file[512];
	char reason[512];
};

/* From harmless to grave. */
static int gravity(enum sv_vm_state s)
{
	static const enum sv_vm_state order[] = {SV_VM_OFF, SV_VM_CUT_OFF, SV_VM_CRASHED,
		SV_VM_STALE_LOCK, SV_VM_LOCKED, SV_VM_MEMORY_SNAPSHOT, SV_VM_SUSPENDED,
		SV_VM_UNKNOWN, SV_VM_RUNNING_ELSEWHERE, SV_VM_RUNNING};

	for (int i = 0; i < (int)SV_ARRAY_LEN(order); i++) {
		if (order[i] == s)
			return i;
	}
	return 0;
}

__attribute__((format(printf, 4, 5))) static void report(
	struct finding *f, enum sv_vm_state state, const char *file, const char *fmt, ...)
{
	va_list ap;

	if (gravity(state) <= gravity(f->state))
		return;
	f->state = state;
	snprintf(f->file, sizeof f->file, "%s", file);
	va_start(ap, fmt);
	vsnprintf(f->reason, sizeof f->reason, fmt, ap);
	va_end(ap);
}

/* ---- VMware's locks ---- */

static void look_at_lock(struct sv_host *host, const char *path,
	const struct sv_computer *machine, struct finding *f)
{
	static const enum sv_vm_state meaning[] = {
		[SV_LOCK_NONE] = SV_VM_OFF,
		[SV_LOCK_STALE_OWN] = SV_VM_CUT_OFF,
		[SV_LOCK_STALE] = SV_VM_STALE_LOCK,
		[SV_LOCK_WINDOW] = SV_VM_LOCKED,
		[SV_LOCK_ELSEWHERE] = SV_VM_RUNNING_ELSEWHERE,
		[SV_LOCK_UNCLEAR] = SV_VM_UNKNOWN,
		[SV_LOCK_HELD] = SV_VM_RUNNING,
	};
	struct sv_lock_finding lock = {0};

	sv_lock_look(host, path, machine, &lock);
	if (lock.kind != SV_LOCK_NONE)
		report(f, meaning[lock.kind], lock.file, "%s: %s", lock.file, lock.reason);
}

/* A lock lies beside the name by which the file was opened, and that may be a link. */
static void look_at_locks(struct sv_host *host, const char *path,
	const struct sv_computer *machine, struct finding *f)
{
	sv_autofree char *real = sv_host_real_path(host, path, NULL);

	look_at_lock(host, path, machine, f);
	if (real && strcmp(real, path) != 0)
		look_at_lock(host, real, machine, f);
}

/* ---- who has it open ---- */

struct watched {
	char *paths[WATCHED_MAX];
	struct sv_file_id ids[WATCHED_MAX];
	size_t n;
};

static void free_watched(struct watched *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->paths[i]);
	free(w);
}

static void watch(struct sv_host *host, struct watched *w, const char *path)
{
	struct sv_host_stat st;

	if (w->n == WATCHED_MAX || sv_host_stat(host, path, &st, NULL) < 0)
		return;
	w->paths[w->n] = strdup(path);
	if (!w->paths[w->n])
		return;
	w->ids[w->n++] = (struct sv_file_id){st.dev, st.ino};
}

/* The disk's own file, and the extents that lie beside it. */
static void watch_disk(struct sv_host *host, struct watched *w, const char *path)
{
	sv_autofree char *folder = sv_path_dir(path);
	char **names = NULL;
	size_t n = 0;

	watch(host, w, path);
	if (!folder || sv_host_list(host, folder, &names, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *extent = sv_path_join(folder, names[i]);

		if (extent && strcmp(names[i], sv_path_base(path)) != 0 &&
			sv_ends_with_nocase(names[i], ".vmdk") &&
			sv_vm_is_sibling(names[i], sv_path_base(path)))
			watch(host, w, extent);
	}
	sv_host_free_names(names, n);
}

/* vmware-vmx, qemu-system-x86_64, VBoxHeadless: such a process runs the machine */
static bool is_hypervisor(const char *process)
{
	return sv_starts_with(process, "vmware") || sv_starts_with(process, "qemu-system") ||
	       sv_starts_with(process, "kvm") || sv_starts_with(process, "VBox") ||
	       sv_starts_with(process, "VirtualBox");
}

static void look_at_disks(struct sv_host *host, const struct sv_vm *vm,
	const struct sv_computer *machine, struct finding *f)
{
	struct watched *w = calloc(1, sizeof *w);
	struct sv_process p;
	size_t i;

	if (!w) {
		report(f, SV_VM_UNKNOWN, vm->config, "out of memory");
		return;
	}
	watch(host, w, vm->config);
	for (i = 0; i < vm->n_disks; i++)
		watch_disk(host, w, vm->disks[i].path);
	for (i = 0; i < w->n; i++)
		look_at_locks(host, w->paths[i], machine, f);
	if (sv_host_find_writer(host, w->ids, w->n, &p, &i))
		report(f, is_hypervisor(p.name) ? SV_VM_RUNNING : SV_VM_LOCKED, w->paths[i],
			"%s: process %" PRId64 " (%s) has it open for writing", w->paths[i],
			p.pid, p.name);
	free_watched(w);
}

/* ---- what lies in the folder ---- */

struct folder {
	char **names;
	size_t n;
	size_t n_configs; /* .vmx files: how many machines lie here */
};

static bool exists(const struct folder *d, const char *stem, size_t stem_n, const char *ext)
{
	for (size_t i = 0; i < d->n; i++) {
		if (strlen(d->names[i]) == stem_n + strlen(ext) &&
			strncmp(d->names[i], stem, stem_n) == 0 &&
			strcasecmp(d->names[i] + stem_n, ext) == 0)
			return true;
	}
	return false;
}

/* Is it a suspended state or a memory file of this machine? VMware for Linux calls the memory
 * file by a UUID ("564d....vmem"): it is told by its folder, if that has one machine only. */
static bool is_own(const struct folder *d, const struct sv_vm *vm, const char *name)
{
	return sv_vm_is_sibling(name, sv_path_base(vm->config)) || d->n_configs < 2;
}

static void look_at_name(struct sv_host *host, const struct sv_vm *vm, const struct folder *d,
	const char *name, const struct sv_computer *machine, struct finding *f)
{
	sv_autofree char *path = sv_path_join(vm->folder, name);
	size_t stem = sv_vm_stem(name);

	if (!path)
		report(f, SV_VM_UNKNOWN, vm->folder, "out of memory");
	else if (sv_ends_with_nocase(name, ".vmem.lck")) {
		path[strlen(path) - strlen(".lck")] = 0;
		look_at_lock(host, path, machine, f);
	} else if (!is_own(d, vm, name))
		return;
	else if (sv_ends_with_nocase(name, ".vmss"))
		report(f, SV_VM_SUSPENDED, path,
			"%s: a saved state, to be deleted if the machine is shut down", path);
	else if (sv_ends_with_nocase(name, ".vmem") && !exists(d, name, stem, ".vmsn") &&
		 !exists(d, name, stem, ".vmss"))
		report(f, SV_VM_CRASHED, path,
			"%s: the memory of a machine that was not shut down", path);
}

static void look_into_folder(struct sv_host *host, const struct sv_vm *vm,
	const struct sv_computer *machine, struct finding *f)
{
	struct sv_err err = SV_ERR_INIT;
	struct folder d = {0};

	if (sv_host_list(host, vm->folder, &d.names, &d.n, &err) < 0) {
		report(f, SV_VM_UNKNOWN, vm->folder, "%s: %s", vm->folder, err.message);
		return;
	}
	for (size_t i = 0; i < d.n; i++)
		d.n_configs += sv_ends_with_nocase(d.names[i], ".vmx");
	for (size_t i = 0; i < d.n; i++)
		look_at_name(host, vm, &d, d.names[i], machine, f);
	sv_host_free_names(d.names, d.n);
}

static void look_at_checkpoint(const struct sv_vm *vm, struct finding *f)
{
	const char *file = sv_vmx_get(vm->vmx, "checkpoint.vmState");

	if (!file || !*file)
		return;
	/* a machine that was reverted to a snapshot with memory resumes from the snapshot */
	if (sv_ends_with_nocase(file, ".vmsn"))
		report(f, SV_VM_MEMORY_SNAPSHOT, vm->config,
			"%s: it would resume the memory of %s", vm->config, file);
	else
		report(f, SV_VM_SUSPENDED, vm->config, "%s: it is suspended to %s", vm->config,
			file);
}

static void look_at_machine(struct sv_host *host, const struct sv_vm *vm,
	const struct sv_computer *machine, struct finding *f)
{
	look_at_locks(host, vm->config, machine, f);
	if (strcmp(vm->named, vm->config) != 0)
		look_at_lock(host, vm->named, machine, f);
	look_at_disks(host, vm, machine, f);
	if (!vm->vmx)
		return;
	look_at_checkpoint(vm, f);
	look_into_folder(host, vm, machine, f);
}

/* ---- a bare image, and the machine that uses it ---- */

/* Is `disk` the image, or a snapshot ("Win-000001.vmdk") of it in the same folder? */
static bool stands_on(const struct sv_vm *image, const char *disk)
{
	const char *name = sv_path_base(disk), *base = sv_path_base(image->config);
	size_t stem = sv_vm_stem(base);

	if (strcmp(disk, image->config) == 0 || strcmp(name, base) == 0)
		return true;
	return strncmp(name, base, stem) == 0 && name[stem] == '-' &&
	       strspn(name + stem + 1, "0123456789") == 6 && name[stem + 7] == '.';
}

static bool uses(const struct sv_vm *machine, const struct sv_vm *image)
{
	for (size_t i = 0; i < machine->n_disks; i++) {
		if (stands_on(image, machine->disks[i].path))
			return true;
	}
	return false;
}

static void look_at_owner(struct sv_host *host, struct sv_vm *image, const char *config,
	const struct sv_computer *machine, struct finding *f)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *owner = NULL;

	/* a broken neighbour is no reason to refuse an image */
	if (sv_vm_open_config(host, config, &owner, NULL) < 0 || !uses(owner, image))
		return;
	look_at_machine(host, owner, machine, f);
	image->has_snapshots |= owner->has_snapshots;
	image->is_template |= owner->is_template;
	image->encrypted |= owner->encrypted;
}

static void look_at_owners(struct sv_host *host, struct sv_vm *image,
	const struct sv_computer *machine, struct finding *f)
{
	char **names = NULL;
	size_t n = 0;

	if (sv_host_list(host, image->folder, &names, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *path = sv_path_join(image->folder, names[i]);

		if (path && sv_ends_with_nocase(names[i], ".vmx"))
			look_at_owner(host, image, path, machine, f);
	}
	sv_host_free_names(names, n);
}

/* ---- the calls ---- */

int sv_vm_refresh_state(struct sv_host *host, struct sv_vm *vm, struct sv_err *err)
{
	struct sv_computer machine;
	struct finding f = {.state = SV_VM_OFF};
	sv_autofree char *reason = NULL;
	sv_autofree char *file = NULL;

	sv_host_look_at_computer(host, &machine);
	look_at_machine(host, vm, &machine, &f);
	if (!vm->vmx)
		look_at_owners(host, vm, &machine, &f);
	reason = strdup(f.reason);
	file = strdup(f.file);
	if (!reason || !file)
		return sv_fail_nomem(err);
	free(vm->state_reason);
	free(vm->state_file);
	vm->state = f.state;
	vm->state_reason = SV_STEAL(reason);
	vm->state_file = SV_STEAL(file);
	return 0;
}

static const char *what_it_is(enum sv_vm_state s)
{
	switch (s) {
	case SV_VM_RUNNING:
		return "the machine runs";
	case SV_VM_RUNNING_ELSEWHERE:
		return "the machine is in use by another computer";
	case SV_VM_SUSPENDED:
		return "the machine is suspended";
	case SV_VM_MEMORY_SNAPSHOT:
		return "the machine was put back to a snapshot with memory";
	case SV_VM_CRASHED:
		return "the machine crashed";
	case SV_VM_STALE_LOCK:
		return "the machine has a stale lock";
	case SV_VM_CUT_OFF:
		return "sharevm was cut off while it changed the machine";
	case SV_VM_LOCKED:
		return "another program has the machine open";
	case SV_VM_OFF:
	case SV_VM_UNKNOWN:
		break;
	}
	return "whether the machine is off cannot be found out";
}

int sv_vm_require_off(const struct sv_vm *vm, struct sv_err *err)
{
	const char *file =
		vm->state_file[0] && vm->state != SV_VM_CUT_OFF ? vm->state_file : vm->config;

	if (vm->state == SV_VM_OFF)
		return 0;
	sv_fail(err, SV_BUSY, vm->config, "%s (%s)", what_it_is(vm->state), vm->state_reason);
	for (size_t i = 0; i < SV_ARRAY_LEN(states); i++) {
		const char *remedy = states[i].remedy, *at = strstr(remedy, "%s");

		if (states[i].state != vm->state)
			continue;
		if (!at)
			return sv_hint(err, "%s", remedy);
		return sv_hint(err, "%.*s%s%s", (int)(at - remedy), remedy, file, at + 2);
	}
	return -1;
}
