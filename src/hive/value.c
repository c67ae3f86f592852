/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Values of a key and their data: up to 4 bytes lie in the value itself, up to 16344 in one
 * cell, more (since version 1.4) in the segments of a "db" record.
 */
#include "hive/regf.h"

#include "base/num.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

/* ---- data ---- */

struct data {
	const uint8_t *bytes;
	uint8_t *own; /* where the data had to be put together */
};

static void data_free(struct data *d)
{
	free(d->own);
}

/* One segment into the buffer of `size` bytes at `done`. */
static int copy_segment(const struct sv_hive *h, uint32_t offset, uint8_t *buf, uint32_t size,
	uint32_t done, struct sv_err *err)
{
	uint32_t part = SV_MIN(size - done, (uint32_t)SV_REGF_SEGMENT);
	struct sv_regf_cell cell;

	if (sv_regf_cell(h, offset, part, &cell, err) < 0)
		return -1;
	memcpy(buf + done, cell.bytes, part);
	return 0;
}

static int load_big(const struct sv_hive *h, const struct sv_regf_cell *cell, uint32_t size,
	struct data *ret, struct sv_err *err)
{
	uint32_t segments = (uint32_t)sv_div_up(size, SV_REGF_SEGMENT);
	sv_autofree uint8_t *buf = NULL;
	struct sv_regf_disk_big raw;
	struct sv_regf_cell list;

	memcpy(&raw, cell->bytes, sizeof raw);
	if (sv_get_le16(raw.n) != segments)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			cell->at + offsetof(struct sv_regf_disk_big, n),
			"data of %" PRIu32 " bytes have %u segments, expected %" PRIu32, size,
			sv_get_le16(raw.n), segments);
	if (sv_regf_cell(h, sv_get_le32(raw.list), 4 * (size_t)segments, &list, err) < 0)
		return -1;
	buf = malloc(size); /* bounded: segments are 16 bits, and the caller spent its budget */
	if (!buf)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < segments; i++) {
		if (copy_segment(h, sv_load_le32(list.bytes + 4 * i), buf, size,
			    i * SV_REGF_SEGMENT, err) < 0)
			return -1;
	}
	ret->own = SV_STEAL(buf);
	ret->bytes = ret->own;
	return 0;
}

/* The data of v (which must outlive them), v->size bytes. */
static int load_data(const struct sv_hive *h, const struct sv_regf_value *v, struct data *ret,
	struct sv_err *err)
{
	struct sv_regf_cell cell;
	bool big;

	*ret = (struct data){.bytes = v->inline_bytes};
	if (v->is_inline || !v->size)
		return 0;
	if (sv_regf_cell(h, v->data, 4, &cell, err) < 0)
		return -1;
	big = v->size > SV_REGF_SEGMENT && h->base.minor >= 4 &&
	      cell.n >= sizeof(struct sv_regf_disk_big) && memcmp(cell.bytes, "db", 2) == 0;
	if (big)
		return load_big(h, &cell, v->size, ret, err);
	if (v->size > cell.n)
		return sv_fail_at(err, SV_CORRUPT, NULL, cell.at,
			"a value has %" PRIu32 " bytes of data, its cell has %zu", v->size,
			cell.n);
	ret->bytes = cell.bytes;
	return 0;
}

/* ---- the list of values ---- */

struct values {
	const struct sv_hive *h;
	struct sv_regf_cell list;
	uint32_t n, next;
	uint64_t budget;
};

static int begin(
	const struct sv_hive *h, sv_hive_key key, struct values *ret, struct sv_err *err)
{
	struct sv_regf_key k;

	if (sv_regf_load_key(h, key, &k, err) < 0)
		return -1;
	*ret = (struct values){.h = h, .n = k.n_values, .budget = h->base.bins_size};
	if (!k.n_values)
		return 0;
	return sv_regf_cell(h, k.values, 4 * (size_t)k.n_values, &ret->list, err);
}

/* 1: *ret is the next one, 0: there is none, -1: error. */
static int next(struct values *it, struct sv_regf_value *ret, struct sv_err *err)
{
	struct sv_regf_cell cell;
	uint64_t at = it->list.at + 4 * (uint64_t)it->next;

	if (it->next == it->n)
		return 0;
	if (sv_regf_cell(it->h, sv_load_le32(it->list.bytes + 4 * (size_t)it->next),
		    sizeof(struct sv_regf_disk_value), &cell, err) < 0)
		return -1;
	if (sv_regf_parse_value(cell.bytes, cell.n, ret, err) < 0)
		return sv_err_shift(err, cell.at);
	it->next++;
	if (sv_regf_spend(&it->budget,
		    sizeof(struct sv_regf_disk_value) + ret->name.n +
			    (ret->is_inline ? 0 : ret->size),
		    at, err) < 0)
		return -1;
	return 1;
}

