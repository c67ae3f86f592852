/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan and the result of an extension: see extend_page.h. */
#include "cli/extend_page.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/grid.h"
#include "cli/sentences.h"

#define INDENT 2

/* One word for scripts, the same as the option. */
static const char *mode_word(const struct sv_extend_plan *p)
{
	switch (p->mode) {
	case SV_EXTEND_LINKED:
		return "linked";
	case SV_EXTEND_COPY:
		return "copy";
	case SV_EXTEND_IN_PLACE:
		return "in-place";
	case SV_EXTEND_AUTO:
		break;
	}
	return "auto";
}

static const char *mode_words(const struct sv_extend_plan *p)
{
	switch (p->mode) {
	case SV_EXTEND_LINKED:
		return "a linked clone";
	case SV_EXTEND_COPY:
		return p->reflink ? "a copy that shares its blocks with the original"
				  : "an independent copy";
	case SV_EXTEND_IN_PLACE:
		return "in place";
	case SV_EXTEND_AUTO:
		break;
	}
	return "";
}

/* ---- the plan ---- */

static int put_sizes(struct sv_cli *cli, const struct sv_extend_plan *p, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {
		{""}, {"NOW", .right = true}, {"THEN", .right = true}, {""}};
	SV_CLEANUP(sv_grid_freep) struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));
	uint64_t free_then = p->volume_to - SV_MIN(p->volume_used_then, p->volume_to);
	uint64_t free_now = p->volume_from - SV_MIN(p->volume_used, p->volume_from);
	char text[SV_SIZE_TEXT];

	sv_grid_add(g, SV_STYLE_NONE, "virtual disk");
	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(p->from, text));
	sv_grid_add(g, SV_STYLE_BOLD, "%s", sv_size_format(p->to, text));
	sv_grid_add(g, SV_STYLE_NONE, "%s", "");
	sv_grid_add(g, SV_STYLE_NONE, "volume %s", p->volume);
	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(p->volume_from, text));
	sv_grid_add(g, SV_STYLE_BOLD, "%s", sv_size_format(p->volume_to, text));
	sv_grid_add_gauge(g, p->volume_used_then, p->volume_to);
	sv_grid_add(g, SV_STYLE_NONE, "free on it");
	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(free_now, text));
	sv_grid_add(g, SV_STYLE_BOLD, "%s", sv_size_format(free_then, text));
	sv_grid_add(g, SV_STYLE_NONE, "%s", "");
	return sv_grid_print(g, &cli->out, INDENT, err);
}

static int put_steps(struct sv_cli *cli, const struct sv_extend_plan *p, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {{NULL, .right = true}, {NULL}, {NULL}};
	SV_CLEANUP(sv_grid_freep) struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));

	if (!p->n_steps)
		return 0;
	for (size_t i = 0; i < p->n_steps; i++) {
		sv_grid_add(g, SV_STYLE_DIM, "%zu", i + 1);
		sv_grid_add(g, SV_STYLE_BOLD, "%s", p->steps[i].name);
		sv_grid_add(g, SV_STYLE_NONE, "%s", p->steps[i].detail);
	}
	return sv_grid_print(g, &cli->out, INDENT, err);
}

static void put_pair(struct sv_out *o, const char *name, const char *text)
{
	sv_out_spaces(o, INDENT);
	sv_out_in(o, SV_STYLE_DIM, "%-8s", name);
	sv_out_wrap(o, INDENT + 8, INDENT + 8, text);
}

static void put_warnings(struct sv_out *o, const struct sv_extend_plan *p)
{
	for (size_t i = 0; i < p->n_warnings; i++) {
		sv_out_spaces(o, INDENT);
		sv_out_in(o, SV_STYLE_WARN, "%-8s", "note");
		sv_out_wrap(o, INDENT + 8, INDENT + 8, p->warnings[i]);
	}
}

int sv_put_plan(struct sv_cli *cli, const struct sv_extend_plan *p, struct sv_err *err)
{
	char writes[SV_SIZE_TEXT], room[SV_SIZE_TEXT];
	sv_autofree char *cost =
		sv_format("at most %s written here, where %s are free; about %.0f s",
			sv_size_format(p->writes_bytes, writes),
			sv_size_format(p->host_free, room), p->seconds < 1 ? 1 : p->seconds);
	struct sv_out *o = &cli->out;

	if (!cost)
		return sv_fail_nomem(err);
	sv_out_in(o, SV_STYLE_NAME, "%s", p->vm_name);
	sv_out_line(o, ": more room for %s", p->volume);
	sv_out_nl(o);
	if (put_sizes(cli, p, err))
		return -1;
	sv_out_nl(o);
	if (put_steps(cli, p, err))
		return -1;
	sv_out_nl(o);
	put_pair(o, "how", mode_words(p));
	put_pair(o, "why", p->reason);
	put_pair(o, "result", p->config);
	put_pair(o, "cost", cost);
	put_warnings(o, p);
	sv_out_nl(o);
	return 0;
}

/* ---- the result ---- */

static void add_change(struct sv_grid *g, const char *name, uint64_t before, uint64_t after)
{
	char text[SV_SIZE_TEXT];

	sv_grid_add(g, SV_STYLE_NONE, "%s", name);
	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(before, text));
	sv_grid_add(g, SV_STYLE_GOOD, "%s", sv_size_format(after, text));
}

