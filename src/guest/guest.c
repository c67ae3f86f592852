/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disks, their partition tables, the volumes on them and what these hold. Every readable file
 * system is opened once, here, and stays open with the guest. What is wrong with one disk or
 * volume is written down there as its problem and never stops the others.
 */
#include "guest/guest_private.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

static struct sv_guest_impl *impl_of(struct sv_guest *g)
{
	return (struct sv_guest_impl *)g;
}

int sv_guest_set_text(char **text, const char *value, struct sv_err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return sv_fail_nomem(err);
	free(*text);
	*text = copy;
	return 0;
}

/* ---- volumes ---- */

void sv_guest_volume_free(struct sv_guest_volume *v)
{
	sv_dev_close(v->dev);
	free(v->id);
	free(v->problem);
	free(v->mount);
}

static char *volume_id(size_t disk, const struct sv_table *t, unsigned number, char letter)
{
	if (letter && t->kind == SV_TABLE_BSD)
		return sv_format("disk%zu%c", disk, letter);
	if (letter)
		return sv_format("disk%zup%u%c", disk, number, letter);
	return number ? sv_format("disk%zup%u", disk, number) : sv_format("disk%zu", disk);
}

static struct sv_dev *volume_dev(
	struct sv_dev *disk, const struct sv_guest_volume *v, struct sv_err *err)
{
	sv_autofree char *name = NULL;

	if (!v->number)
		return sv_dev_ref(disk);
	name = sv_format("%s@partition %u", sv_dev_name(disk), v->number);
	if (!name) {
		sv_fail_nomem(err);
		return NULL;
	}
	return sv_window_open(disk, v->start, v->size, name, err);
}

int sv_guest_append(struct sv_guest *g, struct sv_guest_volume *v, struct sv_err *err)
{
	void *grown = realloc(g->volumes, (g->n_volumes + 1) * sizeof *g->volumes);

	if (!grown) {
		sv_guest_volume_free(v);
		return sv_fail_nomem(err);
	}
	g->volumes = grown;
	g->volumes[g->n_volumes++] = *v;
	return 0;
}

/* What has volumes inside is not looked into. */
static void is_only_a_part(struct sv_guest_volume *v, const char *type, const char *problem)
{
	free(v->problem);
	v->problem = strdup(problem);
	v->problem_code = SV_UNSUPPORTED;
	v->type = type;
}

/* Appends a volume of a disk; `p` is NULL for the whole disk. */
static int add_volume(
	struct sv_guest *g, size_t disk, const struct sv_partition *p, struct sv_err *err)
{
	struct sv_guest_disk *d = &g->disks[disk];
	struct sv_guest_volume v = {
		.disk = disk,
		.number = p ? p->number : 0,
		.letter_in = p ? p->letter : 0,
		.start = p ? p->start : 0,
		.size = p ? p->size : sv_dev_size(d->dev),
		.type = "",
		.warning = "",
		.type_name = p ? sv_partition_type_name(&d->table, p) : "whole disk",
		.active = p && p->active,
	};

	v.id = volume_id(disk, &d->table, v.number, v.letter_in);
	v.problem = strdup("");
	/* what lies at its begin is a volume's, perhaps, and not this partition's */
	if (p && sv_partition_is_dynamic(&d->table, p))
		is_only_a_part(&v, "ldm", "part of a Windows dynamic disk");
	else if (p && !p->letter && sv_partition_is_nest(&d->table, p))
		is_only_a_part(&v, "bsd", "divided into partitions by a BSD disklabel");
	v.mount = strdup("");
	v.dev = volume_dev(d->dev, &v, err);
	if (!v.id || !v.problem || !v.mount || !v.dev) {
		if (v.dev)
			sv_fail_nomem(err);
		sv_guest_volume_free(&v);
		return -1;
	}
	return sv_guest_append(g, &v, err);
}

static int add_partition(
	struct sv_guest *g, size_t disk, const struct sv_partition *p, struct sv_err *err)
{
	const struct sv_table *t = &g->disks[disk].table;

