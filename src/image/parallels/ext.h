/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The format extension of an expanding image: one cluster with a list of features, of which
 * dirty bitmaps are known (docs/interop/parallels.rst, "Format Extension"). A backup program
 * copies what a bitmap says has changed. So every change is marked in every bitmap, and while
 * marks may be missing in the file its header says "in use", which tells all readers that the
 * bitmaps are out of date. Bitmaps that are out of date already are left as they are.
 */
#ifndef SV_IMAGE_PARALLELS_EXT_H
#define SV_IMAGE_PARALLELS_EXT_H

#include "base/endian.h"
#include "base/err.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#define SV_PRL_EXT_MAGIC    UINT64_C(0xab234cef23dcea87)
#define SV_PRL_BITMAP_MAGIC UINT64_C(0x20385fae252cb34a)
#define SV_PRL_NECESSARY    1U /* who does not know the feature must not write */
#define SV_PRL_TRANSIT      2U /* who does not know the feature leaves it as it is */
#define SV_PRL_FEATURES_MAX 64
#define SV_PRL_L1_ALL       1U /* an entry of a bitmap's table: all bits are set */

struct sv_prl_disk_ext {
	sv_le64 magic;
	uint8_t md5[16]; /* of the cluster behind this structure */
};
static_assert(sizeof(struct sv_prl_disk_ext) == 24, "format extension");

struct sv_prl_disk_feature {
	sv_le64 magic;
	sv_le64 flags;
	sv_le32 n; /* bytes that follow, and are padded to 8 */
	sv_le32 unused;
};
static_assert(sizeof(struct sv_prl_disk_feature) == 24, "feature");

struct sv_prl_disk_bitmap {
	sv_le64 n_sectors;
	uint8_t id[16];
	sv_le32 granularity; /* sectors */
	sv_le32 n_table;     /* entries of 8 bytes that follow */
};
static_assert(sizeof(struct sv_prl_disk_bitmap) == 32, "bitmap");

struct sv_prl_feature {
	uint64_t magic, flags;
	size_t at, n; /* of the data in the cluster */
	bool is_bitmap;
	uint64_t granule; /* bytes of the disk that a bit stands for */
	size_t table_at;  /* of the table in the cluster */
	uint32_t n_table;
};

struct sv_prl_features {
	struct sv_prl_feature all[SV_PRL_FEATURES_MAX];
	size_t n;
};

/* All of the extension's cluster. Pure. */
int sv_prl_ext_parse(const void *bytes, size_t n, uint64_t disk_size,
	struct sv_prl_features *ret, struct sv_err *err);

/* Extensions of an open file. */
struct sv_hds;
struct sv_prl_ext {
	uint8_t *bytes; /* the cluster */
	size_t n;
	uint64_t at; /* in the file */
	struct sv_prl_features features;
	bool changed; /* it is not what the file has */
};

/*
 * Looks at the extension of a file that is to be written: takes its clusters, fills h->ext
 * where its bitmaps are up to date, and h->closed. SV_UNSUPPORTED where it forbids writing.
 */
int sv_prl_ext_open(struct sv_hds *h, struct sv_err *err);
void sv_prl_ext_free(struct sv_prl_ext *x); /* NULL-safe */
/* A range of the disk changes: its bits are set. */
int sv_prl_ext_mark(struct sv_hds *h, uint64_t off, uint64_t len, struct sv_err *err);
/* Writes the cluster where it has changed; not flushed. */
int sv_prl_ext_write(struct sv_hds *h, struct sv_err *err);
/* The bitmaps get the disk's new size, and all of their bits are set. */
int sv_prl_ext_resize(struct sv_hds *h, uint64_t size, struct sv_err *err);
/* Reports what is wrong with an extension that readers believe, and takes its clusters. */
struct sv_image_faults;
void sv_prl_ext_check(struct sv_hds *h, struct sv_image_faults *faults);

#endif
