/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm verify DIR: is an extended machine sound, and are its originals as they were? */
#include "cli/commands.h"
#include "cli/sentences.h"
#include "extend/extend.h"

struct args {
	struct sv_args common;
	bool full;
};

static void put_json(struct sv_cli *cli, const char *dir, const struct sv_verify_report *r)
{
	struct sv_json j;

	sv_doc_begin(cli, &j, "verify");
	sv_json_kstring(&j, "path", dir);
	sv_put_json_list(&j, "ok", r->ok, r->n_ok);
	sv_put_json_list(&j, "faults", r->faults, r->n_faults);
	sv_doc_end(cli, &j);
}

static void put_page(struct sv_cli *cli, const struct sv_verify_report *r)
{
	struct sv_out *o = &cli->out;

	sv_out_in(o, SV_STYLE_NAME, "%s", r->name);
	sv_out_f(o, "  ");
	if (r->n_faults)
		sv_out_in(o, SV_STYLE_BAD, "%zu %s", r->n_faults,
			r->n_faults == 1 ? "fault" : "faults");
	else
		sv_out_in(o, SV_STYLE_GOOD, "sound");
	sv_out_nl(o);
	sv_put_bad(o, r->faults, r->n_faults);
	if (!cli->global.quiet)
		sv_put_good(o, r->ok, r->n_ok);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const char *dir = a->common.operands.item[0];
	SV_CLEANUP(sv_verify_report_free) struct sv_verify_report report = {0};

	if (sv_extend_verify(cli->host, dir, a->full, &cli->job, &report, err))
		return -1;
	if (cli->global.json)
		put_json(cli, dir, &report);
	else
		put_page(cli, &report);
	return report.n_faults ? SV_EXIT_FAULTS : SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm verify Win10-extended", "in a second: sizes, times, samples"},
	{"sharevm verify Win10-extended --full", "every byte of the originals"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_FLAG, "full", .field = offsetof(struct args, full),
		.help = "hash the originals whole, not only samples of them"},
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_verify = {
	.name = "verify",
	.summary = "is an extended machine sound, its original untouched?",
	.synopsis = "DIR [--full]",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "DIR",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_DIR,
	.run = run,
};
