/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing an expanding image file. A larger BAT stays in front of the clusters. Where there is
 * no room for it the clusters in the way are copied behind the last one. Every step is flushed
 * before the next, and each leaves a sound image of the old size that says "in use":
 *
 *	1. copies of the clusters in the way, then their entries
 *	2. the bitmaps of the new size, in their cluster: nobody believes them meanwhile
 *	3. zeros for the new entries, behind the old ones or in the space that step 1 has freed
 *	4. the header in one write: size, number of entries, beginning of the clusters, closed
 */
#include "image/parallels/ext.h"
#include "image/parallels/hds.h"

#include <stdlib.h>
#include <string.h>

#define COPY_CHUNK SV_MIB
#define PAGE       UINT64_C(4096)

struct change {
	uint64_t size, n_bat, data_at;
	uint64_t ext_at;
};

/* ---- limits ---- */

int sv_hds_check_size(const struct sv_prl_header *h, uint64_t size, struct sv_err *err)
{
	uint64_t max = SV_PRL_BAT_MAX * h->cluster;

	if (!h->wide)
		max = SV_MIN(max, UINT32_MAX * SV_SECTOR);
	if (size <= max)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, NULL,
		"a Parallels image of this kind (\"%s\", clusters of %llu bytes) has at most "
		"%llu bytes, the disk would have %llu",
		h->wide ? SV_PRL_MAGIC_EXT : SV_PRL_MAGIC, (unsigned long long)h->cluster,
		(unsigned long long)max, (unsigned long long)size);
	return sv_hint(err, "choose a smaller size, or convert the disk first: "
			    "sharevm image convert");
}

static struct change plan(const struct sv_prl_header *h, uint64_t size)
{
	struct change c = {.size = size, .data_at = h->data_at, .ext_at = h->ext_at};
	uint64_t bat_end;

	c.n_bat = SV_MAX(h->n_bat, sv_div_up(size, h->cluster));
	bat_end = sv_prl_entry_at(c.n_bat);
	if (bat_end > c.data_at)
		c.data_at += sv_div_up(bat_end - c.data_at, h->cluster) * h->cluster;
	return c;
}

uint64_t sv_hds_grow_cost(const struct sv_prl_header *h, uint64_t size)
{
	struct change c = plan(h, size);

	/* the header and the BAT, clusters in the way, the extension's */
	return 2 * sv_prl_entry_at(c.n_bat) + (c.data_at - h->data_at) + 2 * h->cluster;
}

/* ---- step 1 ---- */

static int copy_bytes(
	struct sv_hds *h, uint64_t from, uint64_t to, uint64_t n, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(COPY_CHUNK);

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t done = 0; done < n; done += COPY_CHUNK) {
		size_t now = (size_t)SV_MIN(n - done, COPY_CHUNK);

		if (sv_dev_read(h->file, buf, now, from + done, err) < 0 ||
			sv_dev_write(h->file, buf, now, to + done, err) < 0)
			return -1;
	}
	return 0;
}

/* The places that the BAT will grow over are nobody's new place. */
static int reserve(struct sv_hds *h, const struct change *c, struct sv_err *err)
{
	for (uint64_t i = h->h.data_at / h->h.cluster; i < c->data_at / h->h.cluster; i++) {
		if (!sv_prl_space_is_taken(&h->space, i) &&
			sv_prl_space_take(&h->space, i, err) < 0)
			return -1;
	}
	return 0;
}

static int move_clusters(struct sv_hds *h, const struct change *c, struct sv_err *err)
{
	if (c->data_at == h->h.data_at)
		return 0;
	if (reserve(h, c, err) < 0)
		return -1;
	for (uint64_t i = 0; i < h->h.n_used; i++) {
		uint64_t from = sv_hds_cluster_at(h, i), to;

		if (!from || from >= c->data_at)
			continue;
		if (sv_hds_new_cluster(h, &to, err) < 0 ||
			copy_bytes(h, from, to, sv_hds_cluster_len(h, i), err) < 0 ||
			sv_hds_set_entry(h, i, to, err) < 0)
			return -1;
	}
	return sv_hds_commit(h, err);
}

