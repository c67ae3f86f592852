/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who a VMDK's disk is: VMware keeps its id in ddb.uuid ("60 00 C2 9a ... -... 5d", the serial
 * number that a guest sees), VirtualBox in ddb.uuid.image, as RFC 4122 writes it.
 */
#include "image/vmdk/vmdk.h"

#include "base/hash.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ID_SIZE 16
#define SERIAL  "ddb.uuid"
#define VBOX_ID "ddb.uuid.image"

/* Pairs of digits, whatever stands between them. */
static bool parse_id(const char *text, uint8_t ret[ID_SIZE])
{
	char digits[2 * ID_SIZE + 1];
	size_t n = 0;

	for (; text && *text; text++) {
		if (!isxdigit((unsigned char)*text))
			continue;
		if (n == 2 * ID_SIZE)
			return false;
		digits[n++] = *text;
	}
	digits[n] = 0;
	return n == 2 * ID_SIZE && sv_unhex(digits, ret, ID_SIZE);
}

static uint32_t get_small(const struct sv_vmdk_desc *d, const char *key)
{
	const char *text = sv_vmdk_desc_get(d, key);
	unsigned long n = text ? strtoul(text, NULL, 10) : 0;

	return n <= UINT8_MAX ? (uint32_t)n : 0;
}

void sv_vmdk_identity(const struct sv_link *l, struct sv_image_identity *ret)
{
	const struct sv_vmdk_desc *d = &((const struct sv_vmdk *)l)->desc;

	ret->has_id = parse_id(sv_vmdk_desc_get(d, SERIAL), ret->id) ||
		      parse_id(sv_vmdk_desc_get(d, VBOX_ID), ret->id);
	ret->heads = get_small(d, "ddb.geometry.heads");
	ret->sectors = get_small(d, "ddb.geometry.sectors");
}

static int set_small(
	struct sv_vmdk_desc *d, const char *key, uint32_t value, struct sv_err *err)
{
	char text[12];

	snprintf(text, sizeof text, "%u", value);
	return sv_vmdk_desc_set(d, key, text, err);
}

static int set_serial(struct sv_vmdk_desc *d, const uint8_t id[ID_SIZE], struct sv_err *err)
{
	char text[3 * ID_SIZE + 1];

	for (size_t i = 0; i < ID_SIZE; i++)
		snprintf(text + 3 * i, 4, "%02x%c", id[i], i == ID_SIZE / 2 - 1 ? '-' : ' ');
	text[3 * ID_SIZE - 1] = 0;
	return sv_vmdk_desc_set(d, SERIAL, text, err);
}

int sv_vmdk_set_identity(
	struct sv_vmdk_desc *d, const struct sv_image_spec *spec, struct sv_err *err)
{
	const struct sv_image_identity keep = sv_spec_identity(spec);

	if (spec->ids == SV_IDS_NEW && !spec->parent)
		sv_vmdk_desc_unset(d, SERIAL);
	if (keep.has_id && set_serial(d, keep.id, err) < 0)
		return -1;
	if (!keep.heads || !keep.sectors)
		return 0;
	return set_small(d, "ddb.geometry.heads", keep.heads, err) < 0 ||
			       set_small(d, "ddb.geometry.sectors", keep.sectors, err) < 0
		       ? -1
		       : 0;
}
