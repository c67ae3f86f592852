/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads and prints the header of a qcow2 image: see qcow2_header.h. What the specification
 * calls reserved is refused, so that nothing is misread that a later version means by it.
 */
#include "image/qcow2/header.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

struct disk_header {
	uint8_t magic[4];
	sv_be32 version;
	sv_be64 backing_at;
	sv_be32 backing_size;
	sv_be32 cluster_bits;
	sv_be64 size;
	sv_be32 crypt_method;
	sv_be32 l1_size;
	sv_be64 l1_at;
	sv_be64 reftable_at;
	sv_be32 reftable_clusters;
	sv_be32 n_snapshots;
	sv_be64 snapshots_at;
	/* version 3 */
	sv_be64 incompatible;
	sv_be64 compatible;
	sv_be64 autoclear;
	sv_be32 refcount_order;
	sv_be32 length;
	uint8_t codec;
	uint8_t padding[7];
};
static_assert(sizeof(struct disk_header) == SV_QCOW2_V3_LENGTH, "header size");
static_assert(offsetof(struct disk_header, size) == SV_QCOW2_AT_SIZE, "size's place");
static_assert(offsetof(struct disk_header, l1_size) == SV_QCOW2_AT_L1, "L1's place");
static_assert(offsetof(struct disk_header, reftable_at) == SV_QCOW2_AT_REFTABLE, "its place");
static_assert(offsetof(struct disk_header, incompatible) == SV_QCOW2_V2_LENGTH, "v2 ends");
static_assert(offsetof(struct disk_header, autoclear) == SV_QCOW2_AT_AUTOCLEAR, "its place");
static_assert(offsetof(struct disk_header, codec) == SV_QCOW2_V3_LENGTH_MIN, "v3 begins");

#define AT(field) offsetof(struct disk_header, field)

enum extension {
	EXT_END = 0,
	EXT_BACKING_FORMAT = 0xe2792aca,
	EXT_FEATURES = 0x6803f857,
	EXT_BITMAPS = 0x23852875,
	EXT_DATA_FILE = 0x44415441,
};

struct disk_bitmaps {
	sv_be32 n;
	sv_be32 reserved;
	sv_be64 size;
	sv_be64 at;
};
static_assert(sizeof(struct disk_bitmaps) == 24, "bitmaps extension's size");

struct disk_feature {
	uint8_t type; /* 0: incompatible */
	uint8_t bit;
	char name[46];
};
static_assert(sizeof(struct disk_feature) == 48, "feature table entry's size");

#define KNOWN_INCOMPATIBLE                                                                     \
	(SV_QCOW2_DIRTY | SV_QCOW2_CORRUPT | SV_QCOW2_DATA_FILE | SV_QCOW2_COMPRESSION |       \
		SV_QCOW2_EXTENDED_L2)

uint64_t sv_qcow2_l2_span(const struct sv_qcow2_header *h)
{
	bool extended = h->incompatible & SV_QCOW2_EXTENDED_L2;

	/* a cluster of entries, of 8 or 16 bytes, each for a cluster: at most 2^39 */
	return UINT64_C(1) << (2 * h->cluster_bits - (extended ? 4 : 3));
}

uint64_t sv_qcow2_l1_needed(const struct sv_qcow2_header *h, uint64_t size)
{
	return sv_div_up(size, sv_qcow2_l2_span(h));
}

size_t sv_qcow2_header_room(const uint8_t *first, size_t n, uint64_t file_size)
{
	uint32_t bits = SV_QCOW2_CLUSTER_BITS_MIN;

	if (sv_in_range(AT(cluster_bits), 4, n))
		bits = sv_load_be32(first + AT(cluster_bits));
	if (bits < SV_QCOW2_CLUSTER_BITS_MIN || bits > SV_QCOW2_CLUSTER_BITS_MAX)
		bits = SV_QCOW2_CLUSTER_BITS_MIN;
	return (size_t)SV_MIN(file_size, UINT64_C(1) << bits);
}

/* ---- fields ---- */

static int check_version(const struct disk_header *d, struct sv_err *err)
{
	uint32_t version = sv_get_be32(d->version);

	if (memcmp(d->magic, SV_QCOW2_MAGIC, 4))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the magic of a qcow2 image (QFI\\xfb) is missing");
	if (version == 2 || version == 3)
		return 0;
	sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(version),
		"qcow version %u is not supported (2 and 3 are)", version);
	return sv_hint(err, "convert it: qemu-img convert -O qcow2 IN OUT.qcow2");
}

