/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The undo file's on-disk header and limits; the format is described in undo.h. */
#ifndef SV_EXTEND_UNDO_FORMAT_H
#define SV_EXTEND_UNDO_FORMAT_H

#include "base/endian.h"

#include <assert.h>

#define SV_UNDO_MAGIC     "SVUNDO1\n"
#define SV_UNDO_VERSION   1
#define SV_UNDO_RANGE_MAX 65536 /* bytes of one range */
#define SV_UNDO_NAME_MAX  4096
#define SV_UNDO_FILES_MAX 65536
#define SV_UNDO_SECTOR    512 /* what a disk writes whole, even when power goes */

struct undo_header {
	char magic[8];
	sv_le32 version;
	sv_le32 files;
	sv_le64 payload;
	uint8_t sha256[32];
};
static_assert(sizeof(struct undo_header) == 56, "undo header");

#endif
