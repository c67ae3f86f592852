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

/* One segment into the buffer of `size` bytes at `done`. */
static int copy_segment(const struct sv_hive *h, uint32_t offset, uint8_t *buf, uint32_t size,
	uint32_t done, struct sv_err *err)
{
	uint32_t part = SV_MIN(size - done, (uint32_t)SV_REGF_SEGMENT);
	sv_autocell struct sv_regf_cell cell = {0};

	if (sv_regf_cell(h, offset, part, part, &cell, err) < 0)
		return -1;
	memcpy(buf + done, cell.bytes, part);
	return 0;
}

static uint8_t *load_big(const struct sv_hive *h, const struct sv_regf_cell *cell,
	uint32_t size, struct sv_err *err)
{
	uint32_t segments = (uint32_t)sv_div_up(size, SV_REGF_SEGMENT);
	sv_autocell struct sv_regf_cell list = {0};
	sv_autofree uint8_t *buf = NULL;
	struct sv_regf_disk_big raw;

	memcpy(&raw, cell->bytes, sizeof raw);
	if (sv_get_le16(raw.n) != segments) {
		sv_fail_at(err, SV_CORRUPT, NULL,
			cell->at + offsetof(struct sv_regf_disk_big, n),
			"data of %" PRIu32 " bytes have %u segments, expected %" PRIu32, size,
			sv_get_le16(raw.n), segments);
		return NULL;
	}
	if (sv_regf_cell(h, sv_get_le32(raw.list), 4 * (size_t)segments, 4 * (size_t)segments,
		    &list, err) < 0)
		return NULL;
	buf = malloc(size);
	if (!buf) {
		sv_fail_nomem(err);
		return NULL;
	}
	for (uint32_t i = 0; i < segments; i++) {
		if (copy_segment(h, sv_load_le32(list.bytes + 4 * i), buf, size,
			    i * SV_REGF_SEGMENT, err) < 0)
			return NULL;
	}
	return SV_STEAL(buf);
}

static bool is_big(
	const struct sv_hive *h, const struct sv_regf_value *v, const struct sv_regf_cell *cell)
{
	return v->size > SV_REGF_SEGMENT && h->base.minor >= 4 &&
	       cell->n >= sizeof(struct sv_regf_disk_big) && memcmp(cell->bytes, "db", 2) == 0;
}

static uint8_t *load_cell_data(
	const struct sv_hive *h, const struct sv_regf_value *v, struct sv_err *err)
{
	sv_autocell struct sv_regf_cell cell = {0};

	if (sv_regf_cell(h, v->data, 4, SV_MAX(v->size, (uint32_t)8), &cell, err) < 0)
		return NULL;
	if (is_big(h, v, &cell))
		return load_big(h, &cell, v->size, err);
	if (v->size > cell.n) {
		sv_fail_at(err, SV_CORRUPT, NULL, cell.at,
			"a value has %" PRIu32 " bytes of data, its cell has %zu", v->size,
			cell.n);
		return NULL;
	}
	return SV_STEAL(cell.bytes);
}

/* The data of v, v->size bytes; caller frees. */
static uint8_t *load_data(
	const struct sv_hive *h, const struct sv_regf_value *v, struct sv_err *err)
{
	uint8_t *small;

	if (!v->is_inline && v->size > SV_HIVE_DATA_MAX) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"a value has %" PRIu32 " bytes of data, at most %u are read", v->size,
			SV_HIVE_DATA_MAX);
		return NULL;
	}
	if (!v->is_inline && v->size)
		return load_cell_data(h, v, err);
	small = malloc(sizeof v->inline_bytes);
	if (small)
		memcpy(small, v->inline_bytes, sizeof v->inline_bytes);
	else
		sv_fail_nomem(err);
	return small;
}

/* ---- the list of values ---- */

struct values {
	const struct sv_hive *h;
	struct sv_regf_cell list;
	struct sv_regf_cell cell; /* of the value that was given last */
	uint32_t n, next;
	uint64_t left; /* bytes that all their data can have */
};

static void values_free(struct values *it)
{
	sv_regf_cell_free(&it->list);
	sv_regf_cell_free(&it->cell);
}
#define autovalues SV_CLEANUP(values_free)

static int begin(
	const struct sv_hive *h, sv_hive_key key, struct values *ret, struct sv_err *err)
{
	sv_autonode struct sv_regf_node node = {0};
	size_t n;

	if (sv_regf_load_key(h, key, &node, err) < 0)
		return -1;
	if (node.key.n_values > SV_HIVE_VALUES_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			node.cell.at + offsetof(struct sv_regf_disk_key, n_values),
			"a key has %" PRIu32 " values, at most %u are expected",
			node.key.n_values, SV_HIVE_VALUES_MAX);
	n = 4 * (size_t)node.key.n_values;
	*ret = (struct values){.h = h, .n = node.key.n_values, .left = h->base.bins_size};
	return n ? sv_regf_cell(h, node.key.values, n, n, &ret->list, err) : 0;
}

/* 1: *ret is the next one (its name is valid until the next call), 0: there is none, -1:
 * error; what follows can be asked for all the same. */
