/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads md superblocks. Version 1 lies at the start (1.1), at 4 KiB (1.2) or near the end
 * (1.0), in little-endian order; version 0.90 lies in the last 64 KiB block but one, in the
 * order of the machine that wrote it. A copy at the wrong place is none: version 1 says where
 * it lies, and both have checksums.
 */
#include "volume/md/super.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

#define MAGIC           0xa92b4efcu
#define FEATURE_OFFSET  2u /* recovery_offset is in force */
#define FEATURE_RESHAPE 4u
#define DISKS_MAX       1920 /* roles that fit into 4 KiB */
#define V0_DISKS        27
#define V0_WORDS        1024

struct super1 {
	sv_le32 magic, major, features, pad0;
	uint8_t uuid[16];
	char name[32];
	sv_le64 ctime;
	sv_le32 level, layout;
	sv_le64 size;
	sv_le32 chunk, disks, bitmap_offset;
	sv_le32 new_level;
	sv_le64 reshape_position;
	sv_le32 delta_disks, new_layout, new_chunk, new_offset;
	sv_le64 data_offset, data_size, super_offset, recovery_offset;
	sv_le32 number, corrected;
	uint8_t device_uuid[16], flags, bad_shift;
	sv_le16 bad_size;
	sv_le32 bad_offset;
	sv_le64 utime, events, resync_offset;
	sv_le32 sum, roles;
	uint8_t pad3[32];
	/* then a 16-bit role for each number */
};
static_assert(sizeof(struct super1) == 256, "md superblock, version 1");

/* The sum of its 32-bit words, folded, with the field itself as zero. */
static uint32_t sum1(const uint8_t *bytes, uint32_t roles)
{
	size_t n = sizeof(struct super1) + 2 * (size_t)roles, i;
	uint64_t sum = 0;

	for (i = 0; i + 4 <= n; i += 4)
		sum += i == 216 ? 0 : sv_load_le32(bytes + i);
	if (i < n)
		sum += sv_load_le16(bytes + i);
	return (uint32_t)(sum & 0xffffffff) + (uint32_t)(sum >> 32);
}

static int check1(const struct super1 *s, const uint8_t *bytes, uint64_t at, struct sv_err *err)
{
	uint32_t roles = sv_get_le32(s->roles), sum;

	if (sv_get_le32(s->magic) != MAGIC || sv_get_le32(s->major) != 1 ||
		sv_get_le64(s->super_offset) != at / SV_SECTOR)
		return sv_fail(err, SV_NOTFOUND, NULL, "no md superblock");
	if (roles > DISKS_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the md superblock lists %u devices, expected at most %d", roles,
			DISKS_MAX);
	sum = sum1(bytes, roles);
	if (sum != sv_get_le32(s->sum))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the md superblock's checksum is %#x, its bytes give %#x",
			sv_get_le32(s->sum), sum);
	return 0;
}

static int check_places(
	const struct sv_md_super *m, uint64_t at, uint64_t size, struct sv_err *err)
{
	if (m->disks > DISKS_MAX || !sv_in_range(m->data_start, m->data_size, size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the md superblock says %u devices, data from %llu with %llu bytes; the "
			"device has %llu",
			m->disks, (unsigned long long)m->data_start,
			(unsigned long long)m->data_size, (unsigned long long)size);
	return 0;
}

static uint64_t bytes_of(uint64_t sectors)
{
	return sectors > INT64_MAX / SV_SECTOR ? UINT64_MAX : sectors * SV_SECTOR;
}

int sv_md_parse_v1(const uint8_t *bytes, size_t n, uint64_t at, uint64_t size,
	struct sv_md_super *ret, struct sv_err *err)
{
	struct super1 s;
	uint32_t number;

	*ret = (struct sv_md_super){.major = 1};
	memcpy(&s, bytes, sizeof s);
	if (n < SV_MD_SUPER_SIZE)
		return sv_fail(err, SV_INTERNAL, NULL, "a buffer of %zu bytes", n);
	if (check1(&s, bytes, at, err) < 0)
		return -1;
	number = sv_get_le32(s.number);
	memcpy(ret->uuid, s.uuid, sizeof ret->uuid);
	memcpy(ret->name, s.name, sizeof s.name);
	ret->minor = at == 0 ? 1 : at == 4096 ? 2 : 0;
	ret->level = (int)sv_get_le32(s.level);
	ret->layout = sv_get_le32(s.layout);
	ret->disks = sv_get_le32(s.disks);
	ret->chunk = sv_get_le32(s.chunk) * SV_SECTOR;
	ret->part_size = bytes_of(sv_get_le64(s.size));
	ret->data_start = bytes_of(sv_get_le64(s.data_offset));
	ret->data_size = bytes_of(sv_get_le64(s.data_size));
	ret->events = sv_get_le64(s.events);
	ret->role = number < sv_get_le32(s.roles) ? sv_load_le16(bytes + sizeof s + 2 * number)
						  : SV_MD_SPARE;
	ret->reshaping = sv_get_le32(s.features) & FEATURE_RESHAPE;
	ret->recovering = sv_get_le32(s.features) & FEATURE_OFFSET;
	return check_places(ret, at, size, err);
}

/* ---- version 0.90 ---- */

enum { /* 32-bit words of the superblock */
	V0_MAGIC = 0,
	V0_MAJOR,
	V0_MINOR,
	V0_UUID0 = 5,
	V0_LEVEL = 7,
	V0_SIZE,
	V0_NR,
	V0_RAID,
	V0_PREFERRED,
	V0_UUID1 = 13,
	V0_SUM = 38,
	V0_EVENTS = 39,
	V0_RESHAPE = 44,
	V0_LAYOUT = 64,
	V0_CHUNK,
	V0_DESC = 992, /* of the device that holds this superblock */
};

static uint32_t word(const struct sv_md_super *m, const uint8_t *bytes, unsigned i)
{
	return m->big_endian ? sv_load_be32(bytes + 4 * i) : sv_load_le32(bytes + 4 * i);
}

static uint32_t sum0(const struct sv_md_super *m, const uint8_t *bytes)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < V0_WORDS; i++)
		sum += i == V0_SUM ? 0 : word(m, bytes, i);
	return (uint32_t)(sum & 0xffffffff) + (uint32_t)(sum >> 32);
}

