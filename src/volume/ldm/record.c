/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parses one record. After a head of 8 bytes come fields of fixed length and of a length that
 * their first byte tells; a reader of them never passes the end, and says so once at the end.
 */
#include "volume/ldm/record.h"

#include "base/endian.h"
#include "base/num.h"
#include "volume/ldm/header.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define SECTORS_MAX (UINT64_C(1) << 50) /* so that sums and bytes never overflow */
#define PENDING_ADD 1

struct head {
	sv_be16 status;
	uint8_t flags;
	uint8_t type; /* version << 4 | kind */
	sv_be32 size; /* of what follows */
};
static_assert(sizeof(struct head) == 8, "head of a record");

enum flags { /* which fields follow; the same bit means another field in another kind */
	PARTITION_INDEX = 0x08,
	VOLUME_ID1 = 0x08,
	VOLUME_ID2 = 0x20,
	VOLUME_SIZE2 = 0x80,
	VOLUME_LETTER = 0x02,
	COMPONENT_STRIPES = 0x10,
};

struct reader {
	const uint8_t *p, *end;
	bool failed; /* something would have passed the end, or was too large */
};

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if ((size_t)(r->end - r->p) < n) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static void skip(struct reader *r, size_t n)
{
	take(r, n);
}

static uint8_t take_byte(struct reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

static uint64_t take_be64(struct reader *r)
{
	const uint8_t *p = take(r, 8);

	return p ? sv_load_be64(p) : 0;
}

/* A field with its length before it. */
static const uint8_t *take_field(struct reader *r, size_t *ret_n)
{
	*ret_n = take_byte(r);
	return take(r, *ret_n);
}

static void skip_field(struct reader *r)
{
	size_t n;

	take_field(r, &n);
}

static uint64_t take_number(struct reader *r)
{
	size_t n;
	const uint8_t *p = take_field(r, &n);
	uint64_t value = 0;

	if (n > sizeof value)
		r->failed = true;
	for (size_t i = 0; p && i < n; i++)
		value = value << 8 | p[i];
	return value;
}

static void take_text(struct reader *r, char out[SV_LDM_NAME])
{
	size_t n;
	const uint8_t *p = take_field(r, &n);

	memset(out, 0, SV_LDM_NAME);
	if (p)
		memcpy(out, p, SV_MIN(n, (size_t)SV_LDM_NAME - 1));
}

/* ---- kinds ---- */

static int bad(const struct sv_ldm_record *rec, struct sv_err *err, const char *what)
{
	return sv_fail(err, SV_CORRUPT, NULL, "record %llu of the dynamic disk's database: %s",
		(unsigned long long)rec->id, what);
}

static int parse_volume(
	struct reader *r, unsigned flags, struct sv_ldm_record *rec, struct sv_err *err)
{
	struct sv_ldm_volume *v = &rec->volume;
	char letter[SV_LDM_NAME] = "";
	const uint8_t *guid;

	skip_field(r); /* "gen", "raid5": its components tell */
	skip_field(r);
	skip(r, 14 + 1 + 1 + 1 + 3 + 1); /* state, type, ?, number, zeros, flags */
	v->children = take_number(r);
	skip(r, 8 + 8); /* of the log */
	v->size = take_number(r);
	skip(r, 4);
	v->type = take_byte(r);
	guid = take(r, sizeof v->guid);
	if (guid)
		memcpy(v->guid, guid, sizeof v->guid);
	if (flags & VOLUME_ID1)
		skip_field(r);
	if (flags & VOLUME_ID2)
		skip_field(r);
	if (flags & VOLUME_SIZE2)
		skip_field(r);
	if (flags & VOLUME_LETTER)
		take_text(r, letter);
	if (isalpha((unsigned char)letter[0]) && letter[1] == ':')
		v->letter = (char)toupper((unsigned char)letter[0]);
	return v->size > SECTORS_MAX ? bad(rec, err, "a volume's size cannot be") : 0;
}

static int parse_component(
	struct reader *r, unsigned flags, struct sv_ldm_record *rec, struct sv_err *err)
{
	struct sv_ldm_component *c = &rec->component;
	char state[SV_LDM_NAME];
	unsigned way;

	take_text(r, state);
	c->active = !strcmp(state, "ACTIVE");
	way = take_byte(r);
	skip(r, 4);
	c->children = take_number(r);
	skip(r, 8 + 8);
	c->parent = take_number(r);
	skip(r, 1);
	if (flags & COMPONENT_STRIPES) {
		c->chunk = take_number(r);
		c->columns = take_number(r);
	}
	if (!r->failed && (way < SV_LDM_STRIPED || way > SV_LDM_RAID5))
		return bad(rec, err, "a component of an unknown kind");
	c->way = (enum sv_ldm_way)way;
	return c->chunk > SECTORS_MAX ? bad(rec, err, "a chunk size that cannot be") : 0;
}

static int parse_partition(
	struct reader *r, unsigned flags, struct sv_ldm_record *rec, struct sv_err *err)
{
	struct sv_ldm_partition *p = &rec->partition;

	skip(r, 4 + 8);
	p->start = take_be64(r);
	p->offset = take_be64(r);
	p->size = take_number(r);
	p->parent = take_number(r);
	p->disk = take_number(r);
	if (flags & PARTITION_INDEX)
		p->column = take_number(r);
	if (p->start > SECTORS_MAX || p->offset > SECTORS_MAX || p->size > SECTORS_MAX)
		return bad(rec, err, "a partition's place cannot be");
	return 0;
}

static int parse_disk(
	struct reader *r, unsigned version, struct sv_ldm_record *rec, struct sv_err *err)
{
	const uint8_t *p;
	size_t n = sizeof rec->disk.guid;

	if (version == 3) {
		p = take_field(r, &n);
		return p ? sv_ldm_parse_guid((const char *)p, n, rec->disk.guid, err) : 0;
	}
	p = take(r, n);
	if (p)
		memcpy(rec->disk.guid, p, n);
	return 0;
}

static int parse_body(
	struct reader *r, const struct head *h, struct sv_ldm_record *rec, struct sv_err *err)
{
	switch (h->type) {
	case 0x51:
		return parse_volume(r, h->flags, rec, err);
	case 0x32:
		return parse_component(r, h->flags, rec, err);
	case 0x33:
		return parse_partition(r, h->flags, rec, err);
	case 0x34:
	case 0x44:
		return parse_disk(r, h->type >> 4, rec, err);
	case 0x35:
	case 0x45:
		return 0;
	default:
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"record %llu of the dynamic disk's database has type %#x",
			(unsigned long long)rec->id, h->type);
		return -1;
	}
}

int sv_ldm_parse_record(
	const uint8_t *bytes, size_t n, struct sv_ldm_record *ret, struct sv_err *err)
{
	struct reader r = {bytes, bytes + n, false};
	struct head h;

	*ret = (struct sv_ldm_record){.kind = SV_LDM_BLANK};
	if (n < sizeof h)
		return bad(ret, err, "it has no head");
	memcpy(&h, bytes, sizeof h);
	if (!(h.type & 0x0f) || sv_get_be16(h.status) == PENDING_ADD)
		return 0;
	if (sv_get_be32(h.size) > n - sizeof h)
		return bad(ret, err, "it says that it is longer than it can be");
	r.p += sizeof h;
	r.end = r.p + sv_get_be32(h.size);
	ret->id = take_number(&r);
	take_text(&r, ret->name);
	if (parse_body(&r, &h, ret, err) < 0)
		return -1;
	if (r.failed)
		return bad(ret, err, "its fields pass its end");
	ret->kind = (enum sv_ldm_kind)(h.type & 0x0f);
	return 0;
}
