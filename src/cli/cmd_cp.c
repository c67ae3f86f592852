/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm cp VM:PATH... DEST: files out of a machine, into a folder or a tar stream. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/copy.h"
#include "cli/roots.h"
#include "cli/vmpath.h"
#include "io/broker.h"

#include <string.h>

struct args {
	struct sv_vm_args vm;
	bool force, archive;
};

/* Where copies go: into a folder under their own names, or to one new name. */
struct dest {
	char *dir;
	char *name; /* NULL: each keeps its own */
	bool tar;
};

static void dest_free(struct dest *d)
{
	free(d->dir);
	free(d->name);
}

static int find_dest(struct sv_cli *cli, const char *text, size_t sources, struct dest *ret,
	struct sv_err *err)
{
	struct sv_host_stat st;
	size_t n = strlen(text);

	if (strcmp(text, "-") == 0) {
		ret->tar = true;
		return 0;
	}
	if (sv_host_stat(cli->host, text, &st, NULL) == 0 && st.type == SV_HOST_DIR) {
		ret->dir = strdup(text);
		return ret->dir ? 0 : sv_fail_nomem(err);
	}
	if (sources > 1 || (n && text[n - 1] == '/')) {
		sv_fail(err, SV_NOTFOUND, text, "no such folder");
		return sv_hint(err, "make it first: mkdir '%s'", text);
	}
	ret->dir = sv_path_dir(text);
	ret->name = strdup(sv_path_base(text));
	return ret->dir && ret->name ? 0 : sv_fail_nomem(err);
}

static struct sv_sink *open_sink(
	struct sv_cli *cli, const struct args *a, const struct dest *d, struct sv_err *err)
{
	if (cli->global.dry_run)
		return sv_sink_nowhere(err);
	if (!d->tar && cli->broker)
		return sv_sink_broker(cli->broker, a->archive, err);
	if (!d->tar)
		return sv_sink_host(d->dir, a->force, a->archive, err);
	if (!cli->out.terminal)
		return sv_sink_tar(&cli->out, &cli->job, err);
	sv_fail(err, SV_USAGE, NULL, "a tar stream does not go to a terminal");
	sv_hint(err, "add '> files.tar', or '| tar x'");
	return NULL;
}

/* The last component as it was written (a link may lead elsewhere); of a whole volume its
 * letter or id. Caller frees. */
static char *own_name(const struct sv_machine *m, const char *inside, const struct sv_place *at)
{
	const struct sv_guest_volume *v = &m->guest->volumes[at->volume];
	const char *cuts = sv_guest_takes_backslash(v) ? "/\\" : "/";
	bool named = inside[0] == '@' || (v->letter && inside[0] && inside[1] == ':');
	const char *path = named ? strchrnul(inside, ':') : inside, *name;
	size_t end;

	path += *path == ':';
	end = strlen(path);
	while (end && strchr(cuts, path[end - 1]))
		end--;
	for (name = path + end; name > path && !strchr(cuts, name[-1]);)
		name--;
	if (name < path + end)
		return strndup(name, (size_t)(path + end - name));
	return v->letter ? sv_format("%c", v->letter) : strdup(sv_path_base(v->id));
}

/* The machine that was opened last: several places of one are usual. */
struct source {
	struct sv_machine *m;
	char *vm;
};

static void source_free(struct source *s)
{
	sv_machine_close(s->m);
	free(s->vm);
}

static int open_source(struct sv_copy *c, const struct args *a, const char *vm,
	struct source *s, struct sv_err *err)
{
	if (s->vm && !strcmp(s->vm, vm))
		return 0;
	source_free(s);
	*s = (struct source){0};
	if (sv_machine_open_volumes(c->cli, vm, &a->vm.allow, &s->m, err))
		return -1;
	s->vm = strdup(vm);
	if (!s->vm)
		return sv_fail_nomem(err);
	s->m->given = s->vm;
	sv_machine_warn(c->cli, s->m);
	return 0;
}

