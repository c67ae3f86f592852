/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Entries of a VHDX's log, and which of them count: see log.h. A log is hostile like all of the
 * file: each place in it is visited once, and its bytes are summed a bounded number of times.
 */
#include "image/vhdx/log.h"

#include "base/cleanup.h"
#include "base/hash.h"

#include <string.h>

#define PAGE ((uint32_t)SV_VHDX_PAGE)
/* Zeros that one log writes, all descriptors together: a table has at most 0.5 GiB, a bitmap
 * 1 MiB. */
#define ZEROS_MAX (16 * SV_GIB)

/* ---- entries ---- */

uint32_t sv_vhdx_log_head_pages(uint32_t n)
{
	return (uint32_t)sv_div_up(
		sizeof(struct sv_vhdx_disk_entry) + n * sizeof(struct sv_vhdx_disk_desc), PAGE);
}

static int bad_entry(struct sv_err *err, size_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "a log entry has %s %llu", what,
		(unsigned long long)found);
}

static int check_entry(
	const struct sv_vhdx_log_entry *e, const struct sv_vhdx_header *h, struct sv_err *err)
{
	if (!e->length || e->length % PAGE || e->length > h->log_size)
		return bad_entry(err, 8, "the length", e->length);
	if (e->tail % PAGE || e->tail >= h->log_size)
		return bad_entry(err, 12, "the tail", e->tail);
	if (!e->sequence)
		return bad_entry(err, 16, "the number", e->sequence);
	if (e->n_descriptors > e->length / sizeof(struct sv_vhdx_disk_desc) ||
		sv_vhdx_log_head_pages(e->n_descriptors) > e->length / PAGE)
		return bad_entry(err, 24, "this number of descriptors:", e->n_descriptors);
	if (e->flushed > SV_VHDX_FILE_MAX || e->last > SV_VHDX_FILE_MAX)
		return bad_entry(err, 48, "the file size", SV_MAX(e->flushed, e->last));
	return 0;
}

int sv_vhdx_log_entry_parse(const void *bytes, size_t n, const struct sv_vhdx_header *h,
	struct sv_vhdx_log_entry *ret, struct sv_err *err)
{
	struct sv_vhdx_disk_entry d;
	struct sv_vhdx_log_entry e;

	if (n < sizeof d)
		return bad_entry(err, n, "the size", n);
	memcpy(&d, bytes, sizeof d);
	if (memcmp(d.signature, "loge", 4) != 0 || !sv_vhdx_guid_equal(&d.log, &h->log))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "here is no entry of this log");
	e = (struct sv_vhdx_log_entry){
		.length = sv_get_le32(d.length),
		.tail = sv_get_le32(d.tail),
		.sequence = sv_get_le64(d.sequence),
		.n_descriptors = sv_get_le32(d.n_descriptors),
		.flushed = sv_get_le64(d.flushed),
		.last = sv_get_le64(d.last),
	};
	if (check_entry(&e, h, err) < 0)
		return -1;
	*ret = e;
	return 0;
}

int sv_vhdx_log_desc_parse(const void *bytes, size_t n, uint64_t sequence,
	struct sv_vhdx_log_desc *ret, struct sv_err *err)
{
	struct sv_vhdx_disk_desc d;
	struct sv_vhdx_log_desc desc;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, n, "a log descriptor is cut short");
	memcpy(&d, bytes, sizeof d);
	desc = (struct sv_vhdx_log_desc){.zero = !memcmp(d.signature, "zero", 4),
		.at = sv_get_le64(d.at),
		.length = PAGE};
	if (!desc.zero && memcmp(d.signature, "desc", 4) != 0)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, 0, "a log descriptor is neither data nor zeros");
	if (sv_get_le64(d.sequence) != sequence)
		return sv_fail_at(err, SV_CORRUPT, NULL, 24,
			"a log descriptor has the number %llu, its entry %llu",
			(unsigned long long)sv_get_le64(d.sequence),
			(unsigned long long)sequence);
	if (desc.zero)
		desc.length = sv_get_le64(d.length);
	memcpy(desc.leading, d.leading, sizeof desc.leading);
	memcpy(desc.trailing, d.trailing, sizeof desc.trailing);
	if (desc.at % PAGE || !desc.length || desc.length % PAGE ||
		!sv_in_range(desc.at, desc.length, SV_VHDX_FILE_MAX))
		return sv_fail_at(err, SV_CORRUPT, NULL, 16,
			"the log would write %llu bytes at byte %llu",
			(unsigned long long)desc.length, (unsigned long long)desc.at);
	*ret = desc;
	return 0;
}

