/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is on a volume, told by its signatures. Recognising is wider than reading: a volume
 * that cannot be read is still named. A signature alone is believed only where it is long or
 * where other fields agree with it, because boot code and leftovers look like many things.
 *
 * Sources: the formats' own documents, named at the functions where they are more than a
 * signature. Only the first 72 KiB, some bytes behind them, and the end of the volume are read.
 */
#include "fs/fs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define HEAD_SIZE (72u * 1024) /* up to btrfs' superblock at 64 KiB */

struct head {
	struct sv_dev *dev;
	uint8_t *bytes;
	size_t n; /* less than HEAD_SIZE on a smaller volume */
};

struct magic {
	const char *type;
	uint32_t offset;
	uint32_t len;
	const char *bytes;
};

/* Signatures of six bytes and more, and shorter ones that no other format has there. */
static const struct magic magics[] = {
	{"bitlocker", 3, 8, "-FVE-FS-"},
	/* BitLocker To Go looks like FAT; the GUID of its information tells */
	{"bitlocker", 424, 16,
		"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"},
	{"exfat", 3, 8, "EXFAT   "},
	{"refs", 3, 8, "ReFS\0\0\0\0"},
	{"luks", 0, 6, "LUKS\xba\xbe"},
	{"xfs", 0, 4, "XFSB"},
	{"btrfs", 0x10040, 8, "_BHRfS_M"},
	{"apfs", 32, 4, "NXSB"},
	{"iso9660", 0x8001, 5, "CD001"},
	{"udf", 0x8001, 5, "BEA01"},
	{"squashfs", 0, 4, "hsqs"},
	{"bcache", 4096 + 24, 16,
		"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
	{"bcachefs", 4096 + 24, 16,
		"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
	{"erofs", 1024, 4, "\xe2\xe1\xf5\xe0"},
	{"hpfs", 8192, 8, "\x49\xe8\x95\xf9\xc5\xe9\x53\xfa"},
	{"storage spaces", 0, 8, "SPACEDB "},
	{"storage spaces", 4096, 8, "SPACEDB "},
	{"f2fs", 1024, 4, "\x10\x20\xf5\xf2"},
	{"jfs", 0x8000, 4, "JFS1"},
	{"reiserfs", 0x10034, 8, "ReIsErFs"},
	{"reiserfs", 0x10034, 8, "ReIsEr2F"},
	{"reiserfs", 0x10034, 8, "ReIsEr3F"},
	{"ufs1", 8192 + 1372, 4, "\x54\x19\x01\x00"},
	{"ufs1", 8192 + 1372, 4, "\x00\x01\x19\x54"},
	{"ufs2", 65536 + 1372, 4, "\x19\x01\x54\x19"},
	{"vxfs", 1024, 4, "\xf5\xfc\x01\xa5"},
};

static bool has(const struct head *h, size_t off, const void *bytes, size_t n)
{
	return sv_in_range(off, n, h->n) && !memcmp(h->bytes + off, bytes, n);
}

static const char *probe_magics(const struct head *h)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(magics); i++) {
		if (has(h, magics[i].offset, magics[i].bytes, magics[i].len))
			return magics[i].type;
	}
	return NULL;
}

/* The boot sector must end with its mark, and its sector size must be one. */
static const char *probe_ntfs(const struct head *h)
{
	if (!has(h, 3, "NTFS    ", 8) || !has(h, 510, "\x55\xaa", 2))
		return NULL;
	return sv_is_pow2(sv_load_le16(h->bytes + 11)) ? "ntfs" : NULL;
}

/* BIOS parameter block of FAT (Microsoft's FAT specification, 2005): all of it must agree. */
struct bpb {
	uint32_t sector, per_cluster, reserved, fats, root_entries, sectors, per_fat;
};

static bool parse_bpb(const uint8_t *b, struct bpb *p)
{
	p->sector = sv_load_le16(b + 11);
	p->per_cluster = b[13];
	p->reserved = sv_load_le16(b + 14);
	p->fats = b[16];
	p->root_entries = sv_load_le16(b + 17);
	p->sectors = sv_load_le16(b + 19);
	if (!p->sectors)
		p->sectors = sv_load_le32(b + 32);
	p->per_fat = sv_load_le16(b + 22);
	return sv_is_pow2(p->sector) && p->sector >= 512 && p->sector <= 4096 &&
	       sv_is_pow2(p->per_cluster) && p->reserved && p->fats >= 1 && p->fats <= 2 &&
	       p->sectors && (b[21] == 0xf0 || b[21] >= 0xf8) && (b[0] == 0xeb || b[0] == 0xe9);
}

