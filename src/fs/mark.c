/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Labels and UUIDs of volumes that are recognised, but not read: most formats have both in
 * fixed places of their first superblock, which the table below lists. Each is as blkid(8)
 * prints it.
 */
#include "fs/fs.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 255

enum label_form { NO_LABEL, BYTES, UTF16 };
enum uuid_form { NO_UUID, BINARY, TEXT };

struct place {
	const char *type;
	enum uuid_form uuid;
	uint32_t uuid_at;
	enum label_form label;
	uint32_t label_at;
	uint32_t label_len; /* bytes */
};

static const struct place places[] = {
	{"luks", TEXT, 168, NO_LABEL, 0, 0},
	{"apfs", BINARY, 72, NO_LABEL, 0, 0},
	{"bcache", BINARY, 4096 + 40, BYTES, 4096 + 72, 32},
	{"bcachefs", BINARY, 4096 + 56, BYTES, 4096 + 72, 32},
	{"erofs", BINARY, 1024 + 48, BYTES, 1024 + 64, 16},
	{"f2fs", BINARY, 1024 + 108, UTF16, 1024 + 124, 2 * TEXT_MAX},
	{"jfs", BINARY, 32768 + 136, BYTES, 32768 + 152, 16},
	{"nilfs2", BINARY, 1024 + 152, BYTES, 1024 + 168, 80},
	{"reiserfs", BINARY, 65536 + 84, BYTES, 65536 + 100, 16},
	{"swap", BINARY, 1024 + 12, BYTES, 1024 + 28, 16},
	{"iso9660", NO_UUID, 0, BYTES, 32768 + 40, 32},
};

static int read_at(struct sv_dev *volume, uint64_t at, void *buf, size_t n, struct sv_err *err)
{
	memset(buf, 0, n);
	if (!sv_in_range(at, n, sv_dev_size(volume)))
		return 0;
	return sv_dev_read(volume, buf, n, at, err);
}

/* ---- forms ---- */

/* Up to the first zero, trailing spaces gone; nothing where it is no UTF-8. */
static void set_label(struct sv_fs_mark *m, const char *bytes, size_t n)
{
	n = strnlen(bytes, n);
	while (n && bytes[n - 1] == ' ')
		n--;
	if (!sv_utf8_valid(bytes, n))
		return;
	memcpy(m->label, bytes, n);
	m->label[n] = '\0';
}

static int read_label(
	struct sv_dev *volume, const struct place *p, struct sv_fs_mark *m, struct sv_err *err)
{
	sv_autofree char *text = NULL;
	uint8_t raw[2 * TEXT_MAX];
	size_t n = 0;

	if (p->label == NO_LABEL)
		return 0;
	if (read_at(volume, p->label_at, raw, p->label_len, err) < 0)
		return -1;
	if (p->label == BYTES) {
		set_label(m, (const char *)raw, p->label_len);
		return 0;
	}
	while (n < p->label_len && sv_load_le16(raw + n))
		n += 2;
	text = sv_utf16_to_utf8(raw, n / 2, NULL);
	if (!text)
		return sv_fail_nomem(err);
	set_label(m, text, SV_MIN(strlen(text), sizeof m->label - 1));
	return 0;
}

static void binary_uuid(const uint8_t u[16], char out[64])
{
	snprintf(out, 64,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		u[13], u[14], u[15]);
}

static int read_uuid(
	struct sv_dev *volume, const struct place *p, struct sv_fs_mark *m, struct sv_err *err)
{
	uint8_t raw[40];

	if (p->uuid == NO_UUID)
		return 0;
	if (read_at(volume, p->uuid_at, raw, sizeof raw, err) < 0)
		return -1;
	if (p->uuid == BINARY && !sv_is_zero(raw, 16))
		binary_uuid(raw, m->uuid);
	for (size_t i = 0; p->uuid == TEXT && i < sizeof raw; i++) {
		if (!isxdigit(raw[i]) && raw[i] != '-')
			break;
		m->uuid[i] = (char)raw[i];
	}
	return 0;
}

/* ---- those that need more than a place ---- */

/* Version 1 has the cipher's name there. */
static int mark_luks(struct sv_dev *volume, struct sv_fs_mark *m, struct sv_err *err)
{
	uint8_t head[72];

	if (read_at(volume, 0, head, sizeof head, err) < 0)
		return -1;
	if (sv_load_be16(head + 6) == 2)
		set_label(m, (const char *)head + 24, 48);
	return 0;
}

