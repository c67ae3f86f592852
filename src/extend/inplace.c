/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Extends a disk where it lies. The whole change is made in a stage (memory) and looked at
 * there; the undo file with every old and new byte is published; only then are the files
 * written; last, the manifest says that the change is complete. Cut off anywhere, the disk is
 * as before or rollback brings it back.
 */
#include "extend/priv.h"

#include "base/num.h"
#include "base/str.h"
#include "extend/undo.h"
#include "io/stage.h"

#include <string.h>
#include <time.h>

struct in_place {
	struct sv_extend *x;
	const char *disk; /* path of the image, as the configuration names it */
	char *undo_path, *manifest_path;
	char undo_id[SV_UNDO_ID];
	struct sv_host *stage;
	struct sv_edit edit;
	struct sv_manifest *manifest;
	struct sv_edit_sample sample;
	struct sv_vm_hold *hold; /* VMware's locks */
	bool applying;           /* files may have changed */
	uint64_t bytes;
};

/* What a configuration names outside its folder is read, but never written unasked. The image
 * has looked so at its extents already, from its own folder. */
static int check_place(const struct sv_extend *x, const char *disk, struct sv_err *err)
{
	sv_autofree char *real = NULL;

	if (!x->target.vm->vmx)
		return 0; /* the user named the disk itself */
	return sv_allow_resolve(x->allow, x->host, x->target.vm->folder, disk, &real, err);
}

static int refuse_cut_off(const struct sv_extend *x, const char *disk, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, disk,
		"an earlier in-place extension of this disk was cut off");
	return sv_hint(err, "undo it first: sharevm rollback '%s'", x->target.vm->config);
}

/* Earlier changes stay undoable, one by one, while the disk is as the latest left it. */
static int choose_level(struct sv_extend *x, const char *disk, struct sv_err *err)
{
	struct sv_undo_files latest;
	char why[SV_IDENTITY_WHY];
	const char *path;
	bool cut_off;

	if (sv_undo_find(x->host, disk, 0, &latest, err) < 0)
		return -1;
	cut_off = latest.state == SV_UNDO_CUT_OFF;
	x->undo_level = latest.level + 1;
	if (latest.manifest && !sv_undo_is_unused(x->host, latest.manifest, &path, why)) {
		x->undo_level = 1;
		x->undo_stale = latest.level;
	}
	sv_undo_files_free(&latest);
	if (cut_off)
		return refuse_cut_off(x, disk, err);
	if (x->undo_level <= SV_UNDO_LEVELS)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, disk,
		"there are %d undo files beside it, the most allowed", SV_UNDO_LEVELS);
	return sv_hint(
		err, "to give up going back, delete them: rm '%s%s'*", disk, SV_UNDO_SUFFIX);
}

int sv_in_place_check(struct sv_extend *x, struct sv_err *err)
{
	const struct sv_vm *vm = x->target.vm;
	const char *disk = vm->disks[x->target.disk].path;

	if (sv_image_links(sv_target_image(&x->target)) > 1 || vm->has_snapshots ||
		vm->is_template) {
		sv_fail(err, SV_UNSUPPORTED, disk,
			"a disk with snapshots or clones cannot be extended in place");
		return sv_hint(err,
			"leave --in-place away: the extended machine gets a folder of "
			"its own, and the snapshots stay with the original");
	}
	return check_place(x, disk, err) < 0 ? -1 : choose_level(x, disk, err);
}

/* ---- the change, in memory ---- */

static int open_staged(
	struct in_place *ip, bool writable, struct sv_image **ret, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable, .allow = ip->x->allow};

	return sv_image_open(ip->stage, ip->disk, &opts, ret, err);
}

static int change_staged(struct in_place *ip, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;

	if (open_staged(ip, true, &image, err) < 0)
		return -1;
	if (ip->x->target.size > sv_dev_size(sv_image_dev(image)) &&
		sv_image_grow(image, ip->x->target.size, err) < 0)
		return -1;
	return sv_edit_write(&ip->edit, sv_image_dev(image), job, &ip->bytes, err);
}

