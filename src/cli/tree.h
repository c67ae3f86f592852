/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The folders of a guest, walked depth first and by name. A damaged or hostile file system can
 * show a folder inside itself, or the same folder a million times: each folder is entered once
 * and no deeper than SV_TREE_DEPTH.
 */
#ifndef SV_CLI_TREE_H
#define SV_CLI_TREE_H

#include "guest/guest.h"

#define SV_TREE_DEPTH  512     /* Windows stops at 16 K characters of path, 255 is usual */
#define SV_ENTRIES_MAX 4000000 /* entries of one folder that are kept to sort them */

struct sv_entry {
	char *name;
	void *raw; /* the guest's own bytes where the name lost something; else NULL */
	size_t raw_len;
	uint64_t ino;
	enum sv_fs_type type;
};

struct sv_entries {
	struct sv_entry *item;
	size_t n, cap;
};

/* A folder's entries by name (capitals count as small letters). */
int sv_entries_read(struct sv_fs *fs, uint64_t ino, struct sv_entries *ret, struct sv_err *err);
void sv_entries_free(struct sv_entries *e); /* frees the content */
#define sv_autoentries SV_CLEANUP(sv_entries_free)

struct sv_tree_item {
	const char *path;             /* from the walk's root, "" for the root itself */
	const char *name;             /* its last component */
	const struct sv_entry *entry; /* NULL for the root */
	struct sv_fs_stat st;
	struct sv_fs *fs;
	size_t volume; /* of the guest: with fs and st.ino it is this object and no other */
};

struct sv_tree_ops {
	/* Each object before what is in it. Returns SV_TREE_*, or -1 with the error to stop. */
	int (*enter)(void *user, const struct sv_tree_item *item, struct sv_err *err);
	/* A folder after what is in it; may be NULL. */
	int (*leave)(void *user, const struct sv_tree_item *item, struct sv_err *err);
	/* Something could not be read; the walk goes on unless this returns -1. */
	int (*problem)(
		void *user, const char *path, const struct sv_err *what, struct sv_err *err);
};
enum { SV_TREE_ON, SV_TREE_SKIP /* do not go into this folder */ };

int sv_tree_walk(struct sv_fs *fs, uint64_t ino, const struct sv_tree_ops *ops, void *user,
	struct sv_job *job, struct sv_err *err);

/* The same of a volume of `guest`; where the guest mounts another volume on a folder, the walk
 * goes on there. */
int sv_tree_walk_guest(const struct sv_guest *guest, size_t volume, struct sv_fs *fs,
	uint64_t ino, const struct sv_tree_ops *ops, void *user, struct sv_job *job,
	struct sv_err *err);

#endif
