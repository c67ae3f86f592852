/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finds and reads the database of a dynamic disk. Of each header the first copy that is good
 * counts, of the tables of contents the newest. A record may lie in several VBLKs, anywhere in
 * the database and in any order: they are sorted by record and number, so that a hostile
 * database costs no more than that.
 */
#include "volume/ldm/database.h"

#include "base/endian.h"
#include "base/num.h"
#include "volume/parts.h"

#include <assert.h>
#include <string.h>

#define ROOM_MAX      (4u << 20) /* 1 MiB is what Windows makes */
#define FRAGMENTS_MAX 64u
#define DYNAMIC_MBR   0x42
#define PRIVATE_MBR   6 /* sector of the first PRIVHEAD */
#define DATABASE      UINT64_C(2048)
#define PRIVATE_2     1856 /* of the other two, counted from the database's start */
#define PRIVATE_3     2047

/* 5808C8AA-7E8F-42E0-85D2-E1E90434CFB3, as it lies on the disk */
static const uint8_t metadata_guid[16] = {0xaa, 0xc8, 0x08, 0x58, 0x8f, 0x7e, 0xe0, 0x42, 0x85,
	0xd2, 0xe1, 0xe9, 0x04, 0x34, 0xcf, 0xb3};

struct disk_vblk {
	char magic[4]; /* "VBLK" */
	sv_be32 sequence, record;
	sv_be16 fragment, fragments; /* 0: unused */
};
static_assert(sizeof(struct disk_vblk) == 16, "VBLK");

/* ---- PRIVHEAD ---- */

static int read_sector(
	struct sv_dev *disk, uint32_t unit, uint64_t sector, uint8_t *buf, struct sv_err *err)
{
	if (sector > INT64_MAX / unit || !sv_in_range(sector * unit, unit, sv_dev_size(disk)))
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(disk), "the disk ends before it");
	return sv_dev_read(disk, buf, unit, sector * unit, err);
}

static int try_private(
	struct sv_dev *disk, struct sv_ldm_member *m, uint64_t sector, struct sv_err *err)
{
	uint8_t buf[4096];
	const struct sv_ldm_private *p = &m->private;

	if (read_sector(disk, m->unit, sector, buf, err) < 0 ||
		sv_ldm_parse_private(buf, m->unit, &m->private, err) < 0)
		return -1;
	if (sv_in_range(p->config_start * m->unit, p->config_size * m->unit, sv_dev_size(disk)))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(disk), sector * m->unit,
		"the dynamic disk's database of %llu sectors at %llu passes the disk's end",
		(unsigned long long)p->config_size, (unsigned long long)p->config_start);
}

/* The partition that makes a disk a dynamic one, on a GPT the one that holds the database. */
static const struct sv_partition *find_partition(const struct sv_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct sv_partition *p = &t->parts[i];

		if (t->kind == SV_TABLE_MBR ? p->mbr_type == DYNAMIC_MBR
					    : !memcmp(p->type_guid, metadata_guid, 16))
			return p;
	}
	return NULL;
}

static int read_private(struct sv_dev *disk, const struct sv_table *t,
	const struct sv_partition *p, struct sv_ldm_member *m, struct sv_err *err)
{
	uint64_t sectors = sv_dev_size(disk) / m->unit, first = p->start / m->unit;
	uint64_t end = first + p->size / m->unit, at_end = sectors - SV_MIN(sectors, DATABASE);
	const uint64_t on_mbr[] = {PRIVATE_MBR, at_end + PRIVATE_2, at_end + PRIVATE_3};
	const uint64_t on_gpt[] = {end - 1, first + PRIVATE_2, first + PRIVATE_3};
	const uint64_t *places = t->kind == SV_TABLE_MBR ? on_mbr : on_gpt;
	struct sv_err why = SV_ERR_INIT;

	for (size_t i = 0; i < 3; i++) {
		struct sv_err now = SV_ERR_INIT;

		if (try_private(disk, m, places[i], &now) == 0)
			return 0;
		if (why.code == SV_OK || (why.code == SV_NOTFOUND && now.code != SV_NOTFOUND))
			sv_err_copy(&why, &now);
	}
	if (why.code != SV_NOTFOUND) {
		sv_err_copy(err, &why);
		return -1;
	}
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(disk), places[0] * m->unit,
		"a partition of a dynamic disk, but no copy of PRIVHEAD lies on the disk");
}

/* ---- TOCBLOCK, VMDB ---- */

static int read_toc(struct sv_dev *disk, const struct sv_ldm_member *m, struct sv_ldm_toc *ret,
	struct sv_err *err)
{
	static const unsigned places[] = {1, 2, 2045, 2046};
	uint64_t base = m->private.config_start;
	bool found = false;

	for (size_t i = 0; i < SV_ARRAY_LEN(places); i++) {
		struct sv_err why = SV_ERR_INIT;
		struct sv_ldm_toc toc;
		uint8_t buf[4096];

		if (read_sector(disk, m->unit, base + places[i], buf, &why) < 0 ||
			sv_ldm_parse_toc(buf, m->unit, &toc, &why) < 0 ||
			!sv_in_range(toc.start, toc.size, m->private.config_size))
			continue;
		if (!found || toc.sequence > ret->sequence)
			*ret = toc;
		found = true;
	}
	if (found)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(disk), (base + 1) * m->unit,
		"the dynamic disk's database has no good table of contents (TOCBLOCK)");
}

