/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which volume a Unix guest mounts where: the lines of its fstab(5), each device found among
 * the volumes by what the line calls it (a UUID, a label, a partition's id, a device's name, a
 * logical volume). Names like /dev/sdb1 are taken as the second disk's first partition, which
 * is how a machine mostly sees its disks; what names no volume here is passed over.
 */
#include "guest/guest_private.h"

#include "base/num.h"
#include "base/str.h"
#include "guest/fstab.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOUNTS_MAX 256

/* ---- what a device is called ---- */

static const struct sv_partition *partition_of(
	const struct sv_guest *g, const struct sv_guest_volume *v)
{
	return v->group ? NULL : sv_table_find(&g->disks[v->disk].table, v->number);
}

static bool has_uuid(
	const struct sv_guest *g, const struct sv_guest_volume *v, const char *value)
{
	(void)g;
	return v->info.uuid[0] && !strcasecmp(v->info.uuid, value);
}

static bool has_label(
	const struct sv_guest *g, const struct sv_guest_volume *v, const char *value)
{
	(void)g;
	return v->info.label[0] && !strcmp(v->info.label, value);
}

/* Of a GPT its GUID; of an MBR the disk's signature and the number. */
static bool has_part_uuid(
	const struct sv_guest *g, const struct sv_guest_volume *v, const char *value)
{
	const struct sv_partition *p = partition_of(g, v);
	const struct sv_table *t = &g->disks[v->disk].table;
	char text[SV_GUID_TEXT];

	if (!p)
		return false;
	if (t->kind == SV_TABLE_GPT)
		sv_guid_text(p->guid, text);
	else
		snprintf(text, sizeof text, "%08x-%02x", t->mbr_signature, p->number);
	return !strcasecmp(text, value);
}

static bool has_part_label(
	const struct sv_guest *g, const struct sv_guest_volume *v, const char *value)
{
	const struct sv_partition *p = partition_of(g, v);

	return p && p->name && p->name[0] && !strcmp(p->name, value);
}

/* "vg-root" of /dev/mapper: a '-' between the names, those within them doubled. */
static bool is_mapper_name(const char *id, const char *name)
{
	for (; *id; id++) {
		if (*id == '/') {
			if (*name++ != '-')
				return false;
		} else if (*id == '-') {
			if (*name++ != '-' || *name++ != '-')
				return false;
		} else if (*name++ != *id) {
			return false;
		}
	}
	return !*name;
}

static bool is_mapper(
	const struct sv_guest *g, const struct sv_guest_volume *v, const char *value)
{
	(void)g;
	return v->group && is_mapper_name(v->id, value);
}

/* A number that ends the text or is followed by `end`; *p moves behind both. */
static bool take_number(const char **p, char end, unsigned *ret)
{
	const char *s = *p;
	unsigned n = 0;

	while (isdigit((unsigned char)*s) && n < 100000)
		n = n * 10 + (unsigned)(*s++ - '0');
	if (s == *p || *s != end)
		return false;
	*p = s + (end != 0);
	*ret = n;
	return true;
}

/* "sda1", "vdb2", "nvme0n1p3", "mmcblk0p1": the disk's number and the partition's. */
static bool parse_disk_name(const char *name, size_t *ret_disk, unsigned *ret_number)
{
	static const char *const lettered[] = {"sd", "vd", "hd", "xvd"};
	unsigned disk = 0, namespace = 1;
	const char *p;

	*ret_number = 0;
	for (size_t i = 0; i < SV_ARRAY_LEN(lettered); i++) {
		p = name + strlen(lettered[i]);
		if (!sv_starts_with(name, lettered[i]) || *p < 'a' || *p > 'z')
			continue;
		*ret_disk = (size_t)(*p++ - 'a');
		return !*p || take_number(&p, 0, ret_number);
	}
	p = name + strcspn(name, "0123456789");
	if (sv_starts_with(name, "nvme"))
		*ret_disk = take_number(&p, 'n', &disk) && take_number(&p, 'p', &namespace);
	else if (sv_starts_with(name, "mmcblk"))
		*ret_disk = take_number(&p, 'p', &disk);
	else
		return false;
	if (!*ret_disk || !take_number(&p, 0, ret_number))
		return false;
	*ret_disk = disk;
	return true;
}

/* What stands behind "/dev/". */
static bool is_device(
	const struct sv_guest *g, const struct sv_guest_volume *v, const char *value)
{
	unsigned number;
	size_t disk;

	(void)g;
	if (v->group)
		return !strcmp(v->id, value) ||
		       (!strncmp(value, "md", 2) && !strncmp(v->id, "md/", 3) &&
			       !strcmp(value + 2, v->id + 3));
	return parse_disk_name(value, &disk, &number) && v->disk == disk && v->number == number;
}

