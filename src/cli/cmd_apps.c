/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm apps VM...: what is installed on a machine that is off. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/grid.h"
#include "cli/machine.h"
#include "cli/many.h"
#include "guest/apps.h"

#include <string.h>
#include <strings.h>

#define ROWS_MAX 200000 /* kept to be sorted; more are told to be too many */

struct args {
	struct sv_vm_args vm;
};

struct row {
	char *name, *version, *publisher, *installed, *source, *user;
	unsigned order; /* of its source */
};

struct listing {
	struct sv_cli *cli;
	const struct args *args;
	struct sv_json json;
	struct row *rows;
	size_t n, cap;
	bool failed; /* out of memory, or too many */
};

/* ---- rows for people: by source, then by name ---- */

static void row_free(struct row *r)
{
	free(r->name);
	free(r->version);
	free(r->publisher);
	free(r->installed);
	free(r->source);
	free(r->user);
}

static void rows_free(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		row_free(&l->rows[i]);
	free(l->rows);
	l->rows = NULL;
	l->n = l->cap = 0;
}

static bool grow(struct listing *l)
{
	size_t cap = l->cap ? 2 * l->cap : 64;
	struct row *rows;

	if (l->n < l->cap)
		return true;
	rows = cap <= ROWS_MAX ? realloc(l->rows, cap * sizeof *rows) : NULL;
	if (!rows)
		return false;
	l->rows = rows;
	l->cap = cap;
	return true;
}

/* "Zoë <z@example.org>": the name is enough for a table. */
static size_t without_address(const char *publisher)
{
	size_t n = strlen(publisher);
	const char *address = strstr(publisher, " <");

	return address && address > publisher && publisher[n - 1] == '>'
		       ? (size_t)(address - publisher)
		       : n;
}

static int keep(struct listing *l, const struct sv_guest_app *app)
{
	/* "2012-03-14T10:00:00Z": the day is enough for a table */
	struct row r = {strdup(app->name), strdup(app->version),
		strndup(app->publisher, without_address(app->publisher)),
		strndup(app->installed, 10), strdup(app->source), strdup(app->user), 0};
	struct row *last;

	if (!r.name || !r.version || !r.publisher || !r.installed || !r.source || !r.user ||
		!grow(l)) {
		row_free(&r);
		l->failed = true;
		return -1;
	}
	last = l->n ? &l->rows[l->n - 1] : NULL;
	if (last)
		r.order = last->order + (strcmp(last->source, r.source) != 0);
	l->rows[l->n++] = r;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct row *p = a, *q = b;
	int rc = strcasecmp(p->name, q->name);

	if (p->order != q->order)
		return p->order < q->order ? -1 : 1;
	return rc ? rc : strcmp(p->version, q->version);
}

static int print_rows(struct listing *l, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {{"NAME", .shrinks = true},
		{"VERSION", .shrinks = true}, {"PUBLISHER", .shrinks = true}, {"INSTALLED"},
		{"SOURCE"}};
	SV_CLEANUP(sv_grid_freep)
	struct sv_grid *grid = sv_grid_new(cols, SV_ARRAY_LEN(cols));

	qsort(l->rows, l->n, sizeof *l->rows, by_name);
	for (size_t i = 0; i < l->n; i++) {
		const struct row *r = &l->rows[i];

		sv_grid_add(grid, SV_STYLE_NONE, "%s", r->name);
		sv_grid_add(grid, SV_STYLE_NONE, "%s", r->version);
		sv_grid_add(grid, SV_STYLE_NONE, "%s", r->publisher);
		sv_grid_add(grid, SV_STYLE_NONE, "%s", r->installed);
		sv_grid_add(grid, SV_STYLE_NONE, r->user[0] ? "%s of %s" : "%s", r->source,
			r->user);
	}
	return l->n ? sv_grid_print(grid, &l->cli->out, 0, err) : 0;
}

/* ---- a document ---- */

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static void put_json(struct sv_json *j, const struct sv_guest_app *app)
{
	sv_json_object(j);
	sv_json_kstring(j, "name", app->name);
	sv_json_kstring(j, "version", or_null(app->version));
	sv_json_kstring(j, "publisher", or_null(app->publisher));
	sv_json_kstring(j, "installed", or_null(app->installed));
	sv_json_kstring(j, "source", app->source);
	sv_json_kstring(j, "arch", or_null(app->arch));
	if (app->user[0])
		sv_json_kstring(j, "user", app->user);
	if (app->size)
		sv_json_ku64(j, "size", app->size);
	sv_json_end_object(j);
}

static int take(void *user, const struct sv_guest_app *app)
{
	struct listing *l = user;

	if (!l->cli->global.json)
		return keep(l, app);
	if (sv_out_gone(&l->cli->out))
		return 1;
	put_json(&l->json, app);
	return 0;
}

/* ---- a machine ---- */

static void put_heading(struct listing *l, const struct sv_machine *m)
{
	struct sv_out *o = &l->cli->out;

	if (l->args->vm.common.operands.n < 2 || o->plain)
		return;
	sv_out_in(o, SV_STYLE_NAME, "%s", m->vm->name);
	sv_out_nl(o);
}

static void begin(struct listing *l, const struct sv_machine *m)
{
	if (!l->cli->global.json)
		return;
	sv_doc_begin(l->cli, &l->json, "apps");
	sv_json_kstring(&l->json, "vm", m->vm->name);
	sv_json_key(&l->json, "apps");
	sv_json_array(&l->json);
}

static int end(struct listing *l, const struct sv_machine *m, struct sv_err *err)
{
	if (l->cli->global.json) {
		sv_json_end_array(&l->json);
		sv_doc_end(l->cli, &l->json);
		return 0;
	}
	put_heading(l, m);
	return print_rows(l, err);
}

/* Damage is told by notes: what could be read is printed. */
static bool is_damage(enum sv_code code)
{
	return code == SV_CORRUPT || code == SV_IO || code == SV_NOTFOUND;
}

static int list(struct listing *l, struct sv_machine *m, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	int rc;

	if (!sv_guest_system(m->guest, 0)) /* before a document is begun */
		return sv_guest_apps(m->guest, take, l, &l->cli->job, err);
	begin(l, m);
	rc = sv_guest_apps(m->guest, take, l, &l->cli->job, &why);
	if (end(l, m, err) < 0)
		return -1;
	if (l->failed)
		return sv_fail_nomem(err);
	if (rc >= 0)
		return SV_EXIT_OK;
	if (is_damage(why.code))
		return SV_EXIT_PARTLY;
	sv_err_copy(err, &why);
	return -1;
}

static int apps(struct sv_cli *cli, const char *path, void *user, struct sv_err *err)
{
	struct listing listing = {.cli = cli, .args = user}, *l = &listing;
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;
	int rc;

	if (sv_machine_open(cli, path, &l->args->vm.allow, &m, err))
		return -1;
	sv_machine_warn(cli, m);
	rc = list(l, m, err);
	rows_free(l);
	if (rc >= 0)
		sv_machine_warn_after(cli, m);
	return rc;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;

	return sv_each_at_once(cli, &a->vm.common.operands, true, apps, a, err);
}

static const struct sv_example examples[] = {
	{"sharevm apps Win10.vmx", "programs, packages of the Store, updates"},
	{"sharevm apps *.vmx --json", "of several machines, for a script"},
	{0},
};

static const struct sv_opt options[] = {
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_apps = {
	.name = "apps",
	.summary = "software that is installed, with versions and dates",
	.synopsis = "VM... [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM",
	.min_operands = 1,
	.max_operands = SV_UNLIMITED,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
