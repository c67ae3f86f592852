/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inodes: Linux, Documentation/filesystems/ext4/inodes.rst and checksums.rst. How long an
 * inode's extra part is stands in the inode itself; fields beyond it are zero.
 */
#include "fs/ext/ext.h"

#include "base/num.h"
#include "fs/ext/fast.h"

#include <string.h>

#define AT(field) offsetof(struct ext_inode, field)
/* The parts that only extra_isize says are there. */
#define HAS(extra, field)                                                                      \
	((extra) >= AT(field) - EXT_OLD_INODE + sizeof(((struct ext_inode *)0)->field))

enum {
	TYPE_FIFO = 1,
	TYPE_CHAR = 2,
	TYPE_DIR = 4,
	TYPE_BLOCK = 6,
	TYPE_FILE = 8,
	TYPE_LINK = 10,
	TYPE_SOCKET = 12
};

enum sv_fs_type sv_ext_type_of(uint16_t mode)
{
	switch (mode >> 12) {
	case TYPE_FIFO:
		return SV_FS_FIFO;
	case TYPE_CHAR:
		return SV_FS_CHAR;
	case TYPE_DIR:
		return SV_FS_DIR;
	case TYPE_BLOCK:
		return SV_FS_BLOCK;
	case TYPE_FILE:
		return SV_FS_FILE;
	case TYPE_LINK:
		return SV_FS_SYMLINK;
	case TYPE_SOCKET:
		return SV_FS_SOCKET;
	default:
		return SV_FS_OTHER;
	}
}

/* Two bits of the extra field go above the 32 bits of seconds, thirty are nanoseconds. */
static struct sv_fs_time time_of(sv_le32 seconds, sv_le32 extra_field)
{
	uint32_t extra = sv_get_le32(extra_field);

	return (struct sv_fs_time){
		.sec = (int32_t)sv_get_le32(seconds) + ((int64_t)(extra & 3) << 32),
		.nsec = SV_MIN(extra >> 2, 999999999u),
	};
}

static void take_times(const struct ext_inode *d, struct sv_ext_inode *i)
{
	i->mtime = time_of(d->mtime, d->mtime_extra);
	i->atime = time_of(d->atime, d->atime_extra);
	i->ctime = time_of(d->ctime, d->ctime_extra);
	i->born = time_of(d->born, d->born_extra);
}

/* High halves that file systems without the feature leave zero are taken as they are. */
static void take_sizes(
	const struct ext_inode *d, const struct sv_ext_super *s, struct sv_ext_inode *i)
{
	uint64_t blocks = sv_get_le32(d->blocks_lo) | (uint64_t)sv_get_le16(d->blocks_hi) << 32;
	bool wide = (i->mode >> 12) == TYPE_FILE ||
		    ((i->mode >> 12) == TYPE_DIR && sv_ext_has(s, EXT_INCOMPAT_LARGEDIR));

	i->size = sv_get_le32(d->size_lo);
	if (wide)
		i->size |= (uint64_t)sv_get_le32(d->size_hi) << 32;
	i->allocated = blocks * (i->flags & EXT_FL_HUGE_FILE ? s->block_size : 512);
	i->file_acl = sv_get_le32(d->file_acl_lo);
	if (sv_ext_has(s, EXT_INCOMPAT_64BIT))
		i->file_acl |= (uint64_t)sv_get_le16(d->file_acl_hi) << 32;
}

/* The sum covers the inode with its own two fields as zeros; *ret_wide: the upper one counts.
 */
static uint32_t sum_of(const uint8_t *bytes, const struct sv_ext_super *s, uint32_t seed,
	uint32_t extra, bool *ret_wide)
{
	static const uint8_t zeros[2];
	size_t at = AT(checksum_lo) + 2;
	uint32_t crc = sv_ext_crc(seed, bytes, AT(checksum_lo));

	crc = sv_ext_crc(crc, zeros, sizeof zeros);
	*ret_wide = s->inode_size > EXT_OLD_INODE && HAS(extra, checksum_hi);
	if (!*ret_wide)
		return (uint16_t)sv_ext_crc(crc, bytes + at, s->inode_size - at);
	crc = sv_ext_crc(crc, bytes + at, AT(checksum_hi) - at);
	crc = sv_ext_crc(crc, zeros, sizeof zeros);
	at = AT(checksum_hi) + 2;
	return sv_ext_crc(crc, bytes + at, s->inode_size - at);
}

static bool checksum_ok(const uint8_t *bytes, const struct sv_ext_super *s,
	const struct sv_ext_inode *i, uint32_t extra)
{
	uint32_t found = sv_load_le16(bytes + AT(checksum_lo));
	bool wide;
	uint32_t sum = sum_of(bytes, s, i->seed, extra, &wide);

	if (wide)
		found |= (uint32_t)sv_load_le16(bytes + AT(checksum_hi)) << 16;
	return sum == found;
}

