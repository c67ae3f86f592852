/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Makes a linked result independent of its originals.
 *
 * Order: the manifest names the files to come as pending; the whole disk is copied to them and
 * looked at; the configuration is switched to it (one rename); the manifest counts the new
 * files as made and the old ones as pending; the old ones are deleted; the last manifest. Cut
 * off anywhere, the configuration names a whole disk, rollback knows every file, and a second
 * flatten goes on.
 */
#include "extend/priv.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

struct flatten {
	struct sv_host *host;
	char *dir;
	struct sv_job *job;
	struct sv_manifest *m;
	char *manifest_path;
	struct sv_allow *allow;
	struct sv_vm *vm;
	struct sv_image *image; /* the linked disk */
	size_t disk;            /* its index in the machine */
	char *new_disk;         /* file name of the copy */
};

static void free_flatten(struct flatten *f)
{
	sv_image_close(f->image);
	sv_vm_close(f->vm);
	sv_allow_free(f->allow);
	sv_manifest_free(f->m);
	free(f->manifest_path);
	free(f->new_disk);
	free(f->dir);
}

/* ---- before ---- */

/* Finds the extended disk in the configuration; *ret_switched: it names the copy already, that
 * an earlier run made before it was cut off. */
static int find_disk(struct flatten *f, bool *ret_switched, struct sv_err *err)
{
	*ret_switched = false;
	for (f->disk = 0; f->disk < f->vm->n_disks; f->disk++) {
		const char *name = sv_path_base(f->vm->disks[f->disk].path);

		if (!strcmp(name, f->m->disk))
			return 0;
		if (sv_manifest_is_pending(f->m, name)) {
			*ret_switched = true;
			f->new_disk = strdup(name);
			return f->new_disk ? 0 : sv_fail_nomem(err);
		}
	}
	return sv_fail(err, SV_CORRUPT, f->vm->config,
		"it does not name the extended disk %s any more", f->m->disk);
}

static int open_machine(struct flatten *f, bool *ret_switched, struct sv_err *err)
{
	sv_autofree char *config = sv_path_join(f->dir, f->m->config);
	sv_autofree char *disk = sv_path_join(f->dir, f->m->disk);
	struct sv_image_opts opts = {.lock = true, .allow = f->allow};

	if (!config || !disk)
		return sv_fail_nomem(err);
	if (sv_vm_open(f->host, config, &f->vm, err) < 0 || sv_vm_require_off(f->vm, err) < 0 ||
		find_disk(f, ret_switched, err) < 0)
		return -1;
	return sv_image_open(f->host, disk, &opts, &f->image, err);
}

/* What an earlier flatten that was cut off left, and nobody refers to. */
static int delete_pending(struct flatten *f, struct sv_err *err)
{
	for (size_t i = 0; i < f->m->n_pending; i++) {
		sv_autofree char *path = sv_path_join(f->dir, f->m->pending[i]);

		if (!path)
			return sv_fail_nomem(err);
		if (sv_host_exists(f->host, path) && sv_host_unlink(f->host, path, err) < 0)
			return -1;
	}
	sv_list_free(f->m->pending, f->m->n_pending);
	f->m->pending = NULL;
	f->m->n_pending = 0;
	return sv_host_sync_dir(f->host, f->dir, err);
}

static int check_space(struct flatten *f, struct sv_err *err)
{
	char need_text[SV_SIZE_TEXT], have_text[SV_SIZE_TEXT];
	uint64_t need, have;

	if (sv_image_derive_cost(f->image, SV_DERIVE_COPY, sv_dev_size(sv_image_dev(f->image)),
		    &need, err) < 0 ||
		sv_host_free_space(f->host, f->dir, &have, err) < 0)
		return -1;
	if (need + 64 * SV_MIB <= have)
		return 0;
	sv_fail(err, SV_NOSPACE, f->dir, "the whole disk takes %s, %s are free",
		sv_size_format(need, need_text), sv_size_format(have, have_text));
	return sv_hint(err, "free some space on the host's disk");
}

/* ---- the copy ---- */

static bool is_made(const struct sv_manifest *m, const char *name)
{
	return sv_manifest_find_made(m, name) || !strcmp(name, SV_MANIFEST_NAME);
}

/* The names that the copy will have cannot be known before it is made: it is made in a folder
 * below ours, listed, and its files are then moved up. */
static int list_new(
	struct flatten *f, const char *partial, char ***ret, size_t *ret_n, struct sv_err *err)
{
	if (sv_host_list(f->host, partial, ret, ret_n, err) < 0)
		return -1;
	for (size_t i = 0; i < *ret_n; i++) {
		const char *name = (*ret)[i];

		if (!strcmp(name, SV_PARTIAL_MARK))
			continue;
		if (is_made(f->m, name)) {
			sv_host_free_names(*ret, *ret_n);
			return sv_fail(err, SV_EXISTS, f->dir,
				"it holds a file named %s already", name);
		}
		if (sv_list_add(&f->m->pending, &f->m->n_pending, err, "%s", name) < 0) {
			sv_host_free_names(*ret, *ret_n);
			return -1;
		}
	}
	return 0;
}

