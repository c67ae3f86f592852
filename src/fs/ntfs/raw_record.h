/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * MFT records and other structures that an update sequence protects: undoing and redoing the
 * protection, walking the attributes, changing one. Pure: bytes in, bytes out. Offsets in
 * errors are within the record. Private to the fs room.
 */
#ifndef SV_FS_NTFS_RAW_RECORD_H
#define SV_FS_NTFS_RAW_RECORD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Checks magic ("FILE", "INDX", "RSTR") and update sequence of `size` bytes (a multiple of
 * 512) and puts the protected words back. SV_CORRUPT for anything else: a torn write shows
 * here.
 */
int sv_ntfs_raw_unprotect(uint8_t *bytes, size_t size, const char *magic, struct sv_err *err);

/* Protects again, with the next sequence number. Only for what sv_ntfs_raw_unprotect()
 * accepted. */
void sv_ntfs_raw_protect(uint8_t *bytes, size_t size);

/* An unprotected MFT record, whose header and attributes' bounds hold. */
int sv_ntfs_raw_check_record(const uint8_t *record, size_t size, struct sv_err *err);

struct sv_ntfs_raw_attr {
	size_t offset; /* in the record, as all offsets here */
	uint32_t type;
	uint32_t length;
	const uint8_t *name; /* UTF-16LE, within the record */
	uint8_t name_length; /* units */
	uint16_t flags;
	uint16_t instance;
	bool mapped; /* non-resident: its data lies in runs */

	size_t value_offset; /* resident */
	uint32_t value_length;

	uint64_t lowest_vcn; /* mapped: this part holds [lowest_vcn, end_vcn) of the data */
	uint64_t end_vcn;
	size_t runs_offset;
	size_t runs_length;                    /* bytes until the attribute ends */
	uint64_t allocated, size, initialized; /* bytes; 0 but for the first part */
	uint64_t packed; /* bytes in use: `allocated`, less where compressed or sparse */
	uint8_t unit;    /* log2 of the clusters that are compressed together */
};

/*
 * Walks the attributes of a record that sv_ntfs_raw_check_record() accepted or that is being
 * checked: begin with *a all zeros. Returns 1 and the next one, 0 at the end, or -1.
 */
int sv_ntfs_raw_next_attr(
	const uint8_t *record, size_t size, struct sv_ntfs_raw_attr *a, struct sv_err *err);

/* Is it the attribute with this type and (ASCII) name? "" is the unnamed one. */
bool sv_ntfs_raw_attr_is(const struct sv_ntfs_raw_attr *a, uint32_t type, const char *name);

/* The first attribute with type and name in this very record: 1, 0 where there is none, -1. */
int sv_ntfs_raw_find_attr(const uint8_t *record, size_t size, uint32_t type, const char *name,
	struct sv_ntfs_raw_attr *ret, struct sv_err *err);

/*
 * Makes the attribute at *a `length` bytes long (a multiple of 8; 0 removes it), moving what
 * follows; a longer one is filled with zeros. *a is not updated. False, and nothing done,
 * where the record has no room.
 */
bool sv_ntfs_raw_resize_attr(
	uint8_t *record, size_t size, const struct sv_ntfs_raw_attr *a, uint32_t length);

#endif
