/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker's part in a copy: each call of extract.h as a question. See broker.h. */
#include "io/broker_ask.h"

#include <string.h>

/* Attributes go ahead, one a message. */
static int send_attrs(struct sv_host *h, const struct sv_extract_meta *meta, struct sv_err *err)
{
	for (size_t i = 0; meta && i < meta->n_attrs; i++) {
		struct question q = {.op = SV_ASK_ATTR,
			.text = meta->attrs[i].name,
			.data = meta->attrs[i].value,
			.data_n = meta->attrs[i].n};

		if (sv_ask_for(h, &q, NULL, NULL, 0, err) < 0)
			return -1;
	}
	return 0;
}

static int ask_to_make(struct sv_host *h, const struct question *q, struct sv_err *err)
{
	if (send_attrs(h, q->meta, err) < 0)
		return -1;
	return sv_ask_for(h, q, NULL, NULL, 0, err);
}

int sv_broker_extract_open(struct sv_host *h, struct sv_err *err)
{
	return ask_to_make(h, &(struct question){.op = SV_ASK_EXTRACT_OPEN}, err);
}

int sv_broker_enter(struct sv_host *h, const char *name, struct sv_err *err)
{
	return ask_to_make(h, &(struct question){.op = SV_ASK_ENTER, .text = name}, err);
}

int sv_broker_leave(struct sv_host *h, const struct sv_extract_meta *meta, struct sv_err *err)
{
	return ask_to_make(h, &(struct question){.op = SV_ASK_LEAVE, .meta = meta}, err);
}

int sv_broker_begin(struct sv_host *h, const char *name, int *ret_fd, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_BEGIN, .text = name};

	return sv_ask_for_fd(h, &q, ret_fd, NULL, err);
}

int sv_broker_finish(struct sv_host *h, uint64_t size, const struct sv_extract_meta *meta,
	struct sv_err *err)
{
	struct question q = {.op = SV_ASK_FINISH, .a = size, .meta = meta};

	return ask_to_make(h, &q, err);
}

int sv_broker_drop(struct sv_host *h, struct sv_err *err)
{
	return ask_to_make(h, &(struct question){.op = SV_ASK_DROP}, err);
}

int sv_broker_put(struct sv_host *h, const char *name, const void *bytes, size_t n,
	const struct sv_extract_meta *meta, struct sv_err *err)
{
	struct question q = {
		.op = SV_ASK_PUT, .text = name, .data = bytes, .data_n = n, .meta = meta};

	return ask_to_make(h, &q, err);
}

int sv_broker_link(struct sv_host *h, const char *name, const char *target,
	const struct sv_extract_meta *meta, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_LINK,
		.text = name,
		.data = target,
		.data_n = strlen(target) + 1,
		.meta = meta};

	return ask_to_make(h, &q, err);
}

int sv_broker_node(struct sv_host *h, const char *name, uint32_t type, uint32_t major,
	uint32_t minor, const struct sv_extract_meta *meta, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_NODE,
		.text = name,
		.a = type,
		.b = (uint64_t)major << 32 | minor,
		.meta = meta};

	return ask_to_make(h, &q, err);
}

int sv_broker_again(struct sv_host *h, const char *name, const char *first, struct sv_err *err)
{
	struct question q = {
		.op = SV_ASK_AGAIN, .text = name, .data = first, .data_n = strlen(first) + 1};

	return ask_to_make(h, &q, err);
}

int sv_broker_left_out(struct sv_host *h, uint64_t *ret, struct sv_err *err)
{
	return sv_ask_for(h, &(struct question){.op = SV_ASK_LEFT_OUT}, ret, NULL, 0, err);
}
