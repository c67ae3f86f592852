/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm ls VM[:PATH]: a folder of a machine, without starting it. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/listing.h"
#include "cli/roots.h"
#include "cli/show.h"
#include "cli/vmpath.h"

#include <string.h>

struct args {
	struct sv_vm_args vm;
	bool details, recursive;
};

struct ls {
	struct sv_cli *cli;
	const struct args *args;
	struct sv_json json;
	const char *prefix; /* the place as it was asked for, without a '/' at its end */
	size_t unreadable;
	bool begun; /* the document */
};

/* ---- names only, in columns on a terminal ---- */

static bool marks_folders(const struct sv_out *o)
{
	return !o->colour && !o->plain; /* else the colour tells */
}

static size_t name_width(const struct sv_out *o, const struct sv_entry *e, const char *safe)
{
	return sv_text_width(safe) + (e->type == SV_FS_DIR && marks_folders(o) ? 1 : 0);
}

static void put_name(struct sv_out *o, const char *name, enum sv_fs_type type)
{
	sv_out_in(o, type == SV_FS_DIR ? SV_STYLE_NAME : SV_STYLE_NONE, "%s", name);
	if (type == SV_FS_DIR && marks_folders(o))
		sv_out_f(o, "/");
}

static void put_lines(struct sv_out *o, const struct sv_entries *e)
{
	for (size_t i = 0; i < e->n && !sv_out_gone(o); i++) {
		put_name(o, e->item[i].name, e->item[i].type);
		sv_out_nl(o);
	}
}

static void put_columns(struct sv_out *o, const struct sv_entries *e, size_t widest)
{
	size_t cols = SV_MAX(o->width / (widest + 2), (size_t)1);
	size_t rows = sv_div_up(e->n, cols);

	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < e->n; i += rows) {
			sv_autofree char *safe = sv_printable(e->item[i].name);

			put_name(o, e->item[i].name, e->item[i].type);
			if (i + rows < e->n)
				sv_out_spaces(o,
					widest + 2 -
						name_width(o, &e->item[i], safe ? safe : ""));
		}
		sv_out_nl(o);
	}
}

static int put_names(struct ls *ls, const struct sv_entries *e, struct sv_err *err)
{
	struct sv_out *o = &ls->cli->out;
	size_t widest = 0;

	if (!o->terminal || o->plain) {
		put_lines(o, e);
		return 0;
	}
	for (size_t i = 0; i < e->n; i++) {
		sv_autofree char *safe = sv_printable(e->item[i].name);

		if (!safe)
			return sv_fail_nomem(err);
		widest = SV_MAX(widest, name_width(o, &e->item[i], safe));
	}
	put_columns(o, e, widest);
	return 0;
}

/* ---- one object a line, or an entry of the document ---- */

struct stream_line {
	struct sv_out *out;
	const char *name;
};

static int put_stream(void *user, const char *name, uint64_t size)
{
	const struct stream_line *line = user;
	char text[SV_SIZE_TEXT];

	sv_out_line(line->out, "%7s  %8s  %16s  %s:%s", "", sv_size_format(size, text), "",
		line->name, name);
	return 0;
}

/* Between two fields: a script cuts at tabs. */
static void put_gap(struct sv_out *o)
{
	sv_out_bytes(o, o->plain ? "\t" : "  ", o->plain ? 1 : 2);
}

static void put_owner(struct sv_out *o, const struct sv_fs_stat *st)
{
	if (!st->owned)
		return;
	sv_out_f(o, "%*u", o->plain ? 0 : 5, st->uid);
	put_gap(o);
	sv_out_f(o, "%*u", o->plain ? 0 : 5, st->gid);
	put_gap(o);
}

static void put_details(struct ls *ls, const struct sv_tree_item *item, const char *link)
{
	struct sv_out *o = &ls->cli->out;
	struct stream_line line = {o, item->path};
	char mode[SV_MODE_TEXT], size[SV_SIZE_COLUMN], when[SV_TIME_TEXT];

	sv_out_f(o, "%s", sv_mode_text(&item->st, mode));
	put_gap(o);
	put_owner(o, &item->st);
	sv_out_f(o, "%*s", o->plain ? 0 : 8, sv_size_column(&item->st, size));
	put_gap(o);
	sv_out_f(o, "%s", sv_time_local(item->st.mtime, when));
	put_gap(o);
	put_name(o, item->path, item->st.type);
	if (link)
		sv_out_f(o, " -> %s", link);
	sv_out_nl(o);
	if (item->st.attributes && !o->plain) /* only such file systems have streams */
		sv_fs_streams(item->fs, item->st.ino, put_stream, &line, NULL);
}

