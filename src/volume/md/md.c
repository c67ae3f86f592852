/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Puts Linux md arrays together: members of one UUID, the newest event count believed. A
 * member that is older, still being rebuilt, a spare or faulty is as good as missing; the
 * level tells how many may be.
 */
#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"
#include "volume/join.h"
#include "volume/manager.h"
#include "volume/md/super.h"
#include "volume/raid.h"

#include <stdio.h>
#include <string.h>

#define ARRAYS_MAX 256

struct part {
	size_t member;
	struct sv_md_super super;
	bool taken; /* belongs to an array that was built */
};

/* One array while it is put together. */
struct array {
	const struct sv_md_super *super;       /* of its newest member */
	struct sv_dev *dev[SV_RAID_PARTS_MAX]; /* by role; windows, owned */
	size_t there, stale;
};

static void array_free(struct array *a)
{
	for (size_t i = 0; i < SV_RAID_PARTS_MAX; i++)
		sv_dev_close(a->dev[i]);
	free(a);
}

static void array_freep(struct array **a)
{
	if (*a)
		array_free(*a);
}

/* ---- members ---- */

static bool same_array(const struct sv_md_super *a, const struct sv_md_super *b)
{
	return a->major == b->major && !memcmp(a->uuid, b->uuid, sizeof a->uuid);
}

static bool is_current(const struct array *a, const struct sv_md_super *s)
{
	/* a cut between two superblocks' writes leaves them one apart */
	return s->events + 1 >= a->super->events && !s->recovering &&
	       s->role < a->super->disks && s->role < SV_RAID_PARTS_MAX;
}

/* Takes a member into its place. */
static int take_part(struct array *a, const struct sv_member *members, const struct part *p,
	struct sv_err *err)
{
	struct sv_dev *dev = members[p->member].dev;

	if (p->super.role >= SV_MD_JOURNAL)
		return 0;
	if (!is_current(a, &p->super) || a->dev[p->super.role]) {
		a->stale++;
		return 0;
	}
	a->dev[p->super.role] = sv_window_open(
		dev, p->super.data_start, p->super.data_size, sv_dev_name(dev), err);
	if (!a->dev[p->super.role])
		return -1;
	a->there++;
	return 0;
}

static const struct sv_md_super *newest(
	const struct part *parts, size_t n, const struct sv_md_super *like)
{
	const struct sv_md_super *best = like;

	for (size_t i = 0; i < n; i++) {
		if (same_array(&parts[i].super, like) && parts[i].super.events > best->events)
			best = &parts[i].super;
	}
	return best;
}

/* ---- the device ---- */

static int check_complete(const struct array *a, const char *name, struct sv_err *err)
{
	if (a->there == a->super->disks)
		return 0;
	return sv_fail(err, SV_NOTFOUND, name,
		"%zu of its %u devices are here, and all are needed", a->there,
		a->super->disks);
}

static struct sv_dev *open_linear(const struct array *a, const char *name, struct sv_err *err)
{
	if (check_complete(a, name, err) < 0)
		return NULL;
	return sv_join_linear(a->dev, a->super->disks, name, err);
}

static struct sv_dev *open_mirror(const struct array *a, const char *name, struct sv_err *err)
{
	uint64_t size = a->super->part_size;

	for (size_t i = 0; !size && i < a->super->disks; i++)
		size = a->dev[i] ? sv_dev_size(a->dev[i]) : 0;
	return sv_join_mirrored(a->dev, a->super->disks, size, name, err);
}

static struct sv_dev *open_raid(const struct array *a, const char *name, struct sv_err *err)
{
	struct sv_raid r = {.level = (unsigned)a->super->level,
		.layout = a->super->layout,
		.chunk = a->super->chunk,
		.part_size = a->super->part_size,
		.parts = a->dev,
		.n = a->super->disks};

	if (r.level == 0 && check_complete(a, name, err) < 0)
		return NULL;
	for (size_t i = 0; r.level && !r.part_size && i < r.n; i++)
		r.part_size = a->dev[i] ? sv_dev_size(a->dev[i]) : 0;
	return sv_raid_open(&r, sv_raid_size(&r), name, err);
}

static struct sv_dev *open_array(const struct array *a, const char *name, struct sv_err *err)
{
	if (a->super->reshaping) {
		sv_fail(err, SV_UNSUPPORTED, name,
			"the array was being reshaped: its data lie in two layouts");
		sv_hint(err, "start the guest and let the reshape end");
		return NULL;
	}
	if (a->super->disks > SV_RAID_PARTS_MAX) {
		sv_fail(err, SV_UNSUPPORTED, name, "an array of %u devices", a->super->disks);
		return NULL;
	}
	switch (a->super->level) {
	case SV_MD_LINEAR:
		return open_linear(a, name, err);
	case 1:
	case SV_MD_MULTIPATH:
		return open_mirror(a, name, err);
	case 0:
	case 4:
	case 5:
	case 6:
	case 10:
		return open_raid(a, name, err);
	default:
		sv_fail(err, SV_UNSUPPORTED, name, "md level %d is not known", a->super->level);
		return NULL;
	}
}