static int next(struct values *it, struct sv_regf_value *ret, struct sv_err *err)
{
	uint64_t at = it->list.at + 4 * (uint64_t)it->next;
	uint32_t offset;

	if (it->next == it->n)
		return 0;
	offset = sv_load_le32(it->list.bytes + 4 * (size_t)it->next++);
	sv_regf_cell_free(&it->cell);
	if (sv_regf_cell(it->h, offset, sizeof(struct sv_regf_disk_value),
		    sizeof(struct sv_regf_disk_value) + SV_REGF_NAME_MAX, &it->cell, err) < 0)
		return -1;
	if (sv_regf_parse_value(it->cell.bytes, it->cell.n, ret, err) < 0)
		return sv_err_shift(err, it->cell.at);
	if (!ret->is_inline && ret->size > it->left)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the values of a key have more bytes than the hive");
	it->left -= ret->is_inline ? 0 : ret->size;
	return 1;
}

/* A value that was read: what the callbacks get. */
struct loaded {
	struct sv_regf_value v;
	char *name;
	uint8_t *data;
};

static void loaded_free(struct loaded *l)
{
	free(l->name);
	free(l->data);
	*l = (struct loaded){0};
}
#define autoloaded SV_CLEANUP(loaded_free)

static int next_loaded(struct values *it, struct loaded *ret, struct sv_err *err)
{
	int rc = next(it, &ret->v, err);

	if (rc != 1)
		return rc;
	ret->name = sv_regf_name_text(&ret->v.name);
	if (!ret->name)
		return sv_fail_nomem(err);
	ret->data = load_data(it->h, &ret->v, err);
	return ret->data ? 1 : -1;
}

static int list_values(
	struct sv_hive *h, sv_hive_key key, sv_hive_value_fn fn, void *user, struct sv_err *err)
{
	autovalues struct values it = {0};
	struct sv_err first = SV_ERR_INIT;

	if (begin(h, key, &it, err) < 0)
		return -1;
	for (;;) {
		autoloaded struct loaded l = {0};
		struct sv_err why = SV_ERR_INIT;
		int rc = next_loaded(&it, &l, &why);

		if (rc == 0)
			break;
		if (rc == 1)
			rc = fn(user, l.name, l.v.type, l.data, l.v.size);
		else if (sv_regf_goes_on(&first, &why))
			rc = 0;
		else
			sv_err_copy(err, &why);
		if (rc)
			return rc;
	}
	if (first.code == SV_OK)
		return 0;
	sv_err_copy(err, &first);
	return -1;
}

const char *sv_hive_type_name(uint32_t type)
{
	static const char *const names[] = {"REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY",
		"REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK", "REG_MULTI_SZ",
		"REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR",
		"REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD"};

	return type < SV_ARRAY_LEN(names) ? names[type] : NULL;
}

int sv_hive_values(
	struct sv_hive *h, sv_hive_key key, sv_hive_value_fn fn, void *user, struct sv_err *err)
{
	int rc = list_values(h, key, fn, user, err);

	if (rc < 0)
		sv_err_path(err, sv_dev_name(h->dev));
	return rc;
}

/* ---- one value ---- */

/* 1: it is found; 0: there is none; -1: it cannot be read, or may be among what cannot. */
static int find_value(struct values *it, const struct sv_regf_wanted *wanted,
	struct sv_regf_value *ret, struct sv_err *err)
{
	struct sv_err first = SV_ERR_INIT;

	for (;;) {
		struct sv_err why = SV_ERR_INIT;
		int rc = next(it, ret, &why);

		if (rc == 1 && sv_regf_name_is(&ret->name, wanted))
			return 1;
		if (rc == 0 && first.code == SV_OK)
			return 0;
		if (rc == 1 || (rc < 0 && sv_regf_goes_on(&first, &why)))
			continue;
		sv_err_copy(err, rc < 0 ? &why : &first);
		return -1;
	}
}

static uint8_t *load_named(struct sv_hive *h, sv_hive_key key, const char *name,
	uint32_t *ret_type, size_t *ret_n, struct sv_err *err)
{
	SV_CLEANUP(sv_regf_wanted_free) struct sv_regf_wanted wanted = {0};
	autovalues struct values it = {0};
	struct sv_regf_value v;
	uint8_t *data = NULL;
	int rc;

	if (sv_regf_wanted(name, strlen(name), &wanted, err) < 0 || begin(h, key, &it, err) < 0)
		return NULL;
	rc = find_value(&it, &wanted, &v, err);
	if (rc == 1)
		data = load_data(h, &v, err);
	else if (rc == 0)
		sv_fail(err, SV_NOTFOUND, NULL, "there is no value '%.200s'", name);
	if (data) {
		*ret_type = v.type;
		*ret_n = v.size;
	}
	return data;
}

void *sv_hive_value(struct sv_hive *h, sv_hive_key key, const char *name, uint32_t *ret_type,
	size_t *ret_n, struct sv_err *err)
{
	void *data = load_named(h, key, name, ret_type, ret_n, err);

	if (!data)
		sv_err_path(err, sv_dev_name(h->dev));
	return data;
}

static int fail_type(const struct sv_hive *h, const char *name, uint32_t type, size_t n,
	const char *expected, struct sv_err *err)
{
	return sv_fail(err, SV_CORRUPT, sv_dev_name(h->dev),
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
