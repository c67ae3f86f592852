/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files with several names: see names.h. */
#include "cli/names.h"

#include <stdlib.h>
#include <string.h>

struct sv_name_slot {
	uint64_t ino;
	size_t volume;
	char *path; /* NULL: the slot is free */
	uint32_t awaited;
};

void sv_names_free(struct sv_names *names)
{
	for (size_t i = 0; i < names->cap; i++)
		free(names->slots[i].path);
	free(names->slots);
	*names = (struct sv_names){0};
}

static struct sv_name_slot *slot_of(const struct sv_names *names, size_t volume, uint64_t ino)
{
	uint64_t hash =
		(ino + volume * UINT64_C(0x632BE59BD9B4E019)) * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(hash >> 20) & (names->cap - 1);

	while (names->slots[i].path &&
		(names->slots[i].ino != ino || names->slots[i].volume != volume))
		i = (i + 1) & (names->cap - 1);
	return &names->slots[i];
}

const char *sv_names_find(struct sv_names *names, size_t volume, uint64_t ino)
{
	struct sv_name_slot *s = names->cap ? slot_of(names, volume, ino) : NULL;

	if (!s || !s->path || !s->awaited)
		return NULL;
	s->awaited--;
	return s->path;
}

/* Leaves out those that are done. */
static int grow(struct sv_names *names, struct sv_err *err)
{
	struct sv_names bigger = {.cap = 64};
	size_t waiting = 0;

	for (size_t i = 0; i < names->cap; i++)
		waiting += names->slots[i].awaited != 0;
	while (bigger.cap < 4 * waiting)
		bigger.cap *= 2;
	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (!bigger.slots)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < names->cap; i++) {
		struct sv_name_slot *s = &names->slots[i];

		if (!s->awaited) {
			free(s->path);
			continue;
		}
		*slot_of(&bigger, s->volume, s->ino) = *s;
		bigger.n++;
	}
	free(names->slots);
	*names = bigger;
	return 0;
}

int sv_names_add(struct sv_names *names, size_t volume, uint64_t ino, const char *path,
	uint32_t links, struct sv_err *err)
{
	struct sv_name_slot *s;
	char *copy;

	if (2 * names->n >= names->cap && grow(names, err) < 0)
		return -1;
	copy = strdup(path);
	if (!copy)
		return sv_fail_nomem(err);
	s = slot_of(names, volume, ino);
	names->n += !s->path;
	free(s->path);
	*s = (struct sv_name_slot){ino, volume, copy, links - 1};
	return 0;
}
