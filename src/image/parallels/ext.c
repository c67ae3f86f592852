/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the format extension of ext.h. Nothing here does I/O. */
#include "image/parallels/ext.h"

#include "base/hash.h"
#include "base/num.h"

#include <string.h>

#define L1_ENTRY 8

static int check_sum(const uint8_t *bytes, size_t n, struct sv_err *err)
{
	const size_t head = sizeof(struct sv_prl_disk_ext);
	struct sv_prl_disk_ext e;
	uint8_t md5[SV_MD5_SIZE];

	if (n < head)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a cluster of %zu bytes is too small for the format extension", n);
	memcpy(&e, bytes, head);
	if (sv_get_le64(e.magic) != SV_PRL_EXT_MAGIC)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the format extension begins with 0x%016llx, expected 0x%016llx",
			(unsigned long long)sv_get_le64(e.magic),
			(unsigned long long)SV_PRL_EXT_MAGIC);
	if (sv_md5_bytes(bytes + head, n - head, md5, err) < 0)
		return -1;
	if (!memcmp(md5, e.md5, sizeof md5))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_prl_disk_ext, md5),
		"the checksum of the format extension is wrong");
}

static int parse_bitmap(const uint8_t *bytes, size_t cluster, uint64_t disk_size,
	struct sv_prl_feature *f, struct sv_err *err)
{
	struct sv_prl_disk_bitmap b;
	uint64_t granularity, needed, n_bits;

	if (f->n < sizeof b)
		return sv_fail_at(err, SV_CORRUPT, NULL, f->at,
			"%zu bytes are too few for a dirty bitmap", f->n);
	memcpy(&b, bytes + f->at, sizeof b);
	granularity = sv_get_le32(b.granularity);
	f->n_table = sv_get_le32(b.n_table);
	f->table_at = f->at + sizeof b;
	f->granule = granularity * SV_SECTOR;
	if (!sv_is_pow2(granularity))
		return sv_fail_at(err, SV_CORRUPT, NULL,
			f->at + offsetof(struct sv_prl_disk_bitmap, granularity),
			"a bit of a dirty bitmap stands for %llu sectors, no power of two",
			(unsigned long long)granularity);
	if (sv_get_le64(b.n_sectors) != disk_size / SV_SECTOR)
		return sv_fail_at(err, SV_CORRUPT, NULL, f->at,
			"a dirty bitmap is of a disk of %llu sectors, this one has %llu",
			(unsigned long long)sv_get_le64(b.n_sectors),
			(unsigned long long)(disk_size / SV_SECTOR));
	n_bits = sv_div_up(disk_size, f->granule);
	needed = sv_div_up(sv_div_up(n_bits, 8), cluster);
	if (f->n_table != needed || f->n - sizeof b < needed * L1_ENTRY)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			f->at + offsetof(struct sv_prl_disk_bitmap, n_table),
			"the table of a dirty bitmap has %u entries in %zu bytes, expected %llu",
			f->n_table, f->n - sizeof b, (unsigned long long)needed);
	return 0;
}

/* The feature whose header begins at `at`; magic 0 is the end of the list. */
static int parse_feature(const uint8_t *bytes, size_t n, size_t at, struct sv_prl_feature *ret,
	struct sv_err *err)
{
	struct sv_prl_disk_feature f;

	if (!sv_in_range(at, sizeof f, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the list of features does not end within its cluster");
	memcpy(&f, bytes + at, sizeof f);
	*ret = (struct sv_prl_feature){
		.magic = sv_get_le64(f.magic),
		.flags = sv_get_le64(f.flags),
		.at = at + sizeof f,
		.n = sv_get_le32(f.n),
	};
	if (sv_in_range(ret->at, ret->n, n))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, at,
		"a feature has %zu bytes, its cluster ends after %zu", ret->n, n - ret->at);
}

int sv_prl_ext_parse(const void *bytes, size_t n, uint64_t disk_size,
	struct sv_prl_features *ret, struct sv_err *err)
{
	size_t at = sizeof(struct sv_prl_disk_ext);
	struct sv_prl_features parsed = {.n = 0};

	if (check_sum(bytes, n, err) < 0)
		return -1;
	for (;;) {
		struct sv_prl_feature *f = &parsed.all[parsed.n];

		if (parse_feature(bytes, n, at, f, err) < 0)
			return -1;
		if (!f->magic)
			break;
		f->is_bitmap = f->magic == SV_PRL_BITMAP_MAGIC;
		if (f->is_bitmap && parse_bitmap(bytes, n, disk_size, f, err) < 0)
			return -1;
		at = (size_t)sv_align_up(f->at + f->n, 8);
		if (++parsed.n == SV_PRL_FEATURES_MAX)
			return sv_fail_at(err, SV_UNSUPPORTED, NULL, at,
				"the format extension has more than %d features",
				SV_PRL_FEATURES_MAX - 1);
	}
	*ret = parsed;
	return 0;
}
