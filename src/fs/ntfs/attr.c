/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The attributes of an object that needs more than one record: its base record then has an
 * $ATTRIBUTE_LIST that names the record of each attribute, or of each piece of a long one.
 *
 * Each record that a list names must say that it belongs to this object, so that no record
 * is reached from two objects and no walk over all objects can be made to take long.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"

#include <string.h>

/* Units of 16 clusters of 4 KiB are what Windows writes; with some reserve. */
#define UNIT_MAX (1u << 20)

int sv_ntfs_next_list_entry(const uint8_t *list, size_t n, size_t *pos,
	struct sv_ntfs_list_entry *ret, struct sv_err *err)
{
	struct ntfs_list_entry d;
	size_t len;

	if (*pos == n)
		return 0;
	if (n - *pos < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, *pos,
			"an attribute list that ends within an entry");
	memcpy(&d, list + *pos, sizeof d);
	len = sv_get_le16(d.length);
	if (len < sizeof d || len % 8 || len > n - *pos ||
		!sv_in_range(d.name_offset, 2u * d.name_length, len))
		return sv_fail_at(err, SV_CORRUPT, NULL, *pos,
			"an attribute list entry of %zu bytes, name of %u characters at %u",
			len, d.name_length, d.name_offset);
	ret->type = sv_get_le32(d.type);
	ret->name = list + *pos + d.name_offset;
	ret->name_len = d.name_length;
	ret->lowest = sv_get_le64(d.lowest_vcn);
	ret->record = sv_get_le64(d.record);
	ret->instance = sv_get_le16(d.instance);
	*pos += len;
	return 1;
}

/* What a stream is, from its first piece. */
static int begin_stream(struct sv_ntfs *v, const struct sv_ntfs_record *r,
	const struct sv_ntfs_raw_attr *a, struct sv_ntfs_stream *s, struct sv_err *err)
{
	s->flags = a->flags;
	s->resident = !a->mapped;
	s->size = a->mapped ? a->size : a->value_length;
	s->initialized = a->mapped ? a->initialized : a->value_length;
	s->allocated = a->packed;
	if (!a->mapped) {
		s->value = malloc((size_t)a->value_length + 1);
		if (!s->value)
			return sv_fail_nomem(err);
		memcpy(s->value, r->bytes + a->value_offset, a->value_length);
		return 0;
	}
	if (!(a->flags & NTFS_ATTR_COMPRESSED) || !a->unit)
		return 0;
	if ((a->flags & NTFS_ATTR_COMPRESSED) != NTFS_ATTR_LZNT1)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, a->offset,
			"compression method %u is not known", a->flags & NTFS_ATTR_COMPRESSED);
	if (a->unit > 31 || (uint64_t)v->geo.cluster_size << a->unit > UNIT_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, a->offset,
			"compression units of 2^%u clusters of %u bytes, at most %u bytes are "
			"expected",
			a->unit, v->geo.cluster_size, UNIT_MAX);
	s->unit = a->unit;
	return 0;
}

/* Adds the attribute (in a loaded record `number`) as the stream's next piece. */
static int add_piece(struct sv_ntfs *v, uint64_t number, const struct sv_ntfs_record *r,
	const struct sv_ntfs_raw_attr *a, struct sv_ntfs_stream *s, struct sv_err *err)
{
	if (a->lowest_vcn != s->runs.end || (s->resident && s->value)) {
		sv_fail_at(err, SV_CORRUPT, NULL, a->offset,
			"a piece of a stream from cluster %llu on, expected %llu",
			(unsigned long long)a->lowest_vcn, (unsigned long long)s->runs.end);
		return sv_ntfs_blame(v, number, 0, err);
	}
	if (!a->lowest_vcn && begin_stream(v, r, a, s, err) < 0)
		return sv_ntfs_blame(v, number, 0, err);
	if (!a->mapped)
		return 0;
	if (a->end_vcn > SV_DEV_SIZE_MAX / v->geo.cluster_size) {
		sv_fail_at(err, SV_CORRUPT, NULL, a->offset,
			"a stream of %llu clusters cannot be", (unsigned long long)a->end_vcn);
		return sv_ntfs_blame(v, number, 0, err);
	}
	if (sv_ntfs_runs_add(&s->runs, r->bytes + a->runs_offset, a->runs_length, a->end_vcn,
		    v->geo.clusters, err) < 0)
		return sv_ntfs_blame(v, number, a->runs_offset, err);
	return 0;
}

