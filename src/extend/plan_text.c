/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plan in words, for a person who knows nothing of disk formats: what is there, what will
 * be done, and what to beware of.
 */
#include "extend/priv.h"

#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 5))) static int add_step(
	struct sv_extend_plan *p, const char *name, struct sv_err *err, const char *fmt, ...)
{
	struct sv_extend_step *grown = realloc(p->steps, (p->n_steps + 1) * sizeof *grown);
	struct sv_extend_step *s;
	va_list ap;

	if (!grown)
		return sv_fail_nomem(err);
	p->steps = grown;
	s = &grown[p->n_steps++];
	s->name = strdup(name);
	va_start(ap, fmt);
	if (vasprintf(&s->detail, fmt, ap) < 0)
		s->detail = NULL;
	va_end(ap);
	return s->name && s->detail ? 0 : sv_fail_nomem(err);
}

/* "one file of full size", "in 5 files that grow as they fill". */
static void disk_phrase(const struct sv_image_link *link, char buf[64])
{
	size_t files = 0;

	for (size_t i = 0; i < link->n_files; i++)
		files += link->files[i].data;
	if (files == 1)
		snprintf(buf, 64, "one file %s",
			link->block_size ? "that grows as it fills" : "of full size");
	else
		snprintf(buf, 64, "in %zu files %s", files,
			link->block_size ? "that grow as they fill" : "of full size");
}

static int describe_machine(struct sv_extend *x, struct sv_err *err)
{
	struct sv_extend_plan *p = &x->plan;
	const struct sv_target *t = &x->target;
	struct sv_image *image = sv_target_image(t);
	size_t links = sv_image_links(image);
	char from[SV_SIZE_TEXT], to[SV_SIZE_TEXT], phrase[64];

	disk_phrase(sv_image_link(image, 0), phrase);
	if (add_step(p, "machine", err, "%s is switched off: no lock, no saved state",
		    p->vm_name) < 0 ||
		add_step(p, "disk", err, "%s, %s: from %s to %s", t->vm->disks[t->disk].id,
			phrase, sv_size_format(p->from, from), sv_size_format(p->to, to)) < 0)
		return -1;
	if (links == 1)
		return 0;
	return add_step(p, "snapshots", err,
		"there %s %zu: the newest state is extended, the older ones stay with the "
		"original",
		links == 2 ? "is" : "are", links - 1);
}

static const char *mode_sentence(const struct sv_extend_plan *p)
{
	if (p->mode == SV_EXTEND_IN_PLACE)
		return "change the disk itself; its old bytes go to an undo file first";
	if (p->mode == SV_EXTEND_LINKED)
		return "make a new disk that reads from the original and keeps only changes";
	return p->reflink ? "copy the disk; the copy shares the host's blocks"
			  : "copy the disk; only the parts that hold data";
}

/* Both copies of a GPT are good after the change, whichever was not before. */
static const char *table_repair(const struct sv_extend *x)
{
	const struct sv_table *t = &sv_target_disk(&x->target)->table;

	if (t->kind != SV_TABLE_GPT || (t->primary_ok && t->backup_ok))
		return "";
	return t->primary_ok
		       ? "; the damaged copy of the partition table at the disk's end is "
			 "made good"
		       : "; the damaged copy of the partition table at the disk's start is "
			 "made good";
}

static int describe_growth(
	struct sv_extend *x, const struct sv_fs_grow_plan *fs, struct sv_err *err)
{
	struct sv_extend_plan *p = &x->plan;
	unsigned number = sv_target_volume(&x->target)->number;
	char from[SV_SIZE_TEXT], to[SV_SIZE_TEXT];

	sv_size_format(p->volume_from, from);
	sv_size_format(p->volume_to, to);
	if (add_step(p, "new disk", err, "%s", mode_sentence(p)) < 0 ||
		(number && add_step(p, "partition", err, "number %u, from %s to %s%s", number,
				   from, to, table_repair(x)) < 0))
		return -1;
	return add_step(p, "file system", err, "%s on %s grows to fill it%s%s", fs->type,
		p->volume, *fs->note ? "; " : "", fs->note);
}

static int describe_rest(struct sv_extend *x, struct sv_err *err)
{
	struct sv_extend_plan *p = &x->plan;
	const struct sv_target *t = &x->target;
	bool in_place = p->mode == SV_EXTEND_IN_PLACE;

	for (size_t i = 0; i < t->n_images && !in_place; i++) {
		if (i != t->disk && add_step(p, "other disk", err,
					    "%s: the new machine gets its own changes file",
					    t->vm->disks[i].id) < 0)
			return -1;
	}
	if (add_step(p, "check", err, "the result is opened again and compared%s",
		    x->quick ? "; --quick: the bitmap is not checked against all files" : "") <
		0)
		return -1;
	return in_place
		       ? 0
		       : add_step(p, "publish", err,
				 "the finished folder gets its name; until then there is nothing");
}

/* ---- warnings ---- */

static int add_warning(struct sv_extend *x, bool when, const char *text, struct sv_err *err)
{
	if (!when)
		return 0;
	return sv_list_add(&x->plan.warnings, &x->plan.n_warnings, err, "%s", text);
}

static int warn_in_place(struct sv_extend *x, struct sv_err *err)
{
	unsigned earlier = x->undo_level - 1;

	if (add_warning(x, true,
		    "the original disk is changed; rollback works until it is first used",
		    err) < 0)
		return -1;
	if (x->undo_stale)
		return add_warning(x, true,
			"the disk was used since it was last extended in place: that can no "
			"longer be undone, and its undo file is removed",
			err);
	if (!earlier)
		return 0;
	return sv_list_add(&x->plan.warnings, &x->plan.n_warnings, err,
		"%u earlier extension%s of this disk can still be undone: each rollback goes "
		"back by one",
		earlier, earlier == 1 ? "" : "s");
}

static int warn(struct sv_extend *x, struct sv_err *err)
{
	enum sv_extend_mode mode = x->plan.mode;
	const char *table = sv_target_disk(&x->target)->table.warning;
	const struct sv_image_link *leaf = sv_image_link(sv_target_image(&x->target), 0);

	if (add_warning(x, mode == SV_EXTEND_LINKED,
		    "do not start the original any more: the new disk reads from it, and is "
		    "worth nothing once it changes (going back is deleting the new folder)",
		    err) < 0 ||
		add_warning(x, mode == SV_EXTEND_LINKED && !strcmp(leaf->format, "vmdk"),
			"a linked VMDK that is larger than its original is not yet verified in "
			"VMware; QEMU opens it",
			err) < 0 ||
		add_warning(x, mode == SV_EXTEND_COPY && x->target.n_images > 1,
			"the other disks of the new machine may read from the original's: do "
			"not start the original any more",
			err) < 0 ||
		(mode == SV_EXTEND_IN_PLACE && warn_in_place(x, err) < 0))
		return -1;
	return add_warning(x, *table, table, err);
}

int sv_plan_describe(struct sv_extend *x, const struct sv_fs_grow_plan *fs, struct sv_err *err)
{
	if (describe_machine(x, err) < 0 || describe_growth(x, fs, err) < 0 ||
		describe_rest(x, err) < 0)
		return -1;
	return warn(x, err);
}
