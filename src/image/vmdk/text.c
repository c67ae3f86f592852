/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Changes to the descriptor of a VMDK on the disk. It is written in its place, in one write: a
 * renamed new file would lose the file's owner, mode and locks. A content id keeps its length,
 * so that no other byte of the text moves.
 */
#include "image/vmdk/vmdk.h"

#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int write_embedded(struct sv_vmdk *v, const char *text, size_t n, struct sv_err *err)
{
	sv_autofree char *room = calloc(1, (size_t)v->desc_room);

	if (!room)
		return sv_fail_nomem(err);
	memcpy(room, text, n);
	return sv_dev_write(v->file, room, (size_t)v->desc_room, v->desc_at, err);
}

int sv_vmdk_write_text(struct sv_vmdk *v, const char *text, size_t n, struct sv_err *err)
{
	uint64_t old = sv_dev_size(v->file);

	if (n > v->desc_room)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->file),
			"the descriptor would have %zu bytes, there is room for %llu", n,
			(unsigned long long)v->desc_room);
	if (v->embedded)
		return write_embedded(v, text, n, err);
	if (n > old && sv_dev_resize(v->file, n, err) < 0)
		return -1;
	if (sv_dev_write(v->file, text, n, 0, err) < 0)
		return -1;
	return n < old ? sv_dev_resize(v->file, n, err) : 0;
}

int sv_vmdk_write_desc(struct sv_vmdk *v, struct sv_err *err)
{
	sv_autostr struct sv_str s = {0};

	sv_vmdk_desc_print(&v->desc, &s);
	if (s.failed)
		return sv_fail_nomem(err);
	return sv_vmdk_write_text(v, s.data, s.len, err);
}

int sv_vmdk_random_cid(uint32_t *ret, struct sv_err *err)
{
	do {
		if (sv_random(ret, sizeof *ret, err) < 0)
			return -1;
	} while (*ret == SV_VMDK_CID_NONE || *ret == 0);
	return 0;
}

#define LONG_ID 32 /* hex digits: VMware's longer content id, which ends in the CID */

static int random_long_id(uint32_t cid, char ret[LONG_ID + 1], struct sv_err *err)
{
	uint8_t random[12];
	char digits[25];

	if (sv_random(random, sizeof random, err) < 0)
		return -1;
	sv_hex(random, sizeof random, digits);
	snprintf(ret, LONG_ID + 1, "%s%08x", digits, cid);
	return 0;
}

static int change_long_id(char *text, size_t n, uint32_t cid, struct sv_err *err)
{
	char id[LONG_ID + 1];
	size_t at, len;

	if (!sv_vmdk_desc_locate(text, n, "ddb.longContentID", &at, &len) || len != LONG_ID)
		return 0;
	if (random_long_id(cid, id, err) < 0)
		return -1;
	memcpy(text + at, id, LONG_ID);
	return 0;
}

int sv_vmdk_desc_new_cid(struct sv_vmdk_desc *d, struct sv_err *err)
{
	char id[LONG_ID + 1];

	if (sv_vmdk_random_cid(&d->cid, err) < 0)
		return -1;
	if (!sv_vmdk_desc_get(d, "ddb.longContentID"))
		return 0;
	if (random_long_id(d->cid, id, err) < 0)
		return -1;
	return sv_vmdk_desc_set(d, "ddb.longContentID", id, err);
}

/* The text with another CID. Caller frees. */
static char *with_cid(
	const struct sv_vmdk_text *old, uint32_t cid, size_t *ret_n, struct sv_err *err)
{
	sv_autostr struct sv_str s = {0};
	size_t at, len;

	if (!sv_vmdk_desc_locate(old->text, old->n, "CID", &at, &len)) {
		sv_fail_at(
			err, SV_CORRUPT, NULL, old->at, "the descriptor has no CID any more");
		return NULL;
	}
	sv_str_addn(&s, old->text, at);
	sv_str_addf(&s, "%08x", cid);
	sv_str_addn(&s, old->text + at + len, old->n - at - len);
	if (s.failed) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (change_long_id(s.data, s.len, cid, err) < 0)
		return NULL;
	*ret_n = s.len;
	return sv_str_take(&s);
}

int sv_vmdk_change_cid(struct sv_vmdk *v, struct sv_err *err)
{
	struct sv_vmdk_text old = {0};
	sv_autofree char *old_text = NULL;
	sv_autofree char *text = NULL;
	sv_autofree char *id = NULL;
	uint32_t cid;
	size_t n;

	if (v->cid_changed)
		return 0;
	if (sv_vmdk_random_cid(&cid, err) < 0 || sv_vmdk_read_text(v->file, &old, err) < 0)
		return -1;
	old_text = old.text;
	text = with_cid(&old, cid, &n, err);
	id = sv_format("%08x", cid);
	if (!text || !id)
		return text ? sv_fail_nomem(err) : sv_err_path(err, sv_dev_name(v->file));
	/* durable before the first change of the data: children must be able to tell */
	if (sv_vmdk_write_text(v, text, n, err) < 0 || sv_dev_flush(v->file, err) < 0)
		return -1;
	v->cid_changed = true;
	v->desc.cid = cid;
	free(v->link.info.id);
	v->link.info.id = SV_STEAL(id);
	return 0;
}