/* Loads a record that an attribute list names, and checks that it is the object's. */
static int load_part(struct sv_ntfs *v, uint64_t owner, uint64_t reference,
	struct sv_ntfs_record *ret, struct sv_err *err)
{
	uint64_t number = NTFS_REF_RECORD(reference);

	if (sv_ntfs_load(v, number, true, ret, err) < 0)
		return -1;
	if (NTFS_REF_RECORD(ret->base) == owner &&
		(!NTFS_REF_SEQUENCE(reference) ||
			NTFS_REF_SEQUENCE(reference) == ret->sequence))
		return 0;
	sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct ntfs_record, base),
		"record %llu belongs to record %llu, but the attribute list of record %llu names "
		"it",
		(unsigned long long)number, (unsigned long long)NTFS_REF_RECORD(ret->base),
		(unsigned long long)owner);
	sv_ntfs_unload(ret);
	return sv_ntfs_blame(v, number, 0, err);
}

static bool find_instance(const struct sv_ntfs_record *r, const struct sv_ntfs_list_entry *e,
	struct sv_ntfs_raw_attr *ret)
{
	struct sv_ntfs_raw_attr a = {0};

	while (sv_ntfs_next_attr(r, &a)) {
		if (a.type == e->type && a.instance == e->instance &&
			a.lowest_vcn == e->lowest) {
			*ret = a;
			return true;
		}
	}
	return false;
}

/* The piece that an entry of the attribute list is about. */
static int add_listed(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	const struct sv_ntfs_list_entry *e, struct sv_ntfs_stream *s, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record part = {0};
	const struct sv_ntfs_record *r = base;
	uint64_t where = NTFS_REF_RECORD(e->record);
	struct sv_ntfs_raw_attr a;

	if (where != number) {
		if (load_part(v, number, e->record, &part, err) < 0)
			return -1;
		r = &part;
	}
	if (find_instance(r, e, &a))
		return add_piece(v, where, r, &a, s, err);
	sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"attribute 0x%x number %u is not in record %llu, where the list of record %llu "
		"puts it",
		e->type, e->instance, (unsigned long long)where, (unsigned long long)number);
	return sv_ntfs_blame(v, where, 0, err);
}

/* The attribute list of a base record; *ret is NULL where it has none. Caller frees. */
static int load_list(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint8_t **ret, size_t *ret_n, struct sv_err *err)
{
	sv_autostream struct sv_ntfs_stream s = {0};
	struct sv_ntfs_raw_attr a;

	*ret = NULL;
	*ret_n = 0;
	if (!sv_ntfs_find_attr(base, NTFS_ATTR_LIST, NULL, 0, &a))
		return 0;
	if (add_piece(v, number, base, &a, &s, err) < 0)
		return -1;
	*ret = sv_ntfs_stream_slurp(v, &s, NTFS_ATTR_LIST_MAX, ret_n, err);
	return *ret ? 0 : -1;
}

static int not_there(struct sv_ntfs *v, uint64_t number, uint32_t type, struct sv_err *err)
{
	return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev),
		"record %llu of $MFT has no such attribute (0x%x)", (unsigned long long)number,
		type);
}

static int open_listed(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	const uint8_t *list, size_t n, const struct sv_ntfs_list_entry *want,
	struct sv_ntfs_stream *s, struct sv_err *err)
{
	struct sv_ntfs_list_entry e;
	size_t pos = 0, found = 0;
	int rc;

	while ((rc = sv_ntfs_next_list_entry(list, n, &pos, &e, err)) > 0) {
		if (e.type != want->type ||
			!sv_ntfs_same_units(e.name, e.name_len, want->name, want->name_len))
			continue;
		if (add_listed(v, base, number, &e, s, err) < 0)
			return -1;
		found++;
	}
	if (rc < 0)
		return sv_ntfs_blame(v, number, 0, err);
	return found ? 0 : not_there(v, number, want->type, err);
}