static void put_json(struct ls *ls, const struct sv_tree_item *item, const char *link)
{
	sv_autofree char *path = sv_format("%s/%s", ls->prefix, item->path);

	sv_json_object(&ls->json);
	sv_json_kstring(&ls->json, "path", item->entry ? path : ls->prefix);
	sv_listing_raw(&ls->json, item->entry);
	sv_listing_fields(&ls->json, &item->st, link);
	sv_json_end_object(&ls->json);
}

static void put_item(struct ls *ls, const struct sv_tree_item *item)
{
	sv_autofree char *link = NULL;

	if (item->st.type == SV_FS_SYMLINK)
		link = sv_fs_readlink(item->fs, item->st.ino, NULL);
	if (ls->cli->global.json) {
		put_json(ls, item, link);
	} else if (ls->args->details) {
		put_details(ls, item, link);
	} else {
		put_name(&ls->cli->out, item->path, item->st.type);
		sv_out_nl(&ls->cli->out);
	}
}

static int put_problem(
	void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	struct ls *ls = user;

	(void)err;
	ls->unreadable++;
	sv_job_note(&ls->cli->job, "%s: cannot be read: %s", *path ? path : "/", what->message);
	return 0;
}

static void begin_document(struct ls *ls)
{
	if (!ls->cli->global.json || ls->begun)
		return;
	ls->begun = true;
	sv_doc_begin(ls->cli, &ls->json, "ls");
	sv_json_key(&ls->json, "entries");
	sv_json_array(&ls->json);
}

static void end_document(struct ls *ls)
{
	if (!ls->cli->global.json)
		return;
	sv_json_end_array(&ls->json);
	sv_doc_end(ls->cli, &ls->json);
}

/* ---- the three ways to list ---- */

static int enter(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct ls *ls = user;

	(void)err;
	if (item->entry && !sv_out_gone(&ls->cli->out))
		put_item(ls, item);
	return sv_out_gone(&ls->cli->out) ? SV_TREE_SKIP : SV_TREE_ON;
}

static int list_folder(struct ls *ls, const struct sv_place *at, struct sv_err *err)
{
	sv_autoentries struct sv_entries e = {0};

	if (sv_entries_read(at->fs, at->ino, &e, err))
		return -1;
	begin_document(ls);
	if (!ls->args->details && !ls->cli->global.json)
		return put_names(ls, &e, err);
	for (size_t i = 0; i < e.n && !sv_out_gone(&ls->cli->out); i++) {
		struct sv_tree_item item = {.path = e.item[i].name,
			.name = e.item[i].name,
			.entry = &e.item[i],
			.fs = at->fs};
		struct sv_err what = SV_ERR_INIT;

		if (sv_job_check(&ls->cli->job, err))
			return -1;
		if (sv_fs_stat(at->fs, e.item[i].ino, &item.st, &what))
			put_problem(ls, e.item[i].name, &what, err);
		else
			put_item(ls, &item);
	}
	return 0;
}

static int list_place(struct ls *ls, const struct sv_place *at, struct sv_err *err)
{
	static const struct sv_tree_ops ops = {.enter = enter, .problem = put_problem};
	struct sv_tree_item item = {.fs = at->fs};

	if (sv_fs_stat(at->fs, at->ino, &item.st, err))
		return -1;
	if (item.st.type != SV_FS_DIR) {
		begin_document(ls);
		item.path = item.name = sv_path_base(ls->prefix);
		put_item(ls, &item);
		return 0;
	}
	if (!ls->args->recursive)
		return list_folder(ls, at, err);
	begin_document(ls);
	return sv_tree_walk_guest(
		at->mounts, at->volume, at->fs, at->ino, &ops, ls, &ls->cli->job, err);
}

