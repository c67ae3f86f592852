/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What commands share: global options, questions, the frame of JSON documents. */
#include "cli/cmd.h"

#include "cli/confine.h"
#include "cli/report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

static const char *const colour_words[] = {"auto", "always", "never", NULL};
static const char *const sandbox_words[] = {"auto", "require", "off", NULL};

#define GLOBAL(field_) .field = offsetof(struct sv_globals, field_)

const struct sv_opt sv_global_options[] = {
	{SV_OPT_FLAG, "json", GLOBAL(json), .help = "print JSON (progress and errors too)",
		.more = "The document goes to standard output; progress and errors go to "
			"standard error, one object a line."},
	{SV_OPT_FLAG, "plain", GLOBAL(plain), .help = "plain text for scripts: no colour, tabs",
		.more = "Tables have no heading, and tabs between their columns."},
	{SV_OPT_FLAG, "dry-run", 'n', GLOBAL(dry_run),
		.help = "show what would be done; write nothing"},
	{SV_OPT_FLAG, "yes", 'y', GLOBAL(yes), .help = "answer every question with yes"},
	{SV_OPT_FLAG, "no-input", GLOBAL(no_input), .help = "never ask",
		.more = "What would delete or change something then needs \\fB--yes\\fR."},
	{SV_OPT_CHOICE, "color", .value = "WHEN", GLOBAL(color), .choices = colour_words,
		.help = "auto, always or never",
		.more = "Without it, colour is used on a terminal unless \\fBNO_COLOR\\fR is set."},
	{SV_OPT_CHOICE, "sandbox", .value = "WHEN", GLOBAL(sandbox), .choices = sandbox_words,
		.help = "shut off what reads: auto, require or off",
		.more = "Commands that look into a machine read it in a process that can open, "
			"write and connect nothing. \\fBauto\\fR takes what the kernel has "
			"for that, and \\fB--verbose\\fR tells what it lacks; "
			"\\fBrequire\\fR refuses to read without; \\fBoff\\fR is for "
			"debuggers."},
	{SV_OPT_FLAG, "quiet", 'q', GLOBAL(quiet), .help = "no progress and no notes"},
	{SV_OPT_FLAG, "verbose", 'v', GLOBAL(verbose), .help = "tell more"},
	{SV_OPT_FLAG, "version", GLOBAL(version), .help = "print the version"},
	{SV_OPT_FLAG, "help", 'h', GLOBAL(help), .help = "print help"},
	{SV_OPT_END},
};

static int refuse(struct sv_err *err)
{
	sv_fail(err, SV_USAGE, NULL, "this needs a yes, and there is nobody to ask");
	return sv_hint(err, "add --yes to go on without a question");
}

/* Waits for a line typed on the terminal; false where Ctrl-C came first. The signals are let in
 * by ppoll alone: one that comes between the question and the wait would otherwise be lost on a
 * read that nothing ends. */
static bool wait_for_line(const struct sv_job *job)
{
	struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};
	sigset_t all, before;
	bool stopped, typed = false;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	while (!(stopped = atomic_load(&job->cancel)) && !typed) {
		int n = ppoll(&terminal, 1, NULL, &before);

		typed = n > 0 || (n < 0 && errno != EINTR);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return !stopped;
}

int sv_ask(struct sv_cli *cli, bool dangerous, const char *question, struct sv_err *err)
{
	char answer[64];

	if (cli->global.yes)
		return 0;
	if (cli->global.no_input || cli->global.json || !isatty(STDIN_FILENO))
		return dangerous ? refuse(err) : 0;
	sv_out_in(&cli->msg, SV_STYLE_BOLD, "%s", question);
	sv_out_f(&cli->msg, dangerous ? " [y/N] " : " [Y/n] ");
	fflush(cli->msg.file);
	if (!wait_for_line(&cli->job) || !fgets(answer, sizeof answer, stdin)) {
		sv_out_nl(&cli->msg);
		return sv_fail(err, SV_CANCELLED, NULL, "no answer; nothing was changed");
	}
	answer[strcspn(answer, "\r\n")] = 0;
	if (!strcasecmp(answer, "y") || !strcasecmp(answer, "yes") || (!*answer && !dangerous))
		return 0;
	return sv_fail(err, SV_CANCELLED, NULL, "nothing was changed");
}

int sv_each(struct sv_cli *cli, const struct sv_words *words, sv_each_fn fn, void *user,
	struct sv_err *err)
{
	int first = cli->again.result;

	if (words->n == 1)
		return fn(cli, words->item[0], user, err);
	cli->out.one_line_json = true;
	for (size_t i = cli->again.from; i < words->n && !sv_out_gone(&cli->out); i++) {
		struct sv_err own = SV_ERR_INIT;
		int rc = sv_confine_at(cli, words->item[i], i, i, first, &own);

		rc = rc ? rc : fn(cli, words->item[i], user, &own);
		if (rc < 0 && own.code == SV_CANCELLED) {
			sv_err_copy(err, &own);
			return -1;
		}
		if (rc < 0) {
			fflush(cli->out.file); /* in the order of the words */
			sv_report(&cli->msg, cli->global.json, &own);
			rc = sv_exit_code(own.code);
		}
		first = first ? first : rc;
	}
	return first;
}

void sv_doc_begin(struct sv_cli *cli, struct sv_json *j, const char *name)
{
	char schema[64];

	snprintf(schema, sizeof schema, "sharevm.%s/1", name);
	sv_out_json(&cli->out, j);
	sv_json_object(j);
	sv_json_kstring(j, "schema", schema);
}

void sv_doc_end(struct sv_cli *cli, struct sv_json *j)
{
	sv_json_end_object(j);
	sv_out_json_end(&cli->out, j);
}
