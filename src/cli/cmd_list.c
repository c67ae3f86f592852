/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm list: every machine there is, in the libraries or below folders, and how full. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/grid.h"
#include "cli/machine.h"
#include "cli/many.h"
#include "cli/report.h"
#include "io/broker.h"

#include <string.h>

struct args {
	struct sv_vm_args vm;
	struct sv_words in;
};

/* A line of the list. A machine that cannot be opened has what its configuration tells. */
struct row {
	char *name, *config, *reason;
	const char *hypervisor;
	enum sv_vm_state state;
	char *family, *product, *version, *arch, *hostname; /* NULL: no system */
	char *volume;                                       /* id; NULL: no system's */
	uint64_t size, used;                                /* of that volume */
	uint64_t virtual_size, host_size;                   /* of all disks */
	bool partly;
};

struct list {
	const struct args *args;
	const char **paths;
	size_t n;
	struct row *rows; /* filled by the workers, each its own; freed once printed */
	struct sv_grid *grid;
	struct sv_json json;
};

static void row_free(struct row *r)
{
	char *texts[] = {r->name, r->config, r->reason, r->family, r->product, r->version,
		r->arch, r->hostname, r->volume};

	for (size_t i = 0; i < SV_ARRAY_LEN(texts); i++)
		free(texts[i]);
	*r = (struct row){0};
}

/* ---- on the workers ---- */

static int fill_vm(struct row *r, const struct sv_vm *vm, struct sv_err *err)
{
	r->name = strdup(vm->name);
	r->config = strdup(vm->config);
	r->reason = strdup(vm->state_reason);
	r->hypervisor = vm->hypervisor;
	r->state = vm->state;
	return r->name && r->config && r->reason ? 0 : sv_fail_nomem(err);
}

static int fill_system(struct row *r, const struct sv_guest *g, struct sv_err *err)
{
	const struct sv_guest_os *os = sv_guest_system(g, 0);
	const struct sv_guest_volume *v;

	if (!os)
		return 0;
	r->family = strdup(os->family);
	r->product = strdup(os->product);
	r->version = strdup(os->version);
	r->arch = strdup(os->arch);
	r->hostname = strdup(os->hostname);
	if (!r->family || !r->product || !r->version || !r->arch || !r->hostname)
		return sv_fail_nomem(err);
	if (g->system_volume < 0)
		return 0;
	v = &g->volumes[g->system_volume];
	r->volume = strdup(v->id);
	r->size = v->readable ? v->info.size : v->size;
	r->used = v->readable ? v->info.used : 0;
	return r->volume ? 0 : sv_fail_nomem(err);
}

static void fill_disks(struct row *r, const struct sv_machine *m)
{
	for (size_t i = 0; i < m->vm->n_disks; i++) {
		struct sv_image *image = m->disks[i].image;

		r->partly |= !image;
		for (size_t k = 0; image && k < sv_image_links(image); k++)
			r->host_size += sv_image_link(image, k)->host_size;
		if (image)
			r->virtual_size += sv_image_link(image, 0)->virtual_size;
	}
}

/* Of a machine whose disks cannot be opened its name and state are worth telling. */
static int fill_what_is_known(struct sv_cli *cli, struct row *r, const char *path)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;

	if (sv_vm_open(cli->host, path, &vm, NULL) == 0)
		return fill_vm(r, vm, NULL);
	r->name = strdup(sv_path_base(path));
	r->config = strdup(path);
	r->reason = strdup("");
	r->state = SV_VM_UNKNOWN;
	return 0;
}

