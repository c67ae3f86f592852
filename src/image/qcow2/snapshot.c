/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Internal snapshots: see qcow2_snapshot.h. */
#include "image/qcow2/snapshot.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

struct disk_entry {
	sv_be64 l1_at;
	sv_be32 l1_size;
	sv_be16 id_size;
	sv_be16 name_size;
	sv_be32 date_sec;
	sv_be32 date_nsec;
	sv_be64 clock_nsec;
	sv_be32 state_size;
	sv_be32 extra_size;
};
static_assert(sizeof(struct disk_entry) == 40, "snapshot entry's size");

struct disk_extra {
	sv_be64 state_size;
	sv_be64 disk_size;
};
static_assert(sizeof(struct disk_extra) == 16, "extra data's size");

#define AT(field) offsetof(struct disk_entry, field)

static int take_l1(const struct disk_entry *d, uint64_t at, const struct sv_qcow2_header *h,
	uint64_t file_size, struct sv_qcow2_snapshot *s, struct sv_err *err)
{
	uint64_t cluster = UINT64_C(1) << h->cluster_bits;

	s->l1_at = sv_get_be64(d->l1_at);
	s->l1_size = sv_get_be32(d->l1_size);
	if (s->l1_size > SV_QCOW2_L1_MAX || s->l1_at % cluster ||
		!sv_in_range(s->l1_at, s->l1_size * UINT64_C(8), file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a snapshot's L1 table has %u entries at %llu, the file has %llu bytes",
			s->l1_size, (unsigned long long)s->l1_at,
			(unsigned long long)file_size);
	return 0;
}

static int take_sizes(const struct disk_entry *d, const uint8_t *extra, size_t n, uint64_t at,
	const struct sv_qcow2_header *h, struct sv_qcow2_snapshot *s, struct sv_err *err)
{
	struct disk_extra x;

	s->info.state_size = sv_get_be32(d->state_size);
	s->info.virtual_size = h->size;
	if (n >= sizeof x.state_size) {
		memcpy(&x.state_size, extra, sizeof x.state_size);
		s->info.state_size = sv_get_be64(x.state_size);
	}
	if (n >= sizeof x) {
		memcpy(&x, extra, sizeof x);
		s->info.virtual_size = sv_get_be64(x.disk_size);
		s->knows_size = true;
	}
	if (sv_qcow2_l1_needed(h, s->info.virtual_size) <= s->l1_size)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, at + AT(l1_size),
		"a snapshot's L1 table has %u entries, its disk of %llu bytes needs %llu",
		s->l1_size, (unsigned long long)s->info.virtual_size,
		(unsigned long long)sv_qcow2_l1_needed(h, s->info.virtual_size));
}

static int take_names(const uint8_t *bytes, size_t id_size, size_t name_size, uint64_t at,
	struct sv_qcow2_snapshot *s, struct sv_err *err)
{
	if (memchr(bytes, 0, id_size + name_size))
		return sv_fail_at(
			err, SV_CORRUPT, NULL, at, "a snapshot's name holds a NUL byte");
	s->info.id = strndup((const char *)bytes, id_size);
	s->info.name = strndup((const char *)bytes + id_size, name_size);
	return s->info.id && s->info.name ? 0 : sv_fail_nomem(err);
}

static int parse(const struct disk_entry *d, const uint8_t *bytes, uint64_t at,
	const struct sv_qcow2_header *h, uint64_t file_size, struct sv_qcow2_snapshot *s,
	struct sv_err *err)
{
	size_t extra = sv_get_be32(d->extra_size);
	const uint8_t *names = bytes + sizeof *d + extra;

	s->info.date_sec = sv_get_be32(d->date_sec);
	s->info.date_nsec = sv_get_be32(d->date_nsec);
	s->info.clock_nsec = sv_get_be64(d->clock_nsec);
	if (take_l1(d, at, h, file_size, s, err) < 0 ||
		take_sizes(d, bytes + sizeof *d, extra, at, h, s, err) < 0)
		return -1;
	return take_names(
		names, sv_get_be16(d->id_size), sv_get_be16(d->name_size), at, s, err);
}

