/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes a stream-optimized disk ("Virtual Disk Format 5.0", section "Stream-Optimized
 * Compressed Sparse Extents") in one pass: descriptor, grains in the guest's order, each table
 * behind its grains, directory, footer, end marker. The header comes last, so that a run that
 * is killed leaves no disk that looks whole.
 *
 * Batches of grains are read, looked through for zeros and packed by a pool of workers, and
 * written in order: the bytes do not depend on how many workers there are.
 */
#include "image/vmdk/marker.h"
#include "image/vmdk/vmdk.h"

#include "base/endian.h"
#include "base/pool.h"
#include "base/str.h"

#include <libdeflate.h>
#include <string.h>
#include <strings.h>

#define KIND          "streamOptimized"
#define LEVEL_DEFAULT 5 /* as small as zlib's 6, in half of its time */
#define LEVEL_MAX     12
#define GRAIN_BYTES   (SV_VMDK_GRAIN * SV_SECTOR)
/* Grains of a batch: divides the grains of a table, so that a batch belongs to one. */
#define BATCH  8U
#define ABSENT UINT32_MAX

struct writer {
	struct sv_dev *file, *source;
	struct sv_job *job;
	struct sv_pool *pool;
	int level;
	struct libdeflate_compressor *compressors[SV_POOL_THREADS_MAX + 1]; /* per worker */
	size_t grain_room; /* what a packed grain with its marker takes at most */
	struct sv_vmdk_header h;
	uint64_t size;      /* of the source */
	uint64_t at;        /* end of what is written, bytes */
	uint64_t pushed;    /* end of what is on its way to the disk */
	uint32_t *gd;       /* as on disk */
	uint64_t table;     /* the table in work */
	uint32_t n_entries; /* of its entries, that are set */
	uint8_t entries[SV_VMDK_GTES * 4];
};

struct batch {
	struct sv_work work;
	struct writer *w;
	uint64_t grain; /* the first */
	unsigned n;     /* 0: not in use */
	uint8_t *in, *out;
	size_t used;           /* of out */
	uint32_t where[BATCH]; /* sectors from the beginning of out, or ABSENT */
};

/* ---- packing: on the workers ---- */

static struct libdeflate_compressor *compressor(
	struct writer *w, unsigned worker, struct sv_err *err)
{
	if (!w->compressors[worker])
		w->compressors[worker] = libdeflate_alloc_compressor(w->level);
	if (!w->compressors[worker])
		sv_fail_nomem(err);
	return w->compressors[worker];
}

/* Appends a grain to the batch's output: marker, packed bytes, zeros to the next sector. */
static void pack_grain(struct batch *b, struct libdeflate_compressor *c, unsigned i)
{
	const uint8_t *in = b->in + i * GRAIN_BYTES;
	uint8_t *out = b->out + b->used;
	size_t n, padded;

	b->where[i] = ABSENT;
	if (sv_is_zero(in, GRAIN_BYTES))
		return;
	n = libdeflate_zlib_compress(c, in, GRAIN_BYTES, out + SV_VMDK_GRAIN_DATA,
		b->w->grain_room - SV_VMDK_GRAIN_DATA); /* room enough: never 0 */
	sv_vmdk_marker_print_grain((b->grain + i) * SV_VMDK_GRAIN, (uint32_t)n, out);
	n += SV_VMDK_GRAIN_DATA;
	padded = sv_align_up(n, SV_SECTOR);
	memset(out + n, 0, padded - n);
	b->where[i] = (uint32_t)(b->used / SV_SECTOR);
	b->used += padded;
}

static int pack_batch(struct sv_work *work, unsigned worker, struct sv_err *err)
{
	struct batch *b = (struct batch *)work;
	struct libdeflate_compressor *c = compressor(b->w, worker, err);
	uint64_t off = b->grain * GRAIN_BYTES, room = b->n * GRAIN_BYTES;
	size_t n = (size_t)SV_MIN(room, b->w->size - off);

	if (!c || sv_dev_read(b->w->source, b->in, n, off, err) < 0)
		return -1;
	memset(b->in + n, 0, (size_t)room - n); /* the last grain may end with the disk */
	b->used = 0;
	for (unsigned i = 0; i < b->n; i++)
		pack_grain(b, c, i);
	return 0;
}

/* ---- writing: in order ---- */

static int append(struct writer *w, const void *bytes, size_t n, struct sv_err *err)
{
	/* an entry of a table has 32 bits */
	if ((w->at + n) / SV_SECTOR > UINT32_MAX) {
		sv_fail_at(err, SV_UNSUPPORTED, sv_dev_name(w->file), w->at,
			"its data pass 2 TiB, where a VMDK of kind " KIND " ends");
		return sv_hint(err, "choose another kind or format for the copy");
	}
	if (sv_dev_append(w->file, bytes, n, w->at, err) < 0)
		return -1;
	w->at += n;
	return 0;
}

static int append_marker(
	struct writer *w, enum sv_vmdk_marker_kind kind, uint64_t sectors, struct sv_err *err)
{
	uint8_t marker[SV_VMDK_MARKER_SIZE];

	sv_vmdk_marker_print(kind, sectors, marker);
	return append(w, marker, sizeof marker, err);
}

/* The table in work is complete. One without grains does not exist. */
static int end_table(struct writer *w, struct sv_err *err)
{
	if (!w->n_entries)
		return 0;
	if (append_marker(w, SV_VMDK_MARKER_TABLE, SV_VMDK_GT_SECTORS, err) < 0)
		return -1;
	sv_store_le32(&w->gd[w->table], (uint32_t)(w->at / SV_SECTOR));
	if (append(w, w->entries, sizeof w->entries, err) < 0)
		return -1;
	memset(w->entries, 0, sizeof w->entries);
	w->n_entries = 0;
	sv_dev_push(w->file, w->pushed, w->at - w->pushed);
	w->pushed = w->at;
	return 0;
}

static int write_batch(struct writer *w, const struct batch *b, struct sv_err *err)
{
	uint64_t table = b->grain / SV_VMDK_GTES, sector;

	if (table != w->table && end_table(w, err) < 0)
		return -1;
	w->table = table;
	sector = w->at / SV_SECTOR;
	if (b->used && append(w, b->out, b->used, err) < 0)
		return -1;
	for (unsigned i = 0; i < b->n; i++) {
		if (b->where[i] == ABSENT)
			continue;
		sv_store_le32(w->entries + (b->grain + i) % SV_VMDK_GTES * 4,
			(uint32_t)(sector + b->where[i]));
		w->n_entries++;
	}
	sv_job_progress(w->job, "compressing", SV_MIN((b->grain + b->n) * GRAIN_BYTES, w->size),
		w->size);
	return 0;
}

/* Waits for the batch, if it is in use, and writes it. */
static int finish_batch(struct writer *w, struct batch *b, struct sv_err *err)
{
	if (!b->n)
		return 0;
	if (sv_pool_wait(w->pool, &b->work, err) < 0 || write_batch(w, b, err) < 0)
		return -1;
	b->n = 0;
	return 0;
}

/* ---- the source ---- */

/* The grains with data from *pos on, at most to the end of a batch; *ret_n is 0 at the end. */
static int next_grains(struct writer *w, uint64_t *pos, uint64_t *ret_first, unsigned *ret_n,
	struct sv_err *err)
{
	struct sv_extent e;
	uint64_t first, end;

	*ret_n = 0;
	for (; *pos < w->size; *pos += e.length) {
		if (sv_job_check(w->job, err) < 0 ||
			sv_dev_extent(w->source, *pos, w->size - *pos, &e, err) < 0)
			return -1;
		if (e.kind == SV_EXTENT_DATA)
			break;
	}
	if (*pos >= w->size)
		return 0;
	first = *pos / GRAIN_BYTES;
	end = sv_div_up(*pos + e.length, GRAIN_BYTES);
	end = SV_MIN(end, sv_align_down(first, BATCH) + BATCH);
	*pos = end * GRAIN_BYTES;
	*ret_first = first;
	*ret_n = (unsigned)(end - first);
	return 0;
}

static int write_grains(struct writer *w, struct batch *ring, size_t n, struct sv_err *err)
{
	uint64_t pos = 0;
	size_t turn = 0;

	for (;; turn++) {
		struct batch *b = &ring[turn % n];
		unsigned count;

		if (finish_batch(w, b, err) < 0 ||
			next_grains(w, &pos, &b->grain, &count, err) < 0)
			return -1;
		if (!count)
			break;
		b->n = count;
		sv_pool_submit(w->pool, &b->work);
	}
	for (size_t i = 1; i < n; i++) {
		if (finish_batch(w, &ring[(turn + i) % n], err) < 0)
			return -1;
	}
	return end_table(w, err);
}

/* ---- the whole file ---- */

static int write_directory(struct writer *w, struct sv_err *err)
{
	uint64_t tables = sv_vmdk_tables(w->h.capacity, w->h.grain);
	uint64_t sectors = sv_vmdk_directory_sectors(tables);

	if (append_marker(w, SV_VMDK_MARKER_DIRECTORY, sectors, err) < 0)
		return -1;
	w->h.gd_at = w->at / SV_SECTOR;
	return append(w, w->gd, (size_t)(sectors * SV_SECTOR), err);
}

static int write_end(struct writer *w, struct sv_err *err)
{
	uint8_t footer[SV_VMDK_HEADER_SIZE];

	if (write_directory(w, err) < 0 || append_marker(w, SV_VMDK_MARKER_FOOTER, 1, err) < 0)
		return -1;
	sv_vmdk_header_print(&w->h, footer);
	if (append(w, footer, sizeof footer, err) < 0)
		return -1;
	return append_marker(w, SV_VMDK_MARKER_END, 0, err);
}

/* Last of all: with it the file becomes a disk. */
static int write_header(struct writer *w, struct sv_err *err)
{
	uint8_t header[SV_VMDK_HEADER_SIZE];

	w->h.gd_at = SV_VMDK_GD_AT_END;
	sv_vmdk_header_print(&w->h, header);
	if (sv_dev_write(w->file, header, sizeof header, 0, err) < 0)
		return -1;
	return sv_dev_flush(w->file, err);
}

static int write_all(struct writer *w, const struct sv_str *desc, struct batch *ring, size_t n,
	struct sv_err *err)
{
	if (desc->len > w->h.desc_sectors * SV_SECTOR)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(w->file),
			"its descriptor would have %zu bytes, there is room for %llu",
			desc->len, (unsigned long long)(w->h.desc_sectors * SV_SECTOR));
	if (sv_dev_resize(w->file, w->at, err) < 0 ||
		sv_dev_write(w->file, desc->data, desc->len, w->h.desc_at * SV_SECTOR, err) <
			0 ||
		write_grains(w, ring, n, err) < 0 || write_end(w, err) < 0)
		return -1;
	return write_header(w, err);
}

