/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of sentences: see sentences.h. */
#include "cli/sentences.h"

#define INDENT 2

static void put(
	struct sv_out *o, enum sv_style style, const char *mark, char *const *item, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sv_out_spaces(o, INDENT);
		sv_out_in(o, style, "%s", mark);
		sv_out_f(o, " ");
		sv_out_wrap(o, INDENT + 2, INDENT + 2, item[i]);
	}
}

void sv_put_good(struct sv_out *o, char *const *item, size_t n)
{
	put(o, SV_STYLE_GOOD, o->utf8 ? "✓" : "+", item, n);
}

void sv_put_bad(struct sv_out *o, char *const *item, size_t n)
{
	put(o, SV_STYLE_BAD, o->utf8 ? "✗" : "!", item, n);
}

void sv_put_todo(struct sv_out *o, char *const *item, size_t n)
{
	put(o, SV_STYLE_BOLD, "-", item, n);
}

void sv_put_json_list(struct sv_json *j, const char *key, char *const *item, size_t n)
{
	sv_json_key(j, key);
	sv_json_array(j);
	for (size_t i = 0; i < n; i++)
		sv_json_string(j, item[i]);
	sv_json_end_array(j);
}
