/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening and reading an expanding image file: see hds.h. */
#include "image/parallels/hds.h"

#include "image/parallels/ext.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static int read_bat(struct sv_hds *h, struct sv_err *err)
{
	uint64_t n = h->h.n_used;

	h->bat = malloc(n * 4);
	if (!h->bat)
		return sv_fail_nomem(err);
	if (sv_dev_read(h->file, h->bat, n * 4, sv_prl_entry_at(0), err) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i++)
		h->bat[i] = sv_load_le32(&h->bat[i]);
	return 0;
}

int sv_hds_load(struct sv_dev *file, struct sv_hds **ret, struct sv_err *err)
{
	uint8_t head[sizeof(struct sv_prl_disk_header)];
	size_t n = (size_t)SV_MIN(sv_dev_size(file), sizeof head);
	struct sv_hds *h = calloc(1, sizeof *h);

	if (!h)
		return sv_fail_nomem(err);
	h->file = sv_dev_ref(file);
	if (sv_dev_read(file, head, n, 0, err) < 0 ||
		sv_prl_header_parse(head, n, sv_dev_size(file), &h->h, err) < 0 ||
		read_bat(h, err) < 0) {
		sv_hds_close(h);
		return sv_err_path(err, sv_dev_name(file));
	}
	*ret = h;
	return 0;
}

int sv_hds_open(struct sv_dev *file, bool writable, struct sv_hds **ret, struct sv_err *err)
{
	struct sv_hds *h;

	if (sv_hds_load(file, &h, err) < 0)
		return -1;
	if (writable && sv_hds_prepare_writing(h, err) < 0) {
		sv_hds_close(h);
		return sv_err_path(err, sv_dev_name(file));
	}
	*ret = h;
	return 0;
}

void sv_hds_close(struct sv_hds *h)
{
	if (!h)
		return;
	sv_prl_ext_free(h->ext);
	sv_prl_space_free(&h->space);
	free(h->pages);
	free(h->bat);
	sv_dev_close(h->file);
	free(h);
}

/* ---- places ---- */

bool sv_hds_place_of(const struct sv_prl_header *h, uint64_t at, uint64_t *ret)
{
	if (at < h->data_at || (at - h->data_at) % h->cluster)
		return false;
	*ret = at / h->cluster;
	return true;
}

uint64_t sv_hds_cluster_len(const struct sv_hds *h, uint64_t i)
{
	return SV_MIN(h->h.cluster, h->h.size - i * h->h.cluster);
}

uint64_t sv_hds_stored(const struct sv_hds *h)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < h->h.n_used; i++)
		sum += h->bat[i] ? sv_hds_cluster_len(h, i) : 0;
	return sum;
}

/* ---- ranges ---- */

/* Clusters from `first` on, up to `end`, that continue it: alike, and data without a gap. */
static uint64_t same_clusters(const struct sv_hds *h, uint64_t first, uint64_t end)
{
	uint64_t step = h->bat[first] ? h->h.cluster / h->h.unit : 0, i = first + 1;

	while (i < end && h->bat[i] == h->bat[first] + step * (i - first))
		i++;
	return i - first;
}

static int data_run(struct sv_hds *h, uint64_t off, struct sv_run *run, struct sv_err *err)
{
	uint64_t i = off / h->h.cluster, in = off % h->h.cluster;
	uint64_t at = sv_hds_cluster_at(h, i), size = sv_dev_size(h->file);

	if (at < sv_prl_entry_at(h->h.n_bat) ||
		!sv_in_range(at, sv_hds_cluster_len(h, i), size))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(h->file), sv_prl_entry_at(i),
			"cluster %llu is said to begin at byte %llu, the file has clusters from "
			"%llu to %llu",
			(unsigned long long)i, (unsigned long long)at,
			(unsigned long long)h->h.data_at, (unsigned long long)size);
	run->kind = SV_RUN_DATA;
	run->dev = h->file;
	run->host_offset = at + in;
	run->length = SV_MIN(run->length, size - at - in);
	return 0;
}

/* Where the host stores nothing for a cluster it reads as zeros. */
static int look_for_hole(struct sv_run *run, struct sv_err *err)
{
	struct sv_extent e;

	if (sv_dev_extent(run->dev, run->host_offset, run->length, &e, err) < 0)
		return -1;
	run->length = e.length;
	if (e.kind != SV_EXTENT_DATA)
		run->kind = SV_RUN_ZERO;
	return 0;
}

int sv_hds_map(struct sv_hds *h, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	uint64_t first = off / h->h.cluster, in = off % h->h.cluster;
	uint64_t end = SV_MIN(first + sv_div_up(in + max, h->h.cluster), h->h.n_used);
	struct sv_run run = {
		.length = SV_MIN(max, same_clusters(h, first, end) * h->h.cluster - in),
		.kind = SV_RUN_ABSENT,
		.host_offset = SV_NO_HOST_OFFSET,
	};

	if (h->bat[first] &&
		(data_run(h, off, &run, err) < 0 || (holes && look_for_hole(&run, err) < 0)))
		return -1;
	*ret = run;
	return 0;
}

/* ---- making ---- */

int sv_hds_make(struct sv_dev *file, uint64_t size, struct sv_err *err)
{
	struct sv_prl_disk_header h;

	if (sv_prl_header_make(size, &h, err) < 0 ||
		sv_dev_resize(file, sv_get_le32(h.data_at) * SV_SECTOR, err) < 0)
		return -1;
	return sv_dev_write(file, &h, sizeof h, 0, err);
}