static int put_changes(struct sv_cli *cli, const struct sv_extend_plan *p,
	const struct sv_extend_result *r, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {
		{""}, {"BEFORE", .right = true}, {"AFTER", .right = true}};
	SV_CLEANUP(sv_grid_freep) struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));
	sv_autofree char *volume = sv_format("volume %s", p->volume);

	add_change(g, "virtual disk", r->disk_before, r->disk_after);
	add_change(g, volume ? volume : "volume", r->volume_before, r->volume_after);
	add_change(g, "free on it", r->free_before, r->free_after);
	return sv_grid_print(g, &cli->out, INDENT, err);
}

static void put_undo(struct sv_out *o, const struct sv_extend_result *r)
{
	const char *what = *r->folder ? r->folder : r->config;

	put_pair(o, "result", r->config);
	sv_out_spaces(o, INDENT);
	sv_out_in(o, SV_STYLE_DIM, "%-8s", "undo");
	sv_out_command(o, "sharevm rollback ", what, "");
}

int sv_put_result(struct sv_cli *cli, const struct sv_extend_plan *p,
	const struct sv_extend_result *r, struct sv_err *err)
{
	struct sv_out *o = &cli->out;
	char size[SV_SIZE_TEXT];

	sv_out_in(o, SV_STYLE_GOOD, "Done");
	sv_out_line(o, " in %.1f s, %s written.", r->seconds,
		sv_size_format(r->bytes_written, size));
	sv_out_nl(o);
	if (put_changes(cli, p, r, err))
		return -1;
	sv_out_nl(o);
	sv_put_good(o, r->verified, r->n_verified);
	sv_out_nl(o);
	put_undo(o, r);
	if (!r->n_left_to_do)
		return 0;
	sv_out_nl(o);
	sv_out_in(o, SV_STYLE_BOLD, "Left to do:");
	sv_out_nl(o);
	sv_put_todo(o, r->left_to_do, r->n_left_to_do);
	return 0;
}

void sv_put_boot(struct sv_cli *cli, const struct sv_boot_report *boot)
{
	struct sv_out *o = &cli->out;

	sv_out_nl(o);
	if (boot->alive) {
		sv_out_in(o, SV_STYLE_GOOD, "It starts:");
		sv_out_line(o, " %s after %.1f s", boot->sign, boot->seconds);
	} else {
		sv_out_in(o, SV_STYLE_BAD, "It gave no sign of life");
		sv_out_line(o, " in %.0f s of the trial in QEMU.", boot->seconds);
	}
	if (boot->screenshot && *boot->screenshot)
		put_pair(o, "screen", boot->screenshot);
}

/* ---- JSON: the fields stand in CLI.md ---- */

static void put_plan_json(struct sv_json *j, const struct sv_extend_plan *p)
{
	sv_json_key(j, "plan");
	sv_json_object(j);
	sv_json_kstring(j, "mode", mode_word(p));
	sv_json_kbool(j, "reflink", p->reflink);
	sv_json_kstring(j, "reason", p->reason);
	sv_json_ku64(j, "from", p->from);
	sv_json_ku64(j, "to", p->to);
	sv_json_kstring(j, "volume", p->volume);
	sv_json_kstring(j, "volume_id", p->volume_id);
	sv_json_ku64(j, "volume_from", p->volume_from);
	sv_json_ku64(j, "volume_to", p->volume_to);
	sv_json_ku64(j, "volume_used", p->volume_used);
	sv_json_kstring(j, "folder", *p->folder ? p->folder : NULL);
	sv_json_kstring(j, "config", p->config);
	sv_json_key(j, "steps");
	sv_json_array(j);
	for (size_t i = 0; i < p->n_steps; i++) {
		sv_json_object(j);
		sv_json_kstring(j, "name", p->steps[i].name);
		sv_json_kstring(j, "detail", p->steps[i].detail);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
	sv_json_ku64(j, "writes_bytes", p->writes_bytes);
	sv_json_ku64(j, "host_free", p->host_free);
	sv_json_key(j, "seconds");
	sv_json_real(j, p->seconds);
	sv_put_json_list(j, "warnings", p->warnings, p->n_warnings);
	sv_json_end_object(j);
}

static void put_result_json(struct sv_json *j, const struct sv_extend_result *r)
{
	sv_json_key(j, "result");
	sv_json_object(j);
	sv_json_kstring(j, "folder", *r->folder ? r->folder : NULL);
	sv_json_kstring(j, "config", r->config);
	sv_json_ku64(j, "bytes_written", r->bytes_written);
	sv_json_ku64(j, "sample_bytes", r->sample_bytes);
	sv_json_key(j, "seconds");
	sv_json_real(j, r->seconds);
	sv_json_ku64(j, "free_before", r->free_before);
	sv_json_ku64(j, "free_after", r->free_after);
	sv_put_json_list(j, "verified", r->verified, r->n_verified);
	sv_put_json_list(j, "left_to_do", r->left_to_do, r->n_left_to_do);
	sv_json_end_object(j);
}

void sv_put_extend_json(struct sv_cli *cli, const struct sv_extend_plan *p,
	const struct sv_extend_result *r, const struct sv_boot_report *boot)
{
	struct sv_json j;

	sv_doc_begin(cli, &j, "extend");
	put_plan_json(&j, p);
	if (r)
		put_result_json(&j, r);
	if (boot) {
		sv_json_key(&j, "boot");
		sv_json_object(&j);
		sv_json_kbool(&j, "alive", boot->alive);
		sv_json_kstring(&j, "sign", boot->sign);
		sv_json_key(&j, "seconds");
		sv_json_real(&j, boot->seconds);
		sv_json_end_object(&j);
	}
	sv_doc_end(cli, &j);
}
