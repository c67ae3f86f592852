/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm find VM[:PATH]...: files by name, type, size and age, in many machines at once. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/listing.h"
#include "cli/many.h"
#include "cli/match.h"
#include "cli/roots.h"
#include "cli/vmpath.h"

#include <string.h>

struct args {
	struct sv_vm_args vm;
	struct sv_words names;
	const char *type, *size, *newer, *older;
	const char *depth;
	bool details, null, ignore_case;
};

struct find {
	struct sv_cli *cli;
	const struct args *args;
	const struct sv_match *match;
	const struct sv_machine *m;
	const char *given; /* the machine, before each path where there are several */
	const struct sv_root *root;
	struct sv_json json;
	uint64_t unreadable;
};

static void put_json(
	struct find *f, const struct sv_tree_item *item, const char *path, const char *link)
{
	sv_json_object(&f->json);
	sv_json_kstring(&f->json, "path", path);
	sv_listing_raw(&f->json, item->entry);
	sv_listing_fields(&f->json, &item->st, link);
	sv_json_end_object(&f->json);
}

static void put_details(struct sv_out *o, const struct sv_tree_item *item)
{
	const char *gap = o->plain ? "\t" : "  ";
	char mode[SV_MODE_TEXT], size[SV_SIZE_COLUMN], when[SV_TIME_TEXT];

	sv_out_f(o, "%s", sv_mode_text(&item->st, mode));
	sv_out_bytes(o, gap, strlen(gap));
	sv_out_f(o, "%*s", o->plain ? 0 : 8, sv_size_column(&item->st, size));
	sv_out_bytes(o, gap, strlen(gap));
	sv_out_f(o, "%s", sv_time_local(item->st.mtime, when));
	sv_out_bytes(o, gap, strlen(gap));
}

static void put_text(
	struct find *f, const struct sv_tree_item *item, const char *path, const char *link)
{
	struct sv_out *o = &f->cli->out;
	const char *vm = f->given ? f->given : "", *colon = f->given ? ":" : "";

	if (f->args->null) { /* for xargs -0: as it is */
		sv_out_bytes(o, vm, strlen(vm));
		sv_out_bytes(o, colon, strlen(colon));
		sv_out_bytes(o, path, strlen(path) + 1);
		return;
	}
	if (f->args->details)
		put_details(o, item);
	sv_out_f(o, "%s%s", vm, colon);
	sv_out_in(o, item->st.type == SV_FS_DIR ? SV_STYLE_NAME : SV_STYLE_NONE, "%s", path);
	if (f->args->details && link)
		sv_out_f(o, " -> %s", link);
	sv_out_nl(o);
}

static int put(struct find *f, const struct sv_tree_item *item, struct sv_err *err)
{
	sv_autofree char *path = sv_root_path(f->root->path, item->path);
	sv_autofree char *link = NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (item->st.type == SV_FS_SYMLINK && (f->cli->global.json || f->args->details))
		link = sv_fs_readlink(item->fs, item->st.ino, NULL);
	if (f->cli->global.json)
		put_json(f, item, path, link);
	else
		put_text(f, item, path, link);
	return 0;
}