static int move_up(
	struct flatten *f, const char *partial, char **names, size_t n, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *from = sv_path_join(partial, names[i]);
		sv_autofree char *to = sv_path_join(f->dir, names[i]);

		if (!from || !to)
			return sv_fail_nomem(err);
		if (strcmp(names[i], SV_PARTIAL_MARK) &&
			sv_host_rename(f->host, from, to, false, err) < 0)
			return -1;
	}
	/* both ends of the renames */
	if (sv_host_sync_dir(f->host, f->dir, err) < 0)
		return -1;
	return sv_host_sync_dir(f->host, partial, err);
}

static int check_copy(struct flatten *f, const char *path, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *copy = NULL;

	if (sv_image_open(f->host, path, NULL, &copy, err) < 0)
		return -1;
	if (sv_image_links(copy) != 1 ||
		sv_dev_size(sv_image_dev(copy)) != sv_dev_size(sv_image_dev(f->image)))
		return sv_fail(err, SV_INTERNAL, path, "the copy is not what was asked for");
	return 0;
}

static int make_copy(struct flatten *f, const char *partial, struct sv_err *err)
{
	sv_autofree char *name = sv_format("%s-whole", f->m->name);
	sv_autofree char *path = NULL;
	char **names;
	size_t n;
	int rc;

	if (!name)
		return sv_fail_nomem(err);
	if (sv_image_derive(f->host, f->image, SV_DERIVE_COPY, partial, name,
		    sv_dev_size(sv_image_dev(f->image)), f->job, &path, err) < 0 ||
		check_copy(f, path, err) < 0)
		return -1;
	f->new_disk = strdup(sv_path_base(path));
	if (!f->new_disk)
		return sv_fail_nomem(err);
	if (list_new(f, partial, &names, &n, err) < 0)
		return -1;
	rc = sv_manifest_save(f->host, f->manifest_path, f->m, err);
	if (rc == 0)
		rc = move_up(f, partial, names, n, err);
	sv_host_free_names(names, n);
	return rc;
}

/* ---- the switch ---- */

static int switch_config(struct flatten *f, struct sv_err *err)
{
	sv_autofree char *text = NULL;
	sv_autofree char *nvram = NULL;
	sv_autofree char *path = sv_path_join(f->dir, f->m->config);
	sv_autofree const char **disks = calloc(f->vm->n_disks, sizeof *disks);
	struct sv_vm_clone clone = {.name = f->m->name, .folder = f->dir, .disks = disks};

	if (!path || !disks)
		return sv_fail_nomem(err);
	if (!f->vm->vmx)
		return 0;
	for (size_t i = 0; i < f->vm->n_disks; i++)
		disks[i] = i == f->disk ? f->new_disk : f->vm->disks[i].as_written;
	if (sv_vm_clone_config(f->vm, &clone, &text, &nvram, err) < 0)
		return -1;
	return sv_publish_file(f->host, path, text, strlen(text), true, err);
}

/* New files are made, the linked disk's files are pending, the originals are not needed. */
static int swap_manifest(struct flatten *f, struct sv_err *err)
{
	struct sv_manifest *m = f->m;
	char **fresh = m->pending;
	size_t n = m->n_pending;
	int rc = 0;

	m->pending = NULL;
	m->n_pending = 0;
	/* the linked disk's own files: those of its links that lie in this folder */
	for (size_t l = 0; l < sv_image_links(f->image) && !rc; l++) {
		const struct sv_image_link *link = sv_image_link(f->image, l);

		for (size_t i = 0; i < link->n_files && !rc; i++) {
			const char *name = sv_path_base(link->files[i].path);

			if (sv_manifest_find_made(m, name) && !sv_manifest_is_pending(m, name))
				rc = sv_list_add(&m->pending, &m->n_pending, err, "%s", name);
		}
	}
	for (size_t i = 0; i < m->n_made;) {
		if (!sv_manifest_is_pending(m, m->made[i].name)) {
			i++;
			continue;
		}
		free(m->made[i].name);
		free(m->made[i].full);
		m->made[i] = m->made[--m->n_made];
	}
	for (size_t i = 0; i < n && !rc; i++)
		rc = sv_manifest_add_made(m, f->host, f->dir, fresh[i], true, err);
	sv_list_free(fresh, n);
	if (rc == 0)
		rc = sv_manifest_add_made(
			m, f->host, f->dir, m->config, !strcmp(m->config, m->disk), err);
	return rc;
}

