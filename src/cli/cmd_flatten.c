/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm flatten DIR: makes a linked result independent of its originals. */
#include "cli/commands.h"
#include "extend/extend.h"

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const char *dir = ((const struct sv_args *)args)->operands.item[0];
	struct sv_json j;

	if (sv_extend_flatten(cli->host, dir, &cli->job, err))
		return -1;
	if (cli->global.json) {
		sv_doc_begin(cli, &j, "flatten");
		sv_json_kstring(&j, "folder", dir);
		sv_doc_end(cli, &j);
		return SV_EXIT_OK;
	}
	sv_out_in(&cli->out, SV_STYLE_GOOD, "Done.");
	sv_out_line(&cli->out, " %s needs its original no more.", dir);
	return SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm flatten Win10-extended", "copy in what it still reads from the original"},
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
