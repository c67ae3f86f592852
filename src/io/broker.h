/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A host for a process that can open nothing (sandbox.h): it asks its parent, the broker, over
 * a socket. One message is one question, answered in order; what is opened comes as a
 * descriptor. Only looking is offered, and making the files of a copy below one folder.
 *
 * The broker believes nothing: whoever asks may have been taken over by what it reads. What it
 * hands out stands in sv_grants, which the parent fills before there is a worker.
 */
#ifndef SV_IO_BROKER_H
#define SV_IO_BROKER_H

#include "io/extract.h"
#include "io/host.h"

#include <stdio.h>

/* ---- what may be had ---- */

struct sv_grants {
	char **folders; /* canonical: all below them may be read */
	size_t n_folders;

	/* of a copy to the host; `into` NULL: there is none */
	char *into;
	char **names; /* what may be made in it, patterns too; below that, anything */
	size_t n_names;
	bool any_name; /* any that does not begin with '.' */
	bool archive, replace;
};

/* The folder itself, or that of a file. A path that does not exist grants nothing. */
int sv_grants_add(struct sv_grants *g, struct sv_host *h, const char *path, struct sv_err *err);
int sv_grants_add_name(struct sv_grants *g, const char *name, struct sv_err *err);
void sv_grants_free(struct sv_grants *g); /* frees the content */

/* May `name` be made at the top of the copy? */
bool sv_grants_name(const struct sv_grants *g, const char *name, size_t n);
/* May this file be read? `path` is canonical. `first` are its first bytes, n of them. */
bool sv_grants_file(const struct sv_grants *g, const char *path, const void *first, size_t n);
/* And this folder be listed? */
bool sv_grants_folder(const struct sv_grants *g, const char *path);

/* Where a worker stands that has several items to do. */
struct sv_broker_at {
	size_t item; /* which it works on; SV_BROKER_ANY: several, or none */
	size_t from; /* should it die, the items before this one need not be done again */
	int result;  /* their exit code */
};
#define SV_BROKER_ANY SIZE_MAX

/* ---- the broker ---- */

struct sv_broker {
	int socket;
	struct sv_host *host;
	const struct sv_grants *grants;
	struct sv_broker_at at; /* what the worker told last */
	/* called when a signal came */
	void (*interrupted)(void *user);
	void *user;
};

/* Serves until the worker ends. -1 only for an error of the broker's own. */
int sv_broker_serve(struct sv_broker *b, struct sv_err *err);

/* ---- the worker's side ---- */

/* NULL on SV_NOMEM. Does not own the socket. Safe from every thread. */
struct sv_host *sv_broker_host(int socket, struct sv_err *err);
int sv_broker_tell(struct sv_host *h, const struct sv_broker_at *at, struct sv_err *err);

/* What tmpfile(3) gives; NULL where it gives nothing. */
FILE *sv_broker_spool(struct sv_host *h);

/* The calls of extract.h, with the folder and the rules that were granted. */
int sv_broker_extract_open(struct sv_host *h, struct sv_err *err);
int sv_broker_enter(struct sv_host *h, const char *name, struct sv_err *err);
int sv_broker_leave(struct sv_host *h, const struct sv_extract_meta *meta, struct sv_err *err);
/* *ret_fd: write to it, then finish or drop; the caller closes it. */
int sv_broker_begin(struct sv_host *h, const char *name, int *ret_fd, struct sv_err *err);
int sv_broker_finish(struct sv_host *h, uint64_t size, const struct sv_extract_meta *meta,
	struct sv_err *err);
int sv_broker_drop(struct sv_host *h, struct sv_err *err);
/* A whole file at once, of at most SV_BROKER_PUT bytes. */
#define SV_BROKER_PUT 65536
int sv_broker_put(struct sv_host *h, const char *name, const void *bytes, size_t n,
	const struct sv_extract_meta *meta, struct sv_err *err);
int sv_broker_link(struct sv_host *h, const char *name, const char *target,
	const struct sv_extract_meta *meta, struct sv_err *err);
int sv_broker_node(struct sv_host *h, const char *name, uint32_t type, uint32_t major,
	uint32_t minor, const struct sv_extract_meta *meta, struct sv_err *err);
int sv_broker_again(struct sv_host *h, const char *name, const char *first, struct sv_err *err);
int sv_broker_left_out(struct sv_host *h, uint64_t *ret, struct sv_err *err);

#endif
