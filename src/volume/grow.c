/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How far a partition can grow, what stands in its way, and the entry to editing it. A
 * partition grows at its end only; what lies behind it is never moved or dropped here. The
 * room of a logical partition ends at the next extended boot record; the last logical's room
 * is its container's, which grows with it.
 */
#include "volume/table.h"

#include "base/num.h"
#include "base/str.h"
#include "volume/parts.h"

#include <inttypes.h>

#define MBR_SECTORS_MAX UINT64_C(0xFFFFFFFF) /* 32-bit sector numbers */

enum limit_cause { BY_DISK, BY_MBR, BY_PARTITION, BY_EBR };

struct limit {
	uint64_t end; /* first byte that it cannot have */
	enum limit_cause cause;
	const struct sv_partition *in_way; /* BY_PARTITION */
};

/* ---- the limit ---- */

static struct limit disk_limit(const struct sv_table *t, uint64_t disk_size)
{
	struct limit l = {.end = sv_align_down(disk_size, t->sector_size), .cause = BY_DISK};
	uint64_t mbr_end = MBR_SECTORS_MAX * t->sector_size;

	if (t->kind == SV_TABLE_GPT)
		l.end = l.end > t->gpt_backup_area ? l.end - t->gpt_backup_area : 0;
	else if (l.end > mbr_end)
		l = (struct limit){.end = mbr_end, .cause = BY_MBR};
	return l;
}

static void limit_by_partition(struct limit *l, const struct sv_partition *p, uint64_t at)
{
	if (at < l->end)
		*l = (struct limit){.end = at, .cause = BY_PARTITION, .in_way = p};
}

/* For a primary, a container or a GPT partition. */
static struct limit top_limit(
	const struct sv_table *t, const struct sv_partition *p, uint64_t disk_size)
{
	struct limit l = disk_limit(t, disk_size);

	for (size_t i = 0; i < t->n; i++) {
		const struct sv_partition *q = &t->parts[i];

		if (!q->logical && q->start >= p->start + p->size)
			limit_by_partition(&l, q, q->start);
	}
	return l;
}

static const struct sv_partition *owner_of_ebr(const struct sv_table *t, uint64_t ebr)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->parts[i].logical && t->parts[i].entry / SV_SECTOR == ebr / SV_SECTOR)
			return &t->parts[i];
	}
	return NULL;
}

static struct limit logical_limit(
	const struct sv_table *t, const struct sv_partition *p, uint64_t disk_size)
{
	const struct sv_partition *box = sv_table_container(t, p);
	uint64_t end = p->start + p->size;
	struct limit l = top_limit(t, box ? box : p, disk_size);

	for (size_t i = 0; i < t->n; i++) {
		if (t->parts[i].logical && t->parts[i].start >= end)
			limit_by_partition(&l, &t->parts[i], t->parts[i].start);
	}
	for (size_t i = 0; i < t->n_ebrs; i++) {
		const struct sv_partition *owner = owner_of_ebr(t, t->ebrs[i]);

		if (t->ebrs[i] < end || t->ebrs[i] >= l.end)
			continue;
		if (owner)
			limit_by_partition(&l, owner, t->ebrs[i]);
		else
			l = (struct limit){.end = t->ebrs[i], .cause = BY_EBR};
	}
	return l;
}

static struct limit find_limit(
	const struct sv_table *t, const struct sv_partition *p, uint64_t disk_size)
{
	return p->logical ? logical_limit(t, p, disk_size) : top_limit(t, p, disk_size);
}

/* The largest size that makes sense: ends at a whole MiB where that still is a gain. */
static uint64_t rounded_max(const struct sv_partition *p, const struct limit *l)
{
	uint64_t end = p->start + p->size, rounded = sv_align_down(l->end, SV_MIB);

	if (l->end <= end)
		return p->size;
	return (rounded > end ? rounded : l->end) - p->start;
}