static int fill_ring(struct writer *w, struct batch *ring, size_t n, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		ring[i].work.run = pack_batch;
		ring[i].w = w;
		ring[i].in = malloc(BATCH * GRAIN_BYTES);
		ring[i].out = malloc(BATCH * w->grain_room);
		if (!ring[i].in || !ring[i].out)
			return sv_fail_nomem(err);
	}
	return 0;
}

/* Two batches for each that can be worked on at once: one waits to be written. */
static int with_ring(struct writer *w, const struct sv_str *desc, struct sv_err *err)
{
	size_t n = 2 * (size_t)sv_pool_workers(w->pool);
	struct batch *ring = calloc(n, sizeof *ring);
	int rc;

	if (!ring)
		return sv_fail_nomem(err);
	rc = fill_ring(w, ring, n, err);
	if (!rc)
		rc = write_all(w, desc, ring, n, err);
	sv_pool_free(w->pool); /* before what it works on */
	w->pool = NULL;
	for (size_t i = 0; i < n; i++) {
		free(ring[i].in);
		free(ring[i].out);
	}
	free(ring);
	return rc;
}

static void plan(struct writer *w)
{
	size_t bound = libdeflate_zlib_compress_bound(NULL, GRAIN_BYTES);

	sv_vmdk_header_plan(w->size / SV_SECTOR, SV_VMDK_DESC_SECTORS, &w->h);
	w->h.version = 3;
	w->h.flags = SV_VMDK_FLAG_NEWLINES | SV_VMDK_FLAG_COMPRESS | SV_VMDK_FLAG_MARKERS;
	w->h.rgd_at = 0;
	w->h.overhead = SV_VMDK_GRAIN;
	w->at = w->h.overhead * SV_SECTOR;
	w->grain_room = sv_align_up(bound + SV_VMDK_GRAIN_DATA, SV_SECTOR);
}