int sv_ntfs_stream_open(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint32_t type, const uint8_t *name, unsigned name_len, struct sv_ntfs_stream *ret,
	struct sv_err *err)
{
	struct sv_ntfs_list_entry want = {.type = type, .name = name, .name_len = name_len};
	sv_autofree uint8_t *list = NULL;
	struct sv_ntfs_raw_attr a;
	size_t n;
	int rc;

	if (load_list(v, base, number, &list, &n, err) < 0)
		return -1;
	/* *ret is filled step by step: $MFT's own later pieces are read through its first */
	*ret = (struct sv_ntfs_stream){0};
	if (list)
		rc = open_listed(v, base, number, list, n, &want, ret, err);
	else if (sv_ntfs_find_attr(base, type, name, name_len, &a))
		rc = add_piece(v, number, base, &a, ret, err);
	else
		rc = not_there(v, number, type, err);
	if (rc < 0)
		sv_ntfs_stream_close(ret);
	return rc;
}

/* ---- all attributes ---- */

static int visit(struct sv_ntfs *v, const struct sv_ntfs_record *r, uint64_t number,
	sv_ntfs_attr_fn fn, void *user, struct sv_err *err)
{
	struct sv_ntfs_raw_attr a = {0};

	while (sv_ntfs_next_attr(r, &a)) {
		struct sv_err why = SV_ERR_INIT;
		int rc = a.type == NTFS_ATTR_LIST ? 0 : fn(user, r, &a, &why);

		if (rc < 0 && why.code != SV_OK) {
			sv_err_copy(err, &why);
			return sv_ntfs_blame(v, number, a.offset, err);
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The references of a list, each once, without the base record's. */
static int list_records(const uint8_t *list, size_t n, uint64_t base, uint64_t **ret,
	size_t *ret_n, struct sv_err *err)
{
	uint64_t *refs = malloc((n / sizeof(struct ntfs_list_entry) + 1) * sizeof *refs);
	struct sv_ntfs_list_entry e;
	size_t pos = 0, count = 0, unique = 0;
	int rc;

	if (!refs)
		return sv_fail_nomem(err);
	while ((rc = sv_ntfs_next_list_entry(list, n, &pos, &e, err)) > 0) {
		if (NTFS_REF_RECORD(e.record) != base)
			refs[count++] = e.record;
	}
	if (rc < 0) {
		free(refs);
		return -1;
	}
	qsort(refs, count, sizeof *refs, by_number);
	for (size_t i = 0; i < count; i++) {
		if (!unique || refs[unique - 1] != refs[i])
			refs[unique++] = refs[i];
	}
	*ret = refs;
	*ret_n = unique;
	return 0;
}

static int spend(struct sv_ntfs *v, uint64_t *budget, size_t n, struct sv_err *err)
{
	if (!budget)
		return 0;
	if (*budget < n)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the attribute lists together are larger than $MFT can need");
	*budget -= n;
	return 0;
}

int sv_ntfs_each_attr(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint64_t *budget, sv_ntfs_attr_fn fn, void *user, struct sv_err *err)
{
	sv_autofree uint8_t *list = NULL;
	sv_autofree uint64_t *refs = NULL;
	size_t n, count = 0;
	int rc = visit(v, base, number, fn, user, err);

	if (rc || load_list(v, base, number, &list, &n, err) < 0)
		return rc ? rc : -1;
	if (!list)
		return 0;
	if (spend(v, budget, n, err) < 0)
		return -1;
	if (list_records(list, n, number, &refs, &count, err) < 0)
		return sv_ntfs_blame(v, number, 0, err);
	for (size_t i = 0; i < count && !rc; i++) {
		sv_autorecord struct sv_ntfs_record part = {0};

		if (load_part(v, number, refs[i], &part, err) < 0)
			return -1;
		rc = visit(v, &part, NTFS_REF_RECORD(refs[i]), fn, user, err);
	}
	return rc;
}
