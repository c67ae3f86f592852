/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The check of a VMDK and its reports; shared by vmdk_check.c and vmdk_check_sparse.c. */
#ifndef SV_IMAGE_VMDK_CHECK_H
#define SV_IMAGE_VMDK_CHECK_H

#include "image/vmdk/vmdk.h"

/* Counts and reports an error, or space that nothing points to (counted in grains). */
__attribute__((format(printf, 4, 5))) void sv_vmdk_fault(
	struct sv_image_faults *f, const char *path, uint64_t offset, const char *fmt, ...);
void sv_vmdk_leak(struct sv_image_faults *f, const char *path, uint64_t offset, uint64_t bytes,
	uint64_t grain_bytes);

/*
 * Both directories, all tables, all grains: beyond the file, overlapping, copies that differ,
 * space that nothing points to. Memory: two bitmaps of CHECK_BITMAP bytes and the sectors of
 * the tables, whatever the image says.
 */
int sv_vmdk_check_sparse(struct sv_vmdk_sparse *s, const char *path,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);

/* The same of a seSparse extent; see check_sesparse.c. */
int sv_vmdk_check_sesparse(struct sv_vmdk_sesparse *s, const char *path,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);

#endif