static int copy_root(struct sv_copy *c, const struct sv_machine *m, const struct sv_root *root,
	const struct dest *d, struct sv_err *err)
{
	sv_autofree char *name = d->name ? strdup(d->name) : own_name(m, root->path, &root->at);

	if (!name)
		return sv_fail_nomem(err);
	if (!c->cli->global.dry_run && sv_copy_count(c, &root->at, err))
		return -1;
	return sv_copy_place(c, &root->at, name, err);
}

static int copy_one(struct sv_copy *c, const struct args *a, const char *text,
	const struct dest *d, struct source *s, struct sv_err *err)
{
	sv_autovmpath struct sv_vmpath p = {0};
	sv_autoroots struct sv_roots roots = {0};

	if (sv_vmpath_parse_place(c->cli->host, text, &p, err) ||
		open_source(c, a, p.vm, s, err) ||
		sv_roots_find(s->m, p.inside, a->archive, &roots, err))
		return -1;
	if (roots.n > 1 && d->name) {
		sv_fail(err, SV_NOTFOUND, d->name, "%zu files fit, and this is no folder",
			roots.n);
		return sv_hint(err, "make it first: mkdir '%s'", d->name);
	}
	for (size_t i = 0; i < roots.n; i++)
		if (copy_root(c, s->m, &roots.item[i], d, err))
			return -1;
	sv_machine_warn_after(c->cli, s->m);
	return 0;
}