static int write_stream(struct writer *w, const struct sv_str *desc, struct sv_err *err)
{
	uint64_t tables;
	int rc;

	plan(w);
	tables = sv_vmdk_tables(w->h.capacity, w->h.grain);
	w->gd = calloc((size_t)sv_vmdk_directory_sectors(tables), SV_SECTOR);
	w->pool = w->gd ? sv_pool_new(0, err) : NULL;
	if (!w->gd)
		sv_fail_nomem(err);
	rc = w->pool ? with_ring(w, desc, err) : -1;
	free(w->gd);
	for (size_t i = 0; i < SV_ARRAY_LEN(w->compressors); i++)
		libdeflate_free_compressor(w->compressors[i]);
	return rc;
}

/* ---- the driver's ---- */

static int fill_desc(struct sv_vmdk_desc *d, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	if (sv_vmdk_init_desc(d, KIND, err) < 0 ||
		sv_vmdk_desc_add_extent(d, SV_VMDK_SPARSE, spec->size / SV_SECTOR,
			sv_path_base(path), 0, err) < 0)
		return -1;
	d->extents[0].access = SV_VMDK_RDONLY;
	return sv_vmdk_fill_ddb(d, spec, err);
}

static int check_spec(const char *path, const struct sv_image_spec *spec, struct sv_err *err)
{
	if (spec->parent)
		return sv_fail(
			err, SV_USAGE, path, "a disk of kind " KIND " cannot have a parent");
	if (spec->level > LEVEL_MAX)
		return sv_fail(err, SV_USAGE, path,
			"the level of compression is %u, the highest is %d", spec->level,
			LEVEL_MAX);
	return sv_vmdk_check_size(path, spec->size, err);
}

