/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors: see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
	[SV_OK] = "ok",
	[SV_IO] = "io",
	[SV_NOMEM] = "nomem",
	[SV_CORRUPT] = "corrupt",
	[SV_UNSUPPORTED] = "unsupported",
	[SV_USAGE] = "usage",
	[SV_NOTFOUND] = "notfound",
	[SV_EXISTS] = "exists",
	[SV_BUSY] = "busy",
	[SV_PERMISSION] = "permission",
	[SV_NOSPACE] = "nospace",
	[SV_CANCELLED] = "cancelled",
	[SV_INTERNAL] = "internal",
};

const char *sv_code_name(enum sv_code code)
{
	if ((unsigned)code >= sizeof code_names / sizeof *code_names)
		return "internal";
	return code_names[code];
}

static enum sv_code code_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		return SV_NOTFOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return SV_PERMISSION;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return SV_NOSPACE;
	case ENOMEM:
		return SV_NOMEM;
	case EEXIST:
	case ENOTEMPTY:
		return SV_EXISTS;
	case EBUSY:
	case ETXTBSY:
		return SV_BUSY;
	default:
		return SV_IO;
	}
}

/* Cuts a copy at the buffer's end; a path is kept from its end, where the name is. */
static void set_path(struct sv_err *err, const char *path)
{
	size_t n = path ? strlen(path) : 0;

	if (n >= sizeof err->path) {
		path += n - sizeof err->path + 4;
		snprintf(err->path, sizeof err->path, "...%s", path);
	} else {
		snprintf(err->path, sizeof err->path, "%s", path ? path : "");
	}
}

__attribute__((format(printf, 4, 0))) static void raise_error(
	struct sv_err *err, enum sv_code code, const char *path, const char *fmt, va_list ap)
{
	err->code = code;
	err->sys = 0;
	err->has_offset = false;
	err->offset = 0;
	err->hint[0] = 0;
	set_path(err, path);
	vsnprintf(err->message, sizeof err->message, fmt, ap);
}

int sv_fail(struct sv_err *err, enum sv_code code, const char *path, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	raise_error(err, code, path, fmt, ap);
	va_end(ap);
	return -1;
}

int sv_fail_at(struct sv_err *err, enum sv_code code, const char *path, uint64_t offset,
	const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	raise_error(err, code, path, fmt, ap);
	va_end(ap);
	err->has_offset = true;
	err->offset = offset;
	return -1;
}

int sv_fail_errno(struct sv_err *err, int sys, const char *path, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (!err)
		return -1;
	va_start(ap, fmt);
	raise_error(err, code_of_errno(sys), path, fmt, ap);
	va_end(ap);
	err->sys = sys;
	used = strlen(err->message);
	snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(sys));
	return -1;
}

int sv_fail_nomem(struct sv_err *err)
{
	return sv_fail(err, SV_NOMEM, NULL, "out of memory");
}

int sv_hint(struct sv_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof err->hint, fmt, ap);
	va_end(ap);
	return -1;
}

int sv_err_path(struct sv_err *err, const char *path)
{
	if (err && !err->path[0])
		set_path(err, path);
	return -1;
}

int sv_err_shift(struct sv_err *err, uint64_t delta)
{
	if (err && err->has_offset)
		err->offset += delta;
	return -1;
}

int sv_err_context(struct sv_err *err, const char *fmt, ...)
{
	char whole[sizeof err->message];
	va_list ap;
	size_t used;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(whole, sizeof whole, fmt, ap);
	va_end(ap);
	used = strlen(whole);
	snprintf(whole + used, sizeof whole - used, ": %s", err->message);
	memcpy(err->message, whole, sizeof err->message);
	return -1;
}

void sv_err_copy(struct sv_err *dst, const struct sv_err *src)
{
	if (dst && src && dst != src)
		*dst = *src;
}
