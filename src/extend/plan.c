/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plan of an extension, as data: what is there, what would be made, by which means and why,
 * and everything that speaks against it. Nothing is written here.
 */
#include "extend/priv.h"

#include "base/num.h"
#include "base/str.h"
#include "fs/grow.h"

#include <string.h>

#define COPY_RATE      (400 * SV_MIB) /* bytes a second; an estimate for a person, no promise */
#define SPACE_MARGIN   (64 * SV_MIB)  /* host space that is left alone */
#define CONFIG_ROOM    (1 * SV_MIB)   /* configuration, manifest, nvram */
#define GRAIN_ROUNDING 16             /* a changed page of 4 KiB may cost a grain of 64 KiB */

void sv_extend_close(struct sv_extend *x)
{
	struct sv_extend_plan *p;

	if (!x)
		return;
	p = &x->plan;
	sv_target_close(&x->target);
	free(x->name);
	free(x->parent);
	free(p->reason);
	free(p->vm_name);
	free(p->folder);
	free(p->config);
	free(p->volume);
	free(p->volume_id);
	for (size_t i = 0; i < p->n_steps; i++) {
		free(p->steps[i].name);
		free(p->steps[i].detail);
	}
	free(p->steps);
	sv_list_free(p->warnings, p->n_warnings);
	free(x);
}

const struct sv_extend_plan *sv_extend_plan(const struct sv_extend *x)
{
	return &x->plan;
}

/* "NAME-extended"; of a machine that is a result already, "NAME-extended-2" and so on. */
static char *result_name(const char *vm_name)
{
	sv_autofree char *name = sv_vm_file_name(vm_name, "");
	char *mark = name ? strstr(name, "-extended") : NULL, *end;
	unsigned long n = 1;

	if (!mark || (mark[9] && mark[9] != '-'))
		return name ? sv_format("%s-extended", name) : NULL;
	if (mark[9]) {
		n = strtoul(mark + 10, &end, 10);
		if (*end || n < 1 || n > 1000000)
			return sv_format("%s-extended", name);
	}
	*mark = 0;
	return sv_format("%s-extended-%lu", name, n + 1);
}

/* Where the result goes: NAME-extended beside the machine's folder, or beside a bare image. */
static int plan_folder(
	struct sv_extend *x, const struct sv_extend_request *req, struct sv_err *err)
{
	const struct sv_vm *vm = x->target.vm;
	sv_autofree char *beside = vm->vmx ? sv_path_dir(vm->folder) : strdup(vm->folder);
	struct sv_extend_plan *p = &x->plan;
	sv_autofree char *into = NULL;
	sv_autofree char *base = NULL;

	p->vm_name = strdup(vm->name);
	x->name = result_name(vm->name);
	if (!beside || !x->name || !p->vm_name)
		return sv_fail_nomem(err);
	if (p->mode == SV_EXTEND_IN_PLACE) {
		p->folder = strdup("");
		p->config = strdup(vm->config);
		x->parent = sv_path_dir(vm->disks[x->target.disk].path);
		return p->folder && p->config && x->parent ? 0 : sv_fail_nomem(err);
	}
	into = req->into ? strdup(req->into) : sv_format("%s/%s", beside, x->name);
	while (into && strlen(into) > 1 && sv_ends_with(into, "/"))
		into[strlen(into) - 1] = 0;
	base = into ? sv_path_dir(into) : NULL;
	x->parent = base ? sv_host_real_path(x->host, base, err) : NULL;
	if (!x->parent)
		return base ? -1 : sv_fail_nomem(err);
	p->folder = sv_path_join(x->parent, sv_path_base(into));
	if (p->folder) /* the name of a bare image's result is its format's matter */
		p->config = vm->vmx ? sv_format("%s/%s.vmx", p->folder, x->name)
				    : strdup(p->folder);
	if (!p->config)
		return sv_fail_nomem(err);
	if (sv_host_exists(x->host, p->folder)) {
		sv_fail(err, SV_EXISTS, p->folder, "it exists already");
		return sv_hint(err,
			"choose another folder with --into, or undo that one: sharevm rollback '%s'",
			p->folder);
	}
	return 0;
}

