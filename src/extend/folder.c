/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Builds a linked or copied result in a ".partial" folder and publishes it by rename.
 *
 * Order: the guest's edit in memory, looked at; the new disk, written and flushed; the new disk
 * opened again and looked at; the other disks, configuration, nvram; the originals looked at
 * once more; the manifest; the rename. Before the rename nothing has the result's name, after
 * it everything is on the disk.
 */
#include "extend/priv.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>
#include <time.h>

struct build {
	struct sv_extend *x;
	char *partial;       /* folder */
	struct sv_dev *lock; /* of its mark */
	struct sv_edit edit;
	char **disks; /* per disk of the machine: file name in the folder, NULL: kept */
	struct sv_manifest *manifest;
	struct sv_edit_sample sample;
	uint64_t guest_bytes; /* written by the edit */
	struct timespec began;
};

static void free_build(struct build *b)
{
	sv_edit_free(&b->edit);
	sv_dev_close(b->lock);
	for (size_t i = 0; b->disks && i < b->x->target.n_images; i++)
		free(b->disks[i]);
	free(b->disks);
	sv_manifest_free(b->manifest);
	free(b->partial);
}

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) +
	       (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* ---- originals ---- */

/* Every file that any disk of the machine is made of, as it looks now. */
static int record_originals(struct build *b, struct sv_err *err)
{
	const struct sv_target *t = &b->x->target;

	for (size_t i = 0; i < t->n_images; i++) {
		for (size_t l = 0; l < sv_image_links(t->images[i]); l++) {
			const struct sv_image_link *link = sv_image_link(t->images[i], l);

			for (size_t f = 0; f < link->n_files; f++) {
				if (sv_manifest_add_original(b->manifest, b->x->host,
					    link->files[f].path, true, err) < 0)
					return -1;
			}
		}
	}
	return 0;
}

/* They must not have changed while they were read, and nobody may have started the machine. */
static int check_originals(struct build *b, struct sv_err *err)
{
	if (sv_vm_refresh_state(b->x->host, b->x->target.vm, err) < 0 ||
		sv_vm_require_off(b->x->target.vm, err) < 0)
		return -1;
	return sv_target_check_files(b->x->host, &b->x->target, err);
}

/* ---- disks ---- */

static int open_result(struct build *b, const char *path, bool writable, struct sv_image **ret,
	struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable, .allow = b->x->allow};

	for (size_t i = 0; i < b->manifest->n_originals; i++) {
		const struct sv_manifest_file *f = &b->manifest->originals[i];

		if (sv_allow_add_file(b->x->allow, f->name, f->identity.size,
			    f->identity.mtime_sec, f->identity.mtime_nsec, err) < 0)
			return -1;
	}
	return sv_image_open(b->x->host, path, &opts, ret, err);
}

static int write_disk(struct build *b, const char *path, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;

	if (open_result(b, path, true, &image, err) < 0)
		return -1;
	return sv_edit_write(&b->edit, sv_image_dev(image), job, &b->guest_bytes, err);
}

static int check_disk(struct build *b, const char *path, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	struct sv_dev *disk;

	if (open_result(b, path, false, &image, err) < 0)
		return -1;
	disk = sv_image_dev(image);
	if (sv_dev_size(disk) != b->x->target.size)
		return sv_fail(err, SV_INTERNAL, path,
			"the new disk has %llu bytes, expected %llu",
			(unsigned long long)sv_dev_size(disk),
			(unsigned long long)b->x->target.size);
	if (sv_edit_compare(&b->edit, disk, job, err) < 0)
		return -1;
	return sv_edit_check(&b->edit, disk, &b->sample, job, err);
}

static int make_main_disk(struct build *b, struct sv_job *job, struct sv_err *err)
{
	struct sv_extend *x = b->x;
	sv_autofree char *path = NULL;

	sv_job_progress(job, "making the new disk", 0, 0);
	if (sv_image_derive(x->host, sv_target_image(&x->target), x->derive, b->partial,
		    x->name, x->target.size, job, &path, err) < 0 ||
		write_disk(b, path, job, err) < 0 || check_disk(b, path, job, err) < 0)
		return -1;
	b->disks[x->target.disk] = strdup(sv_path_base(path));
	return b->disks[x->target.disk] ? 0 : sv_fail_nomem(err);
}

