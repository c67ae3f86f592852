/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filling new images (driver.h): clusters are taken and entries put as by any write, but the
 * file grows in large steps, and what has gathered in memory is written without a flush in
 * between. Clusters behind each other on the guest's disk lie so in the file.
 */
#include "image/qcow2/qcow2.h"

int sv_qcow2_fill_begin(
	struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err)
{
	struct sv_qcow2 *q = sv_qcow2_of(l);

	(void)data;
	if (sv_qcow2_begin_change(q, err) < 0)
		return -1;
	q->filling = true;
	q->filled = UINT64_MAX;
	*ret_unit = (uint32_t)SV_MIN(q->cluster, 64 * SV_KIB);
	return 0;
}

static int put_places(
	struct sv_qcow2 *q, uint64_t index, uint64_t n, uint64_t at, struct sv_err *err)
{
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];

	for (uint64_t i = 0; i < n; i++) {
		const struct sv_qcow2_entry e = {
			.has_host = true,
			.copied = true,
			.host = at + i * q->cluster,
			.data = sv_qcow2_all(&q->layout),
		};

		raw[i] = sv_qcow2_encode(&q->layout, &e);
	}
	return sv_qcow2_put_entries(q, index, (uint32_t)n, raw, err);
}

/* New clusters from `index` on, at most max; *ret_n how many. */
static int take_places(struct sv_qcow2 *q, uint64_t index, uint64_t max, uint64_t *ret_at,
	uint64_t *ret_n, struct sv_err *err)
{
	uint64_t entry_at;
	uint32_t in_page;

	if (q->layout.data_file)
		return sv_fail(err, SV_INTERNAL, sv_dev_name(q->file),
			"an image with a data file is filled");
	if (sv_qcow2_own_table(q, index, err) < 0 ||
		sv_qcow2_entry_at(q, index, &entry_at, &in_page, err) < 0)
		return -1;
	max = SV_MIN(max, in_page);
	max = SV_MIN(max, (uint64_t)SV_QCOW2_BATCH);
	if (sv_qcow2_alloc(q, 1, max, false, ret_at, ret_n, err) < 0)
		return -1;
	return put_places(q, index, *ret_n, *ret_at, err);
}

int sv_qcow2_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err)
{
	struct sv_qcow2 *q = sv_qcow2_of(l);
	uint64_t index = off / q->cluster, in = off % q->cluster, at = q->filled_at, n = 1;

	/* in a cluster larger than a unit something may lie already */
	if (!in || index != q->filled) {
		if (take_places(q, index, sv_div_up(in + len, q->cluster), &at, &n, err) < 0)
			return -1;
		q->filled = index + n - 1;
		q->filled_at = at + (n - 1) * q->cluster;
	}
	*ret = (struct sv_run){SV_MIN(len, n * q->cluster - in), SV_RUN_DATA, at + in, q->file};
	if (sv_qcow2_cache_dirty_bytes(q->cache) < SV_QCOW2_DIRTY_BYTES)
		return 0;
	return sv_qcow2_write_tables(q, err);
}

int sv_qcow2_fill_end(struct sv_link *l, struct sv_err *err)
{
	struct sv_qcow2 *q = sv_qcow2_of(l);

	q->filling = false;
	if (sv_qcow2_write_tables(q, err) < 0)
		return -1;
	return q->fill_end && sv_dev_size(q->file) > q->fill_end
		       ? sv_dev_resize(q->file, q->fill_end, err)
		       : 0;
}
