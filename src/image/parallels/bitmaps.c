/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keeping dirty bitmaps right while their disk is written: see ext.h. A bitmap's table has an
 * entry per cluster of bits: 0 for no bit set, 1 for all, else the sector of the cluster.
 */
#include "image/parallels/ext.h"
#include "image/parallels/hds.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

void sv_prl_ext_free(struct sv_prl_ext *x)
{
	if (!x)
		return;
	free(x->bytes);
	free(x);
}

/* ---- opening ---- */

static int load(struct sv_hds *h, struct sv_prl_ext **ret, struct sv_err *err)
{
	struct sv_prl_ext *x = calloc(1, sizeof *x);

	if (!x)
		return sv_fail_nomem(err);
	x->at = h->h.ext_at;
	x->n = (size_t)h->h.cluster; /* at most 64 MiB */
	x->bytes = malloc(x->n);
	if (!x->bytes)
		sv_fail_nomem(err);
	else if (!sv_in_range(x->at, x->n, sv_dev_size(h->file)))
		sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_prl_disk_header, ext_at),
			"the format extension is said to begin at byte %llu, the file has %llu",
			(unsigned long long)x->at, (unsigned long long)sv_dev_size(h->file));
	else if (sv_dev_read(h->file, x->bytes, x->n, x->at, err) < 0)
		;
	else if (sv_prl_ext_parse(x->bytes, x->n, h->h.size, &x->features, err) < 0)
		sv_err_shift(err, x->at);
	else {
		*ret = x;
		return 0;
	}
	sv_prl_ext_free(x);
	return -1;
}

static uint64_t table_get(const struct sv_prl_ext *x, const struct sv_prl_feature *f, size_t i)
{
	return sv_load_le64(x->bytes + f->table_at + i * 8);
}

static void table_set(
	struct sv_prl_ext *x, const struct sv_prl_feature *f, size_t i, uint64_t entry)
{
	sv_store_le64(x->bytes + f->table_at + i * 8, entry);
	x->changed = true;
}

/* A cluster of the extension, as a place that is taken from now on. */
static int take(struct sv_hds *h, uint64_t at, uint64_t named_at, struct sv_err *err)
{
	uint64_t place;

	if (sv_hds_place_of(&h->h, at, &place) &&
		sv_in_range(at, h->h.cluster, sv_dev_size(h->file)) &&
		!sv_prl_space_is_taken(&h->space, place))
		return sv_prl_space_take(&h->space, place, err);
	return sv_fail_at(err, SV_CORRUPT, NULL, named_at,
		"a cluster of the format extension is said to begin at byte %llu, where no "
		"cluster or another one is",
		(unsigned long long)at);
}

static int take_table(struct sv_hds *h, struct sv_prl_ext *x, const struct sv_prl_feature *f,
	struct sv_err *err)
{
	for (size_t i = 0; i < f->n_table; i++) {
		uint64_t entry = table_get(x, f, i), at;

		if (entry <= SV_PRL_L1_ALL)
			continue;
		if (!sv_mul(entry, SV_SECTOR, &at))
			at = UINT64_MAX;
		if (take(h, at, x->at + f->table_at + i * 8, err) < 0)
			return -1;
	}
	return 0;
}

static int take_all(struct sv_hds *h, struct sv_prl_ext *x, struct sv_err *err)
{
	if (take(h, x->at, offsetof(struct sv_prl_disk_header, ext_at), err) < 0)
		return -1;
	for (size_t i = 0; i < x->features.n; i++) {
		const struct sv_prl_feature *f = &x->features.all[i];

		if (f->is_bitmap && take_table(h, x, f, err) < 0)
			return -1;
	}
	return 0;
}

/* Nobody knows which clusters belong to something: all that the file has do. */
static int take_rest(struct sv_hds *h, struct sv_err *err)
{
	uint64_t end = sv_dev_size(h->file);

	for (uint64_t place = 0; sv_hds_place_at(&h->h, place) < end; place++) {
		if (!sv_prl_space_is_taken(&h->space, place) &&
			sv_prl_space_take(&h->space, place, err) < 0)
			return -1;
	}
	return 0;
}

static int refuse_feature(
	const struct sv_prl_ext *x, const struct sv_prl_feature *f, struct sv_err *err)
{
	sv_fail_at(err, SV_UNSUPPORTED, NULL, x->at + f->at,
		"the image has a feature of kind 0x%016llx that must be known to write it",
		(unsigned long long)f->magic);
	return sv_hint(err, "write to a copy: sharevm image convert");
}

/* Of features that are not known nobody knows the clusters. */
static int look_at_unknown(struct sv_hds *h, struct sv_prl_ext *x, struct sv_err *err)
{
	bool unknown = false;

	for (size_t i = 0; i < x->features.n; i++) {
		const struct sv_prl_feature *f = &x->features.all[i];

		if (f->is_bitmap)
			continue;
		unknown = true;
		if (f->flags & SV_PRL_NECESSARY)
			return refuse_feature(x, f, err);
	}
	return unknown ? take_rest(h, err) : 0;
}

