/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * LVM2: finds physical volumes among the members, takes the newest description of each group,
 * and builds the volumes that a person sees. Groups are told apart by their UUID: two groups
 * of one name (a machine and its clone) stay two.
 */
#include "base/num.h"
#include "base/str.h"
#include "volume/lvm2/label.h"
#include "volume/lvm2/vg.h"
#include "volume/manager.h"

#include <string.h>

#define GROUPS_MAX   256
#define SEGMENTS_MAX 65536

struct pv { /* a member with a label */
	size_t member;
	struct sv_lvm2_label label;
};

struct lvm2 {
	const struct sv_member *members;
	struct pv *pvs;
	size_t n_pvs;
	struct sv_lvm2_vg *vgs;
	size_t n_vgs;
};

static void lvm2_free(struct lvm2 *m)
{
	for (size_t i = 0; i < m->n_vgs; i++)
		sv_lvm2_vg_free(&m->vgs[i]);
	free(m->vgs);
	free(m->pvs);
}

/* Out of memory and cancelled stop everything; anything else only this member. */
static bool stops(const struct sv_err *why, struct sv_err *err)
{
	if (why->code != SV_NOMEM && why->code != SV_CANCELLED)
		return false;
	sv_err_copy(err, why);
	return true;
}

/* ---- groups ---- */

/* Keeps the description unless a newer one of the same group is there. */
static void keep_newest(struct lvm2 *m, struct sv_lvm2_vg *vg)
{
	for (size_t i = 0; i < m->n_vgs; i++) {
		struct sv_lvm2_vg swap = m->vgs[i];

		if (strcmp(swap.uuid, vg->uuid) != 0)
			continue;
		if (vg->seqno > swap.seqno) {
			m->vgs[i] = *vg;
			*vg = swap;
		}
		sv_lvm2_vg_free(vg);
		return;
	}
	if (m->n_vgs == GROUPS_MAX)
		sv_lvm2_vg_free(vg);
	else
		m->vgs[m->n_vgs++] = *vg;
}

static int read_description(struct lvm2 *m, const struct pv *pv, struct sv_err *err)
{
	struct sv_lvm2_tree *tree;
	struct sv_lvm2_vg vg;
	size_t n;
	sv_autofree char *text =
		sv_lvm2_read_text(m->members[pv->member].dev, &pv->label, &n, err);

	if (!text || sv_lvm2_parse_text(text, n, &tree, err) < 0 ||
		sv_lvm2_vg_read(tree, &vg, err) < 0)
		return -1;
	keep_newest(m, &vg);
	return 0;
}

/* A label whose group nobody can describe is a volume of its own that cannot be read. */
static int add_unknown(const struct pv *pv, const struct sv_err *why,
	struct sv_group_volumes *ret, struct sv_err *err)
{
	struct sv_group_volume *v = sv_group_add(
		ret, "lvm2", pv->label.uuid, "LVM2 physical volume", pv->label.uuid, err);

	if (!v || sv_group_add_member(v, pv->member, err) < 0)
		return -1;
	v->size = pv->label.size;
	return sv_group_problem(v, why, err);
}

/* ---- matching physical volumes ---- */

static bool same_uuid(const char *with_hyphens, const char *text)
{
	for (; *with_hyphens || *text; with_hyphens++, text++) {
		while (*with_hyphens == '-')
			with_hyphens++;
		while (*text == '-')
			text++;
		if (*with_hyphens != *text || !*text)
			return *with_hyphens == *text;
	}
	return true;
}

static void match_pvs(const struct lvm2 *m, struct sv_lvm2_vg *vg)
{
	for (size_t i = 0; i < vg->n_pvs; i++) {
		for (size_t k = 0; k < m->n_pvs && !vg->pvs[i].dev; k++) {
			if (!same_uuid(m->pvs[k].label.uuid, vg->pvs[i].uuid))
				continue;
			vg->pvs[i].member = m->pvs[k].member;
			vg->pvs[i].dev = m->members[m->pvs[k].member].dev;
		}
	}
}

static bool belongs(const struct lvm2 *m, const struct pv *pv)
{
	for (size_t g = 0; g < m->n_vgs; g++) {
		for (size_t i = 0; i < m->vgs[g].n_pvs; i++) {
			if (same_uuid(pv->label.uuid, m->vgs[g].pvs[i].uuid))
				return true;
		}
	}
	return false;
}

/* ---- volumes ---- */

