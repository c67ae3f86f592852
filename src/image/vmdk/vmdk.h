/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One link of a VMDK chain: a descriptor (a text file, or embedded in its only extent) and
 * the extents that it lists. Shared by the files of the driver, vmdk*.c.
 */
#ifndef SV_IMAGE_VMDK_H
#define SV_IMAGE_VMDK_H

#include "image/driver.h"
#include "image/vmdk/desc.h"
#include "image/vmdk/sesparse.h"
#include "image/vmdk/sparse.h"

#include "base/num.h"

/* One extent. Offsets and lengths are bytes. */
struct sv_vmdk_part {
	uint64_t start, length;        /* on the guest's disk */
	enum sv_vmdk_extent_type type; /* FLAT (VMFS too), SPARSE (COWD too), SESPARSE, ZERO */
	char *path;                    /* canonical; NULL for ZERO */
	struct sv_dev *file;
	uint64_t flat_at;                  /* FLAT: where the data begins in the file */
	struct sv_vmdk_sparse *sparse;     /* SPARSE */
	struct sv_vmdk_sesparse *sesparse; /* SESPARSE */
	bool dirty;                        /* FLAT: written since the last flush */
};

struct sv_vmdk {
	struct sv_link link;
	struct sv_vmdk_desc desc;
	struct sv_dev *file; /* holds the descriptor */
	bool embedded;
	uint64_t desc_at, desc_room; /* bytes; a text file has room for SV_VMDK_DESC_MAX */
	struct sv_vmdk_part *parts;  /* one per extent of desc */
	size_t n_parts;
	struct sv_vmdk_tables *tables;
	bool lock;        /* extents are opened with locks */
	bool cid_changed; /* since it was opened */
};

/* The text of a descriptor and where it stands. */
struct sv_vmdk_text {
	char *text; /* NUL-terminated; caller frees */
	size_t n;
	bool embedded;
	uint64_t at, room;
};

/* The remedy for disks that are devices. */
#define SV_VMDK_DEVICE_HINT                                                                    \
	"make a file of it first: on ESXi 'vmkfstools -i DISK.vmdk -d thin COPY.vmdk', "       \
	"elsewhere copy the device with ddrescue"

/* Finds and reads the descriptor of an open file, whatever it says. */
int sv_vmdk_read_text(struct sv_dev *file, struct sv_vmdk_text *ret, struct sv_err *err);
/* Refuses by name what this driver does not do (VMFS, devices, encryption, ...). */
int sv_vmdk_check_type(const struct sv_vmdk_desc *d, struct sv_err *err);
/* Opens extent i of the link: fills parts[i], whose start is known. */
int sv_vmdk_open_part(const struct sv_link_env *env, struct sv_vmdk *v, const char *path,
	size_t i, struct sv_err *err);
/* Reads and parses the descriptor into a new link without parts. */
int sv_vmdk_load(const char *path, struct sv_dev *file, bool writable, struct sv_vmdk **ret,
	struct sv_err *err);
void sv_vmdk_close(struct sv_link *l);
/* Closes the device of a part; its path stays. */
void sv_vmdk_close_part(struct sv_vmdk_part *p);

/* Replaces the text of the descriptor in its place; not flushed. */
int sv_vmdk_write_text(struct sv_vmdk *v, const char *text, size_t n, struct sv_err *err);
/* Prints desc over the old text. */
int sv_vmdk_write_desc(struct sv_vmdk *v, struct sv_err *err);
/* A new content id, as the first change after opening demands: children must notice. */
int sv_vmdk_change_cid(struct sv_vmdk *v, struct sv_err *err);
int sv_vmdk_random_cid(uint32_t *ret, struct sv_err *err);

/* The part that holds byte off of the guest's disk. */
struct sv_vmdk_part *sv_vmdk_part_at(struct sv_vmdk *v, uint64_t off);

/* Draws a new content id: CID, and ddb.longContentID where there is one. */
int sv_vmdk_desc_new_cid(struct sv_vmdk_desc *d, struct sv_err *err);

/* ---- making ---- */

