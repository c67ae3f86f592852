/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors as people and programs see them, and exit codes: CLI.md. */
#include "cli/report.h"

#include "cli/cmd.h"

#include <stdio.h>

int sv_exit_code(enum sv_code code)
{
	switch (code) {
	case SV_OK:
		return SV_EXIT_OK;
	case SV_USAGE:
		return SV_EXIT_USAGE;
	case SV_BUSY:
		return SV_EXIT_BUSY;
	case SV_PERMISSION:
		return SV_EXIT_PERMISSION;
	case SV_UNSUPPORTED:
		return SV_EXIT_REFUSED;
	case SV_NOSPACE:
		return SV_EXIT_NO_SPACE;
	case SV_CANCELLED:
		return SV_EXIT_INTERRUPTED;
	case SV_IO:
	case SV_NOMEM:
	case SV_CORRUPT:
	case SV_NOTFOUND:
	case SV_EXISTS:
	case SV_INTERNAL:
		break;
	}
	return SV_EXIT_FAILED;
}

/* What helps against an error of this kind in general, where its author knew no better. */
static const char *remedy(const struct sv_err *err)
{
	if (err->hint[0])
		return err->hint;
	switch (err->code) {
	case SV_PERMISSION:
		return "use an account that is allowed to do that, or get the right to it";
	case SV_CORRUPT:
		return "it is damaged, or not what its name tells: bring it back from a backup";
	case SV_IO:
		return "see what the host's log says about that disk (dmesg), then try again";
	case SV_NOSPACE:
		return "free some space on that disk, then try again";
	case SV_NOMEM:
		return "end other programs that need much memory, then try again";
	case SV_INTERNAL:
		return "this is a fault of sharevm, please report it with these words";
	default:
		return "";
	}
}

static void report_json(struct sv_out *msg, const struct sv_err *err)
{
	struct sv_json j;

	sv_out_json(msg, &j);
	j.pretty = false;
	sv_json_object(&j);
	sv_json_key(&j, "error");
	sv_json_object(&j);
	sv_json_kstring(&j, "code", sv_code_name(err->code));
	sv_json_kstring(&j, "message", err->message);
	sv_json_kstring(&j, "path", err->path[0] ? err->path : NULL);
	sv_json_key(&j, "offset");
	if (err->has_offset)
		sv_json_u64(&j, err->offset);
	else
		sv_json_null(&j);
	sv_json_kstring(&j, "hint", *remedy(err) ? remedy(err) : NULL);
	sv_json_end_object(&j);
	sv_json_end_object(&j);
	sv_out_nl(msg);
}

void sv_report(struct sv_out *msg, bool json, const struct sv_err *err)
{
	char text[sizeof err->path + sizeof err->message + 40], offset[32] = "";

	if (json) {
		report_json(msg, err);
		return;
	}
	if (err->has_offset)
		snprintf(offset, sizeof offset,
			"offset 0x%llx: ", (unsigned long long)err->offset);
	snprintf(text, sizeof text, "%s%s%s%s", err->path, err->path[0] ? ": " : "", offset,
		err->message[0] ? err->message : sv_code_name(err->code));
	sv_out_message(msg, SV_STYLE_BAD, "sharevm:", text);
	if (*remedy(err))
		sv_out_message(msg, SV_STYLE_BOLD, "hint:", remedy(err));
}
