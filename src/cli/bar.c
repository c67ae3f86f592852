/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progress on stderr: see bar.h. */
#include "cli/bar.h"

#include "base/num.h"

#include <string.h>

#define WAIT_S     1.0 /* work that ends sooner shows nothing */
#define REDRAW_S   0.1
#define JSON_S     0.25
#define CELLS      20
#define BYTES_FROM (64 * SV_MIB)
#define CLEAR      "\r\033[K"

static double seconds_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - from->tv_sec) +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

void sv_bar_init(struct sv_bar *b, struct sv_out *out, bool json, bool quiet)
{
	*b = (struct sv_bar){.out = out, .json = json, .quiet = quiet};
	b->draw = out->terminal && !out->plain && !json && !quiet;
	clock_gettime(CLOCK_MONOTONIC, &b->begin);
	b->stage_begin = b->last = b->begin;
}

void sv_bar_clear(struct sv_bar *b)
{
	if (!b->drawn)
		return;
	b->drawn = false;
	sv_out_bytes(b->out, CLEAR, strlen(CLEAR));
	fflush(b->out->file);
}

/* "812M/s  0:12 left" once a stage has run long enough to tell. Stages count bytes, or things
 * (records, files) that never are as many as BYTES_FROM. */
static void draw_rate(struct sv_bar *b, uint64_t done, uint64_t total)
{
	double seconds = seconds_since(&b->stage_begin);
	char size[SV_SIZE_TEXT];
	double rate, left;

	if (seconds < 0.5 || !done)
		return;
	rate = (double)done / seconds;
	left = (double)(total - done) / rate;
	if (total >= BYTES_FROM)
		sv_out_f(b->out, "  %s/s", sv_size_format((uint64_t)rate, size));
	if (left < 360000)
		sv_out_f(b->out, "  %d:%02d left", (int)left / 60, (int)left % 60);
}

static void draw(struct sv_bar *b, uint64_t done, uint64_t total)
{
	struct sv_bar *kept = b->out->bar;
	char size[SV_SIZE_TEXT];

	b->out->bar = NULL; /* drawing must not clear what it draws */
	sv_out_bytes(b->out, CLEAR, strlen(CLEAR));
	sv_out_f(b->out, "%.*s", (int)sv_text_fit(b->stage, 28), b->stage);
	if (total) {
		done = SV_MIN(done, total);
		sv_out_f(b->out, "  ");
		sv_out_gauge(b->out, SV_STYLE_GOOD, done, total, CELLS);
		sv_out_f(b->out, " %3.0f%%", 100.0 * (double)done / (double)total);
		draw_rate(b, done, total);
	} else {
		sv_out_f(b->out, " ...");
		if (done)
			sv_out_f(b->out, "  %s", sv_size_format(done, size));
		sv_out_f(b->out, "  %.0f s", seconds_since(&b->stage_begin));
	}
	fflush(b->out->file);
	b->out->bar = kept;
	b->drawn = true;
}

static void print_json(struct sv_bar *b, uint64_t done, uint64_t total)
{
	struct sv_json j;

	sv_out_json(b->out, &j);
	j.pretty = false;
	sv_json_object(&j);
	sv_json_key(&j, "progress");
	sv_json_object(&j);
	sv_json_kstring(&j, "stage", b->stage);
	sv_json_ku64(&j, "done", done);
	sv_json_ku64(&j, "total", total);
	sv_json_end_object(&j);
	sv_json_end_object(&j);
	sv_out_nl(b->out);
	fflush(b->out->file);
}

void sv_bar_progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
	struct sv_bar *b = user;
	bool fresh = strncmp(b->stage, stage, sizeof b->stage - 1) != 0;

	if (!b->draw && !b->json)
		return;
	if (fresh) {
		snprintf(b->stage, sizeof b->stage, "%s", stage);
		clock_gettime(CLOCK_MONOTONIC, &b->stage_begin);
	}
	if (seconds_since(&b->begin) < WAIT_S)
		return;
	if (!fresh && seconds_since(&b->last) < (b->json ? JSON_S : REDRAW_S))
		return;
	clock_gettime(CLOCK_MONOTONIC, &b->last);
	if (b->json)
		print_json(b, done, total);
	else
		draw(b, done, total);
}

void sv_bar_note(void *user, const char *text)
{
	struct sv_bar *b = user;
	struct sv_json j;

	if (b->quiet)
		return;
	if (!b->json) {
		sv_bar_clear(b);
		sv_out_message(b->out, SV_STYLE_WARN, "note:", text);
		return;
	}
	sv_out_json(b->out, &j);
	j.pretty = false;
	sv_json_object(&j);
	sv_json_kstring(&j, "note", text);
	sv_json_end_object(&j);
	sv_out_nl(b->out);
}
