/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One job for each machine, on all processors. A job prints to a `cli` of its own; what it
 * prints comes out in the order of the items, whichever ends first: the first that is not yet
 * printed streams, the others wait once they have SV_MANY_AHEAD bytes in hand. So memory is
 * bounded by the number of processors, not by that of the machines.
 *
 * A machine that fails is reported, and the others go on. Ctrl-C ends all, and so does a reader
 * that went away.
 */
#ifndef SV_CLI_MANY_H
#define SV_CLI_MANY_H

#include "cli/cmd.h"

#define SV_MANY_AHEAD (256u << 10)

struct sv_many {
	/*
	 * Does item i, on any thread: returns an exit code, or -1 with the error. It may print
	 * to `cli`, and only to that; it changes nothing that another item uses.
	 */
	int (*work)(struct sv_cli *cli, size_t i, void *user, struct sv_err *err);
	/*
	 * On the caller's thread, item by item in order, after what the item printed: `rc` and
	 * `own` are what work() gave. Returns the item's exit code, or -1 with the error to end
	 * all. NULL: an error is reported.
	 */
	int (*done)(struct sv_cli *cli, size_t i, int rc, const struct sv_err *own, void *user,
		struct sv_err *err);
	void *user;
	const char *stage;  /* for the progress: "looking at the machines" */
	bool blank_between; /* a blank line between what two items print */
	bool prints_last;   /* done() keeps what is printed for the end: all is one piece */
	const char *(*name)(size_t i, void *user); /* of an item, for messages */
};

/*
 * 0 where all went well; the first code other than 0 where none did; SV_EXIT_PARTLY where some
 * did. -1 with the error where it ended early. With one item nothing is queued.
 */
int sv_many_run(struct sv_cli *cli, const struct sv_many *m, size_t n, struct sv_err *err);

/*
 * As sv_each(), on all processors: what fn works with is its own, and `user` is only read. A
 * single word's error is just returned.
 */
int sv_each_at_once(struct sv_cli *cli, const struct sv_words *words, bool blank_between,
	sv_each_fn fn, const void *user, struct sv_err *err);

#endif