/* Reads back what was written, through the image's own tables, from the stage or the host. */
static int compare_disk(
	struct in_place *ip, struct sv_host *host, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	struct sv_image_opts opts = {.allow = ip->x->allow};
	struct sv_dev *disk;

	if (sv_image_open(host, ip->disk, &opts, &image, err) < 0)
		return -1;
	disk = sv_image_dev(image);
	if (sv_dev_size(disk) != ip->x->target.size)
		return sv_fail(err, SV_INTERNAL, ip->disk,
			"the disk has %llu bytes, expected %llu",
			(unsigned long long)sv_dev_size(disk),
			(unsigned long long)ip->x->target.size);
	if (sv_edit_compare(&ip->edit, disk, job, err) < 0)
		return -1;
	/* on the host the original is no more: there is nothing left to compare files with */
	return host == ip->stage ? sv_edit_check(&ip->edit, disk, &ip->sample, job, err) : 0;
}

/* Nobody runs the machine, and nobody has since it was planned. */
static int check_quiet(struct in_place *ip, struct sv_err *err)
{
	struct sv_target *t = &ip->x->target;

	if (sv_vm_refresh_state(ip->x->host, t->vm, err) < 0 ||
		sv_vm_require_off(t->vm, err) < 0)
		return -1;
	return sv_target_check_files(ip->x->host, t, err);
}

static int prepare(struct in_place *ip, struct sv_job *job, struct sv_err *err)
{
	struct sv_extend *x = ip->x;

	if (sv_edit_make(&x->target, !x->no_chkdsk, x->quick, job, &ip->edit, err) < 0 ||
		sv_edit_check(&ip->edit, ip->edit.overlay, NULL, job, err) < 0)
		return -1;
	ip->stage = sv_stage_new(x->host, SV_EDIT_CAP, err);
	if (!ip->stage || change_staged(ip, job, err) < 0)
		return -1;
	return compare_disk(ip, ip->stage, job, err);
}

/* ---- the change, on the disk ---- */

static int fill_manifest(struct in_place *ip, struct sv_err *err)
{
	const struct sv_extend *x = ip->x;
	struct sv_manifest *m = ip->manifest;
	size_t n = sv_stage_files(ip->stage);

	m->name = strdup(x->name);
	m->mode = strdup("in-place");
	m->undo = strdup(ip->undo_id);
	m->config = strdup(sv_path_base(x->target.vm->config));
	m->disk = strdup(sv_path_base(ip->disk));
	m->volume = strdup(x->plan.volume_id);
	m->from = x->plan.from;
	m->to = x->plan.to;
	m->asks_check = !x->no_chkdsk;
	if (!m->name || !m->mode || !m->undo || !m->config || !m->disk || !m->volume)
		return sv_fail_nomem(err);
	/* the changed files are recorded as originals: by their whole path */
	for (size_t i = 0; i < n; i++) {
		if (sv_manifest_add_original(
			    m, x->host, sv_stage_file(ip->stage, i).path, true, err) < 0)
			return -1;
	}
	return 0;
}

/* Without an undo file a manifest says nothing; one of this level would be in the way. */
static int drop_old_manifest(struct in_place *ip, struct sv_err *err)
{
	if (!sv_host_exists(ip->x->host, ip->manifest_path))
		return 0;
	if (sv_host_unlink(ip->x->host, ip->manifest_path, err) < 0)
		return -1;
	return sv_host_sync_dir(ip->x->host, ip->x->parent, err);
}

/* An undo file that cannot be read back is none; found now, no harm is done. */
static int check_undo(struct in_place *ip, struct sv_err *err)
{
	SV_CLEANUP(sv_undo_freep) struct sv_undo *undo = NULL;

	if (sv_undo_load(ip->x->host, ip->undo_path, &undo, err) < 0)
		return -1;
	return strcmp(sv_undo_id(undo), ip->undo_id) == 0
		       ? 0
		       : sv_fail(err, SV_BUSY, ip->undo_path,
				 "another program has replaced the undo file");
}

static int commit(struct in_place *ip, struct sv_job *job, struct sv_err *err)
{
	struct sv_host *host = ip->x->host;

	/* a program that does not know VMware's locks may have come all the same */
	if (check_quiet(ip, err) < 0 || sv_job_check(job, err) < 0)
		return -1;
	if (ip->x->undo_stale && sv_undo_forget(host, ip->disk, err) < 0)
		return -1;
	/* no manifest names the new undo file's id: from here to the end the change counts as
	 * cut off */
	if (sv_undo_write(host, ip->undo_path, ip->stage, ip->undo_id, err) < 0 ||
		check_undo(ip, err) < 0 || drop_old_manifest(ip, err) < 0)
		return -1;
	ip->applying = true;
	if (sv_stage_apply(ip->stage, job, err) < 0 || compare_disk(ip, host, job, err) < 0 ||
		fill_manifest(ip, err) < 0)
		return -1;
	return sv_manifest_save(host, ip->manifest_path, ip->manifest, err);
}