static bool is_visible(const struct sv_lvm2_vg *vg, const struct sv_lvm2_node *lv)
{
	const struct sv_lvm2_node *in = sv_lvm2_find(lv, "segment1", SV_LVM2_SECTION);
	const char *type = in ? sv_lvm2_string(in, "type", "") : "";

	if (lv->kind == SV_LVM2_SECTION && sv_lvm2_find_snapshot(vg, lv->key))
		return true;
	return lv->kind == SV_LVM2_SECTION && strcmp(type, "snapshot") != 0 &&
	       sv_lvm2_has_word(lv, "status", "VISIBLE") && strcmp(type, "thin-pool") != 0 &&
	       strcmp(type, "cache-pool") != 0 && strcmp(type, "vdo-pool") != 0;
}

static int note_members(struct sv_group_volume *v, const struct sv_lvm2_vg *vg,
	const bool *used, struct sv_err *err)
{
	for (size_t i = 0; i < vg->n_pvs; i++) {
		if (used[i] && sv_group_add_member(v, vg->pvs[i].member, err) < 0)
			return -1;
	}
	return 0;
}

static int build(const struct sv_lvm2_vg *vg, const struct sv_lvm2_node *lv,
	struct sv_group_volume *v, struct sv_err *err)
{
	sv_autofree bool *used = calloc(vg->n_pvs + 1, sizeof *used);
	struct sv_lvm2_build b = {.vg = vg, .used = used, .budget = SEGMENTS_MAX};
	struct sv_err why = SV_ERR_INIT;

	if (!used)
		return sv_fail_nomem(err);
	v->dev = sv_lvm2_open_lv(&b, lv->key, &why);
	if (note_members(v, vg, used, err) < 0)
		return -1;
	if (!v->dev)
		return sv_group_problem(v, &why, err);
	v->size = sv_dev_size(v->dev);
	return 0;
}

static int add_volume(const struct sv_lvm2_vg *vg, const struct sv_lvm2_node *lv,
	struct sv_group_volumes *ret, struct sv_err *err)
{
	sv_autofree char *name = sv_format("%s/%s", vg->name, lv->key);
	sv_autofree char *type = sv_lvm2_describe(vg, lv);
	struct sv_group_volume *v;

	if (!name || !type)
		return sv_fail_nomem(err);
	v = sv_group_add(ret, "lvm2", name, type, sv_lvm2_string(lv, "id", ""), err);
	return v ? build(vg, lv, v, err) : -1;
}

static int add_volumes(
	const struct sv_lvm2_vg *vg, struct sv_group_volumes *ret, struct sv_err *err)
{
	for (const struct sv_lvm2_node *c = vg->lvs ? vg->lvs->first : NULL; c; c = c->next) {
		if (ret->n == SV_GROUP_VOLUMES_MAX)
			return 0;
		if (is_visible(vg, c) && add_volume(vg, c, ret, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- all of it ---- */

static int find_pvs(struct lvm2 *m, size_t n, struct sv_job *job, struct sv_err *err)
{
	m->pvs = calloc(n + 1, sizeof *m->pvs);
	m->vgs = calloc(GROUPS_MAX, sizeof *m->vgs);
	if (!m->pvs || !m->vgs)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct sv_err why = SV_ERR_INIT;

		m->pvs[m->n_pvs].member = i;
		if (sv_job_check(job, err) < 0)
			return -1;
		if (m->members[i].table)
			continue;
		if (sv_lvm2_read_label(m->members[i].dev, &m->pvs[m->n_pvs].label, &why) == 0)
			m->n_pvs++;
		else if (stops(&why, err))
			return -1;
	}
	return 0;
}

/* Descriptions first, then the labels that no description knows. */
static int find_groups(struct lvm2 *m, struct sv_group_volumes *ret, struct sv_err *err)
{
	sv_autofree struct sv_err *why = calloc(m->n_pvs + 1, sizeof *why);

	if (!why)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < m->n_pvs; i++) {
		if (read_description(m, &m->pvs[i], &why[i]) < 0 && stops(&why[i], err))
			return -1;
	}
	for (size_t i = 0; i < m->n_pvs; i++) {
		if (why[i].code == SV_OK || belongs(m, &m->pvs[i]) ||
			ret->n == SV_GROUP_VOLUMES_MAX)
			continue;
		if (add_unknown(&m->pvs[i], &why[i], ret, err) < 0)
			return -1;
	}
	return 0;
}

int sv_lvm2_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(lvm2_free) struct lvm2 m = {.members = members};

	if (find_pvs(&m, n, job, err) < 0 || find_groups(&m, ret, err) < 0)
		return -1;
	for (size_t i = 0; i < m.n_vgs; i++) {
		match_pvs(&m, &m.vgs[i]);
		if (add_volumes(&m.vgs[i], ret, err) < 0)
			return -1;
	}
	return 0;
}