/* ---- names ---- */

/* "host:root" is "md/root" to people; without a name it is the number, or the UUID. */
static char *array_name(const struct sv_md_super *s)
{
	const char *colon = strchr(s->name, ':');
	const char *name = colon ? colon + 1 : s->name;

	if (name[0] && !strchr(name, '/') && sv_utf8_valid(name, strlen(name)))
		return sv_format("md/%s", name);
	if (s->major == 0)
		return sv_format("md/%u", s->preferred);
	return sv_format("md/%02x%02x%02x%02x", s->uuid[0], s->uuid[1], s->uuid[2], s->uuid[3]);
}

static char *array_type(const struct array *a)
{
	const char *state = a->there < a->super->disks ? ", degraded" : "";

	if (a->super->level == SV_MD_LINEAR)
		return sv_format("Linux RAID, linear%s", state);
	if (a->super->level == SV_MD_MULTIPATH)
		return strdup("Linux multipath");
	return sv_format("Linux RAID %d%s", a->super->level, state);
}

/* As mdadm prints it. */
static void array_uuid(const struct sv_md_super *s, char out[36])
{
	const uint8_t *u = s->uuid;
	uint32_t w[4];

	for (size_t i = 0; i < 4; i++) {
		w[i] = s->major == 0 && !s->big_endian ? sv_load_le32(u + 4 * i)
						       : sv_load_be32(u + 4 * i);
	}
	snprintf(out, 36, "%08x:%08x:%08x:%08x", w[0], w[1], w[2], w[3]);
}

/* ---- all arrays ---- */

static int gather(struct array *a, const struct sv_member *members, struct part *parts,
	size_t n, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!same_array(&parts[i].super, a->super))
			continue;
		parts[i].taken = true;
		if (take_part(a, members, &parts[i], err) < 0)
			return -1;
	}
	return 0;
}

static int note_members(struct sv_group_volume *v, const struct array *a,
	const struct part *parts, size_t n, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (same_array(&parts[i].super, a->super) &&
			sv_group_add_member(v, parts[i].member, err) < 0)
			return -1;
	}
	return 0;
}

static int add_array(const struct sv_member *members, struct part *parts, size_t n,
	const struct sv_md_super *first, struct sv_group_volumes *ret, struct sv_err *err)
{
	SV_CLEANUP(array_freep) struct array *a = calloc(1, sizeof *a);
	sv_autofree char *name = array_name(first), *type = NULL;
	struct sv_err why = SV_ERR_INIT;
	struct sv_group_volume *v;
	char uuid[36];

	if (!a || !name)
		return sv_fail_nomem(err);
	a->super = newest(parts, n, first);
	if (gather(a, members, parts, n, err) < 0)
		return -1;
	type = array_type(a);
	if (!type)
		return sv_fail_nomem(err);
	array_uuid(a->super, uuid);
	v = sv_group_add(ret, "md", name, type, uuid, err);
	if (!v || note_members(v, a, parts, n, err) < 0)
		return -1;
	v->dev = open_array(a, name, &why);
	if (!v->dev)
		return sv_group_problem(v, &why, err);
	v->size = sv_dev_size(v->dev);
	if (a->there == a->super->disks || a->super->level == SV_MD_MULTIPATH)
		return 0;
	return sv_group_warn(
		v, err, "degraded: %zu of its %u devices are here", a->there, a->super->disks);
}

/* A container of the firmware's (IMSM, DDF) has no superblock of md's own. */
static int find_parts(const struct sv_member *members, size_t n, struct part *parts,
	size_t *ret_n, struct sv_job *job, struct sv_err *err)
{
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		struct sv_err why = SV_ERR_INIT;

		parts[*ret_n] = (struct part){.member = i};
		if (sv_job_check(job, err) < 0)
			return -1;
		if (members[i].table)
			continue;
		if (sv_md_read_super(members[i].dev, &parts[*ret_n].super, &why) == 0) {
			++*ret_n;
		} else if (why.code == SV_NOMEM || why.code == SV_CANCELLED) {
			sv_err_copy(err, &why);
			return -1;
		}
	}
	return 0;
}

int sv_md_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err)
{
	sv_autofree struct part *parts = calloc(n + 1, sizeof *parts);
	size_t n_parts, arrays = 0;

	if (!parts)
		return sv_fail_nomem(err);
	if (find_parts(members, n, parts, &n_parts, job, err) < 0)
		return -1;
	for (size_t i = 0; i < n_parts && arrays < ARRAYS_MAX; i++) {
		if (parts[i].taken || ret->n == SV_GROUP_VOLUMES_MAX)
			continue;
		if (add_array(members, parts, n_parts, &parts[i].super, ret, err) < 0)
			return -1;
		arrays++;
	}
	return 0;
}
