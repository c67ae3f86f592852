/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sharevm diff VM_A VM_B: what differs between two machines. The summary comes first, so the
 * lines are written to a temporary file meanwhile: a million of them are not kept in memory.
 */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/diff.h"
#include "cli/listing.h"
#include "cli/vmpath.h"
#include "io/broker.h"

#include <errno.h>

#include <string.h>

enum section { FILES, SOFTWARE, REGISTRY, SECTIONS };
static const char *const section_names[] = {"files", "software", "registry"};

struct args {
	struct sv_vm_args vm;
	bool content, metadata, summary;
	int only;
};

struct tally {
	uint64_t n[SV_CHANGE_N];
	uint64_t files, bytes; /* in what was added or removed */
};

struct diff {
	struct sv_cli *cli;
	const struct args *args;
	struct sv_machine *m[2];
	struct sv_vmpath at[2];
	enum section section;
	struct tally tally[SECTIONS];
	struct sv_out spool; /* the lines, until the summary is known */
	struct sv_json json;
	uint64_t unreadable;
	bool begun; /* the section's heading */
};

static bool is_windows(const struct sv_machine *m)
{
	const struct sv_guest_os *os = sv_guest_system(m->guest, 0);

	return os && !strcmp(os->family, "windows");
}

/* Is it asked for, and is there anything of that kind to compare? */
static bool does(const struct diff *d, enum section s)
{
	int only = d->args->only;

	if ((only && only != (int)s + 1) || (d->at[0].inside && s != FILES))
		return false;
	if (s == SOFTWARE)
		return sv_guest_system(d->m[0]->guest, 0) || sv_guest_system(d->m[1]->guest, 0);
	return s != REGISTRY || (is_windows(d->m[0]) && is_windows(d->m[1]));
}

/* ---- one difference ---- */

static const char *const change_words[] = {[SV_CHANGE_ADDED] = "added",
	[SV_CHANGE_REMOVED] = "removed",
	[SV_CHANGE_CONTENT] = "changed",
	[SV_CHANGE_TYPE] = "type",
	[SV_CHANGE_META] = "metadata"};
static const char change_marks[] = {[SV_CHANGE_ADDED] = '+',
	[SV_CHANGE_REMOVED] = '-',
	[SV_CHANGE_CONTENT] = '~',
	[SV_CHANGE_TYPE] = '!',
	[SV_CHANGE_META] = '.'};
static const enum sv_style change_styles[] = {[SV_CHANGE_ADDED] = SV_STYLE_GOOD,
	[SV_CHANGE_REMOVED] = SV_STYLE_BAD,
	[SV_CHANGE_CONTENT] = SV_STYLE_WARN,
	[SV_CHANGE_TYPE] = SV_STYLE_WARN,
	[SV_CHANGE_META] = SV_STYLE_DIM};

static void put_side(struct sv_json *j, const char *key, const struct sv_fs_stat *st)
{
	if (!st)
		return;
	sv_json_key(j, key);
	sv_json_object(j);
	sv_listing_fields(j, st, NULL);
	sv_json_end_object(j);
}

static void put_json(struct diff *d, const struct sv_difference *f)
{
	struct sv_json *j = &d->json;

	sv_json_object(j);
	sv_json_kstring(j, "change", change_words[f->change]);
	sv_json_kstring(j, d->section == SOFTWARE ? "name" : "path", f->path);
	if (d->section == REGISTRY && *f->detail)
		sv_json_kstring(j, "value", f->detail);
	if (d->section == SOFTWARE) {
		sv_json_kstring(j, "source", f->detail);
		sv_json_kstring(j, "version_a", f->text_a);
		sv_json_kstring(j, "version_b", f->text_b);
	}
	put_side(j, "a", f->a);
	put_side(j, "b", f->b);
	if (f->files > 1) {
		sv_json_ku64(j, "files", f->files);
		sv_json_ku64(j, "bytes", f->bytes);
	}
	sv_json_end_object(j);
}

