/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes that are made of other volumes. Partitions that belong to a volume manager are
 * handed to the volume room; what it makes of them joins the guest's list, and each of the
 * partitions says what it is a part of.
 */
#include "guest/guest_private.h"

#include "base/num.h"
#include "base/str.h"
#include "volume/join.h"

#include <string.h>

/* The marks of volume managers, as sv_fs_probe() names them. */
static bool is_member(const struct sv_guest_volume *v)
{
	return !strcmp(v->type, "lvm2") || !strcmp(v->type, "md");
}

/* ---- what a member says of itself ---- */

static int tell_part(struct sv_guest_volume *member, const struct sv_group_volume *of,
	bool first, struct sv_err *err)
{
	sv_autofree char *text = first ? sv_format("part of %s", of->name)
				       : sv_format("%s, %s", member->problem, of->name);

	if (!text)
		return sv_fail_nomem(err);
	return strlen(text) < 200 ? sv_guest_set_text(&member->problem, text, err) : 0;
}

static int tell_members(struct sv_guest *g, const struct sv_group_volumes *made,
	const size_t *volume_of, bool *told, struct sv_err *err)
{
	for (size_t i = 0; i < made->n; i++) {
		for (size_t k = 0; k < made->v[i].n_members; k++) {
			size_t at = volume_of[made->v[i].members[k]];

			if (tell_part(&g->volumes[at], &made->v[i], !told[at], err) < 0)
				return -1;
			told[at] = true;
		}
	}
	return 0;
}

/* ---- a new volume ---- */

static struct sv_dev *device_of(const struct sv_group_volume *made, struct sv_err *err)
{
	/* what cannot be put together still has a size and a place in the list */
	return made->dev ? sv_dev_ref(made->dev) : sv_mem_open(NULL, 0, true, made->name, err);
}

static int append(struct sv_guest *g, const struct sv_group_volume *made,
	const size_t *volume_of, struct sv_err *err)
{
	struct sv_guest_volume v = {
		.disk = made->n_members ? g->volumes[volume_of[made->members[0]]].disk : 0,
		.group = made->kind,
		.hint = made->letter,
		.warning = made->warning,
		.size = made->size,
		.type = "",
		.type_name = made->type_name,
		.id = strdup(made->name),
		.problem = strdup(made->problem),
		.problem_code = made->problem_code,
		.mount = strdup(""),
		.dev = device_of(made, err),
	};

	if (!v.id || !v.problem || !v.mount || !v.dev) {
		if (v.dev)
			sv_fail_nomem(err);
		sv_guest_volume_free(&v);
		return -1;
	}
	memcpy(v.group_guid, made->guid, sizeof v.group_guid);
	return sv_guest_append(g, &v, err);
}

/* ---- a round ---- */

/* The largest partition of a dynamic disk (on a GPT the database has one, too);
 * g->n_volumes where there is none. */
static size_t dynamic_volume(const struct sv_guest *g, size_t disk)
{
	size_t best = g->n_volumes;

	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct sv_guest_volume *v = &g->volumes[i];

		if (v->disk == disk && !v->group && !strcmp(v->type, "ldm") &&
			(best == g->n_volumes || v->size > g->volumes[best].size))
			best = i;
	}
	return best;
}

/* A dynamic disk is a member as a whole: its database lies beside its partitions. */
static size_t add_dynamic_disks(
	const struct sv_guest *g, struct sv_member *members, size_t *volume_of, size_t n)
{
	for (size_t i = 0; i < g->n_disks; i++) {
		size_t at = dynamic_volume(g, i);

		if (at == g->n_volumes)
			continue;
		members[n] = (struct sv_member){g->disks[i].dev, g->volumes[at].id, true};
		volume_of[n++] = at;
	}
	return n;
}

static size_t find_members(
	const struct sv_guest *g, size_t from, struct sv_member *members, size_t *volume_of)
{
	size_t n = 0;

	for (size_t i = from; i < g->n_volumes; i++) {
		if (!is_member(&g->volumes[i]))
			continue;
		members[n] = (struct sv_member){g->volumes[i].dev, g->volumes[i].id, false};
		volume_of[n++] = i;
	}
	return n;
}

int sv_guest_add_groups(
	struct sv_guest *g, size_t from, unsigned round, struct sv_job *job, struct sv_err *err)
{
	size_t n_volumes = g->n_volumes, n;
	sv_autofree struct sv_member *members = calloc(n_volumes + 1, sizeof *members);
	sv_autofree size_t *volume_of = calloc(n_volumes + 1, sizeof *volume_of);
	sv_autofree bool *told = calloc(n_volumes + 1, sizeof *told);
	struct sv_group_volumes *made = &((struct sv_guest_impl *)g)->groups[round];

	if (!members || !volume_of || !told)
		return sv_fail_nomem(err);
	n = find_members(g, from, members, volume_of);
	if (round == 0)
		n = add_dynamic_disks(g, members, volume_of, n);
	if (!n)
		return 0;
	if (sv_group_assemble(members, n, made, job, err) < 0 ||
		tell_members(g, made, volume_of, told, err) < 0)
		return -1;
	for (size_t i = 0; i < made->n; i++) {
		if (append(g, &made->v[i], volume_of, err) < 0)
			return -1;
	}
	return 0;
}
