/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading tar archives in place (POSIX.1-2001 "pax interchange format" and "ustar"; GNU's long
 * names): where each file lies, so that an appliance's disks can be read without unpacking.
 */
#ifndef SV_IO_TAR_H
#define SV_IO_TAR_H

#include "io/host.h"

#define SV_TAR_BLOCK       512
#define SV_TAR_NAME_MAX    4096   /* bytes of a member's name */
#define SV_TAR_HEADERS_MAX 100000 /* headers of one archive that are read, at most */
#define SV_TAR_PAX_MAX     65536U /* bytes of one extended header */

/* One header block. */
struct sv_tar_header {
	bool end;       /* a block of zeros */
	char type;      /* '0' (also for 0 and '7'): a file; 'L', 'x', 'g', '5', ... */
	char name[257]; /* with ustar's prefix */
	uint64_t size;
};

/* Reads a block of SV_TAR_BLOCK bytes that stands at byte `at`. SV_CORRUPT where it is no
 * header: wrong checksum, a size that is no number or above SV_DEV_SIZE_MAX. Pure. */
int sv_tar_header_parse(const uint8_t bytes[SV_TAR_BLOCK], uint64_t at,
	struct sv_tar_header *ret, struct sv_err *err);

/* What an extended header ('x') says of the next member. */
struct sv_tar_pax {
	char *path; /* NULL: nothing; caller frees */
	bool has_size;
	uint64_t size;
	bool sparse; /* GNU's sparse formats: the data are not in one piece */
};
/* SV_CORRUPT with the offset of the record, counted from `at`. Pure. */
int sv_tar_pax_parse(
	const char *bytes, size_t n, uint64_t at, struct sv_tar_pax *ret, struct sv_err *err);

struct sv_tar_member {
	char *name;        /* without "./" in front; caller frees */
	uint64_t at, size; /* bytes; of the data in the archive. It may be cut off there. */
	bool file;         /* a regular file */
	bool sparse;       /* stored as a sparse file: cannot be read in place */
};

/* A walk over an archive: begins as {dev}, with the device borrowed. */
struct sv_tar_walk {
	struct sv_dev *dev;
	uint64_t at;
	unsigned headers;
};
/* The next member; *ret_more is false at the end of the archive. An archive that ends within
 * a member is SV_CORRUPT, after that member was given. */
int sv_tar_next(
	struct sv_tar_walk *w, struct sv_tar_member *ret, bool *ret_more, struct sv_err *err);

/* Does it begin like a tar archive? */
bool sv_tar_probe(struct sv_dev *dev);

/*
 * A host whose tar archives are folders, too: PATH/a.ova/disk.vmdk is the file disk.vmdk in
 * a.ova, only to be read, where there is no such file otherwise. All else is `under`'s, which
 * is borrowed. Safe from several threads where `under` is.
 */
struct sv_host *sv_tar_host(struct sv_host *under, struct sv_err *err);

#endif
