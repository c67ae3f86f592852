/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows' dynamic disks: finds them among the disks, tells their groups apart by GUID (two
 * groups of one name, a machine and its clone, stay two), believes the database of each that
 * has seen the most changes, and hands its volumes to volume.c.
 */
#include "base/num.h"
#include "base/str.h"
#include "volume/ldm/volume.h"
#include "volume/manager.h"

#include <string.h>

struct found {
	size_t index; /* of the member */
	struct sv_ldm_member ldm;
	bool taken; /* its group was built */
};

struct ldm {
	const struct sv_member *members;
	struct found *found;
	size_t n;
};

static bool stops(const struct sv_err *why, struct sv_err *err)
{
	if (why->code != SV_NOMEM && why->code != SV_CANCELLED)
		return false;
	sv_err_copy(err, why);
	return true;
}

/* A disk whose database cannot be read is a volume that cannot be read. */
static int add_unknown(const struct ldm *m, size_t index, const struct sv_err *why,
	struct sv_group_volumes *ret, struct sv_err *err)
{
	sv_autofree char *name = sv_format("ldm/%s", m->members[index].id);
	struct sv_group_volume *v;

	if (!name)
		return sv_fail_nomem(err);
	v = sv_group_add(ret, "ldm", name, "dynamic disk", "", err);
	if (!v || sv_group_add_member(v, index, err) < 0)
		return -1;
	return sv_group_problem(v, why, err);
}

static int find_disks(struct ldm *m, size_t n, struct sv_group_volumes *ret, struct sv_job *job,
	struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct sv_err why = SV_ERR_INIT;

		if (sv_job_check(job, err) < 0)
			return -1;
		if (!m->members[i].table)
			continue;
		m->found[m->n] = (struct found){.index = i};
		if (sv_ldm_read_member(m->members[i].dev, &m->found[m->n].ldm, &why) == 0)
			m->n++;
		else if (stops(&why, err))
			return -1;
		else if (why.code != SV_NOTFOUND && add_unknown(m, i, &why, ret, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- groups ---- */

static bool same_group(const struct found *a, const struct found *b)
{
	return !memcmp(a->ldm.private.group, b->ldm.private.group, 16) &&
	       a->ldm.unit == b->ldm.unit;
}

static const struct found *newest(const struct ldm *m, const struct found *like)
{
	const struct found *best = like;

	for (size_t i = 0; i < m->n; i++) {
		if (same_group(&m->found[i], like) &&
			m->found[i].ldm.head.committed > best->ldm.head.committed)
			best = &m->found[i];
	}
	return best;
}

/* Where a disk of the database is among the members. */
static struct sv_ldm_place place_of(
	const struct ldm *m, const struct found *like, const struct sv_ldm_record *disk)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct found *f = &m->found[i];

		if (same_group(f, like) &&
			!memcmp(f->ldm.private.disk, disk->disk.guid, sizeof disk->disk.guid))
			return (struct sv_ldm_place){
				disk, m->members[f->index].dev, &f->ldm, f->index};
	}
	return (struct sv_ldm_place){.disk = disk};
}

static int add_volumes(
	const struct sv_ldm_group *g, struct sv_group_volumes *ret, struct sv_err *err)
{
	for (size_t i = 0; i < g->records->n && ret->n < SV_GROUP_VOLUMES_MAX; i++) {
		if (g->records->r[i].kind == SV_LDM_VOLUME &&
			sv_ldm_add_volume(g, &g->records->r[i], ret, err) < 0)
			return -1;
	}
	return 0;
}

static int build_group(const struct ldm *m, const struct found *like,
	const struct sv_ldm_records *records, struct sv_group_volumes *ret, struct sv_err *err)
{
	sv_autofree struct sv_ldm_place *places = calloc(records->n + 1, sizeof *places);
	const char *name = like->ldm.head.group_name;
	struct sv_ldm_group g = {
		.name = name, .unit = like->ldm.unit, .records = records, .places = places};

	if (!places)
		return sv_fail_nomem(err);
	if (!name[0] || strchr(name, '/') || !sv_utf8_valid(name, strlen(name)))
		g.name = "ldm";
	for (size_t i = 0; i < records->n; i++) {
		if (records->r[i].kind == SV_LDM_DISK)
			places[g.n_places++] = place_of(m, like, &records->r[i]);
	}
	return add_volumes(&g, ret, err);
}

static int add_group(struct ldm *m, const struct found *first, struct sv_group_volumes *ret,
	struct sv_err *err)
{
	const struct found *best = newest(m, first);
	struct sv_ldm_records records = {0};
	struct sv_err why = SV_ERR_INIT;
	size_t before = ret->n;
	int rc;

	if (sv_ldm_read_records(m->members[best->index].dev, &best->ldm, &records, &why) < 0)
		return stops(&why, err) ? -1 : add_unknown(m, best->index, &why, ret, err);
	rc = build_group(m, best, &records, ret, err);
	/* a damaged record that left no volume at all would go unseen */
	if (rc == 0 && ret->n == before && records.first.code != SV_OK)
		rc = add_unknown(m, best->index, &records.first, ret, err);
	sv_ldm_records_free(&records);
	return rc;
}

int sv_ldm_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err)
{
	sv_autofree struct found *found = calloc(n + 1, sizeof *found);
	struct ldm m = {members, found, 0};

	if (!found)
		return sv_fail_nomem(err);
	if (find_disks(&m, n, ret, job, err) < 0)
		return -1;
	for (size_t i = 0; i < m.n; i++) {
		if (found[i].taken || ret->n == SV_GROUP_VOLUMES_MAX)
			continue;
		for (size_t k = i; k < m.n; k++)
			found[k].taken |= same_group(&found[i], &found[k]);
		if (add_group(&m, &found[i], ret, err) < 0)
			return -1;
	}
	return 0;
}
