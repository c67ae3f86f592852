/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a volume is: label, serial number, flags, and the space that $Bitmap says is used. */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"
#include "base/str.h"
#include "fs/ntfs/log.h"

#include <stdio.h>
#include <string.h>

#define PIECE (1u << 20)
/* A smaller hiberfil.sys belongs to a Windows that is hibernated with another disk. */
#define HIBERFIL_HEAD 4096

static int read_label(struct sv_ntfs *v, const struct sv_ntfs_record *volume,
	struct sv_fs_info *info, struct sv_err *err)
{
	sv_autofree char *label = NULL;
	struct sv_ntfs_raw_attr a;

	if (!sv_ntfs_find_attr(volume, NTFS_ATTR_VOLUME_NAME, NULL, 0, &a) || a.mapped)
		return 0;
	label = sv_utf16_to_utf8(volume->bytes + a.value_offset, a.value_length / 2, NULL);
	if (!label)
		return sv_fail_nomem(err);
	snprintf(info->label, sizeof info->label, "%s", label);
	/* cut at a character, not within one */
	while (info->label[0] && !sv_utf8_valid(info->label, strlen(info->label)))
		info->label[strlen(info->label) - 1] = 0;
	return 0;
}

static int read_volume(struct sv_ntfs *v, struct sv_fs_info *info, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record r = {0};
	struct ntfs_volume_info d;
	struct sv_ntfs_raw_attr a;

	if (sv_ntfs_load(v, NTFS_FILE_VOLUME, false, &r, err) < 0)
		return -1;
	if (!sv_ntfs_find_attr(&r, NTFS_ATTR_VOLUME_INFO, NULL, 0, &a) || a.mapped ||
		a.value_length < sizeof d) {
		sv_fail_at(err, SV_CORRUPT, NULL, 0, "$Volume has no $VOLUME_INFORMATION");
		return sv_ntfs_blame(v, NTFS_FILE_VOLUME, 0, err);
	}
	memcpy(&d, r.bytes + a.value_offset, sizeof d);
	info->dirty = sv_get_le16(d.flags) & NTFS_VOLUME_DIRTY;
	return read_label(v, &r, info, err);
}

static uint64_t count_bits(const uint8_t *bytes, size_t n)
{
	uint64_t count = 0, word;

	for (; n >= sizeof word; n -= sizeof word, bytes += sizeof word) {
		memcpy(&word, bytes, sizeof word);
		count += (unsigned)__builtin_popcountll(word);
	}
	for (; n; n--, bytes++)
		count += (unsigned)__builtin_popcount(*bytes);
	return count;
}

/* Bits beyond the last cluster are set on the disk and mean nothing. */
static int count_used(struct sv_ntfs *v, uint64_t *ret, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record r = {0};
	sv_autostream struct sv_ntfs_stream s = {0};
	sv_autofree uint8_t *buf = malloc(PIECE);
	uint64_t bytes = sv_div_up(v->geo.clusters, 8), used = 0;

	if (!buf)
		return sv_fail_nomem(err);
	if (sv_ntfs_load(v, NTFS_FILE_BITMAP, false, &r, err) < 0 ||
		sv_ntfs_stream_open(v, &r, NTFS_FILE_BITMAP, NTFS_ATTR_DATA, NULL, 0, &s, err) <
			0)
		return -1;
	if (s.size < bytes)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"$Bitmap has %llu bytes, %llu clusters need %llu",
			(unsigned long long)s.size, (unsigned long long)v->geo.clusters,
			(unsigned long long)bytes);
	for (uint64_t off = 0; off < bytes; off += PIECE) {
		size_t n = (size_t)SV_MIN(PIECE, bytes - off), got;

		if (sv_ntfs_stream_read(v, &s, buf, n, off, &got, err) < 0)
			return -1;
		if (off + n == bytes && v->geo.clusters % 8)
			buf[n - 1] &= (uint8_t)((1u << v->geo.clusters % 8) - 1);
		used += count_bits(buf, n);
	}
	*ret = used;
	return 0;
}

/* ---- what speaks against writing ---- */

/* The rules are those of growing (ntfs_state.c), which refuses where this only tells. */
static int look_at_hiberfil(struct sv_ntfs *v, const char **ret, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_fs_stat st;
	char magic[4] = {0};
	uint64_t ino;
	size_t got;

	if (sv_ntfs_lookup(&v->fs, NTFS_FILE_ROOT, "hiberfil.sys", 12, &ino, &why) < 0) {
		sv_err_copy(err, &why);
		return why.code == SV_NOTFOUND ? 0 : -1;
	}
	if (sv_ntfs_stat(&v->fs, ino, &st, err) < 0 ||
		sv_ntfs_read(&v->fs, ino, NULL, magic, sizeof magic, 0, &got, err) < 0)
		return -1;
	if (st.size < HIBERFIL_HEAD || !memcmp(magic, "hibr", 4) || !memcmp(magic, "HIBR", 4))
		*ret = "hibernated, or shut down with fast startup";
	return 0;
}

static int look_at_journal(struct sv_ntfs *v, const char **ret, struct sv_err *err)
{
	sv_autofree uint8_t *head = malloc(SV_NTFS_LOG_HEAD);
	enum sv_ntfs_log log;
	size_t n;

	if (!head)
		return sv_fail_nomem(err);
	if (sv_ntfs_read(&v->fs, NTFS_FILE_LOG, NULL, head, SV_NTFS_LOG_HEAD, 0, &n, err) < 0 ||
		sv_ntfs_parse_log(head, n, &log, err) < 0)
		return -1;
	if (log == SV_NTFS_LOG_UNCLEAN || log == SV_NTFS_LOG_CACHED)
		*ret = "unclean journal";
	return 0;
}

static void find_state(struct sv_ntfs *v, struct sv_fs_info *info)
{
	struct sv_err why = SV_ERR_INIT;
	const char *state = "";

	if (v->from_mirror)
		state = "damaged: records of $MFT were read from their copy";
	else if (look_at_hiberfil(v, &state, &why) < 0 ||
		 (!state[0] && look_at_journal(v, &state, &why) < 0))
		state = why.message;
	snprintf(info->state, sizeof info->state, "%s", state);
}

int sv_ntfs_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err)
{
	struct sv_ntfs *v = sv_ntfs_of(fs);
	struct sv_fs_info info = {
		.type = "ntfs",
		.size = v->geo.sectors * v->geo.sector_size,
		.block_size = v->geo.cluster_size,
	};
	uint64_t used = 0;

	if (read_volume(v, &info, err) < 0 || count_used(v, &used, err) < 0)
		return -1;
	snprintf(info.uuid, sizeof info.uuid, "%016llX", (unsigned long long)v->geo.serial);
	info.used = used * v->geo.cluster_size;
	info.free = (v->geo.clusters - used) * v->geo.cluster_size;
	find_state(v, &info);
	*ret = info;
	return 0;
}
