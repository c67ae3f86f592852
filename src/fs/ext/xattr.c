/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Extended attributes: Linux, Documentation/filesystems/ext4/attributes.rst. They lie behind
 * the fields of an inode, in one block, and large values in inodes of their own. The attribute
 * "system.data" is content of the file and is not told as an attribute.
 */
#include "fs/ext/ext.h"

#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_MAX (256 + 32)
#define VALUE_MAX (1u << 20) /* of one value; Linux allows 64 KiB */
#define TOTAL_MAX                                                                              \
	(16u << 20) /* of all that one file has: a value may be named again and again */

enum { INDEX_ACL = 2, INDEX_ACL_DEFAULT = 3, INDEX_SYSTEM = 7, INDEX_ENCRYPTION = 9 };

static const char *const prefixes[] = {
	[1] = "user.",
	[INDEX_ACL] = "system.posix_acl_access",
	[INDEX_ACL_DEFAULT] = "system.posix_acl_default",
	[4] = "trusted.",
	[5] = "lustre.",
	[6] = "security.",
	[INDEX_SYSTEM] = "system.",
	[8] = "system.richacl",
	[10] = "gnu.",
};

static int wrong(struct sv_err *err, size_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "an extended attribute's %s is %llu", what,
		(unsigned long long)found);
}

int sv_ext_next_xattr(const uint8_t *area, size_t n, size_t base, size_t *at,
	struct sv_ext_xattr *ret, struct sv_err *err)
{
	struct ext_xattr_entry d;
	size_t begin = *at, offset;

	/* four zero bytes end the list, and so does the area */
	if (!sv_in_range(begin, 4, n) || !sv_load_le32(area + begin))
		return 0;
	if (!sv_in_range(begin, sizeof d, n))
		return wrong(err, begin, "place", begin);
	memcpy(&d, area + begin, sizeof d);
	if (!sv_in_range(begin + sizeof d, d.name_length, n))
		return wrong(err, begin, "name's length", d.name_length);
	*ret = (struct sv_ext_xattr){
		.index = d.index,
		.name = area + begin + sizeof d,
		.name_len = d.name_length,
		.size = sv_get_le32(d.value_size),
		.value_ino = sv_get_le32(d.value_ino),
	};
	if (ret->size > VALUE_MAX)
		return wrong(err, begin, "size", ret->size);
	if (!ret->value_ino) {
		offset = base + sv_get_le16(d.value_offset);
		if (ret->size && !sv_in_range(offset, ret->size, n))
			return wrong(err, begin, "value's offset", offset);
		ret->value = area + (ret->size ? offset : 0);
	}
	*at = begin + sv_align_up(sizeof d + d.name_length, 4);
	return 1;
}

/* ---- the two places where they lie ---- */

struct areas {
	uint8_t *body, *block; /* owned; NULL where there is none */
	size_t body_n, block_n;
};

static void areas_free(struct areas *a)
{
	free(a->body);
	free(a->block);
}

/* What lies in the inode; v->raw must hold it. */
static int load_body(
	struct sv_ext *v, const struct sv_ext_inode *i, struct areas *a, struct sv_err *err)
{
	size_t n = v->super.inode_size - i->body;

	if (n < 4 || sv_load_le32(v->raw + i->body) != EXT_XATTR_MAGIC)
		return 0;
	a->body_n = n - 4;
	a->body = malloc(n);
	if (!a->body)
		return sv_fail_nomem(err);
	memcpy(a->body, v->raw + i->body + 4, n - 4);
	return 0;
}

static bool block_sum_ok(const struct sv_ext *v, const uint8_t *block, uint64_t pblk)
{
	static const uint8_t zeros[4];
	const size_t at = offsetof(struct ext_xattr_block, checksum);
	sv_le64 number = sv_put_le64(pblk);
	uint32_t crc;

	if (!v->super.checksums)
		return true;
	crc = sv_ext_crc(v->super.seed, &number, sizeof number);
	crc = sv_ext_crc(crc, block, at);
	crc = sv_ext_crc(crc, zeros, sizeof zeros);
	crc = sv_ext_crc(crc, block + at + 4, v->super.block_size - at - 4);
	return crc == sv_load_le32(block + at);
}

static int load_block(
	struct sv_ext *v, const struct sv_ext_inode *i, struct areas *a, struct sv_err *err)
{
	const size_t size = v->super.block_size;
	uint64_t at = i->file_acl * size;

	if (!i->file_acl)
		return 0;
	if (i->file_acl >= v->super.blocks)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"inode %llu: its attributes' block %llu does not lie on the volume",
			(unsigned long long)i->ino, (unsigned long long)i->file_acl);
	a->block = malloc(size);
	if (!a->block)
		return sv_fail_nomem(err);
	if (sv_dev_read(v->dev, a->block, size, at, err) < 0)
		return -1;
	if (sv_load_le32(a->block) != EXT_XATTR_MAGIC)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
			"a block of attributes begins with %#x, expected %#x",
			sv_load_le32(a->block), EXT_XATTR_MAGIC);
	if (!block_sum_ok(v, a->block, i->file_acl))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
			"the checksum of a block of attributes is wrong");
	a->block_n = size;
	return 0;
}

/* ---- content that lies in the inode ---- */

