/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Extended attributes of XFS: in the inode, or in leaf blocks of the attribute fork, below a
 * tree where there are many. Large values lie in blocks of their own. POSIX ACLs are kept in
 * an attribute of the system's and told in the form of getxattr(2).
 */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define FLAG_LOCAL      0x01u
#define FLAG_ROOT       0x02u /* "trusted." */
#define FLAG_SECURE     0x04u
#define FLAG_PARENT     0x08u /* names the parent: the file system's own */
#define FLAG_INCOMPLETE 0x80u
#define VALUE_MAX       65536u
#define BLOCKS_MAX      65536u /* leaves that one inode may have */
#define REMOTE_HEADER   56u

#define MAGIC_LEAF_V4   0xfbeeu
#define MAGIC_LEAF_V5   0x3beeu
#define MAGIC_NODE_V4   0xfebeu
#define MAGIC_NODE_V5   0x3ebeu

struct reading {
	struct sv_xfs *v;
	const struct sv_xfs_inode *i;
	sv_fs_xattr_fn fn;
	void *user;
	struct sv_err *err;
};

/* ---- telling one ---- */

/* An ACL on the disk: a count, then tag, id and permissions of twelve bytes. */
static int tell_acl(struct reading *r, const char *name, const uint8_t *b, size_t n)
{
	size_t count = n >= 4 ? sv_load_be32(b) : 0;
	uint8_t *out;
	int rc;

	if (n < 4 || count > (n - 4) / 12)
		return sv_fail(r->err, SV_CORRUPT, sv_dev_name(r->v->dev),
			"an ACL of inode %llu has %zu entries in %zu bytes",
			(unsigned long long)r->i->ino, count, n);
	out = malloc(4 + 8 * count);
	if (!out)
		return sv_fail_nomem(r->err);
	sv_store_le32(out, 2);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *e = b + 4 + 12 * i;
		uint32_t tag = sv_load_be32(e);
		bool named = tag == 2 || tag == 8; /* a user, a group */

		sv_store_le16(out + 4 + 8 * i, (uint16_t)tag);
		sv_store_le16(out + 6 + 8 * i, sv_load_be16(e + 8));
		sv_store_le32(out + 8 + 8 * i, named ? sv_load_be32(e + 4) : UINT32_MAX);
	}
	rc = r->fn(r->user, name, out, 4 + 8 * count);
	free(out);
	return rc;
}

static int tell(struct reading *r, unsigned flags, const uint8_t *name, size_t name_len,
	const uint8_t *value, size_t n)
{
	const char *prefix = flags & FLAG_ROOT     ? "trusted."
			     : flags & FLAG_SECURE ? "security."
						   : "user.";
	char whole[16 + XFS_NAME_MAX + 1];

	if (flags & FLAG_PARENT)
		return 0;
	if (flags & FLAG_ROOT && name_len == 12 && !memcmp(name, "SGI_ACL_FILE", 12))
		return tell_acl(r, "system.posix_acl_access", value, n);
	if (flags & FLAG_ROOT && name_len == 15 && !memcmp(name, "SGI_ACL_DEFAULT", 15))
		return tell_acl(r, "system.posix_acl_default", value, n);
	snprintf(whole, sizeof whole, "%s%.*s", prefix, (int)name_len, (const char *)name);
	return r->fn(r->user, whole, value, n);
}

/* ---- in the inode ---- */

static int each_short(struct reading *r, const uint8_t *b, size_t n)
{
	size_t at = 4;
	unsigned count = n >= 4 ? b[2] : 0;
	int rc = 0;

	for (unsigned i = 0; !rc && i < count; i++) {
		size_t name_len = at + 3 <= n ? b[at] : 0,
		       value_len = at + 3 <= n ? b[at + 1] : 0;

		if (!name_len || !sv_in_range(at, 3 + name_len + value_len, n))
			return sv_fail(r->err, SV_CORRUPT, sv_dev_name(r->v->dev),
				"attribute %u of %u of inode %llu goes beyond its fork", i,
				count, (unsigned long long)r->i->ino);
		rc = tell(r, b[at + 2], b + at + 3, name_len, b + at + 3 + name_len, value_len);
		at += 3 + name_len + value_len;
	}
	return rc;
}

/* ---- leaves ---- */

static int bad_leaf(struct reading *r, uint64_t at, const char *what, uint64_t found)
{
	return sv_fail_at(r->err, SV_CORRUPT, sv_dev_name(r->v->dev), at,
		"the attributes of inode %llu: %s %llu", (unsigned long long)r->i->ino, what,
		(unsigned long long)found);
}

static int tell_remote(struct reading *r, unsigned flags, const uint8_t *name, size_t name_len,
	uint64_t lblk, size_t n)
{
	size_t head = r->v->super.v5 ? REMOTE_HEADER : 0, block = r->v->super.block, got = 0;
	sv_autofree uint8_t *value = malloc(n + 1), *buf = malloc(block);
	uint64_t at;

	if (!value || !buf)
		return sv_fail_nomem(r->err);
	for (; got < n; lblk++) {
		size_t now = SV_MIN(n - got, block - head);

		if (sv_xfs_read_fork(r->v, r->i, &r->i->attr, lblk, buf, block, &at, r->err) <
			0)
			return -1;
		if (head && (memcmp(buf, "XARM", 4) != 0 || !sv_xfs_crc_ok(buf, block, 12) ||
				    sv_load_be64(buf + 32) != r->i->ino))
			return bad_leaf(r, at, "a block of a value is not its own, found inode",
				sv_load_be64(buf + 32));
		memcpy(value + got, buf + head, now);
		got += now;
	}
	return tell(r, flags, name, name_len, value, n);
}

