/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm extend VM --to SIZE | --by SIZE: more room for a full volume. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/extend_page.h"
#include "cli/machine.h"
#include "vm/vmx.h"

#include <string.h>
#include <strings.h>

struct args {
	struct sv_vm_args vm;
	uint64_t to, by;
	struct sv_words volume;
	const char *into;
	int mode; /* enum sv_extend_mode */
	bool quick, no_chkdsk, drop_recovery, new_identity, boot_check;
};

static int check_volume(const struct args *a, struct sv_err *err)
{
	if (a->volume.n > 1) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"only one volume can be extended in a run, %zu are named", a->volume.n);
		return sv_hint(
			err, "extend '%s' first, then the result again", a->volume.item[0]);
	}
	if (a->volume.n && strchr(a->volume.item[0], '=')) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"--volume %s: a volume always gets all of the new room for now",
			a->volume.item[0]);
		return sv_hint(
			err, "choose the disk's size: --by how much the volume shall grow");
	}
	return 0;
}

static int check_args(const struct args *a, struct sv_err *err)
{
	if (a->to && a->by)
		return sv_fail(err, SV_USAGE, NULL, "extend: --to and --by exclude each other");
	if (!a->to && !a->by) {
		sv_fail(err, SV_USAGE, NULL, "extend: the new size is missing");
		return sv_hint(
			err, "add --to 120G (the disk's new size) or --by 40G (how much more)");
	}
	if (a->into && a->mode == SV_EXTEND_IN_PLACE)
		return sv_fail(err, SV_USAGE, NULL,
			"extend: --in-place makes no folder, so --into has no meaning");
	if (a->drop_recovery) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"--drop-recovery: no partition is ever deleted for now, not even Windows' "
			"recovery partition");
		return sv_hint(err, "leave the option out: the plan tells what is in the way");
	}
	return check_volume(a, err);
}

static int open_plan(struct sv_cli *cli, const struct args *a, struct sv_allow *allow,
	struct sv_extend **ret, struct sv_err *err)
{
	struct sv_extend_request req = {
		.vm = a->vm.common.operands.item[0],
		.to = a->to,
		.by = a->by,
		.volume = a->volume.n ? a->volume.item[0] : NULL,
		.into = a->into,
		.mode = (enum sv_extend_mode)a->mode,
		.quick = a->quick,
		.no_chkdsk = a->no_chkdsk,
		.new_identity = a->new_identity,
		.allow = allow,
	};

	return sv_extend_open(cli->host, &req, &cli->job, ret, err);
}

/* ---- the trial start ---- */

/* The disk of the result that was extended: the one that its plan's volume lies on. */
static size_t disk_of(const struct sv_extend_plan *p, size_t n)
{
	size_t disk = 0;

	if (sv_starts_with(p->volume_id, "disk"))
		disk = strtoul(p->volume_id + 4, NULL, 10);
	return disk < n ? disk : 0;
}

/* As its hypervisor would start it; a bare image by its partition table. */
static bool starts_with_efi(const struct sv_vm *vm, struct sv_image *image)
{
	const char *firmware = vm->vmx ? sv_vmx_get(vm->vmx, "firmware") : NULL;
	SV_CLEANUP(sv_table_free) struct sv_table table = {0};

	if (vm->vmx)
		return firmware && strcasecmp(firmware, "efi") == 0;
	return sv_table_read(sv_image_dev(image), &table, NULL) == 0 &&
	       table.kind == SV_TABLE_GPT;
}

static int boot(struct sv_cli *cli, const struct sv_extend_plan *p, struct sv_allow *allow,
	struct sv_boot_report *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	struct sv_image_opts opts = {.allow = allow};
	struct sv_boot_opts how = {0};
	size_t disk;

	if (sv_extend_allow_originals(cli->host, p->config, allow, err) ||
		sv_vm_open(cli->host, p->config, &vm, err))
		return -1;
	if (!vm->n_disks)
		return sv_fail(err, SV_NOTFOUND, p->config, "it has no disk to start from");
	disk = disk_of(p, vm->n_disks);
	if (sv_image_open(cli->host, vm->disks[disk].path, &opts, &image, err))
		return -1;
	how.disk = vm->disks[disk].path;
	how.format = sv_image_link(image, 0)->format;
	how.efi = starts_with_efi(vm, image);
	sv_image_close(SV_STEAL(image)); /* QEMU takes its locks itself */
	return sv_boot_check(&how, &cli->job, ret, err);
}

/* ---- the run ---- */

