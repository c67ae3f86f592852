/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * "Packages" of rpm before 4.16: a hash table of Berkeley DB, versions 8 to 10, in the byte
 * order of the machine that made it (Berkeley DB's src/dbinc/db_page.h). A key is a package's
 * number, its value the header, which nearly always lies in a chain of overflow pages. The
 * pages are read in order instead of by buckets: so a page that is lost costs what is on it.
 * A chain belongs to one value; the pages of all together are not more than the file has.
 */
#include "guest/rpm/rpm.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <endian.h>

#define HASH_MAGIC     0x00061561u
#define PAGE_HEAD      26u
#define PAGE_MIN       512u
#define PAGE_MAX       65536u
#define CACHED_PIECE   65536u
#define CACHED_PIECES  32u
#define META_CHECKSUMS 1u

enum page_type { HASH_UNSORTED = 2, OVERFLOW_PAGE = 7, HASH_META = 8, HASH_PAGE = 13 };
enum item_type { KEY_DATA = 1, OFF_PAGE = 3 };

/* All in the file's byte order. */
struct disk_meta {
	uint8_t lsn[8];
	uint8_t page[4];
	uint8_t magic[4];
	uint8_t version[4];
	uint8_t page_size[4];
	uint8_t encryption;
	uint8_t type;
	uint8_t flags;
	uint8_t unused;
	uint8_t free[4];
	uint8_t last_page[4];
};
static_assert(sizeof(struct disk_meta) == 36, "as on disk");

struct disk_page {
	uint8_t lsn[8];
	uint8_t page[4];
	uint8_t previous[4];
	uint8_t next[4];
	uint8_t entries[2];
	uint8_t data_at[2]; /* of an overflow page: bytes of data on it */
	uint8_t level;
	uint8_t type;
};
static_assert(sizeof(struct disk_page) == PAGE_HEAD, "as on disk");

struct disk_off_page {
	uint8_t type;
	uint8_t unused[3];
	uint8_t page[4];
	uint8_t size[4];
};
static_assert(sizeof(struct disk_off_page) == 12, "as on disk");

struct bdb {
	struct sv_dev *dev;
	struct sv_rpm_sink *sink;
	bool big;
	uint32_t page_size, pages;
	uint64_t budget; /* overflow pages that may still be read */
};

static uint32_t get32(const struct bdb *db, const uint8_t *b)
{
	return db->big ? sv_load_be32(b) : sv_load_le32(b);
}

static uint16_t get16(const struct bdb *db, const uint8_t *b)
{
	return db->big ? sv_load_be16(b) : sv_load_le16(b);
}

/* ---- the first page ---- */

static int read_meta(struct bdb *db, struct sv_err *err)
{
	const char *name = sv_dev_name(db->dev);
	struct disk_meta m;
	uint64_t pages;

	if (sv_dev_read(db->dev, &m, sizeof m, 0, err) < 0)
		return -1;
	db->big = sv_load_be32(m.magic) == HASH_MAGIC;
	if (get32(db, m.magic) != HASH_MAGIC || m.type != HASH_META)
		return sv_fail_at(
			err, SV_CORRUPT, name, 12, "it is no hash table of Berkeley DB");
	if (get32(db, m.version) < 8 || get32(db, m.version) > 10 || m.encryption ||
		m.flags & META_CHECKSUMS)
		return sv_fail_at(err, SV_UNSUPPORTED, name, 16,
			"a hash table of version %u%s is not read here", get32(db, m.version),
			m.encryption ? ", encrypted," : "");
	db->page_size = get32(db, m.page_size);
	if (!sv_is_pow2(db->page_size) || db->page_size < PAGE_MIN || db->page_size > PAGE_MAX)
		return sv_fail_at(err, SV_CORRUPT, name, 20,
			"the page size is %u, not a power of two from %u to %u", db->page_size,
			PAGE_MIN, PAGE_MAX);
	pages = sv_dev_size(db->dev) / db->page_size;
	db->pages = (uint32_t)SV_MIN(pages, (uint64_t)get32(db, m.last_page) + 1);
	db->budget = db->pages;
	return 0;
}

/* ---- a value in pages of its own ---- */

/* One page of a chain; *ret_n bytes of it were put to `out`. */
static int read_link(struct bdb *db, uint32_t *page, uint8_t *buf, uint8_t *out, size_t room,
	size_t *ret_n, struct sv_err *err)
{
	uint64_t at = (uint64_t)*page * db->page_size;
	const char *name = sv_dev_name(db->dev);
	struct disk_page head;
	size_t n;

	if (*page == 0 || *page >= db->pages || !db->budget)
		return sv_fail(err, SV_CORRUPT, name,
			"the pages of a package lead to page %u of %u, or in a circle", *page,
			db->pages);
	db->budget--;
	if (sv_dev_read(db->dev, buf, db->page_size, at, err) < 0)
		return -1;
	memcpy(&head, buf, sizeof head);
	n = get16(db, head.data_at);
	if (head.type != OVERFLOW_PAGE || !n || n > db->page_size - PAGE_HEAD || n > room)
		return sv_fail_at(err, SV_CORRUPT, name, at,
			"page %u of type %u with %zu bytes is not the next one of a package",
			*page, head.type, n);
	memcpy(out, buf + PAGE_HEAD, n);
	*page = get32(db, head.next);
	*ret_n = n;
	return 0;
}

static int read_chain(struct bdb *db, const struct disk_off_page *o, uint64_t at)
{
	size_t size = get32(db, o->size), have = 0, n = 0;
	uint32_t page = get32(db, o->page);
	sv_autofree uint8_t *value = NULL, *buf = NULL;
	struct sv_err why = SV_ERR_INIT;

	if (size > SV_RPM_HEADER_MAX || size > sv_dev_size(db->dev)) {
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(db->dev), at,
			"a package's header has %zu bytes, the largest read here is %u", size,
			SV_RPM_HEADER_MAX);
		sv_rpm_damage(db->sink, &why);
		return 0;
	}
	value = malloc(size + 1);
	buf = malloc(db->page_size);
	if (!value || !buf)
		sv_fail_nomem(&why);
	while (why.code == SV_OK && have < size) {
		if (read_link(db, &page, buf, value + have, size - have, &n, &why) == 0)
			have += n;
	}
	if (why.code == SV_OK)
		return sv_rpm_take(db->sink, value, size, sv_dev_name(db->dev), at);
	sv_rpm_damage(db->sink, &why);
	return 0;
}

