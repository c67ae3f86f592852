/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening the machine and choosing the volume: see target.h. */
#include "extend/target.h"

#include "base/num.h"
#include "base/str.h"
#include "fs/grow.h"

#include <string.h>

struct sv_image *sv_target_image(const struct sv_target *t)
{
	return t->images[t->disk];
}

struct sv_guest_volume *sv_target_volume(const struct sv_target *t)
{
	return &t->guest->volumes[t->volume];
}

struct sv_guest_disk *sv_target_disk(const struct sv_target *t)
{
	return &t->guest->disks[t->disk];
}

void sv_target_close(struct sv_target *t)
{
	sv_guest_close(t->guest);
	for (size_t i = 0; t->images && i < t->n_images; i++)
		sv_image_close(t->images[i]);
	free(t->images);
	sv_target_forget_files(t);
	sv_vm_close(t->vm);
	*t = (struct sv_target){0};
}

/* A disk whose sharing the clone could break: named, never guessed at. */
static int refuse_disk(const struct sv_vm_disk *d, bool in_place, struct sv_err *err)
{
	if (d->physical) {
		sv_fail(err, SV_UNSUPPORTED, d->path, "disk %s is a physical disk", d->id);
		return sv_hint(err, "remove it from the virtual machine, extend, add it again");
	}
	if (in_place)
		return 0;
	if (d->shared) {
		sv_fail(err, SV_UNSUPPORTED, d->path,
			"disk %s is shared with other virtual machines", d->id);
		return sv_hint(err, "remove it from the virtual machine, extend, add it again");
	}
	if (d->independent_persistent) {
		sv_fail(err, SV_UNSUPPORTED, d->path,
			"disk %s is independent and persistent: a clone would write the original",
			d->id);
		return sv_hint(err,
			"make it a normal disk in the virtual machine's settings, or "
			"extend with --in-place");
	}
	return 0;
}

static int refuse_appliance(const struct sv_vm *vm, struct sv_err *err)
{
	if (!vm->is_appliance)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, vm->config,
		"an appliance is a package for transport, not a machine that is used");
	return sv_hint(err,
		"import it with its hypervisor, and extend the machine that it "
		"becomes; or extend one of its disks: %s",
		vm->n_disks ? vm->disks[0].path : "it has none");
}

static int open_disks(struct sv_host *host, struct sv_target *t,
	const struct sv_extend_request *req, struct sv_err *err)
{
	struct sv_image_opts opts = {.lock = true, .allow = req->allow};

	if (!t->vm->n_disks)
		return sv_fail(err, SV_NOTFOUND, t->vm->config, "it has no hard disk");
	if (t->vm->n_disks > SV_GUEST_DISKS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, t->vm->config,
			"it has %zu disks, the most that is handled is %d", t->vm->n_disks,
			SV_GUEST_DISKS_MAX);
	t->images = calloc(t->vm->n_disks, sizeof(struct sv_image *));
	if (!t->images)
		return sv_fail_nomem(err);
	t->n_images = t->vm->n_disks;
	for (size_t i = 0; i < t->n_images; i++) {
		const struct sv_vm_disk *d = &t->vm->disks[i];

		if (refuse_disk(d, req->mode == SV_EXTEND_IN_PLACE, err) < 0 ||
			sv_image_open(host, d->path, &opts, &t->images[i], err) < 0)
			return -1;
	}
	return 0;
}

static int open_guest(struct sv_target *t, struct sv_job *job, struct sv_err *err)
{
	struct sv_dev *devs[SV_GUEST_DISKS_MAX];

	for (size_t i = 0; i < t->n_images; i++)
		devs[i] = sv_image_dev(t->images[i]);
	return sv_guest_open_volumes(devs, t->n_images, job, &t->guest, err);
}

/* "C: (disk0p2), disk0p1" for messages. */
static void list_volumes(const struct sv_guest *g, struct sv_str *out)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct sv_guest_volume *v = &g->volumes[i];
		char size[SV_SIZE_TEXT];

		sv_str_addf(out, "%s%s", i ? ", " : "", v->id);
		if (v->letter)
			sv_str_addf(out, " (%c:)", v->letter);
		sv_str_addf(out, " %s %s", *v->type ? v->type : "unknown",
			sv_size_format(v->size, size));
	}
}

static int refuse_table(const struct sv_guest_disk *d, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(d->dev), "%s", d->problem);
	return sv_hint(err, "repair the partition table inside the original first (testdisk, "
			    "gdisk, sfdisk), or bring the disk back from a backup");
}

/* An encrypted volume hides whether Windows is on it: likely the largest one is meant. */
static bool find_encrypted(const struct sv_guest *g, size_t *ret)
{
	bool found = false;

	for (size_t i = 0; i < g->n_volumes; i++) {
		if (strcmp(g->volumes[i].type, "bitlocker") != 0 ||
			(found && g->volumes[i].size <= g->volumes[*ret].size))
			continue;
		found = true;
		*ret = i;
	}
	return found;
}

/* The system volume; without one, an encrypted one (which is then refused by its name), or the
 * only volume there is that can grow. */
static int choose_by_itself(const struct sv_guest *g, size_t *ret, struct sv_err *err)
{
	sv_autostr struct sv_str names = {0};
	size_t found = 0;

	if (g->system_volume >= 0) {
		*ret = (size_t)g->system_volume;
		return 0;
	}
	if (find_encrypted(g, ret))
		return 0;
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (!sv_fs_can_grow(g->volumes[i].type))
			continue;
		found++;
		*ret = i;
	}
	if (found == 1)
		return 0;
	for (size_t i = 0; i < g->n_disks; i++) {
		if (*g->disks[i].problem)
			return refuse_table(&g->disks[i], err);
	}
	if (!g->n_volumes)
		return sv_fail(err, SV_NOTFOUND, NULL, "the disks hold no volume");
	list_volumes(g, &names);
	sv_fail(err, SV_USAGE, NULL, "no operating system was recognised on the disks");
	return sv_hint(err, "name one with --volume: %s", names.data ? names.data : "");
}

