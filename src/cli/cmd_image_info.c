/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm image info IMAGE...: what a disk image is. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/grid.h"
#include "cli/listing.h"
#include "cli/machine.h"

struct args {
	struct sv_vm_args vm;
};

static struct sv_fs_time date_of(const struct sv_image_snapshot *s)
{
	return (struct sv_fs_time){s->date_sec, s->date_nsec};
}

static void put_snapshots(struct sv_json *j, const struct sv_image_link *leaf)
{
	char date[SV_TIME_TEXT];

	sv_json_key(j, "snapshots");
	sv_json_array(j);
	for (size_t i = 0; i < leaf->n_snapshots; i++) {
		const struct sv_image_snapshot *s = &leaf->snapshots[i];

		sv_json_object(j);
		sv_json_kstring(j, "id", s->id);
		sv_json_kstring(j, "name", s->name);
		sv_json_kstring(j, "date", sv_time_utc(date_of(s), date));
		sv_json_ku64(j, "state_size", s->state_size);
		sv_json_ku64(j, "virtual_size", s->virtual_size);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
}

static void put_json(struct sv_cli *cli, struct sv_image *image)
{
	const struct sv_image_link *leaf = sv_image_link(image, 0);
	struct sv_json j;

	sv_doc_begin(cli, &j, "image.info");
	sv_json_kstring(&j, "path", leaf->path);
	sv_json_kstring(&j, "format", leaf->format);
	sv_json_kstring(&j, "subformat", *leaf->subformat ? leaf->subformat : NULL);
	sv_json_ku64(&j, "virtual_size", leaf->virtual_size);
	sv_json_ku64(&j, "host_size", leaf->host_size);
	sv_json_ku64(&j, "allocated", leaf->allocated);
	sv_json_ku64(&j, "block_size", leaf->block_size);
	sv_json_key(&j, "chain");
	sv_json_array(&j);
	for (size_t i = 0; i < sv_image_links(image); i++) {
		const struct sv_image_link *link = sv_image_link(image, i);

		sv_json_object(&j);
		sv_json_kstring(&j, "path", link->path);
		sv_json_kstring(&j, "format", link->format);
		sv_json_kstring(&j, "subformat", *link->subformat ? link->subformat : NULL);
		sv_json_ku64(&j, "virtual_size", link->virtual_size);
		sv_json_ku64(&j, "host_size", link->host_size);
		sv_json_kstring(&j, "id", *link->id ? link->id : NULL);
		sv_json_end_object(&j);
	}
	sv_json_end_array(&j);
	put_snapshots(&j, leaf);
	sv_json_kbool(&j, "dirty", leaf->dirty);
	sv_json_kbool(&j, "encrypted", leaf->encrypted);
	sv_json_kstring(&j, "note", leaf->note);
	sv_doc_end(cli, &j);
}

__attribute__((format(printf, 3, 4))) static void add(
	struct sv_grid *g, const char *name, const char *fmt, ...)
{
	sv_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	sv_grid_add(g, SV_STYLE_DIM, "%s", name);
	sv_grid_add(g, SV_STYLE_NONE, "%s", text ? text : "");
}

static void add_snapshots(struct sv_grid *g, const struct sv_image_link *link)
{
	char date[SV_TIME_TEXT], size[SV_SIZE_TEXT];

	for (size_t i = 0; i < link->n_snapshots; i++) {
		const struct sv_image_snapshot *s = &link->snapshots[i];
		sv_autofree char *name = sv_printable(s->name);
		sv_autofree char *id = sv_printable(s->id);

		add(g, i ? "" : "snapshots", "%s  %s  %s%s%s", id ? id : "", name ? name : "",
			sv_time_local(date_of(s), date), s->state_size ? ", memory " : "",
			s->state_size ? sv_size_format(s->state_size, size) : "");
	}
}

static void add_state(struct sv_grid *g, const struct sv_image_link *link)
{
	if (link->dirty)
		add(g, "state", "not closed cleanly by its last writer");
	if (link->encrypted)
		add(g, "state", "encrypted");
	if (link->note)
		add(g, "state", "%s", link->note);
}

static int put_page(struct sv_cli *cli, struct sv_image *image, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {{NULL}, {NULL}};
	SV_CLEANUP(sv_grid_freep) struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));
	const struct sv_image_link *leaf = sv_image_link(image, 0);
	char size[SV_SIZE_TEXT], block[SV_SIZE_TEXT];

	add(g, "format", "%s%s%s", leaf->format, *leaf->subformat ? " " : "", leaf->subformat);
	add(g, "size", "%s (%llu bytes)", sv_size_format(leaf->virtual_size, size),
		(unsigned long long)leaf->virtual_size);
	add(g, "on host", "%s", sv_size_format(leaf->host_size, size));
	if (leaf->block_size)
		add(g, "data", "%s in blocks of %s", sv_size_format(leaf->allocated, size),
			sv_size_format(leaf->block_size, block));
	if (*leaf->id)
		add(g, "id", "%s", leaf->id);
	for (size_t i = 0; i < leaf->n_files && leaf->n_files > 1; i++)
		add(g, i ? "" : "files", "%s", leaf->files[i].path);
	for (size_t i = 1; i < sv_image_links(image); i++)
		add(g, i == 1 ? "over" : "", "%s (%s)", sv_image_link(image, i)->path,
			sv_image_link(image, i)->format);
	add_snapshots(g, leaf);
	add_state(g, leaf);
	sv_out_in(&cli->out, SV_STYLE_NAME, "%s", leaf->path);
	sv_out_nl(&cli->out);
	return sv_grid_print(g, &cli->out, 2, err);
}

struct informing {
	const struct args *args;
	bool again; /* a blank line between two */
};

static int info(struct sv_cli *cli, const char *path, void *user, struct sv_err *err)
{
	struct informing *s = user;
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	struct sv_image_opts opts = {0};

	if (sv_image_operand(cli, path, &s->args->vm.allow, &allow, err))
		return -1;
	opts.allow = allow;
	if (sv_image_open(cli->host, path, &opts, &image, err))
		return -1;
	if (cli->global.json) {
		put_json(cli, image);
		return SV_EXIT_OK;
	}
	if (s->again)
		sv_out_nl(&cli->out);
	s->again = true;
	return put_page(cli, image, err);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	struct informing s = {.args = args};

	return sv_each(cli, &s.args->vm.common.operands, info, &s, err);
}

static const struct sv_example examples[] = {
	{"sharevm image info disk.vmdk", "format, sizes, chain"},
	{"sharevm image info *.vmdk --json", "one document a line"},
	{0},
};

static const struct sv_opt options[] = {
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_image_info = {
	.name = "image info",
	.summary = "format, sizes and chain of a disk image",
	.synopsis = "IMAGE... [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "IMAGE",
	.min_operands = 1,
	.max_operands = SV_UNLIMITED,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