/* ECMA-119: dates are 16 digits and the zone; the change's, else the creation's. */
static int mark_iso(struct sv_dev *volume, struct sv_fs_mark *m, struct sv_err *err)
{
	char created[17], changed[17], *d = changed;

	if (read_at(volume, 32768 + 813, created, sizeof created, err) < 0 ||
		read_at(volume, 32768 + 830, changed, sizeof changed, err) < 0)
		return -1;
	if (strspn(changed, "0") >= 16 || !isdigit((unsigned char)changed[0]))
		d = created;
	for (size_t i = 0; i < 16; i++) {
		if (!isdigit((unsigned char)d[i]))
			return 0;
	}
	snprintf(m->uuid, sizeof m->uuid, "%.4s-%.2s-%.2s-%.2s-%.2s-%.2s-%.2s", d, d + 4, d + 6,
		d + 8, d + 10, d + 12, d + 14);
	return 0;
}

/* Apple, "Inside Macintosh: Files": a Pascal string in Mac Roman; ASCII is taken. */
static int mark_hfs(struct sv_dev *volume, struct sv_fs_mark *m, struct sv_err *err)
{
	char name[28];

	if (read_at(volume, 1024 + 36, name, sizeof name, err) < 0)
		return -1;
	if ((unsigned char)name[0] < sizeof name)
		set_label(m, name + 1, (unsigned char)name[0]);
	return 0;
}

/* BSD's fs.h: UFS1 at 8 KiB, UFS2 at 64 KiB; fs_id at 144, fs_volname at 680. */
static int mark_ufs(struct sv_dev *volume, struct sv_fs_mark *m, struct sv_err *err)
{
	bool two = !strcmp(m->type, "ufs2");
	uint8_t sb[712];

	if (read_at(volume, two ? 65536 : 8192, sb, sizeof sb, err) < 0)
		return -1;
	if (!sv_is_zero(sb + 144, 8))
		snprintf(m->uuid, sizeof m->uuid, "%08x%08x", sv_load_le32(sb + 144),
			sv_load_le32(sb + 148));
	if (two)
		set_label(m, (const char *)sb + 680, 32);
	return 0;
}

/* OpenZFS, "ZFS On-Disk Specification": the label's list of pairs in XDR. A pair is the name's
 * length, the name, filled up to 4 bytes, the type, the count, and the value. */
static const uint8_t *find_pair(const uint8_t *list, size_t n, const char *name, uint32_t type)
{
	size_t len = strlen(name), head = 4 + sv_align_up(len, 4);

	for (size_t at = 0; at + head + 16 <= n; at += 4) {
		const uint8_t *p = list + at;

		if (sv_load_be32(p) == len && !memcmp(p + 4, name, len) &&
			sv_load_be32(p + head) == type && sv_load_be32(p + head + 4) == 1)
			return p + head + 8;
	}
	return NULL;
}

static int mark_zfs(struct sv_dev *volume, struct sv_fs_mark *m, struct sv_err *err)
{
	uint8_t list[8192];
	const uint8_t *p;

	if (read_at(volume, 16384, list, sizeof list, err) < 0)
		return -1;
	p = find_pair(list, sizeof list, "name", 9);
	if (p && sv_load_be32(p) < 255 &&
		sv_load_be32(p) <= (size_t)(list + sizeof list - p) - 4)
		set_label(m, (const char *)p + 4, sv_load_be32(p));
	p = find_pair(list, sizeof list, "pool_guid", 8);
	if (p)
		snprintf(m->uuid, sizeof m->uuid, "%llu", (unsigned long long)sv_load_be64(p));
	return 0;
}

static const struct {
	const char *type;
	int (*mark)(struct sv_dev *volume, struct sv_fs_mark *m, struct sv_err *err);
} more[] = {
	{"luks", mark_luks},
	{"iso9660", mark_iso},
	{"hfs", mark_hfs},
	{"ufs1", mark_ufs},
	{"ufs2", mark_ufs},
	{"zfs", mark_zfs},
};

int sv_fs_mark(struct sv_dev *volume, struct sv_fs_mark *ret, struct sv_err *err)
{
	*ret = (struct sv_fs_mark){.type = ""};
	if (sv_fs_probe(volume, &ret->type, err) < 0)
		return -1;
	for (size_t i = 0; i < SV_ARRAY_LEN(places); i++) {
		if (strcmp(places[i].type, ret->type) != 0)
			continue;
		if (read_uuid(volume, &places[i], ret, err) < 0 ||
			read_label(volume, &places[i], ret, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(more); i++) {
		if (!strcmp(more[i].type, ret->type) && more[i].mark(volume, ret, err) < 0)
			return -1;
	}
	return 0;
}
