/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a question to the broker: it is refused with a place, or its texts are strings
 * and its data lies in the message.
 */
#include "io/broker_wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool held)
{
	if (!held)
		abort();
}

static void parse(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ask ask;

	if (sv_ask_parse(bytes, n, &ask, &err) < 0) {
		require(err.code == SV_CORRUPT && err.has_offset && *err.message);
		return;
	}
	require(ask.head.op < SV_ASK_OPS);
	require(strlen(ask.text) <= SV_ASK_TEXT_MAX);
	require(ask.data >= bytes && ask.data + ask.head.data_n == bytes + n);
	if (ask.head.op == SV_ASK_LINK)
		require(strlen((const char *)ask.data) + 1 == ask.head.data_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_ask_head head;
	uint8_t *copy;

	parse(bytes, n);
	if (n < sizeof head)
		return 0;
	/* lengths that fit are hard to guess: once more with such */
	copy = malloc(n);
	require(copy != NULL);
	memcpy(copy, bytes, n);
	memcpy(&head, bytes, sizeof head);
	n -= sizeof head;
	head.op %= SV_ASK_OPS;
	head.text_n = (uint32_t)(head.text_n % (n + 1));
	head.data_n = (uint32_t)(n - head.text_n);
	head.zero = 0;
	memcpy(copy, &head, sizeof head);
	parse(copy, n + sizeof head);
	free(copy);
	return 0;
}
