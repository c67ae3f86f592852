/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The clone of a .vmx. Unknown keys are kept; what ties a configuration to its folder, to its
 * snapshots or to a run of the machine is replaced or dropped. Which keys these are: VMware's
 * manuals ("Moving and sharing virtual machines") and public .vmx files.
 */
#include "vm/parts.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FILE_NAME_MAX 120 /* bytes of a machine's name in a file name */

/* A name may be as long as a person likes, a file name 255 bytes with all that is added to it.
 * Cut between two UTF-8 characters. */
static size_t cut_length(const char *name)
{
	size_t n = strnlen(name, FILE_NAME_MAX + 1);

	if (n <= FILE_NAME_MAX)
		return n;
	for (n = FILE_NAME_MAX; n && (name[n] & 0xC0) == 0x80;)
		n--;
	return n;
}

char *sv_vm_file_name(const char *name, const char *extension)
{
	char *file = *name ? sv_format("%.*s%s", (int)cut_length(name), name, extension)
			   : sv_format("machine%s", extension);

	for (char *p = file; p && *p; p++) {
		/* a leading dot would hide it, the others Windows or a path cannot hold */
		if ((unsigned char)*p < 0x20 || strchr("/\\:*?\"<>|\x7f", *p) ||
			(p == file && *p == '.'))
			*p = '_';
	}
	return file;
}

/* "ethernet0.address" against "ethernet#.address": # stands for digits, * at the end for
 * anything. Without case. */
static bool matches(const char *name, const char *pattern)
{
	for (; *pattern; pattern++) {
		if (*pattern == '*')
			return true;
		if (*pattern == '#') {
			size_t digits = strspn(name, "0123456789");

			if (!digits)
				return false;
			name += digits;
		} else if (tolower((unsigned char)*name++) != tolower((unsigned char)*pattern))
			return false;
	}
	return !*name;
}

static bool matches_any(const char *name, const char *const *patterns)
{
	for (; *patterns; patterns++) {
		if (matches(name, *patterns))
			return true;
	}
	return false;
}

/* Of one run or one place: snapshots, saved states, swap and statistics files, where snapshots
 * are written, a template's mark, the team file. */
static const char *const dropped[] = {"checkpoint.vmState*", "snapshot#.*", "snapshot.current",
	"snapshot.numSnapshots", "snapshot.lastUID", "sched.swap.derivedName", "sched.swap.dir",
	"migrate.*", "vmxstats.filename", "log.fileName", "vmx.log.filename", "workingDir",
	"extendedConfigFile", "templateVM", "replay.filename", NULL};

/* What tells the machine apart from others; VMware makes new ones. */
static const char *const identity[] = {"uuid.bios", "uuid.location", "vc.uuid", "vm.genid",
	"vm.genidX", "ethernet#.generatedAddress", "ethernet#.generatedAddressOffset",
	"scsi#.sasWWID", "vmci#.id", NULL};

static void drop(struct sv_vmx *vmx, const char *const *patterns)
{
	const char *name, *value;

	for (size_t pos = 0; sv_vmx_next(vmx, &pos, &name, &value);) {
		if (matches_any(name, patterns))
			sv_vmx_remove(vmx, name);
	}
}

/* ---- paths ---- */

/* Is it a file that is looked up in the configuration's folder? Disks are not meant, nor the
 * host's own drives and ports. */
static bool is_file_key(const struct sv_vmx *vmx, const char *name, const char *value)
{
	static const char *const ports[] = {
		"floppy#.fileName", "serial#.fileName", "parallel#.fileName", NULL};
	static const char *const roms[] = {"bios440.filename", "efi32.filename",
		"efi64.filename", "acpi.addtable.filename", NULL};
	int device = (int)strcspn(name, ".");
	struct sv_vm_slot slot;
	const char *key = sv_vm_slot_parse(name, &slot), *type;

	if (key) {
		type = sv_vmx_getf(vmx, "%.*s.deviceType", device, name);
		return strcasecmp(key, ".fileName") == 0 &&
		       (type ? strcasecmp(type, "cdrom-image") == 0
			     : sv_ends_with_nocase(value, ".iso"));
	}
	if (!matches_any(name, ports))
		return matches_any(name, roms);
	type = sv_vmx_getf(vmx, "%.*s.fileType", device, name);
	return type && strcasecmp(type, "file") == 0;
}

