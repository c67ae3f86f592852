/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From what a person names to a machine: a .vmx, an appliance, a folder that holds one, or a
 * disk image.
 */
#include "vm/parts.h"

#include "base/num.h"
#include "base/str.h"
#include "image/image.h"
#include "vm/vmsd.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CANDIDATES_SHOWN 8
#define NAME_ONE                                                                               \
	"name a .vmx, an .ovf or .ova, a folder that holds one of them, or a disk image"

/* ---- names ---- */

size_t sv_vm_stem(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot != name ? (size_t)(dot - name) : strlen(name);
}

bool sv_vm_is_sibling(const char *name, const char *file)
{
	size_t stem = sv_vm_stem(file);

	return strncmp(name, file, stem) == 0 && (name[stem] == '.' || name[stem] == '-');
}

/* The canonical path of the folder, and the last component as it was named. */
static char *absolute_name(struct sv_host *host, const char *path, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);
	sv_autofree char *real = dir ? sv_host_real_path(host, dir, err) : NULL;
	char *name = real ? sv_path_join(real, sv_path_base(path)) : NULL;

	if (!dir || (real && !name))
		sv_fail_nomem(err);
	return name;
}

/* ---- a .vmx ---- */

static bool is_encrypted(const struct sv_vmx *vmx)
{
	/* partial encryption (a vTPM's) has the same keys as full encryption */
	return sv_vmx_has(vmx, "encryption.keySafe") || sv_vmx_has(vmx, "encryption.data") ||
	       sv_vmx_has(vmx, "encryptedVM.guid") || sv_vmx_is_true(vmx, "vtpm.present");
}

/* A clone whose path is one of this host and that is gone no longer depends on anything; of
 * another system's path nothing can be said. */
static bool may_exist(struct sv_host *host, const char *clone)
{
	return clone[0] != '/' || sv_host_exists(host, clone);
}

static int read_vmsd(struct sv_host *host, struct sv_vm *vm, struct sv_err *err)
{
	const char *base = sv_path_base(vm->config);
	sv_autofree char *path =
		sv_format("%s/%.*s.vmsd", vm->folder, (int)sv_vm_stem(base), base);
	sv_autofree char *text = NULL;
	struct sv_vmsd vmsd = {0};
	size_t n = 0;
	int rc;

	if (!path)
		return sv_fail_nomem(err);
	if (!sv_host_exists(host, path))
		return 0;
	text = sv_host_read_file(host, path, SV_VMX_SIZE_MAX, &n, err);
	if (!text)
		return -1;
	rc = sv_vmsd_parse(text, n, &vmsd, err);
	if (rc < 0)
		sv_err_path(err, path);
	vm->has_snapshots = vmsd.n_snapshots > 0;
	for (size_t i = 0; i < vmsd.n_clones; i++)
		vm->is_template |= may_exist(host, vmsd.clones[i]);
	sv_vmsd_clear(&vmsd);
	return rc;
}

/* Where the configuration does not name it, it has the configuration's own name. */
static int find_nvram(struct sv_host *host, struct sv_vm *vm, struct sv_err *err)
{
	const char *base = sv_path_base(vm->config);
	struct sv_host_stat st;

	free(vm->nvram);
	vm->nvram = sv_vmx_has(vm->vmx, "nvram") ? sv_vm_resolve(host, vm, "nvram")
						 : sv_format("%s/%.*s.nvram", vm->folder,
							   (int)sv_vm_stem(base), base);
	if (!vm->nvram)
		return sv_fail_nomem(err);
	if (sv_host_stat(host, vm->nvram, &st, NULL) < 0 || st.type != SV_HOST_FILE)
		vm->nvram[0] = 0;
	return 0;
}