/* An empty descriptor with a random content id and no parent; freed by the caller, also after
 * a failure. */
int sv_vmdk_init_desc(struct sv_vmdk_desc *d, const char *kind, struct sv_err *err);
int sv_vmdk_set_parent(
	struct sv_vmdk_desc *d, const char *hint, uint32_t cid, struct sv_err *err);
/* A new extent file of the type, flushed. */
int sv_vmdk_make_extent(struct sv_host *host, const char *path, enum sv_vmdk_extent_type type,
	uint64_t sectors, struct sv_made *made, struct sv_err *err);
/* A new monolithicSparse disk with d embedded, flushed. */
int sv_vmdk_make_monolithic(struct sv_host *host, const char *path,
	const struct sv_vmdk_desc *d, struct sv_made *made, struct sv_err *err);
/* Takes over the ddb settings that describe the disk, not the file. */
int sv_vmdk_inherit(
	struct sv_vmdk_desc *d, const struct sv_vmdk_desc *from, struct sv_err *err);
void sv_vmdk_identity(const struct sv_link *l, struct sv_image_identity *ret);
/* The serial number and geometry as the spec wants them. */
int sv_vmdk_set_identity(
	struct sv_vmdk_desc *d, const struct sv_image_spec *spec, struct sv_err *err);
/* The ddb settings of a new disk: its parent's or pattern's, or the defaults. */
int sv_vmdk_fill_ddb(
	struct sv_vmdk_desc *d, const struct sv_image_spec *spec, struct sv_err *err);
/* SV_UNSUPPORTED above SV_VMDK_SIZE_MAX. */
int sv_vmdk_check_size(const char *path, uint64_t size, struct sv_err *err);
/* A new text descriptor, flushed. */
int sv_vmdk_make_text(struct sv_host *host, const char *path, const struct sv_vmdk_desc *d,
	struct sv_made *made, struct sv_err *err);

/* Sets what depends on the size: ddb.geometry, ddb.virtualHWVersion. */
int sv_vmdk_set_geometry(struct sv_vmdk_desc *d, struct sv_err *err);

/* Is it split into extents of 2 GB? */
bool sv_vmdk_is_split(const struct sv_vmdk_desc *d);

/* The largest disk that VMware makes, in bytes. */
#define SV_VMDK_SIZE_MAX (62 * SV_TIB)
/* A part of a split disk, in sectors: 2047 MiB, as VMware makes them. */
#define SV_VMDK_SPLIT_SECTORS UINT64_C(4192256)

/* "STEM-s001.vmdk", "STEM-f001.vmdk", "STEM-flat.vmdk". Caller frees. */
char *sv_vmdk_part_name(const char *stem, enum sv_vmdk_extent_type type, bool split, size_t i);
/* The file's name without ".vmdk". Caller frees. */
char *sv_vmdk_stem(const char *path);

/* The name in UTF-8, where the descriptor says that it is in a Western encoding and it is not
 * UTF-8 as it stands; else NULL. Caller frees. */
char *sv_vmdk_other_name(const struct sv_vmdk_desc *d, const char *name);

/* The functions of the driver that have their own files. */
int sv_vmdk_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
/* Of packed grains only. */
int sv_vmdk_read(struct sv_link *l, void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_vmdk_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_vmdk_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);
int sv_vmdk_flush(struct sv_link *l, struct sv_err *err);
int sv_vmdk_fill_begin(
	struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err);
int sv_vmdk_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err);
int sv_vmdk_fill_end(struct sv_link *l, struct sv_err *err);
int sv_vmdk_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);
bool sv_vmdk_is_whole(const char *subformat);
int sv_vmdk_write_whole(struct sv_host *host, const char *path,
	const struct sv_image_spec *spec, struct sv_dev *source, struct sv_job *job,
	struct sv_err *err);
int sv_vmdk_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err);
int sv_vmdk_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);
int sv_vmdk_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
int sv_vmdk_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err);
const char *sv_vmdk_flat_subformat(const struct sv_link *l);
uint64_t sv_vmdk_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size);
int sv_vmdk_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);

#endif
