/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who this machine is and which processes run on it: what tells a living lock from a dead one.
 * Reads /proc and /sys only; changes nothing.
 */
#ifndef SV_IO_PROCESS_H
#define SV_IO_PROCESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SV_PROCESS_NAME 64

struct sv_host;

struct sv_process {
	int64_t pid;
	uint64_t start; /* clock ticks since boot, /proc/PID/stat field 22; 0 if unknown */
	char name[SV_PROCESS_NAME]; /* "" if unknown */
};

/* Does the process exist? Fills what is known of it. A process that may not be looked at
 * exists. */
bool sv_process_exists(int64_t pid, struct sv_process *ret);

/* The calling process. */
void sv_process_own(struct sv_process *ret);

/* A file as the kernel knows it, whatever its names. */
struct sv_file_id {
	uint64_t dev, ino;
};

/*
 * Finds a process, other than the caller's own, that has one of the files open for writing.
 * Processes that may not be looked at are passed over: false is no proof. *ret_file is the
 * file's index.
 */
bool sv_process_find_writer(
	const struct sv_file_id *files, size_t n, struct sv_process *ret, size_t *ret_file);

/*
 * What other processes have open for writing, as it was at one moment: for who asks about many
 * files, since going through all processes costs some milliseconds. Safe from every thread.
 * NULL with the error only when out of memory.
 */
struct sv_process_writers;
struct sv_process_writers *sv_process_writers_gather(struct sv_err *err);
void sv_process_writers_free(struct sv_process_writers *w); /* NULL-safe */
/* As sv_process_find_writer(), of that moment. */
bool sv_process_writers_find(const struct sv_process_writers *w, const struct sv_file_id *files,
	size_t n, struct sv_process *ret, size_t *ret_file);

struct sv_computer {
	char host_name[256];
	uint8_t mac[6];   /* of the first of eth0 to eth7 that exists; else zeros */
	uint8_t uuid[16]; /* of the mainboard (SMBIOS), in the order it is printed; zeros if
			     hidden */
	bool has_uuid;
	struct sv_host *host; /* who is asked about its processes; NULL: the system itself */
};
void sv_machine_look(struct sv_computer *ret);

#endif
