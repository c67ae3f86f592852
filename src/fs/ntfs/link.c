/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where links lead: symbolic links and junctions ([MS-FSCC] 2.1.2.4 and 2.1.2.5), those of
 * WSL (a version, then UTF-8), and those of Interix (the file's content). The target is given
 * as the guest wrote it, backslashes as '/', without the prefix of the object manager where a
 * drive letter follows it.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define REPARSE_MAX (16u << 10) /* MAXIMUM_REPARSE_DATA_BUFFER_SIZE */
#define INTERIX_MAX (8 + 2 * (32u << 10))

static char *slashes(char *s)
{
	for (char *p = s; p && *p; p++) {
		if (*p == '\\')
			*p = '/';
	}
	return s;
}

/* "\??\C:\x" is "C:\x" to people. */
static char *tidy(char *target)
{
	size_t n = target ? strlen(target) : 0;

	if (n >= 6 && sv_starts_with(target, "\\??\\") && target[5] == ':')
		memmove(target, target + 4, n - 3);
	return slashes(target);
}

/* A name in the path buffer that begins at `buffer`; the pair is its offset and length. */
static char *buffer_name(const uint8_t *b, size_t n, size_t buffer, size_t pair, bool *ret_good)
{
	size_t off = sv_load_le16(b + pair), len = sv_load_le16(b + pair + 2);

	*ret_good = buffer <= n && sv_in_range(off, len, n - buffer) && len % 2 == 0;
	return *ret_good ? sv_utf16_to_utf8(b + buffer + off, len / 2, NULL) : NULL;
}

/* The print name, or the substitute name where there is none. */
static char *windows_target(const uint8_t *b, size_t n, size_t buffer, struct sv_err *err)
{
	sv_autofree char *print = NULL;
	char *substitute = NULL;
	bool good = n >= buffer;

	if (good)
		print = buffer_name(b, n, buffer, 12, &good);
	if (good && print && print[0])
		return slashes(SV_STEAL(print));
	if (good)
		substitute = buffer_name(b, n, buffer, 8, &good);
	if (!good)
		sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a link whose names lie outside its %zu bytes", n);
	else if (!substitute)
		sv_fail_nomem(err);
	return tidy(substitute);
}

static char *wsl_target(const uint8_t *b, size_t n, struct sv_err *err)
{
	char *s;

	if (n < 12) {
		sv_fail_at(err, SV_CORRUPT, NULL, 0, "a WSL link of %zu bytes", n);
		return NULL;
	}
	s = strndup((const char *)b + 12, n - 12);
	if (!s)
		sv_fail_nomem(err);
	return s;
}

static char *reparse_target(
	struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino, struct sv_err *err)
{
	sv_autostream struct sv_ntfs_stream s = {0};
	sv_autofree uint8_t *b = NULL;
	struct ntfs_reparse d;
	char *target = NULL;
	size_t n;

	if (sv_ntfs_stream_open(v, base, ino, NTFS_ATTR_REPARSE, NULL, 0, &s, err) < 0)
		return NULL;
	b = sv_ntfs_stream_slurp(v, &s, REPARSE_MAX, &n, err);
	if (!b)
		return NULL;
	if (n < sizeof d) {
		sv_fail_at(err, SV_CORRUPT, NULL, 0, "a reparse point of %zu bytes", n);
		sv_ntfs_blame(v, ino, 0, err);
		return NULL;
	}
	memcpy(&d, b, sizeof d);
	n = SV_MIN(n, sizeof d + sv_get_le16(d.length));
	switch (sv_get_le32(d.tag)) {
	case NTFS_TAG_SYMLINK:
		target = windows_target(b, n, 20, err);
		break;
	case NTFS_TAG_JUNCTION:
		target = windows_target(b, n, 16, err);
		break;
	default:
		target = wsl_target(b, n, err);
	}
	if (!target)
		sv_ntfs_blame(v, ino, 0, err);
	return target;
}

static char *interix_target(
	struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino, struct sv_err *err)
{
	sv_autostream struct sv_ntfs_stream s = {0};
	sv_autofree uint8_t *b = NULL;
	char *target;
	size_t n;

	if (sv_ntfs_stream_open(v, base, ino, NTFS_ATTR_DATA, NULL, 0, &s, err) < 0)
		return NULL;
	b = sv_ntfs_stream_slurp(v, &s, INTERIX_MAX, &n, err);
	if (!b)
		return NULL;
	target = sv_utf16_to_utf8(
		b + SV_NTFS_INTERIX_LEN, (n - SV_MIN(n, SV_NTFS_INTERIX_LEN)) / 2, NULL);
	if (!target)
		sv_fail_nomem(err);
	return target;
}

char *sv_ntfs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_object_free) struct sv_ntfs_object o = {0};
	sv_autorecord struct sv_ntfs_record base = {0};
	struct sv_ntfs *v = sv_ntfs_of(fs);

	if (sv_ntfs_load(v, ino, false, &base, err) < 0 ||
		sv_ntfs_describe(v, &base, ino, NULL, &o, err) < 0)
		return NULL;
	if (o.st.type != SV_FS_SYMLINK) {
		sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "record %llu of $MFT is not a link",
			(unsigned long long)ino);
		return NULL;
	}
	return o.st.reparse_tag && sv_ntfs_type_of(o.st.reparse_tag, false) == SV_FS_SYMLINK
		       ? reparse_target(v, &base, ino, err)
		       : interix_target(v, &base, ino, err);
}
