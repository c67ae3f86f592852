/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * May this NTFS volume be written at all? Each refusal by name, with its remedy. The library's
 * own looks (hibernation, journal) are not made on the path that ntfsresize takes, so that we
 * make all of them ourselves. Private to the fs room.
 */
#ifndef SV_FS_NTFS_STATE_H
#define SV_FS_NTFS_STATE_H

#include "base/job.h"
#include "fs/ntfs/raw_vol.h"

/*
 * Reads only. SV_UNSUPPORTED: larger than its volume, a version that is not known, hibernated
 * or shut down with fast startup, dirty (unless accept_dirty), unclean journal, bad clusters.
 * SV_CORRUPT: damage met on the way, or $MFTMirr that differs from $MFT.
 */
int sv_ntfs_check_state(
	struct sv_ntfs_raw_vol *v, bool accept_dirty, struct sv_job *job, struct sv_err *err);

/* Where in its MFT record the flags of $VOLUME_INFORMATION lie; reads the record into
 * geo.record_size bytes. */
int sv_ntfs_find_volume_info(struct sv_ntfs_raw_vol *v, uint8_t *record, uint64_t *ret_number,
	size_t *ret_offset, struct sv_err *err);

#endif
