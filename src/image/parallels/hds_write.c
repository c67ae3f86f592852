/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing an expanding image file: see hds.h for the order in which changes reach it. */
#include "image/parallels/hds.h"

#include "image/parallels/ext.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct sv_prl_disk_header, field)
#define PAGE      UINT64_C(4096)

/* ---- what is taken ---- */

static int take_cluster(struct sv_hds *h, uint64_t i, struct sv_err *err)
{
	uint64_t at = sv_hds_cluster_at(h, i), place = 0;
	const char *why = NULL;

	if (!sv_hds_place_of(&h->h, at, &place))
		why = "where no cluster can begin";
	else if (!sv_in_range(at, sv_hds_cluster_len(h, i), sv_dev_size(h->file)))
		why = "beyond the end of the file";
	else if (sv_prl_space_is_taken(&h->space, place))
		why = "where another cluster is";
	if (!why)
		return sv_prl_space_take(&h->space, place, err);
	sv_fail_at(err, SV_CORRUPT, NULL, sv_prl_entry_at(i),
		"cluster %llu is said to begin at byte %llu, %s: the disk can only be read",
		(unsigned long long)i, (unsigned long long)at, why);
	return sv_hint(err, "copy what can be read: sharevm image convert");
}

/* The header and the BAT. */
static int take_head(struct sv_hds *h, struct sv_err *err)
{
	for (uint64_t i = 0; i < sv_hds_first_place(&h->h); i++) {
		if (sv_prl_space_take(&h->space, i, err) < 0)
			return -1;
	}
	return 0;
}

static int check_header(const struct sv_hds *h, struct sv_err *err)
{
	if (!h->h.data_wrong)
		return 0;
	sv_fail_at(err, SV_CORRUPT, NULL, AT(data_at),
		"clusters are said to begin at byte %llu, the BAT ends at %llu and clusters "
		"have %llu bytes: the disk can only be read",
		(unsigned long long)h->h.data_at,
		(unsigned long long)sv_prl_entry_at(h->h.n_bat),
		(unsigned long long)h->h.cluster);
	return sv_hint(err, "copy what can be read: sharevm image convert");
}

int sv_hds_prepare_writing(struct sv_hds *h, struct sv_err *err)
{
	h->pages = calloc(sv_div_up(sv_prl_entry_at(h->h.n_bat), PAGE), 1);
	if (!h->pages)
		return sv_fail_nomem(err);
	if (check_header(h, err) < 0 || take_head(h, err) < 0)
		return -1;
	for (uint64_t i = 0; i < h->h.n_used; i++) {
		if (h->bat[i] && take_cluster(h, i, err) < 0)
			return -1;
	}
	h->writable = true;
	return sv_prl_ext_open(h, err);
}

/* ---- the header and the BAT ---- */

static int check_failed(const struct sv_hds *h, struct sv_err *err)
{
	if (!h->failed)
		return 0;
	sv_fail(err, SV_IO, sv_dev_name(h->file),
		"an earlier change of the image failed: nothing more is written to it");
	return sv_hint(err, "open the disk again once the host's disk is well");
}

static int write_number(struct sv_hds *h, uint64_t at, uint32_t n, struct sv_err *err)
{
	uint8_t bytes[4];

	sv_store_le32(bytes, n);
	return sv_dev_write(h->file, bytes, sizeof bytes, at, err);
}

int sv_hds_mark(struct sv_hds *h, struct sv_err *err)
{
	if (check_failed(h, err) < 0)
		return -1;
	h->dirty = true;
	if (h->marked)
		return 0;
	if (write_number(h, AT(in_use), SV_PRL_IN_USE, err) < 0)
		return -1;
	if ((h->h.flags & SV_PRL_EMPTY) &&
		write_number(h, AT(flags), h->h.flags & ~SV_PRL_EMPTY, err) < 0)
		return -1;
	h->h.flags &= ~SV_PRL_EMPTY;
	/* while it is not durable the bitmaps are believed */
	if (h->ext && sv_dev_flush(h->file, err) < 0)
		return -1;
	h->marked = true;
	return 0;
}

int sv_hds_set_entry(struct sv_hds *h, uint64_t i, uint64_t at, struct sv_err *err)
{
	if (sv_hds_mark(h, err) < 0)
		return -1;
	h->bat[i] = (uint32_t)(at / h->h.unit);
	h->pages[sv_prl_entry_at(i) / PAGE] = 1;
	h->bat_changed = true;
	return 0;
}

