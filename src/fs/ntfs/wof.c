/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading what Windows packed (wof.h). The table has an entry for each chunk but the last:
 * where the chunk ends, counted from the table's end, in 4 bytes, or 8 where the file has 4 GiB
 * or more. A chunk as long as what it unpacks to is not packed.
 */
#include "fs/ntfs/wof.h"

#include "base/num.h"

#include <assert.h>

#define POINT_MAX     (16u << 10) /* MAXIMUM_REPARSE_DATA_BUFFER_SIZE */
#define PROVIDER_WIM  1u
#define PROVIDER_FILE 2u

struct disk_point {
	sv_le32 tag;
	sv_le16 length; /* of what follows this header */
	sv_le16 reserved;
	sv_le32 version; /* 1 */
	sv_le32 provider;
	sv_le32 provider_version; /* 1 */
	sv_le32 algorithm;
};
static_assert(sizeof(struct disk_point) == 24, "as on disk");

static const struct sv_wof_format formats[] = {
	{"XPRESS4K", 4096, sv_xpress_unpack},
	{"LZX", 32768, sv_lzx_unpack},
	{"XPRESS8K", 8192, sv_xpress_unpack},
	{"XPRESS16K", 16384, sv_xpress_unpack},
};

int sv_wof_parse_point(
	const void *bytes, size_t n, const struct sv_wof_format **ret, struct sv_err *err)
{
	struct disk_point p = {0};

	memcpy(&p, bytes, SV_MIN(n, sizeof p));
	if (n >= 16 && sv_get_le32(p.provider) == PROVIDER_WIM) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"the data lie in an image file (WIMBoot), not in this one");
		return sv_hint(err, "unpack it in the guest with: compact /u /exe FILE");
	}
	if (n < sizeof p || sv_get_le32(p.version) != 1 ||
		sv_get_le32(p.provider) != PROVIDER_FILE ||
		sv_get_le32(p.provider_version) != 1)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a reparse point of %zu bytes, version %u, provider %u is none of WOF's",
			n, sv_get_le32(p.version), sv_get_le32(p.provider));
	if (sv_get_le32(p.algorithm) >= SV_ARRAY_LEN(formats))
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the data are packed by algorithm %u of WOF, those known are 0 to 3",
			sv_get_le32(p.algorithm));
	*ret = &formats[sv_get_le32(p.algorithm)];
	return 0;
}

/* ---- the table ---- */

static unsigned entry_bytes(const struct sv_wof_table *t)
{
	return t->size > UINT32_MAX ? 8 : 4;
}

static uint64_t chunks_of(const struct sv_wof_table *t)
{
	return sv_div_up(t->size, t->chunk);
}

bool sv_wof_table_bytes(const struct sv_wof_table *t, uint64_t *ret)
{
	uint64_t chunks = chunks_of(t);

	return sv_mul(chunks ? chunks - 1 : 0, entry_bytes(t), ret) && *ret <= t->packed;
}

static uint64_t load_entry(const struct sv_wof_table *t, const uint8_t *entry)
{
	return entry_bytes(t) == 8 ? sv_load_le64(entry) : sv_load_le32(entry);
}

int sv_wof_parse_chunk(const struct sv_wof_table *t, uint64_t index, const uint8_t *entries,
	struct sv_wof_chunk *ret, struct sv_err *err)
{
	uint64_t table = 0, room, begin = 0, end;
	bool last = index + 1 == chunks_of(t);
	uint32_t plain;

	if (!sv_wof_table_bytes(t, &table) || index >= chunks_of(t))
		return sv_fail(err, SV_CORRUPT, NULL,
			"packed data of %llu bytes cannot hold chunk %llu of %llu",
			(unsigned long long)t->packed, (unsigned long long)index,
			(unsigned long long)chunks_of(t));
	room = t->packed - table;
	if (index)
		begin = load_entry(t, entries);
	end = last ? room : load_entry(t, entries + entry_bytes(t));
	plain = last ? (uint32_t)(t->size - index * t->chunk) : t->chunk;
	if (end > room || begin >= end || end - begin > plain)
		return sv_fail(err, SV_CORRUPT, NULL,
			"chunk %llu of %u bytes cannot lie from %llu to %llu of %llu packed bytes",
			(unsigned long long)index, plain, (unsigned long long)begin,
			(unsigned long long)end, (unsigned long long)room);
	*ret = (struct sv_wof_chunk){table + begin, (uint32_t)(end - begin), plain};
	return 0;
}

/* ---- an open file ---- */

struct sv_wof {
	const struct sv_wof_format *format;
	struct sv_wof_table table;
	struct sv_ntfs_stream packed;
	struct sv_wof_codes codes;
	uint64_t index; /* of the chunk in `plain`, where `valid` */
	bool valid;
	uint8_t *plain, *in; /* a chunk each */
};

void sv_wof_close(struct sv_wof *w)
{
	if (!w)
		return;
	sv_ntfs_stream_close(&w->packed);
	free(w->plain);
	free(w->in);
	free(w);
}

