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

/* ---- names ---- */

static char *beside(const char *disk, const char *suffix, unsigned level)
{
	return level < 2 ? sv_format("%s%s", disk, suffix)
			 : sv_format("%s%s.%u", disk, suffix, level);
}

char *sv_undo_path(const char *disk, unsigned level)
{
	return beside(disk, SV_UNDO_SUFFIX, level);
}

char *sv_undo_manifest_path(const char *disk, unsigned level)
{
	return beside(disk, SV_MANIFEST_IN_PLACE, level);
}

/* The level of an undo file of `disk` (without folder), 0 for any other name. */
static unsigned level_of(const char *name, const char *disk)
{
	const char *rest = name + strlen(disk) + strlen(SV_UNDO_SUFFIX);
	unsigned level = 0;

	if (!sv_starts_with(name, disk) || !sv_starts_with(name + strlen(disk), SV_UNDO_SUFFIX))
		return 0;
	if (!*rest)
		return 1;
	if (*rest++ != '.' || *rest == '0')
		return 0;
	for (; *rest; rest++) {
		if (*rest < '0' || *rest > '9' || level > SV_UNDO_LEVELS)
			return 0;
		level = level * 10 + (unsigned)(*rest - '0');
	}
	return level >= 2 && level <= SV_UNDO_LEVELS ? level : 0;
}

static int find_level(struct sv_host *host, const char *disk, unsigned below, unsigned *ret,
	struct sv_err *err)
{
	sv_autofree char *folder = sv_path_dir(disk);
	char **names;
	size_t n;

	*ret = 0;
	if (!folder)
		return sv_fail_nomem(err);
	if (sv_host_list(host, folder, &names, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		unsigned level = level_of(names[i], sv_path_base(disk));

		if (level > *ret && (!below || level < below))
			*ret = level;
	}
	sv_host_free_names(names, n);
	return 0;
}

/* ---- what lies there ---- */

static int load(struct sv_host *host, struct sv_undo_files *f, struct sv_err *err)
{
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

int sv_undo_find(struct sv_host *host, const char *disk, unsigned below,
	struct sv_undo_files *ret, struct sv_err *err)
{
	struct sv_undo_files f = {0};

	if (find_level(host, disk, below, &f.level, err) < 0)
		return -1;
	if (f.level) {
		f.undo_path = sv_undo_path(disk, f.level);
		f.manifest_path = sv_undo_manifest_path(disk, f.level);
		if (!f.undo_path || !f.manifest_path ? sv_fail_nomem(err) < 0
						     : load(host, &f, err) < 0) {
			sv_undo_files_free(&f);
			return -1;
		}
	}
	*ret = f;
	return 0;
}

bool sv_undo_is_unused(struct sv_host *host, const struct sv_manifest *m, const char **ret_path,
	char why[SV_IDENTITY_WHY])
{
	for (size_t i = 0; i < m->n_originals; i++) {
		*ret_path = m->originals[i].name;
		if (!sv_identity_same(host, *ret_path, &m->originals[i].identity, why))
			return false;
	}
	return true;
}

/* The identity as it is now, where only the time differs from the recorded one. */
static bool renew_identity(struct sv_host *host, struct sv_manifest_file *f)
{
	struct sv_identity now;

	if (sv_identity_of(host, f->name, true, &now, NULL) < 0 ||
		now.size != f->identity.size || strcmp(now.sample, f->identity.sample) != 0)
		return false;
	f->identity = now;
	return true;
}

int sv_undo_renew(
	struct sv_host *host, struct sv_undo_files *f, struct sv_job *job, struct sv_err *err)
{
	if (f->state != SV_UNDO_COMPLETE || sv_undo_check(host, f->undo, true, job, NULL) < 0)
		return 0;
	for (size_t i = 0; i < f->manifest->n_originals; i++) {
		if (!renew_identity(host, &f->manifest->originals[i]))
			return 0;
	}
	return sv_manifest_save(host, f->manifest_path, f->manifest, err);
}

/* The undo file goes first: without it a manifest says nothing, but the undo file of a used
 * disk without its manifest would look like that of a change that was cut off. */
static int forget_level(
	struct sv_host *host, const char *disk, unsigned level, struct sv_err *err)
{
	sv_autofree char *undo = sv_undo_path(disk, level);
	sv_autofree char *manifest = sv_undo_manifest_path(disk, level);
	sv_autofree char *folder = sv_path_dir(disk);

	if (!undo || !manifest || !folder)
		return sv_fail_nomem(err);
	if (sv_host_unlink(host, undo, err) < 0 || sv_host_sync_dir(host, folder, err) < 0)
		return -1;
	return sv_host_exists(host, manifest) ? sv_host_unlink(host, manifest, err) : 0;
}

int sv_undo_forget(struct sv_host *host, const char *disk, struct sv_err *err)
{
	unsigned level;

	do {
		if (find_level(host, disk, 0, &level, err) < 0 ||
			(level && forget_level(host, disk, level, err) < 0))
			return -1;
	} while (level > 0);
	return 0;
}

/* ---- a dirty flag of our own ---- */

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
	const char *path;
	bool ours;

	if (sv_undo_find(host, disk, 0, &f, NULL) < 0)
		return false;
	ours = f.state == SV_UNDO_COMPLETE && f.manifest->asks_check &&
	       !strcmp(f.manifest->volume, volume) &&
	       sv_undo_is_unused(host, f.manifest, &path, why);
	sv_undo_files_free(&f);
	return ours;
}

bool sv_dirty_is_ours(struct sv_host *host, const struct sv_target *t)
{
	const char *volume = sv_target_volume(t)->id;

	return folder_is_ours(host, t->vm->folder, volume) ||
	       disk_is_ours(host, t->vm->disks[t->disk].path, volume);
}
