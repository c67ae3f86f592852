/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm rollback DIR|VM: undoes an extension. */
#include "cli/commands.h"
#include "extend/extend.h"

struct args {
	struct sv_args common;
	bool discard;
};

static void put_result(struct sv_cli *cli, const char *path, const char *text)
{
	struct sv_json j;

	if (!cli->global.json) {
		sv_out_wrap(&cli->out, 0, 0, text);
		return;
	}
	sv_doc_begin(cli, &j, "rollback");
	sv_json_kstring(&j, "path", path);
	sv_json_kbool(&j, "dry_run", cli->global.dry_run);
	sv_json_kstring(&j, "done", text);
	sv_doc_end(cli, &j);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const char *path = a->common.operands.item[0];
	sv_autofree char *plan = NULL;
	sv_autofree char *text = NULL;

	if (sv_extend_rollback_plan(cli->host, path, a->discard, &cli->job, &plan, err))
		return -1;
	if (cli->global.dry_run) {
		put_result(cli, path, plan);
		return SV_EXIT_OK;
	}
	if (!cli->global.yes && !cli->global.json)
		sv_out_wrap(&cli->msg, 0, 0, plan);
	if (sv_ask(cli, true, "Go on?", err))
		return -1;
	if (sv_extend_rollback(cli->host, path, a->discard, &cli->job, &text, err))
		return -1;
	put_result(cli, path, text);
	return SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm rollback Win10-extended", "delete what extend made"},
	{"sharevm rollback Win10-extended -n", "say what would be deleted"},
	{"sharevm rollback Win10.vmx", "undo --in-place"},
	{"sharevm rollback Win10-extended --discard-changes", "even if it was used"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_FLAG, "discard-changes", .field = offsetof(struct args, discard),
		.help = "delete the folder even if the machine was used since",
		.more = "What was written in the extended machine is lost. It does not help for "
			"\\fB--in-place\\fR: old metadata below a disk that has lived on would "
			"destroy it."},
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_rollback = {
	.name = "rollback",
	.summary = "undo an extension",
	.synopsis = "DIR|VM [--discard-changes]",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "DIR",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_FILE,
	.run = run,
};
