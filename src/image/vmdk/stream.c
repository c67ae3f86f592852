/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finds the tables of stream-optimized extents: see stream.h. The walk over the markers moves
 * forward by at least one sector each step and reads one sector each, so that its cost is that
 * of the file.
 */
#include "image/vmdk/stream.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define TAIL_SECTORS 3 /* footer marker, footer, end marker */

/* ---- the footer ---- */

/* A footer describes the same extent as the header. */
static int take_footer(
	struct sv_dev *file, uint64_t at, struct sv_vmdk_header *h, struct sv_err *err)
{
	uint8_t bytes[SV_VMDK_HEADER_SIZE];
	struct sv_vmdk_header f;

	if (sv_dev_read(file, bytes, sizeof bytes, at, err) < 0)
		return -1;
	if (sv_vmdk_header_parse(bytes, sizeof bytes, sv_dev_size(file), &f, err) < 0) {
		sv_err_shift(err, at);
		return sv_err_path(err, sv_dev_name(file));
	}
	if (f.capacity != h->capacity || f.grain != h->grain || f.gd_at == SV_VMDK_GD_AT_END)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(file), at,
			"the footer (%llu sectors in grains of %llu) is not that of the header "
			"(%llu in grains of %llu)",
			(unsigned long long)f.capacity, (unsigned long long)f.grain,
			(unsigned long long)h->capacity, (unsigned long long)h->grain);
	h->gd_at = f.gd_at;
	h->rgd_at = f.rgd_at;
	return 0;
}

/* Does the file end with a footer? */
static int ends_with_footer(
	struct sv_dev *file, const struct sv_vmdk_header *h, bool *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(file), at = size - TAIL_SECTORS * SV_SECTOR;
	uint8_t bytes[SV_VMDK_MARKER_SIZE];
	struct sv_vmdk_marker m;

	*ret = false;
	if (size % SV_SECTOR || size < (TAIL_SECTORS + 1) * SV_SECTOR)
		return 0;
	if (sv_dev_read(file, bytes, sizeof bytes, at, err) < 0)
		return -1;
	*ret = sv_vmdk_marker_parse(bytes, at, h, &m, NULL) == 0 &&
	       m.kind == SV_VMDK_MARKER_FOOTER;
	return 0;
}

/* ---- the walk ---- */

struct walk {
	struct sv_dev *file;
	const struct sv_vmdk_header *h;
	uint64_t at; /* bytes; of the marker, or of the end of the file */
	struct sv_vmdk_marker m;
};

static void begin(struct walk *w, struct sv_dev *file, const struct sv_vmdk_header *h)
{
	uint64_t first = SV_MAX(h->overhead, UINT64_C(1));

	*w = (struct walk){.file = file, .h = h, .at = sv_dev_size(file)};
	if (first <= sv_dev_size(file) / SV_SECTOR)
		w->at = first * SV_SECTOR;
}

/* The marker at w->at; *ret is false at the end of the file. */
static int read_marker(struct walk *w, bool *ret, struct sv_err *err)
{
	uint8_t bytes[SV_VMDK_MARKER_SIZE];
	uint64_t size = sv_dev_size(w->file);

	*ret = sv_in_range(w->at, sizeof bytes, size);
	if (!*ret)
		return 0;
	if (sv_dev_read(w->file, bytes, sizeof bytes, w->at, err) < 0)
		return -1;
	if (sv_vmdk_marker_parse(bytes, w->at, w->h, &w->m, err) < 0)
		return sv_err_path(err, sv_dev_name(w->file));
	*ret = sv_in_range(w->at, sv_vmdk_marker_sectors(&w->m) * SV_SECTOR, size);
	return 0;
}

static void step(struct walk *w)
{
	w->at += sv_vmdk_marker_sectors(&w->m) * SV_SECTOR;
}

static int fail_cut_off(const struct walk *w, struct sv_err *err)
{
	sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->file), w->at,
		"the stream ends here, without the grain directory that should follow");
	return sv_hint(err, "the transfer was cut off: copy or download the file again");
}

/* Walks to what knows the directory; *ret is false when the stream is whole and nothing does.
 */
