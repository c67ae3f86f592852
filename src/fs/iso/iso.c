/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver of ISO 9660: reads the volume descriptors and chooses the names. Rock Ridge is
 * taken where the root's "." announces it, else Joliet, else the plain names.
 */
#include "fs/iso/iso.h"

#include "base/endian.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define CACHE_BLOCK     (64 * 1024)
#define CACHE_BLOCKS    32
#define FIRST           (16 * SV_ISO_SECTOR) /* volume descriptor */
#define DESCRIPTORS_MAX 64
#define ROOT_AT         156
#define ROOT_SIZE       34

enum descriptor { PRIMARY = 1, SUPPLEMENTARY = 2, END = 255 };

static void iso_close(struct sv_fs *fs)
{
	sv_dev_close(sv_iso_of(fs)->dev);
	sv_dev_close(fs->volume);
	free(fs);
}

/* ---- opening ---- */

struct found {
	uint64_t primary, joliet; /* where they lie; 0: there is none */
	uint8_t sector[SV_ISO_SECTOR];
};

/* "%/@", "%/C" or "%/E": UCS-2 of level 1, 2 or 3. */
static bool is_joliet(const uint8_t *d)
{
	return d[88] == '%' && d[89] == '/' && (d[90] == '@' || d[90] == 'C' || d[90] == 'E');
}

static int find_descriptors(struct sv_iso *v, struct found *f, struct sv_err *err)
{
	for (unsigned i = 0; i < DESCRIPTORS_MAX; i++) {
		uint64_t at = FIRST + (uint64_t)i * SV_ISO_SECTOR;

		if (!sv_in_range(at, SV_ISO_SECTOR, sv_dev_size(v->dev)))
			break;
		if (sv_dev_read(v->dev, f->sector, SV_ISO_SECTOR, at, err) < 0)
			return -1;
		if (memcmp(f->sector + 1, "CD001", 5) != 0 || f->sector[0] == END)
			break;
		if (f->sector[0] == PRIMARY && !f->primary)
			f->primary = at;
		if (f->sector[0] == SUPPLEMENTARY && is_joliet(f->sector) && !f->joliet)
			f->joliet = at;
	}
	if (f->primary)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), FIRST,
		"there is no primary volume descriptor");
}

static int take_primary(struct sv_iso *v, struct found *f, struct sv_err *err)
{
	if (sv_dev_read(v->dev, f->sector, SV_ISO_SECTOR, f->primary, err) < 0)
		return -1;
	v->block = sv_load_le16(f->sector + 128);
	v->blocks = sv_load_le32(f->sector + 80);
	v->root_at = f->primary + ROOT_AT;
	if (!sv_is_pow2(v->block) || v->block < 512 || v->block > SV_ISO_SECTOR)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), f->primary + 128,
			"its blocks have %u bytes, expected 512, 1024 or 2048", v->block);
	v->short_image = v->blocks * v->block > sv_dev_size(v->dev);
	return 0;
}

/* Does the root's "." announce Rock Ridge? What is damaged there announces nothing. */
static int find_rock_ridge(struct sv_iso *v, struct sv_err *err)
{
	struct sv_iso_object root;
	struct sv_iso_record self;
	struct sv_iso_more more = {.next_block = 0};
	uint8_t b[SV_ISO_RECORD_MAX];
	uint64_t at;

	if (sv_iso_object(v, v->root_at, &root, err) < 0)
		return -1;
	at = (uint64_t)root.record.block * v->block;
	if (!sv_in_range(at, sizeof b, sv_dev_size(v->dev)))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), v->root_at,
			"the root folder lies behind the volume's end");
	if (sv_dev_read(v->dev, b, sizeof b, at, err) < 0)
		return -1;
	if (sv_iso_parse_record(b, sizeof b, &self, NULL) < 0 ||
		sv_iso_parse_use(self.use, self.use_len, &more, NULL) < 0 || !more.susp)
		return 0;
	/* SUSP alone is for others, too: Rock Ridge gives the root a mode */
	if (more.has_mode || more.next_block) {
		v->names = SV_ISO_ROCK_RIDGE;
		v->skip = more.skip;
	}
	return 0;
}

static int read_volume(struct sv_iso *v, struct sv_err *err)
{
	struct found f = {.primary = 0};

	if (find_descriptors(v, &f, err) < 0 || take_primary(v, &f, err) < 0 ||
		find_rock_ridge(v, err) < 0)
		return -1;
	if (v->names == SV_ISO_ROCK_RIDGE || !f.joliet)
		return 0;
	v->names = SV_ISO_JOLIET;
	v->root_at = f.joliet + ROOT_AT;
	return 0;
}

static int iso_open(struct sv_dev *volume, struct sv_fs **ret, struct sv_err *err)
{
	struct sv_iso *v = calloc(1, sizeof *v);

	if (!v)
		return sv_fail_nomem(err);
	v->fs.driver = &sv_iso_driver;
	v->fs.volume = sv_dev_ref(volume);
	v->dev = sv_cache_open(volume, CACHE_BLOCK, CACHE_BLOCKS, err);
	if (!v->dev || read_volume(v, err) < 0) {
		iso_close(&v->fs);
		return -1;
	}
	*ret = &v->fs;
	return 0;
}

/* ---- the volume as a whole ---- */

static int iso_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err)
{
	struct sv_iso *v = sv_iso_of(fs);
	struct sv_fs_mark mark;

	*ret = (struct sv_fs_info){.type = "iso9660",
		.size = v->blocks * v->block,
		.used = v->blocks * v->block,
		.block_size = v->block};
	if (sv_fs_mark(fs->volume, &mark, err) < 0)
		return -1;
	memcpy(ret->label, mark.label, sizeof ret->label);
	memcpy(ret->uuid, mark.uuid, sizeof ret->uuid);
	if (v->short_image)
		snprintf(ret->warning, sizeof ret->warning,
			"the end of it is missing: it says %llu bytes",
			(unsigned long long)ret->size);
	return 0;
}

static uint64_t iso_root(struct sv_fs *fs)
{
	return sv_iso_of(fs)->root_at;
}

static int iso_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	struct sv_iso_object o;

	if (sv_iso_object(sv_iso_of(fs), ino, &o, err) < 0)
		return -1;
	sv_iso_stat_of(sv_iso_of(fs), ino, &o, ret);
	return 0;
}

static char *iso_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	struct sv_iso_object o;
	char *text;

	if (sv_iso_object(sv_iso_of(fs), ino, &o, err) < 0)
		return NULL;
	if (!o.more.is_link) {
		sv_fail(err, SV_USAGE, sv_dev_name(fs->volume), "entry %llu is no link",
			(unsigned long long)ino);
		return NULL;
	}
	text = strdup(o.more.link);
	if (!text)
		sv_fail_nomem(err);
	return text;
}

const struct sv_fs_driver sv_iso_driver = {
	.types = {"iso9660"},
	.open = iso_open,
	.close = iso_close,
	.info = iso_info,
	.root = iso_root,
	.lookup = sv_iso_lookup,
	.stat = iso_stat,
	.readdir = sv_iso_readdir,
	.read = sv_iso_read,
	.readlink = iso_readlink,
	.extents = sv_iso_extents,
	.walk = sv_iso_walk,
};
