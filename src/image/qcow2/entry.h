/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One entry of an L2 table: where a guest cluster is, and which of its subclusters have data
 * or are zeros (docs/interop/qcow2.txt, sections "Cluster mapping" and "Extended L2 Entries").
 * Pure. A disk without extended entries has one subcluster in each cluster, so that all other
 * code knows only subclusters.
 */
#ifndef SV_IMAGE_QCOW2_ENTRY_H
#define SV_IMAGE_QCOW2_ENTRY_H

#include "image/driver.h"
#include "image/qcow2/header.h"

#define SV_QCOW2_COPIED     (UINT64_C(1) << 63) /* the refcount is exactly one */
#define SV_QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define SV_QCOW2_OFFSET     UINT64_C(0x00fffffffffffe00)
#define SV_QCOW2_ZERO       UINT64_C(1)         /* reads as zeros; not with extended entries */
#define SV_QCOW2_HOST_MAX   (UINT64_C(1) << 56) /* where host offsets end */

/* What the header says about entries. */
struct sv_qcow2_layout {
	uint32_t cluster_bits;
	bool v2;        /* there is no zero flag */
	bool extended;  /* entries of 16 bytes, 32 subclusters */
	bool data_file; /* guest clusters lie in the data file */
};

/* As it stands in the table, in host order. */
struct sv_qcow2_raw {
	uint64_t entry;
	uint64_t bits; /* 0 without extended entries */
};

struct sv_qcow2_entry {
	bool has_host;   /* a standard cluster has a place: `host` */
	bool compressed; /* `host` and `packed` are those of the packed bytes */
	bool copied;     /* nobody else uses the host cluster */
	uint64_t host;
	uint32_t packed; /* bytes, at least 1, an upper bound */
	uint32_t data;   /* subclusters that have data, bit by bit */
	uint32_t zero;   /* that are zeros; the others are absent */
};

struct sv_qcow2_layout sv_qcow2_layout_of(const struct sv_qcow2_header *h);

static inline uint32_t sv_qcow2_entry_bytes(const struct sv_qcow2_layout *l)
{
	return l->extended ? 16 : 8;
}

static inline uint32_t sv_qcow2_subclusters(const struct sv_qcow2_layout *l)
{
	return l->extended ? 32 : 1;
}

/* All subclusters of a cluster. */
static inline uint32_t sv_qcow2_all(const struct sv_qcow2_layout *l)
{
	return l->extended ? UINT32_MAX : 1;
}

static inline uint64_t sv_qcow2_subcluster(const struct sv_qcow2_layout *l)
{
	return UINT64_C(1) << (l->cluster_bits - (l->extended ? 5 : 0));
}

/* What is wrong with it, as a phrase ("its reserved bits are set"), or NULL. */
const char *sv_qcow2_decode(
	const struct sv_qcow2_layout *l, struct sv_qcow2_raw raw, struct sv_qcow2_entry *ret);
/* A standard entry, not a compressed one. */
struct sv_qcow2_raw sv_qcow2_encode(
	const struct sv_qcow2_layout *l, const struct sv_qcow2_entry *e);

/* Entries as bytes of a table. */
struct sv_qcow2_raw sv_qcow2_raw_load(const struct sv_qcow2_layout *l, const uint8_t *bytes);
void sv_qcow2_raw_store(
	const struct sv_qcow2_layout *l, struct sv_qcow2_raw raw, uint8_t *bytes);

/* The kind of subcluster `first`, and how many from it on (at least 1) are of that kind.
 * Compressed clusters are SV_RUN_DATA as a whole. */
enum sv_run_kind sv_qcow2_kind(const struct sv_qcow2_layout *l, const struct sv_qcow2_entry *e,
	uint32_t first, uint32_t *ret_n);

#endif