/* The entries of one page of the file. */
static int write_page(struct sv_hds *h, uint64_t page, struct sv_err *err)
{
	const uint64_t head = sv_prl_entry_at(0);
	uint64_t from = SV_MAX(page * PAGE, head);
	uint64_t to = SV_MIN((page + 1) * PAGE, sv_prl_entry_at(h->h.n_used));
	uint64_t first = (from - head) / 4, n = (to - from) / 4;
	uint8_t bytes[PAGE];

	for (uint64_t i = 0; i < n; i++)
		sv_store_le32(bytes + i * 4, h->bat[first + i]);
	if (sv_dev_write(h->file, bytes, n * 4, from, err) == 0)
		return 0;
	/* what half of an entry says was never true; both old and new entries are */
	sv_dev_write(h->file, bytes, n * 4, from, NULL);
	return -1;
}

static int write_bat(struct sv_hds *h, struct sv_err *err)
{
	uint64_t n = sv_div_up(sv_prl_entry_at(h->h.n_used), PAGE);

	for (uint64_t i = 0; i < n; i++) {
		if (h->pages[i] && write_page(h, i, err) < 0)
			return -1;
	}
	memset(h->pages, 0, n);
	h->bat_changed = false;
	return 0;
}

/* Clusters at the end that nothing names any more are cut off. */
static int cut_end(struct sv_hds *h, struct sv_err *err)
{
	uint64_t had = h->space.n, n = sv_prl_space_commit(&h->space);
	uint64_t end = sv_hds_place_at(&h->h, n);

	if (n == had || end >= sv_dev_size(h->file))
		return 0;
	return sv_dev_resize(h->file, end, err);
}

static int commit(struct sv_hds *h, uint32_t mark, struct sv_err *err)
{
	if ((h->ext && sv_prl_ext_write(h, err) < 0) || sv_dev_flush(h->file, err) < 0)
		return -1;
	if (!h->marked)
		return 0;
	if ((h->bat_changed && write_bat(h, err) < 0) ||
		write_number(h, AT(in_use), mark, err) < 0 || sv_dev_flush(h->file, err) < 0)
		return -1;
	return cut_end(h, err);
}

/* After a flush that failed nobody knows what is in the file: nothing more is written. */
static int commit_as(struct sv_hds *h, uint32_t mark, struct sv_err *err)
{
	if (!h->dirty)
		return 0;
	if (check_failed(h, err) < 0)
		return -1;
	h->failed = commit(h, mark, err) < 0;
	h->dirty = h->failed;
	h->marked &= mark == SV_PRL_IN_USE;
	return h->failed ? -1 : 0;
}

int sv_hds_commit(struct sv_hds *h, struct sv_err *err)
{
	return commit_as(h, SV_PRL_IN_USE, err);
}

int sv_hds_flush(struct sv_hds *h, struct sv_err *err)
{
	return commit_as(h, h->closed, err);
}

/* ---- new clusters ---- */

int sv_hds_new_cluster(struct sv_hds *h, uint64_t *ret_at, struct sv_err *err)
{
	uint64_t place, at, end, size = sv_dev_size(h->file);

	if (sv_hds_mark(h, err) < 0 || sv_prl_space_take_new(&h->space, &place, err) < 0)
		return -1;
	at = sv_hds_place_at(&h->h, place);
	end = at + h->h.cluster;
	if (at / h->h.unit > UINT32_MAX)
		return sv_fail(err, SV_NOSPACE, sv_dev_name(h->file),
			"an image of this kind has no place for another cluster: its file "
			"cannot be larger than %llu bytes",
			(unsigned long long)(UINT32_MAX * h->h.unit));
	*ret_at = at;
	if (h->filling)
		return sv_fill_reach(h->file, end, err);
	/* what a writer that was cut off has left there */
	if (size > at && sv_dev_discard(h->file, at, SV_MIN(end, size) - at, err) < 0)
		return -1;
	return size < end ? sv_dev_resize(h->file, end, err) : 0;
}

/* Bytes [off, off+n) of this part from below to `at` in the file, which reads as zeros. */
static int fill(struct sv_hds *h, uint64_t off, uint64_t n, uint64_t at, struct sv_err *err)
{
	struct sv_dev *below = h->below ? *h->below : NULL;
	sv_autofree uint8_t *buf = NULL;

	off += h->start;
	if (!below || off >= sv_dev_size(below) || !n)
		return 0;
	n = SV_MIN(n, sv_dev_size(below) - off);
	buf = malloc((size_t)n); /* less than a cluster */
	if (!buf)
		return sv_fail_nomem(err);
	if (sv_dev_read(below, buf, (size_t)n, off, err) < 0)
		return -1;
	return sv_is_zero(buf, (size_t)n) ? 0 : sv_dev_write(h->file, buf, (size_t)n, at, err);
}

