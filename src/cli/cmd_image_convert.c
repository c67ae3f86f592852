/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm image convert IMAGE NEW: a disk image in another format, or the same, anew. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/grid.h"
#include "cli/machine.h"
#include "image/convert.h"

#include <time.h>

struct args {
	struct sv_vm_args vm;
	const char *to, *subformat, *from;
	bool keep_id;
	int chain; /* one of the two below, 0: flat */
};

enum { CHAIN_FLAT = 1, CHAIN_KEPT };

/* ---- what is printed ---- */

static void put_images_json(struct sv_json *j, const struct sv_convert_plan *p)
{
	sv_json_key(j, "images");
	sv_json_array(j);
	for (size_t i = 0; i < p->n_images; i++) {
		sv_json_object(j);
		sv_json_kstring(j, "from", p->images[i].from);
		sv_json_kstring(j, "to", p->images[i].to);
		sv_json_ku64(j, "virtual_size", p->images[i].size);
		sv_json_ku64(j, "data", p->images[i].data);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
}

static void put_result_json(
	struct sv_json *j, const struct sv_convert_result *r, double seconds)
{
	sv_json_key(j, "result");
	if (!r) {
		sv_json_null(j);
		return;
	}
	sv_json_object(j);
	sv_json_ku64(j, "read", r->read);
	sv_json_ku64(j, "written", r->written);
	sv_json_ku64(j, "host_size", r->host_size);
	sv_json_key(j, "seconds");
	sv_json_real(j, seconds);
	sv_json_end_object(j);
}

/* r is NULL for a dry run. */
static void put_json(struct sv_cli *cli, const struct sv_convert_plan *p,
	const struct sv_convert_result *r, double seconds)
{
	struct sv_json j;

	sv_doc_begin(cli, &j, "image.convert");
	sv_json_key(&j, "plan");
	sv_json_object(&j);
	sv_json_kstring(&j, "format", p->format);
	sv_json_kstring(&j, "subformat", *p->subformat ? p->subformat : NULL);
	put_images_json(&j, p);
	sv_json_ku64(&j, "data", p->data);
	sv_json_ku64(&j, "needs", p->needs);
	sv_json_ku64(&j, "free", p->free);
	sv_json_end_object(&j);
	put_result_json(&j, r, seconds);
	sv_doc_end(cli, &j);
}

static int put_plan(struct sv_cli *cli, const struct sv_convert_plan *p, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {
		{"NEW"}, {"SIZE", .right = true}, {"DATA", .right = true}, {"FROM"}};
	SV_CLEANUP(sv_grid_freep) struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));
	char size[SV_SIZE_TEXT], room[SV_SIZE_TEXT];

	for (size_t i = 0; i < p->n_images; i++) {
		const struct sv_convert_image *image = &p->images[i];

		sv_grid_add(g, SV_STYLE_NAME, "%s", image->to);
		sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(image->size, size));
		sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(image->data, size));
		sv_grid_add(g, SV_STYLE_DIM, "%s", image->from);
	}
	sv_out_line(&cli->out, "Would make, as %s%s%s:", p->format, *p->subformat ? " " : "",
		p->subformat);
	sv_out_nl(&cli->out);
	if (sv_grid_print(g, &cli->out, 2, err) < 0)
		return -1;
	sv_out_nl(&cli->out);
	if (p->needs)
		sv_out_f(&cli->out, "It takes up to %s on the host, where ",
			sv_size_format(p->needs, size));
	else
		sv_out_f(&cli->out, "How far it can be compressed nobody knows; ");
	sv_out_line(&cli->out, "%s are free.", sv_size_format(p->free, room));
	return 0;
}

static void put_page(struct sv_cli *cli, const struct sv_convert_plan *p,
	const struct sv_convert_result *r, double seconds)
{
	const struct sv_convert_image *last = &p->images[p->n_images - 1];
	char read[SV_SIZE_TEXT], host[SV_SIZE_TEXT], size[SV_SIZE_TEXT], rate[SV_SIZE_TEXT];
	struct sv_out *o = &cli->out;

	sv_out_in(o, SV_STYLE_NAME, "%s", last->to);
	sv_out_line(o, ": %s%s%s, %s", p->format, *p->subformat ? " " : "", p->subformat,
		sv_size_format(last->size, size));
	for (size_t i = p->n_images - 1; i-- > 0;)
		sv_out_line(o, "  over %s", p->images[i].to);
	sv_out_f(o, "  %s read, %s on the host, %.1f s", sv_size_format(r->read, read),
		sv_size_format(r->host_size, host), seconds);
	if (seconds > 0.1)
		sv_out_f(o, ", %s/s",
			sv_size_format((uint64_t)((double)r->read / seconds), rate));
	sv_out_nl(o);
}

/* ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int convert(struct sv_cli *cli, struct sv_convert *c, struct sv_err *err)
{
	const struct sv_convert_plan *p = sv_convert_plan(c);
	struct sv_convert_result r;
	double begun = now();

	if (cli->global.dry_run && cli->global.json) {
		put_json(cli, p, NULL, 0);
		return SV_EXIT_OK;
	}
	if (cli->global.dry_run)
		return put_plan(cli, p, err) < 0 ? -1 : SV_EXIT_OK;
	if (sv_convert_run(c, &cli->job, &r, err) < 0)
		return -1;
	sv_bar_clear(&cli->bar);
	if (cli->global.json)
		put_json(cli, p, &r, now() - begun);
	else if (!cli->global.quiet)
		put_page(cli, p, &r, now() - begun);
	return SV_EXIT_OK;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const char *const *operands = a->vm.common.operands.item;
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	SV_CLEANUP(sv_convert_closep) struct sv_convert *c = NULL;
	struct sv_convert_request req = {
		.from = operands[0],
		.from_format = a->from,
		.to = operands[1],
		.format = a->to,
		.subformat = a->subformat,
		.keep_id = a->keep_id,
		.keep_chain = a->chain == CHAIN_KEPT,
	};

	if (sv_image_operand(cli, operands[0], &a->vm.allow, &allow, err) < 0)
		return -1;
	req.allow = allow;
	if (sv_convert_open(cli->host, &req, &c, err) < 0)
		return -1;
	return convert(cli, c, err);
}

static const struct sv_example examples[] = {
	{"sharevm image convert old.vmdk new.qcow2", "the ending is the format"},
	{"sharevm image convert old.qcow2@monday new.img", "the state of a snapshot"},
	{"sharevm image convert a.vhd new/a.vmdk --keep-chain", "each link anew"},
	{0},
};

#define FIELD(name) .field = offsetof(struct args, name)

static const struct sv_opt options[] = {
	{SV_OPT_TEXT, "to", .value = "FORMAT", FIELD(to),
		.help = "format to make (else as NEW's ending says)",
		.more = "raw, vmdk, qcow2, vhd, vhdx, vdi, parallels; the manual's table tells "
			"which of them this version writes."},
	{SV_OPT_TEXT, "subformat", .value = "KIND", FIELD(subformat),
		.help = "kind of the format: monolithicFlat, fixed, ..."},
	{SV_OPT_TEXT, "from", .value = "FORMAT", FIELD(from),
		.help = "take IMAGE to be of this format (else it is looked at)",
		.more = "A guest can write the marks of another format into its raw disk: name "
			"the format of raw disks whose guests you do not trust."},
	{SV_OPT_SET, "flatten", FIELD(chain), .set = CHAIN_FLAT,
		.help = "a chain becomes one image without a parent (the default)"},
	{SV_OPT_SET, "keep-chain", FIELD(chain), .set = CHAIN_KEPT,
		.help = "a chain stays one: a new image for each link, beside NEW",
		.more = "The new parents are named like the old ones, with the new format's "
			"ending."},
	{SV_OPT_FLAG, "keep-id", FIELD(keep_id),
		.help = "the disk keeps its id and geometry (else: new ones)",
		.more = "For a disk that takes the place of the old one: hypervisors know disks "
			"by their ids, and VMware's is the serial number that a guest sees. "
			"VMDK, VHD, VHDX and VDI have an id; VMDK, VHD and VDI a geometry."},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_image_convert = {
	.name = "image convert",
	.summary = "copy a disk image into another format",
	.synopsis = "IMAGE[@SNAPSHOT] NEW [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "IMAGE and NEW",
	.min_operands = 2,
	.max_operands = 2,
	.complete = SV_COMPLETE_FILE,
	.run = run,
};