static void put_json(const struct sv_copy *c)
{
	struct sv_json j;

	sv_doc_begin(c->cli, &j, "cp");
	sv_json_kbool(&j, "dry_run", c->cli->global.dry_run);
	sv_json_ku64(&j, "files", c->files);
	sv_json_ku64(&j, "folders", c->folders);
	sv_json_ku64(&j, "bytes", c->bytes);
	sv_json_ku64(&j, "links_left_out", c->links_left);
	sv_json_ku64(&j, "special_left_out", c->special_left);
	sv_json_ku64(&j, "owners_left_out", c->sink->left_out);
	sv_json_ku64(&j, "failed", c->failed);
	sv_doc_end(c->cli, &j);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void put_summary(const struct sv_copy *c)
{
	struct sv_out *o = &c->cli->msg; /* stdout may be the tar stream */
	char size[SV_SIZE_TEXT];

	if (c->cli->global.quiet)
		return;
	sv_out_f(o, "%s %llu file%s", c->cli->global.dry_run ? "would copy" : "copied",
		(unsigned long long)c->files, plural(c->files));
	if (c->folders)
		sv_out_f(o, " in %llu folder%s", (unsigned long long)c->folders,
			plural(c->folders));
	sv_out_line(o, ", %s", sv_size_format(c->bytes, size));
	if (c->links_left)
		sv_job_note(&c->cli->job,
			"%llu link%s out of the copy %s left out (-v names them; --archive, or "
			"a tar stream, keeps them)",
			(unsigned long long)c->links_left,
			c->links_left == 1 ? " that leads" : "s that lead",
			c->links_left == 1 ? "was" : "were");
	if (c->special_left)
		sv_job_note(&c->cli->job,
			"%llu object%s that %s no file, folder or link: left out "
			"(--archive keeps devices)",
			(unsigned long long)c->special_left, plural(c->special_left),
			c->special_left == 1 ? "is" : "are");
	if (c->sink->left_out)
		sv_job_note(&c->cli->job,
			"%llu owner%s or attribute%s the host did not take: left out",
			(unsigned long long)c->sink->left_out, plural(c->sink->left_out),
			plural(c->sink->left_out));
}

/* The last component of a place, cut at `cuts`; "" where it is a root. Caller frees. */
static char *last_name(const char *path, const char *cuts)
{
	size_t end = strlen(path), begin;

	while (end && strchr(cuts, path[end - 1]))
		end--;
	for (begin = end; begin && !strchr(cuts, path[begin - 1]);)
		begin--;
	return strndup(path + begin, end - begin);
}

/* Whether '\' parts folders, and "x:" a volume, only the machine knows: each reading counts.
 * What has no name of its own is called by its volume, and that begins with no dot. */
static int grant_name(struct sv_grants *g, const char *inside, struct sv_err *err)
{
	const char *colon = strchr(inside, ':');
	const char *paths[] = {inside, colon ? colon + 1 : inside};
	const char *const cuts[] = {"/", "/\\"};

	for (size_t i = 0; i < 4; i++) {
		sv_autofree char *name = last_name(paths[i / 2], cuts[i % 2]);

		if (!name)
			return sv_fail_nomem(err);
		g->any_name |= !*name;
		if (*name && sv_grants_add_name(g, name, err) < 0)
			return -1;
	}
	return 0;
}

static int grant(
	struct sv_cli *cli, const void *args, struct sv_grants *ret, struct sv_err *err)
{
	const struct args *a = args;
	const struct sv_words *w = &a->vm.common.operands;
	SV_CLEANUP(dest_free) struct dest d = {0};

	if (sv_grant_first(cli, args, w->n - 1, ret, err) < 0 ||
		find_dest(cli, w->item[w->n - 1], w->n - 1, &d, err) < 0)
		return -1;
	ret->into = SV_STEAL(d.dir);
	ret->archive = a->archive;
	ret->replace = a->force;
	if (d.name)
		return sv_grants_add_name(ret, d.name, err);
	for (size_t i = 0; i + 1 < w->n; i++) {
		SV_CLEANUP(sv_vmpath_free) struct sv_vmpath p = {0};

		if (sv_vmpath_parse(sv_host_posix(), w->item[i], &p, err) < 0 ||
			(p.inside && grant_name(ret, p.inside, err) < 0))
			return -1;
	}
	return 0;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const struct sv_words *w = &a->vm.common.operands;
	SV_CLEANUP(dest_free) struct dest d = {0};
	SV_CLEANUP(sv_sink_closep) struct sv_sink *sink = NULL;
	SV_CLEANUP(source_free) struct source source = {0};
	struct sv_copy c = {.cli = cli};

	if (find_dest(cli, w->item[w->n - 1], w->n - 1, &d, err))
		return -1;
	sink = c.sink = open_sink(cli, a, &d, err);
	if (!sink)
		return -1;
	for (size_t i = 0; i + 1 < w->n; i++)
		if (copy_one(&c, a, w->item[i], &d, &source, err))
			return -1;
	if (sink->ops->end(sink, err))
		return -1;
	if (cli->global.json && !d.tar)
		put_json(&c);
	else if (!cli->global.json)
		put_summary(&c);
	return c.failed ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm cp Win10.vmx:C:/Users/me/Desktop .", "a folder and all in it"},
	{"sharevm cp 'a.vmx:C:/Users/*/*.txt' a.vmx:D:/b out", "several files"},
	{"sharevm cp Win10.vmx:C:/Users - | tar t", "as a tar stream"},
	{"sudo sharevm cp -a debian.vmdk:/home out", "with owners and all else"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_FLAG, "archive", 'a', .field = offsetof(struct args, archive),
		.help = "keep owners, set-id bits, devices, links, attributes",
		.more = "As \\fBcp -a\\fR(1) does, and as far as the host allows it: owners and "
			"devices are for root. Without this option the files are your own, "
			"without set-id bits, with the attributes named \\fBuser.\\fR only, and "
			"links that lead out of the copy are left out: what an untrusted "
			"machine holds then does no harm. Times, permissions and second names "
			"of one file are always kept. A tar stream always has everything; "
			"extract it with \\fBtar --xattrs --xattrs-include='*' -xp\\fR."},
	{SV_OPT_FLAG, "force", 'f', .field = offsetof(struct args, force),
		.help = "replace files that exist (never folders)"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_cp = {
	.name = "cp",
	.summary = "copy files out of a machine",
	.synopsis = "VM:PATH... DEST|- [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM:PATH or DEST",
	.min_operands = 2,
	.max_operands = SV_UNLIMITED,
	.complete = SV_COMPLETE_FILE,
	.grant = grant,
	.run = run,
};
