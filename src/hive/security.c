/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Security descriptors ([MS-DTYP] 2.4.2 to 2.4.6) as text ([MS-DTYP] 2.5.1, SDDL): owner,
 * group, and who may do what, in the words that Windows uses for registry keys. An entry of a
 * type that SDDL has no word for is shown by its number.
 */
#include "hive/regf.h"

#include "base/num.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct disk_descriptor {
	uint8_t revision, reserved;
	sv_le16 control;
	sv_le32 owner, group, sacl, dacl; /* offsets; 0: none */
};
static_assert(sizeof(struct disk_descriptor) == 20, "security descriptor");

struct disk_acl {
	uint8_t revision, reserved;
	sv_le16 size, n;
	sv_le16 reserved2;
};
static_assert(sizeof(struct disk_acl) == 8, "access control list");

struct disk_ace {
	uint8_t type, flags;
	sv_le16 size; /* of all */
	sv_le32 mask;
};
static_assert(sizeof(struct disk_ace) == 8, "access control entry");

enum {
	DACL_PRESENT = 0x0004,
	SACL_PRESENT = 0x0010,
	SID_HEAD = 8,
	SUBAUTHORITIES_MAX = 15,
	OBJECT_PRESENT = 1, /* flags of an entry about an object */
	INHERITED_PRESENT = 2,
	GUID = 16,
};

struct word {
	uint32_t number;
	const char *text;
};

/* ---- identities ---- */

struct text_sid {
	char text[24 + 11 * SUBAUTHORITIES_MAX];
};

static const char *const aliases[][2] = {
	{"S-1-1-0", "WD"},
	{"S-1-3-0", "CO"},
	{"S-1-3-1", "CG"},
	{"S-1-3-4", "OW"},
	{"S-1-5-2", "NU"},
	{"S-1-5-4", "IU"},
	{"S-1-5-6", "SU"},
	{"S-1-5-7", "AN"},
	{"S-1-5-9", "ED"},
	{"S-1-5-10", "PS"},
	{"S-1-5-11", "AU"},
	{"S-1-5-12", "RC"},
	{"S-1-5-18", "SY"},
	{"S-1-5-19", "LS"},
	{"S-1-5-20", "NS"},
	{"S-1-5-32-544", "BA"},
	{"S-1-5-32-545", "BU"},
	{"S-1-5-32-546", "BG"},
	{"S-1-5-32-547", "PU"},
	{"S-1-5-32-548", "AO"},
	{"S-1-5-32-549", "SO"},
	{"S-1-5-32-550", "PO"},
	{"S-1-5-32-551", "BO"},
	{"S-1-5-32-552", "RE"},
	{"S-1-5-32-554", "RU"},
	{"S-1-5-32-555", "RD"},
	{"S-1-5-32-556", "NO"},
	{"S-1-15-2-1", "AC"},
	{"S-1-16-4096", "LW"},
	{"S-1-16-8192", "ME"},
	{"S-1-16-12288", "HI"},
	{"S-1-16-16384", "SI"},
};

static int sid_text(const uint8_t *bytes, size_t n, struct text_sid *ret)
{
	uint64_t authority;
	int used;

	if (n < SID_HEAD || bytes[0] != 1 || bytes[1] > SUBAUTHORITIES_MAX ||
		n < SID_HEAD + 4 * (size_t)bytes[1])
		return -1;
	authority = (uint64_t)sv_load_be16(bytes + 2) << 32 | sv_load_be32(bytes + 4);
	used = snprintf(ret->text, sizeof ret->text,
		authority >> 32 ? "S-1-0x%" PRIx64 : "S-1-%" PRIu64, authority);
	for (unsigned i = 0; i < bytes[1] && used > 0; i++)
		used += snprintf(ret->text + used, sizeof ret->text - (size_t)used, "-%" PRIu32,
			sv_load_le32(bytes + SID_HEAD + 4 * (size_t)i));
	return 0;
}

