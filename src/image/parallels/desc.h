/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DiskDescriptor.xml of a .hdd folder (QEMU's docs/interop/prl-xml.rst): the disk's size, its
 * storages (the pieces of a split disk, one for others), in each storage one image per
 * snapshot, and which snapshot stands on which. The top one is what the guest writes to.
 *
 * Document type declarations are refused, and with them every entity but those of XML itself.
 * What is not known is left alone: changes are made in the text (sv_prl_desc_edit).
 */
#ifndef SV_IMAGE_PARALLELS_DESC_H
#define SV_IMAGE_PARALLELS_DESC_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SV_PRL_DESC_NAME    "DiskDescriptor.xml"
#define SV_PRL_DESC_MAX     (4U << 20) /* bytes; some 10,000 images */
#define SV_PRL_STORAGES_MAX 8192       /* 16 TiB in pieces of 2 GiB */
#define SV_PRL_IMAGES_MAX   65536      /* all storages together */
#define SV_PRL_SHOTS_MAX    512
#define SV_PRL_GUID_TEXT    37 /* lower case, without braces */

#define SV_PRL_TOP_GUID     "5fbaabe3-6958-40ff-92a7-860e329aab41"
#define SV_PRL_NULL_GUID    "00000000-0000-0000-0000-000000000000"

/* A part of the text: what an element holds. Byte 0: there is no such element. */
struct sv_prl_span {
	size_t at, n;
};

struct sv_prl_image {
	char guid[SV_PRL_GUID_TEXT]; /* of its snapshot */
	bool plain;                  /* the bytes themselves; else an expanding image */
	char *file;                  /* as written: relative to the descriptor, or absolute */
	struct sv_prl_span file_span;
};

struct sv_prl_storage {
	uint64_t start, end; /* bytes of the disk; in order and without gaps */
	uint64_t cluster;    /* of its expanding images, bytes */
	struct sv_prl_image *images;
	size_t n_images;
	struct sv_prl_span end_span;
};

struct sv_prl_shot {
	char guid[SV_PRL_GUID_TEXT];
	char parent[SV_PRL_GUID_TEXT]; /* SV_PRL_NULL_GUID: none */
};

struct sv_prl_desc {
	unsigned refs;
	uint64_t size; /* bytes */
	char uid[SV_PRL_GUID_TEXT];
	struct sv_prl_storage *storages;
	size_t n_storages;
	struct sv_prl_shot *shots; /* each parent is one of them; there is no loop */
	size_t n_shots;
	char top_guid[SV_PRL_GUID_TEXT]; /* SV_PRL_TOP_GUID where the text names none */
	size_t top;                      /* of the shots */
	struct sv_prl_span size_span, cylinders_span, heads_span, sectors_span, uid_span;
	bool editable; /* the text is of bytes that can be replaced by ASCII */
};

/* Pure. */
int sv_prl_desc_parse(const char *text, size_t n, struct sv_prl_desc **ret, struct sv_err *err);
/* What parsing ends with: puts the storages in order, finds the top, looks at everything. */
int sv_prl_desc_check(struct sv_prl_desc *d, struct sv_err *err);
struct sv_prl_desc *sv_prl_desc_ref(struct sv_prl_desc *d);
void sv_prl_desc_close(struct sv_prl_desc *d); /* NULL-safe */
void sv_prl_desc_clear(struct sv_prl_desc *d); /* frees what it holds */

/* "{5FBAABE3-...}", with or without braces, in a canonical form; false where it is none. */
bool sv_prl_guid_parse(const char *text, char ret[SV_PRL_GUID_TEXT]);
int sv_prl_guid_new(char ret[SV_PRL_GUID_TEXT], struct sv_err *err);

/* SIZE_MAX: there is none. */
size_t sv_prl_desc_find_shot(const struct sv_prl_desc *d, const char *guid);
size_t sv_prl_desc_parent(const struct sv_prl_desc *d, size_t shot);
const struct sv_prl_image *sv_prl_storage_image(
	const struct sv_prl_storage *s, const char *guid); /* NULL: it has none */

/* ---- writing ---- */

/* The text of a new descriptor. Caller frees. SV_UNSUPPORTED where a name cannot be told in
 * XML. spans are not looked at. */
char *sv_prl_desc_print(const struct sv_prl_desc *d, struct sv_err *err);

struct sv_prl_edit {
	struct sv_prl_span span;
	const char *text; /* goes there, escaped */
};
/* Replaces spans that do not overlap; puts the list in order. Caller frees. */
char *sv_prl_desc_edit(const char *text, size_t n, struct sv_prl_edit *edits, size_t n_edits,
	struct sv_err *err);

/* What a disk of this size says of itself: the product is the number of its sectors. */
struct sv_prl_geometry {
	uint64_t cylinders;
	unsigned heads, sectors;
};
struct sv_prl_geometry sv_prl_geometry(uint64_t size);

#endif
