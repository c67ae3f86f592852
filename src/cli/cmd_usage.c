/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm usage VM[:PATH]: what fills a machine's volumes, and what will go on growing. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/grid.h"
#include "cli/listing.h"
#include "cli/usage.h"
#include "cli/vmpath.h"
#include "guest/growing.h"

#include <string.h>

#define DEPTH       2
#define DEPTH_MAX   64
#define TOP         8
#define TOP_MAX     10000
#define TOLD_FROM   SV_MIB /* what grows is told to people from here on */
#define GROWING_MAX 10     /* and so many of them */

struct args {
	struct sv_vm_args vm;
	const char *depth, *top;
	bool apparent;
};

struct usage {
	struct sv_cli *cli;
	const struct args *args;
	struct sv_usage_opts opts;
	const struct sv_machine *m;
	const struct sv_root *root;
	struct sv_json json;
	uint64_t unreadable;
};

/* ---- for people ---- */

static uint64_t shown(const struct usage *u, const struct sv_amount *a)
{
	return u->args->apparent ? a->size : a->allocated;
}

static void add_line(const struct usage *u, struct sv_grid *g, const struct sv_amount *sum,
	uint64_t whole, enum sv_style style, const char *text)
{
	char size[SV_SIZE_TEXT];

	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(shown(u, sum), size));
	sv_grid_add_gauge(g, shown(u, sum), whole);
	sv_grid_add(g, style, "%s", text);
}

static int add_node(const struct usage *u, struct sv_grid *g, const struct sv_usage_node *n,
	const char *above, uint64_t whole, struct sv_err *err)
{
	bool folder = n->type == SV_FS_DIR;
	sv_autofree char *path = sv_root_path(above, n->name);
	const char *below = *n->name ? path : above; /* the root has a '/' at its end */
	sv_autofree char *rest = NULL;

	if (!path)
		return sv_fail_nomem(err);
	add_line(u, g, &n->sum, whole, folder ? SV_STYLE_NAME : SV_STYLE_NONE, path);
	for (size_t i = 0; i < n->n; i++)
		if (add_node(u, g, &n->children[i], below, whole, err))
			return -1;
	if (!n->n_others)
		return 0;
	rest = sv_format("and %llu more in %s", (unsigned long long)n->n_others, path);
	if (!rest)
		return sv_fail_nomem(err);
	add_line(u, g, &n->others, whole, SV_STYLE_DIM, rest);
	return 0;
}

static int put_tree(const struct usage *u, const struct sv_usage_node *tree, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {
		{"TAKES", .right = true}, {"SHARE"}, {"WHAT", .shrinks = true}};
	SV_CLEANUP(sv_grid_freep)
	struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));

	if (add_node(u, g, tree, u->root->path, shown(u, &tree->sum), err))
		return -1;
	return sv_grid_print(g, &u->cli->out, 0, err);
}

static bool is_whole_volume(const struct usage *u)
{
	return !strcmp(u->root->at.path, "/");
}

/* What the file system says, beside what the files add up to. */
static void put_heading(const struct usage *u, const struct sv_usage_node *tree)
{
	const struct sv_guest_volume *v = &u->m->guest->volumes[u->root->at.volume];
	struct sv_out *o = &u->cli->out;
	char a[SV_SIZE_TEXT], b[SV_SIZE_TEXT];
	sv_autofree char *path = sv_root_path(u->root->path, "");

	if (o->plain)
		return;
	sv_out_in(o, SV_STYLE_NAME, "%s", path ? path : "");
	sv_out_f(o, "  %s in %llu file%s and %llu folder%s",
		sv_size_format(shown(u, &tree->sum), a), (unsigned long long)tree->sum.files,
		tree->sum.files == 1 ? "" : "s", (unsigned long long)tree->sum.folders,
		tree->sum.folders == 1 ? "" : "s");
	if (is_whole_volume(u) && v->readable)
		sv_out_f(o, "; %s of %s used", sv_size_format(v->info.used, a),
			sv_size_format(v->info.size, b));
	sv_out_nl(o);
}

