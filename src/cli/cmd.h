/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commands: what one says about itself, the table of all, and what each gets to work with.
 * A command parses and prints; what it does is one call into a room below.
 */
#ifndef SV_CLI_CMD_H
#define SV_CLI_CMD_H

#include "base/job.h"
#include "cli/bar.h"
#include "cli/opt.h"
#include "cli/out.h"
#include "io/host.h"

/* Exit codes beside those that an error maps to (sv_exit_code): CLI.md. */
enum {
	SV_EXIT_OK = 0,
	SV_EXIT_FAILED = 1,
	SV_EXIT_USAGE = 2,
	SV_EXIT_BUSY = 3,
	SV_EXIT_PERMISSION = 4,
	SV_EXIT_REFUSED = 5,
	SV_EXIT_NO_SPACE = 6,
	SV_EXIT_PARTLY = 7, /* done or readable in part; what is left was printed */
	SV_EXIT_FAULTS = 8, /* looked, and found differences or faults */
	SV_EXIT_INTERRUPTED = 130,
};

/* Options that every command knows. */
struct sv_globals {
	bool json, plain, dry_run, yes, no_input, quiet, verbose, version, help;
	int color;   /* enum sv_colour */
	int sandbox; /* enum sv_sandbox_when */
};
enum sv_sandbox_when { SV_SANDBOX_AUTO, SV_SANDBOX_REQUIRE, SV_SANDBOX_OFF };
extern const struct sv_opt sv_global_options[];

/* The first member of every command's argument struct. */
struct sv_args {
	struct sv_words operands;
};

#define SV_DEATHS_MAX 16 /* machines whose readers die, of one command */

struct sv_cli {
	struct sv_globals global;
	struct sv_out out; /* stdout: what was asked for */
	struct sv_out msg; /* stderr: everything else */
	struct sv_bar bar;
	struct sv_job job;
	struct sv_host *host;
	struct sv_host *broker; /* in a worker: what `host` stands on; else NULL */
	/* in a worker after one that died (confine.h): what is not done again, and how */
	struct {
		size_t from;  /* the items before are done */
		int result;   /* their exit code */
		bool careful; /* one item at a time, so that it is known who dies */
		size_t dead[SV_DEATHS_MAX];
		int signal[SV_DEATHS_MAX];
		size_t n_dead;
	} again;
};

struct sv_grants;

struct sv_example {
	const char *command; /* "sharevm …" */
	const char *what;    /* a phrase; "" where the command says it */
};

struct sv_cmd {
	const char *name;                  /* "extend", "image info" */
	const char *summary;               /* a phrase for lists */
	const char *synopsis;              /* what follows the name: "VM:PATH... DEST" */
	const struct sv_example *examples; /* ends with {0} */
	const struct sv_opt *options;      /* ends with SV_OPT_END; field offsets in the args */
	size_t args_size;                  /* the struct begins with struct sv_args */
	const char *operand;               /* "VM": named when one is missing */
	unsigned min_operands, max_operands;
	enum sv_complete complete; /* what the shell offers for operands */
	bool hidden;
	/* Fills what a worker may have: the command runs in one, and only looks. NULL: it runs
	 * in the process itself. */
	int (*grant)(struct sv_cli *cli, const void *args, struct sv_grants *ret,
		struct sv_err *err);
	/* Returns an exit code, or -1 with the error raised. */
	int (*run)(struct sv_cli *cli, const void *args, struct sv_err *err);
};

/* Every command, in the order of the help; ends with NULL. */
extern const struct sv_cmd *const sv_commands[];

/* By its first word, and the second where the first is a group ("image"); second may be NULL.
 * NULL with SV_USAGE and what was probably meant. */
const struct sv_cmd *sv_cmd_by_words(const char *first, const char *second, struct sv_err *err);
/* Is there a command "GROUP …"? */
bool sv_cmd_is_group(const char *group);

#define SV_UNLIMITED 100000u /* operands: as many as the system lets a command line have */

/* ---- what commands share ---- */

/*
 * Asks on the terminal; 0 for yes, -1 with SV_CANCELLED for no. --yes answers yes. Where nobody
 * can be asked (--no-input, no terminal) a harmless question is taken as yes and a dangerous
 * one is SV_USAGE, with --yes as hint.
 */
int sv_ask(struct sv_cli *cli, bool dangerous, const char *question, struct sv_err *err);

/*
 * Calls fn for each word. What fails is reported at once and the rest is done all the same;
 * the result is the first exit code that is not 0. A single word's error is just returned, and
 * so is SV_CANCELLED.
 */
typedef int (*sv_each_fn)(struct sv_cli *cli, const char *word, void *user, struct sv_err *err);
int sv_each(struct sv_cli *cli, const struct sv_words *words, sv_each_fn fn, void *user,
	struct sv_err *err);

/* Begins the command's JSON document: {"schema":"sharevm.NAME/1", … */
void sv_doc_begin(struct sv_cli *cli, struct sv_json *j, const char *name);
void sv_doc_end(struct sv_cli *cli, struct sv_json *j);

#endif