/* ---- the sequence that counts ---- */

struct slot {
	uint64_t sequence; /* 0: no whole entry begins here */
	uint32_t tail, pages;
};

struct ring {
	struct sv_dev *file;
	const struct sv_vhdx_header *h;
	uint32_t pages;
	struct slot *slots; /* one per page */
	uint64_t budget;    /* pages that may still be summed, or entries walked over */
};

static uint64_t page_at(const struct ring *r, uint64_t page)
{
	return r->h->log_at + page % r->pages * PAGE;
}

static int read_page(const struct ring *r, uint64_t page, uint8_t *ret, struct sv_err *err)
{
	return sv_dev_read(r->file, ret, PAGE, page_at(r, page), err);
}

static int spend(struct ring *r, uint32_t page, uint64_t cost, struct sv_err *err)
{
	if (r->budget < cost)
		return sv_fail_at(err, SV_CORRUPT, NULL, page_at(r, page),
			"the entries of the log lie on each other");
	r->budget -= cost;
	return 0;
}

/* A page of data carries the entry's number at both ends. */
static bool is_data_page(const uint8_t *bytes, uint64_t sequence)
{
	return !memcmp(bytes, "data", 4) && sv_load_le32(bytes + 4) == sequence >> 32 &&
	       sv_load_le32(bytes + PAGE - 4) == (uint32_t)sequence;
}

/* Reads the entry, whose first page is in buf, and sums it: is it whole? */
static int sum_entry(struct ring *r, uint32_t page, const struct sv_vhdx_log_entry *e,
	uint8_t *buf, bool *ret_whole, struct sv_err *err)
{
	uint32_t head = sv_vhdx_log_head_pages(e->n_descriptors), pages = e->length / PAGE;
	uint32_t expected = sv_load_le32(buf + 4), crc;
	bool whole = true;

	if (spend(r, page, pages, err) < 0)
		return -1;
	memset(buf + 4, 0, 4);
	crc = sv_crc32c(0, buf, PAGE);
	for (uint32_t i = 1; i < pages && whole; i++) {
		if (read_page(r, page + i, buf, err) < 0)
			return -1;
		crc = sv_crc32c(crc, buf, PAGE);
		whole = i < head || is_data_page(buf, e->sequence);
	}
	*ret_whole = whole && crc == expected;
	return 0;
}

static int look_at_page(struct ring *r, uint32_t page, struct sv_err *err)
{
	struct sv_vhdx_log_entry e;
	uint8_t buf[PAGE];
	bool whole;

	if (read_page(r, page, buf, err) < 0)
		return -1;
	if (sv_vhdx_log_entry_parse(buf, sizeof buf, r->h, &e, NULL) < 0)
		return 0;
	if (sum_entry(r, page, &e, buf, &whole, err) < 0)
		return -1;
	if (whole)
		r->slots[page] = (struct slot){e.sequence, e.tail, e.length / PAGE};
	return 0;
}

static uint32_t next_page(const struct ring *r, uint32_t page)
{
	return (uint32_t)(((uint64_t)page + r->slots[page].pages) % r->pages);
}

/* Does nothing follow this entry? Then it is the last one of a sequence. */
static bool is_last(const struct ring *r, uint32_t page)
{
	const struct slot *s = &r->slots[page];

	return s->sequence && r->slots[next_page(r, page)].sequence != s->sequence + 1;
}

/* Entries from the one that `last` names as the tail to `last`; 0 where they do not hang
 * together. */
static int count_entries(struct ring *r, uint32_t last, uint32_t *ret, struct sv_err *err)
{
	uint32_t page = r->slots[last].tail / PAGE, n = 1;
	uint64_t pages = r->slots[page].pages;

	*ret = 0;
	while (page != last) {
		uint64_t sequence = r->slots[page].sequence;

		if (spend(r, page, 1, err) < 0)
			return -1;
		page = sequence ? next_page(r, page) : last;
		pages += r->slots[page].pages;
		if (!sequence || r->slots[page].sequence != sequence + 1 || pages > r->pages)
			return 0;
		n++;
	}
	*ret = n;
	return 0;
}

static int find_best(struct ring *r, uint32_t *ret_last, uint32_t *ret_n, struct sv_err *err)
{
	uint64_t best = 0;

	*ret_n = 0;
	for (uint32_t page = 0; page < r->pages; page++) {
		uint32_t n;

		if (r->slots[page].sequence <= best || !is_last(r, page))
			continue;
		if (count_entries(r, page, &n, err) < 0)
			return -1;
		if (!n)
			continue;
		best = r->slots[page].sequence;
		*ret_last = page;
		*ret_n = n;
	}
	return 0;
}

