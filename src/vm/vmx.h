/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VMware's dictionary text: .vmx, .vmsd and their like. One `name = "value"` a line, `#` begins
 * a comment, `|XX` in a value is the byte with that hex code; names compare without case and
 * the last of several equal names counts. The format is the one of open-vm-tools' lib/dict
 * (comment above DictLL_UnmarshalLine).
 *
 * What is not understood is kept: printing a dictionary that was not changed gives the bytes
 * that were parsed. Values are bytes in the file's own encoding (`.encoding`); the _text calls
 * convert from and to UTF-8. One thread at a time.
 */
#ifndef SV_VM_VMX_H
#define SV_VM_VMX_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SV_VMX_SIZE_MAX  (1024 * 1024) /* real files have 2 to 40 KiB */
#define SV_VMX_LINES_MAX 65536         /* real files have 50 to 500 */

struct sv_vmx;

/* SV_CORRUPT: beyond a cap, or a NUL byte (with its offset). */
int sv_vmx_parse(const void *bytes, size_t n, struct sv_vmx **ret, struct sv_err *err);
void sv_vmx_free(struct sv_vmx *vmx); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_vmx, sv_vmx_free)

/* A second dictionary with the same lines; NULL on SV_NOMEM. */
struct sv_vmx *sv_vmx_copy(const struct sv_vmx *vmx, struct sv_err *err);

/* The unescaped value, in the file's encoding; NULL where the name is absent. Borrowed until
 * the dictionary is changed. */
const char *sv_vmx_get(const struct sv_vmx *vmx, const char *name);
/* The same for the name that printf makes ("scsi0:1.present"). */
__attribute__((format(printf, 2, 3))) const char *sv_vmx_getf(
	const struct sv_vmx *vmx, const char *fmt, ...);
/* Is the value there and not empty? */
bool sv_vmx_has(const struct sv_vmx *vmx, const char *name);
/* TRUE, YES, ON, T, Y or 1 in any case. Absent is false. */
bool sv_vmx_is_true(const struct sv_vmx *vmx, const char *name);

/* Walks the names that count, sorted without case: begin with *pos 0; false at the end. The
 * dictionary must not get new names meanwhile; removing is allowed. */
bool sv_vmx_next(
	const struct sv_vmx *vmx, size_t *pos, const char **ret_name, const char **ret_value);

/* Replaces the value (all duplicates of the name go), or adds a line at the end. */
int sv_vmx_set(struct sv_vmx *vmx, const char *name, const char *value, struct sv_err *err);
void sv_vmx_remove(struct sv_vmx *vmx, const char *name);

/* Texts are converted by this host: where its readers are shut off, somebody else must open the
 * tables of an encoding. Without it they are converted here. */
struct sv_host;
void sv_vmx_use_host(struct sv_vmx *vmx, struct sv_host *host);

/* In UTF-8. Where the encoding is unknown or the bytes do not fit it, the bytes as they are.
 * NULL where the name is absent or memory is gone. Caller frees. */
char *sv_vmx_get_text(const struct sv_vmx *vmx, const char *name);
/* SV_UNSUPPORTED where the file's encoding cannot express the text. */
int sv_vmx_set_text(struct sv_vmx *vmx, const char *name, const char *text, struct sv_err *err);

/* NUL-terminated; *ret_n (may be NULL) does not count the NUL. NULL on SV_NOMEM. */
char *sv_vmx_print(const struct sv_vmx *vmx, size_t *ret_n, struct sv_err *err);

#endif
