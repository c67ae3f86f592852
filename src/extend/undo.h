/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The undo file of an in-place extension, "DISK.sharevm-undo" beside the disk.
 *
 * A disk that is extended again before it was used gets another one: each has its level,
 * "DISK.sharevm-undo" is level 1, "DISK.sharevm-undo.2" level 2, their manifests are
 * "DISK.sharevm.json", "DISK.sharevm.json.2". The highest level is the latest change; rollback
 * undoes that one, and the level below is the latest then. What is said below holds for it.
 *
 * It is published (temp, flush, rename, folder synced) before the first byte of the disk
 * changes, and holds for every range that will be written the old bytes and the new ones. Three
 * states follow from what lies beside the disk:
 *
 *   undo file, no manifest     the change was cut off: each 512-byte sector of a range is old
 *                              or new; rollback puts the old ones back
 *   undo file and a manifest   complete, when the manifest names the undo file's id; else as
 *                              above: an older manifest goes right after a new undo file came
 *   no undo file               nothing to undo
 *
 * Format, little endian: header {magic "SVUNDO1\n", u32 version 1, u32 files, u64 payload
 * bytes, SHA-256 of the payload}; payload: per file {u16 name length, name, u8 created, u64 old
 * size, u64 new size, u32 ranges}, per range {u64 offset, u32 length, u32 old length, old
 * bytes, new bytes}. "old length" is what of the range lay within the old size. Names are plain
 * names in the undo file's folder, or absolute paths.
 */
#ifndef SV_EXTEND_UNDO_H
#define SV_EXTEND_UNDO_H

#include "base/job.h"
#include "extend/manifest.h"
#include "io/host.h"
#include "io/stage.h"

#define SV_UNDO_SUFFIX ".sharevm-undo"
#define SV_UNDO_MAX    (256u << 20) /* bytes of an undo file; 8 TB in place needs 10 MiB */
#define SV_UNDO_ID     65           /* hex of the payload's SHA-256, and NUL */
#define SV_UNDO_LEVELS 999          /* undo files beside one disk */

struct sv_undo;

/* From a stage that holds the finished change: reads the old bytes through `under`, writes and
 * publishes the undo file at `path`, replacing an older one. */
int sv_undo_write(struct sv_host *under, const char *path, const struct sv_host *stage,
	char ret_id[SV_UNDO_ID], struct sv_err *err);

/* SV_NOTFOUND where there is none; every field is checked. */
int sv_undo_load(
	struct sv_host *host, const char *path, struct sv_undo **ret, struct sv_err *err);
void sv_undo_free(struct sv_undo *u);
SV_DEFINE_CLEANUP(struct sv_undo, sv_undo_free)
const char *sv_undo_id(const struct sv_undo *u);

/*
 * Do the files still hold what the undo file knows? `complete`: all ranges must be the new
 * bytes and sizes the new ones; else each sector may be old or new, and sizes in between. A
 * difference is SV_UNSUPPORTED with path and offset: the disk was used.
 */
int sv_undo_check(struct sv_host *host, const struct sv_undo *u, bool complete,
	struct sv_job *job, struct sv_err *err);

/* Puts the old bytes and sizes back and deletes created files; flushed. May be repeated after
 * it was cut off. `lock`: take QEMU's image locks (not when the caller holds them). */
int sv_undo_apply(struct sv_host *host, const struct sv_undo *u, bool lock, struct sv_job *job,
	struct sv_err *err);

/* What lies beside a disk. */
enum sv_undo_state { SV_UNDO_NONE, SV_UNDO_CUT_OFF, SV_UNDO_COMPLETE };
struct sv_undo_files {
	enum sv_undo_state state;
	unsigned level;                  /* 0 when there is none */
	char *undo_path, *manifest_path; /* of the level; NULL when there is none */
	struct sv_undo *undo;            /* NULL when there is none */
	struct sv_manifest *manifest; /* NULL when there is none, or it is another change's */
};
/* The latest change of the disk (`below` 0), or the latest below a level. */
int sv_undo_find(struct sv_host *host, const char *disk, unsigned below,
	struct sv_undo_files *ret, struct sv_err *err);
void sv_undo_files_free(struct sv_undo_files *f); /* frees the content; safe on zeros */

/* Are all files that a complete change recorded as they were then? Else `path` and `why` (a
 * sentence without the path) tell of the first that is not. */
bool sv_undo_is_unused(struct sv_host *host, const struct sv_manifest *m, const char **ret_path,
	char why[SV_IDENTITY_WHY]);

/* After a rollback has brought a complete change's bytes back: records the files' new times in
 * its manifest. Leaves the manifest alone where a file has other bytes than it recorded. */
int sv_undo_renew(
	struct sv_host *host, struct sv_undo_files *f, struct sv_job *job, struct sv_err *err);

/* Removes all undo files and manifests of a disk that was used since: none of them can be
 * applied any more. Cut off, it leaves nothing that rollback would take for good. */
int sv_undo_forget(struct sv_host *host, const char *disk, struct sv_err *err);

/* Names beside the disk. Caller frees; NULL on NOMEM. */
char *sv_undo_path(const char *disk, unsigned level);
char *sv_undo_manifest_path(const char *disk, unsigned level);

#endif
