/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where `cp` puts what it reads: a folder of the host, a tar stream, or nowhere (--dry-run).
 * Names were checked before (sv_extract_check_name). Calls come as a tree is walked; between
 * file and end_file only write.
 */
#ifndef SV_CLI_SINK_H
#define SV_CLI_SINK_H

#include "cli/out.h"
#include "fs/extract.h"
#include "io/extract.h"
#include "io/host.h"

struct sv_sink;

/* What is put there. */
struct sv_object {
	struct sv_fs_stat st;
	struct sv_extract_attr *attrs; /* owned */
	size_t n_attrs;
	bool has_ranges; /* of a file with holes: where its data are; owned */
	struct sv_fs_range *ranges;
	size_t n_ranges;
};

struct sv_sink_ops {
	int (*folder)(struct sv_sink *s, const char *name, const struct sv_object *o,
		struct sv_err *err);
	int (*end_folder)(struct sv_sink *s, const struct sv_object *o, struct sv_err *err);
	int (*file)(struct sv_sink *s, const char *name, const struct sv_object *o,
		struct sv_err *err);
	/* Forwards, within the size that the file was announced with; gaps are zeros. */
	int (*write)(struct sv_sink *s, const void *bytes, size_t n, uint64_t off,
		struct sv_err *err);
	/* `whole` is false where reading failed: a file on the host is dropped then. */
	int (*end_file)(
		struct sv_sink *s, const struct sv_object *o, bool whole, struct sv_err *err);
	int (*link)(struct sv_sink *s, const char *name, const char *target,
		const struct sv_object *o, struct sv_err *err);
	/* A device, pipe or socket; not called unless the sink keeps them. */
	int (*node)(struct sv_sink *s, const char *name, const struct sv_object *o,
		struct sv_err *err);
	/* One more name for what was put at `first`, a path from where the copies begin. */
	int (*again)(struct sv_sink *s, const char *name, const char *first,
		const struct sv_object *o, struct sv_err *err);
	/* Ends the stream; not called after an error. */
	int (*end)(struct sv_sink *s, struct sv_err *err);
	void (*close)(struct sv_sink *s);
};

struct sv_sink {
	const struct sv_sink_ops *ops;
	bool keeps_all_links; /* also those that lead out of the copy: it does not follow them
			       */
	bool keeps_devices, keeps_sockets;
	bool wants_attrs, wants_ranges;
	uint64_t left_out; /* owners and attributes that could not be kept, once it has ended */
};

/* `archive`: as sv_extract_open() has it, and with it all links and devices. */
struct sv_sink *sv_sink_host(const char *dir, bool replace, bool archive, struct sv_err *err);
/* The same through a broker, into what it was granted. */
struct sv_sink *sv_sink_broker(struct sv_host *broker, bool archive, struct sv_err *err);
struct sv_sink *sv_sink_tar(struct sv_out *out, struct sv_job *job, struct sv_err *err);
struct sv_sink *sv_sink_nowhere(struct sv_err *err);

/* What an object becomes on the host: for extract.h, and as st_mode has it. */
struct sv_extract_meta sv_sink_meta(const struct sv_object *o);
uint32_t sv_sink_mode(enum sv_fs_type type);

void sv_sink_close(struct sv_sink *s);
SV_DEFINE_CLEANUP(struct sv_sink, sv_sink_close)

#endif
