/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records of a dynamic disk's database (VBLKs): volumes are made of components (plexes), these
 * of partitions, which lie on disks; objects name their parents by number. Sizes and places are
 * in sectors. Sources: see header.h.
 */
#ifndef SV_VOLUME_LDM_RECORD_H
#define SV_VOLUME_LDM_RECORD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SV_LDM_NAME 64

enum sv_ldm_kind {
	SV_LDM_BLANK = 0,
	SV_LDM_VOLUME = 1,
	SV_LDM_COMPONENT = 2,
	SV_LDM_PARTITION = 3,
	SV_LDM_DISK = 4,
	SV_LDM_GROUP = 5,
};

enum sv_ldm_way { SV_LDM_STRIPED = 1, SV_LDM_SPANNED = 2, SV_LDM_RAID5 = 3 };

struct sv_ldm_volume {
	uint64_t children; /* components: two are a mirror */
	uint64_t size;
	uint8_t guid[16];
	uint8_t type; /* of its content, as an MBR tells it */
	char letter;  /* that Windows gave it last; 0 for none */
};

struct sv_ldm_component {
	uint64_t parent;   /* volume */
	uint64_t children; /* partitions */
	enum sv_ldm_way way;
	uint64_t chunk;   /* striped, RAID 5 */
	uint64_t columns; /* the same; 0: as many as partitions */
	bool active;      /* its state is "ACTIVE": its content is current */
};

struct sv_ldm_partition {
	uint64_t parent; /* component */
	uint64_t disk;
	uint64_t start;  /* from the disk's data start on */
	uint64_t offset; /* in its component */
	uint64_t size;
	uint64_t column;
};

struct sv_ldm_disk {
	uint8_t guid[16]; /* as PRIVHEAD tells it */
};

struct sv_ldm_record {
	enum sv_ldm_kind kind;
	uint64_t id;
	char name[SV_LDM_NAME]; /* UTF-8 or not; cut where longer */
	union {
		struct sv_ldm_volume volume;
		struct sv_ldm_component component;
		struct sv_ldm_partition partition;
		struct sv_ldm_disk disk;
	};
};

/*
 * A whole record (fragments joined), from its update status on. A record that is only about to
 * be added gives SV_LDM_BLANK.
 */
int sv_ldm_parse_record(
	const uint8_t *bytes, size_t n, struct sv_ldm_record *ret, struct sv_err *err);

#endif
