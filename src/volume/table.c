/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading a partition table of any kind: decides which kind sector 0 announces, lets mbr.c or
 * gpt.c fill the list, and checks what holds for every kind: the list is ordered by start and
 * no two partitions share a byte (logical ones share theirs with their container only).
 */
#include "volume/table.h"

#include "base/num.h"
#include "base/str.h"
#include "volume/gpt.h"
#include "volume/labels.h"
#include "volume/mbr.h"
#include "volume/parts.h"

#include <stdio.h>
#include <string.h>

void sv_table_free(struct sv_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->parts[i].name);
	for (size_t i = 0; i < t->n_nested; i++)
		free(t->nested[i].name);
	free(t->nested);
	free(t->parts);
	free(t->ebrs);
	free(t->warning);
	*t = (struct sv_table){0};
}

int sv_table_add(struct sv_table *t, struct sv_partition *p, struct sv_err *err)
{
	sv_autofree char *name = p->name ? p->name : strdup("");
	struct sv_partition *grown;

	p->name = NULL;
	if (t->n == SV_PARTITIONS_MAX)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, p->entry,
			"the table has more than %d partitions", SV_PARTITIONS_MAX);
	grown = realloc(t->parts, (t->n + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	t->parts = grown;
	if (!name)
		return sv_fail_nomem(err);
	grown[t->n] = *p;
	grown[t->n++].name = SV_STEAL(name);
	return 0;
}

int sv_table_warn(struct sv_table *t, struct sv_err *err, const char *fmt, ...)
{
	sv_autofree char *text = NULL;
	char *both;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return sv_fail_nomem(err);
	}
	both = sv_format("%s%s%s", t->warning, *t->warning ? "; " : "", text);
	if (!both)
		return sv_fail_nomem(err);
	free(t->warning);
	t->warning = both;
	return 0;
}

const struct sv_partition *sv_table_find(const struct sv_table *t, unsigned number)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->parts[i].number == number)
			return &t->parts[i];
	}
	return NULL;
}

bool sv_partition_is_nest(const struct sv_table *t, const struct sv_partition *p)
{
	for (size_t i = 0; i < t->n_nested; i++) {
		if (t->nested[i].number == p->number)
			return true;
	}
	return false;
}

const struct sv_partition *sv_table_container(
	const struct sv_table *t, const struct sv_partition *logical)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct sv_partition *p = &t->parts[i];

		if (p->extended && logical->start >= p->start &&
			logical->start < p->start + p->size)
			return p;
	}
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct sv_partition *p = a, *q = b;

	if (p->start != q->start)
		return p->start < q->start ? -1 : 1;
	return p->logical - q->logical;
}

static int check_overlaps(const struct sv_table *t, struct sv_err *err)
{
	const struct sv_partition *before[2] = {
		NULL, NULL}; /* among primaries, among logicals */

	for (size_t i = 0; i < t->n; i++) {
		const struct sv_partition *p = &t->parts[i], **prev = &before[p->logical];

		if (*prev && p->start < (*prev)->start + (*prev)->size)
			return sv_fail_at(err, SV_CORRUPT, NULL, p->entry,
				"partition %u begins at byte %llu, inside partition %u that ends "
				"at byte %llu",
				p->number, (unsigned long long)p->start, (*prev)->number,
				(unsigned long long)((*prev)->start + (*prev)->size));
		*prev = p;
	}
	return 0;
}

/* A GPT that no MBR announces is left over from an earlier life of the disk: every system
 * passes it over, and so do we, aloud. */
static int note_leftover_gpt(struct sv_dev *disk, struct sv_table *t, struct sv_err *err)
{
	bool found;

	if (sv_gpt_has_primary(disk, &found, err) < 0)
		return -1;
	return found ? sv_table_warn(t, err,
			       "the disk holds a GPT that its first sector does not announce; "
			       "it was passed over")
		     : 0;
}

/* What an MBR and a GPT are not: Apple's map, or a disklabel over the whole disk, before which
 * FreeBSD's boot code has an entry that claims sector 0. */
static int read_other(
	struct sv_dev *disk, const uint8_t *sector, struct sv_table *t, struct sv_err *err)
{
	bool found;

	if (sv_apm_read(disk, sector, t, &found, err) < 0)
		return -1;
	return found ? 0 : sv_bsd_read(disk, t, &found, err);
}

static int read_by_kind(
	struct sv_dev *disk, const struct sv_mbr *mbr, struct sv_table *t, struct sv_err *err)
{
	switch (mbr->kind) {
	case SV_MBR_BOOT_SECTOR:
		return 0;
	case SV_MBR_NONE:
		return note_leftover_gpt(disk, t, err);
	case SV_MBR_GARBAGE:
		return sv_table_warn(t, err,
			"the first sector ends in 55 AA but holds no partition table: %s",
			mbr->why);
	case SV_MBR_TABLE:
		t->mbr_signature = mbr->signature;
		if (note_leftover_gpt(disk, t, err) < 0 ||
			sv_mbr_sector_size(disk, mbr, &t->sector_size, err) < 0)
			return -1;
		return sv_mbr_read(disk, mbr, t, err);
	case SV_MBR_GPT:
	case SV_MBR_HYBRID:
		t->mbr_signature = mbr->signature;
		t->hybrid = mbr->kind == SV_MBR_HYBRID;
		return sv_gpt_read(disk, t, err);
	}
	return sv_fail(err, SV_INTERNAL, NULL, "unknown kind of MBR");
}

static int read_table(struct sv_dev *disk, struct sv_table *t, struct sv_err *err)
{
	uint8_t sector[SV_SECTOR];
	struct sv_mbr mbr;

	t->sector_size = SV_SECTOR;
	t->warning = strdup("");
	if (!t->warning)
		return sv_fail_nomem(err);
	if (sv_dev_size(disk) < sizeof sector)
		return 0;
	if (sv_dev_read(disk, sector, sizeof sector, 0, err) < 0)
		return -1;
	sv_mbr_parse(sector, sv_dev_size(disk) / SV_SECTOR, &mbr);
	if (mbr.kind == SV_MBR_NONE || mbr.kind == SV_MBR_GARBAGE) {
		if (read_other(disk, sector, t, err) < 0)
			return -1;
	}
	if (t->kind == SV_TABLE_NONE && read_by_kind(disk, &mbr, t, err) < 0)
		return -1;
	if (t->n)
		qsort(t->parts, t->n, sizeof *t->parts, by_start);
	if (check_overlaps(t, err) < 0)
		return -1;
	return sv_bsd_read_nested(disk, t, err);
}

int sv_table_read(struct sv_dev *disk, struct sv_table *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_table_free) struct sv_table t = {.kind = SV_TABLE_NONE};

	if (read_table(disk, &t, err) < 0)
		return sv_err_path(err, sv_dev_name(disk));
	*ret = t;
	t = (struct sv_table){0};
	return 0;
}
