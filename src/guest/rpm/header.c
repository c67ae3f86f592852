/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header of an installed rpm package: two numbers (entries, bytes of data), an index of
 * (tag, type, offset, count), the data (rpm's manual, "RPM V4 Package format", section Header
 * Format). All numbers are big-endian. Entry 0 describes the signed region; what installing
 * added comes behind it and counts more, so of a tag that comes twice the last one is taken.
 */
#include "guest/rpm/rpm.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>

struct disk_intro {
	sv_be32 entries;
	sv_be32 data_size;
};
static_assert(sizeof(struct disk_intro) == 8, "as on disk");

struct disk_entry {
	sv_be32 tag;
	sv_be32 type;
	sv_be32 offset; /* in the data */
	sv_be32 count;
};
static_assert(sizeof(struct disk_entry) == 16, "as on disk");

enum { INT32 = 4, INT64 = 5, STRING = 6, STRING_ARRAY = 8, I18N_STRING = 9 };

enum {
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_INSTALLTIME = 1008,
	TAG_SIZE = 1009,
	TAG_VENDOR = 1011,
	TAG_PACKAGER = 1015,
	TAG_ARCH = 1022,
	TAG_LONGSIZE = 5009,
};

struct header {
	const uint8_t *bytes;
	size_t data_at, data_size;
};

/* A text ends within the data. */
static int take_text(const struct header *h, const struct disk_entry *e, const char **ret,
	struct sv_err *err)
{
	uint32_t type = sv_get_be32(e->type), off = sv_get_be32(e->offset);
	const char *text = (const char *)h->bytes + h->data_at + off;

	if (type != STRING && type != STRING_ARRAY && type != I18N_STRING)
		return sv_fail(err, SV_CORRUPT, NULL, "tag %u has type %u, not that of a text",
			sv_get_be32(e->tag), type);
	if (off >= h->data_size || !memchr(text, 0, h->data_size - off))
		return sv_fail_at(err, SV_CORRUPT, NULL, h->data_at,
			"the text of tag %u at %u does not end in the %zu bytes of data",
			sv_get_be32(e->tag), off, h->data_size);
	*ret = text;
	return 0;
}

static int take_number(
	const struct header *h, const struct disk_entry *e, uint64_t *ret, struct sv_err *err)
{
	uint32_t type = sv_get_be32(e->type), off = sv_get_be32(e->offset);
	size_t width = type == INT32 ? 4 : 8;

	if (type != INT32 && type != INT64)
		return sv_fail(err, SV_CORRUPT, NULL,
			"tag %u has type %u, not that of a number", sv_get_be32(e->tag), type);
	if (!sv_in_range(off, width, h->data_size) || !sv_get_be32(e->count))
		return sv_fail_at(err, SV_CORRUPT, NULL, h->data_at,
			"the number of tag %u at %u is not in the %zu bytes of data",
			sv_get_be32(e->tag), off, h->data_size);
	*ret = width == 4 ? sv_load_be32(h->bytes + h->data_at + off)
			  : sv_load_be64(h->bytes + h->data_at + off);
	return 0;
}

static int take_entry(const struct header *h, const struct disk_entry *e,
	struct sv_rpm_package *p, struct sv_err *err)
{
	uint64_t number;

	switch (sv_get_be32(e->tag)) {
	case TAG_NAME:
		return take_text(h, e, &p->name, err);
	case TAG_VERSION:
		return take_text(h, e, &p->version, err);
	case TAG_RELEASE:
		return take_text(h, e, &p->release, err);
	case TAG_ARCH:
		return take_text(h, e, &p->arch, err);
	case TAG_VENDOR:
		return take_text(h, e, &p->vendor, err);
	case TAG_PACKAGER:
		return take_text(h, e, &p->packager, err);
	case TAG_INSTALLTIME:
		return take_number(h, e, &p->installed, err);
	case TAG_SIZE:
	case TAG_LONGSIZE:
		return take_number(h, e, &p->size, err);
	case TAG_EPOCH:
		if (take_number(h, e, &number, err) < 0)
			return -1;
		p->has_epoch = true;
		p->epoch = (uint32_t)number;
		return 0;
	default:
		return 0;
	}
}

int sv_rpm_parse_header(
	const void *bytes, size_t n, struct sv_rpm_package *ret, struct sv_err *err)
{
	struct sv_rpm_package p = {"", "", "", "", "", "", false, 0, 0, 0};
	struct header h = {.bytes = bytes};
	struct disk_intro intro;
	uint64_t entries;

	if (n < sizeof intro)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a package's header has %zu bytes, at least 8 are needed", n);
	memcpy(&intro, bytes, sizeof intro);
	entries = sv_get_be32(intro.entries);
	h.data_size = sv_get_be32(intro.data_size);
	h.data_at = sizeof intro + (size_t)entries * sizeof(struct disk_entry);
	if (entries > n / sizeof(struct disk_entry) || !sv_in_range(h.data_at, h.data_size, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a package's header of %zu bytes claims %llu entries and %zu bytes of data",
			n, (unsigned long long)entries, h.data_size);
	for (size_t i = 0; i < entries; i++) {
		struct disk_entry e;

		memcpy(&e, h.bytes + sizeof intro + i * sizeof e, sizeof e);
		if (take_entry(&h, &e, &p, err) < 0)
			return -1;
	}
	if (!*p.name)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "a package's header has no name");
	*ret = p;
	return 0;
}

/* ---- what the three forms share ---- */

void sv_rpm_damage(struct sv_rpm_sink *sink, const struct sv_err *what)
{
	if (sink->first.code == SV_OK)
		sv_err_copy(&sink->first, what);
}

int sv_rpm_take(
	struct sv_rpm_sink *sink, const void *header, size_t n, const char *name, uint64_t off)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_rpm_package p;

	if (sv_rpm_parse_header(header, n, &p, &why) == 0)
		return sink->package(sink->user, &p);
	sv_err_path(&why, name);
	sv_err_shift(&why, off);
	sv_rpm_damage(sink, &why);
	return 0;
}
