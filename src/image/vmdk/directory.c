/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Grain directories in pages: see directory.h. */
#include "image/vmdk/directory.h"
#include "image/vmdk/header.h"

#include "base/endian.h"
#include "base/num.h"

#include <pthread.h>

struct sv_vmdk_directory_pages {
	pthread_mutex_t lock; /* held while a page is read */
	atomic_bool known[];
};

struct sv_vmdk_directory *sv_vmdk_directory_new(
	struct sv_dev *file, uint64_t sector, uint64_t n, unsigned shift, struct sv_err *err)
{
	size_t pages = (size_t)sv_div_up(n, SV_VMDK_DIRECTORY_PAGE);
	SV_CLEANUP(sv_vmdk_directory_freep)
	struct sv_vmdk_directory *d = calloc(1, sizeof *d);

	if (d) {
		d->file = file;
		d->at = sector * SV_SECTOR;
		d->n = n;
		d->shift = shift;
		d->entries = malloc((size_t)n * sizeof *d->entries);
		d->pages = calloc(1, sizeof *d->pages + pages * sizeof d->pages->known[0]);
	}
	if (d && d->pages)
		pthread_mutex_init(&d->pages->lock, NULL);
	if (!d || !d->entries || !d->pages) {
		sv_fail_nomem(err);
		return NULL;
	}
	return SV_STEAL(d);
}

void sv_vmdk_directory_free(struct sv_vmdk_directory *d)
{
	if (!d)
		return;
	if (d->pages)
		pthread_mutex_destroy(&d->pages->lock);
	free(d->pages);
	free(d->entries);
	free(d);
}

uint64_t sv_vmdk_directory_page_end(const struct sv_vmdk_directory *d, uint64_t i)
{
	return SV_MIN(d->n, (i / SV_VMDK_DIRECTORY_PAGE + 1) * SV_VMDK_DIRECTORY_PAGE);
}

uint64_t sv_vmdk_directory_at(const struct sv_vmdk_directory *d, uint64_t i)
{
	return d->at + (i >> d->shift) * sizeof *d->entries;
}

/* Makes each of n entries 1 << shift ones, the last first. */
static void spread(uint32_t *entries, size_t n, unsigned shift)
{
	for (size_t i = n; i-- > 0;) {
		uint64_t k = i & ((1U << shift) - 1);
		uint64_t sector = entries[i >> shift] + k * SV_VMDK_GT_SECTORS;

		entries[i] = entries[i >> shift] ? (uint32_t)SV_MIN(sector, UINT32_MAX) : 0;
	}
}

/* The lock is held. */
static int read_page(struct sv_vmdk_directory *d, uint64_t page, struct sv_err *err)
{
	uint64_t first = page * SV_VMDK_DIRECTORY_PAGE;
	size_t n = (size_t)(sv_vmdk_directory_page_end(d, first) - first);
	size_t stored = (size_t)sv_div_up(n, UINT64_C(1) << d->shift);
	uint32_t *entries = d->entries + first;

	if (sv_dev_read(d->file, entries, stored * sizeof *entries,
		    sv_vmdk_directory_at(d, first), err) < 0)
		return -1;
	for (size_t i = 0; i < stored; i++)
		entries[i] = sv_load_le32(&entries[i]);
	if (d->shift)
		spread(entries, n, d->shift);
	return 0;
}

int sv_vmdk_directory_need(struct sv_vmdk_directory *d, uint64_t i, struct sv_err *err)
{
	uint64_t page = i / SV_VMDK_DIRECTORY_PAGE;
	int rc = 0;

	if (atomic_load_explicit(&d->pages->known[page], memory_order_acquire))
		return 0;
	pthread_mutex_lock(&d->pages->lock);
	if (!atomic_load_explicit(&d->pages->known[page], memory_order_relaxed)) {
		rc = read_page(d, page, err);
		if (!rc)
			atomic_store_explicit(
				&d->pages->known[page], true, memory_order_release);
	}
	pthread_mutex_unlock(&d->pages->lock);
	return rc;
}

int sv_vmdk_directory_need_all(struct sv_vmdk_directory *d, struct sv_err *err)
{
	for (uint64_t i = 0; i < d->n; i += SV_VMDK_DIRECTORY_PAGE) {
		if (sv_vmdk_directory_need(d, i, err) < 0)
			return -1;
	}
	return 0;
}
