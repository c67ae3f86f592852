/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What speaks against writing an NTFS volume, and what to do about it. */
#include "fs/ntfs/state.h"

#include "base/num.h"
#include "fs/ntfs/log.h"
#include "fs/ntfs/root.h"

#include <string.h>

#define HIBERFIL      "hiberfil.sys"
#define HIBERFIL_HEAD 4096 /* a system volume's file has at least this much */
#define MIRRORED      4    /* records that Windows keeps in step */

static int hint_shutdown(struct sv_err *err)
{
	return sv_hint(err,
		"start Windows and shut it down fully: shutdown /s /t 0  (fast startup "
		"is turned off for good by: powercfg /h off)");
}

static int hint_chkdsk(struct sv_err *err)
{
	return sv_hint(err, "start Windows, run: chkdsk C: /f  and then: shutdown /s /t 0");
}

/* ---- size ---- */

static int check_size(struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	uint64_t covers = v->geo.sectors * v->geo.sector_size, has = sv_dev_size(v->dev);

	if (covers <= has)
		return 0;
	sv_fail_at(err, SV_UNSUPPORTED, v->dev->name, offsetof(struct ntfs_boot, sectors),
		"the file system covers %llu bytes, its partition has only %llu",
		(unsigned long long)covers, (unsigned long long)has);
	return sv_hint(err,
		"the partition was cut: first give it at least %llu bytes again, then let Windows "
		"check it with: chkdsk C: /f",
		(unsigned long long)(covers + v->geo.sector_size));
}

/* ---- $MFTMirr ---- */

static int compare_mirror(struct sv_ntfs_raw_vol *v, uint64_t number, uint8_t *record,
	uint8_t *copy, struct sv_err *err)
{
	size_t size = v->geo.record_size;
	size_t from, used;

	if (sv_ntfs_raw_read_record(v, number, record, err) < 0)
		return hint_chkdsk(err);
	if (sv_ntfs_raw_read_stream(v, &v->mirror, copy, size, number * size, err) < 0)
		return -1;
	from = sv_load_le16(record + offsetof(struct ntfs_record, attrs_offset));
	used = sv_load_le32(record + offsetof(struct ntfs_record, used));
	if (sv_ntfs_raw_unprotect(copy, size, "FILE", NULL) == 0 &&
		memcmp(record + from, copy + from, used - from) == 0)
		return 0;
	sv_fail(err, SV_CORRUPT, v->dev->name,
		"MFT record %llu differs from its copy in $MFTMirr",
		(unsigned long long)number);
	return hint_chkdsk(err);
}

static int check_mirror(struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	sv_autofree uint8_t *record = malloc(v->geo.record_size);
	sv_autofree uint8_t *copy = malloc(v->geo.record_size);

	if (!record || !copy)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < MIRRORED; i++)
		if (compare_mirror(v, i, record, copy, err) < 0)
			return -1;
	return 0;
}

/* ---- $Volume ---- */

int sv_ntfs_find_volume_info(struct sv_ntfs_raw_vol *v, uint8_t *record, uint64_t *ret_number,
	size_t *ret_offset, struct sv_err *err)
{
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	struct sv_ntfs_raw_attr a;
	size_t count;

	if (sv_ntfs_raw_find_parts(
		    v, NTFS_FILE_VOLUME, NTFS_ATTR_VOLUME_INFO, "", &parts, &count, err) < 0)
		return -1;
	if (!count)
		return sv_fail(
			err, SV_CORRUPT, v->dev->name, "$Volume does not tell its version");
	if (sv_ntfs_raw_read_part(v, parts, NTFS_ATTR_VOLUME_INFO, "", record, &a, err) < 0)
		return -1;
	if (a.mapped || a.value_length < sizeof(struct ntfs_volume_info))
		return sv_fail(err, SV_CORRUPT, v->dev->name,
			"$Volume's information has %u bytes, expected %zu", a.value_length,
			sizeof(struct ntfs_volume_info));
	*ret_number = parts->record;
	*ret_offset = a.value_offset;
	return 0;
}

static bool version_is_known(unsigned major, unsigned minor)
{
	return (major == 1 && (minor == 1 || minor == 2)) || major == 2 ||
	       (major == 3 && minor <= 1);
}

static int check_volume_info(struct sv_ntfs_raw_vol *v, bool accept_dirty, struct sv_err *err)
{
	sv_autofree uint8_t *record = malloc(v->geo.record_size);
	struct ntfs_volume_info info;
	uint64_t number;
	size_t at;

	if (!record)
		return sv_fail_nomem(err);
	if (sv_ntfs_find_volume_info(v, record, &number, &at, err) < 0)
		return -1;
	memcpy(&info, record + at, sizeof info);
	if (!version_is_known(info.major, info.minor))
		return sv_fail(err, SV_UNSUPPORTED, v->dev->name,
			"NTFS version %u.%u is not known (1.1 to 3.1 are)", info.major,
			info.minor);
	if (accept_dirty || !(sv_get_le16(info.flags) & NTFS_VOLUME_DIRTY))
		return 0;
	sv_fail(err, SV_UNSUPPORTED, v->dev->name,
		"the volume is dirty: Windows wants to check it (flags %#x)",
		sv_get_le16(info.flags));
	return hint_chkdsk(err);
}