static int read_vmx(struct sv_host *host, struct sv_vm *vm, struct sv_err *err)
{
	size_t n = 0;
	sv_autofree char *text = sv_host_read_file(host, vm->config, SV_VMX_SIZE_MAX, &n, err);

	if (!text)
		return -1;
	if (sv_vmx_parse(text, n, &vm->vmx, err) < 0)
		return sv_err_path(err, vm->config);
	sv_vmx_use_host(vm->vmx, host);
	vm->name = sv_vmx_get_text(vm->vmx, "displayName");
	if (!vm->name || !*vm->name) {
		const char *base = sv_path_base(vm->config);

		free(vm->name);
		vm->name = strndup(base, sv_vm_stem(base));
	}
	if (!vm->name)
		return sv_fail_nomem(err);
	vm->encrypted = is_encrypted(vm->vmx);
	vm->is_template = sv_vmx_is_true(vm->vmx, "templateVM");
	if (read_vmsd(host, vm, err) < 0 || find_nvram(host, vm, err) < 0)
		return -1;
	return sv_vm_collect_disks(host, vm, err);
}

struct sv_vm *sv_vm_new(
	struct sv_host *host, const char *path, const char *hypervisor, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = calloc(1, sizeof *vm);

	if (!vm) {
		sv_fail_nomem(err);
		return NULL;
	}
	vm->hypervisor = hypervisor;
	vm->state = SV_VM_UNKNOWN;
	vm->named = absolute_name(host, path, err);
	vm->config = vm->named ? sv_host_real_path(host, path, err) : NULL;
	if (!vm->config)
		return NULL;
	vm->folder = sv_path_dir(vm->config);
	vm->state_reason = strdup("");
	vm->state_file = strdup("");
	vm->nvram = strdup("");
	if (!vm->folder || !vm->state_reason || !vm->state_file || !vm->nvram) {
		sv_fail_nomem(err);
		return NULL;
	}
	return SV_STEAL(vm);
}

int sv_vm_open_config(
	struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = sv_vm_new(host, path, "vmware", err);

	if (!vm || read_vmx(host, vm, err) < 0)
		return -1;
	*ret = SV_STEAL(vm);
	return 0;
}

/* ---- a folder ---- */

/* Not the copies that macOS makes beside each file on foreign disks ("._Win.vmx"). */
static bool is_config(const char *name)
{
	return name[0] != '.' && sv_ends_with_nocase(name, ".vmx");
}

static bool is_package(const char *name)
{
	return name[0] != '.' && sv_vm_is_appliance(name);
}

static bool is_candidate(const char *name)
{
	return is_config(name) || is_package(name) || sv_ends_with_nocase(name, ".vmwarevm");
}

static bool looks_like_disk(const char *name)
{
	static const char *const extensions[] = {
		".vmdk", ".vdi", ".vhd", ".vhdx", ".qcow2", ".img", ".raw", ".hdd"};

	for (size_t i = 0; i < SV_ARRAY_LEN(extensions); i++) {
		if (sv_ends_with_nocase(name, extensions[i]))
			return true;
	}
	return false;
}

/* "a.vmx, b.vmx and 3 more" */
static void list_candidates(
	struct sv_str *out, char **names, size_t n, bool (*fits)(const char *))
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!fits(names[i]))
			continue;
		if (count < CANDIDATES_SHOWN)
			sv_str_addf(out, "%s%s", count ? ", " : "", names[i]);
		count++;
	}
	if (count > CANDIDATES_SHOWN)
		sv_str_addf(out, " and %zu more", count - CANDIDATES_SHOWN);
}

static int fail_with_candidates(
	const char *folder, char **names, size_t n, size_t configs, struct sv_err *err)
{
	sv_autostr struct sv_str list = {0};

	if (configs)
		sv_fail(err, SV_USAGE, folder,
			"it holds %zu virtual machines, one was expected", configs);
	else
		sv_fail(err, SV_NOTFOUND, folder,
			"no virtual machine (.vmx) lies in this folder");
	list_candidates(&list, names, n, is_candidate);
	if (!list.len)
		list_candidates(&list, names, n, looks_like_disk);
	if (list.len && !list.failed)
		return sv_hint(err, "name one of them: %s", list.data);
	return sv_hint(
		err, "name a .vmx, an .ovf or .ova, a folder that holds one, or a disk image");
}

/* How many names fit; *ret_last is the last of them. */
static size_t count(char **names, size_t n, bool (*fits)(const char *), size_t *ret_last)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		if (!fits(names[i]))
			continue;
		found++;
		*ret_last = i;
	}
	return found;
}

