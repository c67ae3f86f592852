/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pieces of a Parallels disk: each range is sent to the file that holds it. */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* ---- open and close ---- */

static int open_plain(struct sv_prl_part *part, struct sv_err *err)
{
	uint64_t size = sv_dev_size(part->file);

	if (size >= part->length)
		return 0;
	sv_fail_at(err, SV_CORRUPT, part->path, size,
		"the descriptor says that it has %llu bytes, the file has %llu",
		(unsigned long long)part->length, (unsigned long long)size);
	return sv_hint(err,
		"a copy of the disk that was cut short looks like this: copy it again, "
		"or bring it back from a backup");
}

static int open_expanding(struct sv_prl *p, struct sv_prl_part *part, struct sv_err *err)
{
	if (sv_hds_open(part->file, p->link.writable, &part->hds, err) < 0)
		return -1;
	part->hds->below = &p->link.below;
	part->hds->start = part->start;
	if (part->hds->h.size >= part->length)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, part->path,
		offsetof(struct sv_prl_disk_header, n_sectors),
		"the image has %llu sectors, the descriptor says %llu",
		(unsigned long long)(part->hds->h.size / SV_SECTOR),
		(unsigned long long)(part->length / SV_SECTOR));
}

int sv_prl_open_part(const struct sv_prl_source *from, struct sv_prl *p, size_t i, bool plain,
	struct sv_err *err)
{
	struct sv_prl_part *part = &p->parts[i];
	int rc = 0;

	if (from->file && !strcmp(from->path, part->path))
		part->file = sv_dev_ref(from->file);
	else
		rc = sv_link_open_file(
			from->env, part->path, p->link.writable, &part->file, err);
	if (!rc)
		rc = plain ? open_plain(part, err) : open_expanding(p, part, err);
	return rc < 0 ? sv_err_path(err, part->path) : 0;
}

void sv_prl_close(struct sv_link *l)
{
	struct sv_prl *p = sv_prl_of(l);

	for (size_t i = 0; i < p->n_parts; i++) {
		sv_hds_close(p->parts[i].hds);
		sv_dev_close(p->parts[i].file);
		free(p->parts[i].path);
	}
	free(p->parts);
	sv_prl_desc_close(p->desc);
	free(p->desc_path);
	free(p);
}

/* ---- ranges ---- */

/* They are in order and leave no gap. */
struct sv_prl_part *sv_prl_part_at(struct sv_prl *p, uint64_t off)
{
	size_t low = 0, high = p->n_parts - 1;

	while (low < high) {
		size_t mid = low + (high - low + 1) / 2;

		if (p->parts[mid].start <= off)
			low = mid;
		else
			high = mid - 1;
	}
	return &p->parts[low];
}

static int map_plain(struct sv_prl_part *part, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	struct sv_extent e = {.length = max, .kind = SV_EXTENT_DATA};

	if (holes && sv_dev_extent(part->file, off, max, &e, err) < 0)
		return -1;
	*ret = (struct sv_run){e.length, e.kind == SV_EXTENT_DATA ? SV_RUN_DATA : SV_RUN_HOLE,
		off, part->file};
	return 0;
}

int sv_prl_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	struct sv_prl_part *part = sv_prl_part_at(sv_prl_of(l), off);

	off -= part->start;
	max = SV_MIN(max, part->length - off);
	if (part->hds)
		return sv_hds_map(part->hds, off, max, holes, ret, err);
	return map_plain(part, off, max, holes, ret, err);
}

int sv_prl_write(struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const uint8_t *bytes = buf;

	while (n) {
		struct sv_prl_part *part = sv_prl_part_at(sv_prl_of(l), off);
		uint64_t in = off - part->start;
		size_t run = (size_t)SV_MIN(n, part->length - in);

		part->dirty = true;
		if ((part->hds ? sv_hds_write(part->hds, bytes, run, in, err)
			       : sv_dev_write(part->file, bytes, run, in, err)) < 0)
			return -1;
		bytes += run;
		off += run;
		n -= run;
	}
	return 0;
}

int sv_prl_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	while (len) {
		struct sv_prl_part *part = sv_prl_part_at(sv_prl_of(l), off);
		uint64_t in = off - part->start, run = SV_MIN(len, part->length - in);

		part->dirty = true;
		if ((part->hds ? sv_hds_discard(part->hds, in, run, err)
			       : sv_dev_discard(part->file, in, run, err)) < 0)
			return -1;
		off += run;
		len -= run;
	}
	return 0;
}

int sv_prl_flush(struct sv_link *l, struct sv_err *err)
{
	struct sv_prl *p = sv_prl_of(l);

	for (size_t i = 0; i < p->n_parts; i++) {
		struct sv_prl_part *part = &p->parts[i];

		if (!part->dirty)
			continue;
		if ((part->hds ? sv_hds_flush(part->hds, err) : sv_dev_flush(part->file, err)) <
			0)
			return -1;
		part->dirty = false;
	}
	return 0;
}
