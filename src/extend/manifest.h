/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The manifest of an extension: which files it made or changed, which originals they refer to,
 * and how all of them looked at the end. It is what rollback, verify and flatten go by, and
 * what lets a linked disk open its originals (io/allow.h). A folder that extend made has one
 * under SV_MANIFEST_NAME; a disk that was extended in place has one beside it, under its own
 * name with SV_MANIFEST_IN_PLACE behind it.
 *
 * The document is JSON, schema "sharevm.extended/1"; unknown fields are ignored.
 */
#ifndef SV_EXTEND_MANIFEST_H
#define SV_EXTEND_MANIFEST_H

#include "base/str.h"
#include "extend/identity.h"
#include "io/allow.h"

#define SV_MANIFEST_NAME     "sharevm.json"
#define SV_MANIFEST_IN_PLACE ".sharevm.json"
#define SV_MANIFEST_MAX      (16u << 20) /* bytes; 16 TB in 2 GB extents needs 2 MiB */

struct sv_manifest_file {
	char *name; /* of a made file: without a folder; of an original: canonical path */
	bool disk;  /* holds a guest's data: its change means that the result was used */
	struct sv_identity identity;
	char *full; /* originals: SHA-256 of all bytes once it was taken; "" before */
};

struct sv_manifest {
	char *name;        /* of the machine */
	char *mode;        /* "linked", "copy", "in-place" */
	char *undo;        /* in place: id of the undo file it belongs to; "" else */
	char *config;      /* file name of what is to be started: NAME.vmx, or the disk */
	char *disk;        /* file name of the extended disk */
	char *volume;      /* id of the volume that grew: "disk0p2" */
	uint64_t from, to; /* bytes of the virtual disk */
	bool asks_check;   /* the volume was left asking the guest for a check */
	bool used;         /* known to be used: what is recorded below was recorded later */
	struct sv_manifest_file *made;
	size_t n_made;
	struct sv_manifest_file *originals;
	size_t n_originals;
	char **pending; /* names that a flatten in progress makes, or has still to delete */
	size_t n_pending;
};

/* SV_NOTFOUND where there is none at `path`. */
int sv_manifest_load(
	struct sv_host *host, const char *path, struct sv_manifest **ret, struct sv_err *err);
/* Publishes it at `path` (temp, flush, rename, sync). */
int sv_manifest_save(struct sv_host *host, const char *path, const struct sv_manifest *m,
	struct sv_err *err);
void sv_manifest_free(struct sv_manifest *m);
SV_DEFINE_CLEANUP(struct sv_manifest, sv_manifest_free)
/* The manifest of folder `dir`. */
int sv_manifest_load_dir(
	struct sv_host *host, const char *dir, struct sv_manifest **ret, struct sv_err *err);

/* Records a made file of `dir` as it looks now; replaces an entry of the same name. */
int sv_manifest_add_made(struct sv_manifest *m, struct sv_host *host, const char *dir,
	const char *name, bool disk, struct sv_err *err);
int sv_manifest_add_original(struct sv_manifest *m, struct sv_host *host, const char *path,
	bool disk, struct sv_err *err);
const struct sv_manifest_file *sv_manifest_find_made(
	const struct sv_manifest *m, const char *name);
bool sv_manifest_is_pending(const struct sv_manifest *m, const char *name);

/*
 * Was the result used since it was made? True when a made disk file differs from what was
 * recorded; *ret_why is then a sentence that names it (caller frees).
 */
bool sv_manifest_was_used(
	const struct sv_manifest *m, struct sv_host *host, const char *dir, char **ret_why);

#endif