static int make_absolute(
	const struct sv_vm *vm, struct sv_vmx *vmx, const char *name, struct sv_err *err)
{
	sv_autofree char *text = sv_vmx_get_text(vmx, name);
	sv_autofree char *path = NULL;

	if (!text)
		return sv_fail_nomem(err);
	if (!*text || strcasecmp(text, "auto detect") == 0 || sv_path_is_absolute(text))
		return 0;
	path = sv_path_join(vm->folder, text);
	return path ? sv_vmx_set_text(vmx, name, path, err) : sv_fail_nomem(err);
}

static int make_all_absolute(const struct sv_vm *vm, struct sv_vmx *vmx, struct sv_err *err)
{
	const char *name, *value;

	for (size_t pos = 0; sv_vmx_next(vmx, &pos, &name, &value);) {
		if (is_file_key(vmx, name, value) && make_absolute(vm, vmx, name, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the disks ---- */

static int set_disk(
	const struct sv_vm_disk *disk, const char *file, struct sv_vmx *vmx, struct sv_err *err)
{
	char name[64];

	snprintf(name, sizeof name, "%s.fileName", disk->id);
	/* a disk that stays where it is must be found from the clone's folder too */
	if (sv_vmx_set_text(vmx, name, file ? file : disk->path, err) < 0)
		return -1;
	snprintf(name, sizeof name, "%s.redo", disk->id);
	return sv_vmx_has(vmx, name) ? sv_vmx_set(vmx, name, "", err) : 0;
}

static int set_disks(const struct sv_vm *vm, const struct sv_vm_clone *clone,
	struct sv_vmx *vmx, struct sv_err *err)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		const char *file = clone->disks ? clone->disks[i] : NULL;

		if (set_disk(&vm->disks[i], file, vmx, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the firmware's variables ---- */

static int set_nvram(const struct sv_vm *vm, const struct sv_vm_clone *clone,
	struct sv_vmx *vmx, char **ret_nvram, struct sv_err *err)
{
	sv_autofree char *fresh = sv_vm_file_name(clone->name, ".nvram");
	sv_autofree char *old = strdup(vm->nvram);

	if (!fresh || !old)
		return sv_fail_nomem(err);
	if ((*old || sv_vmx_has(vmx, "nvram")) && sv_vmx_set_text(vmx, "nvram", fresh, err) < 0)
		return -1;
	*ret_nvram = SV_STEAL(old);
	return 0;
}

/* ---- the call ---- */

static int refuse(const struct sv_vm *vm, struct sv_err *err)
{
	if (!vm->vmx)
		return sv_fail(err, SV_INTERNAL, vm->config,
			"a disk image has no configuration to clone");
	if (!vm->encrypted)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, vm->config, "the machine is encrypted");
	return sv_hint(err,
		"remove its vTPM and its encryption in VMware's settings of the machine "
		"(Access Control), then try again");
}

static int edit(const struct sv_vm *vm, const struct sv_vm_clone *clone, struct sv_vmx *vmx,
	char **ret_nvram, struct sv_err *err)
{
	drop(vmx, dropped);
	if (clone->new_identity)
		drop(vmx, identity);
	if (make_all_absolute(vm, vmx, err) < 0 || set_disks(vm, clone, vmx, err) < 0 ||
		sv_vmx_set_text(vmx, "displayName", clone->name, err) < 0 ||
		sv_vmx_set(vmx, "uuid.action", clone->new_identity ? "create" : "keep", err) <
			0)
		return -1;
	return set_nvram(vm, clone, vmx, ret_nvram, err);
}

int sv_vm_clone_config(const struct sv_vm *vm, const struct sv_vm_clone *clone, char **ret_text,
	char **ret_nvram, struct sv_err *err)
{
	SV_CLEANUP(sv_vmx_freep) struct sv_vmx *vmx = NULL;
	sv_autofree char *nvram = NULL;
	char *text;

	if (refuse(vm, err) < 0)
		return -1;
	vmx = sv_vmx_copy(vm->vmx, err);
	if (!vmx || edit(vm, clone, vmx, &nvram, err) < 0)
		return sv_err_path(err, vm->config);
	text = sv_vmx_print(vmx, NULL, err);
	if (!text)
		return -1;
	*ret_text = text;
	*ret_nvram = SV_STEAL(nvram);
	return 0;
}
