/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DiskDescriptor.xml: what parses has no loop and a file for each snapshot in each storage,
 * can be edited, and what is printed of it parses to the same.
 */
#include "image/parallels/desc.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

static void look(const struct sv_prl_desc *d)
{
	require(d->top < d->n_shots && d->n_shots <= SV_PRL_SHOTS_MAX);
	for (size_t i = 0; i < d->n_shots; i++) {
		size_t at = i, steps = 0;

		for (; at != SIZE_MAX; at = sv_prl_desc_parent(d, at))
			require(steps++ < d->n_shots);
		for (size_t k = 0; k < d->n_storages; k++)
			require(sv_prl_storage_image(&d->storages[k], d->shots[i].guid)->file !=
				NULL);
	}
	for (size_t i = 0; i < d->n_storages; i++)
		require(d->storages[i].start == (i ? d->storages[i - 1].end : 0));
	require(d->storages[d->n_storages - 1].end == d->size);
}

static bool same(const struct sv_prl_desc *a, const struct sv_prl_desc *b)
{
	bool equal = a->size == b->size && a->n_storages == b->n_storages &&
		     a->n_shots == b->n_shots && a->top == b->top && !strcmp(a->uid, b->uid);

	for (size_t i = 0; equal && i < a->n_shots; i++)
		equal = !strcmp(a->shots[i].guid, b->shots[i].guid) &&
			!strcmp(a->shots[i].parent, b->shots[i].parent);
	for (size_t i = 0; equal && i < a->n_storages; i++)
		equal = a->storages[i].end == b->storages[i].end &&
			a->storages[i].cluster == b->storages[i].cluster &&
			a->storages[i].n_images == b->storages[i].n_images;
	return equal;
}

static void print(const struct sv_prl_desc *d)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_prl_desc *again;
	char *text;

	/* what no disk that we make has */
	for (size_t i = 0; i < d->n_storages; i++) {
		for (size_t k = 0; k < d->storages[i].n_images; k++) {
			if (!d->storages[i].images[k].file || !*d->storages[i].images[k].guid)
				return;
		}
	}
	text = sv_prl_desc_print(d, &err);
	if (!text) {
		must_say(&err);
		return;
	}
	if (strlen(text) <= SV_PRL_DESC_MAX) {
		require(sv_prl_desc_parse(text, strlen(text), &again, &err) == 0);
		require(same(d, again));
		sv_prl_desc_close(again);
	}
	free(text);
}

/* Every place that we change gets what we would write there. */
static void edit(const struct sv_prl_desc *d, const char *text, size_t n)
{
	const struct sv_prl_storage *last = &d->storages[d->n_storages - 1];
	struct sv_prl_edit edits[] = {{d->size_span, "4096"}, {d->cylinders_span, "1"},
		{d->heads_span, "2"}, {d->sectors_span, "3"}, {last->end_span, "4096"},
		{last->images->file_span, "a&b<c>"}};
	struct sv_err err = SV_ERR_INIT;
	struct sv_prl_desc *again;
	size_t n_edits = 0;
	char *edited;

	for (size_t i = 0; i < SV_ARRAY_LEN(edits); i++) {
		if (edits[i].span.at)
			edits[n_edits++] = edits[i];
	}
	if (!d->editable)
		return;
	edited = sv_prl_desc_edit(text, n, edits, n_edits, &err);
	require(edited != NULL);
	if (sv_prl_desc_parse(edited, strlen(edited), &again, &err) == 0) {
		require(again->size == 4096 * SV_SECTOR);
		sv_prl_desc_close(again);
	} else {
		must_say(&err);
	}
	free(edited);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_prl_desc *d;

	if (!n || sv_prl_desc_parse((const char *)bytes, n, &d, &err) < 0) {
		require(!n || err.code != SV_OK);
		return 0;
	}
	look(d);
	print(d);
	edit(d, (const char *)bytes, n);
	sv_prl_desc_close(d);
	return 0;
}
