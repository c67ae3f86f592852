/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which logs fit a dirty hive, and what they change. Windows marks a hive dirty by sequence
 * numbers that differ, or a base block that is half written.
 *
 * New logs (type 6; .LOG1 and .LOG2, or .LOG alone): entries have numbers. Those below the
 * hive's second sequence number are in it already. Both logs are applied, the one with the
 * lower numbers first, as far as each entry is whole and its number follows the one before. The
 * first number may be higher than the hive's: then Windows had written the data of those that
 * are gone.
 *
 * Old logs (type 1): all of a log is one change, which fits when it is whole and has the hive's
 * time.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_AT 512 /* behind the copy of the base block */
#define PIECE      (64u << 10)

struct log {
	struct sv_dev *dev; /* borrowed */
	const char *ending;
	struct sv_regf_base base;
	bool usable;          /* it has a base block */
	uint64_t at;          /* of the first entry to be applied; 0: none */
	uint32_t first, last; /* numbers of its entries, from `at` on */
};

struct replay {
	struct sv_dev *hive;
	struct log logs[SV_REGF_LOGS];
	struct sv_regf_base base; /* of the hive, or of a log where the hive's is damaged */
	struct sv_regf_patches patches;
	struct sv_hive_state *state;
	bool any;      /* an entry was applied */
	uint32_t next; /* then: the number that must follow */
};

void sv_regf_problem(struct sv_hive_state *state, const char *fmt, ...)
{
	size_t used = strlen(state->problem), room = sizeof state->problem - used;
	va_list ap;
	int n = snprintf(state->problem + used, room, "%s", used ? "; " : "");

	if (n < 0 || (size_t)n >= room)
		return;
	va_start(ap, fmt);
	vsnprintf(state->problem + used + n, room - (size_t)n, fmt, ap);
	va_end(ap);
}

/* A log that cannot be read is as good as none, but told; -1 for what ends everything. */
static int without(
	struct replay *r, struct log *l, const struct sv_err *why, struct sv_err *err)
{
	struct sv_err first = SV_ERR_INIT;

	if (!sv_regf_goes_on(&first, why)) {
		sv_err_copy(err, why);
		return -1;
	}
	sv_regf_problem(r->state, "its %s cannot be used: %s", l->ending, why->message);
	l->usable = false;
	return 0;
}

static int read_base(struct replay *r, struct log *l, struct sv_err *err)
{
	uint8_t bytes[SV_REGF_BASE_SIZE];
	struct sv_err why = SV_ERR_INIT;

	if (!l->dev || !sv_dev_size(l->dev))
		return 0;
	if (sv_dev_size(l->dev) <= ENTRIES_AT) {
		sv_fail(&why, SV_CORRUPT, NULL, "it has %" PRIu64 " bytes",
			sv_dev_size(l->dev));
		return without(r, l, &why, err);
	}
	if (sv_dev_read(l->dev, bytes, sizeof bytes, 0, &why) < 0)
		return without(r, l, &why, err);
	if (sv_is_zero(bytes, sizeof bytes))
		return 0; /* was never written */
	if (sv_regf_parse_base(bytes, &l->base, &why) < 0)
		return without(r, l, &why, err);
	l->usable = l->base.checksum_ok;
	if (l->usable)
		return 0;
	sv_fail(&why, SV_CORRUPT, NULL, "its base block's checksum is wrong");
	return without(r, l, &why, err);
}

/* ---- new logs ---- */

static int read_entry(struct log *l, uint64_t at, struct sv_regf_entry *ret, struct sv_err *err)
{
	uint8_t head[SV_REGF_ENTRY_HEAD];
	uint64_t size = sv_dev_size(l->dev);

	if (!sv_in_range(at, sizeof head, size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at, "the log ends here");
	if (sv_dev_read(l->dev, head, sizeof head, at, err) < 0)
		return -1;
	if (sv_regf_parse_entry(head, ret, err) < 0)
		return sv_err_shift(err, at);
	if (ret->size > size - at)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"entry %" PRIu32 " of the log has %" PRIu32 " bytes, %" PRIu64
			" are left of the file",
			ret->sequence, ret->size, size - at);
	return 0;
}

/* Finds the entries from number `from` on. Where they end there lies anything: older entries,
 * zeros; that is no damage. */
