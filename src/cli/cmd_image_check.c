/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm image check IMAGE...: every table of an image and of its parents. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/machine.h"

#include <string.h>

#define SHOWN_MAX 100 /* faults printed for people of one file; --json and -v print all */

struct args {
	struct sv_vm_args vm;
};

struct check {
	struct sv_cli *cli;
	const struct args *args;
	struct sv_json json; /* into `faults`: printed once the check is through */
	struct sv_str faults;
	uint64_t errors, leaks;
	uint64_t shown; /* of the file at hand */
};

static void put_fault_json(
	struct check *c, const char *path, uint64_t offset, const char *message)
{
	sv_json_object(&c->json);
	sv_json_kstring(&c->json, "path", path);
	sv_json_ku64(&c->json, "offset", offset);
	sv_json_kstring(&c->json, "message", message);
	sv_json_end_object(&c->json);
}

static void on_fault(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct check *c = user;
	struct sv_out *o = &c->cli->out;

	if (c->cli->global.json) {
		if (!leak)
			put_fault_json(c, path, offset, message);
		return;
	}
	if (c->shown++ >= SHOWN_MAX && !c->cli->global.verbose)
		return;
	sv_out_spaces(o, 2);
	sv_out_in(o, leak ? SV_STYLE_WARN : SV_STYLE_BAD, "%s", leak ? "leak " : "fault");
	sv_out_line(o, "  %s: offset 0x%llx: %s", sv_path_base(path),
		(unsigned long long)offset, message);
}

static void put_verdict(struct check *c, const char *path, const struct sv_image_faults *f)
{
	struct sv_out *o = &c->cli->out;

	if (c->shown > SHOWN_MAX && !c->cli->global.verbose)
		sv_out_line(o, "  … and %llu more (all with --verbose)",
			(unsigned long long)(c->shown - SHOWN_MAX));
	sv_out_f(o, "%s: ", path);
	if (f->errors)
		sv_out_in(o, SV_STYLE_BAD, "%llu %s", (unsigned long long)f->errors,
			f->errors == 1 ? "fault" : "faults");
	else
		sv_out_in(o, SV_STYLE_GOOD, "sound");
	if (f->leaks)
		sv_out_f(o, ", %llu %s that nothing uses", (unsigned long long)f->leaks,
			f->leaks == 1 ? "block" : "blocks");
	sv_out_nl(o);
}

static int check_link(
	struct check *c, const char *path, const struct sv_image_opts *opts, struct sv_err *err)
{
	struct sv_image_faults faults = {.report = on_fault, .user = c};

	c->shown = 0;
	if (sv_image_check(c->cli->host, path, opts, &faults, &c->cli->job, err))
		return -1;
	c->errors += faults.errors;
	c->leaks += faults.leaks;
	if (!c->cli->global.json)
		put_verdict(c, path, &faults);
	return 0;
}

/* The image, and its parents as far as the chain can be followed. */
static int check_chain(
	struct check *c, const char *path, const struct sv_words *dirs, struct sv_err *err)
{
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	struct sv_image_opts opts = {.alone = true};
	struct sv_err chain = SV_ERR_INIT;

	if (sv_image_operand(c->cli, path, dirs, &allow, err))
		return -1;
	opts.allow = allow;
	if (check_link(c, path, &opts, err))
		return -1;
	if (sv_image_open(c->cli->host, path, &(struct sv_image_opts){.allow = allow}, &image,
		    &chain)) {
		if (c->errors) /* it was looked at, and that is why */
			return 0;
		sv_err_copy(err, &chain);
		return -1;
	}
	for (size_t i = 1; i < sv_image_links(image); i++)
		if (check_link(c, sv_image_link(image, i)->path, &opts, err))
			return -1;
	return 0;
}

static int put_document(struct check *c, const char *path, struct sv_err *err)
{
	struct sv_json j;

	sv_json_end_array(&c->json);
	if (c->faults.failed)
		return sv_fail_nomem(err);
	sv_doc_begin(c->cli, &j, "image.check");
	sv_json_kstring(&j, "path", path);
	sv_json_key(&j, "errors");
	sv_json_raw(&j, c->faults.data);
	sv_json_ku64(&j, "leaks", c->leaks);
	sv_doc_end(c->cli, &j);
	return 0;
}

static int check_image(struct sv_cli *cli, const char *path, void *user, struct sv_err *err)
{
	struct check c = {.cli = cli, .args = user};
	int rc;

	sv_json_to_str(&c.json, &c.faults);
	sv_json_array(&c.json);
	rc = check_chain(&c, path, &c.args->vm.allow, err);
	if (!rc && cli->global.json)
		rc = put_document(&c, path, err);
	sv_str_free(&c.faults);
	if (rc)
		return -1;
	return c.errors ? SV_EXIT_FAULTS : SV_EXIT_OK;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;

	return sv_each(cli, &a->vm.common.operands, check_image, (void *)(uintptr_t)a, err);
}

static const struct sv_example examples[] = {
	{"sharevm image check disk.vmdk", "the disk and what it stands on"},
	{"sharevm image check *.vmdk --json", "for a script; exit code 8 on faults"},
	{0},
};

static const struct sv_opt options[] = {
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_image_check = {
	.name = "image check",
	.summary = "look for faults in a disk image and its parents",
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
