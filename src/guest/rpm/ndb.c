/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * "Packages.db" of rpm's ndb: a header, pages of slots that tell where the blob of each package
 * lies, and the blobs in blocks of 16 bytes, between a head and a tail with an Adler-32 of all
 * before it. As rpm's lib/backend/ndb/rpmpkg.c writes it. No blob lies in two slots, so that
 * not more than the file is ever read.
 */
#include "guest/rpm/rpm.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <zlib.h>

#define PAGE  4096u
#define BLOCK 16u

struct disk_header {
	char magic[4]; /* "RpmP" */
	sv_le32 version;
	sv_le32 generation;
	sv_le32 slot_pages;
	sv_le32 next_index;
	uint8_t unused[12];
};
static_assert(sizeof(struct disk_header) == 32, "as on disk");

struct disk_slot {
	char magic[4]; /* "Slot" */
	sv_le32 index; /* of the package; 0: free */
	sv_le32 block;
	sv_le32 blocks;
};
static_assert(sizeof(struct disk_slot) == 16, "as on disk");

struct disk_head {
	char magic[4]; /* "BlbS" */
	sv_le32 index;
	sv_le32 generation;
	sv_le32 size; /* of the content */
};
static_assert(sizeof(struct disk_head) == 16, "as on disk");

struct disk_tail {
	sv_le32 adler;
	sv_le32 size;
	char magic[4]; /* "BlbE" */
};
static_assert(sizeof(struct disk_tail) == 12, "as on disk");

struct ndb {
	struct sv_dev *dev;
	struct sv_rpm_sink *sink;
	uint64_t budget; /* bytes of blobs that may still be read */
};

static int check_blob(
	const uint8_t *blob, size_t n, uint32_t index, uint32_t *ret_size, struct sv_err *err)
{
	struct disk_head head;
	struct disk_tail tail;
	uint32_t size, adler;

	memcpy(&head, blob, sizeof head);
	memcpy(&tail, blob + n - sizeof tail, sizeof tail);
	size = sv_get_le32(head.size);
	if (memcmp(head.magic, "BlbS", 4) != 0 || sv_get_le32(head.index) != index ||
		memcmp(tail.magic, "BlbE", 4) != 0 || sv_get_le32(tail.size) != size ||
		size > n - sizeof head - sizeof tail)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"what should be package %u in %zu bytes is none (its size is given as %u)",
			index, n, size);
	adler = (uint32_t)adler32(1, blob, (uInt)(n - sizeof tail));
	if (adler != sv_get_le32(tail.adler))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"package %u has checksum 0x%08x, 0x%08x is recorded", index, adler,
			sv_get_le32(tail.adler));
	*ret_size = size;
	return 0;
}

static int read_blob(struct ndb *db, uint32_t index, uint64_t off, size_t n)
{
	struct sv_err why = SV_ERR_INIT;
	sv_autofree uint8_t *blob = malloc(n);
	uint32_t size = 0;

	if (!blob)
		sv_fail_nomem(&why);
	else if (sv_dev_read(db->dev, blob, n, off, &why) == 0) {
		if (check_blob(blob, n, index, &size, &why) == 0)
			return sv_rpm_take(db->sink, blob + sizeof(struct disk_head), size,
				sv_dev_name(db->dev), off + sizeof(struct disk_head));
		sv_err_shift(&why, off);
		sv_err_path(&why, sv_dev_name(db->dev));
	}
	sv_rpm_damage(db->sink, &why);
	return 0;
}

static int take_slot(struct ndb *db, const struct disk_slot *s, uint64_t at)
{
	uint64_t off = (uint64_t)sv_get_le32(s->block) * BLOCK;
	uint64_t n = (uint64_t)sv_get_le32(s->blocks) * BLOCK;
	uint32_t index = sv_get_le32(s->index);
	struct sv_err why = SV_ERR_INIT;

	if (memcmp(s->magic, "Slot", 4) != 0)
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(db->dev), at,
			"no slot of a package begins here");
	else if (!index)
		return 0;
	else if (n < sizeof(struct disk_head) + sizeof(struct disk_tail) || n > db->budget ||
		 !sv_in_range(off, n, sv_dev_size(db->dev)))
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(db->dev), at,
			"package %u cannot have %llu bytes at 0x%llx in a file of %llu", index,
			(unsigned long long)n, (unsigned long long)off,
			(unsigned long long)sv_dev_size(db->dev));
	else if (n > SV_RPM_HEADER_MAX)
		sv_fail_at(&why, SV_UNSUPPORTED, sv_dev_name(db->dev), at,
			"package %u has a header of %llu bytes, the largest read here is %u",
			index, (unsigned long long)n, SV_RPM_HEADER_MAX);
	if (why.code != SV_OK) {
		sv_rpm_damage(db->sink, &why);
		return 0;
	}
	db->budget -= n;
	return read_blob(db, index, off, (size_t)n);
}

/* The first two slots of the first page are the file's header. */
static int read_slot_page(struct ndb *db, uint64_t page, struct sv_err *err)
{
	uint8_t bytes[PAGE];

	if (sv_job_check(db->sink->job, err) < 0 ||
		sv_dev_read(db->dev, bytes, PAGE, page * PAGE, err) < 0)
		return -1;
	for (size_t i = page ? 0 : sizeof(struct disk_header); i < PAGE;
		i += sizeof(struct disk_slot)) {
		struct disk_slot s;
		int rc;

		memcpy(&s, bytes + i, sizeof s);
		rc = take_slot(db, &s, page * PAGE + i);
		if (rc)
			return rc;
	}
	return 0;
}

int sv_rpm_read_ndb(struct sv_dev *dev, struct sv_rpm_sink *sink, struct sv_err *err)
{
	struct ndb db = {dev, sink, sv_dev_size(dev)};
	struct disk_header header;
	uint64_t pages;
	int rc = 0;

	if (sv_dev_read(dev, &header, sizeof header, 0, err) < 0)
		return -1;
	if (memcmp(header.magic, "RpmP", 4) != 0 || sv_get_le32(header.version) != 0)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(dev), 0,
			"it is no package database of ndb, version 0");
	pages = sv_get_le32(header.slot_pages);
	if (pages > sv_dev_size(dev) / PAGE)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(dev), 12,
			"it claims %llu pages of slots, the file has room for %llu",
			(unsigned long long)pages,
			(unsigned long long)(sv_dev_size(dev) / PAGE));
	for (uint64_t i = 0; i < pages && !rc; i++)
		rc = read_slot_page(&db, i, err);
	return rc;
}