/* What is behind a file's path: "12K", "12K, now 40K", "file, now folder". */
static void put_file_detail(struct sv_out *o, const struct sv_difference *f)
{
	const struct sv_fs_stat *any = f->a ? f->a : f->b;
	char a[SV_SIZE_TEXT], b[SV_SIZE_TEXT];

	if (f->change == SV_CHANGE_TYPE)
		sv_out_f(o, "  %s, now %s", sv_type_word(f->a->type), sv_type_word(f->b->type));
	else if (any->type == SV_FS_DIR && !(f->a && f->b))
		sv_out_f(o, "/  %llu file%s, %s", (unsigned long long)f->files,
			f->files == 1 ? "" : "s", sv_size_format(f->bytes, a));
	else if (any->type == SV_FS_FILE && !(f->a && f->b))
		sv_out_f(o, "  %s", sv_size_format(any->size, a));
	else if (any->type == SV_FS_FILE && f->a->size != f->b->size)
		sv_out_f(o, "  %s, now %s", sv_size_format(f->a->size, a),
			sv_size_format(f->b->size, b));
}

static void put_text(struct diff *d, const struct sv_difference *f)
{
	struct sv_out *o = &d->spool;

	sv_out_in(o, change_styles[f->change], "%c", change_marks[f->change]);
	sv_out_bytes(o, o->plain ? "\t" : " ", 1);
	sv_out_f(o, "%s", *f->path ? f->path : "/");
	if (d->section == FILES && !o->plain)
		put_file_detail(o, f);
	if (d->section == REGISTRY && *f->detail) {
		sv_out_bytes(o, o->plain ? "\t" : "  ", o->plain ? 1 : 2);
		sv_out_f(o, o->plain ? "%s" : "[%s]", f->detail);
	}
	if (d->section == SOFTWARE && f->text_a && f->text_b)
		sv_out_f(o, " %s, now %s", f->text_a, f->text_b);
	else if (d->section == SOFTWARE)
		sv_out_f(o, " %s", f->text_a ? f->text_a : f->text_b);
	sv_out_nl(o);
}

static void begin_section(struct diff *d)
{
	static const char *const titles[] = {"Files", "Software", "Registry"};

	if (d->begun || d->spool.plain)
		return;
	d->begun = true;
	sv_out_nl(&d->spool);
	sv_out_in(&d->spool, SV_STYLE_BOLD, "%s", titles[d->section]);
	sv_out_nl(&d->spool);
}

static int found(void *user, const struct sv_difference *f, struct sv_err *err)
{
	struct diff *d = user;
	struct tally *t = &d->tally[d->section];

	t->n[f->change]++;
	t->files += f->files;
	t->bytes += SV_MIN(f->bytes, UINT64_MAX - t->bytes);
	if (d->args->summary)
		return 0;
	if (d->cli->global.json) {
		put_json(d, f);
	} else {
		begin_section(d);
		put_text(d, f);
	}
	if (sv_out_gone(&d->cli->out))
		return sv_fail(
			err, SV_CANCELLED, NULL, "nobody reads the differences any more");
	return d->spool.sys ? sv_fail_errno(err, d->spool.sys, NULL, "cannot keep differences")
			    : 0;
}

static void problem(void *user, const char *path, const struct sv_err *what)
{
	struct diff *d = user;

	d->unreadable++;
	sv_job_note(
		&d->cli->job, "%s: cannot be compared: %s", *path ? path : "/", what->message);
}

/* ---- the summary ---- */

static bool any_change(const struct tally *t)
{
	return t->n[SV_CHANGE_ADDED] || t->n[SV_CHANGE_REMOVED] || t->n[SV_CHANGE_CONTENT] ||
	       t->n[SV_CHANGE_TYPE] || t->n[SV_CHANGE_META];
}

static void put_system(struct diff *d, unsigned i)
{
	const struct sv_guest_os *os = sv_guest_system(d->m[i]->guest, 0);
	struct sv_out *o = &d->cli->out;

	sv_out_in(o, SV_STYLE_DIM, i ? "B  " : "A  ");
	sv_out_in(o, SV_STYLE_NAME, "%s", d->m[i]->vm->name);
	if (d->at[i].inside && *d->at[i].inside)
		sv_out_f(o, ":%s", d->at[i].inside);
	if (os)
		sv_out_f(o, "  %s%s%s", os->product, *os->version ? ", " : "", os->version);
	sv_out_nl(o);
}

