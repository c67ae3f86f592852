/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hive whose base block and bin header the harness makes, so that the input is all cells. The
 * input: a byte of flags, the minor version, the root's offset in units of 8 (2 bytes), then
 * what follows the bin's header; zeros fill the bin. With AS_FILE all behind the flags is the
 * file itself, with its checksum repaired unless BAD_SUM says not to.
 *
 * The whole tree is walked twice: by the callbacks, each value being read and each name looked
 * up again, and by sv_hive_walk() with classes and rights. However the cells lie, both must
 * end: each key is met at most once.
 */
#include "base/num.h"
#include "hive/regf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum flags { DIRTY = 1, LARGE = 2, AS_FILE = 4, BAD_SUM = 8 };
enum { HEAD = 4, DEPTH_MAX = 64, SMALL_BIN = 8192, LARGE_BIN = 65536 };

#define MUST(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);             \
			abort();                                                               \
		}                                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct visit {
	struct sv_hive *h;
	sv_hive_key key; /* whose values are listed */
	unsigned depth;
	size_t keys;
	uint8_t sum; /* of all data, so that each byte is read */
};

static int visit_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	struct visit *v = user;
	const uint8_t *bytes = data;
	struct sv_err err = SV_ERR_INIT;
	uint32_t number;

	for (size_t i = 0; i < n; i++)
		v->sum ^= bytes[i];
	if (type == SV_REG_SZ || type == SV_REG_EXPAND_SZ)
		free(sv_hive_string(v->h, v->key, name, &err));
	else
		sv_hive_dword(v->h, v->key, name, &number, &err);
	MUST(err.code != SV_INTERNAL && err.code != SV_USAGE);
	return 0;
}

static int visit_key(void *user, const char *name, sv_hive_key key)
{
	struct visit *v = user;
	struct sv_err err = SV_ERR_INIT;

	MUST(name && ++v->keys <= v->h->base.bins_size / 8);
	v->key = key;
	if (sv_hive_values(v->h, key, visit_value, v, &err) < 0)
		MUST(err.code == SV_CORRUPT && err.path[0]);
	if (v->depth == DEPTH_MAX)
		return 0;
	v->depth++;
	if (sv_hive_subkeys(v->h, key, visit_key, v, &err) < 0)
		MUST(err.code == SV_CORRUPT && err.path[0]);
	v->depth--;
	return 0;
}

static int look_up(void *user, const char *name, sv_hive_key key)
{
	struct visit *v = user;
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key found;

	(void)key;
	if (sv_hive_find(v->h, v->h->base.root, name, &found, &err) < 0)
		MUST(err.code == SV_NOTFOUND || err.code == SV_CORRUPT);
	sv_hive_find(v->h, v->h->base.root, "Software/Microsoft\\\xC3\xA4\xF0\x9F\x98\x80",
		&found, &err);
	return 0;
}

/* ---- the walk ---- */

static int walk_key(void *user, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct visit *t = user;

	MUST(v->name && v->depth <= SV_HIVE_DEPTH_MAX);
	free(sv_hive_key_class(t->h, v->key, NULL));
	free(sv_hive_key_security(t->h, v->key, err));
	t->keys++;
	return 0;
}

static int walk_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	struct visit *v = user;

	MUST(name && data);
	sv_hive_type_name(type);
	v->sum ^= n ? *(const uint8_t *)data : 0;
	return 0;
}

static int walk_subkey(void *user, const char *name)
{
	(void)user;
	MUST(name);
	return 0;
}

static int walk_problem(void *user, const struct sv_err *what)
{
	(void)user;
	MUST(what->code == SV_CORRUPT || what->code == SV_UNSUPPORTED);
	MUST(what->path[0] && what->message[0]);
	return 0;
}

static size_t walk(struct sv_hive *h, sv_hive_key root)
{
	struct visit v = {.h = h};
	struct sv_hive_walk ops = {.key = walk_key,
		.value = walk_value,
		.subkey = walk_subkey,
		.problem = walk_problem,
		.recursive = true,
		.user = &v};
	struct sv_err err = SV_ERR_INIT;

	if (sv_hive_walk(h, root, &ops, &err) < 0)
		MUST(err.code == SV_CORRUPT);
	return v.keys;
}

static void seal(uint8_t *file)
{
	sv_store_le32(file + 508, sv_regf_checksum(file));
}

static uint8_t *file_around(const uint8_t *bytes, size_t n, size_t *ret_n)
{
	uint32_t size = bytes[0] & LARGE ? LARGE_BIN : SMALL_BIN;
	struct sv_regf_disk_base base = {.signature = {'r', 'e', 'g', 'f'},
		.sequence1 = sv_put_le32(1),
		.sequence2 = sv_put_le32(bytes[0] & DIRTY ? 2 : 1),
		.major = sv_put_le32(1),
		.minor = sv_put_le32(3 + bytes[1] % 4),
		.format = sv_put_le32(1),
		.root = sv_put_le32(8U * sv_load_le16(bytes + 2)),
		.bins_size = sv_put_le32(size)};
	struct sv_regf_disk_bin bin = {
		.signature = {'h', 'b', 'i', 'n'}, .size = sv_put_le32(size)};
	uint8_t *file = calloc(1, SV_REGF_BINS_AT + size);

	MUST(file);
	memcpy(file, &base, sizeof base);
	memcpy(file + SV_REGF_BINS_AT, &bin, sizeof bin);
	memcpy(file + SV_REGF_BINS_AT + sizeof bin, bytes + HEAD,
		SV_MIN(n - HEAD, size - sizeof bin));
	*ret_n = SV_REGF_BINS_AT + size;
	return file;
}

static uint8_t *file_of(const uint8_t *bytes, size_t n, size_t *ret_n)
{
	uint8_t *file;

	if (!(bytes[0] & AS_FILE))
		return file_around(bytes, n, ret_n);
	*ret_n = n - 1;
	file = malloc(n);
	MUST(file);
	memcpy(file, bytes + 1, n - 1);
	return file;
}

static void use(struct sv_hive *h)
{
	struct visit v = {.h = h};
	struct sv_err err = SV_ERR_INIT;

	if (sv_hive_root(h, &v.key, &err) < 0)
		return;
	MUST(walk(h, v.key) <= h->base.bins_size / 8);
	visit_key(&v, "", v.key);
	sv_hive_subkeys(h, h->base.root, look_up, &v, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h = NULL;
	struct sv_dev *dev;
	uint8_t *file;
	size_t size;

	if (n < HEAD)
		return 0;
	file = file_of(bytes, n, &size);
	if (size >= 512 && !(bytes[0] & BAD_SUM))
		seal(file);
	dev = sv_mem_open(file, size, false, "hive", &err);
	MUST(dev);
	if (sv_hive_open(dev, NULL, &h, &err) < 0)
		MUST(err.code == SV_CORRUPT || err.code == SV_UNSUPPORTED);
	else
		use(h);
	sv_hive_close(h);
	sv_dev_close(dev);
	free(file);
	return 0;
}
