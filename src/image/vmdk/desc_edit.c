/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints, copies and changes a VMDK descriptor in memory. The order of the sections is the one
 * that VMware writes: settings, extents, then the disk data base (ddb).
 */
#include "image/vmdk/desc.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void sv_vmdk_desc_free(struct sv_vmdk_desc *d)
{
	for (size_t i = 0; i < d->n_extents; i++)
		free(d->extents[i].file);
	for (size_t i = 0; i < d->n_pairs; i++) {
		free(d->pairs[i].key);
		free(d->pairs[i].value);
	}
	free(d->extents);
	free(d->pairs);
	free(d->encoding);
	free(d->create_type);
	free(d->parent_hint);
	*d = (struct sv_vmdk_desc){0};
}

static int copy_text(const char *text, char **ret)
{
	*ret = strdup(text ? text : "");
	return *ret ? 0 : -1;
}

static int copy_lists(const struct sv_vmdk_desc *src, struct sv_vmdk_desc *d)
{
	d->extents = calloc(src->n_extents + 1, sizeof *d->extents);
	d->pairs = calloc(src->n_pairs + 1, sizeof *d->pairs);
	if (!d->extents || !d->pairs)
		return -1;
	for (size_t i = 0; i < src->n_extents; i++) {
		d->extents[i] = src->extents[i];
		d->extents[i].file = NULL;
		d->n_extents++;
		if (copy_text(src->extents[i].file, &d->extents[i].file) < 0)
			return -1;
	}
	for (size_t i = 0; i < src->n_pairs; i++) {
		d->n_pairs++;
		if (copy_text(src->pairs[i].key, &d->pairs[i].key) < 0 ||
			copy_text(src->pairs[i].value, &d->pairs[i].value) < 0)
			return -1;
	}
	return 0;
}

int sv_vmdk_desc_copy(
	const struct sv_vmdk_desc *src, struct sv_vmdk_desc *ret, struct sv_err *err)
{
	struct sv_vmdk_desc d = {
		.version = src->version,
		.cid = src->cid,
		.parent_cid = src->parent_cid,
		.sectors = src->sectors,
	};

	if (copy_text(src->encoding, &d.encoding) < 0 ||
		copy_text(src->create_type, &d.create_type) < 0 ||
		copy_text(src->parent_hint, &d.parent_hint) < 0 || copy_lists(src, &d) < 0) {
		sv_vmdk_desc_free(&d);
		return sv_fail_nomem(err);
	}
	*ret = d;
	return 0;
}

/* ---- print ---- */

static const char *access_word(enum sv_vmdk_access access)
{
	static const char *const words[] = {
		[SV_VMDK_RW] = "RW",
		[SV_VMDK_RDONLY] = "RDONLY",
		[SV_VMDK_NOACCESS] = "NOACCESS",
	};

	return words[access];
}

static const char *type_word(enum sv_vmdk_extent_type type)
{
	static const char *const words[] = {
		[SV_VMDK_FLAT] = "FLAT",
		[SV_VMDK_SPARSE] = "SPARSE",
		[SV_VMDK_ZERO] = "ZERO",
		[SV_VMDK_VMFS] = "VMFS",
		[SV_VMDK_VMFSSPARSE] = "VMFSSPARSE",
		[SV_VMDK_SESPARSE] = "SESPARSE",
		[SV_VMDK_DEVICE] = "VMFSRDM",
	};

	return words[type];
}

static void print_extent(const struct sv_vmdk_extent *e, struct sv_str *out)
{
	sv_str_addf(out, "%s %llu %s", access_word(e->access), (unsigned long long)e->sectors,
		type_word(e->type));
	if (e->type != SV_VMDK_ZERO)
		sv_str_addf(out, " \"%s\"", e->file);
	if (e->type == SV_VMDK_FLAT || (e->type == SV_VMDK_VMFS && e->offset))
		sv_str_addf(out, " %llu", (unsigned long long)e->offset);
	sv_str_add(out, "\n");
}

static bool is_ddb(const struct sv_vmdk_pair *p)
{
	return !strncasecmp(p->key, "ddb.", 4);
}

static void print_pairs(const struct sv_vmdk_desc *d, bool ddb, struct sv_str *out)
{
	for (size_t i = 0; i < d->n_pairs; i++) {
		const struct sv_vmdk_pair *p = &d->pairs[i];

		if (is_ddb(p) == ddb)
			sv_str_addf(
				out, ddb ? "%s = \"%s\"\n" : "%s=\"%s\"\n", p->key, p->value);
	}
}

