/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The restart pages of $LogFile. There are two, at 0 and at the system page's size, written in
 * turn; the one with the higher sequence number counts. The tests are those that ntfs-3g makes
 * before it mounts for writing.
 */
#include "fs/ntfs/log.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"
#include "fs/ntfs/raw_record.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NO_CLIENT       0xFFFF
#define VOLUME_IS_CLEAN 0x0002
#define PAGE_MAX        (SV_NTFS_LOG_HEAD / 2)

struct page_head {
	struct ntfs_protected head; /* "RSTR", or "CHKD" once chkdsk has changed it */
	sv_le64 chkdsk_lsn;
	sv_le32 system_page;
	sv_le32 log_page;
	sv_le16 area_offset;
	sv_le16 minor;
	sv_le16 major;
};
static_assert(sizeof(struct page_head) == 30, "restart page");

struct area {
	sv_le64 lsn;
	sv_le16 clients;
	sv_le16 free_list;
	sv_le16 used_list;
	sv_le16 flags;
	sv_le32 sequence_bits;
	sv_le16 length;
	sv_le16 clients_offset;
};
static_assert(sizeof(struct area) == 24, "restart area");

struct client {
	sv_le64 oldest_lsn;
	sv_le64 restart_lsn;
	sv_le16 previous;
	sv_le16 next;
	uint8_t unused[140];
};
static_assert(sizeof(struct client) == 160, "log client");

struct restart {
	bool chkdsk;
	struct page_head head;
	struct area area;
	size_t page_size;
	size_t area_offset;
};

static int bad(struct sv_err *err, size_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at,
		"$LogFile's restart page: %s cannot be %llu", what, (unsigned long long)found);
}

static int parse_head(
	const uint8_t *page, size_t n, size_t pos, struct restart *r, struct sv_err *err)
{
	unsigned major, minor;

	memcpy(&r->head, page, sizeof r->head);
	r->chkdsk = memcmp(page, "CHKD", 4) == 0;
	r->page_size = sv_get_le32(r->head.system_page);
	if (!sv_is_pow2(r->page_size) || r->page_size < NTFS_FIXUP_STRIDE ||
		r->page_size > PAGE_MAX || r->page_size > n || (pos && pos != r->page_size))
		return bad(err, pos + offsetof(struct page_head, system_page), "the page size",
			r->page_size);
	major = sv_get_le16(r->head.major);
	minor = sv_get_le16(r->head.minor);
	if (!(major == 1 && minor == 1) && !(major == 2 && minor == 0))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL,
			pos + offsetof(struct page_head, minor),
			"$LogFile has version %u.%u, known are 1.1 and 2.0", major, minor);
	if (!r->chkdsk && sv_get_le64(r->head.chkdsk_lsn))
		return bad(err, pos + offsetof(struct page_head, chkdsk_lsn),
			"chkdsk's number in a page that it has not changed",
			sv_get_le64(r->head.chkdsk_lsn));
	return 0;
}

/* The area and its clients lie within the page. `page` is unprotected. */
static int parse_area(const uint8_t *page, size_t pos, struct restart *r, struct sv_err *err)
{
	size_t at = sv_get_le16(r->head.area_offset), clients, need;

	if (at % 8 || at < sizeof r->head || !sv_in_range(at, sizeof r->area, r->page_size))
		return bad(err, pos + offsetof(struct page_head, area_offset),
			"the offset of the restart area", at);
	memcpy(&r->area, page + at, sizeof r->area);
	r->area_offset = at;
	clients = sv_get_le16(r->area.clients);
	need = sv_get_le16(r->area.clients_offset) + clients * sizeof(struct client);
	if (sv_get_le16(r->area.clients_offset) % 8 || need > sv_get_le16(r->area.length) ||
		!sv_in_range(at, sv_get_le16(r->area.length), r->page_size))
		return bad(err, pos + at + offsetof(struct area, length),
			"the length of the restart area", sv_get_le16(r->area.length));
	return 0;
}

