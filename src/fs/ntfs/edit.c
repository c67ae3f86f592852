/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Edits of MFT records. */
#include "fs/ntfs/edit.h"

#include "fs/ntfs/raw_disk.h"

#include <string.h>

static uint32_t padded(size_t n)
{
	return (uint32_t)((n + 7) & ~(size_t)7);
}

bool sv_ntfs_set_runs(uint8_t *record, size_t size, const struct sv_ntfs_raw_attr *a,
	const struct sv_ntfs_raw_run *runs, size_t count)
{
	size_t head = a->runs_offset - a->offset,
	       packed = sv_ntfs_raw_runs_packed_size(runs, count);
	uint32_t length = padded(head + packed);
	uint64_t end = count ? runs[count - 1].vcn + runs[count - 1].length : a->lowest_vcn;

	if (!sv_ntfs_raw_resize_attr(record, size, a, length))
		return false;
	memset(record + a->runs_offset, 0, length - head);
	sv_ntfs_raw_pack_runs(runs, count, record + a->runs_offset);
	sv_store_le64(
		record + a->offset + offsetof(struct ntfs_attr_mapped, highest_vcn), end - 1);
	return true;
}

bool sv_ntfs_make_mapped(uint8_t *record, size_t size, const struct sv_ntfs_raw_attr *a,
	const struct sv_ntfs_raw_run *runs, size_t count)
{
	size_t packed = sv_ntfs_raw_runs_packed_size(runs, count);
	uint32_t length = padded(sizeof(struct ntfs_attr_mapped) + packed);
	struct ntfs_attr_mapped m = {0};
	struct sv_ntfs_raw_attr mapped = *a;

	if (!sv_ntfs_raw_resize_attr(record, size, a, length))
		return false;
	memcpy(&m.head, record + a->offset, sizeof m.head);
	m.head.non_resident = 1;
	m.head.name_offset = sv_put_le16(sizeof m);
	m.mapping_offset = sv_put_le16(sizeof m);
	memset(record + a->offset, 0, length);
	memcpy(record + a->offset, &m, sizeof m);
	mapped.length = length;
	mapped.runs_offset = a->offset + sizeof m;
	return sv_ntfs_set_runs(record, size, &mapped, runs, count);
}

void sv_ntfs_set_sizes(uint8_t *record, const struct sv_ntfs_raw_attr *a, uint64_t allocated,
	uint64_t size, uint64_t initialized)
{
	uint8_t *at = record + a->offset;

	sv_store_le64(at + offsetof(struct ntfs_attr_mapped, allocated), allocated);
	sv_store_le64(at + offsetof(struct ntfs_attr_mapped, size), size);
	sv_store_le64(at + offsetof(struct ntfs_attr_mapped, initialized), initialized);
}

uint8_t *sv_ntfs_edit(
	struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v, uint64_t number, struct sv_err *err)
{
	sv_autofree uint8_t *record = NULL;

	for (size_t i = 0; i < e->count; i++)
		if (e->list[i].number == number)
			return e->list[i].record;
	if (e->count == SV_NTFS_EDITS_MAX) {
		sv_fail(err, SV_UNSUPPORTED, v->dev->name,
			"more than %u MFT records would have to be changed", SV_NTFS_EDITS_MAX);
		return NULL;
	}
	record = malloc(v->geo.record_size);
	if (!record) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_ntfs_raw_read_record(v, number, record, err) < 0)
		return NULL;
	e->list[e->count++] = (struct sv_ntfs_edit){number, record};
	return SV_STEAL(record);
}

int sv_ntfs_edit_part(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v,
	const struct sv_ntfs_raw_part *part, uint32_t type, const char *name,
	uint8_t **ret_record, struct sv_ntfs_raw_attr *ret, struct sv_err *err)
{
	uint8_t *record = sv_ntfs_edit(e, v, part->record, err);

	if (!record)
		return -1;
	*ret_record = record;
	return sv_ntfs_raw_find_part(v, part, type, name, record, ret, err);
}

int sv_ntfs_write_edits(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	for (size_t i = 0; i < e->count; i++)
		if (sv_ntfs_raw_write_record(v, e->list[i].number, e->list[i].record, err) < 0)
			return -1;
	return 0;
}

void sv_ntfs_free_edits(struct sv_ntfs_edits *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->list[i].record);
	e->count = 0;
}
