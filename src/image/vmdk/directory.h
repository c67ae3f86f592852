/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A grain directory, read a page at a time when an entry is first asked for: of the directory
 * of an 8 TB disk (1 MiB, in two copies) an extension needs a few KiB. The entries are what
 * the file says; whoever follows one checks it.
 */
#ifndef SV_IMAGE_VMDK_DIRECTORY_H
#define SV_IMAGE_VMDK_DIRECTORY_H

#include "io/dev.h"

#define SV_VMDK_DIRECTORY_PAGE                                                                 \
	1024 /* entries; 32 GiB of the guest's disk, as grains are made */

struct sv_vmdk_directory {
	uint32_t *entries; /* host order; right where sv_vmdk_directory_need() was called */
	uint64_t n;
	unsigned shift; /* 1 << shift entries are one in the file */
	/* the rest is directory.c's */
	struct sv_dev *file; /* borrowed */
	uint64_t at;
	struct sv_vmdk_directory_pages *pages;
};

/*
 * A directory of n entries at sector `sector`; the caller knows that it lies in the file. An
 * entry in the file stands for 1 << shift tables that follow each other: each of them has an
 * entry here.
 */
struct sv_vmdk_directory *sv_vmdk_directory_new(
	struct sv_dev *file, uint64_t sector, uint64_t n, unsigned shift, struct sv_err *err);
void sv_vmdk_directory_free(struct sv_vmdk_directory *d); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_vmdk_directory, sv_vmdk_directory_free)

/* Reads what is not read yet of the page of entry `i`; safe from several threads. */
int sv_vmdk_directory_need(struct sv_vmdk_directory *d, uint64_t i, struct sv_err *err);
int sv_vmdk_directory_need_all(struct sv_vmdk_directory *d, struct sv_err *err);
/* Where entry `i` stands in the file, bytes. */
uint64_t sv_vmdk_directory_at(const struct sv_vmdk_directory *d, uint64_t i);
/* The first entry behind the page of entry `i`. */
uint64_t sv_vmdk_directory_page_end(const struct sv_vmdk_directory *d, uint64_t i);

#endif