/* ---- hibernation ---- */

static enum sv_ntfs_visit seek_hiberfil(void *user, uint64_t reference, uint8_t *key,
	const struct ntfs_file_name *head, const uint8_t *name)
{
	(void)key;
	if (!sv_ntfs_name_is(name, head->length, HIBERFIL))
		return SV_NTFS_GO_ON;
	*(uint64_t *)user = reference;
	return SV_NTFS_STOP;
}

static int judge_hiberfil(
	struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *file, struct sv_err *err)
{
	uint8_t magic[4];

	if (file->size < HIBERFIL_HEAD) {
		sv_fail(err, SV_UNSUPPORTED, v->dev->name,
			"the volume belongs to a hibernated Windows: " HIBERFIL
			" has %llu bytes",
			(unsigned long long)file->size);
		return hint_shutdown(err);
	}
	if (file->flags & (NTFS_ATTR_COMPRESSED | NTFS_ATTR_ENCRYPTED))
		return sv_fail(err, SV_UNSUPPORTED, v->dev->name,
			HIBERFIL " is compressed or encrypted: whether Windows is hibernated "
				 "cannot be told");
	if (sv_ntfs_raw_read_stream(v, file, magic, sizeof magic, 0, err) < 0)
		return -1;
	if (memcmp(magic, "hibr", 4) != 0 && memcmp(magic, "HIBR", 4) != 0)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, v->dev->name,
		"Windows is hibernated or was shut down with fast startup: " HIBERFIL
		" begins with \"%.4s\"",
		(const char *)magic);
	return hint_shutdown(err);
}

static int check_hiberfil(struct sv_ntfs_raw_vol *v, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream file = {0};
	uint64_t reference;
	int found = sv_ntfs_visit_root(v, seek_hiberfil, &reference, job, err);

	if (found != 1)
		return found;
	found = sv_ntfs_raw_open_stream(
		v, NTFS_REF_RECORD(reference), NTFS_ATTR_DATA, "", &file, err);
	if (found < 0)
		return -1;
	return judge_hiberfil(v, &file, err);
}

/* ---- journal ---- */

static int judge_log(struct sv_ntfs_raw_vol *v, enum sv_ntfs_log log, struct sv_err *err)
{
	if (log == SV_NTFS_LOG_EMPTY || log == SV_NTFS_LOG_CLEAN)
		return 0;
	if (log == SV_NTFS_LOG_CACHED)
		sv_fail(err, SV_UNSUPPORTED, v->dev->name,
			"$LogFile has version 2.0: Windows was not shut down fully");
	else
		sv_fail(err, SV_UNSUPPORTED, v->dev->name,
			"the journal is unclean: Windows was not shut down");
	return hint_shutdown(err);
}

static int check_log(struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream file = {0};
	sv_autofree uint8_t *head = malloc(SV_NTFS_LOG_HEAD);
	enum sv_ntfs_log log;
	size_t n;
	int found;

	if (!head)
		return sv_fail_nomem(err);
	found = sv_ntfs_raw_open_stream(v, NTFS_FILE_LOG, NTFS_ATTR_DATA, "", &file, err);
	if (found < 0)
		return -1;
	n = (size_t)SV_MIN(file.size, SV_NTFS_LOG_HEAD);
	if (!found || !n)
		return sv_fail(err, SV_CORRUPT, v->dev->name, "$LogFile has no data");
	if (sv_ntfs_raw_read_stream(v, &file, head, n, 0, err) < 0)
		return -1;
	if (sv_ntfs_parse_log(head, n, &log, err) < 0) {
		sv_err_path(err, v->dev->name);
		return hint_chkdsk(err);
	}
	return judge_log(v, log, err);
}

/* ---- bad clusters ---- */

static int check_bad_clusters(struct sv_ntfs_raw_vol *v, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream bad = {0};
	int found = sv_ntfs_raw_open_stream(
		v, NTFS_FILE_BADCLUS, NTFS_ATTR_DATA, "$Bad", &bad, err);

	if (found < 0)
		return -1;
	if (!found || bad.value)
		return sv_fail(err, SV_CORRUPT, v->dev->name, "$BadClus has no list $Bad");
	for (size_t i = 0; i < bad.count; i++) {
		if (bad.runs[i].lcn == NTFS_HOLE)
			continue;
		sv_fail_at(err, SV_UNSUPPORTED, v->dev->name,
			bad.runs[i].lcn * v->geo.cluster_size,
			"%llu clusters from %llu on are marked bad",
			(unsigned long long)bad.runs[i].length,
			(unsigned long long)bad.runs[i].lcn);
		return sv_hint(err,
			"a virtual disk has no bad clusters of its own: start Windows "
			"and let it test them again with: chkdsk C: /b");
	}
	return 0;
}

int sv_ntfs_check_state(
	struct sv_ntfs_raw_vol *v, bool accept_dirty, struct sv_job *job, struct sv_err *err)
{
	if (check_size(v, err) < 0 || check_mirror(v, err) < 0 ||
		check_hiberfil(v, job, err) < 0 ||
		check_volume_info(v, accept_dirty, err) < 0 || check_log(v, err) < 0)
		return -1;
	return check_bad_clusters(v, err);
}