static int finish(struct flatten *f, struct sv_err *err)
{
	char *mode = strdup("copy"), *disk = strdup(f->new_disk);
	char *config = f->vm->vmx ? NULL : strdup(f->new_disk);

	if (!mode || !disk || (!f->vm->vmx && !config)) {
		free(mode);
		free(disk);
		free(config);
		return sv_fail_nomem(err);
	}
	free(f->m->mode);
	free(f->m->disk);
	f->m->mode = mode;
	f->m->disk = disk;
	if (config) {
		free(f->m->config);
		f->m->config = config;
	}
	if (swap_manifest(f, err) < 0 ||
		sv_manifest_save(f->host, f->manifest_path, f->m, err) < 0)
		return -1;
	sv_image_close(f->image);
	f->image = NULL;
	if (delete_pending(f, err) < 0)
		return -1;
	return sv_manifest_save(f->host, f->manifest_path, f->m, err);
}

/* Copies the disk in a .partial folder below ours, and moves the files up. */
static int copy_and_switch(struct flatten *f, const char *partial, struct sv_err *err)
{
	sv_autodev struct sv_dev *lock = NULL;
	int rc;

	if (delete_pending(f, err) < 0 || check_space(f, err) < 0 ||
		sv_partial_make(f->host, partial, &lock, err) < 0)
		return -1;
	rc = make_copy(f, partial, err);
	sv_dev_close(lock);
	lock = NULL;
	if (sv_partial_remove(f->host, partial, SV_MANIFEST_NAME, rc < 0 ? NULL : err) < 0 ||
		rc < 0)
		return -1;
	return switch_config(f, err);
}

static int load(struct flatten *f, struct sv_err *err)
{
	sv_autofree char *why = NULL;

	f->manifest_path = sv_path_join(f->dir, SV_MANIFEST_NAME);
	f->allow = sv_allow_new(err);
	if (!f->manifest_path || !f->allow)
		return sv_fail_nomem(err);
	if (sv_manifest_load(f->host, f->manifest_path, &f->m, err) < 0)
		return -1;
	if (strcmp(f->m->mode, "linked") && !f->m->n_pending)
		return sv_fail(
			err, SV_USAGE, f->dir, "it is independent of its original already");
	f->m->used = sv_manifest_was_used(f->m, f->host, f->dir, &why);
	return sv_extend_allow_originals(f->host, f->dir, f->allow, err);
}

static int run(struct flatten *f, struct sv_err *err)
{
	sv_autofree char *partial = sv_format("%s/%s", f->dir, SV_FLATTEN_PARTIAL);
	bool switched = false;

	if (!partial)
		return sv_fail_nomem(err);
	if (load(f, err) < 0 || sv_partial_remove(f->host, partial, SV_MANIFEST_NAME, err) < 0)
		return -1;
	if (strcmp(f->m->mode, "linked")) { /* only the deleting was left to do */
		if (delete_pending(f, err) < 0)
			return -1;
		return sv_manifest_save(f->host, f->manifest_path, f->m, err);
	}
	if (open_machine(f, &switched, err) < 0 ||
		(!switched && copy_and_switch(f, partial, err) < 0))
		return -1;
	return finish(f, err);
}

int sv_extend_flatten(struct sv_host *host, const char *dir, struct sv_job *job,
	char **ret_text, struct sv_err *err)
{
	struct flatten f = {.host = host, .job = job};
	int rc = -1;

	f.dir = sv_host_real_path(host, dir, err);
	if (f.dir)
		rc = run(&f, err);
	if (!rc) {
		*ret_text = sv_format(
			"%s is independent now: it needs its original no more", f.m->name);
		rc = *ret_text ? 0 : sv_fail_nomem(err);
	}
	free_flatten(&f);
	return rc;
}

static int describe(struct flatten *f, char **ret_text, struct sv_err *err)
{
	bool switched = false;
	char size[SV_SIZE_TEXT];
	uint64_t need = 0;

	if (load(f, err) < 0)
		return -1;
	if (!strcmp(f->m->mode, "linked") && open_machine(f, &switched, err) < 0)
		return -1;
	if (f->image && !switched &&
		(check_space(f, err) < 0 ||
			sv_image_derive_cost(f->image, SV_DERIVE_COPY,
				sv_dev_size(sv_image_dev(f->image)), &need, err) < 0))
		return -1;
	*ret_text =
		need ? sv_format("at most %s would be copied into %s; %s then needs its "
				 "original no more",
			       sv_size_format(need, size), f->dir, f->m->name)
		     : sv_format("the linked disk in %s would be deleted; its copy is whole",
			       f->dir);
	return *ret_text ? 0 : sv_fail_nomem(err);
}

int sv_extend_flatten_plan(
	struct sv_host *host, const char *dir, char **ret_text, struct sv_err *err)
{
	struct flatten f = {.host = host};
	int rc = -1;

	f.dir = sv_host_real_path(host, dir, err);
	if (f.dir)
		rc = describe(&f, ret_text, err);
	free_flatten(&f);
	return rc;
}