void sv_ext_seal_inode(
	uint8_t *bytes, const struct sv_ext_super *s, const struct sv_ext_inode *i)
{
	uint32_t extra =
		s->inode_size > EXT_OLD_INODE ? sv_load_le16(bytes + EXT_OLD_INODE) : 0;
	bool wide;
	uint32_t sum;

	if (!s->checksums)
		return;
	sum = sum_of(bytes, s, i->seed, extra, &wide);
	sv_store_le16(bytes + AT(checksum_lo), (uint16_t)sum);
	if (wide)
		sv_store_le16(bytes + AT(checksum_hi), (uint16_t)(sum >> 16));
}

static uint32_t seed_of(const struct sv_ext_super *s, uint64_t ino, sv_le32 generation)
{
	sv_le32 number = sv_put_le32((uint32_t)ino);
	uint32_t crc = sv_ext_crc(s->seed, &number, sizeof number);

	return sv_ext_crc(crc, &generation, sizeof generation);
}

/* Copies what the inode has of its fields; *ret_extra is the length of its extra part. */
static int take_fields(const uint8_t *bytes, const struct sv_ext_super *s, uint64_t ino,
	struct ext_inode *ret, uint32_t *ret_extra, struct sv_err *err)
{
	uint32_t extra = 0, room = s->inode_size - EXT_OLD_INODE;

	if (room) {
		extra = sv_load_le16(bytes + EXT_OLD_INODE);
		if (extra > room || extra % 4)
			return sv_fail_at(err, SV_CORRUPT, NULL, EXT_OLD_INODE,
				"inode %llu: its extra part has %u bytes, expected a multiple of "
				"4 up to %u",
				(unsigned long long)ino, extra, room);
	}
	memcpy(ret, bytes, SV_MIN(sizeof *ret, (size_t)EXT_OLD_INODE + extra));
	*ret_extra = extra;
	return 0;
}

int sv_ext_parse_inode(const uint8_t *bytes, size_t n, const struct sv_ext_super *s,
	uint64_t ino, struct sv_ext_inode *ret, struct sv_err *err)
{
	struct sv_ext_inode i = {.ino = ino};
	struct ext_inode d = {0};
	uint32_t extra = 0;

	if (n < s->inode_size)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, n, "inode %llu is cut", (unsigned long long)ino);
	if (take_fields(bytes, s, ino, &d, &extra, err) < 0)
		return -1;
	i.mode = sv_get_le16(d.mode);
	i.links = sv_get_le16(d.links);
	i.flags = sv_get_le32(d.flags);
	i.uid = (uint32_t)sv_get_le16(d.uid_hi) << 16 | sv_get_le16(d.uid_lo);
	i.gid = (uint32_t)sv_get_le16(d.gid_hi) << 16 | sv_get_le16(d.gid_lo);
	i.generation = sv_get_le32(d.generation);
	i.project = sv_get_le32(d.project);
	take_times(&d, &i);
	take_sizes(&d, s, &i);
	memcpy(i.block, d.block, sizeof i.block);
	i.body = extra ? EXT_OLD_INODE + extra : s->inode_size;
	i.seed = seed_of(s, ino, d.generation);
	i.checksum_ok = !s->checksums || checksum_ok(bytes, s, &i, extra);
	*ret = i;
	return 0;
}

/* Device numbers: of 16 bits in the first word, else of 32 bits in the second. */
static void describe_device(const struct sv_ext_inode *i, struct sv_fs_stat *st)
{
	uint32_t old = sv_load_le32(i->block), wide = sv_load_le32(i->block + 4);

	if (old) {
		st->dev_major = old >> 8 & 0xff;
		st->dev_minor = old & 0xff;
		return;
	}
	st->dev_major = wide >> 8 & 0xfff;
	st->dev_minor = (wide & 0xff) | (wide >> 12 & 0xfff00);
}

void sv_ext_describe(
	const struct sv_ext_inode *i, const struct sv_ext_super *s, struct sv_fs_stat *ret)
{
	struct sv_fs_stat st = {
		.ino = i->ino,
		.type = sv_ext_type_of(i->mode),
		.size = i->size,
		.allocated = i->allocated,
		.mtime = i->mtime,
		.atime = i->atime,
		.ctime = i->ctime,
		.born = i->born,
		.mode = i->mode & 07777,
		.owned = true,
		.uid = i->uid,
		.gid = i->gid,
		.nlink = i->links,
		.encrypted = i->flags & EXT_FL_ENCRYPT,
	};

	if (st.type == SV_FS_CHAR || st.type == SV_FS_BLOCK)
		describe_device(i, &st);
	if (st.type == SV_FS_FILE) {
		/* the last block of a file may be shorter than it is */
		st.sparse = !(i->flags & EXT_FL_INLINE_DATA) &&
			    i->allocated < sv_align_down(i->size, s->block_size);
		st.compressed = sv_ext_has(s, EXT_INCOMPAT_COMPRESSION) &&
				i->flags & EXT_FL_COMPRESSED_BLOCKS;
	}
	*ret = st;
}