static int make_other_disks(struct build *b, struct sv_job *job, struct sv_err *err)
{
	for (size_t i = 0; i < b->x->target.n_images; i++) {
		if (i != b->x->target.disk &&
			sv_other_disk_make(b->x, i, b->partial, job, &b->disks[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- configuration ---- */

static int copy_nvram(struct build *b, const char *from, struct sv_err *err)
{
	sv_autofree char *to = sv_format("%s/%s.nvram", b->partial, b->x->name);

	if (!to)
		return sv_fail_nomem(err);
	if (!*from || !sv_host_exists(b->x->host, from))
		return 0; /* VMware makes a new one */
	return sv_host_copy_file(b->x->host, from, to, NULL, err);
}

static int make_config(struct build *b, struct sv_err *err)
{
	struct sv_extend *x = b->x;
	struct sv_vm_clone clone = {
		.name = x->name,
		.folder = x->plan.folder,
		.disks = (const char *const *)b->disks,
		.new_identity = x->new_identity,
	};
	sv_autofree char *text = NULL;
	sv_autofree char *nvram = NULL;
	sv_autofree char *path = sv_format("%s/%s.vmx", b->partial, x->name);

	if (!x->target.vm->vmx)
		return 0;
	if (!path)
		return sv_fail_nomem(err);
	if (sv_vm_clone_config(x->target.vm, &clone, &text, &nvram, err) < 0 ||
		copy_nvram(b, nvram, err) < 0)
		return -1;
	return sv_host_write_file(x->host, path, text, strlen(text), err);
}

/* ---- manifest and publication ---- */

/* All that is not the configuration or the firmware's variables holds a guest's data. */
static bool is_disk_file(const char *name)
{
	return !sv_ends_with_nocase(name, ".vmx") && !sv_ends_with_nocase(name, ".nvram");
}

static int record_made(struct build *b, struct sv_err *err)
{
	struct sv_extend *x = b->x;
	char **names;
	size_t n;
	int rc = 0;

	if (sv_host_list(x->host, b->partial, &names, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && !rc; i++) {
		if (strcmp(names[i], SV_PARTIAL_MARK))
			rc = sv_manifest_add_made(b->manifest, x->host, b->partial, names[i],
				is_disk_file(names[i]), err);
	}
	sv_host_free_names(names, n);
	return rc;
}

static int fill_manifest(struct build *b, struct sv_err *err)
{
	const struct sv_extend *x = b->x;
	struct sv_manifest *m = b->manifest;

	m->name = strdup(x->name);
	m->mode = strdup(x->plan.mode == SV_EXTEND_LINKED ? "linked" : "copy");
	m->undo = strdup("");
	m->config = strdup(
		sv_path_base(x->target.vm->vmx ? x->plan.config : b->disks[x->target.disk]));
	m->disk = strdup(b->disks[x->target.disk]);
	m->volume = strdup(x->plan.volume_id);
	m->from = x->plan.from;
	m->to = x->plan.to;
	m->asks_check = !x->no_chkdsk;
	return m->name && m->mode && m->undo && m->config && m->disk && m->volume
		       ? record_made(b, err)
		       : sv_fail_nomem(err);
}

static int publish(struct build *b, struct sv_err *err)
{
	struct sv_host *host = b->x->host;
	sv_autofree char *manifest = sv_path_join(b->partial, SV_MANIFEST_NAME);
	sv_autofree char *mark = sv_path_join(b->partial, SV_PARTIAL_MARK);

	if (!manifest || !mark)
		return sv_fail_nomem(err);
	if (fill_manifest(b, err) < 0 || sv_manifest_save(host, manifest, b->manifest, err) < 0)
		return -1;
	/* from here on the manifest says that the folder is ours */
	if (sv_host_unlink(host, mark, err) < 0)
		return -1;
	return sv_publish_dir(host, b->partial, b->x->plan.folder, err);
}

/* ---- the run ---- */

static int build(struct build *b, struct sv_job *job, struct sv_err *err)
{
	struct sv_extend *x = b->x;

	if (sv_target_check_files(x->host, &x->target, err) < 0 ||
		record_originals(b, err) < 0 ||
		sv_edit_make(&x->target, !x->no_chkdsk, x->quick, job, &b->edit, err) < 0 ||
		sv_edit_check(&b->edit, b->edit.overlay, NULL, job, err) < 0 ||
		make_main_disk(b, job, err) < 0 || make_other_disks(b, job, err) < 0 ||
		make_config(b, err) < 0 || check_originals(b, err) < 0 ||
		sv_job_check(job, err) < 0)
		return -1;
	return publish(b, err);
}

static uint64_t bytes_made(const struct build *b)
{
	uint64_t sum = 0;

	if (b->x->derive == SV_DERIVE_REFLINK)
		return b->guest_bytes;
	for (size_t i = 0; i < b->manifest->n_made; i++) {
		sv_autofree char *path =
			sv_path_join(b->x->plan.folder, b->manifest->made[i].name);
		struct sv_host_stat st;

		if (path && sv_host_stat(b->x->host, path, &st, NULL) == 0)
			sum += st.allocated;
	}
	return sum;
}

static int fill_result(struct build *b, const struct sv_fs_info *was,
	struct sv_extend_result *r, struct sv_err *err)
{
	const struct sv_extend_plan *p = &b->x->plan;

	r->folder = strdup(p->folder);
	r->config = sv_path_join(p->folder, b->manifest->config);
	r->bytes_written = bytes_made(b);
	r->sample_bytes = b->sample.read_bytes;
	r->seconds = seconds_since(&b->began);
	r->disk_before = p->from;
	r->disk_after = p->to;
	r->volume_before = p->volume_from;
	r->volume_after = p->volume_to;
	r->free_before = was->free;
	r->free_after = was->free + (p->volume_to - p->volume_from);
	if (!r->folder || !r->config)
		return sv_fail_nomem(err);
	if (sv_list_add(&r->verified, &r->n_verified, err,
		    "the new partition table is valid, and all other partitions are unchanged") <
			0 ||
		sv_list_add(&r->verified, &r->n_verified, err,
			"the new file system opens and fills its partition") < 0 ||
		sv_list_add(&r->verified, &r->n_verified, err,
			"%u files, picked at random, have the same content as before",
			b->sample.files) < 0)
		return -1;
	return sv_list_add(&r->verified, &r->n_verified, err,
		"%zu %s of the original %s untouched", b->manifest->n_originals,
		b->manifest->n_originals == 1 ? "file" : "files",
		b->manifest->n_originals == 1 ? "is" : "are");
}

int sv_extend_into_folder(struct sv_extend *x, struct sv_job *job, struct sv_extend_result *ret,
	struct sv_err *err)
{
	struct build b = {.x = x};
	struct sv_extend_result r = {0};
	int rc = -1;

	clock_gettime(CLOCK_MONOTONIC, &b.began);
	b.partial = sv_format("%s%s", x->plan.folder, SV_PARTIAL_SUFFIX);
	b.disks = calloc(x->target.n_images, sizeof(char *));
	b.manifest = calloc(1, sizeof *b.manifest);
	if (!b.partial || !b.disks || !b.manifest) {
		sv_fail_nomem(err);
	} else if (sv_partial_remove(x->host, b.partial, SV_MANIFEST_NAME, err) == 0 &&
		   sv_partial_make(x->host, b.partial, &b.lock, err) == 0) {
		rc = build(&b, job, err);
		if (rc < 0) {
			sv_dev_close(b.lock);
			b.lock = NULL;
			sv_partial_remove(x->host, b.partial, SV_MANIFEST_NAME, NULL);
		} else {
			rc = fill_result(&b, &sv_target_volume(&x->target)->info, &r, err);
		}
	}
	free_build(&b);
	if (rc == 0)
		*ret = r;
	else
		sv_extend_result_free(&r);
	return rc;
}
