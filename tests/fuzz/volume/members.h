/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzzers of volume managers do with members: put them together, hold what comes of it
 * to the contract of group.h, and read each volume in pieces. A broken promise aborts.
 */
#ifndef SV_FUZZ_VOLUME_MEMBERS_H
#define SV_FUZZ_VOLUME_MEMBERS_H

#include "base/endian.h"
#include "base/num.h"
#include "volume/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);             \
			abort();                                                               \
		}                                                                              \
	} while (0)

#define PIECE       9000u
#define READ_AT_ALL 24 /* volumes of one input: more tells nothing new */

static inline void must_tell(int rc, const struct sv_err *err)
{
	MUST(rc == 0 || (err->code != SV_OK && err->code != SV_INTERNAL && err->message[0]));
}

/* The same bytes whether read in one piece or in two. */
static inline void read_twice(struct sv_dev *d, uint64_t off, size_t n)
{
	struct sv_err err = SV_ERR_INIT, again = SV_ERR_INIT;
	uint8_t whole[PIECE], parts[PIECE];
	size_t cut = n / 3;
	int rc = sv_dev_read(d, whole, n, off, &err);

	must_tell(rc, &err);
	if (rc < 0)
		return;
	MUST(sv_dev_read(d, parts, cut, off, &again) == 0);
	MUST(sv_dev_read(d, parts + cut, n - cut, off + cut, &again) == 0);
	MUST(memcmp(whole, parts, n) == 0);
}

static inline void read_places(struct sv_dev *d)
{
	uint64_t size = sv_dev_size(d);
	const uint64_t places[] = {
		0, 4096, 65536 - 100, size / 2, size > PIECE ? size - PIECE : 0};

	for (size_t i = 0; i < SV_ARRAY_LEN(places); i++) {
		struct sv_err err = SV_ERR_INIT;
		struct sv_extent e;
		int rc;

		if (places[i] >= size)
			continue;
		read_twice(d, places[i], (size_t)SV_MIN((uint64_t)PIECE, size - places[i]));
		rc = sv_dev_extent(d, places[i], size - places[i], &e, &err);
		must_tell(rc, &err);
		MUST(rc < 0 ||
			(e.start == places[i] && e.length && e.length <= size - places[i]));
	}
}

static inline void check_volume(const struct sv_group_volume *v, size_t n_members)
{
	MUST(v->name && v->kind && v->type_name && v->uuid && v->problem);
	MUST(!v->dev == (v->problem[0] != 0));
	MUST(!v->dev || v->size == sv_dev_size(v->dev));
	for (size_t i = 0; i < v->n_members; i++)
		MUST(v->members[i] < n_members);
}

static inline void use_members(const struct sv_member *members, size_t n)
{
	struct sv_group_volumes made = {0};
	struct sv_err err = SV_ERR_INIT;
	int rc = sv_group_assemble(members, n, &made, NULL, &err);

	MUST(rc == 0 || err.code == SV_NOMEM);
	for (size_t i = 0; i < made.n; i++) {
		check_volume(&made.v[i], n);
		if (made.v[i].dev && i < READ_AT_ALL)
			read_places(made.v[i].dev);
	}
	sv_group_volumes_free(&made);
}

/* A device of zeros; what is written to it stays in memory. */
static inline struct sv_dev *blank(uint64_t size)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = sv_sparse_open(size, 4 << 20, "member", &err);

	MUST(d);
	return d;
}

/* Writes what of it lies on the device. */
static inline void put(struct sv_dev *d, uint64_t off, const void *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;

	if (off < sv_dev_size(d))
		MUST(sv_dev_write(d, bytes, SV_MIN(n, sv_dev_size(d) - off), off, &err) == 0);
}

#endif
