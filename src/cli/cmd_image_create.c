/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm image create NEW --size SIZE: an empty disk image, or a delta over another. */
#include "base/str.h"
#include "cli/commands.h"
#include "cli/machine.h"

struct args {
	struct sv_vm_args vm;
	uint64_t size;
	const char *format, *subformat, *parent;
};

static int open_parent(
	struct sv_cli *cli, const struct args *a, struct sv_image **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	struct sv_image_opts opts = {.lock = true};

	*ret = NULL;
	if (!a->parent)
		return 0;
	if (sv_image_operand(cli, a->parent, &a->vm.allow, &allow, err) < 0)
		return -1;
	opts.allow = allow;
	return sv_image_open(cli->host, a->parent, &opts, ret, err);
}

/* Fills the spec but for its parent. A delta's kind is the format's own choice. */
static int choose(const struct args *a, struct sv_image *parent, struct sv_image_spec *spec,
	struct sv_err *err)
{
	const char *path = a->vm.common.operands.item[0];
	struct sv_image_format f;

	if (!a->size && !parent) {
		sv_fail(err, SV_USAGE, NULL, "image create: the size is missing");
		return sv_hint(
			err, "add --size 60G, or --parent IMAGE for a disk over another");
	}
	if (sv_image_choose_format(path, a->format, &f, err) < 0)
		return -1;
	*spec = (struct sv_image_spec){
		.format = f.name, .subformat = a->subformat, .size = a->size, .parent = parent};
	if (parent)
		return 0;
	return sv_image_choose_subformat(path, &f, a->subformat, &spec->subformat, err);
}

static void put_json(
	struct sv_cli *cli, const char *path, const struct sv_image_spec *spec, uint64_t size)
{
	struct sv_json j;

	sv_doc_begin(cli, &j, "image.create");
	sv_json_kstring(&j, "path", path);
	sv_json_kstring(&j, "format", spec->format);
	sv_json_kstring(
		&j, "subformat", spec->subformat && *spec->subformat ? spec->subformat : NULL);
	sv_json_ku64(&j, "virtual_size", size);
	sv_json_kstring(
		&j, "parent", spec->parent ? sv_image_link(spec->parent, 0)->path : NULL);
	sv_json_kbool(&j, "dry_run", cli->global.dry_run);
	sv_doc_end(cli, &j);
}

static void put_page(
	struct sv_cli *cli, const char *path, const struct sv_image_spec *spec, uint64_t size)
{
	bool kind = spec->subformat && *spec->subformat;
	char text[SV_SIZE_TEXT];

	sv_out_f(&cli->out, "%s", cli->global.dry_run ? "Would make " : "");
	sv_out_in(&cli->out, SV_STYLE_NAME, "%s", path);
	sv_out_line(&cli->out, ": %s%s%s, %s", spec->format, kind ? " " : "",
		kind ? spec->subformat : "", sv_size_format(size, text));
	if (spec->parent)
		sv_out_line(&cli->out, "  over %s, which must not change from now on",
			sv_image_link(spec->parent, 0)->path);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const char *path = a->vm.common.operands.item[0];
	SV_CLEANUP(sv_image_closep) struct sv_image *parent = NULL;
	struct sv_image_spec spec;
	uint64_t size;

	if (open_parent(cli, a, &parent, err) < 0 || choose(a, parent, &spec, err) < 0)
		return -1;
	size = spec.size ? spec.size : sv_dev_size(sv_image_dev(parent));
	if (spec.subformat && !*spec.subformat)
		spec.subformat = NULL;
	if (!cli->global.dry_run && sv_image_create(cli->host, path, &spec, err) < 0)
		return -1;
	if (cli->global.json)
		put_json(cli, path, &spec, size);
	else if (!cli->global.quiet)
		put_page(cli, path, &spec, size);
	return SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm image create disk.vmdk --size 60G", ""},
	{"sharevm image create disk.vhd --size 60G --subformat fixed", ""},
	{"sharevm image create today.qcow2 --parent disk.qcow2", "keeps what changes"},
	{0},
};

#define FIELD(name) .field = offsetof(struct args, name)

static const struct sv_opt options[] = {
	{SV_OPT_SIZE, "size", .value = "SIZE", FIELD(size),
		.help = "virtual size: 60G, 1.5T (else the parent's)"},
	{SV_OPT_TEXT, "format", .value = "FORMAT", FIELD(format),
		.help = "format to make (else as NEW's ending says)"},
	{SV_OPT_TEXT, "subformat", .value = "KIND", FIELD(subformat),
		.help = "kind of the format: monolithicFlat, fixed, ..."},
	{SV_OPT_TEXT, "parent", .value = "IMAGE", FIELD(parent), .complete = SV_COMPLETE_FILE,
		.help = "a disk over IMAGE: it keeps only what changes",
		.more = "IMAGE is read from then on and must not change."},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_image_create = {
	.name = "image create",
	.summary = "make an empty disk image, or one over another",
	.synopsis = "NEW --size SIZE | --parent IMAGE [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "NEW",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_FILE,
	.run = run,
};
