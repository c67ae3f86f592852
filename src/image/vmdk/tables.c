/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Grain tables kept in memory: see tables.h. The cache is direct-mapped: tables that
 * follow each other on the guest's disk take slots that follow each other, so that a
 * sequential reader never evicts what it needs next and no order of use need be kept.
 */
#include "image/vmdk/tables.h"

#include "base/endian.h"
#include "base/num.h"

#include <pthread.h>
#include <string.h>

#define TABLE_BYTES (SV_VMDK_GTES * 4)
/* Extents of split disks have 64 tables: neighbours should not share slots. */
#define TABLES_PER_EXTENT 64

struct slot {
	uint32_t extent;
	uint64_t table;
	uint32_t *entries; /* host order; NULL: the slot is empty */
	/* entries [changed, changed_end) are not in the file yet */
	unsigned changed, changed_end;
	struct sv_dev *file;   /* borrowed; where they belong */
	uint64_t offset, copy; /* copy: 0 for none */
};

struct sv_vmdk_tables {
	pthread_mutex_t lock;
	struct slot slots[SV_VMDK_TABLES];
};

struct sv_vmdk_tables *sv_vmdk_tables_new(struct sv_err *err)
{
	struct sv_vmdk_tables *t = calloc(1, sizeof *t);

	if (!t) {
		sv_fail_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void forget(struct slot *s)
{
	free(s->entries);
	*s = (struct slot){0};
}

void sv_vmdk_tables_free(struct sv_vmdk_tables *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < SV_VMDK_TABLES; i++)
		forget(&t->slots[i]);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct slot *slot_of(struct sv_vmdk_tables *t, uint32_t extent, uint64_t table)
{
	return &t->slots[((uint64_t)extent * TABLES_PER_EXTENT + table) % SV_VMDK_TABLES];
}

static bool holds(const struct slot *s, uint32_t extent, uint64_t table)
{
	return s->entries && s->extent == extent && s->table == table;
}

/* ---- writing back; the lock is held ---- */

static bool is_changed(const struct slot *s, uint32_t extent)
{
	return s->entries && s->extent == extent && s->changed_end;
}

static int write_slot(struct slot *s, struct sv_err *err)
{
	uint64_t at = s->changed * UINT64_C(4);
	size_t n = s->changed_end - s->changed;
	uint32_t bytes[SV_VMDK_GTES];

	for (size_t i = 0; i < n; i++)
		sv_store_le32(&bytes[i], s->entries[s->changed + i]);
	if (sv_dev_write(s->file, bytes, n * 4, s->offset + at, err) < 0 ||
		(s->copy && sv_dev_write(s->file, bytes, n * 4, s->copy + at, err) < 0))
		return -1;
	s->changed = s->changed_end = 0;
	return 0;
}

static int write_back(struct sv_vmdk_tables *t, uint32_t extent, struct sv_err *err)
{
	bool flushed = false;

	for (size_t i = 0; i < SV_VMDK_TABLES; i++) {
		struct slot *s = &t->slots[i];

		if (!is_changed(s, extent))
			continue;
		if (!flushed && sv_dev_flush(s->file, err) < 0)
			return -1;
		flushed = true;
		if (write_slot(s, err) < 0)
			return -1;
	}
	return 0;
}

int sv_vmdk_tables_write_back(struct sv_vmdk_tables *t, uint32_t extent, struct sv_err *err)
{
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = write_back(t, extent, err);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* ---- reading and changing ---- */

static int read_table(struct slot *s, struct sv_dev *file, uint64_t offset, struct sv_err *err)
{
	if (!s->entries)
		s->entries = malloc(TABLE_BYTES);
	if (!s->entries)
		return sv_fail_nomem(err);
	if (sv_dev_read(file, s->entries, TABLE_BYTES, offset, err) < 0) {
		forget(s);
		return -1;
	}
	for (size_t i = 0; i < SV_VMDK_GTES; i++)
		s->entries[i] = sv_load_le32(&s->entries[i]);
	return 0;
}

/* The slot with the table in it, read where it is not held. The lock is held. */
static struct slot *load(struct sv_vmdk_tables *t, struct sv_dev *file, uint32_t extent,
	uint64_t table, uint64_t offset, struct sv_err *err)
{
	struct slot *s = slot_of(t, extent, table);

	if (holds(s, extent, table))
		return s;
	if (s->changed_end && write_back(t, s->extent, err) < 0)
		return NULL;
	if (read_table(s, file, offset, err) < 0)
		return NULL;
	s->extent = extent;
	s->table = table;
	return s;
}

int sv_vmdk_tables_get(struct sv_vmdk_tables *t, struct sv_dev *file, uint32_t extent,
	uint64_t table, uint64_t offset, unsigned first, unsigned n, uint32_t *ret,
	struct sv_err *err)
{
	struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = load(t, file, extent, table, offset, err);
	if (s)
		memcpy(ret, s->entries + first, n * sizeof *ret);
	pthread_mutex_unlock(&t->lock);
	return s ? 0 : -1;
}

int sv_vmdk_tables_change(struct sv_vmdk_tables *t, struct sv_dev *file, uint32_t extent,
	uint64_t table, uint64_t offset, uint64_t copy, unsigned first, unsigned n,
	const uint32_t *entries, struct sv_err *err)
{
	struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = load(t, file, extent, table, offset, err);
	if (s) {
		memcpy(s->entries + first, entries, n * sizeof *entries);
		s->changed = s->changed_end ? SV_MIN(s->changed, first) : first;
		s->changed_end = SV_MAX(s->changed_end, first + n);
		s->file = file;
		s->offset = offset;
		s->copy = copy;
	}
	pthread_mutex_unlock(&t->lock);
	return s ? 0 : -1;
}

bool sv_vmdk_tables_held(struct sv_vmdk_tables *t, uint32_t extent, uint64_t table)
{
	bool held;

	pthread_mutex_lock(&t->lock);
	held = holds(slot_of(t, extent, table), extent, table);
	pthread_mutex_unlock(&t->lock);
	return held;
}

void sv_vmdk_tables_put(struct sv_vmdk_tables *t, uint32_t extent, uint64_t table,
	unsigned first, unsigned n, const uint32_t *entries)
{
	struct slot *s = slot_of(t, extent, table);

	pthread_mutex_lock(&t->lock);
	if (holds(s, extent, table))
		memcpy(s->entries + first, entries, n * sizeof *entries);
	pthread_mutex_unlock(&t->lock);
}

void sv_vmdk_tables_clear(struct sv_vmdk_tables *t)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < SV_VMDK_TABLES; i++)
		forget(&t->slots[i]);
	pthread_mutex_unlock(&t->lock);
}