static int tell_entry(
	struct reading *r, const uint8_t *b, size_t at_name, unsigned flags, uint64_t at)
{
	size_t block = r->v->super.block, n, name_len;
	const uint8_t *e = b + at_name;

	if (flags & FLAG_LOCAL) {
		if (!sv_in_range(at_name, 3, block))
			return bad_leaf(r, at, "a name lies at", at_name);
		n = sv_load_be16(e);
		name_len = e[2];
		if (!sv_in_range(at_name, 3 + name_len + n, block))
			return bad_leaf(r, at, "a value has a length of", n);
		return tell(r, flags, e + 3, name_len, e + 3 + name_len, n);
	}
	if (!sv_in_range(at_name, 9, block) || !sv_in_range(at_name, 9 + (size_t)e[8], block))
		return bad_leaf(r, at, "a name lies at", at_name);
	if (sv_load_be32(e + 4) > VALUE_MAX)
		return bad_leaf(r, at, "a value has a length of", sv_load_be32(e + 4));
	return tell_remote(r, flags, e + 9, e[8], sv_load_be32(e), sv_load_be32(e + 4));
}

static int each_in_leaf(struct reading *r, const uint8_t *b, uint64_t at)
{
	size_t info = r->v->super.v5 ? 56 : 12, head = r->v->super.v5 ? 80 : 32;
	unsigned count = sv_load_be16(b + info);
	int rc = 0;

	if (head + 8 * (size_t)count > r->v->super.block)
		return bad_leaf(r, at, "a leaf has entries:", count);
	for (unsigned i = 0; !rc && i < count; i++) {
		const uint8_t *e = b + head + 8 * (size_t)i;

		if (!(e[6] & FLAG_INCOMPLETE))
			rc = tell_entry(r, b, sv_load_be16(e + 4), e[6], at);
	}
	return rc;
}

/* Reads a block and tells whether it is a leaf; SV_CORRUPT where it is neither. */
static int load_block(
	struct reading *r, uint64_t lblk, uint8_t *b, uint64_t *ret_at, bool *ret_leaf)
{
	bool v5 = r->v->super.v5;
	unsigned magic;

	if (sv_xfs_read_fork(
		    r->v, r->i, &r->i->attr, lblk, b, r->v->super.block, ret_at, r->err) < 0)
		return -1;
	magic = sv_load_be16(b + 8);
	*ret_leaf = magic == (v5 ? MAGIC_LEAF_V5 : MAGIC_LEAF_V4);
	if (!*ret_leaf && magic != (v5 ? MAGIC_NODE_V5 : MAGIC_NODE_V4))
		return bad_leaf(r, *ret_at, "a block begins with", magic);
	if (v5 &&
		(!sv_xfs_crc_ok(b, r->v->super.block, 12) || sv_load_be64(b + 48) != r->i->ino))
		return bad_leaf(r, *ret_at, "a block has a wrong checksum, or is of inode",
			sv_load_be64(b + 48));
	return 0;
}

/* Down to the first leaf, then from leaf to leaf. */
static int each_leaf(struct reading *r)
{
	size_t node_head = r->v->super.v5 ? 64 : 16;
	sv_autofree uint8_t *b = malloc(r->v->super.block);
	uint64_t lblk = 0, at;
	bool leaf = false;
	int rc = 0;

	if (!b)
		return sv_fail_nomem(r->err);
	for (unsigned depth = 0; !leaf; depth++) {
		if (load_block(r, lblk, b, &at, &leaf) < 0)
			return -1;
		if (leaf)
			break;
		lblk = sv_load_be32(b + node_head + 4);
		if (depth == XFS_TREE_DEPTH)
			return bad_leaf(r, at, "their tree has levels, at least", depth);
	}
	for (unsigned n = 0;; n++) {
		rc = each_in_leaf(r, b, at);
		lblk = sv_load_be32(b);
		if (rc || !lblk)
			return rc;
		if (n == BLOCKS_MAX)
			return bad_leaf(r, at, "leaves without an end, at least", n);
		if (load_block(r, lblk, b, &at, &leaf) < 0)
			return -1;
		if (!leaf)
			return bad_leaf(r, at, "where a leaf belongs lies a node, block", lblk);
	}
}

int sv_xfs_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err)
{
	struct sv_xfs *v = sv_xfs_of(fs);
	struct sv_xfs_inode i;
	struct reading r = {.v = v, .i = &i, .fn = fn, .user = user, .err = err};

	if (sv_xfs_load(v, ino, &i, err) < 0 || sv_xfs_check_inode(v, &i, err) < 0)
		return -1;
	if (!i.attr.size)
		return 0;
	if (i.attr.format == XFS_FORK_LOCAL)
		return each_short(&r, i.raw + i.attr.at,
			i.attr.size < 4 ? 0
					: SV_MIN((size_t)sv_load_be16(i.raw + i.attr.at),
						  (size_t)i.attr.size));
	if (i.attr.format == XFS_FORK_EXTENTS && !i.attr.extents)
		return 0;
	if (i.attr.format == XFS_FORK_DEV)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the attributes of inode %llu are a device", (unsigned long long)ino);
	return each_leaf(&r);
}