static int add_sid(struct sv_str *out, const uint8_t *bytes, size_t n, struct sv_err *err)
{
	struct text_sid sid;

	if (sid_text(bytes, n, &sid) < 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"an identity of %zu bytes has revision %u and %u parts, expected 1 and at "
			"most %d that fit",
			n, n ? bytes[0] : 0, n > 1 ? bytes[1] : 0, SUBAUTHORITIES_MAX);
	for (size_t i = 0; i < SV_ARRAY_LEN(aliases); i++) {
		if (!strcmp(aliases[i][0], sid.text)) {
			sv_str_add(out, aliases[i][1]);
			return 0;
		}
	}
	sv_str_add(out, sid.text);
	return 0;
}

/* ---- entries ---- */

static void add_rights(struct sv_str *out, uint32_t mask)
{
	static const struct word whole[] = {{0x000F003F, "KA"}, {0x00020019, "KR"},
		{0x00020006, "KW"}, {0x10000000, "GA"}, {0x20000000, "GX"}, {0x40000000, "GW"},
		{0x80000000, "GR"}};
	static const struct word parts[] = {{0x0001, "CC"}, {0x0002, "DC"}, {0x0004, "LC"},
		{0x0008, "SW"}, {0x0010, "RP"}, {0x0020, "WP"}, {0x0040, "DT"}, {0x0080, "LO"},
		{0x0100, "CR"}, {0x00010000, "SD"}, {0x00020000, "RC"}, {0x00040000, "WD"},
		{0x00080000, "WO"}};
	uint32_t known = 0;

	for (size_t i = 0; i < SV_ARRAY_LEN(whole); i++) {
		if (whole[i].number == mask) {
			sv_str_add(out, whole[i].text);
			return;
		}
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(parts); i++)
		known |= parts[i].number;
	if (mask & ~known) {
		sv_str_addf(out, "0x%" PRIx32, mask);
		return;
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(parts); i++) {
		if (mask & parts[i].number)
			sv_str_add(out, parts[i].text);
	}
}

static void add_words(
	struct sv_str *out, uint32_t bits, const struct word *words, size_t n_words)
{
	for (size_t i = 0; i < n_words; i++) {
		if (bits & words[i].number)
			sv_str_add(out, words[i].text);
	}
}

static bool is_about_object(uint8_t type)
{
	return type >= 5 && type <= 8;
}

static void add_guid(struct sv_str *out, const uint8_t *g)
{
	sv_str_addf(out, "%08" PRIx32 "-%04x-%04x-%02x%02x-", sv_load_le32(g),
		sv_load_le16(g + 4), sv_load_le16(g + 6), g[8], g[9]);
	for (size_t i = 10; i < GUID; i++)
		sv_str_addf(out, "%02x", g[i]);
}

/* ";object;inherited object;", and where the identity begins in the entry; 0: it is too
 * short. */
static size_t add_objects(struct sv_str *out, const uint8_t *ace, size_t n, uint8_t type)
{
	size_t at = sizeof(struct disk_ace);
	uint32_t present;

	if (!is_about_object(type)) {
		sv_str_add(out, ";;;");
		return at;
	}
	if (n < at + 4)
		return 0;
	present = sv_load_le32(ace + at);
	at += 4;
	for (uint32_t bit = OBJECT_PRESENT; bit <= INHERITED_PRESENT; bit <<= 1) {
		sv_str_add(out, ";");
		if (!(present & bit))
			continue;
		if (n < at + GUID)
			return 0;
		add_guid(out, ace + at);
		at += GUID;
	}
	sv_str_add(out, ";");
	return at;
}

static int add_ace(struct sv_str *out, const uint8_t *ace, size_t n, struct sv_err *err)
{
	static const char *const types[] = {
		"A", "D", "AU", "AL", NULL, "OA", "OD", "OU", "OL", "XA", "XD"};
	static const struct word flags[] = {{1, "OI"}, {2, "CI"}, {4, "NP"}, {8, "IO"},
		{0x10, "ID"}, {0x40, "SA"}, {0x80, "FA"}};
	struct disk_ace raw;
	size_t sid;

	memcpy(&raw, ace, sizeof raw);
	if (raw.type < SV_ARRAY_LEN(types) && types[raw.type])
		sv_str_addf(out, "(%s;", types[raw.type]);
	else if (raw.type == 0x11)
		sv_str_add(out, "(ML;");
	else
		sv_str_addf(out, "(0x%x;", raw.type);
	add_words(out, raw.flags, flags, SV_ARRAY_LEN(flags));
	sv_str_add(out, ";");
	if (raw.type == 0x11)
		add_words(out, sv_get_le32(raw.mask),
			(const struct word[]){{1, "NW"}, {2, "NR"}, {4, "NX"}}, 3);
	else
		add_rights(out, sv_get_le32(raw.mask));
	sid = add_objects(out, ace, n, raw.type);
	if (!sid || sid > n)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"an access control entry of type %u has %zu bytes", raw.type, n);
	if (add_sid(out, ace + sid, n - sid, err) < 0)
		return sv_err_shift(err, sid);
	sv_str_add(out, ")");
	return 0;
}