/* Both lists of clients end, and within the array. */
static int check_clients(
	const uint8_t *page, size_t pos, const struct restart *r, struct sv_err *err)
{
	size_t array = r->area_offset + sv_get_le16(r->area.clients_offset);
	unsigned clients = sv_get_le16(r->area.clients), steps = 0;
	unsigned heads[] = {sv_get_le16(r->area.free_list), sv_get_le16(r->area.used_list)};

	for (size_t i = 0; i < SV_ARRAY_LEN(heads); i++)
		for (unsigned at = heads[i]; at != NO_CLIENT; steps++) {
			struct client c;

			if (at >= clients || steps >= clients)
				return bad(err, pos + array, "a list of the clients", at);
			memcpy(&c, page + array + at * sizeof c, sizeof c);
			at = sv_get_le16(c.next);
		}
	return 0;
}

/* The page at `pos`. One that chkdsk changed may be unprotected. */
static int parse_page(
	const uint8_t *bytes, size_t n, size_t pos, struct restart *ret, struct sv_err *err)
{
	sv_autofree uint8_t *page = NULL;
	struct restart r = {0};

	if (parse_head(bytes + pos, n - pos, pos, &r, err) < 0)
		return -1;
	page = malloc(r.page_size);
	if (!page)
		return sv_fail_nomem(err);
	memcpy(page, bytes + pos, r.page_size);
	if ((!r.chkdsk || sv_get_le16(r.head.head.usa_count)) &&
		sv_ntfs_raw_unprotect(page, r.page_size, r.chkdsk ? "CHKD" : "RSTR", err) < 0)
		return sv_err_shift(err, pos);
	if (parse_area(page, pos, &r, err) < 0 ||
		(!r.chkdsk && check_clients(page, pos, &r, err) < 0))
		return -1;
	*ret = r;
	return 0;
}

static uint64_t lsn_of(const struct restart *r)
{
	return r->chkdsk ? sv_get_le64(r->head.chkdsk_lsn) : sv_get_le64(r->area.lsn);
}

static enum sv_ntfs_log judge(const struct restart *r)
{
	if (sv_get_le16(r->head.major) == 2)
		return SV_NTFS_LOG_CACHED;
	if (sv_get_le16(r->area.used_list) == NO_CLIENT ||
		(sv_get_le16(r->area.flags) & VOLUME_IS_CLEAN))
		return SV_NTFS_LOG_CLEAN;
	return SV_NTFS_LOG_UNCLEAN;
}

static bool is_restart_page(const uint8_t *p)
{
	return memcmp(p, "RSTR", 4) == 0 || memcmp(p, "CHKD", 4) == 0;
}

static bool is_filled(const uint8_t *p, size_t n)
{
	return n && p[0] == 0xFF && memcmp(p, p + 1, n - 1) == 0;
}

/* Restart pages are looked for at 0 and at each power of two; the first error is the one that
 * is told when none is sound. */
int sv_ntfs_parse_log(const void *bytes, size_t n, enum sv_ntfs_log *ret, struct sv_err *err)
{
	struct restart newest = {0};
	struct sv_err first = SV_ERR_INIT;
	bool found = false;

	n = SV_MIN(n, (size_t)SV_NTFS_LOG_HEAD);
	if (is_filled(bytes, n)) {
		*ret = SV_NTFS_LOG_EMPTY;
		return 0;
	}
	for (size_t pos = 0; pos <= PAGE_MAX && sv_in_range(pos, NTFS_FIXUP_STRIDE, n);
		pos = pos ? 2 * pos : NTFS_FIXUP_STRIDE) {
		struct sv_err e = SV_ERR_INIT;
		struct restart r = {0};

		if (!is_restart_page((const uint8_t *)bytes + pos))
			continue;
		if (parse_page(bytes, n, pos, &r, &e) < 0) {
			if (first.code == SV_OK)
				first = e;
			continue;
		}
		if (!found || lsn_of(&r) > lsn_of(&newest))
			newest = r;
		found = true;
	}
	if (!found && first.code == SV_OK)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "$LogFile has no restart page");
	if (!found) {
		sv_err_copy(err, &first);
		return -1;
	}
	*ret = judge(&newest);
	return 0;
}
