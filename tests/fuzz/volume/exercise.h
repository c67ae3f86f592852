/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzzers of this room do with a disk: read its table; where it is good, hold it to
 * the contract, grow every partition on a copy, and read that again. A broken promise aborts.
 */
#ifndef SV_FUZZ_VOLUME_EXERCISE_H
#define SV_FUZZ_VOLUME_EXERCISE_H

#include "base/num.h"
#include "volume/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);             \
			abort();                                                               \
		}                                                                              \
	} while (0)

#define GROWN_AT_MOST 6 /* partitions of one input: more tells nothing new */
#define PAGES_CAP     (4 << 20)

static void check_contract(const struct sv_table *t, uint64_t disk_size)
{
	const struct sv_partition *before[2] = {NULL, NULL};

	MUST(t->warning && t->n <= SV_PARTITIONS_MAX);
	MUST(t->kind != SV_TABLE_NONE || t->n == 0);
	for (size_t i = 0; i < t->n; i++) {
		const struct sv_partition *p = &t->parts[i], **prev = &before[p->logical];

		MUST(p->name && p->size && p->number && p->entry);
		MUST(sv_in_range(p->start, p->size, disk_size));
		MUST(!*prev || (*prev)->start + (*prev)->size <= p->start);
		MUST(sv_partition_type_name(t, p));
		*prev = p;
	}
}

static void check_grown(const struct sv_table *old, const struct sv_table *now, unsigned number,
	uint64_t new_size)
{
	MUST(now->n == old->n && now->kind == old->kind);
	for (size_t i = 0; i < now->n; i++) {
		const struct sv_partition *a = &old->parts[i], *b = &now->parts[i];

		MUST(a->number == b->number && a->start == b->start &&
			a->mbr_type == b->mbr_type && !memcmp(a->guid, b->guid, 16));
		if (b->number == number)
			MUST(b->size == new_size);
		else
			MUST(b->size == a->size || (b->extended && b->size > a->size));
	}
	MUST(now->kind != SV_TABLE_GPT || (now->primary_ok && now->backup_ok));
}

static void grow_on_a_copy(
	struct sv_dev *disk, const struct sv_table *t, unsigned number, uint64_t more)
{
	SV_CLEANUP(sv_table_free) struct sv_table now = {.n = 0};
	uint64_t size = sv_dev_size(disk) + more, max = 0;
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *copy = sv_overlay_open(disk, size, PAGES_CAP, "copy", &err);

	MUST(copy);
	if (sv_table_max_size(t, number, size, &max, &err) < 0)
		return;
	if (sv_table_check_grow(t, number, max, size, NULL, &err) < 0)
		return;
	if (sv_table_grow(copy, t, number, max, NULL, &err) < 0) {
		MUST(err.code == SV_NOMEM || err.code == SV_CORRUPT ||
			err.code == SV_UNSUPPORTED);
		return;
	}
	if (sv_table_read(copy, &now, &err) < 0) {
		fprintf(stderr, "the grown table does not read: %s\n", err.message);
		abort();
	}
	check_grown(t, &now, number, max);
}

static void exercise(struct sv_dev *disk)
{
	SV_CLEANUP(sv_table_free) struct sv_table t = {.n = 0};
	struct sv_err err = SV_ERR_INIT;

	if (sv_table_read(disk, &t, &err) < 0) {
		MUST(err.code != SV_INTERNAL && err.message[0]);
		return;
	}
	check_contract(&t, sv_dev_size(disk));
	for (size_t i = 0; i < t.n && i < GROWN_AT_MOST; i++) {
		grow_on_a_copy(disk, &t, t.parts[i].number, 0);
		grow_on_a_copy(disk, &t, t.parts[i].number, 5 * SV_MIB + 512);
	}
	sv_table_grow(disk, &t, 0, 0, NULL, &err);
}

#endif
