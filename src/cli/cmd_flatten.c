/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm flatten DIR: makes a linked result independent of its originals. */
#include "cli/commands.h"
#include "extend/extend.h"

static void put_result(struct sv_cli *cli, const char *dir, const char *plan, const char *done)
{
	struct sv_json j;

	if (cli->global.json) {
		sv_doc_begin(cli, &j, "flatten");
		sv_json_kstring(&j, "folder", dir);
		sv_json_kbool(&j, "dry_run", cli->global.dry_run);
		sv_json_kstring(&j, "plan", plan);
		if (done)
			sv_json_kstring(&j, "done", done);
		sv_doc_end(cli, &j);
	} else {
		sv_out_wrap(&cli->out, 0, 0, done ? done : plan);
	}
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const char *dir = ((const struct sv_args *)args)->operands.item[0];
	sv_autofree char *plan = NULL;
	sv_autofree char *done = NULL;

	if (sv_extend_flatten_plan(cli->host, dir, &plan, err))
		return -1;
	if (!cli->global.dry_run && sv_extend_flatten(cli->host, dir, &cli->job, &done, err))
		return -1;
	put_result(cli, dir, plan, done);
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
