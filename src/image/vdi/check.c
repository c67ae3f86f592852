/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking a VDI: every entry of the map names a place in the file that no other entry names,
 * and the header counts as many blocks as are in use. Places that nothing names are leaks.
 */
#include "image/vdi/vdi.h"

#include <stdio.h>
#include <string.h>

struct look {
	const char *path;
	struct sv_vdi *v;
	struct sv_image_faults *faults;
	uint8_t *seen; /* a bit per place */
};

__attribute__((format(printf, 4, 5))) static void report(
	const struct look *k, bool leak, uint64_t at, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (leak)
		k->faults->leaks++;
	else
		k->faults->errors++;
	if (!k->faults->report)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->faults->report(k->faults->user, leak, k->path, at, text);
}

static bool is_seen(const struct look *k, uint64_t place)
{
	return k->seen[place / 8] >> (place % 8) & 1;
}

static void check_entry(struct look *k, uint64_t i)
{
	struct sv_vdi *v = k->v;
	uint64_t at = v->header.map_at + i * 4, block = v->header.block_size;
	uint64_t n = SV_MIN(block, v->header.size - i * block);
	uint32_t place = v->map[i];

	if (!sv_vdi_is_place(place))
		return;
	if (place >= SV_VDI_BLOCKS_MAX ||
		!sv_in_range(sv_vdi_place_at(v, place), n, sv_dev_size(v->file))) {
		report(k, false, at, "block %llu is at place %u, outside the file",
			(unsigned long long)i, place);
		return;
	}
	if (is_seen(k, place))
		report(k, false, at, "block %llu is at place %u, and another block is too",
			(unsigned long long)i, place);
	k->seen[place / 8] |= (uint8_t)(1 << place % 8);
}

/* Places below `end` that no entry names, those that follow each other as one. */
static void report_lost(const struct look *k, uint64_t end)
{
	for (uint64_t first = 0, i; first < end; first = i + 1) {
		for (i = first; i < end && !is_seen(k, i); i++)
			;
		if (i > first)
			report(k, true, sv_vdi_place_at(k->v, first),
				"nothing points to %llu blocks from place %llu on",
				(unsigned long long)(i - first), (unsigned long long)first);
	}
}

static void check_count(struct look *k)
{
	const uint64_t at = offsetof(struct sv_vdi_disk_header, n_allocated);
	struct sv_vdi *v = k->v;
	uint64_t size = sv_dev_size(v->file), places = 0;

	if (size > v->header.data_at)
		places = sv_div_up(size - v->header.data_at, v->header.block_size);
	if (v->count < v->next)
		report(k, false, at,
			"the header counts %u blocks, the last in use is number %u", v->count,
			v->next);
	/* the order of writes allows it: the next change puts it right */
	if (v->count > places)
		report(k, true, at, "the header counts %u blocks, the file has room for %llu",
			v->count, (unsigned long long)places);
	places = SV_MIN(places, (uint64_t)v->count);
	report_lost(k, SV_MIN(places, SV_VDI_BLOCKS_MAX));
}

static int check_map(struct look *k, struct sv_job *job, struct sv_err *err)
{
	k->seen = calloc(SV_VDI_BLOCKS_MAX / 8, 1);
	if (!k->seen)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < k->v->header.n_blocks; i++) {
		if (i % 65536 == 0 && sv_job_check(job, err) < 0)
			return -1;
		check_entry(k, i);
	}
	return 0;
}

static void keep_first(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct sv_err *first = user;

	if (!leak && first->code == SV_OK)
		sv_fail_at(first, SV_CORRUPT, path, offset, "%s", message);
}

int sv_vdi_refuse_faults(struct sv_vdi *v, struct sv_err *err)
{
	struct sv_err first = SV_ERR_INIT;
	struct sv_image_faults faults = {.report = keep_first, .user = &first};
	struct look k = {.path = sv_dev_name(v->file), .v = v, .faults = &faults};
	int rc = check_map(&k, NULL, err);

	free(k.seen);
	if (rc < 0 || first.code == SV_OK)
		return rc;
	sv_err_copy(err, &first);
	return sv_hint(err, "it can be read, not written; `sharevm image check` tells more");
}

int sv_vdi_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct look k = {.path = path, .faults = faults};
	int rc;

	(void)env;
	if (sv_vdi_load(file, false, &k.v, err) < 0)
		return -1;
	rc = check_map(&k, job, err);
	if (!rc)
		check_count(&k);
	free(k.seen);
	sv_vdi_close(&k.v->link);
	return rc;
}
