/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opening a VHDX's structures (MS-VHDX 2.2 to 2.6): of the two headers the one with the higher
 * number counts, then the log is replayed, for the region tables, the metadata and the block
 * table may be in it.
 */
#include "image/vhdx/vhdx.h"

#include "base/str.h"

#include <string.h>

/* ---- headers ---- */

static int read_header(struct sv_vhdx *v, unsigned i, struct sv_vhdx_header *ret,
	struct sv_err *why, struct sv_err *err)
{
	uint8_t bytes[SV_VHDX_HEADER_SIZE];

	if (sv_dev_size(v->file) < SV_VHDX_UNIT)
		return sv_fail_at(err, SV_CORRUPT, NULL, sv_dev_size(v->file),
			"the file has %llu bytes, a VHDX has at least 1 MiB",
			(unsigned long long)sv_dev_size(v->file));
	if (sv_dev_read(v->file, bytes, sizeof bytes, SV_VHDX_HEADER_AT(i), err) < 0)
		return -1;
	v->header_bad[i] = sv_vhdx_header_parse(bytes, sizeof bytes, ret, why) < 0;
	if (v->header_bad[i])
		sv_err_shift(why, SV_VHDX_HEADER_AT(i));
	return 0;
}

static int choose_header(struct sv_vhdx *v, struct sv_err *err)
{
	struct sv_vhdx_header h[2];
	struct sv_err why[2] = {SV_ERR_INIT, SV_ERR_INIT};

	if (read_header(v, 0, &h[0], &why[0], err) < 0 ||
		read_header(v, 1, &h[1], &why[1], err) < 0)
		return -1;
	if (v->header_bad[0] && v->header_bad[1]) {
		/* an unknown version is told, rather than a broken copy */
		sv_err_copy(err, &why[why[0].code == SV_CORRUPT ? 1 : 0]);
		return -1;
	}
	/* of equal numbers (Disk2vhd writes them) any will do */
	v->current = v->header_bad[0] || (!v->header_bad[1] && h[1].sequence > h[0].sequence);
	v->header = h[v->current];
	return 0;
}

/* ---- log ---- */

/* Nothing below reads the real file any more. */
static int replay_to_memory(
	struct sv_vhdx *v, const struct sv_vhdx_log_found *found, struct sv_err *err)
{
	struct sv_dev *shown = sv_overlay_open(
		v->file, sv_dev_size(v->file), SV_VHDX_REPLAY_MAX, sv_dev_name(v->file), err);

	if (!shown)
		return -1;
	if (sv_vhdx_log_replay(v->file, &v->header, found, shown, err) < 0) {
		sv_dev_close(shown);
		return -1;
	}
	sv_dev_close(v->file);
	v->file = shown;
	return 0;
}

static int replay(struct sv_vhdx *v, struct sv_err *err)
{
	struct sv_vhdx_log_found found;

	if (sv_vhdx_log_find(v->file, &v->header, &found, err) < 0)
		return -1;
	v->n_replayed = found.n;
	v->log_lost = !sv_vhdx_guid_is_nil(&v->header.log) && !found.n;
	if (v->link.writable)
		return sv_vhdx_settle_log(v, &found, err);
	return found.n ? replay_to_memory(v, &found, err) : 0;
}

/* ---- region tables ---- */

static int read_table(struct sv_vhdx *v, unsigned i, uint8_t *bytes, struct sv_err *err)
{
	uint64_t at = SV_VHDX_TABLE_AT(i);

	if (sv_dev_read(v->file, bytes, SV_VHDX_TABLE_SIZE, at, err) < 0)
		return -1;
	if (sv_vhdx_regions_parse(bytes, SV_VHDX_TABLE_SIZE, &v->regions, err) < 0)
		return sv_err_shift(err, at);
	return 0;
}

