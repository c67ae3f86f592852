/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm cat VM:PATH...: the content of files. */
#include "base/num.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/roots.h"
#include "cli/vmpath.h"

#include <string.h>

#define PIECE (1u << 20)

struct args {
	struct sv_vm_args vm;
	const char *stream;
};

static int put_content(struct sv_cli *cli, const struct sv_place *at,
	const struct sv_fs_stat *st, const char *stream, struct sv_err *err)
{
	sv_autofree uint8_t *piece = malloc(PIECE);
	uint64_t off = 0;
	size_t got = PIECE;

	if (!piece)
		return sv_fail_nomem(err);
	while (got == PIECE && !sv_out_gone(&cli->out)) {
		if (sv_job_check(&cli->job, err))
			return -1;
		if (sv_fs_read(at->fs, at->ino, stream, piece, PIECE, off, &got, err))
			return -1;
		sv_out_bytes(&cli->out, piece, got);
		off += got;
		if (!cli->out.terminal)
			sv_job_progress(&cli->job, "reading", off, st->size);
	}
	return 0;
}

static int cat_root(struct sv_cli *cli, const struct sv_root *root, const char *stream,
	const char *vm, struct sv_err *err)
{
	struct sv_fs_stat st;

	if (sv_fs_stat(root->at.fs, root->at.ino, &st, err))
		return -1;
	if (st.type == SV_FS_DIR && !stream) {
		sv_fail(err, SV_USAGE, root->path, "is a folder");
		return sv_hint(err, "to list it: sharevm ls '%s:%s'", vm, root->path);
	}
	if (put_content(cli, &root->at, &st, stream, err))
		return sv_err_path(err, root->path);
	return 0;
}

static int cat(struct sv_cli *cli, const char *text, void *user, struct sv_err *err)
{
	const struct args *a = user;
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;
	sv_autovmpath struct sv_vmpath p = {0};
	sv_autoroots struct sv_roots roots = {0};

	if (sv_vmpath_parse_place(cli->host, text, &p, err) ||
		sv_machine_open_volumes(cli, p.vm, &a->vm.allow, &m, err))
		return -1;
	sv_machine_warn(cli, m);
	if (sv_roots_find(m, p.inside, false, &roots, err))
		return -1;
	for (size_t i = 0; i < roots.n; i++)
		if (cat_root(cli, &roots.item[i], a->stream, p.vm, err))
			return -1;
	sv_machine_warn_after(cli, m);
	return 0;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;

	return sv_each(cli, &a->vm.common.operands, cat, (void *)(uintptr_t)a, err);
}

static const struct sv_example examples[] = {
	{"sharevm cat Win10.vmx:C:/Windows/win.ini", "print a file"},
	{"sharevm cat Win10.vmx:C:/pagefile.sys | strings", "or look into it"},
	{"sharevm cat 'debian.qcow2:/etc/cron.d/*'", "all that fit"},
	{"sharevm cat --stream Zone.Identifier Win10.vmx:C:/setup.exe", ""},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_TEXT, "stream", .value = "NAME", .field = offsetof(struct args, stream),
		.help = "of an NTFS file: this named stream of it"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_cat = {
	.name = "cat",
	.summary = "print the content of files",
	.synopsis = "VM:PATH... [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM:PATH",
	.min_operands = 1,
	.max_operands = SV_UNLIMITED,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