/* ---- pages of keys and values ---- */

struct page {
	uint8_t *bytes;
	uint64_t at;
	size_t items;
};

/* Items lie from the page's end on downwards, each up to the one before it. */
static bool item(const struct bdb *db, const struct page *p, size_t i, const uint8_t **ret,
	size_t *ret_n)
{
	const uint8_t *offsets = p->bytes + PAGE_HEAD;
	size_t begin = get16(db, offsets + 2 * i);
	size_t end = i ? get16(db, offsets + 2 * (i - 1)) : db->page_size;

	if (begin < PAGE_HEAD + 2 * p->items || begin >= end || end > db->page_size)
		return false;
	*ret = p->bytes + begin;
	*ret_n = end - begin;
	return true;
}

/* Key 0 counts the packages. */
static bool is_counter(const uint8_t *key, size_t n)
{
	return n == 5 && key[0] == KEY_DATA && sv_is_zero(key + 1, 4);
}

static int take_pair(struct bdb *db, const struct page *p, size_t i)
{
	const uint8_t *key, *value;
	struct disk_off_page o;
	struct sv_err why = SV_ERR_INIT;
	size_t key_n, n;

	if (!item(db, p, i, &key, &key_n) || !item(db, p, i + 1, &value, &n)) {
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(db->dev), p->at + PAGE_HEAD + 2 * i,
			"items %zu and %zu of %zu are not in their page", i, i + 1, p->items);
	} else if (is_counter(key, key_n)) {
		return 0;
	} else if (value[0] == KEY_DATA) {
		return sv_rpm_take(db->sink, value + 1, n - 1, sv_dev_name(db->dev),
			p->at + (size_t)(value - p->bytes) + 1);
	} else if (value[0] == OFF_PAGE && n == sizeof o) {
		memcpy(&o, value, sizeof o);
		return read_chain(db, &o, p->at + (size_t)(value - p->bytes));
	} else {
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(db->dev), p->at,
			"item %zu has type %u and %zu bytes, which is no package's", i + 1,
			value[0], n);
	}
	sv_rpm_damage(db->sink, &why);
	return 0;
}

static int read_page(struct bdb *db, struct page *p, struct sv_err *err)
{
	struct disk_page head;
	struct sv_err why = SV_ERR_INIT;
	int rc = 0;

	if (sv_job_check(db->sink->job, err) < 0)
		return -1;
	if (sv_dev_read(db->dev, p->bytes, db->page_size, p->at, &why) < 0) {
		sv_rpm_damage(db->sink, &why);
		return 0;
	}
	memcpy(&head, p->bytes, sizeof head);
	if (head.type != HASH_PAGE && head.type != HASH_UNSORTED)
		return 0;
	p->items = get16(db, head.entries);
	if (p->items % 2 || p->items > (db->page_size - PAGE_HEAD) / 2) {
		sv_fail_at(&why, SV_CORRUPT, sv_dev_name(db->dev), p->at,
			"a page of %u bytes claims %zu items", db->page_size, p->items);
		sv_rpm_damage(db->sink, &why);
		return 0;
	}
	for (size_t i = 0; i < p->items && !rc; i += 2)
		rc = take_pair(db, p, i);
	return rc;
}

int sv_rpm_read_bdb(struct sv_dev *dev, struct sv_rpm_sink *sink, struct sv_err *err)
{
	sv_autodev struct sv_dev *cache = sv_cache_open(dev, CACHED_PIECE, CACHED_PIECES, err);
	struct bdb db = {.dev = cache, .sink = sink};
	sv_autofree uint8_t *bytes = NULL;
	struct page p = {0};
	int rc = 0;

	if (!cache || read_meta(&db, err) < 0)
		return -1;
	p.bytes = bytes = malloc(db.page_size);
	if (!bytes)
		return sv_fail_nomem(err);
	for (uint32_t i = 1; i < db.pages && !rc; i++) {
		p.at = (uint64_t)i * db.page_size;
		rc = read_page(&db, &p, err);
	}
	return rc;
}