static int check_regions(const struct sv_vhdx *v, struct sv_err *err)
{
	const struct sv_vhdx_region *m = sv_vhdx_metadata(v);

	for (size_t i = 0; i < v->regions.n; i++) {
		const struct sv_vhdx_region *r = &v->regions.all[i];

		if (sv_overlaps(r->at, r->length, v->header.log_at, v->header.log_size))
			return sv_fail_at(err, SV_CORRUPT, NULL, r->at,
				"a region of %llu bytes lies on the log",
				(unsigned long long)r->length);
	}
	if (sv_in_range(m->at, m->length, sv_dev_size(v->file)))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, m->at,
		"the metadata are said to be at byte %llu, the file has %llu",
		(unsigned long long)m->at, (unsigned long long)sv_dev_size(v->file));
}

/* The first copy counts, while it is whole; a lack of support is one of both. */
static int read_regions(struct sv_vhdx *v, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc(SV_VHDX_TABLE_SIZE);
	struct sv_err why = SV_ERR_INIT;

	if (!bytes)
		return sv_fail_nomem(err);
	v->table_bad[1] = read_table(v, 1, bytes, NULL) < 0;
	v->table_bad[0] = read_table(v, 0, bytes, &why) < 0;
	if (v->table_bad[0] && (why.code != SV_CORRUPT || read_table(v, 1, bytes, NULL) < 0)) {
		sv_err_copy(err, &why);
		return -1;
	}
	return check_regions(v, err);
}

/* ---- metadata ---- */

static int read_item(struct sv_vhdx *v, enum sv_vhdx_item_kind kind, struct sv_err *err)
{
	const struct sv_vhdx_item *item = &v->items.known[kind];
	uint64_t at = sv_vhdx_metadata(v)->at + item->at;
	sv_autofree uint8_t *bytes = NULL;
	int rc;

	if (!item->length)
		return 0;
	bytes = malloc(item->length);
	if (!bytes)
		return sv_fail_nomem(err);
	if (sv_dev_read(v->file, bytes, item->length, at, err) < 0)
		return -1;
	if (kind == SV_VHDX_ITEM_PARENT)
		rc = sv_vhdx_locator_parse(bytes, item->length, &v->locator, err);
	else
		rc = sv_vhdx_item_parse(kind, bytes, item->length, &v->params, err);
	return rc < 0 ? sv_err_shift(err, at) : 0;
}

static int read_metadata(struct sv_vhdx *v, struct sv_err *err)
{
	const struct sv_vhdx_region *m = sv_vhdx_metadata(v);
	sv_autofree uint8_t *table = malloc(SV_VHDX_TABLE_SIZE);

	if (!table)
		return sv_fail_nomem(err);
	if (sv_dev_read(v->file, table, SV_VHDX_TABLE_SIZE, m->at, err) < 0)
		return -1;
	if (sv_vhdx_items_parse(table, SV_VHDX_TABLE_SIZE, m->length, &v->items, err) < 0)
		return sv_err_shift(err, m->at);
	for (unsigned kind = 0; kind < SV_VHDX_ITEM_KINDS; kind++) {
		if (read_item(v, kind, err) < 0)
			return -1;
	}
	if (sv_vhdx_params_check(&v->params, err) < 0)
		return sv_err_shift(err, m->at);
	if (!v->params.has_parent || v->items.known[SV_VHDX_ITEM_PARENT].length)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, m->at,
		"the disk is said to have a parent, but none is named");
}

static int check_table(const struct sv_vhdx *v, struct sv_err *err)
{
	uint64_t entries = sv_vhdx_entries(&v->params, v->params.size);
	const struct sv_vhdx_region *bat = sv_vhdx_bat(v);

	if (entries * 8 <= bat->length &&
		sv_in_range(
			bat->at, sv_align_up(entries * 8, SV_VHDX_PAGE), sv_dev_size(v->file)))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, bat->at,
		"the block table needs %llu entries, its region of %llu bytes has less room, "
		"or ends beyond the end of the file (%llu bytes)",
		(unsigned long long)entries, (unsigned long long)bat->length,
		(unsigned long long)sv_dev_size(v->file));
}

/* ---- for who writes ---- */

