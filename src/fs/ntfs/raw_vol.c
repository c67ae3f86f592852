/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An NTFS volume: $MFT, its records, and where the data of the system's files lie. $MFT
 * describes itself: its first part is found through the boot sector, each further part lies in
 * a record that the parts before it cover.
 */
#include "fs/ntfs/raw_vol.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"

#include <string.h>

/* ---- streams ---- */

void sv_ntfs_raw_free_stream(struct sv_ntfs_raw_stream *s)
{
	free(s->runs);
	free(s->value);
	*s = (struct sv_ntfs_raw_stream){0};
}

int sv_ntfs_raw_add_run(
	struct sv_ntfs_raw_stream *s, struct sv_ntfs_raw_run run, struct sv_err *err)
{
	if (s->count == SV_NTFS_RAW_RUNS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"a system file of the volume has more than %u fragments",
			SV_NTFS_RAW_RUNS_MAX);
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		void *runs = realloc(s->runs, room * sizeof *s->runs);

		if (!runs)
			return sv_fail_nomem(err);
		s->runs = runs;
		s->room = room;
	}
	s->runs[s->count++] = run;
	return 0;
}

static uint64_t end_vcn(const struct sv_ntfs_raw_stream *s)
{
	return s->count ? s->runs[s->count - 1].vcn + s->runs[s->count - 1].length : 0;
}

/* The run that holds vcn; NULL beyond the last. */
static const struct sv_ntfs_raw_run *find_run(const struct sv_ntfs_raw_stream *s, uint64_t vcn)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (vcn < s->runs[mid].vcn)
			high = mid;
		else if (vcn - s->runs[mid].vcn >= s->runs[mid].length)
			low = mid + 1;
		else
			return &s->runs[mid];
	}
	return NULL;
}

int sv_ntfs_raw_map(const struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *s,
	uint64_t off, uint64_t max, uint64_t *ret_at, uint64_t *ret_length, struct sv_err *err)
{
	uint64_t cluster = v->geo.cluster_size, within;
	const struct sv_ntfs_raw_run *run = find_run(s, off / cluster);

	if (!run)
		return sv_fail(err, SV_CORRUPT, v->dev->name,
			"byte %llu of a system file lies beyond its %llu clusters",
			(unsigned long long)off, (unsigned long long)end_vcn(s));
	within = off - run->vcn * cluster;
	*ret_at = run->lcn == NTFS_HOLE ? SV_NO_HOST_OFFSET : run->lcn * cluster + within;
	*ret_length = SV_MIN(max, run->length * cluster - within);
	return 0;
}

/* n bytes of what is initialized of a mapped stream */
static int read_mapped(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *s,
	uint8_t *out, size_t n, uint64_t off, struct sv_err *err)
{
	while (n) {
		uint64_t at, length;

		if (sv_ntfs_raw_map(v, s, off, n, &at, &length, err) < 0)
			return -1;
		if (at == SV_NO_HOST_OFFSET)
			memset(out, 0, (size_t)length);
		else if (sv_dev_read(v->dev, out, (size_t)length, at, err) < 0)
			return -1;
		out += length;
		off += length;
		n -= (size_t)length;
	}
	return 0;
}

int sv_ntfs_raw_read_stream(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *s,
	void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint64_t known = s->value ? s->size : s->initialized;
	size_t inside = off >= known ? 0 : (size_t)SV_MIN(n, known - off);

	if (!sv_in_range(off, n, s->size))
		return sv_fail(err, SV_CORRUPT, v->dev->name,
			"byte %llu of a system file lies beyond its size of %llu",
			(unsigned long long)off, (unsigned long long)s->size);
	memset((uint8_t *)buf + inside, 0, n - inside);
	if (!s->value)
		return read_mapped(v, s, buf, inside, off, err);
	memcpy(buf, s->value + off, inside);
	return 0;
}

int sv_ntfs_raw_write_stream(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *s,
	const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const uint8_t *in = buf;

	while (n) {
		uint64_t at, length;

		if (sv_ntfs_raw_map(v, s, off, n, &at, &length, err) < 0)
			return -1;
		if (at == SV_NO_HOST_OFFSET)
			return sv_fail(err, SV_CORRUPT, v->dev->name,
				"a system file has a hole at byte %llu",
				(unsigned long long)off);
		if (sv_dev_write(v->dev, in, (size_t)length, at, err) < 0)
			return -1;
		in += length;
		off += length;
		n -= (size_t)length;
	}
	return 0;
}

/* ---- records ---- */

/* Turns an offset within a record into the volume's, where that is known. */
static int in_record(struct sv_ntfs_raw_vol *v, uint64_t number, struct sv_err *err)
{
	uint64_t at, length;

	sv_err_context(err, "MFT record %llu", (unsigned long long)number);
	sv_err_path(err, v->dev->name);
	if (sv_ntfs_raw_map(v, &v->mft, number * v->geo.record_size, 1, &at, &length, NULL) ==
		0)
		sv_err_shift(err, at);
	return -1;
}

