/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small VMware machine made by other people's tools (tools/make-sample-vm.sh), as the tests
 * of this room need one: made once per program, copied for each outcome.
 */
#ifndef SV_TESTS_EXTEND_SAMPLE_H
#define SV_TESTS_EXTEND_SAMPLE_H

#include "tempdir.h"

/*
 * Runs it with `options` (NULL-terminated) into a new folder; the machine is in
 * FOLDER/Windows 7. Exits the program with 77 and the reason when a tool is missing; fails
 * the program when the script fails. The caller removes the tree.
 */
char *sample_make(const char *const *options);

/* Copies the plain files of folder `from` to a new folder `to`, with their times. */
void sample_copy(const char *from, const char *to);

/* The first call records how the files of a folder are, later ones tell whether nobody has
 * written to them since, nor made or deleted one. Cheap: only looks at times of change. */
#define SAMPLE_FILES_MAX 64
struct sample_state {
	bool known;
	size_t n;
	struct stat files[SAMPLE_FILES_MAX];
};
bool sample_untouched(const char *dir, struct sample_state *s);

/* NULL when the folders have the same plain files with the same bytes (files that only `b`
 * has and whose name ends with `but`, and the lock folders of a program that was cut off, are
 * passed over; NULL: none), else what differs. */
const char *sample_differs(const char *a, const char *b, const char *but);

#endif