/* Number, major, minor, role, state of the device. */
static void take_role(struct sv_md_super *m, const uint8_t *bytes)
{
	uint32_t role = word(m, bytes, V0_DESC + 3), state = word(m, bytes, V0_DESC + 4);

	m->role = state & 1 ? SV_MD_FAULTY : role < m->disks && state & 2 ? role : SV_MD_SPARE;
}

/* The 64-bit count of events: its low half comes first on a little-endian machine. */
static uint64_t events0(const struct sv_md_super *m, const uint8_t *bytes)
{
	uint64_t first = word(m, bytes, V0_EVENTS), second = word(m, bytes, V0_EVENTS + 1);

	return m->big_endian ? first << 32 | second : second << 32 | first;
}

int sv_md_parse_v0(const uint8_t *bytes, size_t n, uint64_t at, uint64_t size,
	struct sv_md_super *ret, struct sv_err *err)
{
	*ret = (struct sv_md_super){.minor = 90};
	if (n < SV_MD_SUPER_SIZE)
		return sv_fail(err, SV_INTERNAL, NULL, "a buffer of %zu bytes", n);
	ret->big_endian = sv_load_be32(bytes) == MAGIC;
	if (word(ret, bytes, V0_MAGIC) != MAGIC || word(ret, bytes, V0_MAJOR) != 0)
		return sv_fail(err, SV_NOTFOUND, NULL, "no md superblock");
	if (word(ret, bytes, V0_SUM) != sum0(ret, bytes))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the md superblock's checksum is %#x, its bytes give %#x",
			word(ret, bytes, V0_SUM), sum0(ret, bytes));
	memcpy(ret->uuid, bytes + 4 * V0_UUID0, 4);
	memcpy(ret->uuid + 4, bytes + 4 * V0_UUID1, 12);
	ret->level = (int)word(ret, bytes, V0_LEVEL);
	ret->disks = word(ret, bytes, V0_RAID);
	ret->part_size = bytes_of(UINT64_C(2) * word(ret, bytes, V0_SIZE));
	ret->preferred = word(ret, bytes, V0_PREFERRED);
	ret->events = events0(ret, bytes);
	ret->layout = word(ret, bytes, V0_LAYOUT);
	ret->chunk = word(ret, bytes, V0_CHUNK);
	ret->reshaping =
		word(ret, bytes, V0_MINOR) > 90 &&
		(word(ret, bytes, V0_RESHAPE) & word(ret, bytes, V0_RESHAPE + 1)) != 0xffffffff;
	ret->data_size = at;
	if (ret->disks > V0_DISKS)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the md superblock says %u devices, expected at most %d", ret->disks,
			V0_DISKS);
	take_role(ret, bytes);
	return check_places(ret, at, size, err);
}

/* ---- the places ---- */

int sv_md_read_super(struct sv_dev *member, struct sv_md_super *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(member), end = size / SV_SECTOR;
	uint8_t bytes[SV_MD_SUPER_SIZE];
	const struct {
		uint64_t at;
		int (*parse)(const uint8_t *, size_t, uint64_t, uint64_t, struct sv_md_super *,
			struct sv_err *);
	} places[] = {
		{0, sv_md_parse_v1},
		{4096, sv_md_parse_v1},
		{end >= 16 ? sv_align_down(end - 16, 8) * SV_SECTOR : UINT64_MAX,
			sv_md_parse_v1},
		{size >= 128 * SV_KIB ? sv_align_down(size, 64 * SV_KIB) - 64 * SV_KIB
				      : UINT64_MAX,
			sv_md_parse_v0},
	};

	for (size_t i = 0; i < SV_ARRAY_LEN(places); i++) {
		struct sv_err why = SV_ERR_INIT;

		if (places[i].at == UINT64_MAX ||
			!sv_in_range(places[i].at, sizeof bytes, size))
			continue;
		if (sv_dev_read(member, bytes, sizeof bytes, places[i].at, err) < 0)
			return -1;
		if (places[i].parse(bytes, sizeof bytes, places[i].at, size, ret, &why) == 0)
			return 0;
		if (why.code != SV_NOTFOUND) {
			sv_err_copy(err, &why);
			return sv_err_path(err, sv_dev_name(member));
		}
	}
	return sv_fail(err, SV_NOTFOUND, sv_dev_name(member), "no md superblock");
}