static const char *probe_fat(const struct head *h)
{
	uint64_t meta, clusters;
	struct bpb p;

	if (!has(h, 510, "\x55\xaa", 2) || !parse_bpb(h->bytes, &p))
		return NULL;
	if (!p.per_fat)
		return p.root_entries == 0 && sv_load_le32(h->bytes + 36) ? "fat32" : NULL;
	meta = p.reserved + (uint64_t)p.fats * p.per_fat +
	       sv_div_up((uint64_t)p.root_entries * 32, p.sector);
	if (!p.root_entries || meta >= p.sectors)
		return NULL;
	clusters = (p.sectors - meta) / p.per_cluster;
	return clusters < 4085 ? "fat12" : clusters < 65525 ? "fat16" : NULL;
}

/* Linux, Documentation/filesystems/ext4: the features tell the generation, as in libblkid. */
static const char *probe_ext(const struct head *h)
{
	const uint32_t ext3_incompat = 0x0002 | 0x0004 | 0x0010; /* filetype recover meta_bg */
	const uint32_t ext3_ro = 0x0001 | 0x0002 | 0x0004; /* sparse_super large_file btree */
	const uint8_t *sb = h->bytes + 1024;
	uint32_t compat, incompat, ro;

	if (h->n < 2048 || sv_load_le16(sb + 56) != 0xef53 || sv_load_le32(sb + 24) > 6)
		return NULL;
	compat = sv_load_le32(sb + 92);
	incompat = sv_load_le32(sb + 96);
	ro = sv_load_le32(sb + 100);
	if (incompat & 0x0008)
		return "jbd";
	if ((incompat & ~ext3_incompat) || (ro & ~ext3_ro))
		return "ext4";
	return compat & 0x0004 ? "ext3" : "ext2";
}

/* The signature ends the first page, whose size is the machine's that made it. */
static const char *probe_swap(const struct head *h)
{
	static const char *const suspended[] = {
		"S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"};

	for (size_t page = 4096; page <= 65536; page *= 2) {
		if (has(h, page - 10, "SWAPSPACE2", 10) || has(h, page - 10, "SWAP-SPACE", 10))
			return "swap";
		for (size_t i = 0; i < SV_ARRAY_LEN(suspended); i++) {
			if (has(h, page - 10, suspended[i], strlen(suspended[i])))
				return "swsuspend";
		}
	}
	return NULL;
}

/* A label may lie in any of the first four sectors. */
static const char *probe_lvm2(const struct head *h)
{
	for (size_t sector = 0; sector < 4; sector++) {
		size_t off = sector * SV_SECTOR;

		if (has(h, off, "LABELONE", 8) && has(h, off + 24, "LVM2 001", 8))
			return "lvm2";
	}
	return NULL;
}

/* Linux, fs/nilfs2: the mark is short, so the revision and the size must agree. */
static const char *probe_nilfs2(const struct head *h)
{
	uint32_t bytes;

	if (h->n < 2048 || sv_load_le16(h->bytes + 1024 + 6) != 0x3434 ||
		sv_load_le32(h->bytes + 1024) != 2)
		return NULL;
	bytes = sv_load_le16(h->bytes + 1024 + 8);
	return bytes >= 256 && bytes <= 1024 ? "nilfs2" : NULL;
}

/* Linux, include/uapi/linux/minix_fs.h: the maps must have room for every inode. */
static const char *probe_minix(const struct head *h)
{
	const uint8_t *sb = h->bytes + 1024;
	uint16_t magic;
	uint64_t inodes, maps, first;
	bool v3;

	if (h->n < 2048)
		return NULL;
	v3 = sv_load_le16(sb + 24) == 0x4d5a;
	magic = sv_load_le16(sb + 16);
	if (!v3 && magic != 0x137f && magic != 0x138f && magic != 0x2468 && magic != 0x2478)
		return NULL;
	inodes = v3 ? sv_load_le32(sb) : sv_load_le16(sb);
	maps = sv_load_le16(sb + (v3 ? 6 : 4));
	first = sv_load_le16(sb + (v3 ? 10 : 8));
	return inodes && maps * 8192 >= inodes && first > 2 + maps ? "minix" : NULL;
}