/* ---- step 2 ---- */

static int move_ext(struct sv_hds *h, struct change *c, struct sv_err *err)
{
	if (!h->h.ext_at)
		return 0;
	if (sv_hds_mark(h, err) < 0)
		return -1;
	if (h->ext && sv_prl_ext_resize(h, c->size, err) < 0)
		return -1;
	if (h->h.ext_at < c->data_at) {
		c->ext_at = 0; /* what is out of date need not be kept */
		if (h->ext && sv_hds_new_cluster(h, &c->ext_at, err) < 0)
			return -1;
	}
	if (!h->ext)
		return 0;
	h->ext->at = c->ext_at;
	/* clusters of the old bitmaps, which are free now, may lie where the BAT will be */
	return sv_hds_commit(h, err) < 0 ? -1 : reserve(h, c, err);
}

/* ---- steps 3 and 4 ---- */

static int make_entries(struct sv_hds *h, const struct change *c, struct sv_err *err)
{
	uint64_t from = sv_prl_entry_at(h->h.n_used), to = sv_prl_entry_at(c->n_bat);
	uint64_t size = sv_dev_size(h->file);

	if (size < c->data_at && sv_dev_resize(h->file, c->data_at, err) < 0)
		return -1;
	if (from < size && sv_dev_discard(h->file, from, SV_MIN(to, size) - from, err) < 0)
		return -1;
	return sv_dev_flush(h->file, err);
}

static int write_header(struct sv_hds *h, const struct change *c, struct sv_err *err)
{
	struct sv_prl_disk_header head;

	if (sv_dev_read(h->file, &head, sizeof head, 0, err) < 0)
		return -1;
	sv_prl_header_resize(&head, c->size, h->h.cluster);
	head.n_bat = sv_put_le32((uint32_t)c->n_bat);
	head.data_at = sv_put_le32((uint32_t)(c->data_at / SV_SECTOR));
	head.ext_at = sv_put_le64(c->ext_at / SV_SECTOR);
	head.in_use = sv_put_le32(h->closed);
	if (sv_dev_write(h->file, &head, sizeof head, 0, err) < 0)
		return -1;
	return sv_dev_flush(h->file, err);
}

/* The BAT in memory, before the file has it. */
static int enlarge(struct sv_hds *h, const struct change *c, struct sv_err *err)
{
	uint64_t n = sv_div_up(c->size, h->h.cluster), pages;
	uint32_t *bat = realloc(h->bat, n * 4);
	uint8_t *flags;

	if (!bat)
		return sv_fail_nomem(err);
	h->bat = bat;
	memset(bat + h->h.n_used, 0, (n - h->h.n_used) * 4);
	pages = sv_div_up(sv_prl_entry_at(c->n_bat), PAGE);
	flags = realloc(h->pages, pages);
	if (!flags)
		return sv_fail_nomem(err);
	h->pages = flags;
	memset(flags, 0, pages); /* all was flushed */
	return 0;
}

static int grow(struct sv_hds *h, struct change *c, struct sv_err *err)
{
	if (sv_hds_flush(h, err) < 0 || sv_hds_mark(h, err) < 0 ||
		sv_dev_flush(h->file, err) < 0 || move_clusters(h, c, err) < 0 ||
		move_ext(h, c, err) < 0 || sv_hds_mark(h, err) < 0 ||
		make_entries(h, c, err) < 0 || enlarge(h, c, err) < 0)
		return -1;
	return write_header(h, c, err);
}

int sv_hds_grow(struct sv_hds *h, uint64_t size, struct sv_err *err)
{
	struct change c = plan(&h->h, size);

	if (sv_hds_check_size(&h->h, size, err) < 0)
		return -1;
	if (grow(h, &c, err) < 0) {
		h->failed = true; /* it is not known how far it came */
		return -1;
	}
	h->h.size = size;
	h->h.n_bat = c.n_bat;
	h->h.n_used = sv_div_up(size, h->h.cluster);
	h->h.data_at = c.data_at;
	h->h.ext_at = c.ext_at;
	h->dirty = h->marked = false;
	return 0;
}
