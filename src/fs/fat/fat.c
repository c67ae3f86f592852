/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The driver of FAT12, FAT16, FAT32 and exFAT: opens a volume and tells of it as a whole. */
#include "fs/fat/fat.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define CACHE_BLOCK  (64 * 1024)
#define CACHE_BLOCKS 32
#define UNITS        65536u

static void fat_close(struct sv_fs *fs)
{
	struct sv_fat *v = sv_fat_of(fs);

	free(v->upcase);
	sv_dev_close(v->dev);
	sv_dev_close(fs->volume);
	free(v);
}

/* ---- opening ---- */

static int read_boot(struct sv_fat *v, struct sv_err *err)
{
	uint8_t b[SV_FAT_BOOT_SIZE];

	if (sv_dev_read(v->dev, b, sizeof b, 0, err) < 0)
		return -1;
	if (sv_fat_parse_boot(b, sizeof b, &v->boot, err) < 0)
		return sv_err_path(err, sv_dev_name(v->dev));
	if (v->boot.heap >= sv_dev_size(v->dev))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"its clusters begin at %llu, it has %llu bytes",
			(unsigned long long)v->boot.heap,
			(unsigned long long)sv_dev_size(v->dev));
	return 0;
}

/* The table of capital letters: units, where 0xffff and a count stand for "as they are". */
static void expand_upcase(struct sv_fat *v, const uint8_t *b, size_t n)
{
	unsigned at = 0;

	for (unsigned i = 0; i < UNITS; i++)
		v->upcase[i] = (uint16_t)i;
	for (size_t i = 0; i + 2 <= n && at < UNITS; i += 2) {
		uint16_t unit = sv_load_le16(b + i);

		if (unit == 0xffff && i + 4 <= n) {
			i += 2;
			at += sv_load_le16(b + i);
		} else {
			v->upcase[at++] = unit;
		}
	}
}

static int load_upcase(struct sv_fat *v, const struct sv_fat_chain *chain, struct sv_err *err)
{
	size_t n = (size_t)SV_MIN(chain->size, UINT64_C(2) * UNITS);
	sv_autofree uint8_t *b = malloc(n + 1);
	struct sv_fat_run run;

	v->upcase = calloc(UNITS, sizeof *v->upcase);
	if (!b || !v->upcase)
		return sv_fail_nomem(err);
	for (size_t pos = 0; pos < n; pos += (size_t)run.len) {
		if (sv_fat_run_at(v, chain, pos, n - pos, &run, err) < 0)
			return -1;
		if (!run.len)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
				"the table of capital letters ends early");
		if (sv_dev_read(v->dev, b + pos, (size_t)run.len, run.at, err) < 0)
			return -1;
	}
	expand_upcase(v, b, n);
	return 0;
}

struct scan {
	struct sv_fat *v;
	struct sv_fat_chain upcase;
};

/* What the root tells of the volume. */
static int take_special(void *user, enum sv_fat_found found, const struct sv_fat_entry *e)
{
	struct scan *s = user;
	sv_autofree char *label = NULL;
	bool lossy;

	switch (found) {
	case SV_FAT_LABEL:
		label = sv_fat_name_utf8(e->name, e->name_len, &lossy);
		if (label)
			snprintf(s->v->label, sizeof s->v->label, "%s", label);
		return 0;
	case SV_FAT_BITMAP:
		s->v->bitmap = e->object.chain.first;
		s->v->bitmap_size = e->object.chain.size;
		return 0;
	case SV_FAT_UPCASE:
		s->upcase = e->object.chain;
		return 0;
	default:
		return 0;
	}
}

/* Damage in the root is told by who lists it; what the volume needs of it may be missing. */
static int scan_root(struct sv_fat *v, struct sv_err *err)
{
	struct scan s = {.v = v};
	struct sv_err why = SV_ERR_INIT;
	struct sv_fat_object root;

	if (sv_fat_object(v, SV_FAT_ROOT_INO, &root, err) < 0)
		return -1;
	snprintf(v->label, sizeof v->label, "%s", v->boot.label);
	if (sv_fat_each_entry(v, &root, SV_FAT_ROOT_INO, take_special, &s, &why) < 0 &&
		why.code != SV_CORRUPT) {
		sv_err_copy(err, &why);
		return -1;
	}
	if (!s.upcase.first || load_upcase(v, &s.upcase, &why) == 0)
		return 0;
	if (why.code != SV_CORRUPT) {
		sv_err_copy(err, &why);
		return -1;
	}
	snprintf(v->warning, sizeof v->warning, "its table of capital letters is damaged");
	free(v->upcase);
	v->upcase = NULL;
	return 0;
}

