/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Labels and metadata areas of LVM2 physical volumes. A label lies in one of the first four
 * sectors; its header lists the areas. An area begins with a header of one sector and is then a
 * ring of text; only the text that the header points to counts.
 */
#include "volume/lvm2/label.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

#define LABEL_SECTORS 4
#define CRC_BEGIN     0xf597a6cfu
#define AREA_VERSION  1
#define TEXT_IGNORED  1u

struct label_header {
	char id[8]; /* "LABELONE" */
	sv_le64 sector;
	sv_le32 crc; /* from `offset` to the end of the sector */
	sv_le32 offset;
	char type[8]; /* "LVM2 001" */
};
static_assert(sizeof(struct label_header) == 32, "label header");

struct location {
	sv_le64 offset, size;
};

struct pv_header {
	char uuid[32];
	sv_le64 size;
	/* then locations of data areas, a zero one, of metadata areas, a zero one */
};
static_assert(sizeof(struct pv_header) == 40, "physical volume header");

struct raw_location {
	sv_le64 offset, size;
	sv_le32 crc, flags;
};

struct area_header {
	sv_le32 crc; /* of the rest of the sector */
	char magic[16];
	sv_le32 version;
	sv_le64 start, size;
	struct raw_location texts[4]; /* the first is the committed one */
};
static_assert(sizeof(struct area_header) == 136, "metadata area header");

static const char area_magic[] = " LVM2 x[5A%r0N*>";

uint32_t sv_lvm2_crc(const void *bytes, size_t n)
{
	return ~sv_crc32(~CRC_BEGIN, bytes, n);
}

/* "abcdef0123..." with the hyphens that lvm's tools print. */
static void uuid_text(const char raw[32], char out[SV_LVM2_UUID_TEXT])
{
	static const uint8_t groups[] = {6, 4, 4, 4, 4, 4, 6};
	size_t from = 0, to = 0;

	for (size_t g = 0; g < sizeof groups; g++) {
		for (size_t i = 0; i < groups[g]; i++) {
			char c = raw[from++];

			out[to++] = c > ' ' && c < 0x7f ? c : '?';
		}
		out[to++] = g + 1 < sizeof groups ? '-' : '\0';
	}
}

/* ---- the label ---- */

static const uint8_t *take_locations(
	const uint8_t *p, const uint8_t *end, struct sv_lvm2_area *areas, size_t *ret_n)
{
	struct location at;

	for (*ret_n = 0; (size_t)(end - p) >= sizeof at; p += sizeof at) {
		memcpy(&at, p, sizeof at);
		if (!sv_get_le64(at.offset))
			return p + sizeof at;
		if (*ret_n == SV_LVM2_AREAS)
			return NULL;
		areas[*ret_n].offset = sv_get_le64(at.offset);
		areas[*ret_n].size = sv_get_le64(at.size);
		++*ret_n;
	}
	return NULL;
}

static int parse_header(
	const uint8_t *sector, uint64_t at, struct sv_lvm2_label *ret, struct sv_err *err)
{
	struct label_header label;
	struct pv_header pv;
	uint32_t offset, crc = sv_lvm2_crc(sector + 20, SV_SECTOR - 20);
	const uint8_t *p;

	memcpy(&label, sector, sizeof label);
	if (sv_get_le32(label.crc) != crc)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the LVM2 label's checksum is %#x, its bytes give %#x",
			sv_get_le32(label.crc), crc);
	offset = sv_get_le32(label.offset);
	if (offset < sizeof label || offset > SV_SECTOR - sizeof pv)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the LVM2 label's content begins at %u, expected 32 to %zu", offset,
			(size_t)SV_SECTOR - sizeof pv);
	memcpy(&pv, sector + offset, sizeof pv);
	uuid_text(pv.uuid, ret->uuid);
	ret->size = sv_get_le64(pv.size);
	p = take_locations(
		sector + offset + sizeof pv, sector + SV_SECTOR, ret->data, &ret->n_data);
	if (!p || !take_locations(p, sector + SV_SECTOR, ret->areas, &ret->n_areas))
		return sv_fail_at(err, SV_CORRUPT, NULL, at + offset,
			"the LVM2 label lists more than %d areas, or no end of them",
			SV_LVM2_AREAS);
	return 0;
}

int sv_lvm2_parse_label(
	const uint8_t *bytes, size_t n, struct sv_lvm2_label *ret, struct sv_err *err)
{
	*ret = (struct sv_lvm2_label){0};
	for (uint64_t i = 0; i < LABEL_SECTORS && (i + 1) * SV_SECTOR <= n; i++) {
		const uint8_t *sector = bytes + i * SV_SECTOR;

		if (memcmp(sector, "LABELONE", 8) != 0 ||
			memcmp(sector + 24, "LVM2 001", 8) != 0 ||
			sv_load_le64(sector + 8) != i)
			continue;
		ret->sector = i;
		return parse_header(sector, i * SV_SECTOR, ret, err);
	}
	return sv_fail(err, SV_NOTFOUND, NULL, "no LVM2 label lies in the first four sectors");
}

int sv_lvm2_read_label(struct sv_dev *pv, struct sv_lvm2_label *ret, struct sv_err *err)
{
	uint8_t head[LABEL_SECTORS * SV_SECTOR];
	size_t n = (size_t)SV_MIN((uint64_t)sizeof head, sv_dev_size(pv));

	if (sv_dev_read(pv, head, n, 0, err) < 0)
		return -1;
	return sv_lvm2_parse_label(head, n, ret, err) < 0 ? sv_err_path(err, sv_dev_name(pv))
							  : 0;
}

