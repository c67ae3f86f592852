/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was seen of a running guest, and whether it is a sign of life. Pure: fed with bytes from
 * the serial console and with digests of pictures of the screen; knows no QEMU.
 *
 * With an expected text, that text on the console is the only sign. Without one, three lines on
 * the console are a sign (firmware prints none there), or so many *different* pictures that
 * a machine which failed to boot cannot have shown them: its firmware shows four texts at most,
 * each with the cursor on and off.
 */
#ifndef SV_RUN_WATCH_H
#define SV_RUN_WATCH_H

#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SV_WATCH_PICTURES 12         /* different pictures that are a sign of life */
#define SV_WATCH_LINES    3          /* lines on the console that are one */
#define SV_WATCH_TAIL     (1u << 14) /* so much of the console is kept, at least */
#define SV_WATCH_EXPECT   256        /* longest expected text */

struct sv_watch {
	const char *expect; /* NULL: any sign will do */
	/* private */
	char tail[2 * SV_WATCH_TAIL];
	size_t have;
	bool line_has_text;
	bool seen_expected;
	uint64_t lines; /* with something printable on them */
	uint8_t pictures[SV_WATCH_PICTURES][SV_SHA256_SIZE];
	unsigned n_pictures;
};

/* `expect` is borrowed and has at most SV_WATCH_EXPECT bytes. */
void sv_watch_init(struct sv_watch *w, const char *expect);
void sv_watch_serial(struct sv_watch *w, const char *bytes, size_t n);
void sv_watch_picture(struct sv_watch *w, const uint8_t digest[SV_SHA256_SIZE]);

/* Was a sign of life seen? Then it is described in `ret`, else what was seen instead. */
bool sv_watch_alive(const struct sv_watch *w, char *ret, size_t size);
/* The last lines of the console, printable, without empty ones. Caller frees; NULL when out of
 * memory. */
char *sv_watch_last_lines(const struct sv_watch *w, unsigned n_lines);

#endif
