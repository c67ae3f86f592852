/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tar archives: see tar.h. Each step of a walk moves forward by at least one block. */
#include "io/tar.h"

#include "base/num.h"
#include "base/str.h"

#include <assert.h>
#include <string.h>

struct disk_header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6]; /* "ustar", of GNU "ustar " */
	char version[2];
	char user[32], group[32];
	char major[8], minor[8];
	char prefix[155]; /* ustar only; GNU keeps other things here */
	char pad[12];
};
static_assert(sizeof(struct disk_header) == SV_TAR_BLOCK, "header size");

/* ---- one header ---- */

/* Octal digits between spaces, ended by a space or NUL; an empty field is 0. */
static bool read_octal(const char *field, size_t n, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < n && field[i] == ' ')
		i++;
	for (; i < n && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value > UINT64_MAX >> 3)
			return false;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	*ret = value;
	return i == n || field[i] == ' ' || field[i] == 0;
}

/* GNU's form for what 11 octal digits cannot hold: bit 7 of the first byte, then big-endian. */
static bool read_binary(const char *field, size_t n, uint64_t *ret)
{
	uint64_t value = (uint8_t)field[0] & 0x7f;

	for (size_t i = 1; i < n; i++) {
		if (value >> 56)
			return false;
		value = value << 8 | (uint8_t)field[i];
	}
	*ret = value;
	return true;
}

static bool read_size(const char *field, size_t n, uint64_t *ret)
{
	bool read = (uint8_t)field[0] & 0x80 ? read_binary(field, n, ret)
					     : read_octal(field, n, ret);

	return read && *ret <= SV_DEV_SIZE_MAX;
}

/* The sum of all bytes, with spaces for the sum itself; old programs added signed ones. */
static bool sum_is_right(const uint8_t bytes[SV_TAR_BLOCK])
{
	const size_t at = offsetof(struct disk_header, checksum), n = 8;
	int64_t sum = 0, with_sign = 0;
	uint64_t told;

	for (size_t i = 0; i < SV_TAR_BLOCK; i++) {
		uint8_t byte = i >= at && i < at + n ? ' ' : bytes[i];

		sum += byte;
		with_sign += (int8_t)byte;
	}
	return read_octal((const char *)bytes + at, n, &told) &&
	       ((int64_t)told == sum || (int64_t)told == with_sign);
}

static void take_name(const struct disk_header *d, char ret[257])
{
	size_t n = strnlen(d->name, sizeof d->name);
	size_t prefix = memcmp(d->magic, "ustar", 6) ? 0 : strnlen(d->prefix, sizeof d->prefix);

	if (prefix) {
		memcpy(ret, d->prefix, prefix);
		ret[prefix++] = '/';
	}
	memcpy(ret + prefix, d->name, n);
	ret[prefix + n] = 0;
}

int sv_tar_header_parse(const uint8_t bytes[SV_TAR_BLOCK], uint64_t at,
	struct sv_tar_header *ret, struct sv_err *err)
{
	struct disk_header d;
	struct sv_tar_header h = {0};

	if (sv_is_zero(bytes, SV_TAR_BLOCK)) {
		*ret = (struct sv_tar_header){.end = true};
		return 0;
	}
	memcpy(&d, bytes, sizeof d);
	if (!sum_is_right(bytes))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"no header of a tar archive: the checksum is wrong");
	if (!read_size(d.size, sizeof d.size, &h.size))
		return sv_fail_at(err, SV_CORRUPT, NULL,
			at + offsetof(struct disk_header, size),
			"the size of a member of the archive is no number up to %llu",
			(unsigned long long)SV_DEV_SIZE_MAX);
	h.type = d.type == 0 || d.type == '7' ? '0' : d.type;
	take_name(&d, h.name);
	*ret = h;
	return 0;
}

/* ---- extended headers ---- */

/* A number that ends with `end` within n bytes; SIZE_MAX where there is none. */
static size_t read_decimal(const char *bytes, size_t n, char end, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < n && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
		if (value > (UINT64_MAX - 9) / 10)
			return SIZE_MAX;
		value = value * 10 + (uint64_t)(bytes[i] - '0');
	}
	*ret = value;
	return i && i < n && bytes[i] == end ? i + 1 : SIZE_MAX;
}

static bool is_key(const char *record, size_t n, const char *key)
{
	return n >= strlen(key) && !memcmp(record, key, strlen(key));
}

/* "key=value\n" */
static int take_record(
	struct sv_tar_pax *p, const char *record, size_t n, uint64_t at, struct sv_err *err)
{
	if (is_key(record, n, "path=")) {
		free(p->path);
		p->path = strndup(record + 5, n - 6);
		return p->path ? 0 : sv_fail_nomem(err);
	}
	if (is_key(record, n, "GNU.sparse."))
		p->sparse = true;
	if (!is_key(record, n, "size="))
		return 0;
	p->has_size = true;
	if (read_decimal(record + 5, n - 5, '\n', &p->size) == n - 5 &&
		p->size <= SV_DEV_SIZE_MAX)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, at,
		"the size in an extended header of the archive is no number up to %llu",
		(unsigned long long)SV_DEV_SIZE_MAX);
}

