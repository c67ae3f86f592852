/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this room share: the open extension, and lists of sentences. */
#ifndef SV_EXTEND_PRIV_H
#define SV_EXTEND_PRIV_H

#include "extend/extend.h"
#include "extend/guest_edit.h"
#include "extend/manifest.h"
#include "extend/target.h"
#include "fs/grow.h"
#include "io/partial.h"

struct sv_extend {
	struct sv_host *host;
	struct sv_target target;
	struct sv_extend_plan plan;
	char *name;                  /* of the machine, fit for a file name */
	char *parent;                /* folder in which the result's folder will be made */
	enum sv_image_derive derive; /* for a linked or copied result */
	bool quick, no_chkdsk, new_identity;
	unsigned undo_level;    /* in place: of the undo file to come (undo.h) */
	unsigned undo_stale;    /* levels that can be undone no more: the disk was used since */
	struct sv_allow *allow; /* borrowed */
};

#define SV_FLATTEN_PARTIAL                                                                     \
	"flatten.partial" /* folder inside a result, while it is flattened                     \
			   */

/* Appends a printf'ed sentence to a list of strings; -1 on SV_NOMEM. */
__attribute__((format(printf, 4, 5))) int sv_list_add(
	char ***list, size_t *n, struct sv_err *err, const char *fmt, ...);
void sv_list_free(char **list, size_t n);

/* Was this volume's dirty flag set by an extension of ours, and is the disk unchanged since? */
bool sv_dirty_is_ours(struct sv_host *host, const struct sv_target *t);

/* plan_text.c: fills the plan's steps and warnings. */
int sv_plan_describe(struct sv_extend *x, const struct sv_fs_grow_plan *fs, struct sv_err *err);

/* folder.c: builds and publishes a linked or copied result. */
int sv_extend_into_folder(struct sv_extend *x, struct sv_job *job, struct sv_extend_result *ret,
	struct sv_err *err);
/* other_disk.c: makes, in `folder`, the new machine's own disk for disk i, which is not
 * extended. *ret_name is its file name; caller frees. */
int sv_other_disk_make(struct sv_extend *x, size_t i, const char *folder, struct sv_job *job,
	char **ret_name, struct sv_err *err);
/* inplace.c */
int sv_extend_in_place(struct sv_extend *x, struct sv_job *job, struct sv_extend_result *ret,
	struct sv_err *err);
/* SV_UNSUPPORTED where the machine cannot be extended in place. Fills undo_level, undo_stale.
 */
int sv_in_place_check(struct sv_extend *x, struct sv_err *err);

#endif
