/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text descriptor of a VMDK ("Virtual Disk Format 5.0", VMware 2011, section "The
 * Descriptor File"): parse and print. Pure: no I/O.
 */
#ifndef SV_IMAGE_VMDK_DESC_H
#define SV_IMAGE_VMDK_DESC_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

#define SV_VMDK_DESC_MAX    (1024 * 1024) /* bytes of a text descriptor: 8000 extents fit */
#define SV_VMDK_EXTENTS_MAX 8192          /* 2 GB extents of a 16 TB disk */
#define SV_VMDK_CID_NONE    0xffffffffU   /* parentCID of a base */

enum sv_vmdk_access { SV_VMDK_RW, SV_VMDK_RDONLY, SV_VMDK_NOACCESS };
enum sv_vmdk_extent_type {
	SV_VMDK_FLAT,
	SV_VMDK_SPARSE,
	SV_VMDK_ZERO,
	SV_VMDK_VMFS,
	SV_VMDK_VMFSSPARSE,
	SV_VMDK_SESPARSE,
	SV_VMDK_DEVICE, /* VMFSRDM, VMFSRAW, a physical disk: recognised, never opened */
};

struct sv_vmdk_extent {
	enum sv_vmdk_access access;
	uint64_t sectors; /* 512 bytes each */
	enum sv_vmdk_extent_type type;
	char *file;      /* as written; "" for ZERO */
	uint64_t offset; /* sectors into the file, FLAT only */
};

/* A "key = value" line of the ddb section, or one we do not know: kept and printed again. */
struct sv_vmdk_pair {
	char *key;
	char *value;
};

struct sv_vmdk_desc {
	uint32_t version;
	char *encoding; /* "" where none is named */
	uint32_t cid;
	uint32_t parent_cid;
	char *create_type;
	char *parent_hint; /* parentFileNameHint, "" for a base */
	struct sv_vmdk_extent *extents;
	size_t n_extents;
	struct sv_vmdk_pair *pairs; /* in order, ddb.* and others */
	size_t n_pairs;
	uint64_t sectors; /* sum of the extents */
};

/*
 * Every field is validated: numbers, known extent types and access modes, the sum of sectors
 * at most 2^53, names without NUL or newline. SV_CORRUPT with the offset of the line.
 */
int sv_vmdk_desc_parse(
	const char *text, size_t n, struct sv_vmdk_desc *ret, struct sv_err *err);
void sv_vmdk_desc_free(struct sv_vmdk_desc *desc); /* frees the content, not desc */
int sv_vmdk_desc_copy(
	const struct sv_vmdk_desc *src, struct sv_vmdk_desc *ret, struct sv_err *err);
void sv_vmdk_desc_print(const struct sv_vmdk_desc *desc, struct sv_str *out);

const char *sv_vmdk_desc_get(const struct sv_vmdk_desc *desc, const char *key); /* or NULL */
int sv_vmdk_desc_set(
	struct sv_vmdk_desc *desc, const char *key, const char *value, struct sv_err *err);
void sv_vmdk_desc_unset(struct sv_vmdk_desc *desc, const char *key);

/* Adds a RW extent at the end. SV_UNSUPPORTED for a name that a descriptor cannot hold. */
int sv_vmdk_desc_add_extent(struct sv_vmdk_desc *desc, enum sv_vmdk_extent_type type,
	uint64_t sectors, const char *file, uint64_t offset, struct sv_err *err);

/* Can a descriptor hold this text between quotes? (No quote, no control character.) */
bool sv_vmdk_text_valid(const char *text);

/* Where the value of `key` stands in a descriptor's text, without its quotes: to change a CID
 * and leave every other byte as VMware wrote it. */
bool sv_vmdk_desc_locate(
	const char *text, size_t n, const char *key, size_t *ret_at, size_t *ret_n);

#endif
