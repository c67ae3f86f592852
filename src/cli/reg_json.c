/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `reg --json`: {"key":{"path","last_written","values":[…],"subkeys":[…]}}, and with -R
 * {"keys":[…]} of such objects. Data: strings as strings, lists of them as arrays, numbers as
 * numbers, everything else as hexadecimal digits.
 */
#include "cli/listing.h"
#include "cli/reg.h"

#include "base/endian.h"

#include <stdlib.h>

static void json_begin(struct sv_reg *r)
{
	sv_doc_begin(r->cli, &r->json, "reg");
	if (r->recursive) {
		sv_json_key(&r->json, "keys");
		sv_json_array(&r->json);
	}
}

static int json_key(struct sv_reg *r, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct sv_fs_time written = {v->info.written.sec, v->info.written.nsec};
	sv_autofree char *class_name = sv_hive_key_class(r->hive, v->key, NULL);
	char when[SV_TIME_TEXT];

	if (!r->recursive)
		sv_json_key(&r->json, "key");
	sv_json_object(&r->json);
	sv_json_kstring(&r->json, "path", r->path.data);
	sv_json_kstring(&r->json, "last_written", sv_time_utc(written, when));
	if (class_name && *class_name)
		sv_json_kstring(&r->json, "class", class_name);
	if (r->security) {
		sv_autofree char *sddl = sv_hive_key_security(r->hive, v->key, err);

		if (!sddl)
			return -1;
		sv_json_kstring(&r->json, "security", sddl);
	}
	sv_json_key(&r->json, "values");
	sv_json_array(&r->json);
	return 0;
}

static int put_string(void *user, const char *text)
{
	sv_json_string(user, text);
	return 0;
}

static int put_hex(struct sv_json *j, const uint8_t *data, size_t n, struct sv_err *err)
{
	sv_autostr struct sv_str text = {0};

	for (size_t i = 0; i < n; i++)
		sv_str_addf(&text, "%02x", data[i]);
	if (text.failed)
		return sv_fail_nomem(err);
	sv_json_string(j, text.data ? text.data : "");
	return 0;
}

static int put_strings(struct sv_json *j, const void *data, size_t n, struct sv_err *err)
{
	int rc;

	sv_json_array(j);
	rc = sv_reg_each_string(data, n, put_string, j, err);
	sv_json_end_array(j);
	return rc;
}

static int put_data(
	struct sv_json *j, uint32_t type, const void *data, size_t n, struct sv_err *err)
{
	sv_autostr struct sv_str text = {0};
	size_t units;

	if (sv_reg_is_text(type, data, n, &units) || type == SV_REG_SZ ||
		type == SV_REG_EXPAND_SZ || type == SV_REG_LINK) {
		sv_reg_data_text(&text, type, data, n, 0);
		sv_json_string(j, text.data ? text.data : "");
		return text.failed ? sv_fail_nomem(err) : 0;
	}
	if (type == SV_REG_MULTI_SZ)
		return put_strings(j, data, n, err);
	if (type == SV_REG_DWORD && n == 4)
		sv_json_u64(j, sv_load_le32(data));
	else if (type == SV_REG_DWORD_BE && n == 4)
		sv_json_u64(j, sv_load_be32(data));
	else if (type == SV_REG_QWORD && n == 8)
		sv_json_u64(j, sv_load_le64(data));
	else
		return put_hex(j, data, n, err);
	return 0;
}

static int json_value(struct sv_reg *r, const char *name, uint32_t type, const void *data,
	size_t n, struct sv_err *err)
{
	char type_text[SV_REG_TYPE_TEXT];
	int rc;

	sv_json_object(&r->json);
	sv_json_kstring(&r->json, "name", name);
	sv_json_kstring(&r->json, "type", sv_reg_type_text(type, type_text));
	sv_json_key(&r->json, "data");
	rc = put_data(&r->json, type, data, n, err);
	sv_json_end_object(&r->json);
	return rc;
}

/* The first one ends the values. */
static void begin_subkeys(struct sv_reg *r)
{
	sv_json_end_array(&r->json);
	sv_json_key(&r->json, "subkeys");
	sv_json_array(&r->json);
}

static int json_subkey(struct sv_reg *r, const char *name, struct sv_err *err)
{
	(void)err;
	if (!r->subkeys)
		begin_subkeys(r);
	sv_json_string(&r->json, name);
	return 0;
}

static void json_done(struct sv_reg *r)
{
	if (!r->subkeys || r->only)
		begin_subkeys(r);
	sv_json_end_array(&r->json);
	sv_json_end_object(&r->json);
}

static void json_end(struct sv_reg *r)
{
	if (r->recursive)
		sv_json_end_array(&r->json);
	sv_doc_end(r->cli, &r->json);
}

const struct sv_reg_format sv_reg_json = {
	.begin = json_begin,
	.key = json_key,
	.value = json_value,
	.subkey = json_subkey,
	.done = json_done,
	.end = json_end,
};