/*
 * After a failure in commit(): the old bytes go back. The undo file stays once files may have
 * changed: after a failed flush nobody can tell what the host's disk really holds, and a
 * rollback at another time can put it right.
 */
static void go_back(struct in_place *ip, struct sv_err *err)
{
	SV_CLEANUP(sv_undo_freep) struct sv_undo *undo = NULL;
	struct sv_host *host = ip->x->host;

	if (sv_undo_load(host, ip->undo_path, &undo, NULL) < 0 ||
		strcmp(sv_undo_id(undo), ip->undo_id) != 0)
		return;
	if (!ip->applying) {
		sv_host_unlink(host, ip->undo_path, NULL);
		sv_host_sync_dir(host, ip->x->parent, NULL);
		return;
	}
	sv_hint(err,
		"the disk is being changed back; make sure of it with: sharevm rollback '%s'",
		ip->x->target.vm->config);
	if (drop_old_manifest(ip, NULL) == 0 &&
		sv_undo_check(host, undo, false, NULL, NULL) == 0)
		sv_undo_apply(host, undo, false, NULL, NULL);
}

static int fill_result(
	struct in_place *ip, double seconds, struct sv_extend_result *r, struct sv_err *err)
{
	const struct sv_extend_plan *p = &ip->x->plan;
	uint64_t was_free = sv_target_volume(&ip->x->target)->info.free;

	r->folder = strdup("");
	r->config = strdup(p->config);
	r->bytes_written = ip->bytes;
	r->sample_bytes = ip->sample.read_bytes;
	r->seconds = seconds;
	r->disk_before = p->from;
	r->disk_after = p->to;
	r->volume_before = p->volume_from;
	r->volume_after = p->volume_to;
	r->free_before = was_free;
	r->free_after = was_free + (p->volume_to - p->volume_from);
	if (!r->folder || !r->config)
		return sv_fail_nomem(err);
	if (sv_list_add(&r->verified, &r->n_verified, err,
		    "the old bytes are kept in %s: `sharevm rollback` puts them back until the "
		    "disk is used",
		    sv_path_base(ip->undo_path)) < 0 ||
		sv_list_add(&r->verified, &r->n_verified, err,
			"the new partition table is valid, and all other partitions are "
			"unchanged") < 0 ||
		sv_list_add(&r->verified, &r->n_verified, err,
			"the new file system opens and fills its partition") < 0)
		return -1;
	return sv_list_add(&r->verified, &r->n_verified, err,
		"%u files, picked at random, have the same content as before",
		ip->sample.files);
}

static int run(struct in_place *ip, struct sv_job *job, struct sv_err *err)
{
	struct sv_extend *x = ip->x;

	ip->undo_path = sv_undo_path(ip->disk, x->undo_level);
	ip->manifest_path = sv_undo_manifest_path(ip->disk, x->undo_level);
	ip->manifest = calloc(1, sizeof *ip->manifest);
	if (!ip->undo_path || !ip->manifest_path || !ip->manifest)
		return sv_fail_nomem(err);
	if (sv_vm_hold(x->host, x->target.vm, x->target.disk, &ip->hold, err) < 0 ||
		check_quiet(ip, err) < 0 || prepare(ip, job, err) < 0)
		return -1;
	if (commit(ip, job, err) < 0) {
		go_back(ip, err);
		return -1;
	}
	return 0;
}

int sv_extend_in_place(struct sv_extend *x, struct sv_job *job, struct sv_extend_result *ret,
	struct sv_err *err)
{
	struct in_place ip = {.x = x, .disk = x->target.vm->disks[x->target.disk].path};
	struct sv_extend_result r = {0};
	struct timespec began, now;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &began);
	rc = run(&ip, job, err);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (rc == 0)
		rc = fill_result(&ip,
			(double)(now.tv_sec - began.tv_sec) +
				(double)(now.tv_nsec - began.tv_nsec) / 1e9,
			&r, err);
	sv_edit_free(&ip.edit);
	sv_host_close(ip.stage);
	sv_vm_release(ip.hold);
	sv_manifest_free(ip.manifest);
	free(ip.undo_path);
	free(ip.manifest_path);
	if (rc == 0)
		*ret = r;
	else
		sv_extend_result_free(&r);
	return rc;
}