int sv_qcow2_snapshot_parse(const uint8_t *bytes, size_t n, uint64_t at,
	const struct sv_qcow2_header *h, uint64_t file_size, struct sv_qcow2_snapshot *ret,
	size_t *ret_n, struct sv_err *err)
{
	struct sv_qcow2_snapshot s = {0};
	struct disk_entry d;
	size_t extra, total;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, at, "the snapshot table is cut short");
	memcpy(&d, bytes, sizeof d);
	extra = sv_get_be32(d.extra_size);
	if (extra > SV_QCOW2_SNAPSHOT_EXTRA_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, at + AT(extra_size),
			"a snapshot has %zu bytes of extra data, the most allowed are %u",
			extra, SV_QCOW2_SNAPSHOT_EXTRA_MAX);
	total = sizeof d + extra + sv_get_be16(d.id_size) + sv_get_be16(d.name_size);
	if (total > n)
		return sv_fail_at(err, SV_CORRUPT, NULL, at, "the snapshot table is cut short");
	if (parse(&d, bytes, at, h, file_size, &s, err) < 0) {
		sv_qcow2_snapshot_free(&s);
		return -1;
	}
	*ret = s;
	*ret_n = (size_t)sv_align_up(total, 8);
	return 0;
}

void sv_qcow2_snapshot_free(struct sv_qcow2_snapshot *s)
{
	free(s->info.id);
	free(s->info.name);
	*s = (struct sv_qcow2_snapshot){0};
}

/* ---- the table ---- */

#define ENTRY_MAX (160U * 1024) /* more than 40 + 1024 + 2 * 65535 bytes */
#define WINDOW    (1024U * 1024)

struct reader {
	struct sv_dev *file;
	uint8_t *window;
	uint64_t at; /* of the window in the file */
	size_t n;
};

/* Bytes of the file from `at` on: ENTRY_MAX or more where there are so many. */
static int look(struct reader *r, uint64_t at, size_t *ret_skip, struct sv_err *err)
{
	uint64_t size = sv_dev_size(r->file), left = size - SV_MIN(at, size);

	if (at < r->at || r->at + r->n < at + SV_MIN(left, (uint64_t)ENTRY_MAX) || !r->n) {
		r->at = at;
		r->n = (size_t)SV_MIN(left, (uint64_t)WINDOW);
		if (r->n && sv_dev_read(r->file, r->window, r->n, at, err) < 0)
			return -1;
	}
	*ret_skip = (size_t)(at - r->at);
	return 0;
}

static int load_one(struct reader *r, const struct sv_qcow2_header *h,
	struct sv_qcow2_snapshots *s, struct sv_err *err)
{
	uint64_t at = h->snapshots_at + s->bytes;
	size_t skip, used;

	if (look(r, at, &skip, err) < 0)
		return -1;
	if (sv_qcow2_snapshot_parse(r->window + skip, r->n - skip, at, h, sv_dev_size(r->file),
		    &s->all[s->n], &used, err) < 0)
		return sv_err_path(err, sv_dev_name(r->file));
	s->n++;
	s->bytes += used;
	if (s->bytes <= SV_QCOW2_SNAPSHOT_BYTES_MAX)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(r->file), h->snapshots_at,
		"the snapshot table is larger than %u bytes", SV_QCOW2_SNAPSHOT_BYTES_MAX);
}

int sv_qcow2_snapshots_load(struct sv_dev *file, const struct sv_qcow2_header *h,
	struct sv_qcow2_snapshots *ret, struct sv_err *err)
{
	sv_autofree uint8_t *window = NULL;
	struct reader r;

	*ret = (struct sv_qcow2_snapshots){0};
	if (!h->n_snapshots)
		return 0;
	window = malloc(WINDOW);
	ret->all = calloc(h->n_snapshots, sizeof *ret->all);
	if (!window || !ret->all)
		return sv_fail_nomem(err);
	r = (struct reader){file, window, 0, 0};
	while (ret->n < h->n_snapshots) {
		if (load_one(&r, h, ret, err) < 0)
			return -1;
	}
	return 0;
}

void sv_qcow2_snapshots_free(struct sv_qcow2_snapshots *s)
{
	for (size_t i = 0; i < s->n; i++)
		sv_qcow2_snapshot_free(&s->all[i]);
	free(s->all);
	*s = (struct sv_qcow2_snapshots){0};
}

const struct sv_qcow2_snapshot *sv_qcow2_snapshots_find(
	const struct sv_qcow2_snapshots *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!strcmp(s->all[i].info.id, name))
			return &s->all[i];
	}
	for (size_t i = 0; i < s->n; i++) {
		if (!strcmp(s->all[i].info.name, name))
			return &s->all[i];
	}
	return NULL;
}
