/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making an undo file from a stage: see undo.h for the format and for what it promises. */
#include "extend/undo.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"
#include "extend/undo_format.h"

#include <string.h>

static void add_u16(struct sv_str *out, uint16_t n)
{
	sv_le16 v = sv_put_le16(n);

	sv_str_addn(out, &v, sizeof v);
}

static void add_u32(struct sv_str *out, uint32_t n)
{
	sv_le32 v = sv_put_le32(n);

	sv_str_addn(out, &v, sizeof v);
}

static void add_u64(struct sv_str *out, uint64_t n)
{
	sv_le64 v = sv_put_le64(n);

	sv_str_addn(out, &v, sizeof v);
}

static int add_bytes(
	struct sv_str *out, struct sv_dev *dev, uint64_t off, uint64_t n, struct sv_err *err)
{
	uint8_t buf[SV_UNDO_RANGE_MAX];

	if (sv_dev_read(dev, buf, (size_t)n, off, err) < 0)
		return -1;
	sv_str_addn(out, buf, (size_t)n);
	return 0;
}

static int refuse_size(const struct sv_staged_file *f, struct sv_err *err)
{
	return sv_fail(err, SV_NOMEM, f->path,
		"the change is too large for an undo file (%u MiB at most)", SV_UNDO_MAX >> 20);
}

static int add_range(struct sv_str *out, const struct sv_staged_file *f, struct sv_dev *old,
	uint64_t off, uint64_t len, struct sv_err *err)
{
	uint64_t old_len = off >= f->old_size ? 0 : SV_MIN(len, f->old_size - off);

	if (out->len > SV_UNDO_MAX)
		return refuse_size(f, err);
	add_u64(out, off);
	add_u32(out, (uint32_t)len);
	add_u32(out, (uint32_t)old_len);
	if (old_len && add_bytes(out, old, off, old_len, err) < 0)
		return -1;
	return add_bytes(out, f->dev, off, len, err);
}

/* What a file loses that becomes shorter. */
static int add_lost_tail(struct sv_str *out, const struct sv_staged_file *f, struct sv_dev *old,
	uint32_t *n, struct sv_err *err)
{
	for (uint64_t off = f->new_size, len; off < f->old_size; off += len) {
		len = SV_MIN(f->old_size - off, (uint64_t)SV_UNDO_RANGE_MAX);
		if (out->len > SV_UNDO_MAX)
			return refuse_size(f, err);
		add_u64(out, off);
		add_u32(out, 0);
		add_u32(out, (uint32_t)len);
		if (add_bytes(out, old, off, len, err) < 0)
			return -1;
		++*n;
	}
	return 0;
}

/* The ranges of file i, each cut to SV_UNDO_RANGE_MAX. */
static int add_ranges(struct sv_str *out, const struct sv_host *stage, size_t i,
	const struct sv_staged_file *f, struct sv_dev *old, uint32_t *ret_n, struct sv_err *err)
{
	uint64_t pos = 0, start, len;

	*ret_n = 0;
	while (sv_stage_next(stage, i, pos, &start, &len)) {
		len = SV_MIN(len, (uint64_t)SV_UNDO_RANGE_MAX);
		if (add_range(out, f, old, start, len, err) < 0)
			return -1;
		pos = start + len;
		++*ret_n;
	}
	return add_lost_tail(out, f, old, ret_n, err);
}

/* A name in the undo file's folder, else the absolute path. */
static const char *name_for(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	if (!strncmp(path, folder, n) && path[n] == '/' && !strchr(path + n + 1, '/'))
		return path + n + 1;
	return path;
}

static int add_file(struct sv_str *out, struct sv_host *under, const struct sv_host *stage,
	size_t i, const char *folder, struct sv_err *err)
{
	struct sv_staged_file f = sv_stage_file(stage, i);
	const char *name = name_for(f.path, folder);
	sv_autodev struct sv_dev *old = NULL;
	sv_autostr struct sv_str ranges = {0};
	uint32_t n = 0;

	if (strlen(name) > SV_UNDO_NAME_MAX)
		return sv_fail(err, SV_UNSUPPORTED, f.path, "its path is too long");
	/* a created file is simply deleted by undo */
	if (!f.created && (sv_host_open(under, f.path, SV_OPEN_READ, &old, err) < 0 ||
				  add_ranges(&ranges, stage, i, &f, old, &n, err) < 0))
		return -1;
	add_u16(out, (uint16_t)strlen(name));
	sv_str_add(out, name);
	sv_str_addn(out, &(uint8_t){f.created}, 1);
	add_u64(out, f.old_size);
	add_u64(out, f.new_size);
	add_u32(out, n);
	sv_str_addn(out, ranges.data, ranges.len);
	out->failed |= ranges.failed;
	return 0;
}

int sv_undo_write(struct sv_host *under, const char *path, const struct sv_host *stage,
	char ret_id[SV_UNDO_ID], struct sv_err *err)
{
	sv_autostr struct sv_str payload = {0};
	sv_autostr struct sv_str whole = {0};
	sv_autofree char *folder = sv_path_dir(path);
	struct undo_header h;
	size_t n = sv_stage_files(stage);

	if (!folder)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		if (add_file(&payload, under, stage, i, folder, err) < 0)
			return -1;
	}
	memcpy(h.magic, SV_UNDO_MAGIC, sizeof h.magic);
	h.version = sv_put_le32(SV_UNDO_VERSION);
	h.files = sv_put_le32((uint32_t)n);
	h.payload = sv_put_le64(payload.len);
	if (sv_sha256_bytes(payload.data, payload.len, h.sha256, err) < 0)
		return -1;
	sv_hex(h.sha256, sizeof h.sha256, ret_id);
	sv_str_addn(&whole, &h, sizeof h);
	sv_str_addn(&whole, payload.data, payload.len);
	if (payload.failed || whole.failed)
		return sv_fail_nomem(err);
	return sv_publish_file(under, path, whole.data, whole.len, true, err);
}