static bool is_data(const struct sv_ext_xattr *x)
{
	return x->index == INDEX_SYSTEM && x->name_len == 4 && !memcmp(x->name, "data", 4);
}

/* The attribute that goes on where i_block ends; false where there is none. */
static bool find_data(const struct areas *a, struct sv_ext_xattr *ret)
{
	size_t at = 0;

	while (sv_ext_next_xattr(a->body, a->body_n, 0, &at, ret, NULL) == 1) {
		if (is_data(ret) && ret->value)
			return true;
	}
	return false;
}

void *sv_ext_inline_data(
	struct sv_ext *v, const struct sv_ext_inode *i, size_t *ret_n, struct sv_err *err)
{
	SV_CLEANUP(areas_free) struct areas a = {0};
	struct sv_ext_xattr x = {0};
	const size_t head = sizeof i->block;
	struct sv_ext_inode again;
	uint8_t *data;

	if ((v->raw_ino != i->ino && sv_ext_load(v, i->ino, &again, err) < 0) ||
		load_body(v, i, &a, err) < 0)
		return NULL;
	if (!find_data(&a, &x))
		x.size = 0;
	data = malloc(head + x.size);
	if (!data) {
		sv_fail_nomem(err);
		return NULL;
	}
	memcpy(data, i->block, head);
	if (x.size)
		memcpy(data + head, x.value, x.size);
	*ret_n = (size_t)SV_MIN(i->size, (uint64_t)head + x.size);
	return data;
}

/* ---- telling ---- */

struct telling {
	struct sv_ext *v;
	sv_fs_xattr_fn fn;
	void *user;
	size_t total;
};

static bool name_of(const struct sv_ext_xattr *x, char ret[NAMES_MAX])
{
	const char *prefix = x->index < SV_ARRAY_LEN(prefixes) ? prefixes[x->index] : NULL;

	if (!prefix ||
		(x->index == INDEX_SYSTEM && x->name_len == 4 && !memcmp(x->name, "data", 4)))
		return false;
	snprintf(ret, NAMES_MAX, "%s%.*s", prefix, (int)x->name_len, (const char *)x->name);
	return true;
}

/* A value in an inode of its own. */
static void *read_value(struct sv_ext *v, const struct sv_ext_xattr *x, struct sv_err *err)
{
	sv_autofree uint8_t *value = malloc(x->size ? x->size : 1);
	struct sv_ext_map m = {0};
	size_t got = 0;
	int rc;

	if (!value) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_ext_load(v, x->value_ino, &m.inode, err) < 0)
		return NULL;
	if (!(m.inode.flags & EXT_FL_EA_INODE)) {
		sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"inode %llu is named as an attribute's value and holds none",
			(unsigned long long)x->value_ino);
		return NULL;
	}
	rc = sv_ext_check_inode(v, &m.inode, err);
	if (rc == 0)
		rc = sv_ext_map_read(v, &m, value, x->size, 0, &got, err);
	sv_ext_map_free(&m);
	if (rc < 0)
		return NULL;
	memset(value + got, 0, x->size - got);
	return SV_STEAL(value);
}

static int tell(struct telling *t, const struct sv_ext_xattr *x, struct sv_err *err)
{
	sv_autofree void *owned = NULL, *acl = NULL;
	const void *value = x->value;
	char name[NAMES_MAX];
	size_t n = x->size;

	if (!name_of(x, name))
		return 0;
	t->total += n;
	if (t->total > TOTAL_MAX)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(t->v->dev),
			"more than %u bytes of extended attributes", TOTAL_MAX);
	if (x->value_ino)
		value = owned = read_value(t->v, x, err);
	if (value && (x->index == INDEX_ACL || x->index == INDEX_ACL_DEFAULT)) {
		value = acl = sv_ext_acl(value, n, &n, err);
		if (!acl)
			sv_err_path(err, sv_dev_name(t->v->dev));
	}
	return value ? t->fn(t->user, name, value, n) : -1;
}

/* `place`: of the area on the volume, for messages. */
static int each(struct telling *t, const uint8_t *area, size_t n, size_t at, uint64_t place,
	struct sv_err *err)
{
	struct sv_ext_xattr x;
	int rc;

	while ((rc = sv_ext_next_xattr(area, n, 0, &at, &x, err)) == 1) {
		rc = tell(t, &x, err);
		if (rc)
			return rc;
	}
	if (rc < 0) {
		sv_err_path(err, sv_dev_name(t->v->dev));
		if (place)
			sv_err_shift(err, place);
		else if (err)
			err->has_offset = false;
	}
	return rc;
}

int sv_ext_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err)
{
	SV_CLEANUP(areas_free) struct areas a = {0};
	struct telling t = {.v = sv_ext_of(fs), .fn = fn, .user = user};
	struct sv_ext_inode i;
	int rc;

	if (sv_ext_load_used(t.v, ino, &i, err) < 0 || sv_ext_check_inode(t.v, &i, err) < 0 ||
		load_body(t.v, &i, &a, err) < 0)
		return -1;
	rc = a.body ? each(&t, a.body, a.body_n, 0, 0, err) : 0;
	if (rc || load_block(t.v, &i, &a, err) < 0)
		return rc ? rc : -1;
	if (!a.block)
		return 0;
	return each(&t, a.block, a.block_n, sizeof(struct ext_xattr_block),
		i.file_acl * t.v->super.block_size, err);
}