static int read_vmdb(struct sv_dev *disk, struct sv_ldm_member *m, struct sv_err *err)
{
	struct sv_ldm_toc toc = {0};
	struct sv_err why = SV_ERR_INIT;
	uint64_t sector, records;
	uint8_t buf[4096];

	if (read_toc(disk, m, &toc, err) < 0)
		return -1;
	sector = m->private.config_start + toc.start;
	m->vmdb = sector * m->unit;
	m->room = SV_MIN(toc.size * m->unit, (uint64_t)ROOM_MAX);
	if (read_sector(disk, m->unit, sector, buf, err) < 0)
		return -1;
	if (sv_ldm_parse_vmdb(buf, m->unit, &m->head, &why) < 0)
		return sv_fail_at(err, why.code == SV_NOTFOUND ? SV_CORRUPT : why.code,
			sv_dev_name(disk), m->vmdb, "the dynamic disk's database: %s",
			why.message);
	records = (uint64_t)m->head.last * m->head.vblk_size;
	if (!sv_in_range(m->head.first, records, m->room))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(disk), m->vmdb,
			"the dynamic disk's database says %u records of %u bytes, its region has "
			"%llu bytes",
			m->head.last, m->head.vblk_size, (unsigned long long)m->room);
	return 0;
}

int sv_ldm_read_member(struct sv_dev *disk, struct sv_ldm_member *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_table_free) struct sv_table t = {0};
	const struct sv_partition *p;
	int rc;

	if (sv_table_read(disk, &t, err) < 0)
		return -1;
	p = find_partition(&t);
	if (!p)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(disk), "this is no dynamic disk");
	*ret = (struct sv_ldm_member){.unit = t.sector_size};
	rc = read_private(disk, &t, p, ret, err);
	return rc < 0 ? rc : read_vmdb(disk, ret, err);
}

/* ---- records ---- */

struct fragment {
	uint32_t record;
	uint16_t number, of;
	const uint8_t *bytes;
};

struct gathering {
	uint8_t *bytes; /* of all VBLKs */
	size_t vblk;    /* bytes of one */
	struct fragment *f;
	size_t n;
};

static int by_record(const void *a, const void *b)
{
	const struct fragment *x = a, *y = b;

	if (x->record != y->record)
		return x->record < y->record ? -1 : 1;
	return x->number - y->number;
}

static void list_fragments(struct gathering *g, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct disk_vblk d;

		memcpy(&d, g->bytes + i * g->vblk, sizeof d);
		if (memcmp(d.magic, "VBLK", 4) != 0 || !sv_get_be16(d.fragments))
			continue;
		g->f[g->n++] = (struct fragment){sv_get_be32(d.record), sv_get_be16(d.fragment),
			sv_get_be16(d.fragments), g->bytes + i * g->vblk + sizeof d};
	}
	if (g->n)
		qsort(g->f, g->n, sizeof *g->f, by_record);
}

/* How many of the fragments from `from` on are of its record. */
static size_t run_length(const struct gathering *g, size_t from)
{
	size_t n = 1;

	while (from + n < g->n && g->f[from + n].record == g->f[from].record)
		n++;
	return n;
}

static int check_run(const struct gathering *g, size_t from, size_t n, struct sv_err *err)
{
	const struct fragment *f = &g->f[from];

	for (size_t i = 0; i < n; i++) {
		if (f[i].number != i || f[i].of != n || n > FRAGMENTS_MAX)
			return sv_fail(err, SV_CORRUPT, NULL,
				"part %u of %u of record %u of the dynamic disk's database is "
				"missing or there twice",
				(unsigned)i, f[0].of, f[0].record);
	}
	return 0;
}

static int parse_run(const struct gathering *g, size_t from, size_t n,
	struct sv_ldm_record *ret, struct sv_err *err)
{
	size_t part = g->vblk - sizeof(struct disk_vblk);
	sv_autofree uint8_t *joined = NULL;

	if (check_run(g, from, n, err) < 0)
		return -1;
	joined = malloc(n * part);
	if (!joined)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < n; i++)
		memcpy(joined + i * part, g->f[from + i].bytes, part);
	return sv_ldm_parse_record(joined, n * part, ret, err);
}

static int parse_all(const struct gathering *g, struct sv_ldm_records *ret, struct sv_err *err)
{
	for (size_t i = 0, n; i < g->n; i += n) {
		struct sv_ldm_record *r = &ret->r[ret->n];
		struct sv_err why = SV_ERR_INIT;

		n = run_length(g, i);
		if (parse_run(g, i, n, r, &why) == 0) {
			ret->n += r->kind != SV_LDM_BLANK;
		} else if (why.code == SV_NOMEM) {
			sv_err_copy(err, &why);
			return -1;
		} else if (ret->first.code == SV_OK) {
			sv_err_copy(&ret->first, &why);
		}
	}
	return 0;
}

int sv_ldm_read_records(struct sv_dev *disk, const struct sv_ldm_member *m,
	struct sv_ldm_records *ret, struct sv_err *err)
{
	size_t count = m->head.last, n = count * m->head.vblk_size;
	sv_autofree uint8_t *bytes = malloc(n + 1);
	sv_autofree struct fragment *f = calloc(count + 1, sizeof *f);
	struct gathering g = {bytes, m->head.vblk_size, f, 0};

	*ret = (struct sv_ldm_records){.r = NULL, .first = SV_ERR_INIT};
	if (!bytes || !f)
		return sv_fail_nomem(err);
	if (sv_dev_read(disk, bytes, n, m->vmdb + m->head.first, err) < 0)
		return -1;
	list_fragments(&g, count);
	ret->r = calloc(g.n + 1, sizeof *ret->r);
	if (!ret->r)
		return sv_fail_nomem(err);
	if (parse_all(&g, ret, err) == 0)
		return 0;
	sv_ldm_records_free(ret);
	return -1;
}

void sv_ldm_records_free(struct sv_ldm_records *r)
{
	free(r->r);
	*r = (struct sv_ldm_records){0};
}
