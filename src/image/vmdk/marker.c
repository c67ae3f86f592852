/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Markers of stream-optimized extents: see marker.h. */
#include "image/vmdk/marker.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

struct disk_marker {
	sv_le64 value;
	sv_le32 size; /* 0: no grain */
	sv_le32 type; /* of a grain: its first packed bytes */
	uint8_t pad[496];
};
static_assert(sizeof(struct disk_marker) == SV_VMDK_MARKER_SIZE, "marker size");
static_assert(offsetof(struct disk_marker, type) == SV_VMDK_GRAIN_DATA, "a grain's data");

uint64_t sv_vmdk_packed_max(const struct sv_vmdk_header *h)
{
	return 2 * h->grain * SV_SECTOR;
}

static int check_grain(const struct sv_vmdk_marker *m, uint64_t at,
	const struct sv_vmdk_header *h, struct sv_err *err)
{
	if (m->value >= h->capacity || m->value % h->grain)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a grain is said to be that of sector %llu, no grain's of %llu sectors",
			(unsigned long long)m->value, (unsigned long long)h->capacity);
	if (m->size > sv_vmdk_packed_max(h))
		return sv_fail_at(err, SV_CORRUPT, NULL, at + 8,
			"a grain is said to be packed into %u bytes, the most possible are "
			"%llu",
			m->size, (unsigned long long)sv_vmdk_packed_max(h));
	return 0;
}

int sv_vmdk_marker_parse(const uint8_t bytes[SV_VMDK_MARKER_SIZE], uint64_t at,
	const struct sv_vmdk_header *h, struct sv_vmdk_marker *ret, struct sv_err *err)
{
	struct disk_marker d;
	struct sv_vmdk_marker m;
	uint32_t type;

	memcpy(&d, bytes, sizeof d);
	type = sv_get_le32(d.type);
	m = (struct sv_vmdk_marker){
		SV_VMDK_MARKER_GRAIN, sv_get_le64(d.value), sv_get_le32(d.size)};
	if (m.size && check_grain(&m, at, h, err) < 0)
		return -1;
	if (!m.size && (type > SV_VMDK_MARKER_FOOTER || m.value > UINT32_MAX))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a marker of kind %u with %llu sectors is not known", type,
			(unsigned long long)m.value);
	if (!m.size)
		m.kind = (enum sv_vmdk_marker_kind)type;
	*ret = m;
	return 0;
}

void sv_vmdk_marker_print(
	enum sv_vmdk_marker_kind kind, uint64_t sectors, uint8_t ret[SV_VMDK_MARKER_SIZE])
{
	const struct disk_marker d = {
		.value = sv_put_le64(sectors), .type = sv_put_le32((uint32_t)kind)};

	memcpy(ret, &d, sizeof d);
}

void sv_vmdk_marker_print_grain(uint64_t sector, uint32_t size, uint8_t ret[SV_VMDK_GRAIN_DATA])
{
	sv_store_le64(ret, sector);
	sv_store_le32(ret + 8, size);
}

uint64_t sv_vmdk_marker_sectors(const struct sv_vmdk_marker *m)
{
	if (m->kind == SV_VMDK_MARKER_GRAIN)
		return sv_div_up(SV_VMDK_GRAIN_DATA + (uint64_t)m->size, SV_SECTOR);
	return 1 + m->value;
}