/* The first that fits: "/dev/" stands last. */
static const struct {
	const char *prefix;
	bool (*is)(
		const struct sv_guest *g, const struct sv_guest_volume *v, const char *value);
} kinds[] = {
	{"UUID=", has_uuid},
	{"LABEL=", has_label},
	{"PARTUUID=", has_part_uuid},
	{"PARTLABEL=", has_part_label},
	{"/dev/disk/by-uuid/", has_uuid},
	{"/dev/disk/by-label/", has_label},
	{"/dev/disk/by-partuuid/", has_part_uuid},
	{"/dev/disk/by-partlabel/", has_part_label},
	{"/dev/mapper/", is_mapper},
	{"/dev/", is_device},
};

/* "UUID=\"x\"", as mount(8) takes it, too. */
static char *unquoted(const char *s)
{
	size_t n = strlen(s);

	return n > 1 && s[0] == '"' && s[n - 1] == '"' ? strndup(s + 1, n - 2) : strdup(s);
}

/* *ret is g->n_volumes where it names no volume that can be read. */
static int find_device(
	const struct sv_guest *g, const char *spec, size_t *ret, struct sv_err *err)
{
	*ret = g->n_volumes;
	for (size_t k = 0; k < SV_ARRAY_LEN(kinds); k++) {
		sv_autofree char *value = NULL;

		if (!sv_starts_with(spec, kinds[k].prefix))
			continue;
		value = unquoted(spec + strlen(kinds[k].prefix));
		if (!value)
			return sv_fail_nomem(err);
		for (size_t i = 0; i < g->n_volumes && *ret == g->n_volumes; i++)
			if (g->volumes[i].readable && kinds[k].is(g, &g->volumes[i], value))
				*ret = i;
		return 0;
	}
	return 0;
}

/* ---- mounting ---- */

static int append(
	struct sv_guest *g, const char *path, struct sv_guest_mount m, struct sv_err *err)
{
	void *grown = realloc(g->mounts, (g->n_mounts + 1) * sizeof *g->mounts);

	if (!grown)
		return sv_fail_nomem(err);
	g->mounts = grown;
	m.path = strdup(path);
	if (!m.path)
		return sv_fail_nomem(err);
	g->mounts[g->n_mounts++] = m;
	if (g->volumes[m.volume].mount[0])
		return 0; /* a second mount of it: the first names it */
	return sv_guest_set_text(&g->volumes[m.volume].mount, path, err);
}

/* A subvolume of btrfs, by its path or its number: it looks like a folder of the volume. */
static int find_root(struct sv_guest *g, size_t volume, const struct sv_fstab_entry *e,
	uint64_t *ret, struct sv_err *err)
{
	sv_autofree char *folder = sv_fstab_option(e, "subvol");
	sv_autofree char *number = sv_fstab_option(e, "subvolid");
	struct sv_fs *fs;

	if (sv_guest_fs(g, volume, &fs, err) < 0)
		return -1;
	if (!folder)
		folder = sv_fs_subvolume(fs, number ? strtoull(number, NULL, 0) : 0, err);
	return folder ? sv_fs_lookup(fs, folder, ret, err) : -1;
}

/* Only a lack of memory stops it. */
static int mount_entry(struct sv_guest *g, const struct sv_fstab_entry *e, struct sv_err *err)
{
	sv_autofree char *noauto = sv_fstab_option(e, "noauto");
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place on = {0};
	struct sv_guest_mount m = {0};
	struct sv_err why = SV_ERR_INIT;

	if (noauto || e->dir[0] != '/' || !e->dir[1] || g->n_mounts >= MOUNTS_MAX)
		return 0;
	if (find_device(g, e->spec, &m.volume, err) < 0)
		return -1;
	if (m.volume == g->n_volumes)
		return 0;
	if (find_root(g, m.volume, e, &m.root, &why) < 0 ||
		sv_guest_find_from(g, g->mounts[0].volume, g->mounts[0].root, e->dir, true,
			true, &on, &why) < 0)
		return why.code == SV_NOMEM ? sv_fail_nomem(err) : 0;
	m.on_volume = on.volume;
	m.on_ino = on.ino;
	return append(g, e->dir, m, err);
}

/* "/" before "/var" before "/var/log", as systemd orders them. */
static int by_depth(const void *a, const void *b)
{
	const struct sv_fstab_entry *x = a, *y = b;
	size_t nx = strlen(x->dir), ny = strlen(y->dir);

	return nx < ny ? -1 : nx > ny;
}

int sv_mounts_add(
	struct sv_guest *g, size_t volume, uint64_t root, const char *fstab, struct sv_err *err)
{
	struct sv_fstab t = {0};
	int rc = append(g, "/", (struct sv_guest_mount){.volume = volume, .root = root}, err);

	if (rc < 0 || sv_fstab_parse(fstab, &t, err) < 0)
		return -1;
	if (t.n)
		qsort(t.entries, t.n, sizeof *t.entries, by_depth);
	for (size_t i = 0; i < t.n && !rc; i++)
		rc = mount_entry(g, &t.entries[i], err);
	sv_fstab_free(&t);
	return rc;
}
