/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The program: finds the command, fills its arguments, runs it, reports its error.
 *
 * Ctrl-C sets the job's cancel flag, which every operation looks at; a second one kills, and
 * that is safe too: nothing is published before it is whole.
 */
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/confine.h"
#include "cli/help.h"
#include "cli/report.h"
#include "io/tar.h"

#include <locale.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The only mutable variable of file scope: a signal handler has no other way to the job. */
static struct sv_job *_Atomic interrupted_job;

static void on_interrupt(int signal)
{
	struct sv_job *job = atomic_load(&interrupted_job);

	(void)signal;
	if (job)
		atomic_store(&job->cancel, true);
}

/* No SA_RESTART: a question that waits for an answer ends too. What whoever started us ignores
 * (nohup) stays ignored. */
static void catch_signals(struct sv_job *job)
{
	static const int asked_to_stop[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

	atomic_store(&interrupted_job, job);
	for (size_t i = 0; i < SV_ARRAY_LEN(asked_to_stop); i++) {
		struct sigaction old;

		if (!sigaction(asked_to_stop[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(asked_to_stop[i], &action, NULL);
	}
	action = (struct sigaction){.sa_handler = SIG_IGN};
	sigaction(SIGPIPE, &action, NULL); /* writes fail with EPIPE: see sv_out_end */
	sigaction(SIGXFSZ, &action, NULL); /* and with EFBIG: a limit is an error like others */
}

static void set_up(struct sv_cli *cli)
{
	const struct sv_globals *g = &cli->global;

	sv_out_init(&cli->out, stdout, (enum sv_colour)g->color, g->plain);
	sv_out_init(&cli->msg, stderr, (enum sv_colour)g->color, g->plain);
	sv_bar_init(&cli->bar, &cli->msg, g->json, g->quiet);
	cli->out.bar = cli->msg.bar = &cli->bar;
	cli->job.progress = sv_bar_progress;
	cli->job.note = sv_bar_note;
	cli->job.user = &cli->bar;
	if (!cli->host) /* the disks of an .ova are files to it */
		cli->host = sv_tar_host(sv_host_posix(), NULL);
	if (!cli->host)
		cli->host = sv_host_posix();
}

static int check_operands(
	const struct sv_cmd *cmd, const struct sv_args *args, struct sv_err *err)
{
	size_t n = args->operands.n;

	if (n >= cmd->min_operands && n <= cmd->max_operands)
		return 0;
	if (n < cmd->min_operands)
		sv_fail(err, SV_USAGE, NULL, "%s: %s is missing", cmd->name, cmd->operand);
	else
		sv_fail(err, SV_USAGE, NULL, "%s: '%s' is one word too many", cmd->name,
			args->operands.item[cmd->max_operands]);
	return sv_hint(err, "sharevm %s %s", cmd->name, cmd->synopsis);
}

/* A wrong option before --json must not hide that JSON was asked for. */
static bool asks_for_json(char *const *argv, size_t argc)
{
	for (size_t i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

/* Reads the command's words and runs it; an exit code, or -1. */
static int run_command(struct sv_cli *cli, const struct sv_cmd *cmd, char *const *argv,
	size_t argc, struct sv_err *err)
{
	sv_autofree struct sv_args *args = calloc(1, cmd->args_size);
	struct sv_opt_scope scopes[] = {
		{cmd->options, args}, {sv_global_options, &cli->global}};
	int rc;

	if (!args)
		return sv_fail_nomem(err);
	rc = sv_opt_parse(
		scopes, SV_ARRAY_LEN(scopes), argv, argc, false, &args->operands, NULL, err);
	set_up(cli); /* what was read so far decides how even an error looks */
	if (rc) {
		sv_err_context(err, "%s", cmd->name);
		if (!err->hint[0])
			sv_hint(err, "see 'sharevm %s --help'", cmd->name);
	} else if (cli->global.help) {
		sv_help_command(&cli->out, cmd);
	} else {
		rc = check_operands(cmd, args, err);
		if (!rc)
			rc = sv_confine(cli, cmd, args, err);
	}
	sv_opt_free(&scopes[0]);
	sv_words_free(&args->operands);
	return rc;
}

/* Reads global options up to the next word, *at; NULL in *ret where there is none. */
static int next_word(struct sv_cli *cli, char *const *argv, size_t argc, size_t *at,
	const char **ret, struct sv_err *err)
{
	struct sv_opt_scope global = {sv_global_options, &cli->global};
	size_t used = 0;

	if (sv_opt_parse(&global, 1, argv + *at, argc - *at, true, NULL, &used, err))
		return -1;
	*at += used;
	*ret = *at < argc ? argv[(*at)++] : NULL;
	return 0;
}

/* `sharevm`, `sharevm image`: nothing to run. */
static int help_without_command(struct sv_cli *cli, const char *group)
{
	struct sv_out *o = cli->global.help ? &cli->out : &cli->msg;

	if (group)
		sv_help_group(o, group);
	else
		sv_help_all(o);
	return cli->global.help ? SV_EXIT_OK : SV_EXIT_USAGE;
}

/* The words before the command are global options; then the command itself. */
static int run_all(struct sv_cli *cli, char *const *argv, size_t argc, struct sv_err *err)
{
	const char *first = NULL, *second = NULL;
	const struct sv_cmd *cmd;
	size_t at = 0;
	int rc;

	cli->global.json = asks_for_json(argv, argc);
	rc = next_word(cli, argv, argc, &at, &first, err);
	if (!rc && first && sv_cmd_is_group(first))
		rc = next_word(cli, argv, argc, &at, &second, err);
	set_up(cli);
	if (rc)
		return -1;
	if (cli->global.version) {
		sv_out_line(&cli->out, "sharevm %s", SV_VERSION);
		return SV_EXIT_OK;
	}
	if (!first || (sv_cmd_is_group(first) && !second && cli->global.help))
		return help_without_command(cli, first);
	cmd = sv_cmd_by_words(first, second, err);
	return cmd ? run_command(cli, cmd, argv + at, argc - at, err) : -1;
}

int main(int argc, char **argv)
{
	struct sv_cli cli = {0};
	struct sv_err err = SV_ERR_INIT;
	int rc;

	setlocale(LC_CTYPE, ""); /* the width of characters; everything else stays "C" */
	catch_signals(&cli.job);
	sv_host_allow_many_files();
	rc = run_all(&cli, argv + 1, argc > 0 ? (size_t)argc - 1 : 0, &err);
	sv_bar_clear(&cli.bar);
	if (sv_out_end(&cli.out, rc < 0 ? NULL : &err))
		rc = -1;
	if (rc < 0) {
		sv_report(&cli.msg, cli.global.json, &err);
		rc = sv_exit_code(err.code);
	}
	sv_host_close(cli.host);
	return rc;
}
