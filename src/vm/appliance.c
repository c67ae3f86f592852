/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Appliances: an .ovf with its files beside it, or all of them in an .ova, a tar archive whose
 * first member is the .ovf (DSP0243, "OVF package"). The disks are those that hang on the
 * machine, in the order of the description; where it hangs none, all that it lists. What lies
 * in another form than a disk image is named with the way to unpack it. Manifests and
 * certificates are not looked at.
 */
#include "vm/parts.h"

#include "base/num.h"
#include "base/str.h"
#include "io/tar.h"
#include "vm/ovf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool sv_vm_is_appliance(const char *path)
{
	return sv_ends_with_nocase(path, ".ovf") || sv_ends_with_nocase(path, ".ova");
}

/* ---- the description ---- */

/* The first .ovf of an archive, NUL-terminated. Caller frees. */
static char *read_member(struct sv_dev *archive, size_t *ret_n, struct sv_err *err)
{
	struct sv_tar_walk w = {.dev = archive};
	struct sv_tar_member m;
	bool more, found = false;
	char *text = NULL;

	while (!found) {
		if (sv_tar_next(&w, &m, &more, err) < 0)
			return NULL;
		if (!more) {
			sv_fail(err, SV_CORRUPT, sv_dev_name(archive),
				"no description (.ovf) is in the archive");
			return NULL;
		}
		found = m.file && !m.sparse && sv_ends_with_nocase(m.name, ".ovf");
		free(m.name);
	}
	if (m.size > SV_OVF_SIZE_MAX) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(archive), m.at,
			"the OVF has %llu bytes, the largest allowed is %u",
			(unsigned long long)m.size, SV_OVF_SIZE_MAX);
		return NULL;
	}
	text = calloc(1, (size_t)m.size + 1);
	if (!text)
		sv_fail_nomem(err);
	if (!text || sv_dev_read(archive, text, (size_t)m.size, m.at, err) < 0) {
		free(text);
		return NULL;
	}
	*ret_n = (size_t)m.size;
	return text;
}

static char *read_archive(
	struct sv_host *host, const char *path, size_t *ret_n, struct sv_err *err)
{
	sv_autodev struct sv_dev *archive = NULL;

	if (sv_host_open(host, path, SV_OPEN_READ, &archive, err) < 0)
		return NULL;
	return read_member(archive, ret_n, err);
}

static int read_ovf(
	struct sv_host *host, const char *path, struct sv_ovf *ret, struct sv_err *err)
{
	bool archive = sv_ends_with_nocase(path, ".ova");
	size_t n = 0;
	sv_autofree char *text =
		archive ? read_archive(host, path, &n, err)
			: sv_host_read_file(host, path, SV_OVF_SIZE_MAX, &n, err);

	if (!text)
		return -1;
	return sv_ovf_parse(text, n, ret, err) < 0 ? sv_err_path(err, path) : 0;
}

/* ---- where a disk's file is ---- */