static int fail_not_found(const struct sv_table *t, unsigned number, struct sv_err *err)
{
	sv_autostr struct sv_str numbers = {0};

	for (size_t i = 0; i < t->n; i++)
		sv_str_addf(&numbers, "%s%u", i ? ", " : "", t->parts[i].number);
	sv_fail(err, SV_NOTFOUND, NULL, "there is no partition %u", number);
	return sv_hint(err, "there are: %s", t->n && numbers.data ? numbers.data : "none");
}

int sv_table_max_size(const struct sv_table *t, unsigned number, uint64_t disk_size,
	uint64_t *ret_size, struct sv_err *err)
{
	const struct sv_partition *p = sv_table_find(t, number);
	struct limit l;

	if (!p)
		return fail_not_found(t, number, err);
	l = find_limit(t, p, disk_size);
	if (l.end < p->start + p->size)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"partition %u ends at byte %" PRIu64 ", a disk of %" PRIu64
			" bytes has room up to byte %" PRIu64,
			number, p->start + p->size, disk_size, l.end);
	*ret_size = rounded_max(p, &l);
	return 0;
}

/* ---- refusals ---- */

static int refuse_in_way(const struct sv_table *t, const struct sv_partition *p,
	const struct limit *l, uint64_t new_size, struct sv_err *err)
{
	const struct sv_partition *q = l->in_way;
	uint64_t gap = l->end - (p->start + p->size);
	char to[SV_SIZE_TEXT], size[SV_SIZE_TEXT], gap_text[SV_SIZE_TEXT], max[SV_SIZE_TEXT];

	sv_size_format(rounded_max(p, l), max);
	sv_fail(err, SV_UNSUPPORTED, NULL,
		"partition %u cannot grow to %s: partition %u (%s, %s) lies %s%s behind it",
		p->number, sv_size_format(new_size, to), q->number,
		sv_partition_type_name(t, q), sv_size_format(q->size, size),
		gap < SV_MIB ? "right" : "", gap < SV_MIB ? "" : sv_size_format(gap, gap_text));
	if (sv_partition_is_recovery(t, q))
		return sv_hint(err,
			"moving it is not possible yet; at most %s fits in front of it. Start the "
			"original, run 'reagentc /disable', delete partition %u with diskpart "
			"('delete partition override'), shut down and try again ('reagentc /enable' "
			"afterwards); or choose another volume with --volume",
			max, q->number);
	return sv_hint(err,
		"moving it is not possible yet; at most %s fits in front of it. Delete it, or move "
		"it to the end of a larger disk, inside the original (Disk Management, GParted), or "
		"choose another volume with --volume",
		max);
}

static int refuse_beyond(const struct sv_partition *p, const struct limit *l, uint64_t new_size,
	struct sv_err *err)
{
	char to[SV_SIZE_TEXT], max[SV_SIZE_TEXT], end[SV_SIZE_TEXT];

	sv_size_format(new_size, to);
	sv_size_format(rounded_max(p, l), max);
	if (l->cause == BY_MBR) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"partition %u cannot grow to %s: an MBR counts to %s, so it can have %s at "
			"most",
			p->number, to, sv_size_format(sv_align_up(l->end, SV_MIB), end), max);
		return sv_hint(err,
			"ask for a disk of %s at most, or make it a GPT disk in the guest first "
			"(Windows: mbr2gpt /convert)",
			end);
	}
	if (l->cause == BY_EBR) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"partition %u cannot grow to %s: an empty extended boot record lies behind "
			"it at byte %" PRIu64 ", so it can have %s at most",
			p->number, to, l->end, max);
		return sv_hint(err,
			"rewrite the logical partitions in the guest, or choose another "
			"volume with --volume");
	}
	sv_fail(err, SV_UNSUPPORTED, NULL,
		"partition %u cannot grow to %s: it can have %s at most on a disk of this size",
		p->number, to, max);
	return sv_hint(err, "make the disk larger, or ask for less");
}

