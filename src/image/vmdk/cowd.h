/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header of a COWD extent, ESX's sparse file ("Virtual Disk Format 5.0", section "ESX
 * Server Sparse Extents"; libvmdk's format documentation): one directory, tables of 4096
 * entries, mostly grains of one sector. Behind the header it is a hosted sparse extent with
 * larger tables, and is read as one. Pure: no I/O.
 */
#ifndef SV_IMAGE_VMDK_COWD_H
#define SV_IMAGE_VMDK_COWD_H

#include "image/vmdk/header.h"

#define SV_VMDK_COWD_MAGIC       "COWD"
#define SV_VMDK_COWD_SIZE        2048
#define SV_VMDK_COWD_TABLE_SHIFT 3 /* its tables are 8 of the hosted ones: 4096 entries */

/*
 * Reads the first SV_VMDK_COWD_SIZE bytes of a file of `file_size` bytes into the header of
 * the same hosted extent. SV_CORRUPT with the offset of the field, SV_UNSUPPORTED for unknown
 * versions. Guarantees: the directory lies in the file and is large enough for the capacity.
 */
int sv_vmdk_cowd_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_vmdk_header *ret, struct sv_err *err);

#endif
