/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The attribute list of a file whose attribute is drawn together. Its entries are taken out,
 * the records that held nothing else are given back, and a list that has become needless is
 * removed: ntfsresize refuses a $Bitmap that has one.
 */
#include "fs/ntfs/list.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"

#include <string.h>

void sv_ntfs_free_leftover(struct sv_ntfs_leftover *l)
{
	sv_ntfs_raw_free_stream(&l->list);
	free(l->bytes);
	l->bytes = NULL;
}

/* ---- records ---- */

static int free_if_empty(struct sv_ntfs_raw_vol *v, uint64_t number, uint8_t *record,
	struct sv_ntfs_leftover *l, struct sv_err *err)
{
	struct sv_ntfs_raw_attr first = {0};
	int found = sv_ntfs_raw_next_attr(record, v->geo.record_size, &first, err);
	size_t flags = offsetof(struct ntfs_record, flags);
	size_t sequence = offsetof(struct ntfs_record, sequence);
	uint16_t next;

	if (found)
		return found < 0 ? -1 : 0;
	next = (uint16_t)(sv_load_le16(record + sequence) + 1);
	sv_store_le16(record + sequence, next ? next : 1);
	sv_store_le16(
		record + flags, (uint16_t)(sv_load_le16(record + flags) & ~NTFS_RECORD_IN_USE));
	l->freed[l->freed_count++] = number; /* no more than there are edits */
	return 0;
}

static int forget_part(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v, uint64_t base,
	uint32_t type, const char *name, const struct sv_ntfs_raw_part *part,
	struct sv_ntfs_leftover *l, struct sv_err *err)
{
	struct sv_ntfs_raw_attr a;
	uint8_t *record;

	if (sv_ntfs_edit_part(e, v, part, type, name, &record, &a, err) < 0)
		return -1;
	sv_ntfs_raw_resize_attr(record, v->geo.record_size, &a, 0);
	return part->record == base ? 0 : free_if_empty(v, part->record, record, l, err);
}

/* ---- the list ---- */

static bool is_later_part(
	const uint8_t *entry, const struct ntfs_list_entry *e, uint32_t type, const char *name)
{
	struct sv_ntfs_raw_attr a = {.type = sv_get_le32(e->type),
		.name_length = e->name_length,
		.name = entry + e->name_offset};

	return sv_get_le64(e->lowest_vcn) && sv_ntfs_raw_attr_is(&a, type, name);
}

/* Takes the entries out of bytes that sv_ntfs_raw_find_parts() has accepted already; tells
 * whether all that stay are in the base record. */
static size_t filter_list(uint8_t *bytes, size_t size, uint64_t base, uint32_t type,
	const char *name, bool *ret_needless)
{
	struct ntfs_list_entry e;
	size_t kept = 0, length;

	*ret_needless = true;
	for (size_t at = 0; at < size; at += length) {
		memcpy(&e, bytes + at, sizeof e);
		length = sv_get_le16(e.length);
		if (is_later_part(bytes + at, &e, type, name))
			continue;
		if (NTFS_REF_RECORD(sv_get_le64(e.record)) != base)
			*ret_needless = false;
		memmove(bytes + kept, bytes + at, length);
		kept += length;
	}
	return kept;
}

static int edit_resident_list(struct sv_ntfs_raw_vol *v, uint8_t *record,
	const struct sv_ntfs_raw_attr *list, uint64_t base, uint32_t type, const char *name)
{
	uint8_t *bytes = record + list->value_offset;
	bool needless;
	size_t kept = filter_list(bytes, list->value_length, base, type, name, &needless);
	size_t length = list->value_offset - list->offset + kept;

	sv_store_le32(record + list->offset + offsetof(struct ntfs_attr_resident, value_length),
		(uint32_t)kept);
	/* becoming shorter always succeeds */
	sv_ntfs_raw_resize_attr(record, v->geo.record_size, list,
		needless ? 0 : (uint32_t)((length + 7) & ~(size_t)7));
	return 0;
}

static int edit_mapped_list(struct sv_ntfs_raw_vol *v, uint8_t *record,
	const struct sv_ntfs_raw_attr *list, uint64_t base, uint32_t type, const char *name,
	struct sv_ntfs_leftover *l, struct sv_err *err)
{
	bool needless;

	if (sv_ntfs_raw_load_list(v, record, &l->list, err) < 0)
		return -1;
	l->bytes = malloc(l->list.size ? l->list.size : 1);
	if (!l->bytes)
		return sv_fail_nomem(err);
	if (sv_ntfs_raw_read_stream(v, &l->list, l->bytes, l->list.size, 0, err) < 0)
		return -1;
	l->size = filter_list(l->bytes, l->list.size, base, type, name, &needless);
	if (!needless) {
		sv_ntfs_set_sizes(record, list, list->allocated, l->size, l->size);
		return 0;
	}
	free(l->bytes);
	l->bytes = NULL;
	sv_ntfs_raw_resize_attr(record, v->geo.record_size, list, 0);
	return 0;
}

int sv_ntfs_forget_parts(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v, uint64_t base,
	uint32_t type, const char *name, const struct sv_ntfs_raw_part *parts, size_t count,
	struct sv_ntfs_leftover *ret, struct sv_err *err)
{
	struct sv_ntfs_raw_attr list;
	uint8_t *record = sv_ntfs_edit(e, v, base, err);
	int found;

	if (!record)
		return -1;
	for (size_t i = 1; i < count; i++)
		if (forget_part(e, v, base, type, name, &parts[i], ret, err) < 0)
			return -1;
	found = sv_ntfs_raw_find_attr(
		record, v->geo.record_size, NTFS_ATTR_LIST, "", &list, err);
	if (found != 1)
		return found;
	return list.mapped ? edit_mapped_list(v, record, &list, base, type, name, ret, err)
			   : edit_resident_list(v, record, &list, base, type, name);
}

/* ---- outside the records ---- */

static int free_record(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *bitmap,
	uint64_t number, struct sv_err *err)
{
	uint8_t byte;

	if (sv_ntfs_raw_read_stream(v, bitmap, &byte, 1, number / 8, err) < 0)
		return -1;
	byte = (uint8_t)(byte & ~(1U << number % 8));
	return sv_ntfs_raw_write_stream(v, bitmap, &byte, 1, number / 8, err);
}

static int free_records(
	const struct sv_ntfs_leftover *l, struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream bitmap = {0};
	int found =
		sv_ntfs_raw_open_stream(v, NTFS_FILE_MFT, NTFS_ATTR_BITMAP, "", &bitmap, err);

	if (found < 0)
		return -1;
	if (!found || bitmap.value)
		return sv_fail(
			err, SV_UNSUPPORTED, v->dev->name, "$MFT has no bitmap in clusters");
	for (size_t i = 0; i < l->freed_count; i++)
		if (free_record(v, &bitmap, l->freed[i], err) < 0)
			return -1;
	return 0;
}

int sv_ntfs_write_leftover(
	const struct sv_ntfs_leftover *l, struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	if (l->bytes && sv_ntfs_raw_write_stream(v, &l->list, l->bytes, l->size, 0, err) < 0)
		return -1;
	return l->freed_count ? free_records(l, v, err) : 0;
}