static void find_entries(struct log *l, uint32_t from)
{
	struct sv_regf_entry e;

	l->at = 0;
	for (uint64_t at = ENTRIES_AT; read_entry(l, at, &e, NULL) == 0; at += e.size) {
		if (l->at && e.sequence != l->last + 1)
			return;
		if (!l->at && e.sequence < from)
			continue;
		if (!l->at) {
			l->at = at;
			l->first = e.sequence;
		}
		l->last = e.sequence;
	}
}

static bool is_new(const struct log *l)
{
	return l->usable && l->base.type == SV_REGF_LOG_NEW;
}

/* Without a base block of the hive's own: the log with the latest entries, and the one that
 * these continue. */
static void take_base_of_latest(struct replay *r)
{
	struct log *latest = NULL;

	for (size_t i = 0; i < SV_REGF_LOGS; i++) {
		if (!is_new(&r->logs[i]))
			continue;
		find_entries(&r->logs[i], 0);
		if (r->logs[i].at && (!latest || r->logs[i].last > latest->last))
			latest = &r->logs[i];
	}
	if (!latest)
		return;
	r->base = latest->base;
	r->base.sequence2 = latest->first;
	for (size_t i = 0; i < SV_REGF_LOGS; i++) {
		if (is_new(&r->logs[i]) && r->logs[i].at &&
			r->logs[i].last + 1 == latest->first)
			r->base.sequence2 = r->logs[i].first;
	}
}

static int check_hash(
	struct log *l, uint64_t at, const struct sv_regf_entry *e, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(PIECE);
	struct sv_marvin m;
	uint64_t hash;

	if (!buf)
		return sv_fail_nomem(err);
	sv_regf_hash_begin(&m);
	for (uint32_t off = SV_REGF_ENTRY_HEAD; off < e->size;) {
		uint32_t n = SV_MIN(e->size - off, PIECE);

		if (sv_dev_read(l->dev, buf, n, at + off, err) < 0)
			return -1;
		sv_marvin_add(&m, buf, n);
		off += n;
	}
	hash = sv_marvin_end(&m);
	if (hash == e->hash)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, at,
		"entry %" PRIu32 " of the log has the hash %016" PRIx64
		", expected %016" PRIx64,
		e->sequence, e->hash, hash);
}

static int take_pages(struct replay *r, struct log *l, uint64_t at,
	const struct sv_regf_entry *e, struct sv_err *err)
{
	uint32_t n = 8 * e->n_pages;
	sv_autofree uint8_t *refs = malloc(n + 1);
	size_t before = r->patches.n;

	if (!refs)
		return sv_fail_nomem(err);
	if (sv_dev_read(l->dev, refs, n, at + SV_REGF_ENTRY_HEAD, err) < 0)
		return -1;
	if (sv_regf_parse_pages(refs, e, (uint8_t)(l - r->logs), at + SV_REGF_ENTRY_HEAD + n,
		    at + e->size, &r->patches, err) == 0)
		return 0;
	r->patches.n = SV_MIN(before, r->patches.n);
	return sv_err_shift(err, at + SV_REGF_ENTRY_HEAD);
}

/* The entries of one log, as far as they are whole and follow each other. */
static int apply_log(struct replay *r, struct log *l, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_regf_entry e;

	for (uint64_t at = l->at; read_entry(l, at, &e, NULL) == 0; at += e.size) {
		if (r->any && e.sequence != r->next)
			break;
		if (check_hash(l, at, &e, &why) < 0 || take_pages(r, l, at, &e, &why) < 0)
			return without(r, l, &why, err);
		r->any = true;
		r->next = e.sequence + 1;
		r->base.bins_size = e.bins_size;
		r->base.sequence1 = r->base.sequence2 = r->next;
		r->state->applied++;
	}
	return 0;
}

static struct log *lowest(struct replay *r)
{
	struct log *found = NULL;

	for (size_t i = 0; i < SV_REGF_LOGS; i++) {
		struct log *l = &r->logs[i];

		if (is_new(l) && l->at && (!found || l->first < found->first))
			found = l;
	}
	return found;
}

