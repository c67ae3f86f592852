/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables beside MBR and GPT, which are read and never edited: Apple's partition map, and the
 * disklabels of the BSDs, on a whole disk or in an MBR partition. For this room only.
 */
#ifndef SV_VOLUME_LABELS_H
#define SV_VOLUME_LABELS_H

#include "volume/table.h"

/* ---- Apple ---- */

struct sv_apm_entry {
	uint32_t entries; /* of the whole map */
	uint32_t start, count;
	uint8_t type; /* for sv_apm_type_name() */
	bool free;    /* no partition: room that is left */
	char name[32];
};

/* -1: it does not begin with its mark. */
int sv_apm_parse_entry(const uint8_t *bytes, size_t n, struct sv_apm_entry *ret);
const char *sv_apm_type_name(uint8_t type);
/* Fills t where sector 0 and the entry behind it are those of such a map. */
int sv_apm_read(struct sv_dev *disk, const uint8_t sector[512], struct sv_table *t,
	bool *ret_found, struct sv_err *err);

/* ---- BSD ---- */

#define SV_BSD_PARTITIONS 22

struct sv_bsd_partition {
	uint32_t start, count; /* sectors; count 0: none */
	uint8_t type;
};

struct sv_bsd_label {
	uint32_t sector_size;
	size_t n;
	struct sv_bsd_partition parts[SV_BSD_PARTITIONS]; /* 'a' is the first */
};

/* `bytes`: the sector behind the slice's first. SV_NOTFOUND: it is no label. */
int sv_bsd_parse(const uint8_t *bytes, size_t n, struct sv_bsd_label *ret, struct sv_err *err);
const char *sv_bsd_type_name(uint8_t type);
/* Fills t where the disk has a label and no other table. */
int sv_bsd_read(struct sv_dev *disk, struct sv_table *t, bool *ret_found, struct sv_err *err);
/* Adds what the labels in MBR partitions of types A5, A6 and A9 list to t->nested. */
int sv_bsd_read_nested(struct sv_dev *disk, struct sv_table *t, struct sv_err *err);

#endif
