/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing a Parallels disk: the last file grows first (hds_grow.c), then the descriptor is
 * replaced as a whole. A power cut in between leaves a file that is larger than the descriptor
 * says, which is no fault: the disk has the old size.
 */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static int grow_plain(struct sv_prl_part *part, uint64_t length, struct sv_err *err)
{
	if (sv_dev_size(part->file) < length && sv_dev_resize(part->file, length, err) < 0)
		return -1;
	return sv_dev_flush(part->file, err);
}

/* ---- the descriptor ---- */

#define EDITS_MAX 5

struct edits {
	struct sv_prl_edit all[EDITS_MAX];
	char *texts[EDITS_MAX];
	size_t n;
	bool failed;
};

static void add_number(struct edits *e, const struct sv_prl_span *span, uint64_t n)
{
	char *text = sv_format("%llu", (unsigned long long)n);

	if (!span->at || !text) {
		e->failed |= !text;
		free(text);
		return;
	}
	e->texts[e->n] = text;
	e->all[e->n++] = (struct sv_prl_edit){*span, text};
}

static char *edit_text(const struct sv_prl_desc *d, const char *text, size_t n, uint64_t size,
	struct sv_err *err)
{
	struct sv_prl_geometry g = sv_prl_geometry(size);
	struct edits e = {.n = 0};
	char *edited = NULL;

	add_number(&e, &d->size_span, size / SV_SECTOR);
	add_number(&e, &d->cylinders_span, g.cylinders);
	add_number(&e, &d->heads_span, g.heads);
	add_number(&e, &d->sectors_span, g.sectors);
	add_number(&e, &d->storages[d->n_storages - 1].end_span, size / SV_SECTOR);
	if (e.failed)
		sv_fail_nomem(err);
	else
		edited = sv_prl_desc_edit(text, n, e.all, e.n, err);
	for (size_t i = 0; i < e.n; i++)
		free(e.texts[i]);
	return edited;
}

/* The text as it is now, with the new size; and what that parses to. */
static int edit_desc(struct sv_prl *p, struct sv_host *host, uint64_t size, char **ret_text,
	struct sv_prl_desc **ret, struct sv_err *err)
{
	sv_autofree char *text = NULL, *edited = NULL;
	struct sv_prl_desc *now = NULL;
	size_t n = 0;

	text = sv_host_read_file(host, p->desc_path, SV_PRL_DESC_MAX, &n, err);
	if (!text || sv_prl_desc_parse(text, n, &now, err) < 0)
		return sv_err_path(err, p->desc_path);
	if (now->size == p->desc->size && now->editable)
		edited = edit_text(now, text, n, size, err);
	else
		sv_fail(err, SV_UNSUPPORTED, p->desc_path,
			"the descriptor cannot be changed: it is not in UTF-8, or another "
			"program has changed it");
	sv_prl_desc_close(now);
	if (!edited)
		return -1;
	if (sv_prl_desc_parse(edited, strlen(edited), ret, err) < 0)
		return sv_err_path(err, p->desc_path);
	*ret_text = SV_STEAL(edited);
	return 0;
}

static int grow_part(struct sv_prl_part *part, uint64_t length, struct sv_err *err)
{
	int rc =
		part->hds ? sv_hds_grow(part->hds, length, err) : grow_plain(part, length, err);

	return rc < 0 ? sv_err_path(err, part->path) : 0;
}

int sv_prl_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	struct sv_prl *p = sv_prl_of(l);
	struct sv_prl_part *last = &p->parts[p->n_parts - 1];
	uint64_t length = size - last->start;
	sv_autofree char *text = NULL;
	struct sv_prl_desc *desc = NULL;

	/* what can be refused is refused before anything is written */
	if (p->desc && edit_desc(p, host, size, &text, &desc, err) < 0)
		return -1;
	if (sv_prl_flush(l, err) < 0 || grow_part(last, length, err) < 0 ||
		(p->desc && sv_publish_file(host, p->desc_path, text, strlen(text), true, err) <
				    0)) {
		sv_prl_desc_close(desc);
		return -1;
	}
	last->length = length;
	if (desc) {
		sv_prl_desc_close(p->desc);
		p->desc = desc;
	}
	return 0;
}
