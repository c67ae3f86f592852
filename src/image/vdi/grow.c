/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing VDIs. A larger map stays in front of the blocks. Where there is no room for it the
 * blocks in the way are copied behind the last one. Every step is flushed before the next, and
 * each leaves a sound image of the old size:
 *
 *	1. copies of the blocks in the way, the count of blocks, their entries
 *	2. the new map: behind the old one, or in the space that step 1 has freed
 *	3. one sector of the header: size, number of blocks, place of map and blocks
 */
#include "image/vdi/vdi.h"

#include <string.h>

#define COPY_CHUNK SV_MIB

struct change {
	uint64_t n_blocks, size;
	uint64_t map_at, data_at;
	uint32_t moved; /* places by which the blocks' beginning moves */
	uint32_t *map;  /* as it will be; places count from the blocks' new beginning */
	uint8_t *changed;
	uint32_t next;
};

static int copy_place(struct sv_vdi *v, uint32_t from, uint32_t to, struct sv_err *err)
{
	uint64_t a = sv_vdi_place_at(v, from), b = sv_vdi_place_at(v, to);
	/* the last block of the file may be cut short */
	uint64_t n = SV_MIN(v->header.block_size, sv_dev_size(v->file) - a);
	sv_autofree uint8_t *buf = malloc(COPY_CHUNK);

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t done = 0; done < n; done += COPY_CHUNK) {
		size_t now = (size_t)SV_MIN(n - done, COPY_CHUNK);

		if (sv_dev_read(v->file, buf, now, a + done, err) < 0 ||
			sv_dev_write(v->file, buf, now, b + done, err) < 0)
			return -1;
	}
	return 0;
}

/* No entry names one of the first n places any more. */
static int free_places(struct sv_vdi *v, uint32_t n, struct sv_err *err)
{
	v->next = SV_MAX(v->next, n);
	for (uint64_t i = 0; i < v->header.n_blocks; i++) {
		uint32_t from = v->map[i], to;

		if (!sv_vdi_is_place(from) || from >= n)
			continue;
		if (sv_vdi_add_place(v, &to, err) < 0 || copy_place(v, from, to, err) < 0 ||
			sv_vdi_set_entry(v, i, to, err) < 0)
			return -1;
	}
	return sv_vdi_flush(&v->link, err);
}

/* The link stays as it is until the file is. A fixed image stores every block. */
static int make_map(struct sv_vdi *v, struct change *c, struct sv_err *err)
{
	uint64_t old = v->header.n_blocks;

	c->map = malloc(c->n_blocks * 4);
	c->changed = calloc(c->n_blocks / 8 + 1, 1); /* all was flushed */
	if (!c->map || !c->changed)
		return sv_fail_nomem(err);
	c->next = v->next - c->moved;
	for (uint64_t i = 0; i < old; i++)
		c->map[i] = v->map[i] - (sv_vdi_is_place(v->map[i]) ? c->moved : 0);
	for (uint64_t i = old; i < c->n_blocks; i++)
		c->map[i] = v->header.type == SV_VDI_FIXED ? c->next++ : SV_VDI_FREE;
	if (v->header.type != SV_VDI_FIXED)
		return 0;
	return sv_dev_resize(v->file,
		SV_MAX(sv_dev_size(v->file), c->data_at + c->next * v->header.block_size), err);
}

static int write_map(struct sv_vdi *v, const struct change *c, struct sv_err *err)
{
	uint64_t first = c->moved ? 0 : v->header.n_blocks;

	if (sv_vdi_write_map(v, c->map, c->map_at, first, c->n_blocks - first, err) < 0)
		return -1;
	return sv_dev_flush(v->file, err);
}

static int write_header(struct sv_vdi *v, const struct change *c, struct sv_err *err)
{
	struct sv_vdi_disk_header h;

	if (sv_dev_read(v->file, &h, sizeof h, 0, err) < 0)
		return -1;
	sv_vdi_header_resize(&h, c->size, v->header.block_size);
	h.map_at = sv_put_le32((uint32_t)c->map_at);
	h.data_at = sv_put_le32((uint32_t)c->data_at);
	h.n_allocated = sv_put_le32(c->next);
	if (sv_dev_write(v->file, &h, sizeof h, 0, err) < 0)
		return -1;
	return sv_dev_flush(v->file, err);
}

static void take(struct sv_vdi *v, struct change *c)
{
	free(v->map);
	free(v->changed);
	v->map = SV_STEAL(c->map);
	v->changed = SV_STEAL(c->changed);
	v->next = v->count = c->next;
	v->header.n_blocks = c->n_blocks;
	v->header.size = c->size;
	v->header.map_at = c->map_at;
	v->header.data_at = c->data_at;
}

static int plan_change(struct sv_vdi *v, uint64_t size, struct change *c, struct sv_err *err)
{
	uint64_t bytes;

	*c = (struct change){.n_blocks = sv_div_up(size, v->header.block_size),
		.size = size,
		.map_at = v->header.map_at,
		.data_at = v->header.data_at};
	bytes = sv_align_up(c->n_blocks * 4, SV_SECTOR);
	if (c->map_at + bytes <= c->data_at)
		return 0;
	c->moved = (uint32_t)sv_div_up(bytes, v->header.block_size);
	c->map_at = c->data_at;
	c->data_at += c->moved * v->header.block_size;
	if (c->data_at <= UINT32_MAX)
		return 0;
	return sv_fail_at(err, SV_UNSUPPORTED, NULL, v->header.map_at,
		"the block map would end beyond 4 GiB");
}

/* What the last block holds beyond the old end becomes the guest's. */
static int clear_tail(struct sv_vdi *v, struct sv_err *err)
{
	uint64_t block = v->header.size / v->header.block_size;
	uint64_t in = v->header.size % v->header.block_size, at, end;

	if (!in || !sv_vdi_is_place(v->map[block]))
		return 0;
	at = sv_vdi_place_at(v, v->map[block]);
	end = at + v->header.block_size;
	if (sv_dev_size(v->file) < end && sv_dev_resize(v->file, end, err) < 0)
		return -1;
	return sv_dev_discard(v->file, at + in, end - at - in, err);
}

int sv_vdi_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	struct sv_vdi *v = (struct sv_vdi *)l;
	struct change c;
	int rc = -1;

	(void)host;
	if (plan_change(v, size, &c, err) == 0 && sv_vdi_begin_change(v, err) == 0 &&
		sv_vdi_flush(l, err) == 0 && clear_tail(v, err) == 0 &&
		free_places(v, c.moved, err) == 0 && make_map(v, &c, err) == 0 &&
		write_map(v, &c, err) == 0)
		rc = write_header(v, &c, err);
	if (rc == 0)
		take(v, &c);
	free(c.map);
	free(c.changed);
	return rc;
}
