/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A streaming JSON writer: nothing is kept in memory but the nesting, so that a listing of a
 * million files prints in constant space. Output goes to a callback, or into an sv_str.
 * Parsing is done by jansson where it is needed.
 */
#ifndef SV_BASE_JSON_H
#define SV_BASE_JSON_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SV_JSON_DEPTH 32 /* deepest nesting that any document of ours has, times two */

struct sv_json {
	void (*write)(void *user, const char *text, size_t n);
	void *user;
	bool pretty; /* newline and two spaces per level; for people */
	/* private */
	unsigned depth;
	bool has_item[SV_JSON_DEPTH];
	bool after_key;
};

void sv_json_to_str(struct sv_json *j, struct sv_str *out); /* initialises j */

void sv_json_object(struct sv_json *j);
void sv_json_end_object(struct sv_json *j);
void sv_json_array(struct sv_json *j);
void sv_json_end_array(struct sv_json *j);
void sv_json_key(struct sv_json *j, const char *key);
/* Invalid UTF-8 is written as U+FFFD: the document is always valid. NULL writes null. */
void sv_json_string(struct sv_json *j, const char *s);
void sv_json_u64(struct sv_json *j, uint64_t n);
void sv_json_i64(struct sv_json *j, int64_t n);
void sv_json_real(struct sv_json *j, double x); /* three decimals */
void sv_json_bool(struct sv_json *j, bool b);
void sv_json_null(struct sv_json *j);
void sv_json_raw(struct sv_json *j, const char *value); /* a value that is JSON already */

/* key and value in one call */
void sv_json_kstring(struct sv_json *j, const char *key, const char *s);
void sv_json_ku64(struct sv_json *j, const char *key, uint64_t n);
void sv_json_kbool(struct sv_json *j, const char *key, bool b);

#endif