static int read_point(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	struct sv_wof *w, struct sv_err *err)
{
	sv_autostream struct sv_ntfs_stream s = {0};
	sv_autofree uint8_t *point = NULL;
	size_t n;

	if (sv_ntfs_stream_open(v, base, ino, NTFS_ATTR_REPARSE, NULL, 0, &s, err) < 0)
		return -1;
	point = sv_ntfs_stream_slurp(v, &s, POINT_MAX, &n, err);
	if (!point)
		return -1;
	return sv_wof_parse_point(point, n, &w->format, err) < 0
		       ? sv_err_path(err, sv_dev_name(v->dev))
		       : 0;
}

static int open_packed(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	struct sv_wof *w, struct sv_err *err)
{
	static const char name[] = "WofCompressedData";
	uint8_t units[2 * (sizeof name - 1)] = {0};
	struct sv_err why = SV_ERR_INIT;

	for (size_t i = 0; i < sizeof name - 1; i++)
		units[2 * i] = (uint8_t)name[i];
	if (sv_ntfs_stream_open(v, base, ino, NTFS_ATTR_DATA, units, sizeof name - 1,
		    &w->packed, &why) == 0)
		return 0;
	if (why.code == SV_NOTFOUND)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the data are packed by Windows (CompactOS), but the stream "
			"WofCompressedData that should hold them is not there");
	sv_err_copy(err, &why);
	return -1;
}

int sv_wof_open(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	uint64_t size, struct sv_wof **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_wof_closep) struct sv_wof *w = calloc(1, sizeof *w);
	uint64_t table;

	if (!w)
		return sv_fail_nomem(err);
	if (read_point(v, base, ino, w, err) < 0 || open_packed(v, base, ino, w, err) < 0)
		return -1;
	w->table = (struct sv_wof_table){size, w->packed.size, w->format->chunk};
	if (!sv_wof_table_bytes(&w->table, &table))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"%llu packed bytes are too few for a file of %llu",
			(unsigned long long)w->packed.size, (unsigned long long)size);
	w->plain = malloc(w->format->chunk);
	w->in = malloc(w->format->chunk);
	if (!w->plain || !w->in)
		return sv_fail_nomem(err);
	*ret = SV_STEAL(w);
	return 0;
}

/* Exactly n bytes of the packed stream. */
static int read_packed(struct sv_ntfs *v, struct sv_wof *w, void *buf, size_t n, uint64_t off,
	struct sv_err *err)
{
	size_t got;

	if (sv_ntfs_stream_read(v, &w->packed, buf, n, off, &got, err) < 0)
		return -1;
	if (got < n)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"packed data end at byte %llu, %zu more are needed",
			(unsigned long long)(off + got), n - got);
	return 0;
}

/* The last chunk has no entry of its own, the first none before it. */
static int find_chunk(struct sv_ntfs *v, struct sv_wof *w, uint64_t index,
	struct sv_wof_chunk *ret, struct sv_err *err)
{
	unsigned width = entry_bytes(&w->table);
	bool first = index == 0, last = index + 1 == chunks_of(&w->table);
	uint8_t entries[16] = {0};
	uint64_t at = first ? 0 : (index - 1) * width;

	if (read_packed(v, w, entries + (first ? width : 0),
		    (first || last ? 1u : 2u) * width - (first && last ? width : 0), at,
		    err) < 0)
		return -1;
	return sv_wof_parse_chunk(&w->table, index, entries, ret, err) < 0
		       ? sv_err_path(err, sv_dev_name(v->dev))
		       : 0;
}

static int unpack(
	struct sv_ntfs *v, struct sv_wof *w, uint64_t index, uint8_t *out, struct sv_err *err)
{
	struct sv_wof_chunk c;

	if (find_chunk(v, w, index, &c, err) < 0)
		return -1;
	if (c.n == c.plain)
		return read_packed(v, w, out, c.n, c.off, err);
	if (read_packed(v, w, w->in, c.n, c.off, err) < 0)
		return -1;
	if (w->format->unpack(&w->codes, w->in, c.n, out, c.plain, err) == 0)
		return 0;
	if (!w->packed.resident)
		sv_err_shift(err, sv_ntfs_locate(v, &w->packed, c.off));
	return sv_err_path(err, sv_dev_name(v->dev));
}

static int load(struct sv_ntfs *v, struct sv_wof *w, uint64_t index, struct sv_err *err)
{
	if (w->valid && w->index == index)
		return 0;
	w->valid = false;
	if (unpack(v, w, index, w->plain, err) < 0)
		return -1;
	w->index = index;
	w->valid = true;
	return 0;
}

int sv_wof_read(struct sv_ntfs *v, struct sv_wof *w, void *buf, size_t n, uint64_t off,
	size_t *ret_got, struct sv_err *err)
{
	const size_t chunk = w->format->chunk;
	uint8_t *out = buf;

	n = off < w->table.size ? (size_t)SV_MIN(n, w->table.size - off) : 0;
	for (size_t done = 0; done < n;) {
		uint64_t index = (off + done) / chunk;
		size_t within = (size_t)((off + done) % chunk),
		       len = SV_MIN(n - done, chunk - within);

		if (len == chunk) { /* straight to where it is wanted */
			if (unpack(v, w, index, out + done, err) < 0)
				return -1;
		} else {
			if (load(v, w, index, err) < 0)
				return -1;
			memcpy(out + done, w->plain + within, len);
		}
		done += len;
	}
	*ret_got = n;
	return 0;
}