static int fat_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err)
{
	struct sv_fat *v = calloc(1, sizeof *v);

	if (!v)
		return sv_fail_nomem(err);
	v->fs.driver = &sv_fat_driver;
	v->fs.volume = sv_dev_ref(volume);
	v->dev = sv_cache_open(volume, CACHE_BLOCK, CACHE_BLOCKS, err);
	if (!v->dev || read_boot(v, err) < 0 || scan_root(v, err) < 0) {
		fat_close(&v->fs);
		return -1;
	}
	*ret = &v->fs;
	return 0;
}

/* ---- info ---- */

/* FAT16 and FAT32 keep "was shut down cleanly" and "no errors" in the second entry, and Linux
 * and newer Windows a mark in the boot sector. */
static bool is_dirty(struct sv_fat *v)
{
	uint8_t b[4];

	if (v->boot.dirty || v->boot.kind == SV_EXFAT)
		return v->boot.dirty;
	if (v->boot.kind == SV_FAT12 || sv_dev_read(v->dev, b, 4, v->boot.fat + 4, NULL) < 0)
		return false;
	if (v->boot.kind == SV_FAT32)
		return (sv_load_le32(b) & 0x0c000000) != 0x0c000000;
	if (sv_dev_read(v->dev, b, 2, v->boot.fat + 2, NULL) < 0)
		return false;
	return (sv_load_le16(b) & 0xc000) != 0xc000;
}

/* FSInfo's count is a hint; it is believed where it can be. */
static bool hinted(struct sv_fat *v, uint64_t *ret_free)
{
	uint8_t b[512];

	if (!v->boot.fsinfo || sv_dev_read(v->dev, b, sizeof b, v->boot.fsinfo, NULL) < 0 ||
		memcmp(b, "RRaA", 4) != 0 || memcmp(b + 484, "rrAa", 4) != 0)
		return false;
	*ret_free = sv_load_le32(b + 488);
	return *ret_free <= v->boot.clusters;
}

static const char *type_name(enum sv_fat_kind kind)
{
	switch (kind) {
	case SV_FAT12:
		return "fat12";
	case SV_FAT16:
		return "fat16";
	case SV_FAT32:
		return "fat32";
	case SV_EXFAT:
		break;
	}
	return "exfat";
}

static int fat_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err)
{
	struct sv_fat *v = sv_fat_of(fs);
	struct sv_err why = SV_ERR_INIT;
	uint64_t free_clusters = 0;
	bool dirty = is_dirty(v);

	*ret = (struct sv_fs_info){.type = type_name(v->boot.kind),
		.size = v->boot.size,
		.block_size = v->boot.cluster,
		.dirty = dirty};
	if ((dirty || !hinted(v, &free_clusters)) &&
		sv_fat_count_free(v, &free_clusters, &why) < 0) {
		if (why.code != SV_CORRUPT) {
			sv_err_copy(err, &why);
			return -1;
		}
		snprintf(v->warning, sizeof v->warning, "how much is free cannot be told");
	}
	ret->free = free_clusters * v->boot.cluster;
	ret->used = (v->boot.clusters - free_clusters) * v->boot.cluster;
	snprintf(ret->label, sizeof ret->label, "%s", v->label);
	snprintf(ret->uuid, sizeof ret->uuid, "%04X-%04X", v->boot.serial >> 16,
		v->boot.serial & 0xffff);
	snprintf(ret->state, sizeof ret->state, "%s",
		dirty                                ? "not unmounted"
		: v->boot.size > sv_dev_size(v->dev) ? "larger than its partition"
						     : "");
	snprintf(ret->warning, sizeof ret->warning, "%s", v->warning);
	return 0;
}

static uint64_t fat_root(struct sv_fs *fs)
{
	(void)fs;
	return SV_FAT_ROOT_INO;
}

static int fat_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	struct sv_fat_object o;

	if (sv_fat_object(sv_fat_of(fs), ino, &o, err) < 0)
		return -1;
	*ret = o.st;
	return 0;
}

static char *fat_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	sv_fail(err, SV_USAGE, sv_dev_name(fs->volume), "entry %llu is no link",
		(unsigned long long)ino);
	return NULL;
}

const struct sv_fs_driver sv_fat_driver = {
	.types = {"fat12", "fat16", "fat32", "exfat"},
	.open = fat_open,
	.close = fat_close,
	.info = fat_info,
	.root = fat_root,
	.lookup = sv_fat_lookup,
	.stat = fat_stat,
	.readdir = sv_fat_readdir,
	.read = sv_fat_read,
	.readlink = fat_readlink,
	.extents = sv_fat_extents,
	.walk = sv_fat_walk,
};