static int check_encryption(const struct disk_header *d, struct sv_err *err)
{
	static const char *const names[] = {"no", "AES", "LUKS"};
	uint32_t method = sv_get_be32(d->crypt_method);

	if (!method)
		return 0;
	sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(crypt_method), "the disk is encrypted (%s)",
		method < SV_ARRAY_LEN(names) ? names[method] : "method not known");
	return sv_hint(err, "make a copy without encryption: qemu-img convert with --object "
			    "secret and --image-opts");
}

static void take_v2(const struct disk_header *d, struct sv_qcow2_header *h)
{
	h->version = sv_get_be32(d->version);
	h->cluster_bits = sv_get_be32(d->cluster_bits);
	h->size = sv_get_be64(d->size);
	h->l1_size = sv_get_be32(d->l1_size);
	h->l1_at = sv_get_be64(d->l1_at);
	h->reftable_at = sv_get_be64(d->reftable_at);
	h->reftable_clusters = sv_get_be32(d->reftable_clusters);
	h->n_snapshots = sv_get_be32(d->n_snapshots);
	h->snapshots_at = sv_get_be64(d->snapshots_at);
	h->refcount_order = 4;
	h->length = SV_QCOW2_V2_LENGTH;
}

static int take_v3(
	const struct disk_header *d, size_t n, struct sv_qcow2_header *h, struct sv_err *err)
{
	uint64_t cluster = UINT64_C(1) << h->cluster_bits;

	h->incompatible = sv_get_be64(d->incompatible);
	h->compatible = sv_get_be64(d->compatible);
	h->autoclear = sv_get_be64(d->autoclear);
	h->refcount_order = sv_get_be32(d->refcount_order);
	h->length = sv_get_be32(d->length);
	if (h->length < SV_QCOW2_V3_LENGTH_MIN || h->length % 8 || h->length > cluster)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(length),
			"the header's length is %u, not a multiple of 8 from %d to %llu",
			h->length, SV_QCOW2_V3_LENGTH_MIN, (unsigned long long)cluster);
	if (h->length > AT(codec) && n > AT(codec))
		h->codec = d->codec;
	return 0;
}

static int check_v3(const struct sv_qcow2_header *h, struct sv_err *err)
{
	if (h->refcount_order > 6)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(refcount_order),
			"the refcount order is %u, the largest possible is 6",
			h->refcount_order);
	if ((h->incompatible & SV_QCOW2_EXTENDED_L2) && h->cluster_bits < 14)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(cluster_bits),
			"subclusters need clusters of 16 KiB, these have %u bytes",
			1U << h->cluster_bits);
	if (!(h->incompatible & SV_QCOW2_COMPRESSION) != !h->codec)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(codec),
			"the kind of compression is %u, the feature bit says otherwise",
			h->codec);
	if (h->codec > SV_QCOW2_ZSTD)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(codec),
			"compression of kind %u is not known (0 zlib, 1 zstd)", h->codec);
	if ((h->autoclear & SV_QCOW2_RAW_DATA) && !(h->incompatible & SV_QCOW2_DATA_FILE))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(autoclear),
			"a raw data file is told of, but no data file");
	if ((h->incompatible & SV_QCOW2_DATA_FILE) && h->n_snapshots)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(n_snapshots),
			"there are %u snapshots, a disk with a data file has none",
			h->n_snapshots);
	return 0;
}

static int check_l1(const struct sv_qcow2_header *h, uint64_t file_size, struct sv_err *err)
{
	uint64_t needed = sv_qcow2_l1_needed(h, h->size);

	if (h->l1_size > SV_QCOW2_L1_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(l1_size),
			"the L1 table has %u entries, the largest allowed is %u", h->l1_size,
			SV_QCOW2_L1_MAX);
	if (h->l1_size < needed)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(l1_size),
			"the L1 table has %u entries, a disk of %llu bytes needs %llu",
			h->l1_size, (unsigned long long)h->size, (unsigned long long)needed);
	if (h->l1_size && !sv_in_range(h->l1_at, h->l1_size * UINT64_C(8), file_size)) {
		sv_fail_at(err, SV_CORRUPT, NULL, AT(l1_at),
			"the L1 table has %u entries at %llu, the file has %llu bytes",
			h->l1_size, (unsigned long long)h->l1_at,
			(unsigned long long)file_size);
		return sv_hint(err, "a copy of the disk that was cut short looks like this");
	}
	return 0;
}