static int finish(struct sv_cli *cli, const struct args *a, const struct sv_extend_plan *p,
	const struct sv_extend_result *r, struct sv_allow *allow, struct sv_err *err)
{
	SV_CLEANUP(sv_boot_report_free) struct sv_boot_report report = {0};
	bool booted = false, dead;
	int rc = 0;

	if (!cli->global.json && sv_put_result(cli, p, r, err))
		return -1;
	if (a->boot_check) {
		fflush(cli->out.file);
		rc = boot(cli, p, allow, &report, err);
		booted = !rc;
	}
	if (cli->global.json)
		sv_put_extend_json(cli, p, r, booted ? &report : NULL);
	else if (booted)
		sv_put_boot(cli, &report);
	if (rc)
		return sv_err_context(err, "extended, but the trial start failed");
	dead = booted && !report.alive;
	return dead ? SV_EXIT_FAULTS : r->n_left_to_do ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

static int extend(struct sv_cli *cli, const struct args *a, struct sv_extend *x,
	struct sv_allow *allow, struct sv_err *err)
{
	SV_CLEANUP(sv_extend_result_free) struct sv_extend_result result = {0};
	const struct sv_extend_plan *p = sv_extend_plan(x);
	bool in_place = p->mode == SV_EXTEND_IN_PLACE;

	if (!cli->global.json && (!cli->global.quiet || cli->global.dry_run) &&
		sv_put_plan(cli, p, err))
		return -1;
	if (cli->global.dry_run) {
		if (cli->global.json)
			sv_put_extend_json(cli, p, NULL, NULL);
		return SV_EXIT_OK;
	}
	fflush(cli->out.file);
	if (sv_ask(cli, in_place, in_place ? "Change the disk?" : "Go on?", err))
		return -1;
	if (sv_extend_run(x, &cli->job, &result, err))
		return -1;
	return finish(cli, a, p, &result, allow, err);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	SV_CLEANUP(sv_extend_closep) struct sv_extend *x = NULL;

	if (check_args(a, err) || sv_allow_words(cli, &a->vm.allow, &allow, err) ||
		open_plan(cli, a, allow, &x, err))
		return -1;
	return extend(cli, a, x, allow, err);
}

static const struct sv_example examples[] = {
	{"sharevm extend Win10.vmx --to 120G", "C: gets all that a disk of 120G has"},
	{"sharevm extend Win10.vmx --by 40G -n", "show the plan, write nothing"},
	{"sharevm extend Win10.vmx --by 1T --linked --into /big/Win10-1T", ""},
	{0},
};

#define FIELD(name_) .field = offsetof(struct args, name_)

static const struct sv_opt options[] = {
	{SV_OPT_SIZE, "to", .value = "SIZE", FIELD(to), .help = "new size of the virtual disk",
		.more = "Sizes are written like 120G or 1.5T; K, M, G, T count in steps of 1024."},
	{SV_OPT_SIZE, "by", .value = "SIZE", FIELD(by), .help = "or how much it shall grow"},
	{SV_OPT_LIST, "volume", .value = "V", FIELD(volume),
		.help = "which volume: D:, disk0p2 (else the system's)",
		.more = "\\fBsharevm show\\fR lists the volumes."},
	{SV_OPT_TEXT, "into", .value = "DIR", FIELD(into), .complete = SV_COMPLETE_DIR,
		.help = "folder to make (else NAME-extended beside it)"},
	{SV_OPT_SET, "linked", FIELD(mode), .set = SV_EXTEND_LINKED,
		.help = "new disk reads from the original: seconds, little space",
		.more = "The original must not be started afterwards; deleting the new folder "
			"puts everything back as it was."},
	{SV_OPT_SET, "copy", FIELD(mode), .set = SV_EXTEND_COPY,
		.help = "new disk is independent of the original",
		.more = "Where the host's file system can share blocks this is as quick as "
			"\\fB--linked\\fR."},
	{SV_OPT_SET, "in-place", FIELD(mode), .set = SV_EXTEND_IN_PLACE,
		.help = "change the original; undo until it is next used",
		.more = "The old bytes of everything that changes are kept in an undo file "
			"first."},
	{SV_OPT_FLAG, "quick", FIELD(quick),
		.help = "do not compare the bitmap with all files"},
	{SV_OPT_FLAG, "no-chkdsk", FIELD(no_chkdsk),
		.help = "do not ask Windows for a check at its next start"},
	{SV_OPT_FLAG, "drop-recovery", FIELD(drop_recovery), .hidden = true, .help = ""},
	{SV_OPT_FLAG, "new-identity", FIELD(new_identity),
		.help = "new machine id and MAC address",
		.more = "Without it the new machine keeps them: Windows' activation and network "
			"settings hang on them."},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_FLAG, "boot-check", FIELD(boot_check),
		.help = "then start it in QEMU and look for a sign of life",
		.more = "What the trial start writes is thrown away. Exit code 8 when no sign "
			"was seen."},
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_extend = {
	.name = "extend",
	.summary = "give a full volume more room; the original stays as it is",
	.synopsis = "VM --to SIZE | --by SIZE [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_FILE,
	.run = run,
};
