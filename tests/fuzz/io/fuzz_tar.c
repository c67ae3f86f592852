/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a tar archive: the walk ends, moves forward, and gives members whose names are
 * strings; each header and each extended header by itself.
 */
#include "io/tar.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

static void walk(struct sv_dev *d)
{
	struct sv_tar_walk w = {.dev = d};
	struct sv_err err = SV_ERR_INIT;
	bool more = true;

	while (more) {
		uint64_t before = w.at;
		struct sv_tar_member m;

		if (sv_tar_next(&w, &m, &more, &err) < 0) {
			must_say(&err);
			return;
		}
		if (!more)
			return;
		require(w.at > before && m.at > before);
		require(m.size <= SV_DEV_SIZE_MAX && strlen(m.name) <= SV_TAR_PAX_MAX);
		require(strncmp(m.name, "./", 2) != 0);
		free(m.name);
	}
}

/* A sum is easily made right, and hard to guess: the first header gets a good one. */
static void repair_sum(uint8_t block[SV_TAR_BLOCK])
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < SV_TAR_BLOCK; i++)
		sum += block[i];
	for (size_t i = 0; i < 6; i++)
		block[148 + i] = (uint8_t)('0' + (sum >> (15 - 3 * i) & 7));
	block[154] = 0;
}

static void look_at(uint8_t *bytes, size_t n)
{
	struct sv_dev *d = sv_mem_open(bytes, n, false, "input", NULL);
	struct sv_tar_header h;
	struct sv_err err = SV_ERR_INIT;

	require(d != NULL);
	if (n >= SV_TAR_BLOCK && sv_tar_header_parse(bytes, 0, &h, &err) == 0)
		require(h.end || (strlen(h.name) < sizeof h.name && h.size <= SV_DEV_SIZE_MAX));
	require(!sv_tar_probe(d) || n >= SV_TAR_BLOCK);
	walk(d);
	sv_dev_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n + 1);
	struct sv_tar_pax pax;
	struct sv_err err = SV_ERR_INIT;

	require(copy != NULL);
	memcpy(copy, bytes, n);
	if (sv_tar_pax_parse((const char *)copy, n, 0, &pax, &err) == 0)
		free(pax.path);
	else
		must_say(&err);
	look_at(copy, n);
	for (size_t at = 0; at + SV_TAR_BLOCK <= n && at < 8 * SV_TAR_BLOCK;
		at += SV_TAR_BLOCK) {
		if (!sv_is_zero(copy + at, SV_TAR_BLOCK) && copy[at + 257] == 'u')
			repair_sum(copy + at);
	}
	look_at(copy, n);
	free(copy);
	return 0;
}
