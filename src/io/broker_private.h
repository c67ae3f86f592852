/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What broker_serve.c and broker_copy.c share. */
#ifndef SV_IO_BROKER_PRIVATE_H
#define SV_IO_BROKER_PRIVATE_H

#include "io/broker.h"
#include "io/broker_wire.h"

/* What is sent back. */
struct answer {
	struct sv_answer_head head;
	uint8_t data[SV_ANSWER_DATA];
	struct sv_dev *dev; /* whose descriptor goes along; or */
	int fd;             /* this one; -1 */
};

/* The copy at hand. */
struct broker_copy {
	struct sv_extract *x;
	size_t depth;                  /* folders that were entered */
	struct sv_extract_attr *attrs; /* for what comes next */
	size_t n_attrs, attr_bytes;
};

/* SV_ASK_EXTRACT_OPEN to SV_ASK_LEFT_OUT. */
int sv_broker_copy(struct broker_copy *c, const struct sv_grants *g, const struct sv_ask *ask,
	struct answer *ret, struct sv_err *err);
void sv_broker_copy_end(struct broker_copy *c);

#endif