static int find_sequence(struct ring *r, struct sv_vhdx_log_found *ret, struct sv_err *err)
{
	struct sv_vhdx_log_entry e;
	uint8_t buf[PAGE];
	uint32_t last, n;

	for (uint32_t page = 0; page < r->pages; page++) {
		if (look_at_page(r, page, err) < 0)
			return -1;
	}
	if (find_best(r, &last, &n, err) < 0)
		return -1;
	if (!n)
		return 0;
	if (read_page(r, last, buf, err) < 0 ||
		sv_vhdx_log_entry_parse(buf, sizeof buf, r->h, &e, err) < 0)
		return -1;
	*ret = (struct sv_vhdx_log_found){e.tail, n, e.sequence, e.last, e.flushed};
	return 0;
}

static int check_log(struct sv_dev *file, const struct sv_vhdx_header *h, struct sv_err *err)
{
	if (h->log_version)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the version of the log is %u, version 0 is known", h->log_version);
	if (h->log_size && sv_in_range(h->log_at, h->log_size, sv_dev_size(file)))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, h->log_at,
		"the log is empty or ends beyond the end of the file (%llu bytes)",
		(unsigned long long)sv_dev_size(file));
}

int sv_vhdx_log_find(struct sv_dev *file, const struct sv_vhdx_header *h,
	struct sv_vhdx_log_found *ret, struct sv_err *err)
{
	struct ring r = {.file = file, .h = h, .pages = h->log_size / PAGE};
	sv_autofree struct slot *slots = NULL;

	*ret = (struct sv_vhdx_log_found){0};
	if (sv_vhdx_guid_is_nil(&h->log))
		return 0;
	if (check_log(file, h, err) < 0)
		return -1;
	slots = calloc(r.pages, sizeof *slots);
	if (!slots)
		return sv_fail_nomem(err);
	r.slots = slots;
	r.budget = UINT64_C(8) * r.pages;
	return find_sequence(&r, ret, err);
}

/* ---- replay ---- */

/* One entry, and the page of data that comes next. */
struct replay {
	struct ring ring;
	struct sv_vhdx_log_entry entry;
	uint32_t page, next_data;
	uint64_t zeros; /* written so far */
	struct sv_dev *to;
};

/* Not the headers, which tell what is in the log, and not the log. */
static int check_target(
	const struct replay *p, const struct sv_vhdx_log_desc *d, struct sv_err *err)
{
	const struct sv_vhdx_header *h = p->ring.h;

	if (d->at >= SV_VHDX_TABLE_AT(0) &&
		!sv_overlaps(d->at, d->length, h->log_at, h->log_size))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, page_at(&p->ring, p->page),
		"the log would write over byte %llu, which is the header's or its own",
		(unsigned long long)d->at);
}

static int make_room(struct sv_dev *to, uint64_t end, struct sv_err *err)
{
	return sv_dev_size(to) < end ? sv_dev_resize(to, end, err) : 0;
}

static int replay_data(struct replay *p, const struct sv_vhdx_log_desc *d, struct sv_err *err)
{
	uint8_t buf[PAGE];

	if (p->next_data >= p->entry.length / PAGE)
		return sv_fail_at(err, SV_CORRUPT, NULL, page_at(&p->ring, p->page),
			"a log entry has more descriptors than pages");
	if (read_page(&p->ring, p->page + p->next_data++, buf, err) < 0 ||
		make_room(p->to, d->at + PAGE, err) < 0)
		return -1;
	memcpy(buf, d->leading, sizeof d->leading);
	memcpy(buf + PAGE - sizeof d->trailing, d->trailing, sizeof d->trailing);
	return sv_dev_write(p->to, buf, sizeof buf, d->at, err);
}

static int replay_zeros(struct replay *p, const struct sv_vhdx_log_desc *d, struct sv_err *err)
{
	if (d->length > ZEROS_MAX - p->zeros)
		return sv_fail_at(err, SV_CORRUPT, NULL, page_at(&p->ring, p->page),
			"the log would write %llu bytes of zeros at byte %llu: no table is so "
			"large",
			(unsigned long long)d->length, (unsigned long long)d->at);
	p->zeros += d->length;
	if (make_room(p->to, d->at + d->length, err) < 0)
		return -1;
	return sv_dev_discard(p->to, d->at, d->length, err);
}