static int write_file(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct writer *w, struct sv_made *made, struct sv_err *err)
{
	sv_autostr struct sv_str text = {0};
	struct sv_vmdk_desc d = {0};
	int rc = fill_desc(&d, path, spec, err);

	if (!rc) {
		sv_vmdk_desc_print(&d, &text);
		rc = text.failed ? sv_fail_nomem(err)
				 : sv_host_open(host, path, SV_OPEN_CREATE, &w->file, err);
	}
	sv_vmdk_desc_free(&d);
	if (rc < 0)
		return -1;
	rc = sv_made_add(made, path, err);
	if (!rc)
		rc = write_stream(w, &text, err);
	sv_dev_close(w->file);
	return rc < 0 ? sv_err_path(err, path) : 0;
}

bool sv_vmdk_is_whole(const char *subformat)
{
	return subformat && !strcasecmp(subformat, KIND);
}

int sv_vmdk_write_whole(struct sv_host *host, const char *path,
	const struct sv_image_spec *spec, struct sv_dev *source, struct sv_job *job,
	struct sv_err *err)
{
	sv_autofree struct writer *w = calloc(1, sizeof *w);
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *dir = sv_path_dir(path);

	if (!w || !dir)
		return sv_fail_nomem(err);
	if (check_spec(path, spec, err) < 0)
		return -1;
	w->source = source;
	w->size = spec->size;
	w->job = job;
	w->level = spec->level ? (int)spec->level : LEVEL_DEFAULT;
	if (write_file(host, path, spec, w, &made, err) < 0 ||
		sv_host_sync_dir(host, dir, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}
