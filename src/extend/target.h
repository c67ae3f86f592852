/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is to be extended: the machine with its disks open read-only (QEMU's image locks held),
 * and the one disk, partition and volume that were chosen.
 */
#ifndef SV_EXTEND_TARGET_H
#define SV_EXTEND_TARGET_H

#include "extend/extend.h"
#include "extend/identity.h"
#include "guest/guest.h"
#include "image/image.h"
#include "vm/vm.h"

/* A file that the disks are made of, as it was when they were opened. */
struct sv_target_file {
	char *path;
	struct sv_identity identity; /* not sampled */
};

struct sv_target {
	struct sv_vm *vm;
	struct sv_image **images; /* per vm->disks[i]; NULL for a disk that is not written */
	size_t n_images;
	struct sv_guest *guest;
	size_t disk;          /* index of the disk to extend, in vm->disks and guest->disks */
	size_t volume;        /* index in guest->volumes */
	uint64_t size;        /* new size of the disk, bytes */
	uint64_t volume_size; /* new size of the volume, bytes */
	uint64_t fs_size;     /* that its file system is going to cover; set by the plan */
	struct sv_target_file *files;
	size_t n_files;
};

/*
 * Opens and chooses. Raises SV_BUSY for a machine in use, SV_UNSUPPORTED for what is refused by
 * name (encrypted, shared or independent disks, no volume that can grow), SV_USAGE for a size
 * or a volume that cannot be meant.
 */
int sv_target_open(struct sv_host *host, const struct sv_extend_request *req,
	struct sv_job *job, struct sv_target *ret, struct sv_err *err);
void sv_target_close(struct sv_target *t); /* frees the content; safe on a zeroed one */

/* SV_BUSY when a file of the disks is not what it was when they were opened. */
int sv_target_check_files(struct sv_host *host, const struct sv_target *t, struct sv_err *err);
/* seen.c, for target.c */
int sv_target_see_files(struct sv_host *host, struct sv_target *t, struct sv_err *err);
void sv_target_forget_files(struct sv_target *t);

struct sv_image *sv_target_image(const struct sv_target *t);
struct sv_guest_volume *sv_target_volume(const struct sv_target *t);
struct sv_guest_disk *sv_target_disk(const struct sv_target *t);

#endif
