/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the guest room share beyond guest.h. */
#ifndef SV_GUEST_PRIVATE_H
#define SV_GUEST_PRIVATE_H

#include "guest/guest.h"
#include "hive/hive.h"
#include "volume/group.h"

/* Volumes on volumes on volumes: LVM2 on md on partitions takes two rounds. */
#define SV_GUEST_GROUP_ROUNDS 4

/* The guest as it is allocated: the public part first, then what callers must not see. */
struct sv_guest_impl {
	struct sv_guest pub;
	struct sv_fs **fs; /* by volume; NULL where it is not readable */
	size_t n_fs;
	struct sv_group_volumes groups[SV_GUEST_GROUP_ROUNDS]; /* what owns their names */
};

/* Puts a copy of `value` in place of *text. */
int sv_guest_set_text(char **text, const char *value, struct sv_err *err);

/* Appends a volume, whose strings and device the guest owns from then on; frees them when it
 * fails. */
int sv_guest_append(struct sv_guest *g, struct sv_guest_volume *v, struct sv_err *err);
void sv_guest_volume_free(struct sv_guest_volume *v); /* frees the content */

/*
 * groups.c: appends what volume managers make of the volumes from `from` on. `round` counts
 * from 0.
 */
int sv_guest_add_groups(struct sv_guest *g, size_t from, unsigned round, struct sv_job *job,
	struct sv_err *err);

/* parts.c: opens what volume i holds, together with the volumes behind it that are further
 * devices of it; their problem tells so. Their types are known. */
int sv_guest_open_fs(struct sv_guest *g, size_t i, struct sv_fs **ret, struct sv_err *err);

/* The first one is g->os, whose volume is the system volume. `family` is copied. */
int sv_guest_new_system(struct sv_guest *g, size_t volume, const char *family,
	const char *folder, struct sv_guest_os **ret, struct sv_err *err);
bool sv_guest_has_system(const struct sv_guest *g, size_t volume); /* was one found there? */
int sv_guest_os_init(struct sv_guest_os *os, struct sv_err *err);  /* of zeros */
void sv_guest_os_free(struct sv_guest_os *os);

/* find.c: a path from the folder `root` of a volume, which no link leaves but by a letter. */
int sv_guest_find_from(struct sv_guest *g, size_t volume, uint64_t root, const char *path,
	bool follow_last, bool mounts, struct sv_guest_place *ret, struct sv_err *err);

/*
 * linux.c: adds the Linux systems to g->os and g->others, and the mounts of the one on the
 * system volume. What cannot be found out stays "": only SV_NOMEM and SV_CANCELLED are errors.
 */
int sv_linux_detect(struct sv_guest *g, struct sv_job *job, struct sv_err *err);

/* other_systems.c: the same for macOS and the BSDs; and, where nothing else is there, for those
 * whose file system is not read here. */
int sv_others_detect(struct sv_guest *g, struct sv_job *job, struct sv_err *err);
int sv_unreadable_detect(struct sv_guest *g, struct sv_err *err);

/* mounts.c: g->mounts from the text of an fstab ("" for none); `root` is mounted on "/". */
int sv_mounts_add(struct sv_guest *g, size_t volume, uint64_t root, const char *fstab,
	struct sv_err *err);

/*
 * windows.c: fills g->os, g->others, g->system_volume and the drive letters where volumes hold
 * a Windows. What cannot be found out stays "" (a damaged hive is told by a note): only
 * SV_NOMEM and SV_CANCELLED are errors. `brief`: only which, where, and the letters.
 */
int sv_windows_detect(struct sv_guest *g, bool brief, struct sv_job *job, struct sv_err *err);

/* A path as that Windows writes it ("%SystemDrive%\\Users\\Zoë", "C:\\Users\\Zoë") -> volume
 * and path in it. Caller frees *ret_path. */
int sv_guest_resolve_windows(struct sv_guest *g, const struct sv_guest_os *os, const char *path,
	size_t *ret_volume, char **ret_path, struct sv_err *err);

/* windows_facts.c, windows_users.c: what hives tell (NULL: it cannot be read). The error is
 * only ever SV_NOMEM. */
int sv_windows_facts(struct sv_guest_os *os, struct sv_hive *software, struct sv_hive *system,
	struct sv_err *err);
int sv_windows_users(struct sv_guest_os *os, struct sv_hive *sam, struct sv_hive *software,
	struct sv_err *err);

#endif