void sv_vmdk_desc_print(const struct sv_vmdk_desc *d, struct sv_str *out)
{
	sv_str_addf(out, "# Disk DescriptorFile\nversion=%u\n", d->version);
	if (*d->encoding)
		sv_str_addf(out, "encoding=\"%s\"\n", d->encoding);
	sv_str_addf(out, "CID=%08x\nparentCID=%08x\n", d->cid, d->parent_cid);
	print_pairs(d, false, out);
	sv_str_addf(out, "createType=\"%s\"\n", d->create_type);
	if (*d->parent_hint)
		sv_str_addf(out, "parentFileNameHint=\"%s\"\n", d->parent_hint);
	sv_str_add(out, "\n# Extent description\n");
	for (size_t i = 0; i < d->n_extents; i++)
		print_extent(&d->extents[i], out);
	sv_str_add(out, "\n# The Disk Data Base\n#DDB\n\n");
	print_pairs(d, true, out);
}

/* ---- look up and change ---- */

static struct sv_vmdk_pair *find(const struct sv_vmdk_desc *d, const char *key)
{
	for (size_t i = 0; i < d->n_pairs; i++) {
		if (!strcasecmp(d->pairs[i].key, key))
			return &d->pairs[i];
	}
	return NULL;
}

const char *sv_vmdk_desc_get(const struct sv_vmdk_desc *d, const char *key)
{
	const struct sv_vmdk_pair *p = find(d, key);

	return p ? p->value : NULL;
}

bool sv_vmdk_text_valid(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f || *c == '"')
			return false;
	}
	return true;
}

int sv_vmdk_desc_set(
	struct sv_vmdk_desc *d, const char *key, const char *value, struct sv_err *err)
{
	struct sv_vmdk_pair *p = find(d, key), *grown;
	sv_autofree char *new_key = p ? NULL : strdup(key);
	sv_autofree char *new_value = strdup(value);

	if (!sv_vmdk_text_valid(value))
		return sv_fail(err, SV_USAGE, NULL,
			"the value of %s holds a quote or a control character", key);
	if ((!p && !new_key) || !new_value)
		return sv_fail_nomem(err);
	if (p) {
		free(p->value);
		p->value = SV_STEAL(new_value);
		return 0;
	}
	grown = realloc(d->pairs, (d->n_pairs + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	d->pairs = grown;
	grown[d->n_pairs++] = (struct sv_vmdk_pair){SV_STEAL(new_key), SV_STEAL(new_value)};
	return 0;
}

void sv_vmdk_desc_unset(struct sv_vmdk_desc *d, const char *key)
{
	struct sv_vmdk_pair *p = find(d, key);
	size_t after;

	if (!p)
		return;
	after = d->n_pairs - (size_t)(p - d->pairs) - 1;
	free(p->key);
	free(p->value);
	memmove(p, p + 1, after * sizeof *p);
	d->n_pairs--;
}

int sv_vmdk_desc_add_extent(struct sv_vmdk_desc *d, enum sv_vmdk_extent_type type,
	uint64_t sectors, const char *file, uint64_t offset, struct sv_err *err)
{
	sv_autofree char *copy = strdup(file);
	struct sv_vmdk_extent *grown;

	if (!sv_vmdk_text_valid(file))
		return sv_fail(err, SV_UNSUPPORTED, file,
			"a VMDK descriptor cannot name it: it holds a quote or a control character");
	grown = copy ? realloc(d->extents, (d->n_extents + 1) * sizeof *grown) : NULL;
	if (!grown)
		return sv_fail_nomem(err);
	d->extents = grown;
	grown[d->n_extents++] = (struct sv_vmdk_extent){
		.access = SV_VMDK_RW,
		.sectors = sectors,
		.type = type,
		.file = SV_STEAL(copy),
		.offset = offset,
	};
	d->sectors += sectors;
	return 0;
}

/* ---- change one value in a text that otherwise stays as it is ---- */

/* The value in `line`, when its key is `key`. */
static bool value_of(
	const char *line, size_t n, const char *key, const char **ret_at, size_t *ret_n)
{
	const char *end = line + n, *at = line;
	size_t key_len = strlen(key);

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if ((size_t)(end - at) < key_len || strncasecmp(at, key, key_len))
		return false;
	at += key_len;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == end || *at != '=')
		return false;
	for (at++; at < end && (*at == ' ' || *at == '\t' || *at == '"');)
		at++;
	while (end > at &&
		(end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '"'))
		end--;
	*ret_at = at;
	*ret_n = (size_t)(end - at);
	return true;
}

bool sv_vmdk_desc_locate(
	const char *text, size_t n, const char *key, size_t *ret_at, size_t *ret_n)
{
	const char *found;
	size_t pos = 0;

	n = strnlen(text, n);
	while (pos < n) {
		const char *end = memchr(text + pos, '\n', n - pos);
		size_t len = end ? (size_t)(end - text) - pos : n - pos;

		if (value_of(text + pos, len, key, &found, ret_n)) {
			*ret_at = (size_t)(found - text);
			return true;
		}
		pos += len + 1;
	}
	return false;
}