static int check_editable(
	const struct sv_table *t, const struct sv_partition *p, struct sv_err *err)
{
	if (t->hybrid) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"the disk has a hybrid MBR: its partitions stand in two tables that an edit "
			"would set against each other");
		return sv_hint(err, "make the MBR a protective one first ('gdisk': x, n, w)");
	}
	if (p && p->logical && t->odd_chain) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"partition %u belongs to a chain with a boot record of more than two entries",
			p->number);
		return sv_hint(err,
			"rewrite the logical partitions in the guest, or choose another "
			"volume with --volume");
	}
	if (t->kind == SV_TABLE_APM || t->kind == SV_TABLE_BSD) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"the disk has %s, which is read, but not edited",
			t->kind == SV_TABLE_APM ? "an Apple partition map" : "a BSD disklabel");
		return sv_hint(err, "make the disk larger and its partitions in the guest");
	}
	if (p && sv_partition_is_nest(t, p)) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"partition %u is divided by a BSD disklabel, which is not edited",
			p->number);
		return sv_hint(err, "make the disk larger and its partitions in the guest");
	}
	if (p && p->extended) {
		sv_fail(err, SV_UNSUPPORTED, NULL, "partition %u is the extended container",
			p->number);
		return sv_hint(
			err, "grow the last logical partition; its container grows with it");
	}
	if (p && sv_partition_is_dynamic(t, p)) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"partition %u belongs to a Windows dynamic disk (LDM)", p->number);
		return sv_hint(err, "extend its volume in the guest (Disk Management)");
	}
	return 0;
}

int sv_table_check_grow(const struct sv_table *t, unsigned number, uint64_t new_size,
	uint64_t disk_size, uint64_t *ret_max, struct sv_err *err)
{
	const struct sv_partition *p = sv_table_find(t, number);
	char now[SV_SIZE_TEXT], to[SV_SIZE_TEXT];
	struct limit l;

	if (!p)
		return fail_not_found(t, number, err);
	l = find_limit(t, p, disk_size);
	if (ret_max)
		*ret_max = rounded_max(p, &l);
	if (check_editable(t, p, err) < 0)
		return -1;
	if (new_size % t->sector_size)
		return sv_fail(err, SV_USAGE, NULL,
			"partition size %" PRIu64 " is no whole number of %" PRIu32
			"-byte sectors",
			new_size, t->sector_size);
	if (new_size <= p->size)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"partition %u has %s already, %s would not be more", number,
			sv_size_format(p->size, now), sv_size_format(new_size, to));
	if (l.end > p->start && new_size <= l.end - p->start)
		return 0;
	return l.cause == BY_PARTITION ? refuse_in_way(t, p, &l, new_size, err)
				       : refuse_beyond(p, &l, new_size, err);
}

/* ---- the edit ---- */

static int grow_checked(struct sv_dev *disk, const struct sv_table *t, unsigned number,
	uint64_t new_size, struct sv_job *job, struct sv_err *err)
{
	const struct sv_partition *p = number ? sv_table_find(t, number) : NULL;

	if (sv_job_check(job, err) < 0)
		return -1;
	if (number &&
		sv_table_check_grow(t, number, new_size, sv_dev_size(disk), NULL, err) < 0)
		return -1;
	if (!number && check_editable(t, NULL, err) < 0)
		return -1;
	if (t->kind == SV_TABLE_GPT)
		return sv_gpt_grow(disk, t, p, new_size, job, err);
	return p ? sv_mbr_grow(disk, t, p, new_size, err) : 0;
}

int sv_table_grow(struct sv_dev *disk, const struct sv_table *t, unsigned number,
	uint64_t new_size, struct sv_job *job, struct sv_err *err)
{
	if (grow_checked(disk, t, number, new_size, job, err) < 0)
		return sv_err_path(err, sv_dev_name(disk));
	return 0;
}
