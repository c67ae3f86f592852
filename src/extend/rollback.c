/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Going back. A folder that extend made is deleted, and nothing else: its name is first given
 * up by renaming it to ".partial", which the next run removes if this one is cut off. A disk
 * that was extended in place gets its old bytes back. Both only until the result was used.
 */
#include "extend/priv.h"
#include "extend/undo.h"

#include "base/str.h"

#include <string.h>

struct rollback {
	struct sv_host *host;
	struct sv_job *job;
	bool discard;
	bool plan; /* make the checks only */
};

/* ---- a folder ---- */

/* What VMware writes beside a machine that it ran; deleted only with --discard-changes. */
static bool is_vmware_trace(const struct sv_manifest *m, const char *name)
{
	static const char *const ends[] = {
		".nvram", ".vmsd", ".vmxf", ".scoreboard", ".plist", ".vmx.bak"};

	if (sv_starts_with(name, "vmware") && sv_ends_with(name, ".log"))
		return true;
	if (!sv_starts_with(name, m->name))
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (sv_ends_with(name, ends[i]))
			return true;
	}
	return false;
}

static bool is_ours(const struct sv_manifest *m, const char *name)
{
	return !strcmp(name, SV_MANIFEST_NAME) || !strcmp(name, SV_PARTIAL_MARK) ||
	       sv_manifest_find_made(m, name) || sv_manifest_is_pending(m, name);
}

static int check_entry(struct sv_host *host, const char *dir, const struct sv_manifest *m,
	const char *name, bool discard, struct sv_err *err)
{
	sv_autofree char *path = sv_path_join(dir, name);
	struct sv_host_stat st;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_host_lstat(host, path, &st, err) < 0)
		return -1;
	if (st.type == SV_HOST_FILE &&
		(is_ours(m, name) || (discard && is_vmware_trace(m, name))))
		return 0;
	if (st.type == SV_HOST_FILE && is_vmware_trace(m, name)) {
		sv_fail(err, SV_UNSUPPORTED, path, "the extended machine was started since");
		return sv_hint(err,
			"to delete it with all that was done in it: sharevm rollback "
			"--discard-changes '%s'",
			dir);
	}
	sv_fail(err, SV_UNSUPPORTED, path, "it is not something that extend made");
	return sv_hint(
		err, "rollback deletes only what extend made: move it out of the folder");
}

static int check_used(
	struct sv_host *host, const char *dir, const struct sv_manifest *m, struct sv_err *err)
{
	sv_autofree char *why = NULL;

	if (!sv_manifest_was_used(m, host, dir, &why))
		return 0;
	sv_fail(err, SV_UNSUPPORTED, dir, "the extended disk was used since it was made: %s",
		why ? why : "");
	return sv_hint(err,
		"to delete it with all that was done in it: sharevm rollback --discard-changes "
		"'%s'",
		dir);
}

static int check_off(struct sv_host *host, const char *path, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;

	if (sv_vm_open(host, path, &vm, err) < 0)
		return -1;
	return sv_vm_require_off(vm, err);
}

/* No other program may have a disk of the folder open. */
static int check_locks(
	struct sv_host *host, const char *dir, const struct sv_manifest *m, struct sv_err *err)
{
	for (size_t i = 0; i < m->n_made; i++) {
		sv_autofree char *path = sv_path_join(dir, m->made[i].name);
		sv_autodev struct sv_dev *dev = NULL;

		if (!path)
			return sv_fail_nomem(err);
		if (m->made[i].disk && sv_host_exists(host, path) &&
			sv_host_open(host, path,
				SV_OPEN_WRITE | SV_OPEN_LOCK | SV_OPEN_NOFOLLOW, &dev, err) < 0)
			return -1;
	}
	return 0;
}