/* ---- which way ---- */

/* Bytes that this way would write for the disk to extend. */
static int cost_of(
	const struct sv_extend *x, enum sv_image_derive how, uint64_t *ret, struct sv_err *err)
{
	return sv_image_derive_cost(sv_target_image(&x->target), how, x->target.size, ret, err);
}

static bool can_share_blocks(const struct sv_extend *x)
{
	struct sv_image *image = sv_target_image(&x->target);

	return sv_image_links(image) == 1 &&
	       sv_host_can_reflink(x->host, sv_image_link(image, 0)->path, x->parent);
}

/* Fills mode, derivation, reason. The folder's parent is known, the free space too. */
static int choose_mode(struct sv_extend *x, enum sv_extend_mode wish, struct sv_err *err)
{
	struct sv_extend_plan *p = &x->plan;
	char need[SV_SIZE_TEXT], have[SV_SIZE_TEXT];
	uint64_t copy;
	bool fits;

	if (cost_of(x, SV_DERIVE_COPY, &copy, err) < 0)
		return -1;
	fits = copy + SPACE_MARGIN <= p->host_free;
	sv_size_format(copy, need);
	sv_size_format(p->host_free, have);
	p->mode = wish;
	p->reflink =
		wish != SV_EXTEND_LINKED && wish != SV_EXTEND_IN_PLACE && can_share_blocks(x);
	if (wish == SV_EXTEND_AUTO)
		p->mode = p->reflink || fits ? SV_EXTEND_COPY : SV_EXTEND_LINKED;
	x->derive = p->mode == SV_EXTEND_LINKED ? SV_DERIVE_LINKED
		    : p->reflink                ? SV_DERIVE_REFLINK
						: SV_DERIVE_COPY;
	if (p->mode == SV_EXTEND_IN_PLACE)
		p->reason = strdup("asked for: the disk itself is changed, with an undo file");
	else if (p->reflink)
		p->reason =
			strdup("the host's file system can share blocks between files, so a "
			       "copy costs nothing");
	else if (p->mode == SV_EXTEND_COPY)
		p->reason = sv_format(
			"%s of %s free on the host: an independent copy fits", need, have);
	else if (wish == SV_EXTEND_LINKED)
		p->reason = strdup("asked for: only what changes is written, the rest is read "
				   "from the original");
	else
		p->reason = sv_format(
			"a copy of %s does not fit into the %s free on the host", need, have);
	return p->reason ? 0 : sv_fail_nomem(err);
}

static int check_space(const struct sv_extend *x, struct sv_err *err)
{
	const struct sv_extend_plan *p = &x->plan;
	char need[SV_SIZE_TEXT], have[SV_SIZE_TEXT];

	if (p->writes_bytes + SPACE_MARGIN <= p->host_free)
		return 0;
	sv_fail(err, SV_NOSPACE, x->parent, "%s would be written, %s are free on the host",
		sv_size_format(p->writes_bytes, need), sv_size_format(p->host_free, have));
	return sv_hint(
		err, p->mode == SV_EXTEND_COPY
			     ? "use --linked, which writes only what changes, or --into a "
			       "folder on a larger disk"
			     : "free some space, or use --into a folder on a larger disk");
}

/* ---- the file system ---- */

static int check_file_system(const struct sv_extend *x, struct sv_job *job,
	struct sv_fs_grow_plan *ret, struct sv_err *err)
{
	const struct sv_target *t = &x->target;
	struct sv_fs_grow_opts opts = {
		.quick = x->quick,
		.ask_check = !x->no_chkdsk,
		.accept_dirty = sv_dirty_is_ours(x->host, t),
		.job = job,
	};

	sv_job_progress(job, "looking at the file system", 0, 0);
	if (sv_fs_check_grow(sv_target_volume(t)->dev, t->volume_size, &opts, ret, err) == 0)
		return 0;
	if (sv_target_volume(t)->letter)
		sv_err_context(err, "%c:", sv_target_volume(t)->letter);
	return sv_err_path(err, sv_dev_name(sv_target_disk(t)->dev));
}

