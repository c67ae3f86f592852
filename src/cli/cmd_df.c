/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm df VM...: how full each volume is. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/grid.h"
#include "cli/machine.h"
#include "cli/many.h"

#include <string.h>

struct args {
	struct sv_vm_args vm;
};

static const char *or_null(const char *s)
{
	return s && *s ? s : NULL;
}

static void put_number(struct sv_json *j, const char *key, bool known, uint64_t n)
{
	sv_json_key(j, key);
	if (known)
		sv_json_u64(j, n);
	else
		sv_json_null(j);
}

static void put_json(struct sv_cli *cli, const struct sv_machine *m)
{
	struct sv_json j;

	sv_doc_begin(cli, &j, "df");
	sv_json_kstring(&j, "vm", m->vm->name);
	sv_json_key(&j, "volumes");
	sv_json_array(&j);
	for (size_t i = 0; i < m->guest->n_volumes; i++) {
		const struct sv_guest_volume *v = &m->guest->volumes[i];

		sv_json_object(&j);
		sv_json_kstring(&j, "id", v->id);
		sv_json_kstring(&j, "mount", or_null(v->mount));
		sv_json_kstring(&j, "fs", or_null(v->type));
		sv_json_kstring(&j, "label", v->readable ? or_null(v->info.label) : NULL);
		put_number(&j, "size", v->readable, v->info.size);
		put_number(&j, "used", v->readable, v->info.used);
		put_number(&j, "free", v->readable, v->info.free);
		sv_json_ku64(&j, "volume_size", v->size);
		sv_json_kstring(&j, "problem", or_null(v->problem));
		sv_json_end_object(&j);
	}
	sv_json_end_array(&j);
	sv_doc_end(cli, &j);
}

static void add_volume(struct sv_grid *g, const struct sv_guest_volume *v)
{
	const char *content = *v->type ? v->type : v->type_name;
	char size[SV_SIZE_TEXT];

	sv_grid_add(g, SV_STYLE_NONE, "%s", v->id);
	sv_grid_add(g, SV_STYLE_BOLD, "%s", v->mount);
	sv_grid_add(g, SV_STYLE_NONE, "%s", content ? content : "");
	sv_grid_add(g, SV_STYLE_NONE, "%s",
		sv_size_format(v->readable ? v->info.size : v->size, size));
	if (!v->readable) {
		sv_grid_add(g, SV_STYLE_NONE, "-");
		sv_grid_add(g, SV_STYLE_NONE, "-");
		sv_grid_add(g, SV_STYLE_NONE, "-");
		return;
	}
	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(v->info.used, size));
	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(v->info.free, size));
	sv_grid_add_gauge(g, v->info.used, v->info.size);
}

static int put_table(struct sv_cli *cli, const struct sv_machine *m, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {{"VOLUME", .shrinks = true}, {"MOUNT"},
		{"CONTENT", .shrinks = true}, {"SIZE", .right = true}, {"USED", .right = true},
		{"FREE", .right = true}, {"USE"}};
	SV_CLEANUP(sv_grid_freep)
	struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));

	for (size_t i = 0; i < m->guest->n_volumes; i++)
		add_volume(g, &m->guest->volumes[i]);
	return m->guest->n_volumes ? sv_grid_print(g, &cli->out, 0, err) : 0;
}

/* Damage is a fault; what is encrypted or unknown is not. */
static bool is_whole(const struct sv_machine *m)
{
	for (size_t i = 0; i < m->vm->n_disks; i++)
		if (!m->disks[i].image)
			return false;
	for (size_t i = 0; i < m->guest->n_volumes; i++) {
		const struct sv_guest_volume *v = &m->guest->volumes[i];

		if (!v->readable && v->problem_code != SV_OK &&
			v->problem_code != SV_UNSUPPORTED)
			return false;
	}
	return true;
}

static void tell_problems(struct sv_cli *cli, const struct sv_machine *m)
{
	for (size_t i = 0; i < m->guest->n_volumes; i++) {
		const struct sv_guest_volume *v = &m->guest->volumes[i];

		if (!v->readable && v->problem_code != SV_OK &&
			v->problem_code != SV_UNSUPPORTED)
			sv_job_note(&cli->job, "%s: %s: %s", m->vm->name, v->id, v->problem);
	}
	for (size_t i = 0; i < m->vm->n_disks; i++)
		if (!m->disks[i].image)
			sv_job_note(&cli->job, "%s: %s: %s", m->vm->name, m->vm->disks[i].id,
				m->disks[i].problem.message);
}

static int df(struct sv_cli *cli, const char *path, void *user, struct sv_err *err)
{
	const struct args *a = user;
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;

	if (sv_machine_open_volumes(cli, path, &a->vm.allow, &m, err))
		return -1;
	if (cli->global.json) {
		put_json(cli, m);
	} else {
		if (a->vm.common.operands.n > 1 && !cli->out.plain) {
			sv_out_in(&cli->out, SV_STYLE_NAME, "%s", m->vm->name);
			sv_out_nl(&cli->out);
		}
		if (put_table(cli, m, err))
			return -1;
	}
	tell_problems(cli, m);
	return is_whole(m) ? SV_EXIT_OK : SV_EXIT_PARTLY;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;

	return sv_each_at_once(cli, &a->vm.common.operands, true, df, a, err);
}

static const struct sv_example examples[] = {
	{"sharevm df Win10.vmx", "its volumes, and how full they are"},
	{"sharevm df *.qcow2 --json", "of several machines, for a script"},
	{0},
};

static const struct sv_opt options[] = {
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_df = {
	.name = "df",
	.summary = "how full each volume is",
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
