/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the tables of a stream-optimized extent are. The header of one that was written in a
 * single pass does not know ("grain directory at the end"); its footer does, a copy of the
 * header that stands before the end marker.
 */
#ifndef SV_IMAGE_VMDK_STREAM_H
#define SV_IMAGE_VMDK_STREAM_H

#include "image/vmdk/marker.h"
#include "io/dev.h"

/* Tables that are put together from markers, for lack of others: 512 GiB of the guest's disk
 * in grains of 64 KiB. */
#define SV_VMDK_REBUILT_BYTES (64U << 20)

struct sv_vmdk_found {
	const char *note; /* NULL: all as it should be; else what is missing */
	/* NULL: h->gd_at is known now. Else tables that were put together from the grains'
	 * markers: a directory of h's tables at sector 0, and the tables; the caller's. */
	struct sv_dev *rebuilt;
};

/*
 * Finds the directory of an extent whose header says "at the end": in the footer at the end of
 * the file; else by walking over the markers, to a footer or a directory; else by trusting the
 * grains' own markers, if the stream is whole (an end marker ends the file). SV_CORRUPT for
 * one that was cut off.
 */
int sv_vmdk_find_directory(struct sv_dev *file, struct sv_vmdk_header *h,
	struct sv_vmdk_found *ret, struct sv_err *err);

#endif