	if (add_volume(g, disk, p, err) < 0)
		return -1;
	for (size_t i = 0; i < t->n_nested; i++) {
		if (t->nested[i].number == p->number &&
			add_volume(g, disk, &t->nested[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- disks ---- */

static int add_disk(struct sv_guest *g, struct sv_dev *dev, struct sv_err *err)
{
	size_t index = g->n_disks++;
	struct sv_guest_disk *d = &g->disks[index];
	struct sv_err why = SV_ERR_INIT;

	d->dev = sv_dev_ref(dev);
	if (sv_guest_set_text(&d->problem, "", err) < 0)
		return -1;
	if (sv_table_read(dev, &d->table, &why) < 0) {
		d->table = (struct sv_table){0};
		return sv_guest_set_text(&d->problem, why.message, err);
	}
	if (d->table.kind == SV_TABLE_NONE)
		return add_volume(g, index, NULL, err);
	for (size_t i = 0; i < d->table.n; i++) {
		if (!d->table.parts[i].extended &&
			add_partition(g, index, &d->table.parts[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what the volumes hold ---- */

/* What it holds; a failure is the volume's problem. */
static int probe(struct sv_guest_volume *v, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	/* where there is a problem already its group could not put it together */
	if (v->problem[0] || sv_fs_probe(v->dev, &v->type, &why) == 0)
		return 0;
	v->problem_code = why.code;
	return sv_guest_set_text(&v->problem, why.message, err);
}

/* What can be told of a volume that cannot be read; where nothing can, that is no error. */
static void take_mark(struct sv_guest_volume *v)
{
	struct sv_fs_mark mark;
	struct sv_err why = SV_ERR_INIT;

	v->info = (struct sv_fs_info){.type = v->type};
	if (sv_fs_mark(v->dev, &mark, &why) < 0)
		return;
	memcpy(v->info.label, mark.label, sizeof v->info.label);
	memcpy(v->info.uuid, mark.uuid, sizeof v->info.uuid);
}

/* Opens the file system and asks it for its figures; a failure is the volume's problem. */
static int look_into(struct sv_guest *g, size_t i, struct sv_err *err)
{
	struct sv_guest_volume *v = &g->volumes[i];
	struct sv_err why = SV_ERR_INIT;
	struct sv_fs *fs = NULL;

	if (v->problem[0])
		return 0;
	if (sv_guest_open_fs(g, i, &fs, &why) < 0 || sv_fs_info(fs, &v->info, &why) < 0) {
		sv_fs_close(fs);
		take_mark(v);
		v->problem_code = why.code;
		return sv_guest_set_text(&v->problem, why.message, err);
	}
	impl_of(g)->fs[i] = fs;
	v->readable = true;
	return 0;
}

static int look_into_new(
	struct sv_guest *g, size_t from, struct sv_job *job, struct sv_err *err)
{
	struct sv_fs **fs = realloc(impl_of(g)->fs, (g->n_volumes + 1) * sizeof *fs);

	if (!fs)
		return sv_fail_nomem(err);
	impl_of(g)->fs = fs;
	for (; impl_of(g)->n_fs < g->n_volumes; impl_of(g)->n_fs++)
		fs[impl_of(g)->n_fs] = NULL;
	for (size_t i = from; i < g->n_volumes; i++) {
		if (probe(&g->volumes[i], err) < 0)
			return -1;
	}
	for (size_t i = from; i < g->n_volumes; i++) {
		sv_job_progress(job, "looking at the volumes", i, g->n_volumes);
		if (sv_job_check(job, err) < 0 || look_into(g, i, err) < 0)
			return -1;
	}
	return 0;
}

/* Looks at every volume, then at those that are made of them, and so on. */
static int look_into_all(struct sv_guest *g, struct sv_job *job, struct sv_err *err)
{
	size_t from = 0, upto = g->n_volumes;

	if (look_into_new(g, 0, job, err) < 0)
		return -1;
	for (unsigned round = 0; round < SV_GUEST_GROUP_ROUNDS && upto > from; round++) {
		if (sv_guest_add_groups(g, from, round, job, err) < 0)
			return -1;
		from = upto;
		upto = g->n_volumes;
		if (look_into_new(g, from, job, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- open and close ---- */

int sv_guest_os_init(struct sv_guest_os *os, struct sv_err *err)
{
	char **texts[] = {&os->family, &os->product, &os->version, &os->arch, &os->hostname,
		&os->edition, &os->display_version, &os->time_zone, &os->pending_reboot,
		&os->folder, &os->machine_id};

	os->volume = -1;
	for (size_t i = 0; i < SV_ARRAY_LEN(texts); i++) {
		if (sv_guest_set_text(texts[i], "", err) < 0)
			return -1;
	}
	return 0;
}

void sv_guest_os_free(struct sv_guest_os *os)
{
	char *texts[] = {os->family, os->product, os->version, os->arch, os->hostname,
		os->edition, os->display_version, os->time_zone, os->pending_reboot, os->folder,
		os->machine_id};

	for (size_t i = 0; i < SV_ARRAY_LEN(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < os->n_users; i++) {
		free(os->users[i].name);
		free(os->users[i].id);
		free(os->users[i].home);
	}
	free(os->users);
	for (size_t i = 0; i < os->n_kernels; i++)
		free(os->kernels[i]);
	free(os->kernels);
}

int sv_guest_new_system(struct sv_guest *g, size_t volume, const char *family,
	const char *folder, struct sv_guest_os **ret, struct sv_err *err)
{
	struct sv_guest_os *os = &g->os;

	if (g->system_volume >= 0) {
		os = realloc(g->others, (g->n_others + 1) * sizeof *os);
		if (!os)
			return sv_fail_nomem(err);
		g->others = os;
		os += g->n_others;
		*os = (struct sv_guest_os){0};
		g->n_others++;
		if (sv_guest_os_init(os, err) < 0)
			return -1;
	} else {
		g->system_volume = (int)volume;
	}
	os->volume = (int)volume;
	if (sv_guest_set_text(&os->family, family, err) < 0 ||
		sv_guest_set_text(&os->folder, folder, err) < 0)
		return -1;
	*ret = os;
	return 0;
}

bool sv_guest_has_system(const struct sv_guest *g, size_t volume)
{
	const struct sv_guest_os *os;

	for (size_t i = 0; (os = sv_guest_system(g, i)); i++)
		if (os->volume == (int)volume)
			return true;
	return false;
}

const struct sv_guest_os *sv_guest_system(const struct sv_guest *g, size_t i)
{
	if (i == 0)
		return g->os.family[0] ? &g->os : NULL;
	return i - 1 < g->n_others ? &g->others[i - 1] : NULL;
}

static int open_all(struct sv_guest *g, struct sv_dev *const *disks, size_t n,
	struct sv_job *job, struct sv_err *err)
{
	g->disks = calloc(n + 1, sizeof *g->disks);
	if (!g->disks)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		if (sv_job_check(job, err) < 0 || add_disk(g, disks[i], err) < 0)
			return -1;
	}
	return look_into_all(g, job, err);
}

static int open_guest(struct sv_dev *const *disks, size_t n, bool brief, struct sv_job *job,
	struct sv_guest **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_guest_closep) struct sv_guest *g = NULL;

	if (n > SV_GUEST_DISKS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL, "%zu disks, at most %d can be opened",
			n, SV_GUEST_DISKS_MAX);
	g = calloc(1, sizeof(struct sv_guest_impl));
	if (!g)
		return sv_fail_nomem(err);
	g->system_volume = -1;
	if (sv_guest_os_init(&g->os, err) < 0 || open_all(g, disks, n, job, err) < 0 ||
		sv_windows_detect(g, brief, job, err) < 0 ||
		sv_others_detect(g, job, err) < 0 || sv_linux_detect(g, job, err) < 0 ||
		sv_unreadable_detect(g, err) < 0)
		return -1;
	*ret = SV_STEAL(g);
	return 0;
}

int sv_guest_open(struct sv_dev *const *disks, size_t n, struct sv_job *job,
	struct sv_guest **ret, struct sv_err *err)
{
	return open_guest(disks, n, false, job, ret, err);
}

int sv_guest_open_volumes(struct sv_dev *const *disks, size_t n, struct sv_job *job,
	struct sv_guest **ret, struct sv_err *err)
{
	return open_guest(disks, n, true, job, ret, err);
}

void sv_guest_close(struct sv_guest *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < impl_of(g)->n_fs; i++)
		sv_fs_close(impl_of(g)->fs[i]);
	for (size_t i = 0; i < g->n_volumes; i++)
		sv_guest_volume_free(&g->volumes[i]);
	for (size_t i = 0; i < SV_GUEST_GROUP_ROUNDS; i++)
		sv_group_volumes_free(&impl_of(g)->groups[i]);
	for (size_t i = 0; i < g->n_disks; i++) {
		sv_table_free(&g->disks[i].table);
		sv_dev_close(g->disks[i].dev);
		free(g->disks[i].problem);
	}
	sv_guest_os_free(&g->os);
	for (size_t i = 0; i < g->n_others; i++)
		sv_guest_os_free(&g->others[i]);
	free(g->others);
	for (size_t i = 0; i < g->n_mounts; i++)
		free(g->mounts[i].path);
	free(g->mounts);
	free(g->volumes);
	free(g->disks);
	free(impl_of(g)->fs);
	free(g);
}

int sv_guest_fs(struct sv_guest *g, size_t volume, struct sv_fs **ret, struct sv_err *err)
{
	struct sv_guest_volume *v;

	if (volume >= g->n_volumes)
		return sv_fail(err, SV_INTERNAL, NULL, "there is no volume %zu", volume);
	v = &g->volumes[volume];
	if (volume >= impl_of(g)->n_fs || !impl_of(g)->fs[volume])
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->dev),
			"volume %s cannot be read: %s", v->id, v->problem);
	*ret = impl_of(g)->fs[volume];
	return 0;
}
