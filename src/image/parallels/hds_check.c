/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking an expanding image file: every entry of the BAT names a place in the file where a
 * cluster can begin and where no other one is; the header makes sense; an extension that
 * readers believe is sound. Clusters of the file that nothing names are leaks, unless they were
 * punched: the host stores nothing of them, or of odd ones only the pages at their ends.
 */
#include "image/parallels/ext.h"
#include "image/parallels/hds.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct sv_prl_disk_header, field)
#define PAGE      UINT64_C(4096)

struct look {
	struct sv_hds *h;
	struct sv_image_faults *faults;
};

__attribute__((format(printf, 3, 4))) static void report(
	const struct look *k, uint64_t at, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	k->faults->errors++;
	if (!k->faults->report)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->faults->report(k->faults->user, false, sv_dev_name(k->h->file), at, text);
}

static void check_header(const struct look *k)
{
	const struct sv_prl_header *h = &k->h->h;

	if (h->data_wrong)
		report(k, AT(data_at),
			"clusters are said to begin at byte %llu, the BAT ends at "
			"%llu and clusters have %llu bytes",
			(unsigned long long)h->data_at,
			(unsigned long long)sv_prl_entry_at(h->n_bat),
			(unsigned long long)h->cluster);
	if ((h->flags & SV_PRL_EMPTY) && sv_hds_stored(k->h))
		report(k, AT(flags), "the image is said to be empty, and has clusters");
}

static int check_entry(const struct look *k, uint64_t i, struct sv_err *err)
{
	struct sv_hds *h = k->h;
	uint64_t at = sv_hds_cluster_at(h, i), place;

	if (!at)
		return 0;
	if (at < sv_prl_entry_at(h->h.n_bat) ||
		!sv_in_range(at, sv_hds_cluster_len(h, i), sv_dev_size(h->file))) {
		report(k, sv_prl_entry_at(i),
			"cluster %llu is at byte %llu, the file has clusters from %llu to %llu",
			(unsigned long long)i, (unsigned long long)at,
			(unsigned long long)h->h.data_at,
			(unsigned long long)sv_dev_size(h->file));
		return 0;
	}
	if (!sv_hds_place_of(&h->h, at, &place)) {
		report(k, sv_prl_entry_at(i),
			"cluster %llu is at byte %llu, where no cluster can begin",
			(unsigned long long)i, (unsigned long long)at);
		return 0;
	}
	if (!sv_prl_space_is_taken(&h->space, place))
		return sv_prl_space_take(&h->space, place, err);
	report(k, sv_prl_entry_at(i),
		"cluster %llu is at byte %llu, and another cluster is too",
		(unsigned long long)i, (unsigned long long)at);
	return 0;
}

/* ---- leaks ---- */

/* Is it more than the ends of pages that a neighbour lies in? */
static int is_leak(const struct look *k, uint64_t at, bool *ret, struct sv_err *err)
{
	uint64_t n = k->h->h.cluster, now;
	uint8_t buf[PAGE];

	*ret = at % PAGE == 0 && n % PAGE == 0;
	for (uint64_t done = 0; done < n && !*ret; done += now) {
		now = SV_MIN(n - done, PAGE);
		if (sv_dev_read(k->h->file, buf, (size_t)now, at + done, err) < 0)
			return -1;
		*ret = !sv_is_zero(buf, (size_t)now);
	}
	return 0;
}

static void report_leak(const struct look *k, uint64_t at)
{
	k->faults->leaks++;
	if (k->faults->report)
		k->faults->report(k->faults->user, true, sv_dev_name(k->h->file), at,
			"nothing points to the cluster that begins here");
}

static int check_place(const struct look *k, uint64_t place, struct sv_err *err)
{
	const struct sv_hds *h = k->h;
	uint64_t at = sv_hds_place_at(&h->h, place);
	bool leak;

	if (!sv_in_range(at, h->h.cluster, sv_dev_size(h->file)) ||
		sv_prl_space_is_taken(&h->space, place))
		return 0;
	if (is_leak(k, at, &leak, err) < 0)
		return -1;
	if (leak)
		report_leak(k, at);
	return 0;
}

/* By what the host stores: a file can be said to be as large as you like. */
static int check_leaks(const struct look *k, struct sv_job *job, struct sv_err *err)
{
	const struct sv_hds *h = k->h;
	uint64_t size = sv_dev_size(h->file), first = sv_hds_place_at(&h->h, 0), next;
	struct sv_extent e;

	for (uint64_t off = h->h.data_at; off < size; off = next) {
		uint64_t place = (off - first) / h->h.cluster;

		if (sv_job_check(job, err) < 0 ||
			sv_dev_extent(h->file, off, size - off, &e, err) < 0)
			return -1;
		next = off + e.length;
		if (e.kind != SV_EXTENT_DATA)
			continue;
		if (check_place(k, place, err) < 0)
			return -1;
		next = sv_hds_place_at(&h->h, place + 1);
	}
	return 0;
}

static int check_all(const struct look *k, struct sv_job *job, struct sv_err *err)
{
	check_header(k);
	for (uint64_t i = 0; i < k->h->h.n_used; i++) {
		if (i % 65536 == 0 && sv_job_check(job, err) < 0)
			return -1;
		if (check_entry(k, i, err) < 0)
			return -1;
	}
	sv_prl_ext_check(k->h, k->faults);
	return k->h->h.data_wrong ? 0 : check_leaks(k, job, err);
}

int sv_hds_check(struct sv_dev *file, struct sv_image_faults *faults, struct sv_job *job,
	struct sv_err *err)
{
	struct look k = {.faults = faults};
	int rc;

	if (sv_hds_load(file, &k.h, err) < 0)
		return -1;
	rc = check_all(&k, job, err);
	sv_hds_close(k.h);
	return rc;
}
