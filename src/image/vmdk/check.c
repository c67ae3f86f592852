/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checks one link of a VMDK: the descriptor, each extent against it, and (vmdk_check_sparse.c)
 * the tables of sparse extents. What makes an image impossible to open is a fault like any
 * other here: it is reported, and the check goes on with the next extent.
 */
#include "image/vmdk/check.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

static void report(struct sv_image_faults *f, bool leak, const char *path, uint64_t offset,
	const char *message)
{
	if (f->report)
		f->report(f->user, leak, path, offset, message);
}

void sv_vmdk_fault(
	struct sv_image_faults *f, const char *path, uint64_t offset, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f->errors++;
	report(f, false, path, offset, text);
}

void sv_vmdk_leak(struct sv_image_faults *f, const char *path, uint64_t offset, uint64_t bytes,
	uint64_t grain_bytes)
{
	char text[128];

	snprintf(text, sizeof text, "nothing points to %llu bytes", (unsigned long long)bytes);
	f->leaks += sv_div_up(bytes, grain_bytes);
	report(f, true, path, offset, text);
}

/* A fault of the image becomes a report; anything else stays an error. */
static int take_error(
	struct sv_image_faults *f, const char *path, const struct sv_err *e, struct sv_err *err)
{
	if (e->code != SV_CORRUPT && e->code != SV_NOTFOUND) {
		sv_err_copy(err, e);
		return sv_err_path(err, path);
	}
	sv_vmdk_fault(
		f, *e->path ? e->path : path, e->has_offset ? e->offset : 0, "%s", e->message);
	return 0;
}

static int check_part(const struct sv_link_env *env, struct sv_vmdk *v, const char *path,
	size_t i, struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct sv_vmdk_part *p = &v->parts[i];
	struct sv_err own = SV_ERR_INIT;
	int rc = 0;

	if (sv_vmdk_open_part(env, v, path, i, &own) < 0)
		return take_error(faults, path, &own, err);
	if (p->sparse) {
		if (p->sparse->h.capacity != p->length / SV_SECTOR)
			sv_vmdk_fault(faults, p->path, 12,
				"the header says %llu sectors, the descriptor %llu",
				(unsigned long long)p->sparse->h.capacity,
				(unsigned long long)(p->length / SV_SECTOR));
		rc = sv_vmdk_check_sparse(p->sparse, p->path, faults, job, err);
	}
	if (p->sesparse)
		rc = sv_vmdk_check_sesparse(p->sesparse, p->path, faults, job, err);
	sv_vmdk_close_part(p); /* one open extent at a time */
	return rc;
}

static int check_parts(const struct sv_link_env *env, struct sv_vmdk *v, const char *path,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	v->parts = calloc(v->desc.n_extents, sizeof *v->parts);
	if (!v->parts)
		return sv_fail_nomem(err);
	v->n_parts = v->desc.n_extents;
	for (size_t i = 0; i < v->n_parts; i++) {
		if (check_part(env, v, path, i, faults, job, err) < 0)
			return -1;
	}
	return 0;
}

int sv_vmdk_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct sv_err own = SV_ERR_INIT;
	struct sv_vmdk *v;
	int rc;

	if (sv_vmdk_load(path, file, false, &v, &own) < 0)
		return take_error(faults, path, &own, err);
	rc = sv_vmdk_check_type(&v->desc, err);
	if (rc < 0)
		sv_err_path(err, path);
	else
		rc = check_parts(env, v, path, faults, job, err);
	sv_link_close(&v->link);
	return rc;
}
