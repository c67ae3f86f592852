/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Before the first change of an image: may it be changed at all, and what else in it must hear
 * of it. Features that are not known and demand to be cleared are (docs/interop/qcow2.txt,
 * autoclear_features).
 */
#include "image/qcow2/qcow2.h"
#include "image/qcow2/bitmap.h"

#include "base/endian.h"

#define KNOWN_AUTOCLEAR (uint64_t)(SV_QCOW2_BITMAPS | SV_QCOW2_RAW_DATA)

int sv_qcow2_check_writable(const struct sv_qcow2 *q, struct sv_err *err)
{
	const char *path = sv_dev_name(q->file);

	if (q->h.incompatible & SV_QCOW2_CORRUPT)
		sv_fail_at(err, SV_UNSUPPORTED, path, SV_QCOW2_V2_LENGTH,
			"the image is marked as corrupt: it can only be read");
	else if (q->h.incompatible & SV_QCOW2_DIRTY)
		sv_fail_at(err, SV_UNSUPPORTED, path, SV_QCOW2_V2_LENGTH,
			"the image was not closed cleanly, and its refcounts are out of date: "
			"it can only be read");
	else
		return 0;
	return sv_hint(err, "repair it first: qemu-img check -r all IMAGE");
}

/* A disk whose backing file is not open would be filled up with zeros. */
static int check_parent(const struct sv_qcow2 *q, struct sv_err *err)
{
	if (!*q->h.backing || q->link.below)
		return 0;
	return sv_fail(err, SV_USAGE, sv_dev_name(q->file),
		"the disk cannot be written without its backing file");
}

int sv_qcow2_change_bytes(
	struct sv_qcow2 *q, uint64_t at, const void *bytes, size_t n, struct sv_err *err)
{
	sv_autofree uint8_t *old = malloc(n);

	if (!old)
		return sv_fail_nomem(err);
	if (sv_dev_read(q->file, old, n, at, err) < 0)
		return -1;
	if (sv_dev_write(q->file, bytes, n, at, err) == 0)
		return 0;
	sv_dev_write(q->file, old, n, at, NULL);
	q->failed = true;
	return -1;
}

int sv_qcow2_change_header(
	struct sv_qcow2 *q, uint64_t at, const void *bytes, size_t n, struct sv_err *err)
{
	if (sv_qcow2_change_bytes(q, at, bytes, n, err) < 0)
		return -1;
	q->failed = sv_dev_flush(q->file, err) < 0;
	return q->failed ? -1 : 0;
}

/* Clears all autoclear features but `keep`. */
static int keep_features(struct sv_qcow2 *q, uint64_t keep, struct sv_err *err)
{
	uint64_t known = q->h.autoclear & keep;
	uint8_t bytes[8];

	if (known == q->h.autoclear)
		return 0;
	sv_store_be64(bytes, known);
	if (sv_qcow2_change_header(q, SV_QCOW2_AT_AUTOCLEAR, bytes, sizeof bytes, err) < 0)
		return -1;
	q->h.autoclear = known;
	return 0;
}

/* ---- bitmaps ---- */

static int mark_enabled(
	struct sv_qcow2 *q, const struct sv_qcow2_bitmaps *b, struct sv_err *err)
{
	bool marked = false;

	for (size_t i = 0; i < b->n; i++) {
		uint32_t flags = b->all[i].flags;
		uint8_t bytes[4];

		if (!(flags & SV_QCOW2_BITMAP_AUTO) || (flags & SV_QCOW2_BITMAP_IN_USE))
			continue;
		sv_store_be32(bytes, flags | SV_QCOW2_BITMAP_IN_USE);
		if (sv_dev_write(q->file, bytes, sizeof bytes, b->all[i].flags_at, err) < 0)
			return -1;
		marked = true;
	}
	return marked ? sv_dev_flush(q->file, err) : 0;
}

static int protect_tables(
	struct sv_qcow2 *q, const struct sv_qcow2_bitmaps *b, struct sv_err *err)
{
	if (sv_qcow2_places_add_range(q, q->h.bitmaps_at, q->h.bitmaps_size, err) < 0)
		return -1;
	for (size_t i = 0; i < b->n; i++) {
		if (sv_qcow2_places_add_range(
			    q, b->all[i].table_at, b->all[i].table_size * UINT64_C(8), err) < 0)
			return -1;
	}
	return 0;
}

/* A directory that cannot be read is not kept: its feature bit says that it can be trusted. */
static int see_to_bitmaps(struct sv_qcow2 *q, struct sv_err *err)
{
	struct sv_qcow2_bitmaps b;
	int rc;

	if (!(q->h.autoclear & SV_QCOW2_BITMAPS))
		return 0;
	rc = sv_qcow2_bitmaps_load(q->file, &q->h, &b, NULL);
	if (rc < 0)
		rc = sv_qcow2_drop_bitmaps(q, err);
	else if (protect_tables(q, &b, err) < 0 || mark_enabled(q, &b, err) < 0)
		rc = -1;
	sv_qcow2_bitmaps_free(&b);
	return rc;
}

int sv_qcow2_drop_bitmaps(struct sv_qcow2 *q, struct sv_err *err)
{
	return keep_features(q, ~(uint64_t)SV_QCOW2_BITMAPS, err);
}

/* ---- */

static int begin(struct sv_qcow2 *q, struct sv_err *err)
{
	if (check_parent(q, err) < 0 || sv_qcow2_refs_load(q, err) < 0)
		return -1;
	if (keep_features(q, KNOWN_AUTOCLEAR, err) < 0)
		return -1;
	return see_to_bitmaps(q, err);
}

int sv_qcow2_check_failed(const struct sv_qcow2 *q, struct sv_err *err)
{
	if (!q->failed)
		return 0;
	return sv_fail(err, SV_IO, sv_dev_name(q->file),
		"an earlier write failed: the image takes no more of them");
}

int sv_qcow2_begin_change(struct sv_qcow2 *q, struct sv_err *err)
{
	if (sv_qcow2_check_failed(q, err) < 0)
		return -1;
	if (!q->began && begin(q, err) < 0)
		return -1;
	q->began = true;
	q->dirty = true;
	return 0;
}