static int look_for_directory(
	struct walk *w, struct sv_vmdk_header *h, bool *ret, struct sv_err *err)
{
	uint64_t bytes = sv_vmdk_tables(h->capacity, h->grain) * 4;
	bool more;

	for (*ret = true;; step(w)) {
		if (read_marker(w, &more, err) < 0)
			return -1;
		if (!more)
			return fail_cut_off(w, err);
		if (w->m.kind == SV_VMDK_MARKER_FOOTER && w->m.value)
			return take_footer(w->file, w->at + SV_SECTOR, h, err);
		if (w->m.kind == SV_VMDK_MARKER_DIRECTORY && w->m.value * SV_SECTOR >= bytes) {
			h->gd_at = w->at / SV_SECTOR + 1;
			return 0;
		}
		if (w->m.kind == SV_VMDK_MARKER_END)
			break;
	}
	*ret = false;
	return w->at + SV_SECTOR == sv_dev_size(w->file) ? 0 : fail_cut_off(w, err);
}

/* ---- tables from markers ---- */

/* Table t of the rebuilt ones; sector 0 is none's. */
static uint64_t rebuilt_sector(const struct sv_vmdk_header *h, uint64_t table)
{
	return sv_vmdk_directory_sectors(sv_vmdk_tables(h->capacity, h->grain)) +
	       table * SV_VMDK_GT_SECTORS;
}

static int add_grain(struct sv_dev *rebuilt, const struct walk *w, struct sv_err *err)
{
	uint64_t grain = w->m.value / w->h->grain, table = grain / SV_VMDK_GTES;
	uint64_t sector = rebuilt_sector(w->h, table);
	uint8_t entry[4];

	if (w->at / SV_SECTOR > UINT32_MAX)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->file), w->at,
			"a grain lies beyond 2 TiB, where no table can point to");
	sv_store_le32(entry, (uint32_t)sector);
	if (sv_dev_write(rebuilt, entry, 4, table * 4, err) < 0)
		return -1;
	sv_store_le32(entry, (uint32_t)(w->at / SV_SECTOR));
	return sv_dev_write(
		rebuilt, entry, 4, sector * SV_SECTOR + grain % SV_VMDK_GTES * 4, err);
}

static int rebuild(struct sv_dev *file, const struct sv_vmdk_header *h, struct sv_dev **ret,
	struct sv_err *err)
{
	uint64_t tables = sv_vmdk_tables(h->capacity, h->grain);
	sv_autodev struct sv_dev *rebuilt =
		sv_sparse_open(rebuilt_sector(h, tables) * SV_SECTOR, SV_VMDK_REBUILT_BYTES,
			sv_dev_name(file), err);
	struct walk w;
	bool more;

	if (!rebuilt)
		return -1;
	for (begin(&w, file, h);; step(&w)) {
		if (read_marker(&w, &more, err) < 0)
			return -1;
		if (!more || w.m.kind == SV_VMDK_MARKER_END)
			break;
		if (w.m.kind == SV_VMDK_MARKER_GRAIN && add_grain(rebuilt, &w, err) < 0)
			return -1;
	}
	*ret = SV_STEAL(rebuilt);
	return 0;
}

int sv_vmdk_find_directory(struct sv_dev *file, struct sv_vmdk_header *h,
	struct sv_vmdk_found *ret, struct sv_err *err)
{
	struct sv_vmdk_found found = {0};
	struct walk w;
	bool known;

	if (ends_with_footer(file, h, &known, err) < 0)
		return -1;
	if (known && take_footer(file, sv_dev_size(file) - 2 * SV_SECTOR, h, err) < 0)
		return -1;
	if (!known) {
		begin(&w, file, h);
		if (look_for_directory(&w, h, &known, err) < 0)
			return -1;
		found.note = "it does not end with a footer: its directory was found by "
			     "reading all of it";
		if (!known) {
			found.note = "it has no grain directory: what is shown was put "
				     "together from its grains";
			if (rebuild(file, h, &found.rebuilt, err) < 0)
				return -1;
		}
	}
	*ret = found;
	return 0;
}