static int call_one(const struct sv_hive *h, const struct sv_regf_value *v, sv_hive_value_fn fn,
	void *user, struct sv_err *err)
{
	SV_CLEANUP(data_free) struct data d = {0};
	sv_autofree char *name = sv_regf_name_text(&v->name);

	if (!name)
		return sv_fail_nomem(err);
	if (load_data(h, v, &d, err) < 0)
		return -1;
	return fn(user, name, v->type, d.bytes, v->size);
}

static int list_values(
	struct sv_hive *h, sv_hive_key key, sv_hive_value_fn fn, void *user, struct sv_err *err)
{
	struct sv_regf_value v;
	struct values it;
	int rc;

	if (begin(h, key, &it, err) < 0)
		return -1;
	while ((rc = next(&it, &v, err)) == 1) {
		rc = call_one(h, &v, fn, user, err);
		if (rc)
			return rc;
	}
	return rc;
}

int sv_hive_values(
	struct sv_hive *h, sv_hive_key key, sv_hive_value_fn fn, void *user, struct sv_err *err)
{
	int rc = list_values(h, key, fn, user, err);

	if (rc < 0)
		sv_err_path(err, h->name);
	return rc;
}

/* ---- one value ---- */

static int find_value(struct sv_hive *h, sv_hive_key key, const char *name,
	struct sv_regf_value *ret, struct sv_err *err)
{
	struct values it;
	int rc;

	if (begin(h, key, &it, err) < 0)
		return -1;
	while ((rc = next(&it, ret, err)) == 1) {
		if (sv_regf_name_is(&ret->name, name, strlen(name)))
			return 0;
	}
	if (rc < 0)
		return -1;
	return sv_fail(err, SV_NOTFOUND, NULL, "there is no value '%.200s'", name);
}

static void *copy_value(struct sv_hive *h, sv_hive_key key, const char *name,
	uint32_t *ret_type, size_t *ret_n, struct sv_err *err)
{
	SV_CLEANUP(data_free) struct data d = {0};
	struct sv_regf_value v;
	void *copy;

	if (find_value(h, key, name, &v, err) < 0 || load_data(h, &v, &d, err) < 0)
		return NULL;
	copy = malloc(v.size ? v.size : 1);
	if (!copy) {
		sv_fail_nomem(err);
		return NULL;
	}
	memcpy(copy, d.bytes, v.size);
	*ret_type = v.type;
	*ret_n = v.size;
	return copy;
}

void *sv_hive_value(struct sv_hive *h, sv_hive_key key, const char *name, uint32_t *ret_type,
	size_t *ret_n, struct sv_err *err)
{
	void *copy = copy_value(h, key, name, ret_type, ret_n, err);

	if (!copy)
		sv_err_path(err, h->name);
	return copy;
}

static int fail_type(const struct sv_hive *h, const char *name, uint32_t type, size_t n,
	const char *expected, struct sv_err *err)
{
	return sv_fail(err, SV_CORRUPT, h->name,
		"value '%.200s' has type %" PRIu32 " and %zu bytes, expected %s", name, type, n,
		expected);
}

char *sv_hive_string(struct sv_hive *h, sv_hive_key key, const char *name, struct sv_err *err)
{
	uint32_t type = 0;
	size_t n = 0, units = 0;
	sv_autofree uint8_t *data = sv_hive_value(h, key, name, &type, &n, err);
	char *text;

	if (!data)
		return NULL;
	if (type != SV_REG_SZ && type != SV_REG_EXPAND_SZ) {
		fail_type(h, name, type, n, "a string", err);
		return NULL;
	}
	while (units < n / 2 && sv_load_le16(data + 2 * units))
		units++;
	text = sv_utf16_to_utf8(data, units, NULL);
	if (!text)
		sv_fail_nomem(err);
	return text;
}

int sv_hive_dword(
	struct sv_hive *h, sv_hive_key key, const char *name, uint32_t *ret, struct sv_err *err)
{
	uint32_t type = 0;
	size_t n = 0;
	sv_autofree uint8_t *data = sv_hive_value(h, key, name, &type, &n, err);

	if (!data)
		return -1;
	if (type != SV_REG_DWORD || n != 4)
		return fail_type(h, name, type, n, "a number of 4 bytes", err);
	*ret = sv_load_le32(data);
	return 0;
}
