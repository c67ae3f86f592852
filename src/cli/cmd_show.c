/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm show VM...: what a machine is made of and how full it is. */
#include "cli/commands.h"
#include "cli/show.h"

struct args {
	struct sv_vm_args vm;
};

static int show(struct sv_cli *cli, const char *path, const struct sv_words *allow,
	bool *partly, struct sv_err *err)
{
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;

	if (sv_machine_open(cli, path, allow, &m, err))
		return -1;
	if (!sv_show_complete(m))
		*partly = true;
	if (!cli->global.json)
		return sv_show_page(cli, m, err);
	sv_show_json(cli, m);
	return 0;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const struct sv_words *vms = &a->vm.common.operands;
	bool partly = false;

	cli->out.one_line_json = vms->n > 1;
	for (size_t i = 0; i < vms->n; i++) {
		if (i && !cli->global.json)
			sv_out_nl(&cli->out);
		if (show(cli, vms->item[i], &a->vm.allow, &partly, err))
			return -1;
	}
	return partly ? SV_EXIT_PARTLY : SV_EXIT_OK;
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
	.run = run,
};