static unsigned depth_of(const char *path)
{
	unsigned n = *path != 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static int enter(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct find *f = user;
	const char *name = item->entry ? item->name : sv_path_base(f->root->path);

	if (sv_out_gone(&f->cli->out))
		return SV_TREE_SKIP;
	if (sv_match_file(
		    f->match, name, &item->st, sv_folds_case(f->m->guest, item->volume)) &&
		put(f, item, err))
		return -1;
	return f->match->has_depth && depth_of(item->path) >= f->match->depth ? SV_TREE_SKIP
									      : SV_TREE_ON;
}

static int problem(void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	struct find *f = user;
	sv_autofree char *full = sv_root_path(f->root->path, path);

	(void)err;
	f->unreadable++;
	sv_job_note(&f->cli->job, "%s:%s: cannot be read: %s", f->m->vm->name,
		full ? full : path, what->message);
	return 0;
}

static int find_in(struct find *f, const struct sv_roots *roots, struct sv_err *err)
{
	static const struct sv_tree_ops ops = {.enter = enter, .problem = problem};

	for (size_t i = 0; i < roots->n && !sv_out_gone(&f->cli->out); i++) {
		const struct sv_place *at = &roots->item[i].at;

		f->root = &roots->item[i];
		if (sv_tree_walk_guest(at->mounts, at->volume, at->fs, at->ino, &ops, f,
			    &f->cli->job, err))
			return -1;
	}
	return 0;
}

static void begin(struct find *f)
{
	if (!f->cli->global.json)
		return;
	sv_doc_begin(f->cli, &f->json, "find");
	sv_json_kstring(&f->json, "vm", f->m->vm->name);
	sv_json_key(&f->json, "entries");
	sv_json_array(&f->json);
}

static void end(struct find *f)
{
	if (!f->cli->global.json)
		return;
	sv_json_end_array(&f->json);
	sv_doc_end(f->cli, &f->json);
}

struct shared {
	const struct args *args;
	struct sv_match match;
};

static int find(struct sv_cli *cli, const char *word, void *user, struct sv_err *err)
{
	const struct shared *s = user;
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;
	struct find f = {.cli = cli, .args = s->args, .match = &s->match};
	sv_autovmpath struct sv_vmpath p = {0};
	sv_autoroots struct sv_roots roots = {0};
	int rc;

	if (sv_vmpath_parse(cli->host, word, &p, err) ||
		sv_machine_open_volumes(cli, p.vm, &s->args->vm.allow, &m, err))
		return -1;
	f.m = m;
	f.given = s->args->vm.common.operands.n > 1 ? p.vm : NULL;
	sv_machine_warn(cli, m);
	if (sv_roots_find(m, p.inside, false, &roots, err))
		return -1;
	begin(&f);
	rc = find_in(&f, &roots, err);
	end(&f); /* also after an error: what was printed is a whole document */
	if (rc)
		return -1;
	sv_machine_warn_after(cli, m);
	return f.unreadable ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	struct shared s = {.args = a};
	const struct sv_match_words words = {.names = &a->names,
		.type = a->type,
		.size = a->size,
		.newer = a->newer,
		.older = a->older,
		.depth = a->depth,
		.ignore_case = a->ignore_case};

	if (sv_match_parse(&words, &s.match, err))
		return -1;
	return sv_each_at_once(cli, &a->vm.common.operands, false, find, &s, err);
}

static const struct sv_example examples[] = {
	{"sharevm find Win10.vmx:C:/Users --name '*.pst'", "mail files of all users"},
	{"sharevm find *.vmx --name '*.pst' -l", "in several machines"},
	{"sharevm find a.qcow2:/var --size +100M", "large files"},
	{"sharevm find a.qcow2:/etc --newer 7d", "changed in the last week"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_LIST, "name", .value = "GLOB", .field = offsetof(struct args, names),
		.help = "names that fit; may be repeated: any of them",
		.more = "\\fB*\\fR stands for any characters, \\fB?\\fR for one, \\fB[a-z]\\fR "
			"for one of these. Names compare as that file system compares them: on "
			"NTFS and FAT capitals do not matter."},
	{SV_OPT_FLAG, "ignore-case", 'i', .field = offsetof(struct args, ignore_case),
		.help = "capitals never matter"},
	{SV_OPT_TEXT, "type", .value = "LETTERS", .field = offsetof(struct args, type),
		.help = "f file, d folder, l link, b c device, p pipe, s socket"},
	{SV_OPT_TEXT, "size", .value = "[+-]SIZE", .field = offsetof(struct args, size),
		.help = "files of this size; + larger, - smaller (--size=-1K)"},
	{SV_OPT_TEXT, "newer", .value = "TIME", .field = offsetof(struct args, newer),
		.help = "changed since: 2024-05-31, or 7d, 12h, 30m ago",
		.more = "A date may have a time (\\fI2024-05-31T18:00\\fR) and counts in this "
			"computer's zone, with a \\fBZ\\fR at its end in UTC."},
	{SV_OPT_TEXT, "older", .value = "TIME", .field = offsetof(struct args, older),
		.help = "not changed since"},
	{SV_OPT_TEXT, "max-depth", .value = "N", .field = offsetof(struct args, depth),
		.help = "no more than N folders down"},
	{SV_OPT_FLAG, "long", 'l', .field = offsetof(struct args, details),
		.help = "permissions, size and time, too"},
	{SV_OPT_FLAG, "null", '0', .field = offsetof(struct args, null),
		.help = "a NUL after each path, for xargs -0"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_find = {
	.name = "find",
	.summary = "find files by name, type, size and age",
	.synopsis = "VM[:PATH]... [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM:PATH",
	.min_operands = 1,
	.max_operands = SV_UNLIMITED,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
