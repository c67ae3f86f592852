/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The fatVM: gives a full volume of a switched-off machine more room.
 *
 * Plan (pure: opens everything read-only, decides, refuses) -> build (in a ".partial" folder,
 * guest edits first in memory) -> verify (as a stranger would) -> publish (rename). A run that
 * is killed leaves the finished result or a ".partial" folder that the next run removes.
 */
#ifndef SV_EXTEND_EXTEND_H
#define SV_EXTEND_EXTEND_H

#include "base/job.h"
#include "io/allow.h"
#include "io/host.h"

enum sv_extend_mode {
	SV_EXTEND_AUTO, /* reflink copy where the host can, else a sparse copy if it fits, else
			   linked */
	SV_EXTEND_LINKED,
	SV_EXTEND_COPY,
	SV_EXTEND_IN_PLACE,
};

struct sv_extend_request {
	const char *vm;     /* path of a configuration, an image or a folder */
	uint64_t to;        /* new size of the virtual disk in bytes, or 0 */
	uint64_t by;        /* or: how much more; exactly one of the two is set */
	const char *volume; /* "C:", "disk0p2"; NULL: the volume of the operating system */
	const char *into; /* folder to make; NULL: NAME-extended beside the machine's folder */
	enum sv_extend_mode mode;
	bool quick; /* no allocation cross-check */
	bool no_chkdsk;
	bool new_identity;
	struct sv_allow *allow; /* --allow-path; recorded originals are added to it. Not NULL */
};

struct sv_extend_step {
	char *name;   /* "disk", "partition", "file system", ... */
	char *detail; /* a sentence for a person */
};

struct sv_extend_plan {
	enum sv_extend_mode mode; /* decided: never AUTO */
	bool reflink;             /* the copy shares the host's blocks */
	char *reason;             /* why that mode */
	char *vm_name;
	char *folder;                    /* that will be made; "" in place */
	char *config;                    /* of the result */
	char *volume;                    /* "C:" or an id */
	char *volume_id;                 /* "disk0p2" */
	uint64_t from, to;               /* virtual disk, bytes */
	uint64_t volume_from, volume_to; /* the volume */
	uint64_t volume_used;            /* bytes used in it */
	uint64_t volume_used_then;       /* with what a larger file system takes for itself */
	struct sv_extend_step *steps;
	size_t n_steps;
	uint64_t writes_bytes; /* upper bound of host bytes written */
	uint64_t host_free;    /* where it will be written */
	double seconds;        /* expected */
	char **warnings;
	size_t n_warnings;
};

struct sv_extend_result {
	char *folder; /* "" in place */
	char *config;
	uint64_t bytes_written;
	uint64_t sample_bytes; /* read to compare sampled files; no part of the cost */
	double seconds;
	char **verified; /* sentences: what was checked */
	size_t n_verified;
	char **left_to_do; /* what the guest or the user still does; empty when nothing */
	size_t n_left_to_do;
	/* before and after, for the table */
	uint64_t disk_before, disk_after, volume_before, volume_after, free_before, free_after;
};

struct sv_extend;

/* Plans. Nothing is written. `ret` holds the machine open (with image locks) until closed. */
int sv_extend_open(struct sv_host *host, const struct sv_extend_request *req,
	struct sv_job *job, struct sv_extend **ret, struct sv_err *err);
const struct sv_extend_plan *sv_extend_plan(const struct sv_extend *x);
/* Builds, verifies, publishes. */
int sv_extend_run(struct sv_extend *x, struct sv_job *job, struct sv_extend_result *ret,
	struct sv_err *err);
void sv_extend_result_free(struct sv_extend_result *r); /* frees the content */
void sv_extend_close(struct sv_extend *x);
SV_DEFINE_CLEANUP(struct sv_extend, sv_extend_close)

/* ---- what can be done with a result ---- */

struct sv_verify_report {
	char *name; /* of the machine */
	char **ok;  /* sentences: what holds */
	size_t n_ok;
	char **faults; /* sentences: what does not, with path and offset */
	size_t n_faults;
};
/* Is the extended machine in `dir` sound and are its originals as they were? `full` hashes all
 * of them, else size, time, CID and sampled hashes. 0 when it could look; faults are counted.
 */
int sv_extend_verify(struct sv_host *host, const char *dir, bool full, struct sv_job *job,
	struct sv_verify_report *ret, struct sv_err *err);
void sv_verify_report_free(struct sv_verify_report *r);

/*
 * `path`: a folder that extend made (deletes only what extend made, refused when a foreign file
 * is in it, or when the disk was used since, unless `discard`), or a machine that was extended
 * in place (puts the old bytes back; refused once the result was used). *ret_text is a sentence
 * that tells what was done; caller frees.
 */
int sv_extend_rollback(struct sv_host *host, const char *path, bool discard, struct sv_job *job,
	char **ret_text, struct sv_err *err);

/* What rollback would do, as a sentence: makes all its checks, writes nothing. */
int sv_extend_rollback_plan(struct sv_host *host, const char *path, bool discard,
	struct sv_job *job, char **ret_text, struct sv_err *err);

/* Makes a linked result independent of its originals. *ret_text is a sentence that tells what
 * was done; caller frees. */
int sv_extend_flatten(struct sv_host *host, const char *dir, struct sv_job *job,
	char **ret_text, struct sv_err *err);
/* What flatten would do, as a sentence; writes nothing. Caller frees *ret_text. */
int sv_extend_flatten_plan(
	struct sv_host *host, const char *dir, char **ret_text, struct sv_err *err);

/* Reads the manifest of a folder that extend made, if there is one, and allows the originals
 * that it recorded (see allow.h). 0 also when there is no manifest. */
int sv_extend_allow_originals(struct sv_host *host, const char *config_or_dir,
	struct sv_allow *allow, struct sv_err *err);

#endif
