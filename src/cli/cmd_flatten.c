/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm flatten DIR: makes a linked result independent of its originals. */
#include "cli/commands.h"
#include "extend/extend.h"

static void put_result(struct sv_cli *cli, const char *dir, const char *plan)
{
	struct sv_json j;

	if (cli->global.json) {
		sv_doc_begin(cli, &j, "flatten");
		sv_json_kstring(&j, "folder", dir);
		sv_json_kbool(&j, "dry_run", cli->global.dry_run);
		sv_json_kstring(&j, "plan", plan);
		sv_doc_end(cli, &j);
	} else if (cli->global.dry_run) {
		sv_out_wrap(&cli->out, 0, 0, plan);
	} else {
		sv_out_in(&cli->out, SV_STYLE_GOOD, "Done.");
		sv_out_line(&cli->out, " %s needs its original no more.", dir);
	}
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const char *dir = ((const struct sv_args *)args)->operands.item[0];
	sv_autofree char *plan = NULL;

	if (sv_extend_flatten_plan(cli->host, dir, &plan, err))
		return -1;
	if (!cli->global.dry_run && sv_extend_flatten(cli->host, dir, &cli->job, err))
		return -1;
	put_result(cli, dir, plan);
	return SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm flatten Win10-extended", "copy in what it still lacks"},
	{"sharevm flatten Win10-extended -n", "how much that would be"},
	{0},
};

static const struct sv_opt options[] = {{SV_OPT_END}};

const struct sv_cmd sv_cmd_flatten = {
	.name = "flatten",
	.summary = "make a linked result independent of its original",
	.synopsis = "DIR",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct sv_args),
	.operand = "DIR",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_DIR,
	.run = run,
};