int sv_ntfs_raw_read_record(
	struct sv_ntfs_raw_vol *v, uint64_t number, uint8_t *record, struct sv_err *err)
{
	size_t size = v->geo.record_size;

	if (number >= v->mft.size / size)
		return sv_fail(err, SV_CORRUPT, v->dev->name,
			"MFT record %llu lies beyond the %llu records of $MFT",
			(unsigned long long)number, (unsigned long long)(v->mft.size / size));
	if (sv_ntfs_raw_read_stream(v, &v->mft, record, size, number * size, err) < 0)
		return -1;
	if (sv_ntfs_raw_unprotect(record, size, "FILE", err) < 0 ||
		sv_ntfs_raw_check_record(record, size, err) < 0)
		return in_record(v, number, err);
	return 0;
}

int sv_ntfs_raw_write_record(
	struct sv_ntfs_raw_vol *v, uint64_t number, uint8_t *record, struct sv_err *err)
{
	size_t size = v->geo.record_size;
	uint64_t off = number * size;
	int result;

	sv_ntfs_raw_protect(record, size);
	result = sv_ntfs_raw_write_stream(v, &v->mft, record, size, off, err);
	if (result == 0 && sv_in_range(off, size, v->mirror.size))
		result = sv_ntfs_raw_write_stream(v, &v->mirror, record, size, off, err);
	if (result == 0)
		result = sv_ntfs_raw_unprotect(record, size, "FILE", err);
	return result;
}

/* ---- parts of an attribute ---- */

static int add_part(struct sv_ntfs_raw_part **parts, size_t *count,
	struct sv_ntfs_raw_part part, struct sv_err *err)
{
	/* at most NTFS_ATTR_LIST_MAX / 26 of them */
	void *more = realloc(*parts, (*count + 1) * sizeof **parts);

	if (!more)
		return sv_fail_nomem(err);
	*parts = more;
	(*parts)[(*count)++] = part;
	return 0;
}

/* Does a list's entry name the attribute? `rest` bytes begin with it. */
static bool entry_is(const uint8_t *entry, size_t rest, const struct ntfs_list_entry *e,
	uint32_t type, const char *name)
{
	struct sv_ntfs_raw_attr a = {.type = sv_get_le32(e->type),
		.name_length = e->name_length,
		.name = entry + e->name_offset};

	return sv_in_range(e->name_offset, 2U * e->name_length, rest) &&
	       sv_ntfs_raw_attr_is(&a, type, name);
}

static int parts_in_list(const uint8_t *list, size_t size, uint32_t type, const char *name,
	struct sv_ntfs_raw_part **parts, size_t *count, struct sv_err *err)
{
	struct ntfs_list_entry e;

	for (size_t at = 0; at < size; at += sv_get_le16(e.length)) {
		if (!sv_in_range(at, sizeof e, size))
			return sv_fail(err, SV_CORRUPT, NULL, "an attribute list ends early");
		memcpy(&e, list + at, sizeof e);
		if (sv_get_le16(e.length) < sizeof e ||
			!sv_in_range(at, sv_get_le16(e.length), size))
			return sv_fail(err, SV_CORRUPT, NULL,
				"an entry of an attribute list has %u bytes",
				sv_get_le16(e.length));
		if (!entry_is(list + at, sv_get_le16(e.length), &e, type, name))
			continue;
		if (add_part(parts, count,
			    (struct sv_ntfs_raw_part){NTFS_REF_RECORD(sv_get_le64(e.record)),
				    sv_get_le64(e.lowest_vcn), sv_get_le16(e.instance)},
			    err) < 0)
			return -1;
	}
	return 0;
}

static int load_runs(struct sv_ntfs_raw_vol *v, const uint8_t *record,
	const struct sv_ntfs_raw_attr *a, struct sv_ntfs_raw_stream *s, struct sv_err *err)
{
	struct sv_ntfs_raw_run_reader r;
	struct sv_ntfs_raw_run run;
	int more;

	if (a->lowest_vcn != end_vcn(s))
		return sv_fail(err, SV_CORRUPT, NULL,
			"a part of an attribute begins at cluster %llu, not at %llu",
			(unsigned long long)a->lowest_vcn, (unsigned long long)end_vcn(s));
	sv_ntfs_raw_runs_begin(
		&r, record + a->runs_offset, a->runs_length, a->lowest_vcn, v->geo.clusters);
	while ((more = sv_ntfs_raw_next_run(&r, &run, err)) == 1)
		if (sv_ntfs_raw_add_run(s, run, err) < 0)
			return -1;
	if (more < 0)
		return sv_err_shift(err, a->runs_offset);
	if (r.vcn != a->end_vcn)
		return sv_fail_at(err, SV_CORRUPT, NULL, a->offset,
			"the runs of an attribute end at cluster %llu, its header says %llu",
			(unsigned long long)r.vcn, (unsigned long long)a->end_vcn);
	if (!a->lowest_vcn) {
		s->flags = a->flags;
		s->allocated = a->allocated;
		s->size = a->size;
		s->initialized = a->initialized;
	}
	return 0;
}

