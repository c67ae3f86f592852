/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the worker's side asks: shared by broker_host.c and broker_extract.c. */
#ifndef SV_IO_BROKER_ASK_H
#define SV_IO_BROKER_ASK_H

#include "io/broker.h"
#include "io/broker_wire.h"

#include <pthread.h>

struct broker_host {
	struct sv_host host;
	int socket;
	pthread_mutex_t lock; /* of the socket and of `data` */
	struct {
		struct sv_answer_head head;
		uint8_t data[SV_ANSWER_DATA];
	} answer;
};

struct question {
	enum sv_ask_op op;
	const char *text; /* NULL: none */
	const void *data;
	size_t data_n;
	uint64_t a, b;
	const struct sv_extract_meta *meta;
};

/* A question whose answer is a number, or n bytes, or nothing: ret_a and ret may be NULL. */
int sv_ask_for(struct sv_host *h, const struct question *q, uint64_t *ret_a, void *ret,
	size_t n, struct sv_err *err);
char *sv_ask_for_text(struct sv_host *h, const struct question *q, struct sv_err *err);
int sv_ask_for_fd(struct sv_host *h, const struct question *q, int *ret_fd, uint64_t *ret_a,
	struct sv_err *err);

/* The same while the lock is held: one question; a further part of its answer. *ret_fd (may be
 * NULL for the first) is a descriptor or -1. */
int sv_ask_now(
	struct broker_host *b, const struct question *q, int *ret_fd, struct sv_err *err);
int sv_ask_more(struct broker_host *b, int *ret_fd, struct sv_err *err);

#endif
