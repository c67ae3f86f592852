/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing VHDs. A larger block table stays where it is: blocks in its way are copied to the
 * end of the file first. Each step is flushed before the next, and each leaves a sound image
 * of the old size:
 *
 *	1. blocks in the way: copies, then their table entries
 *	2. the new table entries, all free
 *	3. the number of entries, in one sector of the header
 *	4. the footer at the end, then its copy: the new size
 */
#include "image/vhd/vhd.h"

#include <string.h>

#define COPY_CHUNK SV_MIB

static int copy_bytes(
	struct sv_dev *d, uint64_t from, uint64_t to, uint64_t n, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(COPY_CHUNK);

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t done = 0; done < n; done += COPY_CHUNK) {
		size_t now = (size_t)SV_MIN(n - done, COPY_CHUNK);

		if (sv_dev_read(d, buf, now, from + done, err) < 0 ||
			sv_dev_write(d, buf, now, to + done, err) < 0)
			return -1;
	}
	return 0;
}

/* The space of a new block at the end; the footer follows it. */
static int append_block(struct sv_vhd *v, uint64_t *ret_at, struct sv_err *err)
{
	uint64_t bitmap = v->header.bitmap_size;
	uint64_t data = sv_align_up(v->next + bitmap, 4096), end = data + v->header.block_size;

	if (sv_dev_resize(v->file, end + SV_VHD_FOOTER_SIZE, err) < 0 ||
		sv_vhd_write_footer(v, end, err) < 0)
		return -1;
	*ret_at = data - bitmap;
	v->next = end;
	return 0;
}

static int move_block(struct sv_vhd *v, uint64_t block, struct sv_err *err)
{
	uint64_t bytes = v->header.bitmap_size + v->header.block_size, at;
	uint8_t entry[4];

	if (append_block(v, &at, err) < 0 ||
		copy_bytes(v->file, v->bat[block] * SV_SECTOR, at, bytes, err) < 0 ||
		sv_dev_flush(v->file, err) < 0)
		return -1;
	sv_store_be32(entry, (uint32_t)(at / SV_SECTOR));
	if (sv_dev_write(v->file, entry, sizeof entry, v->header.table_at + block * 4, err) < 0)
		return -1;
	v->bat[block] = (uint32_t)(at / SV_SECTOR);
	return sv_dev_flush(v->file, err);
}

static int clear_way(struct sv_vhd *v, uint64_t table_end, struct sv_err *err)
{
	uint64_t bytes = v->header.bitmap_size + v->header.block_size;
	uint64_t at = v->header.table_at;

	if (v->next < table_end) { /* hardly any blocks: the footer is in the way */
		v->next = table_end;
		if (sv_dev_resize(v->file, table_end + SV_VHD_FOOTER_SIZE, err) < 0 ||
			sv_vhd_write_footer(v, table_end, err) < 0 ||
			sv_dev_flush(v->file, err) < 0)
			return -1;
	}
	for (uint64_t i = 0; i < v->header.n_blocks; i++) {
		uint64_t block_at = v->bat[i] * SV_SECTOR;

		if (v->bat[i] != SV_VHD_FREE &&
			sv_overlaps(block_at, bytes, at, table_end - at) &&
			move_block(v, i, err) < 0)
			return -1;
	}
	return 0;
}

/* Free entries [from, to) in memory and, to the end of the sector, in the file. */
static int add_entries(struct sv_vhd *v, uint64_t from, uint64_t to, struct sv_err *err)
{
	uint64_t at = v->header.table_at + from * 4;
	uint64_t bytes = v->header.table_at + sv_align_up(to * 4, SV_SECTOR) - at;
	uint32_t *grown = realloc(v->bat, to * 4);
	uint8_t *fresh = realloc(v->fresh, to / 8 + 1);

	v->bat = grown ? grown : v->bat;
	v->fresh = fresh ? fresh : v->fresh;
	if (!grown || !fresh)
		return sv_fail_nomem(err);
	memset(v->fresh, 0, to / 8 + 1); /* all was flushed */
	memset(v->bat + from, 0xff, (to - from) * 4);
	for (uint64_t done = 0; done < bytes;) {
		uint8_t chunk[4096];
		size_t n = (size_t)SV_MIN(bytes - done, sizeof chunk);

		memset(chunk, 0xff, n);
		if (sv_dev_write(v->file, chunk, n, at + done, err) < 0)
			return -1;
		done += n;
	}
	return sv_dev_flush(v->file, err);
}

