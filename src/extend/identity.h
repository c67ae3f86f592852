/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What tells that a host file is still the one that was seen: size, modification time, and a
 * digest of sixteen samples of 4 KiB spread over it (all of it where it is smaller).
 */
#ifndef SV_EXTEND_IDENTITY_H
#define SV_EXTEND_IDENTITY_H

#include "base/hash.h"
#include "base/job.h"
#include "io/host.h"

struct sv_identity {
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	char sample[SV_SHA256_TEXT]; /* hex; "" where it was not taken */
};

/* sampled: also read the samples. */
int sv_identity_of(struct sv_host *host, const char *path, bool sampled,
	struct sv_identity *ret, struct sv_err *err);

/*
 * Compares what is there now with what was recorded. Returns true when equal; else fills `why`
 * with a sentence without the path ("its size was 10, now it is 12"). A file that is missing
 * or cannot be read is a difference. The samples are compared when both have them.
 */
#define SV_IDENTITY_WHY 256
bool sv_identity_same(struct sv_host *host, const char *path,
	const struct sv_identity *recorded, char why[SV_IDENTITY_WHY]);

#endif