/* The path of the folder's only .vmx; where it has none, of its only appliance. */
static char *find_config(struct sv_host *host, const char *folder, struct sv_err *err)
{
	size_t n = 0, configs, last = 0;
	char **names = NULL;
	char *path = NULL;

	if (sv_host_list(host, folder, &names, &n, err) < 0)
		return NULL;
	configs = count(names, n, is_config, &last);
	if (!configs && count(names, n, is_package, &last) == 1)
		configs = 1;
	if (configs != 1)
		fail_with_candidates(folder, names, n, configs, err);
	else if (!(path = sv_path_join(folder, names[last])))
		sv_fail_nomem(err);
	sv_host_free_names(names, n);
	return path;
}

/* ---- a bare image ---- */

static int refuse_no_disk(const char *path, struct sv_err *err)
{
	static const char *const extensions[] = {".vmxf", ".vmsd", ".vmsn", ".vmss", ".vmem",
		".nvram", ".vmx~", ".lck", ".log", ".iso", ".txt", ".plist", ".scoreboard",
		".vmpl", ".vmtm"};

	for (size_t i = 0; i < SV_ARRAY_LEN(extensions); i++) {
		if (!sv_ends_with_nocase(path, extensions[i]))
			continue;
		sv_fail(err, SV_USAGE, path, "a %s file is no virtual machine", extensions[i]);
		return sv_hint(err,
			"name a .vmx, an .ovf or .ova, a folder that holds one, or a disk image");
	}
	return 0;
}

/* `snapshot`: of one inside the image, or NULL. */
static int open_image(struct sv_host *host, const char *path, const char *snapshot,
	struct sv_vm **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;
	const char *base;

	if (refuse_no_disk(path, err) < 0)
		return -1;
	vm = sv_vm_new(host, path, "image", err);
	if (!vm)
		return -1;
	base = sv_path_base(vm->config);
	vm->name = strndup(base, sv_vm_stem(base));
	vm->disks = calloc(1, sizeof *vm->disks);
	if (!vm->name || !vm->disks)
		return sv_fail_nomem(err);
	vm->n_disks = 1;
	vm->disks[0].id = strdup("disk0");
	vm->disks[0].path =
		sv_format("%s%s%s", vm->config, snapshot ? "@" : "", snapshot ? snapshot : "");
	vm->disks[0].as_written = strdup(base);
	if (!vm->disks[0].id || !vm->disks[0].path || !vm->disks[0].as_written)
		return sv_fail_nomem(err);
	*ret = SV_STEAL(vm);
	return 0;
}

/* ---- the calls ---- */

static int open_file(
	struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err)
{
	if (sv_vm_is_appliance(path))
		return sv_vm_open_appliance(host, path, ret, err);
	return sv_ends_with_nocase(path, ".vmx") ? sv_vm_open_config(host, path, ret, err)
						 : open_image(host, path, NULL, ret, err);
}

bool sv_vm_is_config(const char *path)
{
	return sv_ends_with_nocase(path, ".vmx") || sv_vm_is_appliance(path);
}

int sv_vm_describe(
	struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err)
{
	sv_autofree char *config = NULL, *file = NULL;
	const char *snapshot;
	struct sv_host_stat st;

	file = sv_image_file_of(host, path, &snapshot, err);
	if (!file || sv_host_stat(host, file, &st, err) < 0)
		return -1;
	if (snapshot)
		return open_image(host, file, snapshot, ret, err);
	if (st.type == SV_HOST_DIR) {
		config = find_config(host, path, err);
		return config ? open_file(host, config, ret, err) : -1;
	}
	if (st.type != SV_HOST_FILE)
		return sv_fail(err, SV_UNSUPPORTED, path, "it is neither a file nor a folder");
	return open_file(host, path, ret, err);
}

int sv_vm_open(struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;

	if (sv_vm_describe(host, path, &vm, err) < 0 || sv_vm_refresh_state(host, vm, err) < 0)
		return -1;
	*ret = SV_STEAL(vm);
	return 0;
}

void sv_vm_close(struct sv_vm *vm)
{
	if (!vm)
		return;
	sv_vm_free_disks(vm);
	sv_vmx_free(vm->vmx);
	free(vm->name);
	free(vm->config);
	free(vm->named);
	free(vm->folder);
	free(vm->state_reason);
	free(vm->state_file);
	free(vm->nvram);
	free(vm);
}