/* The changed fields lie in the header's first sector: one write. */
static int write_header(struct sv_vhd *v, uint64_t entries, struct sv_err *err)
{
	uint64_t at = v->footer.header_at;
	struct sv_vhd_disk_header h;

	if (entries <= v->header.max_entries)
		return 0;
	if (sv_dev_read(v->file, &h, sizeof h, at, err) < 0)
		return -1;
	h.max_entries = sv_put_be32((uint32_t)entries);
	sv_vhd_header_sum(&h);
	if (sv_dev_write(v->file, &h, SV_SECTOR, at, err) < 0)
		return -1;
	v->header.max_entries = (uint32_t)entries;
	return sv_dev_flush(v->file, err);
}

/* What the last block holds beyond the old end becomes the guest's: it must be zeros. */
static int clear_tail(struct sv_vhd *v, struct sv_err *err)
{
	uint64_t block = v->footer.size / v->header.block_size;
	uint64_t in = v->footer.size % v->header.block_size, rest = v->header.block_size - in;
	uint64_t at;

	if (!in || v->bat[block] == SV_VHD_FREE)
		return 0;
	at = sv_vhd_data_at(v, block) + in;
	if (at >= v->next)
		return 0;
	return sv_dev_discard(v->file, at, SV_MIN(rest, v->next - at), err);
}

static int write_footers(struct sv_vhd *v, uint64_t size, struct sv_err *err)
{
	sv_vhd_footer_resize(&v->disk_footer, size);
	if (sv_vhd_write_footer(v, v->next, err) < 0 || sv_dev_flush(v->file, err) < 0 ||
		sv_vhd_write_footer(v, 0, err) < 0)
		return -1;
	return sv_dev_flush(v->file, err);
}

static int grow_sparse(struct sv_vhd *v, uint64_t size, struct sv_err *err)
{
	uint64_t entries = sv_div_up(size, v->header.block_size);
	uint64_t table_end = v->header.table_at + sv_align_up(entries * 4, SV_SECTOR);

	if (entries > SV_VHD_BLOCKS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the disk would have %llu blocks, the largest number supported is %llu",
			(unsigned long long)entries, (unsigned long long)SV_VHD_BLOCKS_MAX);
	if (v->footer.header_at >= v->header.table_at)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, v->header.table_at,
			"the block table lies before the header: it cannot grow");
	if (sv_vhd_begin_change(v, err) < 0 || sv_vhd_flush(&v->link, err) < 0 ||
		clear_way(v, table_end, err) < 0 || clear_tail(v, err) < 0)
		return -1;
	/* bitmaps of moved blocks are where they are now */
	free(v->slots);
	v->slots = NULL;
	if (entries > v->header.n_blocks &&
		add_entries(v, v->header.n_blocks, entries, err) < 0)
		return -1;
	if (write_header(v, entries, err) < 0 || write_footers(v, size, err) < 0)
		return -1;
	v->header.n_blocks = entries;
	v->footer.size = size;
	return 0;
}

static int put_end(struct sv_vhd *v, uint64_t at, struct sv_err *err)
{
	const struct sv_vhd_disk_footer *f = &v->disk_footer;
	int rc = at < sv_dev_size(v->file) ? sv_vhd_write_footer(v, at, err)
					   : sv_dev_append(v->file, f, sizeof *f, at, err);

	return rc < 0 ? -1 : sv_dev_flush(v->file, err);
}

/* The only footer is the last thing in the file: see vhd.h. */
static int grow_fixed(struct sv_vhd *v, uint64_t size, struct sv_err *err)
{
	struct sv_vhd_disk_footer before = v->disk_footer;
	uint64_t old = v->next, end = old;

	if (size > old) /* else there is room before the footer */
		end = SV_MAX(size, sv_dev_size(v->file));
	sv_vhd_footer_resize(&v->disk_footer, size);
	if (put_end(v, end, err) < 0) {
		v->disk_footer = before;
		return -1;
	}
	v->next = end;
	v->footer.size = size;
	if (size > old && sv_dev_discard(v->file, old, SV_MIN(size - old, SV_SECTOR), err) < 0)
		return -1;
	return sv_dev_flush(v->file, err);
}

int sv_vhd_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	struct sv_vhd *v = (struct sv_vhd *)l;

	(void)host;
	return v->footer.type == SV_VHD_FIXED ? grow_fixed(v, size, err)
					      : grow_sparse(v, size, err);
}
