/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The parent locator of a differencing VHDX (MS-VHDX 2.6.2.6): keys and values in UTF-16.
 * "parent_linkage" is the data-write GUID that the parent had when the child was made, in
 * braces; "parent_linkage2" another one that is right, too (written while disks are merged);
 * "relative_path", "volume_path" and "absolute_win32_path" tell where the parent is.
 */
#include "image/vhdx/metadata.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

struct disk_locator {
	struct sv_vhdx_guid type;
	uint8_t reserved[2];
	sv_le16 n_pairs;
};
static_assert(sizeof(struct disk_locator) == 20, "parent locator");

struct disk_pair {
	sv_le32 key_at, value_at; /* from the locator's beginning */
	sv_le16 key_size, value_size;
};
static_assert(sizeof(struct disk_pair) == 12, "parent locator entry");

static const struct sv_vhdx_guid locator_type = {{0xb7, 0xef, 0x4a, 0xb0, 0x9e, 0xd1, 0x81,
	0x4a, 0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13}};

static size_t pair_at(size_t index)
{
	return sizeof(struct disk_locator) + index * sizeof(struct disk_pair);
}

static int take_guid(const char *text, struct sv_vhdx_guid *ret, size_t at, struct sv_err *err)
{
	if (sv_vhdx_guid_parse(text, ret))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, at,
		"the parent's id reads \"%.60s\", a GUID in braces is expected", text);
}

/* Of two values for one key the first counts. `value` is handed over. */
static void take_path(char **field, char *value)
{
	if (*field)
		free(value);
	else
		*field = value;
}

static int take_pair(
	struct sv_vhdx_locator *l, const char *key, char *value, size_t at, struct sv_err *err)
{
	sv_autofree char *own = value;

	if (!strcmp(key, "parent_linkage"))
		return take_guid(own, &l->linkage, at, err);
	if (!strcmp(key, "parent_linkage2"))
		return take_guid(own, &l->linkage2, at, err);
	if (!strcmp(key, "relative_path"))
		take_path(&l->relative, SV_STEAL(own));
	else if (!strcmp(key, "volume_path"))
		take_path(&l->volume, SV_STEAL(own));
	else if (!strcmp(key, "absolute_win32_path"))
		take_path(&l->absolute, SV_STEAL(own));
	return 0;
}

static int parse_pair(const uint8_t *bytes, size_t n, size_t index, struct sv_vhdx_locator *l,
	struct sv_err *err)
{
	sv_autofree char *key = NULL;
	struct disk_pair d;
	uint32_t key_at, value_at;
	unsigned key_size, value_size;
	char *value;

	memcpy(&d, bytes + pair_at(index), sizeof d);
	key_at = sv_get_le32(d.key_at);
	value_at = sv_get_le32(d.value_at);
	key_size = sv_get_le16(d.key_size);
	value_size = sv_get_le16(d.value_size);
	if (!sv_in_range(key_at, key_size, n) || !sv_in_range(value_at, value_size, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, pair_at(index),
			"entry %zu of the parent locator lies beyond its end (%zu bytes)",
			index, n);
	key = sv_utf16_to_utf8(bytes + key_at, key_size / 2, NULL);
	value = sv_utf16_to_utf8(bytes + value_at, value_size / 2, NULL);
	if (!key || !value) {
		free(value);
		return sv_fail_nomem(err);
	}
	return take_pair(l, key, value, value_at, err);
}

static int parse_pairs(
	const void *bytes, size_t n, struct sv_vhdx_locator *ret, struct sv_err *err)
{
	struct disk_locator d;
	unsigned count;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, n, "the parent locator is cut short");
	memcpy(&d, bytes, sizeof d);
	count = sv_get_le16(d.n_pairs);
	if (!sv_vhdx_guid_equal(&d.type, &locator_type))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 0,
			"the parent locator is of an unknown type");
	if (pair_at(count) > n)
		return sv_fail_at(err, SV_CORRUPT, NULL, 18,
			"the parent locator has %u entries in %zu bytes", count, n);
	for (size_t i = 0; i < count; i++) {
		if (parse_pair(bytes, n, i, ret, err) < 0)
			return -1;
	}
	if (!sv_vhdx_guid_is_nil(&ret->linkage) || !sv_vhdx_guid_is_nil(&ret->linkage2))
		return 0;
	return sv_fail_at(
		err, SV_CORRUPT, NULL, 18, "the parent locator does not name the parent's id");
}

int sv_vhdx_locator_parse(
	const void *bytes, size_t n, struct sv_vhdx_locator *ret, struct sv_err *err)
{
	struct sv_vhdx_locator l = {0};

	if (parse_pairs(bytes, n, &l, err) < 0) {
		sv_vhdx_locator_free(&l);
		return -1;
	}
	*ret = l;
	return 0;
}

void sv_vhdx_locator_free(struct sv_vhdx_locator *l)
{
	free(l->relative);
	free(l->volume);
	free(l->absolute);
	*l = (struct sv_vhdx_locator){0};
}

/* ---- printing ---- */

/* Adds a text behind what is there; its size in bytes. */
static uint16_t add_text(uint8_t *out, size_t *at, const void *units, size_t n)
{
	memcpy(out + *at, units, n * 2);
	*at += n * 2;
	return (uint16_t)(n * 2);
}

static void print_pair(uint8_t *out, size_t index, size_t *at, const void *const texts[2],
	const size_t sizes[2])
{
	struct disk_pair d = {.key_at = sv_put_le32((uint32_t)*at)};

	d.key_size = sv_put_le16(add_text(out, at, texts[0], sizes[0]));
	d.value_at = sv_put_le32((uint32_t)*at);
	d.value_size = sv_put_le16(add_text(out, at, texts[1], sizes[1]));
	memcpy(out + pair_at(index), &d, sizeof d);
}

void *sv_vhdx_locator_print(const struct sv_vhdx_locator *l, size_t *ret_n, struct sv_err *err)
{
	char id[SV_VHDX_GUID_TEXT], braced[SV_VHDX_GUID_TEXT + 2];
	const char *const texts[4] = {"parent_linkage", braced, "relative_path", l->relative};
	struct disk_locator head = {.type = locator_type, .n_pairs = sv_put_le16(2)};
	size_t n[4] = {0}, at = pair_at(2), total = at;
	void *units[4] = {NULL};
	uint8_t *out = NULL;
	bool ok = true;

	sv_vhdx_guid_text(&l->linkage, id);
	memcpy(braced + 1, id, SV_VHDX_GUID_TEXT - 1);
	braced[0] = '{';
	memcpy(braced + SV_VHDX_GUID_TEXT, "}", 2);
	for (size_t i = 0; i < 4; i++) {
		units[i] = sv_utf8_to_utf16(texts[i], &n[i]);
		ok = ok && units[i] && n[i] < UINT16_MAX / 2;
		total += n[i] * 2;
	}
	out = ok ? calloc(1, total) : NULL;
	if (out) {
		memcpy(out, &head, sizeof head);
		print_pair(out, 0, &at, (const void *const[]){units[0], units[1]}, n);
		print_pair(out, 1, &at, (const void *const[]){units[2], units[3]}, n + 2);
		*ret_n = total;
	} else {
		sv_fail_nomem(err);
	}
	for (size_t i = 0; i < 4; i++)
		free(units[i]);
	return out;
}
