/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Superblocks of Linux md arrays, versions 0.90, 1.0, 1.1 and 1.2, as one struct. Layout:
 * Linux' include/uapi/linux/raid/md_p.h describes it; md(4) tells where they lie.
 */
#ifndef SV_VOLUME_MD_SUPER_H
#define SV_VOLUME_MD_SUPER_H

#include "io/dev.h"

#define SV_MD_SUPER_SIZE 4096
#define SV_MD_LINEAR     (-1)
#define SV_MD_MULTIPATH  (-4)
#define SV_MD_SPARE      0xffff
#define SV_MD_FAULTY     0xfffe
#define SV_MD_JOURNAL    0xfffd

struct sv_md_super {
	unsigned major, minor; /* 0.90, 1.0, ... */
	uint8_t uuid[16];      /* of the array */
	char name[33];         /* version 1: "host:name"; "" elsewhere */
	int level;             /* 0, 1, 4, 5, 6, 10, SV_MD_LINEAR, SV_MD_MULTIPATH */
	unsigned layout, disks;
	uint64_t chunk;     /* bytes */
	uint64_t part_size; /* bytes of each member that are used; 0: all of its data */
	uint64_t data_start, data_size; /* bytes on this member */
	uint64_t events;
	unsigned role;      /* which part it is, or SV_MD_SPARE, ... */
	bool reshaping;     /* its data lie in two layouts */
	bool recovering;    /* this member is not whole yet */
	unsigned preferred; /* 0.90: the minor number, "md0" */
	bool big_endian;    /* 0.90, which is written in the host's order */
};

/*
 * Parses a superblock that was read from `at` of a member of `size` bytes. SV_NOTFOUND: it is
 * none. `n` is at least SV_MD_SUPER_SIZE.
 */
int sv_md_parse_v1(const uint8_t *bytes, size_t n, uint64_t at, uint64_t size,
	struct sv_md_super *ret, struct sv_err *err);
int sv_md_parse_v0(const uint8_t *bytes, size_t n, uint64_t at, uint64_t size,
	struct sv_md_super *ret, struct sv_err *err);

/* Looks at the four places. SV_NOTFOUND where there is none. */
int sv_md_read_super(struct sv_dev *member, struct sv_md_super *ret, struct sv_err *err);

#endif