static int replay_new(struct replay *r, struct sv_err *err)
{
	struct log *l;

	if (!r->base.checksum_ok)
		take_base_of_latest(r);
	for (size_t i = 0; i < SV_REGF_LOGS; i++) {
		if (is_new(&r->logs[i]))
			find_entries(&r->logs[i], r->base.sequence2);
	}
	while ((l = lowest(r))) {
		if (r->any && l->first > r->next)
			sv_regf_problem(r->state,
				"its logs hold nothing of changes %" PRIu32 " to %" PRIu32
				", so that those behind are not shown",
				r->next, l->first - 1);
		else if (apply_log(r, l, err) < 0)
			return -1;
		l->at = 0;
	}
	return 0;
}

/* ---- old logs ---- */

/* The time that an old log must have: the hive's, or that in its first bin. */
static int hive_time(struct replay *r, uint64_t *ret, struct sv_err *err)
{
	struct sv_regf_disk_bin bin;

	*ret = r->base.written;
	if (r->base.checksum_ok)
		return 0;
	if (sv_dev_read(r->hive, &bin, sizeof bin, SV_REGF_BINS_AT, err) < 0)
		return -1;
	*ret = sv_get_le64(bin.written);
	return 0;
}

static int take_dirt(struct replay *r, struct log *l, struct sv_err *err)
{
	size_t n = l->base.bins_size / 4096;
	sv_autofree uint8_t *bitmap = malloc(n + 4);
	uint64_t data_at = sv_align_up(ENTRIES_AT + 4 + (uint64_t)n, 512);

	if (!bitmap)
		return sv_fail_nomem(err);
	if (sv_dev_read(l->dev, bitmap, n + 4, ENTRIES_AT, err) < 0)
		return -1;
	if (memcmp(bitmap, "DIRT", 4) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, ENTRIES_AT,
			"the log goes on with 0x%08" PRIx32 ", expected 'DIRT'",
			sv_load_be32(bitmap));
	return sv_regf_parse_dirt(bitmap + 4, n, (uint8_t)(l - r->logs), data_at,
		sv_dev_size(l->dev), &r->patches, err);
}

static int replay_old(struct replay *r, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	uint64_t time;

	if (hive_time(r, &time, &why) < 0)
		time = 0;
	for (size_t i = 0; i < SV_REGF_LOGS && !r->any; i++) {
		struct log *l = &r->logs[i];

		if (!l->usable || l->base.type == SV_REGF_LOG_NEW ||
			l->base.sequence1 != l->base.sequence2 || l->base.written != time)
			continue;
		if (take_dirt(r, l, &why) < 0) {
			r->patches.n = 0;
			if (without(r, l, &why, err) < 0)
				return -1;
			continue;
		}
		r->any = true;
		r->base = l->base;
		r->state->applied++;
	}
	return 0;
}

/* ---- both ---- */

static int finish(
	struct replay *r, struct sv_regf_base *base, struct sv_dev **ret, struct sv_err *err)
{
	struct sv_dev *logs[SV_REGF_LOGS], *dev;
	uint64_t size = SV_REGF_BINS_AT + (uint64_t)r->base.bins_size;

	for (size_t i = 0; i < SV_REGF_LOGS; i++)
		logs[i] = r->logs[i].dev;
	dev = sv_regf_redirect(
		r->hive, SV_MAX(size, sv_dev_size(r->hive)), logs, &r->patches, err);
	if (!dev)
		return -1;
	r->base.checksum_ok = true;
	r->base.type = SV_REGF_PRIMARY;
	*base = r->base;
	*ret = dev;
	return 0;
}

static int replay_all(struct replay *r, struct sv_err *err)
{
	for (size_t i = 0; i < SV_REGF_LOGS; i++) {
		if (read_base(r, &r->logs[i], err) < 0)
			return -1;
	}
	if (replay_new(r, err) < 0)
		return -1;
	return r->any ? 0 : replay_old(r, err);
}

int sv_regf_replay(struct sv_dev *hive, const struct sv_hive_logs *logs,
	struct sv_regf_base *base, struct sv_hive_state *state, struct sv_dev **ret,
	struct sv_err *err)
{
	struct replay r = {.hive = hive, .base = *base, .state = state};
	int rc;

	r.logs[0] = (struct log){.dev = logs->log1, .ending = ".LOG1"};
	r.logs[1] = (struct log){.dev = logs->log2, .ending = ".LOG2"};
	r.logs[2] = (struct log){.dev = logs->log, .ending = ".LOG"};
	rc = replay_all(&r, err);
	if (rc == 0 && r.any)
		rc = finish(&r, base, ret, err);
	sv_regf_patches_free(&r.patches);
	return rc;
}