static int look(struct sv_cli *cli, size_t i, void *user, struct sv_err *err)
{
	struct list *l = user;
	struct row *r = &l->rows[i];
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;

	if (sv_machine_open(cli, l->paths[i], &l->args->vm.allow, &m, err)) {
		fill_what_is_known(cli, r, l->paths[i]);
		sv_err_path(err, l->paths[i]);
		return -1;
	}
	fill_disks(r, m);
	if (fill_vm(r, m->vm, err) || fill_system(r, m->guest, err))
		return -1;
	return r->partly ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

/* ---- for people ---- */

static const char *hypervisor_words(const char *hypervisor)
{
	static const char *const words[][2] = {{"vmware", "VMware"}, {"ovf", "appliance"},
		{"image", "disk image"}, {"virtualbox", "VirtualBox"}, {"hyperv", "Hyper-V"},
		{"parallels", "Parallels"}, {"utm", "UTM"}, {"proxmox", "Proxmox"}};

	for (size_t i = 0; hypervisor && i < SV_ARRAY_LEN(words); i++)
		if (!strcmp(words[i][0], hypervisor))
			return words[i][1];
	return hypervisor ? hypervisor : "";
}

static const char *system_words(const struct row *r)
{
	if (!r->family)
		return "-";
	return *r->product ? r->product : r->family;
}

static void add_row(struct list *l, const struct row *r, bool verbose)
{
	bool off = r->state == SV_VM_OFF;
	char size[SV_SIZE_TEXT];

	sv_grid_add(l->grid, SV_STYLE_NAME, "%s", r->name);
	sv_grid_add(l->grid, SV_STYLE_NONE, "%s", hypervisor_words(r->hypervisor));
	sv_grid_add(
		l->grid, off ? SV_STYLE_NONE : SV_STYLE_WARN, "%s", sv_vm_state_name(r->state));
	sv_grid_add(l->grid, SV_STYLE_NONE, "%s", system_words(r));
	sv_grid_add_gauge(l->grid, r->used, r->volume ? r->size : 0);
	sv_grid_add(l->grid, SV_STYLE_NONE, "%s", sv_size_format(r->host_size, size));
	if (verbose)
		sv_grid_add(l->grid, SV_STYLE_NONE, "%s", r->config);
}

/* ---- a document ---- */

static const char *or_null(const char *s)
{
	return s && *s ? s : NULL;
}

static void put_system(struct sv_json *j, const struct row *r)
{
	sv_json_key(j, "os");
	if (!r->family) {
		sv_json_null(j);
		return;
	}
	sv_json_object(j);
	sv_json_kstring(j, "family", r->family);
	sv_json_kstring(j, "product", or_null(r->product));
	sv_json_kstring(j, "version", or_null(r->version));
	sv_json_kstring(j, "arch", or_null(r->arch));
	sv_json_kstring(j, "hostname", or_null(r->hostname));
	sv_json_end_object(j);
}

static void put_system_volume(struct sv_json *j, const struct row *r)
{
	sv_json_key(j, "system_volume");
	if (!r->volume) {
		sv_json_null(j);
		return;
	}
	sv_json_object(j);
	sv_json_kstring(j, "id", r->volume);
	sv_json_ku64(j, "size", r->size);
	sv_json_ku64(j, "used", r->used);
	sv_json_end_object(j);
}

static void put_json(struct sv_json *j, const struct row *r, const struct sv_err *problem)
{
	sv_json_object(j);
	sv_json_kstring(j, "name", r->name);
	sv_json_kstring(j, "hypervisor", r->hypervisor);
	sv_json_kstring(j, "config", r->config);
	sv_json_kstring(j, "state", sv_vm_state_name(r->state));
	sv_json_kstring(j, "state_reason", r->reason);
	put_system(j, r);
	put_system_volume(j, r);
	sv_json_ku64(j, "virtual_size", r->virtual_size);
	sv_json_ku64(j, "host_size", r->host_size);
	if (problem)
		sv_json_kstring(j, "problem", problem->message);
	sv_json_end_object(j);
}

/* ---- in order ---- */

static int put(struct sv_cli *cli, size_t i, int rc, const struct sv_err *own, void *user,
	struct sv_err *err)
{
	struct list *l = user;
	struct row *r = &l->rows[i];

	(void)err;
	if (rc < 0)
		sv_report(&cli->msg, cli->global.json, own);
	if (r->name && r->config && cli->global.json)
		put_json(&l->json, r, rc < 0 ? own : NULL);
	else if (r->name && r->config)
		add_row(l, r, cli->global.verbose);
	row_free(r);
	return rc < 0 ? sv_exit_code(own->code) : rc;
}

static const char *name_of(size_t i, void *user)
{
	const struct list *l = user;

	return l->paths[i];
}

static int put_all(struct sv_cli *cli, struct list *l, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {{"NAME", .shrinks = true}, {"KIND"},
		{"STATE"}, {"SYSTEM", .shrinks = true}, {"USED"}, {"ON HOST", .right = true},
		{"FILE"}};
	SV_CLEANUP(sv_grid_freep)
	struct sv_grid *grid =
		sv_grid_new(cols, SV_ARRAY_LEN(cols) - (cli->global.verbose ? 0 : 1));
	struct sv_many m = {.work = look,
		.done = put,
		.name = name_of,
		.user = l,
		.stage = "looking at the machines",
		.prints_last = true};
	int rc;

	l->grid = grid;
	if (cli->global.json) {
		sv_doc_begin(cli, &l->json, "list");
		sv_json_key(&l->json, "vms");
		sv_json_array(&l->json);
	}
	rc = sv_many_run(cli, &m, l->n, err);
	if (cli->global.json) { /* also after an error: what was printed is a whole document */
		sv_json_end_array(&l->json);
		sv_doc_end(cli, &l->json);
	} else if (rc >= 0 && l->n && sv_grid_print(grid, &cli->out, 0, err)) {
		rc = -1;
	}
	return rc;
}

static int list_paths(struct sv_cli *cli, struct list *l, struct sv_err *err)
{
	int rc;

	l->rows = calloc(l->n ? l->n : 1, sizeof *l->rows);
	if (!l->rows)
		return sv_fail_nomem(err);
	rc = put_all(cli, l, err);
	for (size_t i = 0; i < l->n; i++)
		row_free(&l->rows[i]);
	free(l->rows);
	return rc;
}

/* Names and paths that were given, and what was found. */
static int gather(struct list *l, const struct sv_library *library, struct sv_err *err)
{
	const struct sv_words *w = &l->args->vm.common.operands;

	l->paths = calloc(w->n + library->n + 1, sizeof *l->paths);
	if (!l->paths)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < w->n; i++)
		l->paths[l->n++] = w->item[i];
	for (size_t i = 0; i < library->n; i++)
		l->paths[l->n++] = library->machines[i].path;
	return 0;
}

