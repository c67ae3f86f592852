/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commands that look run in a worker that is shut off (io/sandbox.h), and this process stays
 * behind as its broker (io/broker.h). What the worker may have is settled here, from the
 * command line alone, before there is one.
 */
#ifndef SV_CLI_CONFINE_H
#define SV_CLI_CONFINE_H

#include "cli/cmd.h"

/*
 * Runs the command and returns what it returns. It returns twice: in the worker, and in the
 * parent once the worker has ended; each goes on to leave main(). A worker that died is an
 * error, and where it had several machines to read another goes on with the rest.
 */
int sv_confine(struct sv_cli *cli, const struct sv_cmd *cmd, const struct sv_args *args,
	struct sv_err *err);

/*
 * Who does several items tells before each where it is, and what need not be done again should
 * this process die: a fresh one begins with item `from`, and does one item at a time. What was
 * printed is out by then. -1 with the error where a reader of this item died before: it is
 * passed over. SV_BROKER_ANY for several at once. Does nothing outside of a worker.
 */
int sv_confine_at(struct sv_cli *cli, const char *name, size_t item, size_t from, int result,
	struct sv_err *err);

/* For struct sv_cmd: the folders of all operands that are machines or files of the host, and
 * those of --allow-path. The arguments begin with struct sv_vm_args. */
int sv_grant_operands(
	struct sv_cli *cli, const void *args, struct sv_grants *ret, struct sv_err *err);
/* Where the machines of this user lie. */
int sv_grant_library(struct sv_grants *g, struct sv_err *err);
/* The same for the first n. */
int sv_grant_first(struct sv_cli *cli, const void *args, size_t n, struct sv_grants *ret,
	struct sv_err *err);

#endif
