/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Strings: a growable buffer, paths, UTF-16 to UTF-8, sizes: what several rooms need and libc
 * lacks.
 */
#ifndef SV_BASE_STR_H
#define SV_BASE_STR_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Growable, always NUL-terminated once anything was added. Appending never fails visibly:
 * the first failed allocation sets `failed`, and sv_str_take() then returns NULL, so that a
 * printer checks once, at the end.
 */
struct sv_str {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

void sv_str_add(struct sv_str *s, const char *text);
void sv_str_addn(struct sv_str *s, const void *bytes, size_t n);
__attribute__((format(printf, 2, 3))) void sv_str_addf(struct sv_str *s, const char *fmt, ...);
/* Hands the text over (caller frees) and empties `s`; NULL when any append failed. An empty
 * buffer gives "". */
char *sv_str_take(struct sv_str *s);
void sv_str_free(struct sv_str *s);
#define sv_autostr SV_CLEANUP(sv_str_free)

/* malloc'ed printf; NULL when out of memory. */
__attribute__((format(printf, 1, 2))) char *sv_format(const char *fmt, ...);

/* "dir/name", or a copy of name where it is absolute or dir is "" or NULL. Caller frees. */
char *sv_path_join(const char *dir, const char *name);
/* The folder of a path ("." where it has none) and the last component. Caller frees. */
char *sv_path_dir(const char *path);
const char *sv_path_base(const char *path); /* points into path */
/* `to` as seen from folder `dir`: "../disks/a". Both are canonical. Caller frees. */
char *sv_path_relative(const char *dir, const char *to);
bool sv_path_is_below(
	const char *path, const char *dir); /* both canonical; deeper, not equal */
bool sv_path_is_absolute(const char *path); /* also "C:\…" and "\\server\…" */

bool sv_starts_with(const char *s, const char *prefix);
bool sv_ends_with(const char *s, const char *suffix);
bool sv_ends_with_nocase(const char *s, const char *suffix);
/* Copies `s` without white space at both ends. Caller frees. */
char *sv_trimmed(const char *s, size_t n);

/*
 * UTF-16LE (n code units at `units`, any alignment) to UTF-8. Unpaired surrogates become
 * U+FFFD; *ret_lossy (may be NULL) tells that one did. Caller frees; NULL when out of memory.
 */
char *sv_utf16_to_utf8(const void *units, size_t n, bool *ret_lossy);
/*
 * UTF-8 to UTF-16LE without a terminator; *ret_n counts code units. Bytes that are no UTF-8
 * become U+FFFD. Caller frees; NULL when out of memory.
 */
void *sv_utf8_to_utf16(const char *s, size_t *ret_n);
/* Is it valid UTF-8 (no overlong forms, no surrogates)? */
bool sv_utf8_valid(const char *s, size_t n);

/*
 * Sizes. sv_size_parse reads "60G", "1.5T", "8192M", "512", "1GiB" (IEC: K is 1024) into bytes,
 * refusing signs, junk and overflow (SV_USAGE). sv_size_format prints the same unit style:
 * "60G", "1.5T", "512B"; the fraction is cut, never rounded up.
 */
#define SV_SIZE_TEXT 16
int sv_size_parse(const char *text, uint64_t *ret_bytes, struct sv_err *err);
const char *sv_size_format(uint64_t bytes, char buf[SV_SIZE_TEXT]);

/* Copies src for a terminal: controls, escapes and invalid UTF-8 become \xHH. Caller frees. */
char *sv_printable(const char *s);

#endif
