/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registry values as text: see reg.h. */
#include "cli/reg.h"

#include "base/endian.h"
#include "base/num.h"

#include <inttypes.h>

const char *sv_reg_type_text(uint32_t type, char buf[SV_REG_TYPE_TEXT])
{
	const char *name = sv_hive_type_name(type);

	if (!name)
		snprintf(buf, SV_REG_TYPE_TEXT, "0x%08" PRIx32, type);
	return name ? name : buf;
}

static size_t units_before_nul(const uint8_t *data, size_t n)
{
	size_t units = 0;

	while (2 * units + 1 < n && sv_load_le16(data + 2 * units))
		units++;
	return units;
}

bool sv_reg_is_text(uint32_t type, const void *data, size_t n, size_t *ret_units)
{
	size_t units;

	if (type != SV_REG_SZ && type != SV_REG_EXPAND_SZ && type != SV_REG_LINK)
		return false;
	units = units_before_nul(data, n);
	*ret_units = units;
	return n % 2 == 0 && n / 2 - units <= 1;
}

static void add_units(struct sv_str *out, const uint8_t *data, size_t units)
{
	sv_autofree char *text = sv_utf16_to_utf8(data, units, NULL);

	if (text)
		sv_str_add(out, text);
	else
		out->failed = true;
}

static void add_hex(struct sv_str *out, const uint8_t *data, size_t n, size_t most)
{
	size_t shown = most ? SV_MIN(n, most) : n;

	for (size_t i = 0; i < shown; i++)
		sv_str_addf(out, "%s%02x", i ? " " : "", data[i]);
	if (shown < n)
		sv_str_addf(out, " ... (%zu bytes)", n);
}

static int add_string(void *user, const char *text)
{
	struct sv_str *out = user;

	sv_str_add(out, out->len ? " | " : "");
	sv_str_add(out, text);
	return 0;
}

int sv_reg_each_string(const void *data, size_t n, int (*fn)(void *user, const char *text),
	void *user, struct sv_err *err)
{
	const uint8_t *at = data;

	while (n > 1) {
		size_t units = units_before_nul(at, n), step = SV_MIN(2 * units + 2, n);
		sv_autofree char *text = NULL;
		int rc;

		if (!units && n - step < 2)
			return 0; /* the end of the list */
		text = sv_utf16_to_utf8(at, units, NULL);
		if (!text)
			return sv_fail_nomem(err);
		rc = fn(user, text);
		if (rc)
			return rc;
		at += step;
		n -= step;
	}
	return 0;
}

static void add_strings(struct sv_str *out, const uint8_t *data, size_t n)
{
	sv_autostr struct sv_str list = {0};

	if (sv_reg_each_string(data, n, add_string, &list, NULL) < 0 || list.failed)
		out->failed = true;
	else
		sv_str_add(out, list.data ? list.data : "");
}

void sv_reg_data_text(
	struct sv_str *out, uint32_t type, const void *data, size_t n, size_t most)
{
	if (type == SV_REG_SZ || type == SV_REG_EXPAND_SZ || type == SV_REG_LINK)
		add_units(out, data, type == SV_REG_LINK ? n / 2 : units_before_nul(data, n));
	else if (type == SV_REG_MULTI_SZ)
		add_strings(out, data, n);
	else if (type == SV_REG_DWORD && n == 4)
		sv_str_addf(out, "0x%" PRIx32 " (%" PRIu32 ")", sv_load_le32(data),
			sv_load_le32(data));
	else if (type == SV_REG_DWORD_BE && n == 4)
		sv_str_addf(out, "0x%" PRIx32 " (%" PRIu32 ")", sv_load_be32(data),
			sv_load_be32(data));
	else if (type == SV_REG_QWORD && n == 8)
		sv_str_addf(out, "0x%" PRIx64 " (%" PRIu64 ")", sv_load_le64(data),
			sv_load_le64(data));
	else
		add_hex(out, data, n, most);
}
