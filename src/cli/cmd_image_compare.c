/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm image compare A B: do two disk images show their guests the same? */
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/machine.h"
#include "image/compare.h"

struct args {
	struct sv_vm_args vm;
	const char *format_a, *format_b;
	bool strict;
};

static int open_image(struct sv_cli *cli, const struct args *a, size_t i, const char *format,
	struct sv_image **ret, struct sv_err *err)
{
	const char *path = a->vm.common.operands.item[i];
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	struct sv_image_opts opts = {.lock = true, .format = format};

	if (sv_image_operand(cli, path, &a->vm.allow, &allow, err) < 0)
		return -1;
	opts.allow = allow;
	return sv_image_open(cli->host, path, &opts, ret, err);
}

static void put_json(
	struct sv_cli *cli, const struct args *a, const struct sv_compare_result *r)
{
	const char *const *path = a->vm.common.operands.item;
	struct sv_json j;

	sv_doc_begin(cli, &j, "image.compare");
	sv_json_kstring(&j, "a", path[0]);
	sv_json_kstring(&j, "b", path[1]);
	sv_json_ku64(&j, "size_a", r->size_a);
	sv_json_ku64(&j, "size_b", r->size_b);
	sv_json_kbool(&j, "equal", r->equal);
	sv_json_key(&j, "first_difference");
	if (r->equal)
		sv_json_null(&j);
	else
		sv_json_u64(&j, r->first);
	sv_json_ku64(&j, "read", r->read);
	sv_doc_end(cli, &j);
}

static void put_sizes(struct sv_out *o, const struct sv_compare_result *r)
{
	char a[SV_SIZE_TEXT], b[SV_SIZE_TEXT];

	if (r->size_a == r->size_b)
		return;
	sv_out_line(o, "  sizes: %s (%llu bytes) and %s (%llu bytes)%s",
		sv_size_format(r->size_a, a), (unsigned long long)r->size_a,
		sv_size_format(r->size_b, b), (unsigned long long)r->size_b,
		r->equal ? "; zeros behind the shorter one" : "");
}

static void put_page(struct sv_cli *cli, const struct sv_compare_result *r)
{
	struct sv_out *o = &cli->out;
	char at[SV_SIZE_TEXT];

	if (r->equal) {
		sv_out_in(o, SV_STYLE_GOOD, "equal");
		sv_out_nl(o);
	} else if (r->only_size) {
		sv_out_in(o, SV_STYLE_BAD, "different");
		sv_out_line(o, " in size alone");
	} else {
		sv_out_in(o, SV_STYLE_BAD, "different");
		sv_out_line(o, " from byte 0x%llx (%s) on", (unsigned long long)r->first,
			sv_size_format(r->first, at));
	}
	put_sizes(o, r);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	SV_CLEANUP(sv_image_closep) struct sv_image *one = NULL;
	SV_CLEANUP(sv_image_closep) struct sv_image *two = NULL;
	const struct sv_compare_opts opts = {.strict = a->strict};
	struct sv_compare_result r;

	if (open_image(cli, a, 0, a->format_a, &one, err) < 0 ||
		open_image(cli, a, 1, a->format_b, &two, err) < 0)
		return -1;
	if (sv_image_compare(sv_image_dev(one), sv_image_dev(two), &opts, &cli->job, &r, err) <
		0)
		return -1;
	sv_bar_clear(&cli->bar);
	if (cli->global.json)
		put_json(cli, a, &r);
	else if (!cli->global.quiet)
		put_page(cli, &r);
	return r.equal ? SV_EXIT_OK : SV_EXIT_FAULTS;
}

static const struct sv_example examples[] = {
	{"sharevm image compare disk.vmdk disk.qcow2", "exit 8: they differ"},
	{"sharevm image compare disk.qcow2@monday disk.qcow2", "a snapshot and today"},
	{0},
};

#define FIELD(name) .field = offsetof(struct args, name)

static const struct sv_opt options[] = {
	{SV_OPT_FLAG, "strict", FIELD(strict),
		.help = "disks of different sizes differ, whatever they hold",
		.more = "Without it a disk that is longer by zeros alone is equal."},
	{SV_OPT_TEXT, "format-a", .value = "FORMAT", FIELD(format_a),
		.help = "take A to be of this format (else it is looked at)"},
	{SV_OPT_TEXT, "format-b", .value = "FORMAT", FIELD(format_b), .help = "the same of B"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_image_compare = {
	.name = "image compare",
	.summary = "compare what two disk images show",
	.synopsis = "A B [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "A and B",
	.min_operands = 2,
	.max_operands = 2,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