static int check_folder(struct sv_host *host, const char *dir, const struct sv_manifest *m,
	bool discard, struct sv_err *err)
{
	sv_autofree char *config = sv_path_join(dir, m->config);
	char **names;
	size_t n;
	int rc = 0;

	if (!config)
		return sv_fail_nomem(err);
	if (sv_host_exists(host, config) && check_off(host, config, err) < 0)
		return -1;
	if (!discard && check_used(host, dir, m, err) < 0)
		return -1;
	if (sv_host_list(host, dir, &names, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && !rc; i++)
		if (strcmp(names[i], SV_FLATTEN_PARTIAL) != 0)
			rc = check_entry(host, dir, m, names[i], discard, err);
	sv_host_free_names(names, n);
	return rc < 0 ? rc : check_locks(host, dir, m, err);
}

static int delete_folder(struct sv_host *host, const char *dir, struct sv_err *err)
{
	sv_autofree char *partial = sv_format("%s%s", dir, SV_PARTIAL_SUFFIX);
	sv_autofree char *flatten = sv_path_join(dir, SV_FLATTEN_PARTIAL);
	sv_autofree char *parent = sv_path_dir(dir);

	if (!partial || !flatten || !parent)
		return sv_fail_nomem(err);
	/* what a flatten that was cut off left */
	if (sv_partial_remove(host, flatten, SV_MANIFEST_NAME, err) < 0)
		return -1;
	if (sv_partial_remove(host, partial, SV_MANIFEST_NAME, err) < 0 ||
		sv_host_rename(host, dir, partial, false, err) < 0 ||
		sv_host_sync_dir(host, parent, err) < 0)
		return -1;
	/* the manifest in it says that it is ours */
	if (sv_partial_remove(host, partial, SV_MANIFEST_NAME, err) < 0)
		return -1;
	return sv_host_sync_dir(host, parent, err);
}

static int roll_back_folder(const struct rollback *r, const char *dir, struct sv_manifest *m,
	char **ret_text, struct sv_err *err)
{
	char *text;

	if (check_folder(r->host, dir, m, r->discard, err) < 0)
		return -1;
	text = sv_format("%s and the %zu %s in it %s deleted; the original is as it was", dir,
		m->n_made, m->n_made == 1 ? "file" : "files", r->plan ? "would be" : "are");
	if (!text)
		return sv_fail_nomem(err);
	if (!r->plan && delete_folder(r->host, dir, err) < 0) {
		free(text);
		return -1;
	}
	*ret_text = text;
	return 0;
}

/* ---- in place ---- */

static int check_unused(struct sv_host *host, const struct sv_undo_files *f, struct sv_err *err)
{
	char why[SV_IDENTITY_WHY];
	const char *path;

	if (!f->manifest || sv_undo_is_unused(host, f->manifest, &path, why))
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path, "the disk was used since it was extended: %s", why);
	return sv_hint(err, "the old metadata under a disk that has lived on would destroy it; "
			    "keep the extended disk");
}

/*
 * The manifest goes first: a rollback that is cut off then counts as a cut-off change, which
 * rollback can end. The undo file goes last, when the change below it knows the disk again.
 */
static int undo_disk(const struct rollback *r, const struct sv_undo_files *f,
	struct sv_undo_files *below, struct sv_err *err)
{
	sv_autofree char *folder = sv_path_dir(f->undo_path);
	struct sv_host *host = r->host;

	if (!folder)
		return sv_fail_nomem(err);
	if (check_unused(host, f, err) < 0 ||
		sv_undo_check(host, f->undo, f->state == SV_UNDO_COMPLETE, r->job, err) < 0)
		return -1;
	if (r->plan)
		return 0;
	if (sv_host_exists(host, f->manifest_path) &&
		(sv_host_unlink(host, f->manifest_path, err) < 0 ||
			sv_host_sync_dir(host, folder, err) < 0))
		return -1;
	if (sv_undo_apply(host, f->undo, true, r->job, err) < 0 ||
		sv_undo_renew(host, below, r->job, err) < 0 ||
		sv_host_unlink(host, f->undo_path, err) < 0)
		return -1;
	return sv_host_sync_dir(host, folder, err);
}

static char *say_undone(const struct rollback *r, const char *disk, bool more)
{
	return sv_format("%s %s its old bytes back%s", disk, r->plan ? "would get" : "has",
		more ? "; an earlier extension of it can be undone after this one" : "");
}

/* What a sharevm left that was killed is no reason to refuse to bring its disk back. */
static int check_quiet(struct sv_vm *vm, struct sv_err *err)
{
	return vm->state == SV_VM_CUT_OFF ? 0 : sv_vm_require_off(vm, err);
}

