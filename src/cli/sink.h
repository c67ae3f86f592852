/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where `cp` puts what it reads: a folder of the host, a tar stream, or nowhere (--dry-run).
 * Names were checked before (sv_extract_check_name). Calls come as a tree is walked; between
 * file and end_file only write.
 */
#ifndef SV_CLI_SINK_H
#define SV_CLI_SINK_H

#include "cli/out.h"
#include "fs/fs.h"

struct sv_sink;

struct sv_sink_ops {
	int (*folder)(struct sv_sink *s, const char *name, const struct sv_fs_stat *st,
		struct sv_err *err);
	int (*end_folder)(struct sv_sink *s, const struct sv_fs_stat *st, struct sv_err *err);
	int (*file)(struct sv_sink *s, const char *name, const struct sv_fs_stat *st,
		struct sv_err *err);
	/* Forwards, within the size that the file was announced with; gaps are zeros. */
	int (*write)(struct sv_sink *s, const void *bytes, size_t n, uint64_t off,
		struct sv_err *err);
	/* `whole` is false where reading failed: a file on the host is dropped then. */
	int (*end_file)(
		struct sv_sink *s, const struct sv_fs_stat *st, bool whole, struct sv_err *err);
	int (*link)(struct sv_sink *s, const char *name, const char *target,
		const struct sv_fs_stat *st, struct sv_err *err);
	/* Ends the stream; not called after an error. */
	int (*end)(struct sv_sink *s, struct sv_err *err);
	void (*close)(struct sv_sink *s);
};

struct sv_sink {
	const struct sv_sink_ops *ops;
	bool keeps_all_links; /* also those that lead out of the copy: it does not follow them
			       */
};

struct sv_sink *sv_sink_host(const char *dir, bool replace, struct sv_err *err);
struct sv_sink *sv_sink_tar(struct sv_out *out, struct sv_job *job, struct sv_err *err);
struct sv_sink *sv_sink_nowhere(struct sv_err *err);

void sv_sink_close(struct sv_sink *s);
SV_DEFINE_CLEANUP(struct sv_sink, sv_sink_close)

#endif
