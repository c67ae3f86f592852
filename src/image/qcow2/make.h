/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making new qcow2 images: version 3, refcounts of 16 bits. */
#ifndef SV_IMAGE_QCOW2_MAKE_H
#define SV_IMAGE_QCOW2_MAKE_H

#include "image/driver.h"
#include "image/qcow2/header.h"

struct sv_qcow2_new {
	uint64_t size; /* bytes */
	uint32_t cluster_bits;
	uint64_t zero_from; /* clusters from this byte on are marked as zeros; size: none */
	const char *backing, *backing_format; /* QEMU's names; "" for none */
};

/* Makes the image in the new, empty file; not flushed. */
int sv_qcow2_make(struct sv_dev *file, const struct sv_qcow2_new *n, struct sv_err *err);
/* The bytes that it writes, at most; SV_UNSUPPORTED where the format cannot hold the size. */
int sv_qcow2_make_cost(const struct sv_qcow2_new *n, uint64_t *ret, struct sv_err *err);

/* A raw original's linked form is a qcow2 image, too: the driver's functions for both. */
int sv_qcow2_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
uint64_t sv_qcow2_linked_cost(struct sv_image *original, uint64_t size);
int sv_qcow2_check_linked(struct sv_image *original, uint64_t size, struct sv_err *err);

int sv_qcow2_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);

#endif