/* A range of one cluster that is not stored yet. NULL bytes: zeros. */
static int write_new(
	struct sv_hds *h, const void *bytes, uint64_t n, uint64_t off, struct sv_err *err)
{
	uint64_t i = off / h->h.cluster, in = off % h->h.cluster, at;
	uint64_t start = off - in, full = sv_hds_cluster_len(h, i);

	if (sv_hds_new_cluster(h, &at, err) < 0)
		return -1;
	if (bytes && sv_dev_write(h->file, bytes, (size_t)n, at + in, err) < 0)
		return -1;
	if (fill(h, start, in, at, err) < 0 ||
		fill(h, off + n, full - in - n, at + in + n, err) < 0)
		return -1;
	return sv_hds_set_entry(h, i, at, err);
}

static int write_run(struct sv_hds *h, const uint8_t *bytes, uint64_t off, struct sv_run *run,
	struct sv_err *err)
{
	if (run->kind != SV_RUN_DATA) {
		run->length = SV_MIN(run->length, h->h.cluster - off % h->h.cluster);
		return write_new(h, bytes, run->length, off, err);
	}
	if (bytes)
		return sv_dev_write(h->file, bytes, (size_t)run->length, run->host_offset, err);
	return sv_dev_discard(h->file, run->host_offset, run->length, err);
}

/* NULL bytes: zeros. */
static int write_range(
	struct sv_hds *h, const uint8_t *bytes, uint64_t n, uint64_t off, struct sv_err *err)
{
	while (n) {
		struct sv_run run;

		if (sv_hds_map(h, off, n, false, &run, err) < 0 ||
			write_run(h, bytes, off, &run, err) < 0)
			return -1;
		bytes = bytes ? bytes + run.length : NULL;
		off += run.length;
		n -= run.length;
	}
	return 0;
}

static int begin_change(struct sv_hds *h, uint64_t off, uint64_t n, struct sv_err *err)
{
	if (check_failed(h, err) < 0)
		return -1;
	h->dirty = true;
	return h->ext ? sv_prl_ext_mark(h, off, n, err) : 0;
}

int sv_hds_write(
	struct sv_hds *h, const void *buf, uint64_t n, uint64_t off, struct sv_err *err)
{
	return begin_change(h, off, n, err) < 0 ? -1 : write_range(h, buf, n, off, err);
}

/* ---- discard ---- */

/* How far from off the parents show zeros; 0 where they do not. */
static int zeros_below(
	struct sv_hds *h, uint64_t off, uint64_t len, uint64_t *ret, struct sv_err *err)
{
	struct sv_dev *below = h->below ? *h->below : NULL;
	struct sv_extent e;

	*ret = len;
	off += h->start;
	if (!below || off >= sv_dev_size(below))
		return 0;
	if (sv_dev_extent(below, off, len, &e, err) < 0)
		return -1;
	*ret = e.kind == SV_EXTENT_DATA ? 0 : e.length;
	return 0;
}

/* A range that the parents show: the format has no mark for zeros, so they are stored. */
static int hide(struct sv_hds *h, uint64_t off, uint64_t *len, struct sv_err *err)
{
	uint64_t zeros;

	if (zeros_below(h, off, *len, &zeros, err) < 0)
		return -1;
	if (zeros) {
		*len = zeros;
		return 0;
	}
	*len = SV_MIN(*len, h->h.cluster - off % h->h.cluster);
	return write_range(h, NULL, *len, off, err);
}

/* A cluster's bytes become zeros; a whole one is given back where the parents show zeros, too.
 */
static int drop(struct sv_hds *h, uint64_t off, uint64_t *len, uint64_t at, struct sv_err *err)
{
	uint64_t i = off / h->h.cluster, in = off % h->h.cluster;
	uint64_t full = sv_hds_cluster_len(h, i), zeros = 0;

	*len = SV_MIN(*len, full - in);
	if (sv_dev_discard(h->file, at, *len, err) < 0)
		return -1;
	if (*len < full)
		return 0;
	if (zeros_below(h, off, full, &zeros, err) < 0)
		return -1;
	if (zeros < full)
		return 0;
	if (sv_hds_set_entry(h, i, 0, err) < 0)
		return -1;
	return sv_prl_space_give_back(&h->space, at / h->h.cluster, err);
}

int sv_hds_discard(struct sv_hds *h, uint64_t off, uint64_t len, struct sv_err *err)
{
	if (begin_change(h, off, len, err) < 0)
		return -1;
	while (len) {
		struct sv_run run;
		int rc;

		if (sv_hds_map(h, off, len, false, &run, err) < 0)
			return -1;
		if (run.kind == SV_RUN_DATA)
			rc = drop(h, off, &run.length, run.host_offset, err);
		else
			rc = hide(h, off, &run.length, err);
		if (rc < 0)
			return -1;
		off += run.length;
		len -= run.length;
	}
	return 0;
}
