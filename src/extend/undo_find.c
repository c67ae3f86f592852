/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an in-place extension left beside a disk, and whether a dirty flag is our own. */
#include "extend/priv.h"
#include "extend/undo.h"

#include "base/str.h"

#include <string.h>

void sv_undo_files_free(struct sv_undo_files *f)
{
	free(f->undo_path);
	free(f->manifest_path);
	sv_undo_free(f->undo);
	sv_manifest_free(f->manifest);
	*f = (struct sv_undo_files){0};
}

static int find(struct sv_host *host, struct sv_undo_files *f, struct sv_err *err)
{
	if (!sv_host_exists(host, f->undo_path))
		return 0;
	if (sv_undo_load(host, f->undo_path, &f->undo, err) < 0)
		return -1;
	f->state = SV_UNDO_CUT_OFF;
	if (!sv_host_exists(host, f->manifest_path))
		return 0;
	if (sv_manifest_load(host, f->manifest_path, &f->manifest, err) < 0)
		return -1;
	if (!strcmp(f->manifest->undo, sv_undo_id(f->undo))) {
		f->state = SV_UNDO_COMPLETE;
	} else {
		sv_manifest_free(f->manifest);
		f->manifest = NULL;
	}
	return 0;
}

int sv_undo_find(
	struct sv_host *host, const char *disk, struct sv_undo_files *ret, struct sv_err *err)
{
	struct sv_undo_files f = {
		.undo_path = sv_format("%s%s", disk, SV_UNDO_SUFFIX),
		.manifest_path = sv_format("%s%s", disk, SV_MANIFEST_IN_PLACE),
	};

	if (!f.undo_path || !f.manifest_path ? sv_fail_nomem(err) < 0
					     : find(host, &f, err) < 0) {
		sv_undo_files_free(&f);
		return -1;
	}
	*ret = f;
	return 0;
}

static bool folder_is_ours(struct sv_host *host, const char *folder, const char *volume)
{
	SV_CLEANUP(sv_manifest_freep) struct sv_manifest *m = NULL;
	sv_autofree char *why = NULL;

	return sv_manifest_load_dir(host, folder, &m, NULL) == 0 && m->asks_check &&
	       !strcmp(m->volume, volume) && !sv_manifest_was_used(m, host, folder, &why);
}

static bool disk_is_ours(struct sv_host *host, const char *disk, const char *volume)
{
	struct sv_undo_files f = {0};
	char why[SV_IDENTITY_WHY];
	bool ours;

	if (sv_undo_find(host, disk, &f, NULL) < 0)
		return false;
	ours = f.state == SV_UNDO_COMPLETE && f.manifest->asks_check &&
	       !strcmp(f.manifest->volume, volume);
	for (size_t i = 0; ours && i < f.manifest->n_originals; i++)
		ours = sv_identity_same(host, f.manifest->originals[i].name,
			&f.manifest->originals[i].identity, why);
	sv_undo_files_free(&f);
	return ours;
}

bool sv_dirty_is_ours(struct sv_host *host, const struct sv_target *t)
{
	const char *volume = sv_target_volume(t)->id;

	return folder_is_ours(host, t->vm->folder, volume) ||
	       disk_is_ours(host, t->vm->disks[t->disk].path, volume);
}