static void put_tally(struct diff *d, enum section s)
{
	static const char *const titles[] = {"Files   ", "Software", "Registry"};
	const struct tally *t = &d->tally[s];
	struct sv_out *o = &d->cli->out;
	bool first = true;

	sv_out_in(o, SV_STYLE_DIM, "%s", titles[s]);
	sv_out_f(o, "  ");
	for (unsigned i = 0; i < SV_CHANGE_N; i++) {
		if (!t->n[i])
			continue;
		sv_out_f(o, "%s%llu %s", first ? "" : ", ", (unsigned long long)t->n[i],
			i == SV_CHANGE_TYPE ? "of another type" : change_words[i]);
		first = false;
	}
	sv_out_line(o, "%s", first ? "no difference" : "");
}

static void put_summary(struct diff *d)
{
	if (d->cli->out.plain)
		return;
	put_system(d, 0);
	put_system(d, 1);
	for (unsigned s = 0; s < SECTIONS; s++)
		if (does(d, s))
			put_tally(d, s);
}

static void put_json_summary(struct diff *d)
{
	struct sv_json *j = &d->json;

	sv_json_key(j, "summary");
	sv_json_object(j);
	for (unsigned s = 0; s < SECTIONS; s++) {
		if (!does(d, s))
			continue;
		sv_json_key(j, section_names[s]);
		sv_json_object(j);
		for (unsigned i = 0; i < SV_CHANGE_N; i++)
			sv_json_ku64(j, change_words[i], d->tally[s].n[i]);
		sv_json_end_object(j);
	}
	sv_json_end_object(j);
	sv_json_ku64(j, "unreadable", d->unreadable);
}

/* ---- all of it ---- */

/* A volume that the other machine does not have. */
static int tell_root(struct diff *d, const struct sv_root *root, bool in_b, struct sv_err *err)
{
	sv_autofree char *path = sv_root_path(root->path, "");
	struct sv_difference f = {.change = in_b ? SV_CHANGE_ADDED : SV_CHANGE_REMOVED,
		.path = path,
		.detail = ""};
	struct sv_fs_stat st;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_fs_stat(root->at.fs, root->at.ino, &st, err) < 0)
		return -1;
	f.a = in_b ? NULL : &st;
	f.b = in_b ? &st : NULL;
	return found(d, &f, err);
}

static const struct sv_root *same_root(const struct sv_roots *in, const struct sv_root *root)
{
	for (size_t i = 0; i < in->n; i++)
		if (!strcmp(in->item[i].path, root->path))
			return &in->item[i];
	return NULL;
}

static int compare_roots(struct diff *d, const struct sv_diff *how, const struct sv_roots *a,
	const struct sv_roots *b, struct sv_err *err)
{
	if (d->at[0].inside && d->at[1].inside) /* two places that were named */
		return a->n == 1 && b->n == 1
			       ? sv_diff_files(
					 how, d->m[0], &a->item[0], d->m[1], &b->item[0], err)
			       : sv_fail(err, SV_USAGE, NULL,
					 "a pattern that fits several places cannot be compared");
	for (size_t i = 0; i < a->n; i++) {
		const struct sv_root *other = same_root(b, &a->item[i]);

		if (other ? sv_diff_files(how, d->m[0], &a->item[i], d->m[1], other, err)
			  : tell_root(d, &a->item[i], false, err))
			return -1;
	}
	for (size_t i = 0; i < b->n; i++)
		if (!same_root(a, &b->item[i]) && tell_root(d, &b->item[i], true, err))
			return -1;
	return 0;
}

static int compare_section(struct diff *d, const struct sv_diff *how, struct sv_err *err)
{
	sv_autoroots struct sv_roots a = {0}, b = {0};

	if (d->section == SOFTWARE)
		return sv_diff_apps(how, d->m[0], d->m[1], err);
	if (d->section == REGISTRY)
		return sv_diff_registry(how, d->m[0], d->m[1], err);
	if (sv_roots_find(d->m[0], d->at[0].inside, false, &a, err) ||
		sv_roots_find(d->m[1], d->at[1].inside, false, &b, err))
		return -1;
	return compare_roots(d, how, &a, &b, err);
}

static int compare_all(struct diff *d, struct sv_err *err)
{
	struct sv_diff how = {.found = found,
		.problem = problem,
		.user = d,
		.job = &d->cli->job,
		.content = d->args->content,
		.metadata = d->args->metadata};

	for (unsigned s = 0; s < SECTIONS; s++) {
		if (!does(d, s))
			continue;
		d->section = s;
		d->begun = false;
		sv_job_progress(&d->cli->job, section_names[s], 0, 0);
		if (d->cli->global.json) {
			sv_json_key(&d->json, section_names[s]);
			sv_json_array(&d->json);
		}
		if (compare_section(d, &how, err))
			return -1;
		if (d->cli->global.json)
			sv_json_end_array(&d->json);
	}
	return 0;
}