/* `ls VM`: which drives and volumes there are. */
static int list_volumes(struct ls *ls, const struct sv_machine *m, struct sv_err *err)
{
	if (!ls->cli->global.json)
		return sv_show_volumes(ls->cli, m, SIZE_MAX, 0, err);
	begin_document(ls);
	for (size_t i = 0; i < m->guest->n_volumes; i++) {
		const struct sv_guest_volume *v = &m->guest->volumes[i];
		sv_autofree char *id = sv_format("@%s:", v->id);

		sv_json_object(&ls->json);
		sv_json_kstring(&ls->json, "path", v->mount && *v->mount ? v->mount : id);
		sv_json_kstring(&ls->json, "type", "volume");
		sv_json_ku64(&ls->json, "size", v->size);
		sv_json_end_object(&ls->json);
	}
	end_document(ls);
	return 0;
}

/* One of several places that a pattern names: a file by its path, a folder with a heading. */
static int list_one_of(struct ls *ls, const struct sv_root *root, struct sv_err *err)
{
	struct sv_out *o = &ls->cli->out;
	struct sv_tree_item item = {
		.path = root->path, .name = sv_path_base(root->path), .fs = root->at.fs};

	if (sv_fs_stat(root->at.fs, root->at.ino, &item.st, err))
		return -1;
	if (item.st.type != SV_FS_DIR) {
		put_item(ls, &item);
		return 0;
	}
	if (!ls->cli->global.json) {
		sv_out_nl(o);
		sv_out_in(o, SV_STYLE_NAME, "%s", root->path);
		sv_out_line(o, ":");
	}
	return list_place(ls, &root->at, err);
}

static int list_roots(struct ls *ls, const struct sv_roots *roots, struct sv_err *err)
{
	for (size_t i = 0; i < roots->n; i++) {
		ls->prefix = roots->item[i].path;
		if (roots->n == 1)
			return list_place(ls, &roots->item[i].at, err);
		begin_document(ls);
		if (list_one_of(ls, &roots->item[i], err))
			return -1;
	}
	return 0;
}

static int list_inside(
	struct ls *ls, struct sv_machine *m, const char *inside, struct sv_err *err)
{
	sv_autoroots struct sv_roots roots = {0};
	int rc;

	if (sv_roots_find(m, inside, false, &roots, err))
		return -1;
	rc = list_roots(ls, &roots, err);
	if (ls->begun) /* also after an error: what was printed is a whole document */
		end_document(ls);
	return rc;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	struct ls ls = {.cli = cli, .args = args};
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;
	sv_autovmpath struct sv_vmpath p = {0};
	int rc;

	if (sv_vmpath_parse(cli->host, ls.args->vm.common.operands.item[0], &p, err))
		return -1;
	if (sv_machine_open_volumes(cli, p.vm, &ls.args->vm.allow, &m, err))
		return -1;
	sv_machine_warn(cli, m);
	rc = p.inside && *p.inside ? list_inside(&ls, m, p.inside, err)
				   : list_volumes(&ls, m, err);
	if (rc)
		return -1;
	sv_machine_warn_after(cli, m);
	return ls.unreadable ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm ls Win10.vmx", "its drives"},
	{"sharevm ls Win10.vmx:C:/Users", "a folder"},
	{"sharevm ls -l 'Win10.vmx:C:\\Users'", "with sizes, times, permissions, streams"},
	{"sharevm ls -R Win10.vmx:@disk0p1:/", "everything, of a volume without a letter"},
	{"sharevm ls -l 'a.qcow2:/etc/*.conf'", "what fits a pattern"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_FLAG, "long", 'l', .field = offsetof(struct args, details),
		.help = "permissions, owner, size, time, and named streams",
		.more = "Attributes are \\fBr\\fRead-only, \\fBh\\fRidden, \\fBs\\fRystem, "
			"\\fBa\\fRrchive, \\fBc\\fRompressed, \\fBe\\fRncrypted, or the "
			"permissions of a Unix file. Times are those of this computer's zone."},
	{SV_OPT_FLAG, "recursive", 'R', .field = offsetof(struct args, recursive),
		.help = "folders in folders too, one path a line"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_ls = {
	.name = "ls",
	.summary = "list files of a machine, or its drives",
	.synopsis = "[-l] [-R] VM[:PATH]",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM:PATH",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