/* ---- the whole ---- */

static int fill_sizes(struct sv_extend *x, const struct sv_fs_grow_plan *fs, struct sv_err *err)
{
	struct sv_extend_plan *p = &x->plan;
	const struct sv_guest_volume *v = sv_target_volume(&x->target);
	uint64_t disk = 0;

	if (p->mode != SV_EXTEND_IN_PLACE && cost_of(x, x->derive, &disk, err) < 0)
		return -1;
	p->from = sv_dev_size(sv_image_dev(sv_target_image(&x->target)));
	p->to = x->target.size;
	p->volume_from = v->size;
	p->volume_to = x->target.volume_size;
	p->volume_used = v->info.used;
	p->volume_used_then = v->info.used + fs->overhead;
	p->volume_id = strdup(v->id);
	p->volume = v->letter ? sv_format("%c:", v->letter) : strdup(v->id);
	/* in place each changed byte is written twice to the undo file (old, new) and once */
	p->writes_bytes = disk + fs->write_bytes * (p->mode == SV_EXTEND_IN_PLACE ? 3 : 1) +
			  GRAIN_ROUNDING * 64 * SV_KIB + CONFIG_ROOM;
	p->seconds = 1.0 + (double)p->writes_bytes / (double)COPY_RATE;
	return p->volume && p->volume_id ? 0 : sv_fail_nomem(err);
}

/* The manifest and rollback know disks that are files; a Parallels disk may be a folder. */
static int refuse_folder_disk(const struct sv_extend *x, struct sv_err *err)
{
	const char *path = sv_image_link(sv_target_image(&x->target), 0)->path;

	if (!sv_ends_with(path, "/DiskDescriptor.xml"))
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"this Parallels disk is a folder, and extend copies only disks that are files");
	return sv_hint(err,
		"make a file of it first (sharevm image convert DISK.hdd DISK.hds), or "
		"extend it --in-place, with an undo file beside it");
}

static int make_plan(struct sv_extend *x, const struct sv_extend_request *req,
	struct sv_job *job, struct sv_err *err)
{
	struct sv_extend_plan *p = &x->plan;
	struct sv_fs_grow_plan fs = {0};

	p->mode = req->mode;
	if (sv_target_open(x->host, req, job, &x->target, err) < 0 ||
		plan_folder(x, req, err) < 0 ||
		sv_host_free_space(x->host, x->parent, &p->host_free, err) < 0 ||
		choose_mode(x, req->mode, err) < 0)
		return -1;
	if (p->mode == SV_EXTEND_IN_PLACE
			? sv_in_place_check(x, err) < 0
			: refuse_folder_disk(x, err) < 0 ||
				  sv_image_check_limits(sv_target_image(&x->target), x->derive,
					  x->target.size, err) < 0)
		return -1;
	if (check_file_system(x, job, &fs, err) < 0)
		return -1;
	x->target.fs_size = fs.new_size;
	if (fill_sizes(x, &fs, err) < 0 || check_space(x, err) < 0)
		return -1;
	return sv_plan_describe(x, &fs, err);
}

int sv_extend_open(struct sv_host *host, const struct sv_extend_request *req,
	struct sv_job *job, struct sv_extend **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_extend_closep) struct sv_extend *x = calloc(1, sizeof *x);

	if (!x)
		return sv_fail_nomem(err);
	if (!req->allow || !!req->to == !!req->by)
		return sv_fail(
			err, SV_USAGE, NULL, "give either the new size or how much more");
	x->host = host;
	x->allow = req->allow;
	x->quick = req->quick;
	x->no_chkdsk = req->no_chkdsk;
	x->new_identity = req->new_identity;
	if (make_plan(x, req, job, err) < 0)
		return -1;
	*ret = SV_STEAL(x);
	return 0;
}

int sv_extend_run(struct sv_extend *x, struct sv_job *job, struct sv_extend_result *ret,
	struct sv_err *err)
{
	return x->plan.mode == SV_EXTEND_IN_PLACE ? sv_extend_in_place(x, job, ret, err)
						  : sv_extend_into_folder(x, job, ret, err);
}
