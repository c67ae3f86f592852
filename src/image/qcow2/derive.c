/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies of qcow2 disks in own files, and what derivations cost and where they end. Snapshots
 * inside the image go with the copy of its file. A disk with a data file is flattened: QEMU
 * looks for a relative name of that file in its working directory, so that the two could not
 * be moved together.
 */
#include "image/qcow2/qcow2.h"
#include "image/qcow2/make.h"

#include "base/str.h"

int sv_qcow2_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	sv_autofree char *name = sv_format("%s.qcow2", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_made_copy(made, l->info.path, path, reflink, job, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

const char *sv_qcow2_flat_subformat(const struct sv_link *l)
{
	(void)l;
	return NULL;
}

/* ---- costs and limits ---- */

static struct sv_qcow2_new flat_image(struct sv_image *original, uint64_t size)
{
	const struct sv_qcow2 *q = sv_qcow2_of(sv_image_driver_link(original, 0));
	/* all tables of the old size, as if they were full */
	struct sv_qcow2_new n = {size, q->h.cluster_bits, 0, "", ""};

	return n;
}

/* A grown copy has a larger L1 table, and perhaps blocks and a table to count it. */
static uint64_t grow_cost(const struct sv_qcow2 *q, uint64_t size)
{
	uint64_t l1 = sv_align_up(sv_qcow2_l1_needed(&q->h, size) * 8, q->cluster);
	uint64_t blocks = l1 / q->cluster / sv_qcow2_block_entries(q) + 2;

	return l1 + blocks * q->cluster + 2 * q->h.reftable_clusters * q->cluster;
}

uint64_t sv_qcow2_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	struct sv_link *leaf = sv_image_driver_link(original, 0);
	struct sv_qcow2_new n = flat_image(original, size);
	uint64_t cost = 0;

	if (how == SV_DERIVE_LINKED)
		return sv_qcow2_linked_cost(original, size);
	if (sv_image_links(original) == 1 && !leaf->flatten)
		return grow_cost(sv_qcow2_of(leaf), size);
	sv_qcow2_make_cost(&n, &cost, NULL);
	return cost + sv_qcow2_linked_cost(original, sv_dev_size(sv_image_dev(original)));
}

int sv_qcow2_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	struct sv_link *leaf = sv_image_driver_link(original, 0);
	struct sv_qcow2_new n = flat_image(original, size);
	uint64_t cost;

	if (how == SV_DERIVE_LINKED)
		return sv_qcow2_check_linked(original, size, err);
	if (sv_image_links(original) == 1 && !leaf->flatten)
		return sv_qcow2_check_grow(sv_qcow2_of(leaf), size, err);
	if (sv_qcow2_make_cost(&n, &cost, err) < 0)
		return sv_err_path(err, leaf->info.path);
	return 0;
}