/* The list at `at` of the descriptor; offsets of errors count from the descriptor. */
static int add_acl(
	struct sv_str *out, const uint8_t *bytes, size_t n, size_t at, struct sv_err *err)
{
	struct disk_acl acl;
	size_t end;

	if (!sv_in_range(at, sizeof acl, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"an access control list lies at %zu of a descriptor of %zu bytes", at,
			n);
	memcpy(&acl, bytes + at, sizeof acl);
	end = at + SV_MIN((size_t)sv_get_le16(acl.size), n - at);
	at += sizeof acl;
	for (unsigned i = 0; i < sv_get_le16(acl.n); i++) {
		size_t size = at + 4 <= end ? sv_load_le16(bytes + at + 2) : 0;

		if (size < sizeof(struct disk_ace) || size > end - at)
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"entry %u of %u of an access control list has %zu bytes, %zu are "
				"left",
				i, sv_get_le16(acl.n), size, at < end ? end - at : 0);
		if (add_ace(out, bytes + at, size, err) < 0)
			return sv_err_shift(err, at);
		at += size;
	}
	return 0;
}

/* ---- the descriptor ---- */

static int add_identity(struct sv_str *out, const char *label, const uint8_t *bytes, size_t n,
	size_t at, struct sv_err *err)
{
	if (!at)
		return 0;
	sv_str_add(out, label);
	if (at > n)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"an identity lies at %zu of a descriptor of %zu bytes", at, n);
	return add_sid(out, bytes + at, n - at, err) < 0 ? sv_err_shift(err, at) : 0;
}

static int add_descriptor(
	struct sv_str *out, const uint8_t *bytes, size_t n, struct sv_err *err)
{
	static const struct word dacl_flags[] = {{0x1000, "P"}, {0x0100, "AR"}, {0x0400, "AI"}};
	static const struct word sacl_flags[] = {{0x2000, "P"}, {0x0200, "AR"}, {0x0800, "AI"}};
	struct disk_descriptor d;
	uint16_t control;

	if (n < sizeof d || bytes[0] != 1)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a security descriptor of %zu bytes has revision %u, expected 1", n,
			n ? bytes[0] : 0);
	memcpy(&d, bytes, sizeof d);
	control = sv_get_le16(d.control);
	if (add_identity(out, "O:", bytes, n, sv_get_le32(d.owner), err) < 0 ||
		add_identity(out, "G:", bytes, n, sv_get_le32(d.group), err) < 0)
		return -1;
	if (control & DACL_PRESENT) {
		sv_str_add(out, "D:");
		add_words(out, control, dacl_flags, SV_ARRAY_LEN(dacl_flags));
		if (!sv_get_le32(d.dacl))
			sv_str_add(out, "NO_ACCESS_CONTROL");
		else if (add_acl(out, bytes, n, sv_get_le32(d.dacl), err) < 0)
			return -1;
	}
	if (control & SACL_PRESENT && sv_get_le32(d.sacl)) {
		sv_str_add(out, "S:");
		add_words(out, control, sacl_flags, SV_ARRAY_LEN(sacl_flags));
		return add_acl(out, bytes, n, sv_get_le32(d.sacl), err);
	}
	return 0;
}

char *sv_regf_parse_security(const uint8_t *bytes, size_t n, struct sv_err *err)
{
	sv_autostr struct sv_str out = {0};
	char *text;

	if (add_descriptor(&out, bytes, n, err) < 0)
		return NULL;
	text = sv_str_take(&out);
	if (!text)
		sv_fail_nomem(err);
	return text;
}