/* Growing it would need more than one partition's end: its group's own tables. */
static int refuse_group(const struct sv_guest_volume *v, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->dev),
		"volume %s lies in a group of volumes (%s)", v->id, v->type_name);
	return sv_hint(err,
		"sharevm reads such volumes but does not make them larger; make the "
		"disk larger with --volume and another volume, or add a disk and "
		"extend the group inside the guest");
}

static int choose_volume(struct sv_target *t, const char *name, struct sv_err *err)
{
	struct sv_guest *g = t->guest;

	if (name ? sv_guest_find_volume(g, name, &t->volume, err) < 0
		 : choose_by_itself(g, &t->volume, err) < 0)
		return -1;
	if (g->volumes[t->volume].group)
		return refuse_group(&g->volumes[t->volume], err);
	t->disk = g->volumes[t->volume].disk;
	if (*g->disks[t->disk].problem)
		return refuse_table(&g->disks[t->disk], err);
	return 0;
}

static int choose_disk_size(
	struct sv_target *t, const struct sv_extend_request *req, struct sv_err *err)
{
	uint64_t from = sv_dev_size(sv_image_dev(sv_target_image(t))), to = req->to;
	char from_text[SV_SIZE_TEXT], to_text[SV_SIZE_TEXT];

	if (req->by && !sv_add(from, req->by, &to))
		return sv_fail(err, SV_USAGE, NULL, "the new size is beyond any disk");
	if (to > SV_DEV_SIZE_MAX - SV_MIB)
		return sv_fail(err, SV_USAGE, NULL, "the new size is beyond any disk");
	if (to < from) {
		sv_fail(err, SV_USAGE, t->vm->disks[t->disk].path,
			"the disk has %s already, more than the %s asked for",
			sv_size_format(from, from_text), sv_size_format(to, to_text));
		return sv_hint(err,
			"--to is the new size of the whole disk; sharevm makes disks "
			"larger, never smaller");
	}
	t->size = SV_MAX(from, sv_align_up(to, SV_MIB));
	return 0;
}

static int refuse_full(const struct sv_target *t, struct sv_err *err)
{
	char size[SV_SIZE_TEXT];

	sv_size_format(t->size, size);
	sv_fail(err, SV_USAGE, t->vm->disks[t->disk].path,
		"the disk has %s already, and the volume fills it", size);
	return sv_hint(err,
		"--to is the new size of the whole disk: ask for more than %s, or "
		"for --by what the volume lacks",
		size);
}

/*
 * All that the table leaves to the partition. Less than the disk grows by would make the disk
 * larger for nothing: a partition lies in the way, or the table cannot count so far. The table
 * then says so; the end of a partition may lose up to 1 MiB to alignment.
 */
static int choose_partition_size(
	const struct sv_table *table, struct sv_target *t, struct sv_err *err)
{
	const struct sv_guest_volume *v = sv_target_volume(t);
	uint64_t more = t->size - sv_dev_size(sv_image_dev(sv_target_image(t))), wish;

	if (sv_table_max_size(table, v->number, t->size, &t->volume_size, err) < 0)
		return -1;
	wish = sv_align_down(v->size + more, table->sector_size);
	if (t->volume_size + SV_MIB >= wish && t->volume_size > v->size)
		wish = t->volume_size;
	if (wish <= v->size && v->start + v->size + 2 * SV_MIB >= t->size)
		return refuse_full(t, err);
	wish = SV_MAX(wish, v->size + SV_MIB);
	return sv_table_check_grow(table, v->number, wish, t->size, NULL, err);
}

static int choose_volume_size(struct sv_target *t, struct sv_err *err)
{
	const struct sv_table *table = &sv_target_disk(t)->table;

	if (table->kind == SV_TABLE_NONE) {
		t->volume_size = t->size;
		return t->volume_size > sv_target_volume(t)->size ? 0 : refuse_full(t, err);
	}
	if (choose_partition_size(table, t, err) < 0)
		return sv_err_path(err, sv_dev_name(sv_target_disk(t)->dev));
	return 0;
}

static int open_target(struct sv_host *host, const struct sv_extend_request *req,
	struct sv_job *job, struct sv_target *t, struct sv_err *err)
{
	if (sv_vm_open(host, req->vm, &t->vm, err) < 0 || refuse_appliance(t->vm, err) < 0 ||
		sv_vm_require_off(t->vm, err) < 0)
		return -1;
	if (t->vm->encrypted) {
		sv_fail(err, SV_UNSUPPORTED, t->vm->config, "the virtual machine is encrypted");
		return sv_hint(err, "remove the encryption in VMware's settings "
				    "(Options, Access Control), then try again");
	}
	if (sv_extend_allow_originals(host, t->vm->config, req->allow, err) < 0 ||
		open_disks(host, t, req, err) < 0 || sv_target_see_files(host, t, err) < 0 ||
		open_guest(t, job, err) < 0 || choose_volume(t, req->volume, err) < 0 ||
		choose_disk_size(t, req, err) < 0)
		return -1;
	return choose_volume_size(t, err);
}

int sv_target_open(struct sv_host *host, const struct sv_extend_request *req,
	struct sv_job *job, struct sv_target *ret, struct sv_err *err)
{
	struct sv_target t = {0};

	if (open_target(host, req, job, &t, err) < 0) {
		sv_target_close(&t);
		return -1;
	}
	*ret = t;
	return 0;
}
