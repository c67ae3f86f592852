/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hard disks that a .vmx names: `scsi0:1.present`, `.deviceType`, `.fileName`, `.mode`,
 * `.sharing`, and the controller's `scsi0.present`, `.sharedBus`. Facts: VMware's manuals and
 * public .vmx files; VMware publishes no specification.
 */
#include "vm/parts.h"

#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const buses[] = {"ide", "nvme", "sata", "scsi"};

static const char *read_number(const char *p, unsigned *ret)
{
	size_t n = strspn(p, "0123456789");

	if (!n || n > 3 || (n > 1 && *p == '0'))
		return NULL;
	*ret = (unsigned)strtoul(p, NULL, 10);
	return p + n;
}

const char *sv_vm_slot_parse(const char *name, struct sv_vm_slot *ret)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(buses); i++) {
		size_t n = strlen(buses[i]);
		const char *p;

		if (strncasecmp(name, buses[i], n) != 0)
			continue;
		snprintf(ret->bus, sizeof ret->bus, "%s", buses[i]);
		p = read_number(name + n, &ret->controller);
		if (!p || *p != ':')
			return NULL;
		p = read_number(p + 1, &ret->unit);
		return p && *p == '.' ? p : NULL;
	}
	return NULL;
}

/* The value of one key of the slot; "" where it is absent. */
static const char *value_of(
	const struct sv_vmx *vmx, const struct sv_vm_slot *s, const char *key)
{
	const char *value = sv_vmx_getf(vmx, "%s%u:%u.%s", s->bus, s->controller, s->unit, key);

	return value ? value : "";
}

static const char *controller_value(
	const struct sv_vmx *vmx, const struct sv_vm_slot *s, const char *key)
{
	const char *value = sv_vmx_getf(vmx, "%s%u.%s", s->bus, s->controller, key);

	return value ? value : "";
}

static bool is_true(const struct sv_vmx *vmx, const struct sv_vm_slot *s, const char *key)
{
	char name[64];

	snprintf(name, sizeof name, "%s%u:%u.%s", s->bus, s->controller, s->unit, key);
	return sv_vmx_is_true(vmx, name);
}

bool sv_vm_slot_is_disk(const struct sv_vmx *vmx, const struct sv_vm_slot *slot)
{
	const char *type = value_of(vmx, slot, "deviceType");
	const char *file = value_of(vmx, slot, "fileName");

	if (!is_true(vmx, slot, "present") || !*file ||
		strcasecmp(controller_value(vmx, slot, "present"), "FALSE") == 0)
		return false;
	if (strcasestr(type, "cdrom"))
		return false;
	/* disk, scsi-hardDisk, ata-hardDisk, rawDisk; a pass-through disk has a .vmdk too */
	if (strcasestr(type, "disk") || sv_ends_with_nocase(file, ".vmdk"))
		return true;
	return !*type && !sv_ends_with_nocase(file, ".iso") &&
	       strcasecmp(file, "auto detect") != 0;
}

static bool is_physical(const struct sv_vmx *vmx, const struct sv_vm_slot *s)
{
	const char *type = value_of(vmx, s, "deviceType"), *file = value_of(vmx, s, "fileName");

	return strcasestr(type, "raw") || strcasestr(type, "rdm") ||
	       strcasestr(type, "passthru") || sv_starts_with(file, "/dev/") ||
	       sv_starts_with(file, "\\\\.\\");
}

static bool is_shared(const struct sv_vmx *vmx, const struct sv_vm_slot *s)
{
	const char *sharing = value_of(vmx, s, "sharing");
	const char *bus = controller_value(vmx, s, "sharedBus");
	const char *locking = sv_vmx_get(vmx, "disk.locking");

	return (*sharing && strcasecmp(sharing, "sharing-none") != 0 &&
		       strcasecmp(sharing, "none") != 0) ||
	       (*bus && strcasecmp(bus, "none") != 0) ||
	       (locking && strcasecmp(locking, "FALSE") == 0);
}

/* A path of Windows ("D:\vm\x.vmdk") is none of this host: it stays a name in the folder, that
 * nothing answers to. */
static char *join(const char *folder, const char *name)
{
	return name[0] == '/' ? strdup(name) : sv_format("%s/%s", folder, name);
}