static int check_tables(const struct sv_qcow2_header *h, uint64_t file_size, struct sv_err *err)
{
	const struct {
		uint64_t at;
		size_t field;
		const char *name;
		bool used;
	} tables[] = {
		{h->l1_at, AT(l1_at), "L1 table", h->l1_size > 0},
		{h->reftable_at, AT(reftable_at), "refcount table", true},
		{h->snapshots_at, AT(snapshots_at), "snapshot table", h->n_snapshots > 0},
	};
	uint64_t cluster = UINT64_C(1) << h->cluster_bits;

	for (size_t i = 0; i < SV_ARRAY_LEN(tables); i++) {
		if (tables[i].used && (tables[i].at % cluster || !tables[i].at))
			return sv_fail_at(err, SV_CORRUPT, NULL, tables[i].field,
				"the %s is at %llu, not at a multiple of the cluster size %llu",
				tables[i].name, (unsigned long long)tables[i].at,
				(unsigned long long)cluster);
	}
	if (!h->reftable_clusters ||
		h->reftable_clusters > SV_QCOW2_REFTABLE_BYTES >> h->cluster_bits)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(reftable_clusters),
			"the refcount table has %u clusters, 1 to %u are allowed",
			h->reftable_clusters, SV_QCOW2_REFTABLE_BYTES >> h->cluster_bits);
	if (h->n_snapshots > SV_QCOW2_SNAPSHOTS_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(n_snapshots),
			"there are %u snapshots, the most allowed are %u", h->n_snapshots,
			SV_QCOW2_SNAPSHOTS_MAX);
	return check_l1(h, file_size, err);
}

/* ---- names ---- */

/* Copies n bytes of a name; what a path cannot hold is refused. */
static int take_name(const uint8_t *bytes, size_t n, size_t max, uint64_t at, const char *what,
	char *ret, struct sv_err *err)
{
	if (n > max)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the name of the %s has %zu bytes, the most allowed are %zu", what, n,
			max);
	if (memchr(bytes, 0, n))
		return sv_fail_at(
			err, SV_CORRUPT, NULL, at, "the name of the %s holds a NUL byte", what);
	memcpy(ret, bytes, n);
	ret[n] = 0;
	return 0;
}

/* *ret_end: where the extensions must have ended. */
static int take_backing(const struct disk_header *d, const uint8_t *bytes, size_t n,
	struct sv_qcow2_header *h, size_t *ret_end, struct sv_err *err)
{
	uint64_t at = sv_get_be64(d->backing_at);
	uint32_t size = sv_get_be32(d->backing_size);

	*ret_end = n;
	if (!at)
		return 0;
	if (at < h->length || !sv_in_range(at, size, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(backing_at),
			"the backing file's name has %u bytes at %llu, the first cluster has %zu",
			size, (unsigned long long)at, n);
	*ret_end = (size_t)at;
	if (take_name(bytes + at, size, SV_QCOW2_NAME_MAX, at, "backing file", h->backing,
		    err) < 0)
		return -1;
	if (h->autoclear & SV_QCOW2_RAW_DATA)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(backing_at),
			"a disk with a raw data file cannot have a backing file");
	return 0;
}

/* ---- extensions ---- */

static int take_bitmaps(const uint8_t *bytes, size_t n, uint64_t at, struct sv_qcow2_header *h,
	struct sv_err *err)
{
	struct disk_bitmaps b;

	if (n != sizeof b)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the bitmaps extension has %zu bytes, not %zu", n, sizeof b);
	memcpy(&b, bytes, sizeof b);
	h->n_bitmaps = sv_get_be32(b.n);
	h->bitmaps_size = sv_get_be64(b.size);
	h->bitmaps_at = sv_get_be64(b.at);
	if (!h->n_bitmaps || h->n_bitmaps > SV_QCOW2_BITMAPS_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"there are %u bitmaps, 1 to %u are allowed", h->n_bitmaps,
			SV_QCOW2_BITMAPS_MAX);
	if (!h->bitmaps_at || h->bitmaps_at & ((UINT64_C(1) << h->cluster_bits) - 1))
		return sv_fail_at(err, SV_CORRUPT, NULL, at + 16,
			"the bitmap directory is at %llu, not at a multiple of the cluster size",
			(unsigned long long)h->bitmaps_at);
	return 0;
}