/* OpenZFS, "ZFS On-Disk Specification": the list in a label, in XDR, that names the pool. */
static const char *probe_zfs(const struct head *h)
{
	static const uint8_t pair[] = {0, 0, 0, 9, 'p', 'o', 'o', 'l', '_', 'g', 'u', 'i', 'd'};

	if (!has(h, 16384, "\1", 1))
		return NULL;
	for (size_t at = 16384; at < 16384 + 4096; at += 4) {
		if (has(h, at, pair, sizeof pair))
			return "zfs";
	}
	return NULL;
}

/* Apple TN1150: HFS Plus and HFSX by signature and version, and HFS as its wrapper. */
static const char *probe_hfs(const struct head *h)
{
	if (has(h, 1024, "H+\0\x04", 4) || has(h, 1024, "HX\0\x05", 4))
		return "hfsplus";
	if (!has(h, 1024, "BD", 2))
		return NULL;
	return has(h, 1024 + 0x7c, "H+", 2) ? "hfsplus" : "hfs";
}

#define MD_MAGIC 0xa92b4efcU

/* Is there an md superblock at this place? `major` is 1 (little endian) or 0 (either). */
static int md_at(
	struct sv_dev *dev, uint64_t off, uint32_t major, bool *ret, struct sv_err *err)
{
	uint8_t b[8];

	*ret = false;
	if (!sv_in_range(off, 4096, sv_dev_size(dev)))
		return 0;
	if (sv_dev_read(dev, b, sizeof b, off, err) < 0)
		return -1;
	*ret = (sv_load_le32(b) == MD_MAGIC && sv_load_le32(b + 4) == major) ||
	       (!major && sv_load_be32(b) == MD_MAGIC && sv_load_be32(b + 4) == 0);
	return 0;
}

/* Linux md(4): version 1.1 at the start, 1.2 at 4 KiB, 1.0 and 0.90 near the end. */
static int probe_md(struct sv_dev *dev, bool *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(dev);
	const struct {
		uint64_t off;
		uint32_t major;
	} places[] = {
		{0, 1},
		{4096, 1},
		{size < 8192 ? size : sv_align_down(size - 8192, 4096), 1},
		{size < 65536 ? size : sv_align_down(size, 65536) - 65536, 0},
	};

	*ret = false;
	for (size_t i = 0; i < SV_ARRAY_LEN(places) && !*ret; i++) {
		if (md_at(dev, places[i].off, places[i].major, ret, err) < 0)
			return -1;
	}
	return 0;
}

/* VMware's extents begin with a mark at 1 MiB, the file system in the first one at 2 MiB. */
static int probe_vmfs(struct sv_dev *dev, const char **type, struct sv_err *err)
{
	uint8_t extent[4], fs[4];

	if (sv_dev_size(dev) < 2 * SV_MIB + sizeof fs)
		return 0;
	if (sv_dev_read(dev, extent, sizeof extent, SV_MIB, err) < 0 ||
		sv_dev_read(dev, fs, sizeof fs, 2 * SV_MIB, err) < 0)
		return -1;
	if (sv_load_le32(extent) == 0xc001d00d && sv_load_le32(fs) == 0x2fabf15e)
		*type = "vmfs";
	return 0;
}

/* In this order: containers before what may lie in them, long signatures before short. */
static const char *(*const probes[])(const struct head *h) = {
	probe_lvm2,
	probe_magics,
	probe_ntfs,
	probe_ext,
	probe_swap,
	probe_hfs,
	probe_fat,
	probe_nilfs2,
	probe_minix,
	probe_zfs,
};

int sv_fs_probe(struct sv_dev *volume, const char **ret_type, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = malloc(HEAD_SIZE);
	struct head h = {volume, bytes, (size_t)SV_MIN(sv_dev_size(volume), HEAD_SIZE)};
	const char *type = NULL;
	bool md;

	if (!bytes)
		return sv_fail_nomem(err);
	if (sv_dev_read(volume, bytes, h.n, 0, err) < 0 || probe_md(volume, &md, err) < 0)
		return -1;
	if (md)
		type = "md";
	else if (probe_vmfs(volume, &type, err) < 0)
		return -1;
	for (size_t i = 0; i < SV_ARRAY_LEN(probes) && !type; i++)
		type = probes[i](&h);
	*ret_type = type ? type : "";
	return 0;
}
