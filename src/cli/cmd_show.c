/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm show VM...: what a machine is made of and how full it is. */
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/many.h"
#include "cli/show.h"

struct args {
	struct sv_vm_args vm;
};

static int show(struct sv_cli *cli, const char *path, void *user, struct sv_err *err)
{
	const struct args *a = user;
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;

	if (sv_machine_open(cli, path, &a->vm.allow, &m, err))
		return -1;
	if (cli->global.json)
		sv_show_json(cli, m);
	else if (sv_show_page(cli, m, err))
		return -1;
	return sv_show_complete(m) ? SV_EXIT_OK : SV_EXIT_PARTLY;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;

	return sv_each_at_once(cli, &a->vm.common.operands, true, show, a, err);
}

static const struct sv_example examples[] = {
	{"sharevm show Win10.vmx", "a machine by its configuration"},
	{"sharevm show ~/vmware/Win10", "or by its folder"},
	{"sharevm show disk.vmdk --json", "a bare disk image, for a script"},
	{0},
};

static const struct sv_opt options[] = {
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_show = {
	.name = "show",
	.summary = "state, disks, volumes and their fullness, operating system",
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
