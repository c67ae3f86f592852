/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parses PRIVHEAD, TOCBLOCK and VMDB: see header.h. None of them has a checksum that is kept up
 * to date, so every field that counts is compared with what it can be. */
#include "volume/ldm/header.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SECTORS_MAX (UINT64_C(1) << 50) /* so that sums and bytes never overflow */
#define VBLK_MIN    64u
#define VBLK_MAX    4096u

struct disk_private {
	char magic[8]; /* "PRIVHEAD" */
	sv_be32 sequence;
	sv_be16 major, minor;
	sv_be64 timestamp, unknown[3];
	char disk_guid[64], host_guid[64], group_guid[64];
	char group_name[32];
	uint8_t unknown2[11];
	sv_be64 data_start, data_size;
	sv_be64 config_start, config_size;
};
static_assert(sizeof(struct disk_private) == 315, "PRIVHEAD");
static_assert(offsetof(struct disk_private, data_start) == 0x11b, "PRIVHEAD, data_start");

struct disk_region {
	char name[8]; /* "config", "log" */
	sv_be16 flags;
	sv_be64 start, size, flags2;
};

struct disk_toc {
	char magic[8]; /* "TOCBLOCK" */
	sv_be32 sequence;
	uint8_t zero[4];
	sv_be32 sequence2;
	uint8_t zero2[16];
	struct disk_region regions[2];
};
static_assert(offsetof(struct disk_toc, regions) == 0x24, "TOCBLOCK, regions");
static_assert(sizeof(struct disk_toc) == 104, "TOCBLOCK");

struct disk_vmdb {
	char magic[4]; /* "VMDB" */
	sv_be32 last, vblk_size, first;
	sv_be16 status, major, minor;
	char group_name[31], group_guid[64];
	sv_be64 committed, pending;
};
static_assert(offsetof(struct disk_vmdb, committed) == 0x75, "VMDB, committed");

/* ---- GUIDs ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_dash(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

int sv_ldm_parse_guid(const char *text, size_t n, uint8_t ret[16], struct sv_err *err)
{
	size_t digits = 0;

	for (size_t i = 0; i < SV_LDM_GUID_TEXT - 1 && i < n; i++) {
		int digit = hex(text[i]);

		if (is_dash(i) ? text[i] != '-' : digit < 0)
			break;
		if (is_dash(i))
			continue;
		ret[digits / 2] = (uint8_t)(digits % 2 ? ret[digits / 2] << 4 | digit : digit);
		digits++;
	}
	if (digits == 32)
		return 0;
	return sv_fail(err, SV_CORRUPT, NULL, "a GUID of the dynamic disk is none");
}

void sv_ldm_guid_text(const uint8_t guid[16], char out[SV_LDM_GUID_TEXT])
{
	size_t at = 0;

	for (size_t i = 0; i < 16; i++) {
		if (is_dash(at))
			out[at++] = '-';
		at += (size_t)snprintf(out + at, 3, "%02x", guid[i]);
	}
}

/* ---- headers ---- */

static int not_found(const char *what, struct sv_err *err)
{
	return sv_fail(err, SV_NOTFOUND, NULL, "no %s lies here", what);
}

static void copy_name(const char *from, size_t n, char to[32])
{
	size_t len = strnlen(from, SV_MIN(n, (size_t)31));

	memset(to, 0, 32);
	memcpy(to, from, len);
}

static int check_private(
	const struct sv_ldm_private *p, unsigned major, unsigned minor, struct sv_err *err)
{
	if (major != 2 || (minor != 11 && minor != 12))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 12,
			"the dynamic disk has version %u.%u, expected 2.11 or 2.12", major,
			minor);
	if (p->data_start > SECTORS_MAX || p->data_size > SECTORS_MAX ||
		p->config_start > SECTORS_MAX || p->config_size > SECTORS_MAX ||
		!p->config_size)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0x11b,
			"the dynamic disk has data at %llu and its database of %llu sectors at "
			"%llu",
			(unsigned long long)p->data_start, (unsigned long long)p->config_size,
			(unsigned long long)p->config_start);
	return 0;
}

int sv_ldm_parse_private(
	const uint8_t *bytes, size_t n, struct sv_ldm_private *ret, struct sv_err *err)
{
	struct disk_private d;

	if (n < sizeof d || memcmp(bytes, "PRIVHEAD", 8) != 0)
		return not_found("PRIVHEAD", err);
	memcpy(&d, bytes, sizeof d);
	*ret = (struct sv_ldm_private){
		.data_start = sv_get_be64(d.data_start),
		.data_size = sv_get_be64(d.data_size),
		.config_start = sv_get_be64(d.config_start),
		.config_size = sv_get_be64(d.config_size),
	};
	copy_name(d.group_name, sizeof d.group_name, ret->group_name);
	if (sv_ldm_parse_guid(d.disk_guid, sizeof d.disk_guid, ret->disk, err) < 0 ||
		sv_ldm_parse_guid(d.group_guid, sizeof d.group_guid, ret->group, err) < 0)
		return -1;
	return check_private(ret, sv_get_be16(d.major), sv_get_be16(d.minor), err);
}

int sv_ldm_parse_toc(const uint8_t *bytes, size_t n, struct sv_ldm_toc *ret, struct sv_err *err)
{
	struct disk_toc d;

	if (n < sizeof d || memcmp(bytes, "TOCBLOCK", 8) != 0)
		return not_found("TOCBLOCK", err);
	memcpy(&d, bytes, sizeof d);
	for (size_t i = 0; i < SV_ARRAY_LEN(d.regions); i++) {
		const struct disk_region *r = &d.regions[i];

		if (strncmp(r->name, "config", sizeof r->name) != 0)
			continue;
		*ret = (struct sv_ldm_toc){.sequence = sv_get_be32(d.sequence),
			.start = sv_get_be64(r->start),
			.size = sv_get_be64(r->size)};
		return 0;
	}
	return sv_fail_at(err, SV_CORRUPT, NULL, 0x24,
		"the dynamic disk's table of contents has no region \"config\"");
}

int sv_ldm_parse_vmdb(
	const uint8_t *bytes, size_t n, struct sv_ldm_vmdb *ret, struct sv_err *err)
{
	struct disk_vmdb d;

	if (n < sizeof d || memcmp(bytes, "VMDB", 4) != 0)
		return not_found("VMDB", err);
	memcpy(&d, bytes, sizeof d);
	*ret = (struct sv_ldm_vmdb){.last = sv_get_be32(d.last),
		.vblk_size = sv_get_be32(d.vblk_size),
		.first = sv_get_be32(d.first),
		.committed = sv_get_be64(d.committed)};
	copy_name(d.group_name, sizeof d.group_name, ret->group_name);
	if (sv_get_be16(d.major) != 4 || sv_get_be16(d.minor) != 10)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 0x12,
			"the dynamic disk's database has version %u.%u, expected 4.10",
			sv_get_be16(d.major), sv_get_be16(d.minor));
	if (ret->vblk_size < VBLK_MIN || ret->vblk_size > VBLK_MAX || ret->first < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, 8,
			"the dynamic disk's database has records of %u bytes from %u on, expected "
			"%u to %u bytes",
			ret->vblk_size, ret->first, VBLK_MIN, VBLK_MAX);
	return 0;
}