/* ---- loading ---- */

static int read_group(struct sv_ext *v, uint32_t group, uint64_t at, struct sv_ext_group *ret,
	struct sv_err *err)
{
	uint8_t bytes[1024];

	if (sv_dev_read(v->dev, bytes, v->super.desc_size, at, err) < 0)
		return -1;
	if (sv_ext_parse_group(bytes, v->super.desc_size, &v->super, group, ret, err) == 0)
		return 0;
	sv_err_shift(err, at);
	return sv_err_path(err, sv_dev_name(v->dev));
}

/* A copy of the descriptor that is whole; how much of the table is in use it may not know. */
static bool read_backup(struct sv_ext *v, uint32_t group, struct sv_ext_group *ret)
{
	struct sv_ext_group g;
	uint64_t at;

	if (!sv_ext_group_backup(&v->super, group, &at) ||
		read_group(v, group, at, &g, NULL) < 0 || !g.checksum_ok)
		return false;
	g.inodes = v->super.inodes_per_group;
	*ret = g;
	return true;
}

int sv_ext_load_group(
	struct sv_ext *v, uint32_t group, const struct sv_ext_group **ret, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	int rc;

	*ret = &v->group;
	if (v->group_valid && v->group_number == group)
		return 0;
	v->group_valid = false;
	rc = read_group(v, group, sv_ext_group_place(&v->super, group), &v->group, &why);
	if ((rc < 0 || !v->group.checksum_ok) && !read_backup(v, group, &v->group)) {
		if (rc < 0) {
			sv_err_copy(err, &why);
			return -1;
		}
		/* its numbers are possible: the inodes' own sums tell whether they are right */
		v->group.inodes = v->super.inodes_per_group;
	}
	v->group_number = group;
	v->group_valid = true;
	return 0;
}

/* Where an inode lies on the volume. */
static int place_of(struct sv_ext *v, uint64_t ino, uint64_t *ret, struct sv_err *err)
{
	const struct sv_ext_group *g;
	uint64_t index = ino - 1;

	if (!ino || ino > v->super.inodes ||
		index / v->super.inodes_per_group >= v->super.groups)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"there is no inode %llu, the volume has %llu", (unsigned long long)ino,
			(unsigned long long)v->super.inodes);
	if (sv_ext_load_group(v, (uint32_t)(index / v->super.inodes_per_group), &g, err) < 0)
		return -1;
	*ret = g->inode_table * v->super.block_size +
	       index % v->super.inodes_per_group * v->super.inode_size;
	return 0;
}

int sv_ext_load(struct sv_ext *v, uint64_t ino, struct sv_ext_inode *ret, struct sv_err *err)
{
	bool merged = false;
	uint64_t at;

	if (place_of(v, ino, &at, err) < 0)
		return -1;
	v->raw_ino = 0;
	if (sv_dev_read(v->dev, v->raw, v->super.inode_size, at, err) < 0)
		return -1;
	if (v->fast)
		merged = sv_ext_fast_inode(v->fast, &v->super, ino, v->raw);
	if (sv_ext_parse_inode(v->raw, v->super.inode_size, &v->super, ino, ret, err) < 0) {
		sv_err_shift(err, at);
		return sv_err_path(err, sv_dev_name(v->dev));
	}
	ret->checksum_ok |= merged; /* its sum is of before */
	v->raw_ino = ino;
	return 0;
}

int sv_ext_load_used(
	struct sv_ext *v, uint64_t ino, struct sv_ext_inode *ret, struct sv_err *err)
{
	struct sv_ext_inode i;
	uint64_t at;

	if (sv_ext_load(v, ino, &i, err) < 0)
		return -1;
	if (i.mode && i.links) {
		*ret = i;
		return 0;
	}
	if (place_of(v, ino, &at, err) < 0)
		return -1;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
		"inode %llu is not in use (mode %#o, %u links)", (unsigned long long)ino,
		i.mode, i.links);
}

int sv_ext_blame(struct sv_ext *v, uint64_t ino, uint64_t delta, struct sv_err *err)
{
	uint64_t at;

	if (place_of(v, ino, &at, NULL) == 0)
		sv_err_shift(err, at + delta);
	sv_err_path(err, sv_dev_name(v->dev));
	return sv_err_context(err, "inode %llu", (unsigned long long)ino);
}

int sv_ext_check_inode(struct sv_ext *v, const struct sv_ext_inode *i, struct sv_err *err)
{
	uint64_t at;

	if (i->checksum_ok)
		return 0;
	if (place_of(v, i->ino, &at, err) < 0)
		return -1;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
		"inode %llu: its checksum is wrong", (unsigned long long)i->ino);
}