/* ---- areas ---- */

static int check_text(const struct raw_location *raw, uint64_t at, uint64_t area_size,
	struct sv_lvm2_text *ret, struct sv_err *err)
{
	uint64_t offset = sv_get_le64(raw->offset), size = sv_get_le64(raw->size);

	*ret = (struct sv_lvm2_text){0};
	if (!offset || !size || sv_get_le32(raw->flags) & TEXT_IGNORED)
		return 0;
	if (offset < SV_SECTOR || offset >= area_size || size > area_size - SV_SECTOR ||
		size > SV_LVM2_TEXT_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"LVM2 metadata lies at %llu with %llu bytes, its area has %llu",
			(unsigned long long)offset, (unsigned long long)size,
			(unsigned long long)area_size);
	*ret = (struct sv_lvm2_text){offset, size, sv_get_le32(raw->crc)};
	return 0;
}

int sv_lvm2_parse_area(const uint8_t bytes[512], uint64_t area_offset, uint64_t area_size,
	struct sv_lvm2_text *ret, struct sv_err *err)
{
	struct area_header h;
	uint32_t crc = sv_lvm2_crc(bytes + 4, SV_SECTOR - 4);

	memcpy(&h, bytes, sizeof h);
	if (memcmp(h.magic, area_magic, sizeof h.magic) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, area_offset,
			"an LVM2 metadata area does not begin with its mark");
	if (sv_get_le32(h.crc) != crc)
		return sv_fail_at(err, SV_CORRUPT, NULL, area_offset,
			"the checksum of an LVM2 metadata area is %#x, its bytes give %#x",
			sv_get_le32(h.crc), crc);
	if (sv_get_le32(h.version) != AREA_VERSION || sv_get_le64(h.start) != area_offset)
		return sv_fail_at(err, SV_CORRUPT, NULL, area_offset,
			"an LVM2 metadata area says version %u at %llu, expected 1 at %llu",
			sv_get_le32(h.version), (unsigned long long)sv_get_le64(h.start),
			(unsigned long long)area_offset);
	if (sv_get_le64(h.size) > area_size && area_size)
		return sv_fail_at(err, SV_CORRUPT, NULL, area_offset,
			"an LVM2 metadata area has %llu bytes, its label says %llu",
			(unsigned long long)sv_get_le64(h.size), (unsigned long long)area_size);
	return check_text(&h.texts[0], area_offset, sv_get_le64(h.size), ret, err);
}

/* The ring's bytes, in order. */
static int read_ring(struct sv_dev *pv, const struct sv_lvm2_area *area,
	const struct sv_lvm2_text *text, char *buf, struct sv_err *err)
{
	uint64_t first = SV_MIN(text->size, area->size - text->offset);

	if (sv_dev_read(pv, buf, first, area->offset + text->offset, err) < 0)
		return -1;
	return sv_dev_read(pv, buf + first, text->size - first, area->offset + SV_SECTOR, err);
}

static char *read_area(
	struct sv_dev *pv, const struct sv_lvm2_area *listed, size_t *ret_n, struct sv_err *err)
{
	struct sv_lvm2_area area = *listed;
	struct sv_lvm2_text text;
	sv_autofree char *buf = NULL;
	uint8_t head[SV_SECTOR];

	if (!sv_in_range(area.offset, SV_MAX(area.size, SV_SECTOR), sv_dev_size(pv))) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(pv), area.offset,
			"an LVM2 metadata area of %llu bytes begins here, the device has %llu",
			(unsigned long long)area.size, (unsigned long long)sv_dev_size(pv));
		return NULL;
	}
	if (sv_dev_read(pv, head, sizeof head, area.offset, err) < 0)
		return NULL;
	if (sv_lvm2_parse_area(head, area.offset, area.size, &text, err) < 0) {
		sv_err_path(err, sv_dev_name(pv));
		return NULL;
	}
	area.size = sv_load_le64(head + 32); /* the ring's own, which was compared */
	buf = malloc((size_t)text.size + 1);
	if (!buf) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (read_ring(pv, &area, &text, buf, err) < 0)
		return NULL;
	if (text.size && sv_lvm2_crc(buf, (size_t)text.size) != text.crc) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(pv), area.offset + text.offset,
			"the checksum of LVM2's metadata is %#x, its bytes give %#x", text.crc,
			sv_lvm2_crc(buf, (size_t)text.size));
		return NULL;
	}
	buf[text.size] = '\0';
	*ret_n = (size_t)text.size;
	return SV_STEAL(buf);
}

char *sv_lvm2_read_text(
	struct sv_dev *pv, const struct sv_lvm2_label *label, size_t *ret_n, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	sv_fail(&why, SV_NOTFOUND, sv_dev_name(pv),
		"this LVM2 physical volume holds no description of its group");
	for (size_t i = 0; i < label->n_areas; i++) {
		struct sv_err now = SV_ERR_INIT;
		char *text = read_area(pv, &label->areas[i], ret_n, &now);

		if (text && *ret_n)
			return text;
		free(text);
		if (now.code != SV_OK)
			sv_err_copy(&why, &now);
	}
	sv_err_copy(err, &why);
	return NULL;
}