/* The name that the image gives to an incompatible feature, "" where it gives none. */
static void find_feature(const uint8_t *table, size_t n, unsigned bit, char ret[47])
{
	struct disk_feature f;

	*ret = 0;
	for (size_t at = 0; sv_in_range(at, sizeof f, n); at += sizeof f) {
		memcpy(&f, table + at, sizeof f);
		if (f.type == 0 && f.bit == bit) {
			memcpy(ret, f.name, sizeof f.name);
			ret[sizeof f.name] = 0;
		}
	}
}

static int check_features(
	const struct sv_qcow2_header *h, const uint8_t *table, size_t n, struct sv_err *err)
{
	uint64_t unknown = h->incompatible & ~(uint64_t)KNOWN_INCOMPATIBLE;
	unsigned bit;
	char name[47];

	if (!unknown)
		return 0;
	bit = (unsigned)__builtin_ctzll(unknown);
	find_feature(table, n, bit, name);
	sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(incompatible),
		"the image needs feature %u (\"%s\"), which is not known", bit, name);
	return sv_hint(err, "convert it with the program that made it, or a newer qemu-img");
}

struct seen {
	const uint8_t *features; /* the table of names */
	size_t n_features;
	unsigned kinds; /* bit set of the known ones */
};

static int once(struct seen *s, unsigned kind, uint64_t at, struct sv_err *err)
{
	if (s->kinds & 1U << kind)
		return sv_fail_at(err, SV_CORRUPT, NULL, at, "a header extension occurs twice");
	s->kinds |= 1U << kind;
	return 0;
}

static int take_extension(uint32_t type, const uint8_t *bytes, size_t n, uint64_t at,
	struct sv_qcow2_header *h, struct seen *s, struct sv_err *err)
{
	switch (type) {
	case EXT_BACKING_FORMAT:
		if (once(s, 0, at, err) < 0)
			return -1;
		return take_name(bytes, n, SV_QCOW2_FORMAT_MAX, at, "backing file's format",
			h->backing_format, err);
	case EXT_DATA_FILE:
		if (once(s, 1, at, err) < 0)
			return -1;
		return take_name(
			bytes, n, SV_QCOW2_NAME_MAX, at, "data file", h->data_file, err);
	case EXT_BITMAPS:
		return once(s, 2, at, err) < 0 ? -1 : take_bitmaps(bytes, n, at, h, err);
	case EXT_FEATURES:
		s->features = bytes;
		s->n_features = n;
		return 0;
	default:
		return 0;
	}
}

static int take_extensions(const uint8_t *bytes, size_t end, struct sv_qcow2_header *h,
	struct seen *s, struct sv_err *err)
{
	size_t at = h->length;

	while (sv_in_range(at, 8, end)) {
		uint32_t type = sv_load_be32(bytes + at), n = sv_load_be32(bytes + at + 4);

		if (type == EXT_END)
			return 0;
		if (!sv_in_range(at + 8, n, end))
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"header extension %#x has %u bytes, the area ends at %zu", type,
				n, end);
		if (take_extension(type, bytes + at + 8, n, at + 8, h, s, err) < 0)
			return -1;
		at += 8 + (size_t)sv_align_up(n, 8);
	}
	return 0;
}

static int parse(const struct disk_header *d, const uint8_t *bytes, size_t n,
	uint64_t file_size, struct sv_qcow2_header *h, struct sv_err *err)
{
	struct seen seen = {0};
	size_t end;

	if (check_version(d, err) < 0)
		return -1;
	take_v2(d, h);
	if (h->cluster_bits < SV_QCOW2_CLUSTER_BITS_MIN ||
		h->cluster_bits > SV_QCOW2_CLUSTER_BITS_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(cluster_bits),
			"clusters of 2^%u bytes (2^%d to 2^%d are possible)", h->cluster_bits,
			SV_QCOW2_CLUSTER_BITS_MIN, SV_QCOW2_CLUSTER_BITS_MAX);
	if (check_encryption(d, err) < 0)
		return -1;
	if (h->version >= 3 && take_v3(d, n, h, err) < 0)
		return -1;
	n = (size_t)SV_MIN(n, UINT64_C(1) << h->cluster_bits);
	if (take_backing(d, bytes, n, h, &end, err) < 0 ||
		take_extensions(bytes, end, h, &seen, err) < 0 ||
		check_features(h, seen.features, seen.n_features, err) < 0 ||
		(h->version >= 3 && check_v3(h, err) < 0))
		return -1;
	if ((h->autoclear & SV_QCOW2_BITMAPS) && !h->n_bitmaps)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(autoclear),
			"bitmaps are told of, but the bitmaps extension is missing");
	return check_tables(h, file_size, err);
}