static int load_value(const uint8_t *record, const struct sv_ntfs_raw_attr *a,
	struct sv_ntfs_raw_stream *s, struct sv_err *err)
{
	s->value = malloc(a->value_length ? a->value_length : 1);
	if (!s->value)
		return sv_fail_nomem(err);
	memcpy(s->value, record + a->value_offset, a->value_length);
	s->flags = a->flags;
	s->size = s->initialized = a->value_length;
	return 0;
}

int sv_ntfs_raw_load_list(struct sv_ntfs_raw_vol *v, const uint8_t *record,
	struct sv_ntfs_raw_stream *ret, struct sv_err *err)
{
	struct sv_ntfs_raw_attr a;
	int found =
		sv_ntfs_raw_find_attr(record, v->geo.record_size, NTFS_ATTR_LIST, "", &a, err);

	if (found != 1)
		return found;
	if (a.mapped ? load_runs(v, record, &a, ret, err) : load_value(record, &a, ret, err))
		return -1;
	if (ret->size > NTFS_ATTR_LIST_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, a.offset,
			"an attribute list has %llu bytes, the largest allowed is %u",
			(unsigned long long)ret->size, NTFS_ATTR_LIST_MAX);
	return 1;
}

static int parts_through_list(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *list,
	uint32_t type, const char *name, struct sv_ntfs_raw_part **parts, size_t *count,
	struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc(list->size ? list->size : 1);

	if (!bytes)
		return sv_fail_nomem(err);
	if (sv_ntfs_raw_read_stream(v, list, bytes, list->size, 0, err) < 0)
		return -1;
	return parts_in_list(bytes, list->size, type, name, parts, count, err);
}

static int parts_of_record(struct sv_ntfs_raw_vol *v, uint64_t number, const uint8_t *record,
	uint32_t type, const char *name, struct sv_ntfs_raw_part **parts, size_t *count,
	struct sv_err *err)
{
	struct sv_ntfs_raw_attr a;
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream list = {0};
	int found = sv_ntfs_raw_load_list(v, record, &list, err);

	if (found < 0)
		return -1;
	if (found)
		return parts_through_list(v, &list, type, name, parts, count, err);
	found = sv_ntfs_raw_find_attr(record, v->geo.record_size, type, name, &a, err);
	if (found != 1)
		return found;
	return add_part(
		parts, count, (struct sv_ntfs_raw_part){number, a.lowest_vcn, a.instance}, err);
}

int sv_ntfs_raw_find_parts(struct sv_ntfs_raw_vol *v, uint64_t number, uint32_t type,
	const char *name, struct sv_ntfs_raw_part **ret, size_t *ret_count, struct sv_err *err)
{
	sv_autofree uint8_t *record = malloc(v->geo.record_size);
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	size_t count = 0;

	if (!record)
		return sv_fail_nomem(err);
	if (sv_ntfs_raw_read_record(v, number, record, err) < 0)
		return -1;
	if (parts_of_record(v, number, record, type, name, &parts, &count, err) < 0)
		return in_record(v, number, err);
	*ret = SV_STEAL(parts);
	*ret_count = count;
	return 0;
}

int sv_ntfs_raw_find_part(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_part *part,
	uint32_t type, const char *name, const uint8_t *record, struct sv_ntfs_raw_attr *ret,
	struct sv_err *err)
{
	struct sv_ntfs_raw_attr a = {0};
	int more;

	while ((more = sv_ntfs_raw_next_attr(record, v->geo.record_size, &a, err)) == 1) {
		if (!sv_ntfs_raw_attr_is(&a, type, name) || a.instance != part->instance ||
			a.lowest_vcn != part->lowest_vcn)
			continue;
		*ret = a;
		return 0;
	}
	return sv_fail(err, SV_CORRUPT, v->dev->name,
		"MFT record %llu has no attribute %#x with instance %u, which a list names",
		(unsigned long long)part->record, type, part->instance);
}

int sv_ntfs_raw_read_part(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_part *part,
	uint32_t type, const char *name, uint8_t *record, struct sv_ntfs_raw_attr *ret,
	struct sv_err *err)
{
	if (sv_ntfs_raw_read_record(v, part->record, record, err) < 0)
		return -1;
	return sv_ntfs_raw_find_part(v, part, type, name, record, ret, err);
}

/* ---- opening ---- */