static int begin_writing(struct sv_vhdx *v, struct sv_err *err)
{
	uint64_t size = sv_dev_size(v->file);

	if (!v->link.writable)
		return 0;
	if (size > SV_VHDX_FILE_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the file has %llu bytes, more than any disk of 64 TiB takes",
			(unsigned long long)size);
	v->next = sv_align_up(size, SV_VHDX_UNIT);
	v->pending = sv_pagemap_new(SV_VHDX_PENDING, err);
	return v->pending ? 0 : -1;
}

/* ---- the parent's names ---- */

static int add_hint(struct sv_vhdx *v, const char *text, struct sv_err *err)
{
	size_t i = 0;

	if (!*text)
		return 0;
	while (v->hints[i] && strcmp(v->hints[i], text) != 0)
		i++;
	if (v->hints[i] || i == SV_VHDX_HINTS)
		return 0;
	v->hints[i] = strdup(text);
	return v->hints[i] ? 0 : sv_fail_nomem(err);
}

/* What stands behind the last / or \ of a path of any system. */
static const char *base_of(const char *path)
{
	const char *base = path;

	for (const char *c = path; *c; c++) {
		if (*c == '/' || *c == '\\')
			base = c + 1;
	}
	return base;
}

static int add_relative(struct sv_vhdx *v, const char *path, struct sv_err *err)
{
	sv_autofree char *text = strdup(path);

	if (!text)
		return sv_fail_nomem(err);
	for (char *c = text; *c; c++) {
		if (*c == '\\')
			*c = '/';
	}
	return sv_path_is_absolute(text) ? 0 : add_hint(v, text, err);
}

/* The relative path first; of the others, which another machine wrote, the file's name; and
 * the whole one, should it be of this machine. */
static int list_hints(struct sv_vhdx *v, struct sv_err *err)
{
	const char *paths[] = {v->locator.relative, v->locator.absolute, v->locator.volume};

	if (paths[0] && add_relative(v, paths[0], err) < 0)
		return -1;
	for (size_t i = 0; i < SV_ARRAY_LEN(paths); i++) {
		if (paths[i] && add_hint(v, base_of(paths[i]), err) < 0)
			return -1;
	}
	return paths[1] && *paths[1] == '/' ? add_hint(v, paths[1], err) : 0;
}

/* ---- */

static int check_identifier(struct sv_vhdx *v, struct sv_err *err)
{
	uint8_t bytes[8];

	if (sv_dev_read(v->file, bytes, sizeof bytes, 0, err) < 0)
		return -1;
	if (!memcmp(bytes, SV_VHDX_SIGNATURE, sizeof bytes))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"the file does not begin with \"" SV_VHDX_SIGNATURE "\"");
}

int sv_vhdx_load(struct sv_dev *file, bool writable, struct sv_vhdx **ret, struct sv_err *err)
{
	struct sv_vhdx *v = calloc(1, sizeof *v);

	if (!v)
		return sv_fail_nomem(err);
	v->link.driver = &sv_vhdx_driver;
	v->link.writable = writable;
	v->file = sv_dev_ref(file);
	pthread_mutex_init(&v->lock, NULL);
	if (check_identifier(v, err) < 0 || choose_header(v, err) < 0 || replay(v, err) < 0 ||
		read_regions(v, err) < 0 || read_metadata(v, err) < 0 ||
		check_table(v, err) < 0 || list_hints(v, err) < 0 ||
		begin_writing(v, err) < 0) {
		sv_vhdx_close(&v->link);
		return sv_err_path(err, sv_dev_name(file));
	}
	*ret = v;
	return 0;
}

void sv_vhdx_close(struct sv_link *l)
{
	struct sv_vhdx *v = sv_vhdx_of(l);

	for (size_t i = 0; i < SV_ARRAY_LEN(v->hints); i++)
		free(v->hints[i]);
	sv_vhdx_locator_free(&v->locator);
	sv_vhdx_pages_free(v);
	pthread_mutex_destroy(&v->lock);
	sv_pagemap_free(v->pending);
	sv_dev_close(v->file);
	free(v);
}