static bool is_up_to_date(const struct sv_hds *h)
{
	return h->h.in_use == SV_PRL_CLOSED;
}

/* What the header says after a flush. Without an extension anything that is not "in use" has
 * been seen in the field, and is kept. */
static uint32_t closed_mark(const struct sv_hds *h)
{
	if (h->h.ext_at)
		return h->ext ? SV_PRL_CLOSED : 0;
	return h->h.in_use == SV_PRL_IN_USE ? SV_PRL_CLOSED : h->h.in_use;
}

int sv_prl_ext_open(struct sv_hds *h, struct sv_err *err)
{
	struct sv_prl_ext *x = NULL;
	struct sv_err why = SV_ERR_INIT;
	int rc;

	h->closed = closed_mark(h);
	if (!h->h.ext_at)
		return 0;
	if (load(h, &x, &why) < 0 || take_all(h, x, &why) < 0) {
		sv_prl_ext_free(x);
		if (why.code == SV_CORRUPT)
			return take_rest(h, err);
		sv_err_copy(err, &why);
		return -1;
	}
	rc = look_at_unknown(h, x, err);
	if (rc < 0 || !is_up_to_date(h)) {
		sv_prl_ext_free(x);
		return rc;
	}
	h->ext = x;
	h->closed = closed_mark(h);
	return 0;
}

/* ---- marking ---- */

/* Sets the bits [first, last] of bytes, whose first bit is number 0. */
static void set_bits(uint8_t *bytes, uint64_t first, uint64_t last)
{
	for (uint64_t i = first; i <= last; i++) {
		if (i % 8 == 0 && last - i >= 7) {
			bytes[i / 8] = 0xff;
			i += 7;
		} else {
			bytes[i / 8] |= (uint8_t)(1 << i % 8);
		}
	}
}

/* The bits [first, last] of the bitmap's cluster at `at` in the file. */
static int mark_cluster(
	struct sv_hds *h, uint64_t at, uint64_t first, uint64_t last, struct sv_err *err)
{
	while (first <= last) {
		uint8_t bytes[4096], was[4096];
		uint64_t from = first / 8, end = SV_MIN(last / 8 + 1, from + sizeof bytes);
		uint64_t now = SV_MIN(last, end * 8 - 1);

		if (sv_dev_read(h->file, bytes, (size_t)(end - from), at + from, err) < 0)
			return -1;
		memcpy(was, bytes, (size_t)(end - from));
		set_bits(bytes, first - from * 8, now - from * 8);
		if (memcmp(was, bytes, (size_t)(end - from)) != 0 &&
			sv_dev_write(h->file, bytes, (size_t)(end - from), at + from, err) < 0)
			return -1;
		first = now + 1;
	}
	return 0;
}

static int mark_bitmap(struct sv_hds *h, const struct sv_prl_feature *f, uint64_t first,
	uint64_t last, struct sv_err *err)
{
	const uint64_t per_cluster = h->h.cluster * 8;

	for (uint64_t i = first / per_cluster; i <= last / per_cluster; i++) {
		uint64_t begin = i * per_cluster, entry = table_get(h->ext, f, (size_t)i), at;
		uint64_t from = SV_MAX(first, begin) - begin;
		uint64_t to = SV_MIN(last, begin + per_cluster - 1) - begin;

		if (entry == SV_PRL_L1_ALL)
			continue;
		at = entry * SV_SECTOR;
		if (!entry && sv_hds_new_cluster(h, &at, err) < 0)
			return -1;
		if (!entry)
			table_set(h->ext, f, (size_t)i, at / SV_SECTOR);
		if (mark_cluster(h, at, from, to, err) < 0)
			return -1;
	}
	return 0;
}

/* Takes those features out of the list that are not known and may not outlive a change. */
static void drop_unknown(struct sv_prl_ext *x)
{
	size_t to = sizeof(struct sv_prl_disk_ext), n = 0;

	for (size_t i = 0; i < x->features.n; i++) {
		struct sv_prl_feature f = x->features.all[i];
		size_t from = f.at - sizeof(struct sv_prl_disk_feature);
		size_t len = (size_t)sv_align_up(f.at + f.n, 8) - from;

		if (!f.is_bitmap && !(f.flags & SV_PRL_TRANSIT))
			continue;
		len = SV_MIN(len, x->n - from);
		memmove(x->bytes + to, x->bytes + from, len);
		f.at -= from - to;
		f.table_at -= from - to;
		x->features.all[n++] = f;
		to += len;
	}
	if (n == x->features.n)
		return;
	memset(x->bytes + to, 0, x->n - to);
	x->features.n = n;
	x->changed = true;
}

