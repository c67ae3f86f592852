/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An open Parallels disk: a single expanding image file (hds.h), or one snapshot of a .hdd
 * folder (desc.h). In a folder the chain is what the descriptor says: the top snapshot, which
 * alone is written, its parent, and so on. A file in such a folder is opened as the snapshot
 * that it belongs to: alone it would show zeros for what its parents have.
 */
#ifndef SV_IMAGE_PARALLELS_H
#define SV_IMAGE_PARALLELS_H

#include "image/driver.h"
#include "image/parallels/desc.h"
#include "image/parallels/hds.h"

/* A piece of the disk. */
struct sv_prl_part {
	uint64_t start, length;
	char *path; /* canonical */
	struct sv_dev *file;
	struct sv_hds *hds; /* NULL: the file is the bytes */
	bool dirty;         /* a plain one was written since the last flush */
};

struct sv_prl {
	struct sv_link link;
	struct sv_prl_desc *desc; /* NULL: a single file */
	char *desc_path;          /* canonical */
	size_t shot;
	struct sv_prl_part *parts;
	size_t n_parts;
};

static inline struct sv_prl *sv_prl_of(struct sv_link *l)
{
	return (struct sv_prl *)l;
}

/* ---- the folder (bundle.c) ---- */

/* Reads a descriptor. */
int sv_prl_read_desc(
	struct sv_host *host, const char *path, struct sv_prl_desc **ret, struct sv_err *err);
/*
 * Which snapshot of which descriptor the file belongs to: *ret_desc is NULL where there is
 * none that names it. Caller frees.
 */
int sv_prl_find_desc(struct sv_host *host, const char *path, struct sv_prl_desc **ret_desc,
	char **ret_desc_path, size_t *ret_shot, struct sv_err *err);
/* What a link is opened from. */
struct sv_prl_source {
	const struct sv_link_env *env;
	struct sv_prl_desc *desc;
	const char *desc_path;
	const char *path; /* a file that is open already: its locks would shut out a second */
	struct sv_dev *file; /* NULL: there is none */
	bool parent;         /* the files may lie anywhere */
};
/* A new link that shows one snapshot; takes references of its own. */
int sv_prl_open_shot(
	const struct sv_prl_source *from, size_t shot, struct sv_prl **ret, struct sv_err *err);
/* The canonical path of a snapshot's file in a storage. Caller frees. */
char *sv_prl_image_path(const struct sv_link_env *env, const char *desc_path,
	const struct sv_prl_image *image, bool parent, struct sv_err *err);

/* ---- the pieces (parts.c) ---- */

/* Its start, length and path are known. */
int sv_prl_open_part(const struct sv_prl_source *from, struct sv_prl *p, size_t i, bool plain,
	struct sv_err *err);
/* The piece that holds byte off of the disk. */
struct sv_prl_part *sv_prl_part_at(struct sv_prl *p, uint64_t off);
void sv_prl_close(struct sv_link *l);
int sv_prl_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
int sv_prl_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_prl_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);
int sv_prl_flush(struct sv_link *l, struct sv_err *err);

/* ---- filling (fill.c) ---- */

int sv_prl_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err);
int sv_prl_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err);
int sv_prl_fill_end(struct sv_link *l, struct sv_err *err);

/* ---- making (create.c) ---- */

/* Pieces of a split disk, as Parallels makes them. */
#define SV_PRL_SPLIT (2 * SV_GIB)

/* "STEM.hdd.0.{GUID}.hds". Caller frees. */
char *sv_prl_part_name(const char *stem, size_t i, const char *guid);
/* A new folder; its descriptor and the empty file beside it. Flushed, but for the folder. */
int sv_prl_make_folder(
	struct sv_host *host, const char *path, struct sv_made *made, struct sv_err *err);
int sv_prl_make_folder_files(struct sv_host *host, const char *folder, const char *text,
	size_t n, struct sv_made *made, struct sv_err *err);

/* ---- the rest of the driver ---- */

/* Does the file begin like an expanding image? */
int sv_prl_is_expanding(struct sv_dev *file, bool *ret, struct sv_err *err);

int sv_prl_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);
int sv_prl_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err);
int sv_prl_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);
int sv_prl_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err);
int sv_prl_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
const char *sv_prl_flat_subformat(const struct sv_link *l);
uint64_t sv_prl_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size);
int sv_prl_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);

#endif