/*
 * In UTF-8, or in the bytes that the text has, or with Windows' separators turned, whichever
 * exists; the first of them when none does.
 */
char *sv_vm_resolve(struct sv_host *host, const struct sv_vm *vm, const char *key)
{
	const char *bytes = sv_vmx_get(vm->vmx, key);
	sv_autofree char *text = sv_vmx_get_text(vm->vmx, key);
	sv_autofree char *turned = text ? strdup(text) : NULL;
	const char *const forms[] = {text, bytes, turned};

	if (!turned)
		return NULL;
	for (char *p = turned; *p; p++)
		*p = *p == '\\' ? '/' : *p;
	for (size_t i = 0; i < SV_ARRAY_LEN(forms); i++) {
		char *path = join(vm->folder, forms[i]);

		if (path && sv_host_exists(host, path))
			return path;
		free(path);
	}
	return join(vm->folder, text);
}

static int fill_disk(struct sv_host *host, const struct sv_vm *vm, const struct sv_vm_slot *s,
	struct sv_vm_disk *d, struct sv_err *err)
{
	const char *mode = value_of(vm->vmx, s, "mode");
	char name[64];

	snprintf(name, sizeof name, "%s%u:%u.fileName", s->bus, s->controller, s->unit);
	d->id = sv_format("%s%u:%u", s->bus, s->controller, s->unit);
	d->as_written = sv_vmx_get_text(vm->vmx, name);
	d->path = sv_vm_resolve(host, vm, name);
	d->independent_persistent = strcasecmp(mode, "independent-persistent") == 0;
	d->independent_nonpersistent = strcasestr(mode, "nonpersistent") != NULL;
	d->shared = is_shared(vm->vmx, s);
	d->physical = is_physical(vm->vmx, s);
	d->read_only = is_true(vm->vmx, s, "readOnly");
	return d->id && d->path && d->as_written ? 0 : sv_fail_nomem(err);
}

static int compare_slots(const void *a, const void *b)
{
	const struct sv_vm_slot *s = a, *t = b;
	int order = strcmp(s->bus, t->bus);

	if (order)
		return order;
	if (s->controller != t->controller)
		return s->controller < t->controller ? -1 : 1;
	return (s->unit > t->unit) - (s->unit < t->unit);
}

static int collect_slots(
	const struct sv_vmx *vmx, struct sv_vm_slot *slots, size_t *ret_n, struct sv_err *err)
{
	const char *name, *value, *key;
	struct sv_vm_slot slot;

	*ret_n = 0;
	for (size_t pos = 0; sv_vmx_next(vmx, &pos, &name, &value);) {
		key = sv_vm_slot_parse(name, &slot);
		if (!key || strcasecmp(key, ".present") != 0 || !sv_vm_slot_is_disk(vmx, &slot))
			continue;
		if (*ret_n == SV_VM_DISKS_MAX)
			return sv_fail(err, SV_CORRUPT, NULL,
				"a configuration with more than %d disks", SV_VM_DISKS_MAX);
		slots[(*ret_n)++] = slot;
	}
	if (*ret_n)
		qsort(slots, *ret_n, sizeof *slots, compare_slots);
	return 0;
}

int sv_vm_collect_disks(struct sv_host *host, struct sv_vm *vm, struct sv_err *err)
{
	sv_autofree struct sv_vm_slot *slots = calloc(SV_VM_DISKS_MAX, sizeof *slots);
	size_t n;

	if (!slots)
		return sv_fail_nomem(err);
	if (collect_slots(vm->vmx, slots, &n, err) < 0)
		return sv_err_path(err, vm->config);
	if (!n)
		return 0;
	vm->disks = calloc(n, sizeof *vm->disks);
	if (!vm->disks)
		return sv_fail_nomem(err);
	vm->n_disks = n;
	for (size_t i = 0; i < n; i++) {
		if (fill_disk(host, vm, &slots[i], &vm->disks[i], err) < 0)
			return -1;
	}
	return 0;
}

void sv_vm_free_disks(struct sv_vm *vm)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		free(vm->disks[i].id);
		free(vm->disks[i].path);
		free(vm->disks[i].as_written);
		free(vm->disks[i].problem);
		free(vm->disks[i].remedy);
	}
	free(vm->disks);
	vm->disks = NULL;
	vm->n_disks = 0;
}
