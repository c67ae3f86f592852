/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client's side of QEMU's machine protocol (QEMU docs/interop/qmp-spec): one JSON document
 * a line over a socket. Only what the boot check and the fast start need: the handshake, one
 * command at a time, its answer. Events are passed over.
 */
#ifndef SV_RUN_QMP_H
#define SV_RUN_QMP_H

#include "base/cleanup.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SV_QMP_LINE_MAX (1u << 20) /* an answer of ours is a few hundred bytes */

enum sv_qmp_state {
	SV_QMP_GREETING, /* QEMU is still setting up the machine */
	SV_QMP_IDLE,     /* a command may be sent */
	SV_QMP_WAITING,  /* the answer to a command is due */
	SV_QMP_CLOSED,   /* QEMU hung up */
};

struct sv_qmp;

/* Borrows `fd`, a connected non-blocking stream socket. */
struct sv_qmp *sv_qmp_new(int fd, struct sv_err *err);
void sv_qmp_free(struct sv_qmp *q);
SV_DEFINE_CLEANUP(struct sv_qmp, sv_qmp_free)

enum sv_qmp_state sv_qmp_state(const struct sv_qmp *q);

/* Sends {"execute": command, "arguments": …}; `arguments` may be NULL and is taken over.
 * Only in the state SV_QMP_IDLE; then the state is WAITING. */
int sv_qmp_send(struct sv_qmp *q, const char *command, json_t *arguments, struct sv_err *err);

/*
 * Takes what has arrived, never blocks, and answers the greeting by itself. *ret_answered: the
 * answer to the command came in (the state is IDLE again); a command that QEMU refused raises
 * SV_IO with QEMU's words. At the end of the stream the state becomes CLOSED and 0 is returned.
 */
int sv_qmp_receive(struct sv_qmp *q, bool *ret_answered, struct sv_err *err);

#endif