static int grant(
	struct sv_cli *cli, const void *args, struct sv_grants *ret, struct sv_err *err)
{
	const struct args *a = args;

	for (size_t i = 0; i < a->in.n; i++)
		if (sv_grants_add(ret, sv_host_posix(), a->in.item[i], err))
			return -1;
	if (!a->in.n && !a->vm.common.operands.n && sv_grant_library(ret, err))
		return -1;
	return sv_grant_operands(cli, args, ret, err);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	struct list l = {.args = args};
	struct sv_library library = {0};
	size_t unreadable = 0;
	int rc = 0;

	if (l.args->in.n || !l.args->vm.common.operands.n)
		rc = sv_machines_scan(cli, &l.args->in, &library, &unreadable, err);
	if (!rc)
		rc = gather(&l, &library, err);
	if (!rc)
		rc = list_paths(cli, &l, err);
	if (!rc && !l.n && !cli->global.json && !cli->global.quiet)
		sv_out_line(&cli->msg,
			l.args->in.n
				? "no virtual machines were found there"
				: "no virtual machines were found: name a folder with --in");
	free(l.paths);
	sv_library_free(&library);
	return !rc && unreadable ? SV_EXIT_PARTLY : rc;
}

static const struct sv_example examples[] = {
	{"sharevm list", "the machines of this user's hypervisors"},
	{"sharevm list --in /srv/vms", "all in a folder, and in folders below it"},
	{"sharevm list --in /srv/vms --json", "for a script"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_LIST, "in", .value = "DIR", .field = offsetof(struct args, in),
		.complete = SV_COMPLETE_DIR,
		.help = "look in DIR and below it instead; may be repeated",
		.more = "Links to folders are not followed."},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_list = {
	.name = "list",
	.summary = "all machines: state, system, how full, size",
	.synopsis = "[--in DIR]... [VM]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM",
	.min_operands = 0,
	.max_operands = SV_UNLIMITED,
	.complete = SV_COMPLETE_FILE,
	.grant = grant,
	.run = run,
};
