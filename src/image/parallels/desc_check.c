/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a DiskDescriptor.xml says, looked at as a whole: see desc.h. */
#include "image/parallels/desc.h"

#include "base/hash.h"
#include "base/num.h"
#include "io/dev.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- GUIDs ---- */

bool sv_prl_guid_parse(const char *text, char ret[SV_PRL_GUID_TEXT])
{
	const size_t n = SV_PRL_GUID_TEXT - 1;
	bool braces = *text == '{';
	char guid[SV_PRL_GUID_TEXT];

	text += braces;
	if (strlen(text) != n + braces || (braces && text[n] != '}'))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		guid[i] = (char)tolower((unsigned char)text[i]);
	}
	guid[n] = 0;
	memcpy(ret, guid, sizeof guid);
	return true;
}

int sv_prl_guid_new(char ret[SV_PRL_GUID_TEXT], struct sv_err *err)
{
	char hex[33];
	uint8_t b[16];

	if (sv_random(b, sizeof b, err) < 0)
		return -1;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	sv_hex(b, sizeof b, hex);
	snprintf(ret, SV_PRL_GUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		hex + 16, hex + 20);
	return 0;
}

/* ---- looking things up ---- */

size_t sv_prl_desc_find_shot(const struct sv_prl_desc *d, const char *guid)
{
	for (size_t i = 0; i < d->n_shots; i++) {
		if (!strcmp(d->shots[i].guid, guid))
			return i;
	}
	return SIZE_MAX;
}

size_t sv_prl_desc_parent(const struct sv_prl_desc *d, size_t shot)
{
	return sv_prl_desc_find_shot(d, d->shots[shot].parent);
}

const struct sv_prl_image *sv_prl_storage_image(
	const struct sv_prl_storage *s, const char *guid)
{
	for (size_t i = 0; i < s->n_images; i++) {
		if (!strcmp(s->images[i].guid, guid))
			return &s->images[i];
	}
	return NULL;
}

struct sv_prl_geometry sv_prl_geometry(uint64_t size)
{
	const unsigned heads = 16, sectors = 32;
	uint64_t n = size / SV_SECTOR;

	if (n % (heads * sectors))
		return (struct sv_prl_geometry){n, 1, 1};
	return (struct sv_prl_geometry){n / (heads * sectors), heads, sectors};
}

/* ---- looking at all of it ---- */

static int by_start(const void *a, const void *b)
{
	const struct sv_prl_storage *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int check_storages(struct sv_prl_desc *d, struct sv_err *err)
{
	uint64_t at = 0;

	if (d->n_storages)
		qsort(d->storages, d->n_storages, sizeof *d->storages, by_start);
	for (size_t i = 0; i < d->n_storages; i++) {
		const struct sv_prl_storage *s = &d->storages[i];

		if (s->start != at || s->end <= s->start)
			return sv_fail(err, SV_CORRUPT, NULL,
				"a storage goes from sector %llu to %llu, expected one that "
				"begins at %llu",
				(unsigned long long)(s->start / SV_SECTOR),
				(unsigned long long)(s->end / SV_SECTOR),
				(unsigned long long)(at / SV_SECTOR));
		at = s->end;
	}
	if (at != d->size || !at || at > SV_DEV_SIZE_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"the disk has %llu sectors, its storages end at %llu",
			(unsigned long long)(d->size / SV_SECTOR),
			(unsigned long long)(at / SV_SECTOR));
	return 0;
}

/* A descriptor without a list of snapshots: its images are those of the disk. */
static int invent_shot(struct sv_prl_desc *d, struct sv_err *err)
{
	const struct sv_prl_storage *first = d->storages;

	if (d->n_shots || first->n_images != 1)
		return 0;
	d->shots = calloc(1, sizeof *d->shots);
	if (!d->shots)
		return sv_fail_nomem(err);
	d->n_shots = 1;
	memcpy(d->shots->guid, first->images->guid, sizeof d->shots->guid);
	memcpy(d->shots->parent, SV_PRL_NULL_GUID, sizeof d->shots->parent);
	if (!*d->top_guid)
		memcpy(d->top_guid, d->shots->guid, sizeof d->top_guid);
	return 0;
}

/* From one to its root, with no more steps than there are snapshots. */
static int check_parents(const struct sv_prl_desc *d, size_t shot, struct sv_err *err)
{
	size_t at = shot, parent;

	for (size_t steps = 0; steps <= d->n_shots; steps++) {
		if (!strcmp(d->shots[at].parent, SV_PRL_NULL_GUID))
			return 0;
		parent = sv_prl_desc_parent(d, at);
		if (parent == SIZE_MAX)
			return sv_fail(err, SV_CORRUPT, NULL,
				"the parent {%s} of snapshot {%s} is not listed",
				d->shots[at].parent, d->shots[at].guid);
		at = parent;
	}
	return sv_fail(err, SV_CORRUPT, NULL, "the parents of snapshot {%s} come back to it",
		d->shots[shot].guid);
}

/* It has a file in every storage. */
static int check_images(const struct sv_prl_desc *d, size_t shot, struct sv_err *err)
{
	for (size_t i = 0; i < d->n_storages; i++) {
		const struct sv_prl_image *image =
			sv_prl_storage_image(&d->storages[i], d->shots[shot].guid);

		if (!image || !image->file)
			return sv_fail(err, SV_CORRUPT, NULL,
				"the storage from sector %llu on has no file for snapshot {%s}",
				(unsigned long long)(d->storages[i].start / SV_SECTOR),
				d->shots[shot].guid);
	}
	return 0;
}

static int check_shots(struct sv_prl_desc *d, struct sv_err *err)
{
	for (size_t i = 0; i < d->n_shots; i++) {
		if (sv_prl_desc_find_shot(d, d->shots[i].guid) != i)
			return sv_fail(err, SV_CORRUPT, NULL, "snapshot {%s} is listed twice",
				d->shots[i].guid);
		if (check_parents(d, i, err) < 0 || check_images(d, i, err) < 0)
			return -1;
	}
	d->top = sv_prl_desc_find_shot(d, d->top_guid);
	if (d->top != SIZE_MAX)
		return 0;
	return sv_fail(err, SV_CORRUPT, NULL,
		"the snapshot that the guest writes to, {%s}, is not listed", d->top_guid);
}

int sv_prl_desc_check(struct sv_prl_desc *d, struct sv_err *err)
{
	if (check_storages(d, err) < 0 || invent_shot(d, err) < 0)
		return -1;
	if (!*d->top_guid)
		memcpy(d->top_guid, SV_PRL_TOP_GUID, sizeof d->top_guid);
	if (!*d->uid)
		memcpy(d->uid, SV_PRL_NULL_GUID, sizeof d->uid);
	return check_shots(d, err);
}
