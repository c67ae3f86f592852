/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How changes of a VHDX's tables reach the file: through the log, in the order that vhdx.h
 * tells. A step that failed may be done again: nothing is forgotten before it is in the file.
 */
#include "image/vhdx/vhdx.h"

#include <string.h>

/* ---- headers ---- */

/* Over the header that does not count; then it does. */
static int write_header(struct sv_vhdx *v, const struct sv_vhdx_header *h, struct sv_err *err)
{
	struct sv_vhdx_header next = *h;
	struct sv_vhdx_disk_header bytes;
	unsigned other = !v->current;

	next.sequence = v->header.sequence + 1;
	sv_vhdx_header_print(&next, &bytes);
	if (sv_dev_write(v->file, &bytes, sizeof bytes, SV_VHDX_HEADER_AT(other), err) < 0)
		return -1;
	v->header = next;
	v->current = other;
	v->header_bad[other] = false;
	return 0;
}

static int write_header_now(
	struct sv_vhdx *v, const struct sv_vhdx_header *h, struct sv_err *err)
{
	return write_header(v, h, err) < 0 ? -1 : sv_dev_flush(v->file, err);
}

/* Both copies, so that the one that counts may be lost later on. */
int sv_vhdx_begin(struct sv_vhdx *v, struct sv_err *err)
{
	struct sv_vhdx_header h = v->header;

	if (v->begun)
		return 0;
	if (sv_vhdx_guid_new(&h.file_write, err) < 0 ||
		sv_vhdx_guid_new(&h.data_write, err) < 0 || write_header_now(v, &h, err) < 0 ||
		write_header_now(v, &h, err) < 0)
		return -1;
	v->begun = true;
	return 0;
}

/* ---- a log that was left ---- */

static int refuse_without_log(const struct sv_vhdx *v, struct sv_err *err)
{
	const struct sv_vhdx_header *h = &v->header;

	if (h->log_size && !h->log_version &&
		sv_in_range(h->log_at, h->log_size, sv_dev_size(v->file)))
		return 0;
	sv_fail_at(err, SV_UNSUPPORTED, NULL, SV_VHDX_HEADER_AT(v->current),
		"the VHDX is open for reading only: it has no log, or one of an unknown version");
	return sv_hint(err, "copy what it shows into a new image and use that");
}

int sv_vhdx_settle_log(
	struct sv_vhdx *v, const struct sv_vhdx_log_found *found, struct sv_err *err)
{
	struct sv_vhdx_header h = v->header;

	if (refuse_without_log(v, err) < 0)
		return -1;
	if (sv_vhdx_guid_is_nil(&h.log))
		return 0;
	if (found->n && (sv_vhdx_log_replay(v->file, &v->header, found, v->file, err) < 0 ||
				sv_dev_flush(v->file, err) < 0))
		return -1;
	memset(&h.log, 0, sizeof h.log);
	if (sv_vhdx_guid_new(&h.file_write, err) < 0)
		return -1;
	return write_header_now(v, &h, err);
}

/* ---- commit ---- */

struct entry {
	uint8_t *bytes; /* SV_VHDX_LOG_PAGES + 1 pages */
	struct sv_vhdx_change changes[SV_VHDX_LOG_PAGES];
	uint32_t n;
};

static void collect(const struct sv_vhdx *v, struct entry *e)
{
	e->n = 0;
	for (uint64_t page = 0; sv_pagemap_next(v->pending, page, &page); page++) {
		assert(e->n < SV_VHDX_LOG_PAGES);
		e->changes[e->n++] = (struct sv_vhdx_change){
			page * SV_VHDX_PAGE, sv_pagemap_get(v->pending, page)};
	}
}

static int log_changes(struct sv_vhdx *v, struct entry *e, struct sv_err *err)
{
	uint32_t at = v->log_half * (v->header.log_size / 2);
	uint64_t size = sv_align_up(sv_dev_size(v->file), SV_VHDX_UNIT);
	struct sv_vhdx_log_entry entry = {.tail = at,
		.sequence = v->log_sequence + 1,
		.n_descriptors = e->n,
		.flushed = sv_align_down(sv_dev_size(v->file), SV_VHDX_UNIT),
		.last = size};
	size_t bytes = (e->n + 1) * (size_t)SV_VHDX_PAGE;

	sv_vhdx_log_entry_print(&entry, &v->log_id, e->changes, e->bytes);
	if (sv_dev_write(v->file, e->bytes, bytes, v->header.log_at + at, err) < 0 ||
		sv_dev_flush(v->file, err) < 0)
		return -1;
	v->log_sequence++;
	v->log_half = !v->log_half;
	return 0;
}

/* Before the entry: nobody looks for entries of a new id until the header names it, so that
 * one flush is enough for the entry and what it points to. */
static int prepare_log(struct sv_vhdx *v, struct sv_err *err)
{
	if (sv_vhdx_guid_is_nil(&v->header.log))
		return sv_vhdx_guid_new(&v->log_id, err);
	return sv_dev_flush(v->file, err);
}

static int name_log(struct sv_vhdx *v, struct sv_err *err)
{
	struct sv_vhdx_header h = v->header;

	if (!sv_vhdx_guid_is_nil(&h.log))
		return 0;
	h.log = v->log_id;
	return write_header_now(v, &h, err);
}

static int commit(struct sv_vhdx *v, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = NULL;
	struct entry e;

	collect(v, &e);
	if (!e.n)
		return 0;
	bytes = malloc((e.n + 1) * (size_t)SV_VHDX_PAGE);
	if (!bytes)
		return sv_fail_nomem(err);
	e.bytes = bytes;
	if (prepare_log(v, err) < 0 || log_changes(v, &e, err) < 0 || name_log(v, err) < 0)
		return -1;
	return sv_vhdx_pages_apply(v, err);
}

int sv_vhdx_reserve(struct sv_vhdx *v, struct sv_err *err)
{
	uint64_t pages = sv_pagemap_count(v->pending);

	return pages + SV_VHDX_STEP > SV_VHDX_LOG_PAGES ? commit(v, err) : 0;
}

int sv_vhdx_flush(struct sv_link *l, struct sv_err *err)
{
	struct sv_vhdx *v = sv_vhdx_of(l);
	struct sv_vhdx_header h;

	if (commit(v, err) < 0 || sv_dev_flush(v->file, err) < 0)
		return -1;
	h = v->header;
	if (sv_vhdx_guid_is_nil(&h.log))
		return 0;
	/* need not last: replaying the entry again would change nothing */
	memset(&h.log, 0, sizeof h.log);
	return write_header(v, &h, err);
}
