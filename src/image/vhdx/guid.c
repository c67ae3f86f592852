/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GUIDs as VHDX stores them: the first three groups little-endian, the others as they are. */
#include "image/vhdx/format.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

/* Which byte of the GUID each pair of digits is. */
static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

static bool dash_before(size_t pair)
{
	return pair == 4 || pair == 6 || pair == 8 || pair == 10;
}

void sv_vhdx_guid_text(const struct sv_vhdx_guid *g, char ret[SV_VHDX_GUID_TEXT])
{
	for (size_t i = 0; i < sizeof order; i++) {
		if (dash_before(i))
			*ret++ = '-';
		sv_hex(&g->b[order[i]], 1, ret);
		ret += 2;
	}
}

bool sv_vhdx_guid_parse(const char *text, struct sv_vhdx_guid *ret)
{
	bool braces = *text == '{';
	struct sv_vhdx_guid g;

	text += braces;
	for (size_t i = 0; i < sizeof order; i++) {
		char pair[3] = {0};

		if (dash_before(i) && *text++ != '-')
			return false;
		memcpy(pair, text, strnlen(text, 2));
		if (!sv_unhex(pair, &g.b[order[i]], 1))
			return false;
		text += 2;
	}
	if (strcmp(text, braces ? "}" : "") != 0)
		return false;
	*ret = g;
	return true;
}

bool sv_vhdx_guid_equal(const struct sv_vhdx_guid *a, const struct sv_vhdx_guid *b)
{
	return !memcmp(a, b, sizeof *a);
}

bool sv_vhdx_guid_is_nil(const struct sv_vhdx_guid *g)
{
	static const struct sv_vhdx_guid nil;

	return sv_vhdx_guid_equal(g, &nil);
}

int sv_vhdx_guid_new(struct sv_vhdx_guid *ret, struct sv_err *err)
{
	if (sv_random(ret->b, sizeof ret->b, err) < 0)
		return -1;
	ret->b[7] = (uint8_t)((ret->b[7] & 0x0f) | 0x40); /* RFC 4122, version 4 */
	ret->b[8] = (uint8_t)((ret->b[8] & 0x3f) | 0x80);
	return 0;
}
