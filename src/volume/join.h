/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Devices that are made of parts of others: what volume managers build disks from. The parts
 * are devices themselves (windows, mostly); each device here takes its own references. All are
 * read-only but where a function says that it writes.
 */
#ifndef SV_VOLUME_JOIN_H
#define SV_VOLUME_JOIN_H

#include "io/dev.h"

/* More parts than any volume manager's own limit that was ever met. */
#define SV_JOIN_MAX 4096

/* One after the other. Writes where all parts can be written. */
struct sv_dev *sv_join_linear(
	struct sv_dev *const *parts, size_t n, const char *name, struct sv_err *err);

/* RAID 0: `chunk` bytes of each in turn. Writes where all parts can be written. SV_CORRUPT when
 * a part is too short for its share of `size`. */
struct sv_dev *sv_join_striped(struct sv_dev *const *parts, size_t n, uint64_t chunk,
	uint64_t size, const char *name, struct sv_err *err);

/* RAID 1: the same bytes in each; the first that can be read is believed. Missing parts are
 * NULL; at least one is there. */
struct sv_dev *sv_join_mirrored(struct sv_dev *const *parts, size_t n, uint64_t size,
	const char *name, struct sv_err *err);

/* A part that is not there: reading it is an error, SV_NOTFOUND with `why`. */
struct sv_dev *sv_join_missing(
	uint64_t size, const char *name, const char *why, struct sv_err *err);

/* Reads as zeros. */
struct sv_dev *sv_join_zeros(uint64_t size, const char *name, struct sv_err *err);

#endif