/* The indices of the rules that found something, the largest first. */
static size_t *sorted_growing(
	const struct usage *u, const struct sv_usage *r, uint64_t from, size_t *ret_n)
{
	size_t *order = calloc(r->n_growing, sizeof *order), n = 0;

	for (size_t i = 0; order && i < r->n_growing; i++) {
		uint64_t size = shown(u, &r->growing[i].sum);
		size_t at = n;

		if (!r->growing[i].places || size < from)
			continue;
		for (; at && shown(u, &r->growing[order[at - 1]].sum) < size; at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	*ret_n = n;
	return order;
}

static void put_one(
	const struct usage *u, const struct sv_usage_growing *g, const struct sv_growing *rule)
{
	struct sv_out *o = &u->cli->out;
	sv_autofree char *path = sv_root_path(u->root->path, g->path);
	sv_autofree char *text = NULL;
	char size[SV_SIZE_TEXT];

	sv_out_f(o, "  %7s  ", sv_size_format(shown(u, &g->sum), size));
	if (g->places > 1)
		text = sv_format("%s, in %llu places: %s", rule->title,
			(unsigned long long)g->places, path ? path : "");
	else
		text = sv_format("%s: %s", rule->title, path ? path : "");
	sv_out_wrap(o, 11, 11, text ? text : "");
	sv_out_spaces(o, 11);
	sv_out_wrap(o, 11, 11, rule->why);
	sv_out_spaces(o, 11);
	sv_out_in(o, SV_STYLE_GOOD, "->");
	sv_out_f(o, " ");
	sv_out_wrap(o, 14, 14, rule->remedy);
}

static int put_growing(const struct usage *u, const struct sv_usage *r, struct sv_err *err)
{
	struct sv_out *o = &u->cli->out;
	size_t n = 0;
	sv_autofree size_t *order = sorted_growing(u, r, TOLD_FROM, &n);

	if (!order)
		return sv_fail_nomem(err);
	if (!n || o->plain)
		return 0;
	sv_out_nl(o);
	sv_out_in(o, SV_STYLE_BOLD, "Likely to go on growing");
	sv_out_nl(o);
	for (size_t i = 0; i < SV_MIN(n, (size_t)GROWING_MAX); i++)
		put_one(u, &r->growing[order[i]], sv_growing_rule(order[i]));
	return 0;
}

/* ---- a document ---- */

static void put_amount(struct sv_json *j, const struct sv_amount *a)
{
	sv_json_ku64(j, "allocated", a->allocated);
	sv_json_ku64(j, "size", a->size);
	sv_json_ku64(j, "files", a->files);
	sv_json_ku64(j, "folders", a->folders);
}

static void put_json_node(struct sv_json *j, const struct sv_usage_node *n)
{
	sv_json_object(j);
	sv_json_kstring(j, "name", n->name);
	sv_json_kstring(j, "type", sv_type_word(n->type));
	put_amount(j, &n->sum);
	if (n->n) {
		sv_json_key(j, "children");
		sv_json_array(j);
		for (size_t i = 0; i < n->n; i++)
			put_json_node(j, &n->children[i]);
		sv_json_end_array(j);
	}
	if (n->n_others) {
		sv_json_key(j, "others");
		sv_json_object(j);
		sv_json_ku64(j, "entries", n->n_others);
		put_amount(j, &n->others);
		sv_json_end_object(j);
	}
	sv_json_end_object(j);
}

static void put_json_growing(
	struct usage *u, const struct sv_usage_growing *g, const struct sv_growing *rule)
{
	sv_autofree char *path = sv_root_path(u->root->path, g->path);
	struct sv_json *j = &u->json;

	sv_json_object(j);
	sv_json_kstring(j, "kind", rule->kind);
	sv_json_kstring(j, "title", rule->title);
	sv_json_kstring(j, "path", path);
	sv_json_ku64(j, "places", g->places);
	put_amount(j, &g->sum);
	sv_json_kstring(j, "why", rule->why);
	sv_json_kstring(j, "remedy", rule->remedy);
	sv_json_end_object(j);
}

static int put_json(struct usage *u, const struct sv_usage *r, struct sv_err *err)
{
	const struct sv_guest_volume *v = &u->m->guest->volumes[u->root->at.volume];
	sv_autofree char *path = sv_root_path(u->root->path, "");
	size_t n = 0;
	sv_autofree size_t *order = sorted_growing(u, r, 0, &n);
	struct sv_json *j = &u->json;

	if (!order || !path)
		return sv_fail_nomem(err);
	sv_json_object(j);
	sv_json_kstring(j, "path", path);
	sv_json_kstring(j, "volume", v->id);
	sv_json_ku64(j, "volume_size", v->info.size);
	sv_json_ku64(j, "volume_used", v->info.used);
	sv_json_key(j, "tree");
	put_json_node(j, &r->tree);
	sv_json_key(j, "growing");
	sv_json_array(j);
	for (size_t i = 0; i < n; i++)
		put_json_growing(u, &r->growing[order[i]], sv_growing_rule(order[i]));
	sv_json_end_array(j);
	sv_json_end_object(j);
	return 0;
}

/* ---- a machine ---- */

static void tell(void *user, const char *path, const struct sv_err *what)
{
	struct usage *u = user;
	sv_autofree char *full = sv_root_path(u->root->path, path);

	u->unreadable++;
	sv_job_note(&u->cli->job, "%s: cannot be read: %s", full ? full : path, what->message);
}

static int measure(struct usage *u, struct sv_err *err)
{
	sv_autousage struct sv_usage r = {0};

	sv_job_progress(&u->cli->job, "adding up", 0, 0);
	if (sv_usage_measure(u->m, u->root, &u->opts, &u->cli->job, &r, err))
		return -1;
	if (u->cli->global.json)
		return put_json(u, &r, err);
	put_heading(u, &r.tree);
	return put_tree(u, &r.tree, err) || put_growing(u, &r, err) ? -1 : 0;
}

static int measure_all(struct usage *u, const struct sv_roots *roots, struct sv_err *err)
{
	for (size_t i = 0; i < roots->n; i++) {
		if (i && !u->cli->global.json && !u->cli->out.plain)
			sv_out_nl(&u->cli->out);
		u->root = &roots->item[i];
		if (measure(u, err))
			return -1;
	}
	return 0;
}

static int parse_number(
	const char *option, const char *word, unsigned max, unsigned *ret, struct sv_err *err)
{
	size_t n = word ? strlen(word) : 0;

	if (!word)
		return 0;
	if (!n || n > 6 || strspn(word, "0123456789") != n || strtoul(word, NULL, 10) > max)
		return sv_fail(err, SV_USAGE, NULL, "%s: '%s' is no number up to %u", option,
			word, max);
	*ret = (unsigned)strtoul(word, NULL, 10);
	return 0;
}

static int run_document(struct usage *u, const struct sv_roots *roots, struct sv_err *err)
{
	int rc;

	if (!u->cli->global.json)
		return measure_all(u, roots, err);
	sv_doc_begin(u->cli, &u->json, "usage");
	sv_json_kstring(&u->json, "vm", u->m->vm->name);
	sv_json_key(&u->json, "roots");
	sv_json_array(&u->json);
	rc = measure_all(u, roots, err);
	sv_json_end_array(&u->json);
	sv_json_ku64(&u->json, "unreadable", u->unreadable);
	sv_doc_end(u->cli, &u->json);
	return rc;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	struct usage u = {.cli = cli, .args = a, .opts = {DEPTH, TOP, tell, &u}};
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;
	sv_autovmpath struct sv_vmpath p = {0};
	sv_autoroots struct sv_roots roots = {0};

	if (parse_number("--depth", a->depth, DEPTH_MAX, &u.opts.depth, err) ||
		parse_number("--top", a->top, TOP_MAX, &u.opts.top, err) ||
		sv_vmpath_parse(cli->host, a->vm.common.operands.item[0], &p, err) ||
		sv_machine_open_volumes(cli, p.vm, &a->vm.allow, &m, err))
		return -1;
	u.m = m;
	sv_machine_warn(cli, m);
	if (sv_roots_find(m, p.inside, false, &roots, err) || run_document(&u, &roots, err))
		return -1;
	sv_machine_warn_after(cli, m);
	return u.unreadable ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm usage Win10.vmx", "what fills its drives"},
	{"sharevm usage a.qcow2:/var --depth 3", "of a folder, in more detail"},
	{"sharevm usage Win10.vmx:C:/ --json", "for a script"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_TEXT, "depth", .value = "N", .field = offsetof(struct args, depth),
		.help = "folders in folders that are shown (2)"},
	{SV_OPT_TEXT, "top", .value = "N", .field = offsetof(struct args, top),
		.help = "entries of each folder that are shown (8)"},
	{SV_OPT_FLAG, "apparent", .field = offsetof(struct args, apparent),
		.help = "sizes of files instead of the room that they take",
		.more = "The two differ for sparse and compressed files, and for many small ones."},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_usage = {
	.name = "usage",
	.summary = "what fills a volume, and what will go on growing",
	.synopsis = "VM[:PATH] [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
