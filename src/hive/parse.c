/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parsers of the base block, of key nodes and of key values: bytes in, host types out, no
 * other state. Format: Maxim Suhanov, "Windows registry file format specification".
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <string.h>

uint32_t sv_regf_checksum(const uint8_t bytes[SV_REGF_BASE_SIZE])
{
	uint32_t sum = 0;

	for (size_t i = 0; i < offsetof(struct sv_regf_disk_base, checksum); i += 4)
		sum ^= sv_load_le32(bytes + i);
	if (sum == 0)
		return 1;
	return sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
}

static int check_base(
	const uint8_t *bytes, const struct sv_regf_disk_base *raw, struct sv_err *err)
{
	if (memcmp(raw->signature, "regf", 4) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"no registry hive: it begins with %02x%02x%02x%02x, expected 'regf'",
			bytes[0], bytes[1], bytes[2], bytes[3]);
	if (sv_get_le32(raw->format) != 1)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct sv_regf_disk_base, format),
			"hive is of format %" PRIu32 ", expected 1", sv_get_le32(raw->format));
	if (sv_get_le32(raw->major) != 1 || sv_get_le32(raw->minor) < 3 ||
		sv_get_le32(raw->minor) > 6)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL,
			offsetof(struct sv_regf_disk_base, major),
			"hive has version %" PRIu32 ".%" PRIu32 ", expected 1.3 to 1.6",
			sv_get_le32(raw->major), sv_get_le32(raw->minor));
	return 0;
}

int sv_regf_parse_base(
	const uint8_t bytes[SV_REGF_BASE_SIZE], struct sv_regf_base *ret, struct sv_err *err)
{
	struct sv_regf_disk_base raw;

	memcpy(&raw, bytes, sizeof raw);
	if (check_base(bytes, &raw, err) < 0)
		return -1;
	*ret = (struct sv_regf_base){
		.sequence1 = sv_get_le32(raw.sequence1),
		.sequence2 = sv_get_le32(raw.sequence2),
		.written = sv_get_le64(raw.written),
		.minor = sv_get_le32(raw.minor),
		.type = sv_get_le32(raw.type),
		.root = sv_get_le32(raw.root),
		.bins_size = sv_get_le32(raw.bins_size),
		.checksum_ok = sv_get_le32(raw.checksum) == sv_regf_checksum(bytes),
	};
	return 0;
}

/* A name of `size` bytes behind a structure of `head` bytes in a cell of n. */
static int parse_name(const uint8_t *bytes, size_t n, size_t head, uint16_t size, bool wide,
	struct sv_regf_name *ret, struct sv_err *err)
{
	if (size > n - head || (wide && size % 2))
		return sv_fail_at(err, SV_CORRUPT, NULL, head, "a name has %u bytes, %s %zu",
			size,
			wide && size % 2 ? "expected an even number of at most"
					 : "its cell has",
			n - head);
	*ret = (struct sv_regf_name){
		.bytes = bytes + head,
		.n = wide ? size / 2u : size,
		.wide = wide,
	};
	return 0;
}

int sv_regf_parse_key(
	const uint8_t *bytes, size_t n, struct sv_regf_key *ret, struct sv_err *err)
{
	struct sv_regf_disk_key raw;
	struct sv_regf_key k;

	if (n < sizeof raw)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a key node has %zu bytes, expected at least %zu", n, sizeof raw);
	memcpy(&raw, bytes, sizeof raw);
	if (memcmp(raw.signature, "nk", 2) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a key node begins with %02x%02x, expected 'nk'", bytes[0], bytes[1]);
	k = (struct sv_regf_key){
		.flags = sv_get_le16(raw.flags),
		.written = sv_get_le64(raw.written),
		.parent = sv_get_le32(raw.parent),
		.n_subkeys = sv_get_le32(raw.n_subkeys),
		.subkeys = sv_get_le32(raw.subkeys),
		.n_values = sv_get_le32(raw.n_values),
		.values = sv_get_le32(raw.values),
		.security = sv_get_le32(raw.security),
		.class_name = sv_get_le32(raw.class_name),
		.class_size = sv_get_le16(raw.class_size),
	};
	if (k.flags & SV_REGF_KEY_HANDLE)
		k.n_values = 0;
	if (parse_name(bytes, n, sizeof raw, sv_get_le16(raw.name_size),
		    !(k.flags & SV_REGF_KEY_LATIN1), &k.name, err) < 0)
		return -1;
	*ret = k;
	return 0;
}

int sv_regf_parse_value(
	const uint8_t *bytes, size_t n, struct sv_regf_value *ret, struct sv_err *err)
{
	struct sv_regf_disk_value raw;
	struct sv_regf_value v;

	if (n < sizeof raw)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a value has %zu bytes, expected at least %zu", n, sizeof raw);
	memcpy(&raw, bytes, sizeof raw);
	if (memcmp(raw.signature, "vk", 2) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a value begins with %02x%02x, expected 'vk'", bytes[0], bytes[1]);
	v = (struct sv_regf_value){
		.size = sv_get_le32(raw.data_size) & ~SV_REGF_INLINE,
		.is_inline = sv_get_le32(raw.data_size) & SV_REGF_INLINE,
		.data = sv_get_le32(raw.data),
		.type = sv_get_le32(raw.type),
	};
	memcpy(v.inline_bytes, raw.data.b, sizeof v.inline_bytes);
	if (v.is_inline && v.size > sizeof v.inline_bytes)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct sv_regf_disk_value, data_size),
			"a value has %" PRIu32 " bytes in itself, expected at most 4", v.size);
	if (parse_name(bytes, n, sizeof raw, sv_get_le16(raw.name_size),
		    !(sv_get_le16(raw.flags) & SV_REGF_VALUE_LATIN1), &v.name, err) < 0)
		return -1;
	*ret = v;
	return 0;
}
