/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An open VDI, shared by this folder's files.
 *
 * Crash order: new blocks go behind the last one in use. Their data and the header's count of
 * blocks are flushed first, then their map entries are written and flushed. A power cut
 * leaves an entry as it was or pointing to a block whose data are all there; the count is
 * never too small, so that no other program gives a block away twice. What can be left is
 * a count that is too large, which the next change puts right.
 *
 * Before its first change an image gets a new modification id, flushed: children can tell.
 * Memory: 4 bytes a block (1 MiB of the guest's disk).
 */
#ifndef SV_IMAGE_VDI_H
#define SV_IMAGE_VDI_H

#include "image/driver.h"
#include "image/vdi/format.h"

struct sv_vdi {
	struct sv_link link;
	struct sv_host *host; /* to look for the parent */
	struct sv_dev *file;
	struct sv_vdi_header header;
	uint32_t *map;    /* host order */
	uint32_t next;    /* place of the next new block: behind the last in use */
	uint32_t count;   /* what the file's header says */
	uint8_t *changed; /* a bit per block: its entry is not in the file yet */
	uint32_t *list;   /* those blocks */
	size_t n_list, cap_list;
	bool dirty;
	bool marked; /* the modification id is new */
};

/* Reads header and map; info is not filled in. Free with sv_vdi_close(). */
int sv_vdi_load(struct sv_dev *file, bool writable, struct sv_vdi **ret, struct sv_err *err);
void sv_vdi_close(struct sv_link *l);

static inline bool sv_vdi_is_place(uint32_t entry)
{
	return entry < SV_VDI_ZERO;
}

static inline uint64_t sv_vdi_place_at(const struct sv_vdi *v, uint64_t place)
{
	return v->header.data_at + place * v->header.block_size;
}

int sv_vdi_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
char *sv_vdi_parent(const struct sv_link *l, unsigned nth);
int sv_vdi_match_parent(
	const struct sv_link *child, const struct sv_link *parent, struct sv_err *err);

int sv_vdi_new_uuid(uint8_t id[SV_VDI_UUID_SIZE], struct sv_err *err);
int sv_vdi_begin_change(struct sv_vdi *v, struct sv_err *err);
/* Changes an entry in memory, and in the file with the next flush. */
int sv_vdi_set_entry(struct sv_vdi *v, uint64_t block, uint32_t entry, struct sv_err *err);
/* Space for a block that reads as zeros; its entry is not set. */
int sv_vdi_add_place(struct sv_vdi *v, uint32_t *ret_place, struct sv_err *err);
/* Entries [first, first+n) of `map`, into the map at byte map_at of the file. */
int sv_vdi_write_map(struct sv_vdi *v, const uint32_t *map, uint64_t map_at, uint64_t first,
	uint64_t n, struct sv_err *err);
int sv_vdi_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_vdi_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);
int sv_vdi_fill_begin(struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err);
int sv_vdi_fill_place(
	struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret, struct sv_err *err);
int sv_vdi_fill_end(struct sv_link *l, struct sv_err *err);
int sv_vdi_flush(struct sv_link *l, struct sv_err *err);
int sv_vdi_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err);

void sv_vdi_identity(const struct sv_link *l, struct sv_image_identity *ret);
int sv_vdi_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);
int sv_vdi_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err);
int sv_vdi_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
uint64_t sv_vdi_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size);
int sv_vdi_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);
/* What must not be written: blocks that share a place, or lie outside the file. A write to one
 * of them would change another one's bytes. */
int sv_vdi_refuse_faults(struct sv_vdi *v, struct sv_err *err);
int sv_vdi_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);

#endif