int sv_prl_ext_mark(struct sv_hds *h, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct sv_prl_ext *x = h->ext;

	if (!len)
		return 0;
	if (sv_hds_mark(h, err) < 0)
		return -1;
	drop_unknown(x);
	for (size_t i = 0; i < x->features.n; i++) {
		const struct sv_prl_feature *f = &x->features.all[i];

		if (f->is_bitmap && mark_bitmap(h, f, off / f->granule,
					    (off + len - 1) / f->granule, err) < 0)
			return -1;
	}
	return 0;
}

int sv_prl_ext_write(struct sv_hds *h, struct sv_err *err)
{
	const size_t head = sizeof(struct sv_prl_disk_ext);
	struct sv_prl_ext *x = h->ext;

	if (!x->changed)
		return 0;
	if (sv_md5_bytes(x->bytes + head, x->n - head,
		    x->bytes + offsetof(struct sv_prl_disk_ext, md5), err) < 0 ||
		sv_dev_write(h->file, x->bytes, x->n, x->at, err) < 0)
		return -1;
	x->changed = false;
	return 0;
}

/* ---- another size ---- */

/* A bitmap of the new size whose bits are all set, behind the first `to` bytes; it goes where
 * there is no room for it. */
static void put_bitmap(struct sv_hds *h, const uint8_t *old, const struct sv_prl_feature *f,
	uint64_t size, size_t *to)
{
	struct sv_prl_ext *x = h->ext;
	uint64_t n_table = sv_div_up(sv_div_up(sv_div_up(size, f->granule), 8), x->n);
	uint64_t n = sizeof(struct sv_prl_disk_bitmap) + n_table * 8;
	struct sv_prl_disk_feature head;
	struct sv_prl_disk_bitmap b;

	if (*to + 2 * sizeof head + n > x->n || n > UINT32_MAX)
		return;
	memcpy(&head, old + f->at - sizeof head, sizeof head);
	memcpy(&b, old + f->at, sizeof b);
	head.n = sv_put_le32((uint32_t)n);
	b.n_sectors = sv_put_le64(size / SV_SECTOR);
	b.n_table = sv_put_le32((uint32_t)n_table);
	memcpy(x->bytes + *to, &head, sizeof head);
	memcpy(x->bytes + *to + sizeof head, &b, sizeof b);
	for (uint64_t i = 0; i < n_table; i++)
		sv_store_le64(x->bytes + *to + sizeof head + sizeof b + i * 8, SV_PRL_L1_ALL);
	*to += sizeof head + n;
}

/* The file says "in use": nobody believes what the table still names. */
static int give_back_table(struct sv_hds *h, const struct sv_prl_feature *f, struct sv_err *err)
{
	for (size_t i = 0; i < f->n_table; i++) {
		uint64_t at = table_get(h->ext, f, i) * SV_SECTOR;

		if (at <= SV_PRL_L1_ALL * SV_SECTOR)
			continue;
		if (sv_dev_discard(h->file, at, h->h.cluster, err) < 0 ||
			sv_prl_space_give_back(&h->space, at / h->h.cluster, err) < 0)
			return -1;
	}
	return 0;
}

int sv_prl_ext_resize(struct sv_hds *h, uint64_t size, struct sv_err *err)
{
	const size_t head = sizeof(struct sv_prl_disk_ext);
	struct sv_prl_ext *x = h->ext;
	struct sv_prl_features old_list = x->features;
	sv_autofree uint8_t *old = malloc(x->n);
	size_t to = head;

	if (!old)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < old_list.n; i++) {
		if (old_list.all[i].is_bitmap && give_back_table(h, &old_list.all[i], err) < 0)
			return -1;
	}
	memcpy(old, x->bytes, x->n);
	memset(x->bytes + head, 0, x->n - head);
	for (size_t i = 0; i < old_list.n; i++) {
		if (old_list.all[i].is_bitmap)
			put_bitmap(h, old, &old_list.all[i], size, &to);
	}
	x->changed = true;
	if (sv_md5_bytes(x->bytes + head, x->n - head,
		    x->bytes + offsetof(struct sv_prl_disk_ext, md5), err) < 0)
		return -1;
	return sv_prl_ext_parse(x->bytes, x->n, size, &x->features, err);
}

/* ---- checking ---- */

void sv_prl_ext_check(struct sv_hds *h, struct sv_image_faults *faults)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_prl_ext *x = NULL;

	if (!h->h.ext_at)
		return;
	if (load(h, &x, &why) < 0 || take_all(h, x, &why) < 0) {
		take_rest(h, NULL);
		/* nobody believes it while it is out of date */
		faults->errors += is_up_to_date(h);
		if (is_up_to_date(h) && faults->report)
			faults->report(faults->user, false, sv_dev_name(h->file), why.offset,
				why.message);
	}
	for (size_t i = 0; x && i < x->features.n; i++) {
		if (!x->features.all[i].is_bitmap)
			take_rest(h, NULL);
	}
	sv_prl_ext_free(x);
}