static int replay_descriptor(struct replay *p, uint32_t index, struct sv_err *err)
{
	size_t at =
		sizeof(struct sv_vhdx_disk_entry) + index * sizeof(struct sv_vhdx_disk_desc);
	uint64_t place = page_at(&p->ring, p->page + at / PAGE) + at % PAGE;
	struct sv_vhdx_disk_desc bytes; /* never across two pages: 32 divides both sizes */
	struct sv_vhdx_log_desc d;

	if (sv_dev_read(p->ring.file, &bytes, sizeof bytes, place, err) < 0)
		return -1;
	if (sv_vhdx_log_desc_parse(&bytes, sizeof bytes, p->entry.sequence, &d, err) < 0)
		return sv_err_shift(err, place);
	if (check_target(p, &d, err) < 0)
		return -1;
	return d.zero ? replay_zeros(p, &d, err) : replay_data(p, &d, err);
}

static int replay_entry(struct replay *p, struct sv_err *err)
{
	uint8_t buf[PAGE];

	if (read_page(&p->ring, p->page, buf, err) < 0 ||
		sv_vhdx_log_entry_parse(buf, sizeof buf, p->ring.h, &p->entry, err) < 0)
		return -1;
	p->next_data = sv_vhdx_log_head_pages(p->entry.n_descriptors);
	for (uint32_t i = 0; i < p->entry.n_descriptors; i++) {
		if (replay_descriptor(p, i, err) < 0)
			return -1;
	}
	return 0;
}

int sv_vhdx_log_replay(struct sv_dev *file, const struct sv_vhdx_header *h,
	const struct sv_vhdx_log_found *found, struct sv_dev *to, struct sv_err *err)
{
	struct replay p = {.ring = {.file = file, .h = h, .pages = h->log_size / PAGE},
		.page = found->first / PAGE,
		.to = to};

	if (found->flushed > sv_dev_size(file)) {
		sv_fail_at(err, SV_CORRUPT, NULL, sv_dev_size(file),
			"the file had %llu bytes when its log was written, now %llu",
			(unsigned long long)found->flushed,
			(unsigned long long)sv_dev_size(file));
		return sv_hint(err, "a copy of the file that was cut short looks like this");
	}
	for (uint32_t i = 0; i < found->n; i++) {
		if (replay_entry(&p, err) < 0)
			return -1;
		p.page = (p.page + p.entry.length / PAGE) % p.ring.pages;
	}
	return make_room(to, found->last, err);
}

/* ---- a new entry ---- */

static void print_change(const struct sv_vhdx_change *c, uint64_t sequence,
	struct sv_vhdx_disk_desc *desc, uint8_t *page)
{
	*desc = (struct sv_vhdx_disk_desc){
		.at = sv_put_le64(c->at), .sequence = sv_put_le64(sequence)};
	memcpy(desc->signature, "desc", 4);
	memcpy(desc->leading, c->bytes, sizeof desc->leading);
	memcpy(desc->trailing, c->bytes + PAGE - 4, sizeof desc->trailing);
	memcpy(page, c->bytes, PAGE);
	memcpy(page, "data", 4);
	sv_store_le32(page + 4, (uint32_t)(sequence >> 32));
	sv_store_le32(page + PAGE - 4, (uint32_t)sequence);
}

void sv_vhdx_log_entry_print(const struct sv_vhdx_log_entry *e, const struct sv_vhdx_guid *log,
	const struct sv_vhdx_change *changes, uint8_t *ret)
{
	uint32_t n = e->n_descriptors, length = (n + 1) * PAGE;
	struct sv_vhdx_disk_entry d = {
		.length = sv_put_le32(length),
		.tail = sv_put_le32(e->tail),
		.sequence = sv_put_le64(e->sequence),
		.n_descriptors = sv_put_le32(n),
		.log = *log,
		.flushed = sv_put_le64(e->flushed),
		.last = sv_put_le64(e->last),
	};

	assert(n <= SV_VHDX_LOG_PAGES);
	memset(ret, 0, PAGE);
	memcpy(d.signature, "loge", 4);
	memcpy(ret, &d, sizeof d);
	for (uint32_t i = 0; i < n; i++) {
		struct sv_vhdx_disk_desc desc;

		print_change(&changes[i], e->sequence, &desc, ret + (i + 1) * PAGE);
		memcpy(ret + sizeof d + i * sizeof desc, &desc, sizeof desc);
	}
	sv_store_le32(ret + 4, sv_crc32c(0, ret, length));
}
