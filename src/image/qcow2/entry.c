/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entries of L2 tables: see qcow2_entry.h. */
#include "image/qcow2/entry.h"

#include "base/endian.h"
#include "base/num.h"

#define RESERVED (~(SV_QCOW2_COPIED | SV_QCOW2_COMPRESSED | SV_QCOW2_OFFSET | SV_QCOW2_ZERO))

struct sv_qcow2_layout sv_qcow2_layout_of(const struct sv_qcow2_header *h)
{
	return (struct sv_qcow2_layout){
		.cluster_bits = h->cluster_bits,
		.v2 = h->version < 3,
		.extended = h->incompatible & SV_QCOW2_EXTENDED_L2,
		.data_file = h->incompatible & SV_QCOW2_DATA_FILE,
	};
}

/* The size is told in sectors of 512 bytes beyond the one that the offset lies in. */
static const char *decode_compressed(
	const struct sv_qcow2_layout *l, uint64_t raw, struct sv_qcow2_entry *e)
{
	unsigned x = 62 - (l->cluster_bits - 8);
	uint64_t sectors;

	if (l->data_file)
		return "it is compressed, in a disk with a data file";
	e->copied = raw & SV_QCOW2_COPIED; /* wrong, but harmless: the check tells of it */
	raw &= ~(SV_QCOW2_COMPRESSED | SV_QCOW2_COPIED);
	sectors = raw >> x;
	e->compressed = true;
	e->host = raw & ((UINT64_C(1) << x) - 1);
	if (!e->host || e->host >= SV_QCOW2_HOST_MAX)
		return "its place is out of range";
	e->packed = (uint32_t)((sectors + 1) * SV_SECTOR - e->host % SV_SECTOR);
	e->data = sv_qcow2_all(l);
	return NULL;
}

static const char *decode_bits(
	const struct sv_qcow2_layout *l, struct sv_qcow2_raw raw, struct sv_qcow2_entry *e)
{
	if (!l->extended) {
		e->zero = raw.entry & SV_QCOW2_ZERO;
		e->data = e->has_host && !e->zero;
		return l->v2 && e->zero ? "it has the zero flag, which version 2 does not know"
					: NULL;
	}
	e->data = (uint32_t)raw.bits;
	e->zero = (uint32_t)(raw.bits >> 32);
	if (raw.entry & SV_QCOW2_ZERO)
		return "its reserved bits are set";
	if (e->data & e->zero)
		return "a subcluster has data and is zeros at once";
	return e->data && !e->has_host ? "its subclusters have data, but it has no place"
				       : NULL;
}

const char *sv_qcow2_decode(
	const struct sv_qcow2_layout *l, struct sv_qcow2_raw raw, struct sv_qcow2_entry *ret)
{
	struct sv_qcow2_entry e = {0};
	const char *fault;

	if (raw.entry & SV_QCOW2_COMPRESSED) {
		fault = decode_compressed(l, raw.entry, &e);
		if (fault)
			return fault;
		*ret = e;
		return NULL;
	}
	e.host = raw.entry & SV_QCOW2_OFFSET;
	e.copied = raw.entry & SV_QCOW2_COPIED;
	e.has_host = e.host || (l->data_file && e.copied);
	if (raw.entry & RESERVED)
		return "its reserved bits are set";
	if (e.copied && !e.has_host)
		return "it has the flag \"copied\", but no place";
	if (e.host & ((UINT64_C(1) << l->cluster_bits) - 1))
		return "its place is no multiple of the cluster size";
	fault = decode_bits(l, raw, &e);
	if (fault)
		return fault;
	*ret = e;
	return NULL;
}

struct sv_qcow2_raw sv_qcow2_encode(
	const struct sv_qcow2_layout *l, const struct sv_qcow2_entry *e)
{
	struct sv_qcow2_raw raw = {e->host, 0};

	if (e->copied)
		raw.entry |= SV_QCOW2_COPIED;
	if (l->extended)
		raw.bits = (uint64_t)e->zero << 32 | e->data;
	else if (e->zero)
		raw.entry |= SV_QCOW2_ZERO;
	return raw;
}

struct sv_qcow2_raw sv_qcow2_raw_load(const struct sv_qcow2_layout *l, const uint8_t *bytes)
{
	return (struct sv_qcow2_raw){
		sv_load_be64(bytes), l->extended ? sv_load_be64(bytes + 8) : 0};
}

void sv_qcow2_raw_store(
	const struct sv_qcow2_layout *l, struct sv_qcow2_raw raw, uint8_t *bytes)
{
	sv_store_be64(bytes, raw.entry);
	if (l->extended)
		sv_store_be64(bytes + 8, raw.bits);
}

enum sv_run_kind sv_qcow2_kind(const struct sv_qcow2_layout *l, const struct sv_qcow2_entry *e,
	uint32_t first, uint32_t *ret_n)
{
	uint32_t bit = UINT32_C(1) << first, same;
	enum sv_run_kind kind;

	if (e->data & bit) {
		kind = SV_RUN_DATA;
		same = e->data;
	} else if (e->zero & bit) {
		kind = SV_RUN_ZERO;
		same = e->zero;
	} else {
		kind = SV_RUN_ABSENT;
		same = ~(e->data | e->zero);
	}
	/* the first bit from here on that is not of the kind */
	same = ~same >> first;
	*ret_n = sv_qcow2_subclusters(l) - first;
	if (same)
		*ret_n = SV_MIN(*ret_n, (uint32_t)__builtin_ctz(same));
	return kind;
}