int sv_qcow2_header_parse(const uint8_t *bytes, size_t n, uint64_t file_size,
	struct sv_qcow2_header *ret, struct sv_err *err)
{
	struct sv_qcow2_header h = {0};
	struct disk_header d = {0};

	if (n < SV_QCOW2_V2_LENGTH)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"the file ends within the header of %d bytes", SV_QCOW2_V2_LENGTH);
	memcpy(&d, bytes, SV_MIN(n, sizeof d));
	if (sv_get_be32(d.version) >= 3 && n < SV_QCOW2_V3_LENGTH_MIN)
		return sv_fail_at(err, SV_CORRUPT, NULL, n,
			"the file ends within the header of %d bytes", SV_QCOW2_V3_LENGTH_MIN);
	if (parse(&d, bytes, n, file_size, &h, err) < 0)
		return -1;
	*ret = h;
	return 0;
}

/* ---- printing ---- */

struct printer {
	uint8_t *bytes;
	size_t n, at;
	bool full;
};

static void put(struct printer *p, const void *bytes, size_t n)
{
	if (!sv_in_range(p->at, n, p->n))
		p->full = true;
	else
		memcpy(p->bytes + p->at, bytes, n);
	p->at += p->full ? 0 : n;
}

static void put_extension(struct printer *p, uint32_t type, const void *bytes, size_t n)
{
	static const uint8_t zeros[8];
	uint8_t head[8];

	sv_store_be32(head, type);
	sv_store_be32(head + 4, (uint32_t)n);
	put(p, head, sizeof head);
	put(p, bytes, n);
	put(p, zeros, sv_align_up(n, 8) - n);
}

static void put_name(struct printer *p, uint32_t type, const char *name)
{
	if (*name)
		put_extension(p, type, name, strlen(name));
}

static void fill(const struct sv_qcow2_header *h, uint64_t backing_at, struct disk_header *d)
{
	memcpy(d->magic, SV_QCOW2_MAGIC, 4);
	d->version = sv_put_be32(3);
	d->backing_at = sv_put_be64(*h->backing ? backing_at : 0);
	d->backing_size = sv_put_be32((uint32_t)strlen(h->backing));
	d->cluster_bits = sv_put_be32(h->cluster_bits);
	d->size = sv_put_be64(h->size);
	d->l1_size = sv_put_be32(h->l1_size);
	d->l1_at = sv_put_be64(h->l1_at);
	d->reftable_at = sv_put_be64(h->reftable_at);
	d->reftable_clusters = sv_put_be32(h->reftable_clusters);
	d->incompatible = sv_put_be64(h->incompatible);
	d->compatible = sv_put_be64(h->compatible);
	d->autoclear = sv_put_be64(h->autoclear);
	d->refcount_order = sv_put_be32(h->refcount_order);
	d->length = sv_put_be32(SV_QCOW2_V3_LENGTH);
	d->codec = (uint8_t)h->codec;
}

int sv_qcow2_header_print(
	const struct sv_qcow2_header *h, uint8_t *ret, size_t n, struct sv_err *err)
{
	struct printer p = {ret, n, SV_QCOW2_V3_LENGTH, n < SV_QCOW2_V3_LENGTH};
	struct disk_header d = {0};

	put_name(&p, EXT_BACKING_FORMAT, h->backing_format);
	put_name(&p, EXT_DATA_FILE, h->data_file);
	put_extension(&p, EXT_END, "", 0);
	fill(h, p.at, &d);
	put(&p, h->backing, strlen(h->backing));
	if (p.full)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the names of its files do not fit into the first cluster of %zu bytes",
			n);
	memcpy(ret, &d, sizeof d);
	return 0;
}
