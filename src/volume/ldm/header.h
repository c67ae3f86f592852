/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The three headers of a Windows dynamic disk (Logical Disk Manager): PRIVHEAD, which tells
 * where data and database lie, TOCBLOCK, the database's table of contents, and VMDB, which
 * begins the records. Big-endian throughout; places and sizes are in sectors of the disk.
 *
 * Sources: the Linux-NTFS project's "LDM Documentation", and what Linux' partition reader and
 * libldm print of such disks. Versions 2.11 (Windows 2000) and 2.12 of PRIVHEAD, 4.10 of VMDB.
 */
#ifndef SV_VOLUME_LDM_HEADER_H
#define SV_VOLUME_LDM_HEADER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SV_LDM_GUID_TEXT 37

struct sv_ldm_private {
	uint8_t disk[16], group[16]; /* GUIDs in the order of their text */
	char group_name[32];
	uint64_t data_start, data_size;     /* what partitions count from */
	uint64_t config_start, config_size; /* the database, counted from the disk's start */
};

struct sv_ldm_toc {
	uint32_t sequence;
	uint64_t start, size; /* of the region "config", counted from the database's start */
};

struct sv_ldm_vmdb {
	uint32_t last;       /* number of VBLKs, used or not */
	uint32_t vblk_size;  /* bytes of each */
	uint32_t first;      /* byte offset of the first, from the VMDB on */
	uint64_t committed;  /* the more changes, the higher */
	char group_name[32]; /* UTF-8 or not */
};

/* Each parses a sector (at least 512 bytes). SV_NOTFOUND: it does not begin with its mark. */
int sv_ldm_parse_private(
	const uint8_t *bytes, size_t n, struct sv_ldm_private *ret, struct sv_err *err);
int sv_ldm_parse_toc(
	const uint8_t *bytes, size_t n, struct sv_ldm_toc *ret, struct sv_err *err);
int sv_ldm_parse_vmdb(
	const uint8_t *bytes, size_t n, struct sv_ldm_vmdb *ret, struct sv_err *err);

/* "00000000-0000-..." of 36 characters -> 16 bytes in that order. */
int sv_ldm_parse_guid(const char *text, size_t n, uint8_t ret[16], struct sv_err *err);
void sv_ldm_guid_text(const uint8_t guid[16], char out[SV_LDM_GUID_TEXT]);

#endif
