/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an LVM2 physical volume says of itself: its label, and where the text that describes
 * the volume group lies. Format: lvm2's lib/format_text/layout.h and label.h as documented by
 * libvslvm's "Logical Volume Manager (LVM) format".
 */
#ifndef SV_VOLUME_LVM2_LABEL_H
#define SV_VOLUME_LVM2_LABEL_H

#include "io/dev.h"

#define SV_LVM2_UUID_TEXT 39 /* "6-4-4-4-4-4-6" characters and NUL */
#define SV_LVM2_AREAS     8
#define SV_LVM2_TEXT_MAX  (16u << 20) /* bytes of one description; 1 MiB is the usual area */

struct sv_lvm2_area {
	uint64_t offset, size; /* bytes on the physical volume */
};

struct sv_lvm2_label {
	char uuid[SV_LVM2_UUID_TEXT];
	uint64_t size;                            /* of the device, as it was written */
	struct sv_lvm2_area data[SV_LVM2_AREAS];  /* [0].offset: where extents begin */
	struct sv_lvm2_area areas[SV_LVM2_AREAS]; /* of metadata */
	size_t n_data, n_areas;
	uint64_t sector; /* which sector holds the label */
};

/* The first 4 sectors of a device; SV_NOTFOUND where no label is among them. */
int sv_lvm2_parse_label(
	const uint8_t *bytes, size_t n, struct sv_lvm2_label *ret, struct sv_err *err);

/* Where the valid text lies in a metadata area; size 0: the area holds none. */
struct sv_lvm2_text {
	uint64_t offset, size; /* from the area's start; the text may wrap around */
	uint32_t crc;
};
/* `bytes`: the area's first sector; `area_size`: what the label says. */
int sv_lvm2_parse_area(const uint8_t bytes[512], uint64_t area_offset, uint64_t area_size,
	struct sv_lvm2_text *ret, struct sv_err *err);

/* LVM2's checksum: CRC-32 without the last inversion, begun with its own number. */
uint32_t sv_lvm2_crc(const void *bytes, size_t n);

int sv_lvm2_read_label(struct sv_dev *pv, struct sv_lvm2_label *ret, struct sv_err *err);
/*
 * The newest valid description among the physical volume's areas, NUL-terminated; the caller
 * frees. SV_NOTFOUND: there is none (other physical volumes of the group may hold it).
 */
char *sv_lvm2_read_text(struct sv_dev *pv, const struct sv_lvm2_label *label, size_t *ret_n,
	struct sv_err *err);

#endif