struct appliance {
	struct sv_host *host;
	struct sv_vm *vm;
	const struct sv_ovf *ovf;
	const char *home; /* what the files' names begin in: the folder, or the archive */
};

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	c = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* A name is a URI's: "%20" is a space. Caller frees. */
static char *decoded(const char *href)
{
	char *copy = strdup(href), *to = copy;

	for (const char *from = href; copy && *from; from++) {
		int high = *from == '%' ? hex_digit(from[1]) : -1;
		int low = high >= 0 ? hex_digit(from[2]) : -1;

		if (low >= 0 && (high || low)) {
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	if (copy)
		*to = 0;
	return copy;
}

/* As written, or decoded, whichever exists; as written where neither does. */
static char *place_of(const struct appliance *a, const char *href)
{
	sv_autofree char *plain = decoded(href);
	char *path = sv_format("%s/%s", a->home, href);
	char *other = plain ? sv_format("%s/%s", a->home, plain) : NULL;

	if (path && other && !sv_host_exists(a->host, path) && sv_host_exists(a->host, other)) {
		free(path);
		return other;
	}
	free(other);
	return path;
}

/* Does the name lead out of the package? */
static bool is_outside(const char *href)
{
	sv_autofree char *plain = decoded(href);
	const char *names[] = {href, plain ? plain : href};

	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		const char *n = names[i];

		if (sv_path_is_absolute(n) || strstr(n, "://") || !strcmp(n, "..") ||
			sv_starts_with(n, "../") || strstr(n, "/../") || sv_ends_with(n, "/.."))
			return true;
	}
	return false;
}

/* ---- one disk ---- */

static int set_problem(
	struct sv_vm_disk *d, const char *problem, char *remedy, struct sv_err *err)
{
	d->problem = strdup(problem);
	d->remedy = remedy;
	return d->problem && remedy ? 0 : sv_fail_nomem(err);
}

/* Is the file packed or cut? That is not undone here. */
static int look_at_file(const struct appliance *a, const struct sv_ovf_file *f,
	struct sv_vm_disk *d, struct sv_err *err)
{
	const char *config = a->vm->config, *name = f->href;
	bool archive = sv_ends_with_nocase(config, ".ova");
	sv_autofree char *unpack =
		archive ? sv_format("tar xf '%s', then ", config) : strdup("");

	if (!unpack)
		return sv_fail_nomem(err);
	if (is_outside(name))
		return set_problem(d, "it lies outside the appliance",
			sv_format("bring '%s' into the appliance's folder and name it in the "
				  ".ovf without a path",
				name),
			err);
	if (*f->chunk_size)
		return set_problem(d, "its file is cut into chunks",
			sv_format("put them together: %scat '%s'.* >'%s'", unpack, name, name),
			err);
	if ((*f->compression && strcasecmp(f->compression, "identity") != 0) ||
		sv_ends_with_nocase(name, ".gz"))
		return set_problem(d, "its file is packed",
			sv_format("unpack it: %sgzip -dc '%s' >'%s.unpacked'", unpack, name,
				name),
			err);
	return 0;
}

static int fill_disk(const struct appliance *a, const struct sv_ovf_disk *disk,
	const struct sv_ovf_file *file, struct sv_vm_disk *d, struct sv_err *err)
{
	const char *name = file ? file->href : disk ? disk->id : "";

	d->as_written = strdup(name);
	d->path = place_of(a, name);
	if (!d->as_written || !d->path)
		return sv_fail_nomem(err);
	if (disk && *disk->parent)
		return set_problem(d, "it is a delta of another disk of the appliance",
			strdup("import the appliance with its hypervisor"), err);
	if (!file || !*file->href)
		return set_problem(d, "it is empty, and has no file yet",
			strdup("import the appliance with its hypervisor: that makes it"), err);
	return look_at_file(a, file, d, err);
}

/* ---- which disks, and what they are called ---- */

static const struct sv_ovf_item *controller_of(
	const struct sv_ovf *o, const struct sv_ovf_item *disk)
{
	for (size_t i = 0; *disk->parent && i < o->n_items; i++) {
		if (!strcmp(o->items[i].instance, disk->parent))
			return &o->items[i];
	}
	return NULL;
}

static const char *bus_of(unsigned type)
{
	switch (type) {
	case SV_OVF_ITEM_IDE:
		return "ide";
	case SV_OVF_ITEM_SCSI:
		return "scsi";
	case SV_OVF_ITEM_STORAGE:
		return "sata";
	default:
		return NULL;
	}
}

/* The number of a controller among its kind: its address, else its place. */
static unsigned number_of(const struct sv_ovf *o, const struct sv_ovf_item *controller)
{
	unsigned n = 0;

	if (*controller->address && strlen(controller->address) <= 2 &&
		strspn(controller->address, "0123456789") == strlen(controller->address))
		return (unsigned)strtoul(controller->address, NULL, 10);
	for (const struct sv_ovf_item *i = o->items; i < controller; i++)
		n += i->type == controller->type;
	return n;
}

/* "scsi0:1"; "disk2" where the description does not say so. Caller frees. */
static char *id_of(const struct sv_ovf *o, const struct sv_ovf_item *disk, size_t nth)
{
	const struct sv_ovf_item *c = disk ? controller_of(o, disk) : NULL;
	const char *unit = disk ? disk->on_parent : "";

	if (!c || !bus_of(c->type) || !*unit || strlen(unit) > 3 ||
		strspn(unit, "0123456789") != strlen(unit))
		return sv_format("disk%zu", nth);
	return sv_format("%s%u:%s", bus_of(c->type), number_of(o, c), unit);
}

static int add_disk(struct appliance *a, const struct sv_ovf_item *item,
	const struct sv_ovf_disk *disk, const struct sv_ovf_file *file, struct sv_err *err)
{
	struct sv_vm *vm = a->vm;
	struct sv_vm_disk *d;

	if (vm->n_disks == SV_VM_DISKS_MAX)
		return sv_fail(err, SV_CORRUPT, vm->config,
			"an appliance with more than %d disks", SV_VM_DISKS_MAX);
	d = &vm->disks[vm->n_disks++]; /* from here on sv_vm_close() frees it */
	d->id = id_of(a->ovf, item, vm->n_disks - 1);
	if (!d->id)
		return sv_fail_nomem(err);
	return fill_disk(a, disk, file, d, err);
}

/* The text behind `mark` in an item's resource; NULL where it has none. */
static const char *behind(const char *resource, const char *mark)
{
	const char *at = strstr(resource, mark);

	return at ? at + strlen(mark) : NULL;
}

static int add_item(struct appliance *a, const struct sv_ovf_item *item, struct sv_err *err)
{
	const char *disk_id = behind(item->resource, "disk/");
	const char *file_id = behind(item->resource, "file/");
	const struct sv_ovf_disk *disk = disk_id ? sv_ovf_find_disk(a->ovf, disk_id) : NULL;
	const struct sv_ovf_file *file;

	if (disk)
		file_id = disk->file;
	file = file_id ? sv_ovf_find_file(a->ovf, file_id) : NULL;
	if (!disk && !file)
		return sv_fail(err, SV_CORRUPT, a->vm->config,
			"a hard disk is said to be \"%.100s\", which is not described",
			item->resource);
	return add_disk(a, item, disk, file, err);
}

static int add_disks(struct appliance *a, struct sv_err *err)
{
	const struct sv_ovf *o = a->ovf;
	bool hangs;

	a->vm->disks = calloc(SV_VM_DISKS_MAX, sizeof *a->vm->disks);
	if (!a->vm->disks)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < o->n_items; i++) {
		if (o->items[i].type == SV_OVF_ITEM_DISK && *o->items[i].resource &&
			add_item(a, &o->items[i], err) < 0)
			return -1;
	}
	hangs = a->vm->n_disks > 0;
	for (size_t i = 0; !hangs && i < o->n_disks; i++) {
		const struct sv_ovf_disk *d = &o->disks[i];

		if (add_disk(a, NULL, d, sv_ovf_find_file(o, d->file), err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the machine ---- */

static int fill(
	struct sv_host *host, struct sv_vm *vm, const struct sv_ovf *o, struct sv_err *err)
{
	bool archive = sv_ends_with_nocase(vm->config, ".ova");
	struct appliance a = {host, vm, o, archive ? vm->config : vm->folder};
	const char *base = sv_path_base(vm->config);

	if (o->n_systems > 1) {
		sv_fail(err, SV_UNSUPPORTED, vm->config,
			"the appliance holds %zu virtual machines", o->n_systems);
		return sv_hint(err, "open a disk by its name: 'PATH.ova/DISK.vmdk'; the names "
				    "are those that tar tf shows");
	}
	vm->name = *o->name ? strdup(o->name) : strndup(base, sv_vm_stem(base));
	if (!vm->name)
		return sv_fail_nomem(err);
	return add_disks(&a, err);
}

int sv_vm_open_appliance(
	struct sv_host *host, const char *path, struct sv_vm **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = sv_vm_new(host, path, "ovf", err);
	struct sv_ovf ovf = {0};
	int rc;

	if (!vm || read_ovf(host, vm->config, &ovf, err) < 0)
		return -1;
	vm->is_appliance = true;
	rc = fill(host, vm, &ovf, err);
	sv_ovf_clear(&ovf);
	if (rc < 0)
		return -1;
	*ret = SV_STEAL(vm);
	return 0;
}
