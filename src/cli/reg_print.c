/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `reg` for people, and as lines with tabs for scripts. */
#include "cli/listing.h"
#include "cli/reg.h"

#include "base/num.h"

#include <string.h>

enum { INDENT = 4, NAME_WIDTH = 24, TYPE_WIDTH = 13, HEX_SHOWN = 24 };

static void nothing(struct sv_reg *r)
{
	(void)r;
}

static const char *name_for_people(const char *name)
{
	return *name ? name : "(default)";
}

/* ---- a page ---- */

/* A short text after another, with a gap between, so that most columns line up. */
static void put_padded(struct sv_out *o, const char *text, size_t width)
{
	size_t taken = sv_text_width(text);

	sv_out_f(o, "%s", text);
	sv_out_spaces(o, taken < width ? width - taken + 2 : 2);
}

static int put_about(struct sv_reg *r, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct sv_fs_time written = {v->info.written.sec, v->info.written.nsec};
	struct sv_out *o = &r->cli->out;
	sv_autofree char *class_name = sv_hive_key_class(r->hive, v->key, NULL);
	char when[SV_TIME_TEXT];

	if (r->recursive && !r->security)
		return 0;
	sv_out_spaces(o, INDENT / 2);
	sv_out_in(o, SV_STYLE_DIM, "last written %s", sv_time_local(written, when));
	sv_out_nl(o);
	if (class_name && *class_name) {
		sv_out_spaces(o, INDENT / 2);
		sv_out_in(o, SV_STYLE_DIM, "class %s", class_name);
		sv_out_nl(o);
	}
	if (r->security) {
		sv_autofree char *sddl = sv_hive_key_security(r->hive, v->key, err);

		if (!sddl)
			return -1;
		sv_out_spaces(o, INDENT / 2);
		sv_out_in(o, SV_STYLE_DIM, "rights %s", sddl);
		sv_out_nl(o);
	}
	return 0;
}

static int page_key(struct sv_reg *r, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct sv_out *o = &r->cli->out;

	if (r->keys > 1)
		sv_out_nl(o);
	sv_out_in(o, SV_STYLE_NAME, "%s", r->path.data);
	sv_out_nl(o);
	return r->only ? 0 : put_about(r, v, err);
}

static int page_value(struct sv_reg *r, const char *name, uint32_t type, const void *data,
	size_t n, struct sv_err *err)
{
	struct sv_out *o = &r->cli->out;
	sv_autostr struct sv_str text = {0};
	char type_text[SV_REG_TYPE_TEXT];
	bool cut = o->terminal && !r->only;

	sv_reg_data_text(&text, type, data, n, cut ? HEX_SHOWN : 0);
	if (text.failed)
		return sv_fail_nomem(err);
	sv_out_spaces(o, INDENT);
	put_padded(o, name_for_people(name), NAME_WIDTH);
	put_padded(o, sv_reg_type_text(type, type_text), TYPE_WIDTH);
	sv_out_line(o, "%s", text.data ? text.data : "");
	return 0;
}

static int page_subkey(struct sv_reg *r, const char *name, struct sv_err *err)
{
	struct sv_out *o = &r->cli->out;

	(void)err;
	if (r->recursive)
		return 0;
	sv_out_spaces(o, INDENT);
	sv_out_in(o, SV_STYLE_NAME, "%s\\", name);
	sv_out_nl(o);
	return 0;
}

const struct sv_reg_format sv_reg_page = {
	.begin = nothing,
	.key = page_key,
	.value = page_value,
	.subkey = page_subkey,
	.done = nothing,
	.end = nothing,
};

/* ---- lines with tabs ---- */

static int plain_key(struct sv_reg *r, const struct sv_hive_visit *v, struct sv_err *err)
{
	(void)v, (void)err;
	if (r->recursive)
		sv_out_line(&r->cli->out, "%s", r->path.data);
	return 0;
}

static int plain_value(struct sv_reg *r, const char *name, uint32_t type, const void *data,
	size_t n, struct sv_err *err)
{
	struct sv_out *o = &r->cli->out;
	sv_autostr struct sv_str text = {0};
	char type_text[SV_REG_TYPE_TEXT];

	sv_reg_data_text(&text, type, data, n, 0);
	if (text.failed)
		return sv_fail_nomem(err);
	sv_out_f(o, "%s", r->path.data);
	sv_out_bytes(o, "\t", 1);
	sv_out_f(o, "%s", name);
	sv_out_bytes(o, "\t", 1);
	sv_out_f(o, "%s", sv_reg_type_text(type, type_text));
	sv_out_bytes(o, "\t", 1);
	sv_out_line(o, "%s", text.data ? text.data : "");
	return 0;
}

static int plain_subkey(struct sv_reg *r, const char *name, struct sv_err *err)
{
	(void)err;
	if (!r->recursive)
		sv_out_line(&r->cli->out, "%s\\%s", r->path.data, name);
	return 0;
}

const struct sv_reg_format sv_reg_plain = {
	.begin = nothing,
	.key = plain_key,
	.value = plain_value,
	.subkey = plain_subkey,
	.done = nothing,
	.end = nothing,
};