/* Takes the locks; for a plan only looks at them. */
static int hold(const struct rollback *r, struct sv_vm *vm, size_t disk,
	struct sv_vm_hold **ret, struct sv_err *err)
{
	if (check_quiet(vm, err) < 0)
		return -1;
	if (r->plan)
		return 0;
	if (sv_vm_hold(r->host, vm, disk, ret, err) < 0 ||
		sv_vm_refresh_state(r->host, vm, err) < 0)
		return -1;
	return check_quiet(vm, err);
}

static int roll_back_disk(const struct rollback *r, struct sv_vm *vm, size_t i,
	const struct sv_undo_files *f, char **ret_text, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_releasep) struct sv_vm_hold *held = NULL;
	const char *disk = vm->disks[i].path;
	struct sv_undo_files below;
	int rc;

	if (hold(r, vm, i, &held, err) < 0 ||
		sv_undo_find(r->host, disk, f->level, &below, err) < 0)
		return -1;
	rc = undo_disk(r, f, &below, err);
	if (!rc && !(*ret_text = say_undone(r, disk, below.state == SV_UNDO_COMPLETE)))
		rc = sv_fail_nomem(err);
	sv_undo_files_free(&below);
	return rc;
}

/* Looks for a disk of the machine that has an undo file beside it. */
static int roll_back_machine(const struct rollback *r, struct sv_vm *vm, bool *ret_found,
	char **ret_text, struct sv_err *err)
{
	struct sv_undo_files f = {0};
	int rc = 0;

	*ret_found = false;
	for (size_t i = 0; i < vm->n_disks && !*ret_found; i++) {
		sv_undo_files_free(&f);
		if (sv_undo_find(r->host, vm->disks[i].path, 0, &f, err) < 0)
			return -1;
		if (f.state == SV_UNDO_NONE)
			continue;
		*ret_found = true;
		rc = roll_back_disk(r, vm, i, &f, ret_text, err);
	}
	sv_undo_files_free(&f);
	return rc;
}

/* A sharevm that was killed before it changed anything: its locks go. */
static int clear_locks(
	const struct rollback *r, struct sv_vm *vm, char **ret_text, struct sv_err *err)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		SV_CLEANUP(sv_vm_releasep) struct sv_vm_hold *held = NULL;

		if (hold(r, vm, i, &held, err) < 0)
			return -1;
	}
	*ret_text =
		sv_format("nothing of %s was changed before sharevm was cut off; its lock %s "
			  "removed",
			vm->config, r->plan ? "would be" : "is");
	return *ret_text ? 0 : sv_fail_nomem(err);
}

static int roll_back(
	const struct rollback *r, const char *path, char **ret_text, struct sv_err *err)
{
	struct sv_host *host = r->host;
	SV_CLEANUP(sv_manifest_freep) struct sv_manifest *m = NULL;
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;
	struct sv_err why = SV_ERR_INIT;
	bool found;

	/* the latest step first: a disk of an extended folder may have been extended in place
	 */
	if (sv_vm_open(host, path, &vm, &why) == 0) {
		if (roll_back_machine(r, vm, &found, ret_text, err) < 0)
			return -1;
		if (found)
			return 0;
		if (vm->state == SV_VM_CUT_OFF)
			return clear_locks(r, vm, ret_text, err);
	}
	if (sv_manifest_load_dir(host, vm ? vm->folder : path, &m, &why) == 0) {
		sv_autofree char *dir = sv_host_real_path(host, vm ? vm->folder : path, err);

		return dir ? roll_back_folder(r, dir, m, ret_text, err) : -1;
	}
	if (why.code != SV_NOTFOUND) {
		sv_err_copy(err, &why);
		return -1;
	}
	sv_fail(err, SV_NOTFOUND, path, "there is no extension here that could be undone");
	return sv_hint(err,
		"name the folder that extend made, or the machine that was extended "
		"with --in-place");
}

int sv_extend_rollback(struct sv_host *host, const char *path, bool discard, struct sv_job *job,
	char **ret_text, struct sv_err *err)
{
	struct rollback r = {.host = host, .job = job, .discard = discard};

	return roll_back(&r, path, ret_text, err);
}

int sv_extend_rollback_plan(struct sv_host *host, const char *path, bool discard,
	struct sv_job *job, char **ret_text, struct sv_err *err)
{
	struct rollback r = {.host = host, .job = job, .discard = discard, .plan = true};

	return roll_back(&r, path, ret_text, err);
}