int sv_tar_pax_parse(
	const char *bytes, size_t n, uint64_t at, struct sv_tar_pax *ret, struct sv_err *err)
{
	struct sv_tar_pax p = {0};
	size_t pos = 0;

	while (pos < n && bytes[pos]) {
		uint64_t len;
		size_t skip = read_decimal(bytes + pos, n - pos, ' ', &len);

		if (skip == SIZE_MAX || len <= skip || len > n - pos ||
			bytes[pos + len - 1] != '\n' ||
			!memchr(bytes + pos + skip, '=', (size_t)len - skip)) {
			free(p.path);
			return sv_fail_at(err, SV_CORRUPT, NULL, at + pos,
				"a record of an extended header of the archive is damaged");
		}
		if (take_record(&p, bytes + pos + skip, (size_t)len - skip, at + pos, err) <
			0) {
			free(p.path);
			return -1;
		}
		pos += (size_t)len;
	}
	*ret = p;
	return 0;
}

/* ---- the walk ---- */

/* What the headers before a member say of it. */
struct before {
	char *long_name;
	struct sv_tar_pax pax;
};

static void forget(struct before *b)
{
	free(b->long_name);
	free(b->pax.path);
	*b = (struct before){0};
}

/* The data of a header that is about the next one, NUL-terminated. Caller frees. */
static char *read_data(struct sv_tar_walk *w, uint64_t size, uint64_t max, struct sv_err *err)
{
	char *text;

	if (size > max) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->dev), w->at,
			"a header of the archive has %llu bytes, the largest allowed is %llu",
			(unsigned long long)size, (unsigned long long)max);
		return NULL;
	}
	text = calloc(1, (size_t)size + 1);
	if (!text) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_read(w->dev, text, (size_t)size, w->at, err) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int take_before(struct sv_tar_walk *w, const struct sv_tar_header *h, struct before *b,
	struct sv_err *err)
{
	sv_autofree char *text = NULL;

	if (h->type == 'L') {
		free(b->long_name);
		b->long_name = read_data(w, h->size, SV_TAR_NAME_MAX, err);
		return b->long_name ? 0 : -1;
	}
	text = read_data(w, h->size, SV_TAR_PAX_MAX, err);
	if (!text)
		return -1;
	free(b->pax.path);
	b->pax = (struct sv_tar_pax){0};
	if (sv_tar_pax_parse(text, (size_t)h->size, w->at, &b->pax, err) < 0)
		return sv_err_path(err, sv_dev_name(w->dev));
	return 0;
}

static int read_header(struct sv_tar_walk *w, struct sv_tar_header *ret, struct sv_err *err)
{
	uint8_t block[SV_TAR_BLOCK];
	uint64_t size = sv_dev_size(w->dev);

	*ret = (struct sv_tar_header){.end = true};
	if (w->at == size && w->at)
		return 0; /* the blocks of zeros are missing: no harm */
	if (!sv_in_range(w->at, sizeof block, size)) {
		sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->dev), size,
			"the archive ends here, within a member");
		return sv_hint(err, "the transfer was cut off: copy or download it again");
	}
	if (w->headers++ >= SV_TAR_HEADERS_MAX)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->dev), w->at,
			"the archive has more than %d headers", SV_TAR_HEADERS_MAX);
	if (sv_dev_read(w->dev, block, sizeof block, w->at, err) < 0)
		return -1;
	if (sv_tar_header_parse(block, w->at, ret, err) < 0)
		return sv_err_path(err, sv_dev_name(w->dev));
	return 0;
}

static const char *without_dots(const char *name)
{
	while (sv_starts_with(name, "./"))
		for (name += 2; *name == '/';)
			name++;
	return name;
}

static int give(const struct sv_tar_walk *w, const struct sv_tar_header *h,
	const struct before *b, struct sv_tar_member *ret, struct sv_err *err)
{
	const char *name = b->pax.path ? b->pax.path : b->long_name ? b->long_name : h->name;

	*ret = (struct sv_tar_member){
		.name = strdup(without_dots(name)),
		.at = w->at,
		.size = b->pax.has_size ? b->pax.size : h->size,
		.file = h->type == '0' || h->type == 'S',
		.sparse = h->type == 'S' || b->pax.sparse,
	};
	return ret->name ? 0 : sv_fail_nomem(err);
}

/* Only these types have data; of links the size means nothing. */
static uint64_t data_size(char type, uint64_t size)
{
	return type >= '1' && type <= '6' ? 0 : size;
}

static int next(struct sv_tar_walk *w, struct before *b, struct sv_tar_member *ret,
	bool *ret_more, struct sv_err *err)
{
	struct sv_tar_header h;

	for (;;) {
		if (read_header(w, &h, err) < 0)
			return -1;
		*ret_more = !h.end;
		if (h.end)
			return 0;
		w->at += SV_TAR_BLOCK;
		if (h.type != 'L' && h.type != 'x' && h.type != 'K' && h.type != 'g')
			break;
		if ((h.type == 'L' || h.type == 'x') && take_before(w, &h, b, err) < 0)
			return -1;
		w->at += sv_align_up(h.size, SV_TAR_BLOCK);
	}
	if (give(w, &h, b, ret, err) < 0)
		return -1;
	ret->size = data_size(h.type, ret->size);
	w->at += sv_align_up(ret->size, SV_TAR_BLOCK);
	return 0;
}

int sv_tar_next(
	struct sv_tar_walk *w, struct sv_tar_member *ret, bool *ret_more, struct sv_err *err)
{
	struct before b = {0};
	int rc = next(w, &b, ret, ret_more, err);

	forget(&b);
	return rc;
}

bool sv_tar_probe(struct sv_dev *dev)
{
	uint8_t block[SV_TAR_BLOCK];
	struct sv_tar_header h;

	return sv_dev_size(dev) >= sizeof block &&
	       sv_dev_read(dev, block, sizeof block, 0, NULL) == 0 &&
	       sv_tar_header_parse(block, 0, &h, NULL) == 0 && !h.end;
}