static int compare_json(struct diff *d, struct sv_err *err)
{
	sv_doc_begin(d->cli, &d->json, "diff");
	sv_json_kstring(&d->json, "a", d->m[0]->vm->name);
	sv_json_kstring(&d->json, "b", d->m[1]->vm->name);
	if (compare_all(d, err))
		return -1;
	put_json_summary(d);
	sv_doc_end(d->cli, &d->json);
	return 0;
}

static int copy_spool(struct diff *d, struct sv_err *err)
{
	char piece[16 * SV_KIB];
	size_t n;

	if (fflush(d->spool.file) || fseek(d->spool.file, 0, SEEK_SET))
		return sv_fail_errno(err, errno, NULL, "cannot keep the differences");
	while ((n = fread(piece, 1, sizeof piece, d->spool.file)) > 0)
		sv_out_bytes(&d->cli->out, piece, n);
	return 0;
}

static int compare_text(struct diff *d, struct sv_err *err)
{
	int rc;

	d->spool = d->cli->out;
	d->spool.bar = NULL;
	d->spool.file = d->cli->broker ? sv_broker_spool(d->cli->broker) : tmpfile();
	if (!d->spool.file)
		return sv_fail_errno(err, errno, NULL, "cannot keep the differences");
	rc = compare_all(d, err);
	if (!rc) {
		put_summary(d);
		rc = copy_spool(d, err);
	}
	fclose(d->spool.file);
	return rc;
}

static int open_both(struct diff *d, struct sv_err *err)
{
	for (unsigned i = 0; i < 2; i++) {
		const char *word = d->args->vm.common.operands.item[i];

		if (sv_vmpath_parse(d->cli->host, word, &d->at[i], err) ||
			sv_machine_open(d->cli, d->at[i].vm, &d->args->vm.allow, &d->m[i], err))
			return -1;
		sv_machine_warn(d->cli, d->m[i]);
	}
	if (!d->at[0].inside == !d->at[1].inside)
		return 0;
	sv_fail(err, SV_USAGE, NULL, "a place is named in one of the machines only");
	return sv_hint(err, "name one in both, or in none");
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	struct diff d = {.cli = cli, .args = args};
	bool differs = false;
	int rc = open_both(&d, err);

	if (!rc)
		rc = cli->global.json ? compare_json(&d, err) : compare_text(&d, err);
	for (unsigned i = 0; i < 2; i++) {
		if (!rc)
			sv_machine_warn_after(cli, d.m[i]);
		sv_machine_close(d.m[i]);
		sv_vmpath_free(&d.at[i]);
	}
	for (unsigned s = 0; s < SECTIONS; s++)
		differs |= any_change(&d.tally[s]);
	if (rc)
		return -1;
	return differs ? SV_EXIT_FAULTS : d.unreadable ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm diff before.qcow2 after.qcow2", "files, software and registry"},
	{"sharevm diff a.vmx:C:/Users b.vmx:C:/Users", "two folders"},
	{"sharevm diff a.vmx b.vmx --only software", "what is installed"},
	{0},
};

static const char *const only_words[] = {"all", "files", "software", "registry", NULL};

static const struct sv_opt options[] = {
	{SV_OPT_CHOICE, "only", .value = "WHAT", .field = offsetof(struct args, only),
		.choices = only_words, .help = "files, software or registry alone"},
	{SV_OPT_FLAG, "summary", .field = offsetof(struct args, summary),
		.help = "only how many of each differ"},
	{SV_OPT_FLAG, "content", .field = offsetof(struct args, content),
		.help = "read files even where size and time are the same"},
	{SV_OPT_FLAG, "metadata", .field = offsetof(struct args, metadata),
		.help = "other permissions, owners and times count, too"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_diff = {
	.name = "diff",
	.summary = "files, registry and software that differ",
	.synopsis = "VM_A[:PATH] VM_B[:PATH] [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM",
	.min_operands = 2,
	.max_operands = 2,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
