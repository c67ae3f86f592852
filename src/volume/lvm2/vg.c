/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads a volume group's description: what the group and its physical volumes are. */
#include "volume/lvm2/vg.h"

#include "base/num.h"
#include "volume/lvm2/label.h"

#include <string.h>

#define EXTENT_MAX (UINT64_C(1) << 31) /* sectors: 1 TiB, above every lvm2's limit */

/* The group is the one section that has an `id` and an `extent_size`. */
static const struct sv_lvm2_node *find_group(const struct sv_lvm2_node *root)
{
	for (const struct sv_lvm2_node *c = root->first; c; c = c->next) {
		if (c->kind == SV_LVM2_SECTION && sv_lvm2_number(c, "extent_size", 0))
			return c;
	}
	return NULL;
}

static int read_pv(const struct sv_lvm2_node *node, struct sv_lvm2_vg *vg, struct sv_err *err)
{
	uint64_t start = sv_lvm2_number(node, "pe_start", 0);
	uint64_t extents = sv_lvm2_number(node, "pe_count", 0), end;

	if (vg->n_pvs == SV_LVM2_PVS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the LVM2 group %s has more than %d physical volumes", vg->name,
			SV_LVM2_PVS_MAX);
	if (start > INT64_MAX / SV_SECTOR || !sv_mul(extents, vg->extent, &end) ||
		end > INT64_MAX - start * SV_SECTOR)
		return sv_fail_at(err, SV_CORRUPT, NULL, node->at,
			"LVM2 metadata: %s begins at sector %llu and has %llu extents",
			node->key, (unsigned long long)start, (unsigned long long)extents);
	vg->pvs[vg->n_pvs++] = (struct sv_lvm2_pv){
		.name = node->key,
		.uuid = sv_lvm2_string(node, "id", ""),
		.start = start * SV_SECTOR,
		.extents = extents,
	};
	return 0;
}

static int read_pvs(struct sv_lvm2_vg *vg, struct sv_err *err)
{
	const struct sv_lvm2_node *pvs =
		sv_lvm2_find(vg->node, "physical_volumes", SV_LVM2_SECTION);
	size_t n = 0;

	for (const struct sv_lvm2_node *c = pvs ? pvs->first : NULL; c; c = c->next)
		n++;
	vg->pvs = calloc(SV_MIN(n, (size_t)SV_LVM2_PVS_MAX) + 1, sizeof *vg->pvs);
	if (!vg->pvs)
		return sv_fail_nomem(err);
	for (const struct sv_lvm2_node *c = pvs ? pvs->first : NULL; c; c = c->next) {
		if (c->kind == SV_LVM2_SECTION && read_pv(c, vg, err) < 0)
			return -1;
	}
	return 0;
}

static int read_group(struct sv_lvm2_vg *vg, struct sv_err *err)
{
	uint64_t sectors;

	vg->node = find_group(sv_lvm2_root(vg->tree));
	if (!vg->node)
		return sv_fail(
			err, SV_CORRUPT, NULL, "LVM2 metadata describes no volume group");
	vg->name = vg->node->key;
	vg->uuid = sv_lvm2_string(vg->node, "id", "");
	vg->seqno = sv_lvm2_number(vg->node, "seqno", 0);
	sectors = sv_lvm2_number(vg->node, "extent_size", 0);
	if (sectors > EXTENT_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, vg->node->at,
			"LVM2 metadata: extents of %llu sectors, expected at most 2^31",
			(unsigned long long)sectors);
	vg->extent = sectors * SV_SECTOR;
	vg->lvs = sv_lvm2_find(vg->node, "logical_volumes", SV_LVM2_SECTION);
	return read_pvs(vg, err);
}

int sv_lvm2_vg_read(struct sv_lvm2_tree *tree, struct sv_lvm2_vg *ret, struct sv_err *err)
{
	*ret = (struct sv_lvm2_vg){.tree = tree};
	if (read_group(ret, err) == 0)
		return 0;
	sv_lvm2_vg_free(ret);
	return -1;
}

void sv_lvm2_vg_free(struct sv_lvm2_vg *vg)
{
	sv_lvm2_tree_free(vg->tree);
	free(vg->pvs);
	*vg = (struct sv_lvm2_vg){0};
}