static int join_part(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_part *part,
	uint32_t type, const char *name, struct sv_ntfs_raw_stream *s, struct sv_err *err)
{
	sv_autofree uint8_t *record = malloc(v->geo.record_size);
	struct sv_ntfs_raw_attr a;
	int result;

	if (!record)
		return sv_fail_nomem(err);
	if (sv_ntfs_raw_read_part(v, part, type, name, record, &a, err) < 0)
		return -1;
	if (a.mapped)
		result = load_runs(v, record, &a, s, err);
	else if (s->value || s->runs)
		result = sv_fail_at(err, SV_CORRUPT, NULL, a.offset,
			"a resident attribute is one of several parts");
	else
		result = load_value(record, &a, s, err);
	return result < 0 ? in_record(v, part->record, err) : 0;
}

static int check_end(struct sv_ntfs_raw_vol *v, uint32_t type,
	const struct sv_ntfs_raw_stream *s, struct sv_err *err)
{
	uint64_t end = end_vcn(s) * v->geo.cluster_size;

	if (s->value || s->size <= end)
		return 0;
	return sv_fail(err, SV_CORRUPT, v->dev->name,
		"a system file's attribute %#x has %llu bytes, its clusters hold %llu", type,
		(unsigned long long)s->size, (unsigned long long)end);
}

int sv_ntfs_raw_open_stream(struct sv_ntfs_raw_vol *v, uint64_t number, uint32_t type,
	const char *name, struct sv_ntfs_raw_stream *ret, struct sv_err *err)
{
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream s = {0};
	size_t count = 0;

	if (sv_ntfs_raw_find_parts(v, number, type, name, &parts, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (join_part(v, &parts[i], type, name, &s, err) < 0)
			return -1;
	if (!count)
		return 0;
	if (check_end(v, type, &s, err) < 0)
		return -1;
	*ret = s;
	s = (struct sv_ntfs_raw_stream){0};
	return 1;
}

/* Until $MFT's own record is read, the clusters from the boot sector's on must do: as many as
 * record 0 needs. */
static int guess_mft(struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	uint64_t clusters = sv_div_up(v->geo.record_size, v->geo.cluster_size);
	struct sv_ntfs_raw_run run = {0, v->geo.mft_lcn, clusters};

	v->mft.size = v->mft.initialized = v->geo.record_size;
	return sv_ntfs_raw_add_run(&v->mft, run, err);
}

/* Each part makes the records readable that describe the next ones. */
static int open_mft(struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream first = {0};
	size_t count = 0;

	if (guess_mft(v, err) < 0 || sv_ntfs_raw_find_parts(v, NTFS_FILE_MFT, NTFS_ATTR_DATA,
					     "", &parts, &count, err) < 0)
		return -1;
	if (!count || parts[0].record != NTFS_FILE_MFT)
		return sv_fail(err, SV_CORRUPT, v->dev->name,
			"MFT record 0 does not tell where $MFT lies");
	if (join_part(v, &parts[0], NTFS_ATTR_DATA, "", &first, err) < 0)
		return -1;
	if (first.value)
		return sv_fail(err, SV_CORRUPT, v->dev->name, "$MFT is resident in itself");
	sv_ntfs_raw_free_stream(&v->mft);
	v->mft = first;
	first = (struct sv_ntfs_raw_stream){0};
	for (size_t i = 1; i < count; i++)
		if (join_part(v, &parts[i], NTFS_ATTR_DATA, "", &v->mft, err) < 0)
			return -1;
	return check_end(v, NTFS_ATTR_DATA, &v->mft, err);
}

static int open_mirror(struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	int found = sv_ntfs_raw_open_stream(
		v, NTFS_FILE_MFTMIRR, NTFS_ATTR_DATA, "", &v->mirror, err);

	if (found == 0 || (found == 1 && v->mirror.value))
		return sv_fail(err, SV_CORRUPT, v->dev->name, "$MFTMirr has no clusters");
	return found < 0 ? -1 : 0;
}

int sv_ntfs_raw_open_vol(struct sv_dev *dev, struct sv_ntfs_raw_vol *ret, struct sv_err *err)
{
	uint8_t boot[512];
	size_t n = (size_t)SV_MIN(sizeof boot, sv_dev_size(dev));

	*ret = (struct sv_ntfs_raw_vol){.dev = dev};
	if (sv_dev_read(dev, boot, n, 0, err) < 0)
		return -1;
	if (sv_ntfs_raw_parse_boot(boot, n, &ret->geo, err) < 0)
		return sv_err_path(err, dev->name);
	if (open_mft(ret, err) < 0)
		return -1;
	return open_mirror(ret, err);
}

void sv_ntfs_raw_free_vol(struct sv_ntfs_raw_vol *v)
{
	sv_ntfs_raw_free_stream(&v->mft);
	sv_ntfs_raw_free_stream(&v->mirror);
}
