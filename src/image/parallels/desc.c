/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading DiskDescriptor.xml with expat: see desc.h. */
#include "image/parallels/desc.h"

#include "base/num.h"
#include "base/str.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  16
#define PATH_BYTES 256
#define TEXT_MAX   4096

struct reader {
	XML_Parser xml;
	struct sv_prl_desc *d;
	struct sv_err *err;
	bool failed;
	unsigned depth;
	char path[PATH_BYTES]; /* of the element, without the root; "?" of one that is not known
				*/
	size_t lengths[DEPTH_MAX + 1]; /* of the path at each depth */
	char text[TEXT_MAX];           /* what the innermost element holds */
	size_t n_text, content_at;
	size_t n_images;
};

static size_t here(const struct reader *r)
{
	XML_Index at = XML_GetCurrentByteIndex(r->xml);

	return at < 0 ? 0 : (size_t)at;
}

static void stop(struct reader *r)
{
	r->failed = true;
	XML_StopParser(r->xml, XML_FALSE);
}

__attribute__((format(printf, 2, 3))) static void fail(struct reader *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sv_fail_at(r->err, SV_CORRUPT, NULL, here(r), "%s", text);
	stop(r);
}

static void fail_nomem(struct reader *r)
{
	sv_fail_nomem(r->err);
	stop(r);
}

/* ---- values ---- */

/* Nowhere for <X/>, which has no inside. */
static struct sv_prl_span span_of(const struct reader *r)
{
	if (here(r) < r->content_at)
		return (struct sv_prl_span){0};
	return (struct sv_prl_span){r->content_at, here(r) - r->content_at};
}

static uint64_t number(struct reader *r, const char *text)
{
	uint64_t n = 0;

	if (!*text)
		fail(r, "%s is empty, expected a number", r->path);
	for (const char *c = text; *c && !r->failed; c++) {
		if (*c < '0' || *c > '9' || !sv_mul(n, 10, &n) ||
			!sv_add(n, (uint64_t)(*c - '0'), &n))
			fail(r, "%s is \"%.40s\", expected a number", r->path, text);
	}
	return n;
}

/* Sectors, as bytes. */
static uint64_t sectors(struct reader *r, const char *text)
{
	uint64_t bytes = 0;

	if (!sv_mul(number(r, text), SV_SECTOR, &bytes) && !r->failed)
		fail(r, "%s is \"%.40s\", more sectors than any disk has", r->path, text);
	return bytes;
}

static void guid(struct reader *r, const char *text, char ret[SV_PRL_GUID_TEXT])
{
	if (!sv_prl_guid_parse(text, ret))
		fail(r, "%s is \"%.60s\", expected a GUID", r->path, text);
}

static void refuse(struct reader *r, const char *what, const char *text, const char *hint)
{
	sv_fail_at(r->err, SV_UNSUPPORTED, NULL, here(r), "%s: %s is \"%.60s\"", what, r->path,
		text);
	sv_hint(r->err, "%s", hint);
	stop(r);
}

/* ---- elements ---- */

static struct sv_prl_storage *storage(struct reader *r)
{
	return &r->d->storages[r->d->n_storages - 1];
}

static struct sv_prl_image *image(struct reader *r)
{
	return &storage(r)->images[storage(r)->n_images - 1];
}

static struct sv_prl_shot *shot(struct reader *r)
{
	return &r->d->shots[r->d->n_shots - 1];
}

/* One more item; n is below a power of two, at which the array is as large as it can be. */
static bool add(struct reader *r, void **list, size_t *n, size_t item, size_t max)
{
	void *grown = *list;

	if (*n >= max) {
		fail(r, "there are more than %zu of %s", max, r->path);
		return false;
	}
	if (!*n || sv_is_pow2(*n))
		grown = realloc(*list, (*n ? *n * 2 : 1) * item);
	if (!grown) {
		fail_nomem(r);
		return false;
	}
	*list = grown;
	memset((char *)grown + *n * item, 0, item);
	(*n)++;
	return true;
}

static void begin_storage(struct reader *r)
{
	struct sv_prl_desc *d = r->d;

	add(r, (void **)&d->storages, &d->n_storages, sizeof *d->storages, SV_PRL_STORAGES_MAX);
}

static void begin_image(struct reader *r)
{
	struct sv_prl_storage *s = storage(r);

	if (++r->n_images > SV_PRL_IMAGES_MAX)
		fail(r, "there are more than %d images", SV_PRL_IMAGES_MAX);
	else
		add(r, (void **)&s->images, &s->n_images, sizeof *s->images, SV_PRL_IMAGES_MAX);
}

static void begin_shot(struct reader *r)
{
	struct sv_prl_desc *d = r->d;

	add(r, (void **)&d->shots, &d->n_shots, sizeof *d->shots, SV_PRL_SHOTS_MAX);
}

static void end_size(struct reader *r, const char *text)
{
	r->d->size = sectors(r, text);
	r->d->size_span = span_of(r);
}

static void end_cylinders(struct reader *r, const char *text)
{
	(void)text;
	r->d->cylinders_span = span_of(r);
}

static void end_heads(struct reader *r, const char *text)
{
	(void)text;
	r->d->heads_span = span_of(r);
}

static void end_sectors(struct reader *r, const char *text)
{
	(void)text;
	r->d->sectors_span = span_of(r);
}

static void end_uid(struct reader *r, const char *text)
{
	if (*text)
		guid(r, text, r->d->uid);
	r->d->uid_span = span_of(r);
}

static void end_padding(struct reader *r, const char *text)
{
	if (number(r, text) && !r->failed)
		refuse(r, "disks with padding are not supported", text,
			"convert the disk to one without in Parallels");
}

static void end_sector_size(struct reader *r, const char *text)
{
	if (number(r, text) != SV_SECTOR && !r->failed)
		refuse(r, "only disks of sectors of 512 bytes are supported", text,
			"convert the disk in Parallels");
}

static void end_engine(struct reader *r, const char *text)
{
	char engine[SV_PRL_GUID_TEXT] = SV_PRL_NULL_GUID;

	if (*text)
		guid(r, text, engine);
	if (!r->failed && strcmp(engine, SV_PRL_NULL_GUID) != 0)
		refuse(r, "the disk is encrypted", text,
			"remove the encryption in Parallels first");
}

static void end_start(struct reader *r, const char *text)
{
	storage(r)->start = sectors(r, text);
}

static void end_end(struct reader *r, const char *text)
{
	storage(r)->end = sectors(r, text);
	storage(r)->end_span = span_of(r);
}

static void end_block_size(struct reader *r, const char *text)
{
	storage(r)->cluster = sectors(r, text);
}

static void end_image_guid(struct reader *r, const char *text)
{
	guid(r, text, image(r)->guid);
}

static void end_type(struct reader *r, const char *text)
{
	image(r)->plain = !strcmp(text, "Plain");
	if (!image(r)->plain && strcmp(text, "Compressed") != 0)
		refuse(r, "images of this kind are not supported", text,
			"convert the disk in Parallels");
}

static void end_file(struct reader *r, const char *text)
{
	struct sv_prl_image *i = image(r);

	if (!*text) {
		fail(r, "an image has no file");
		return;
	}
	free(i->file);
	i->file = strdup(text);
	i->file_span = span_of(r);
	if (!i->file)
		fail_nomem(r);
}

static void end_top(struct reader *r, const char *text)
{
	guid(r, text, r->d->top_guid);
}

static void end_shot_guid(struct reader *r, const char *text)
{
	guid(r, text, shot(r)->guid);
}

static void end_shot_parent(struct reader *r, const char *text)
{
	guid(r, text, shot(r)->parent);
}

static const struct element {
	const char *path;
	void (*begin)(struct reader *r);
	void (*end)(struct reader *r, const char *text);
} elements[] = {
	{"Disk_Parameters/Disk_size", NULL, end_size},
	{"Disk_Parameters/Cylinders", NULL, end_cylinders},
	{"Disk_Parameters/Heads", NULL, end_heads},
	{"Disk_Parameters/Sectors", NULL, end_sectors},
	{"Disk_Parameters/Padding", NULL, end_padding},
	{"Disk_Parameters/LogicSectorSize", NULL, end_sector_size},
	{"Disk_Parameters/UID", NULL, end_uid},
	{"Disk_Parameters/Encryption/Engine", NULL, end_engine},
	{"StorageData/Storage", begin_storage, NULL},
	{"StorageData/Storage/Start", NULL, end_start},
	{"StorageData/Storage/End", NULL, end_end},
	{"StorageData/Storage/Blocksize", NULL, end_block_size},
	{"StorageData/Storage/Image", begin_image, NULL},
	{"StorageData/Storage/Image/GUID", NULL, end_image_guid},
	{"StorageData/Storage/Image/Type", NULL, end_type},
	{"StorageData/Storage/Image/File", NULL, end_file},
	{"Snapshots/TopGUID", NULL, end_top},
	{"Snapshots/Shot", begin_shot, NULL},
	{"Snapshots/Shot/GUID", NULL, end_shot_guid},
	{"Snapshots/Shot/ParentGUID", NULL, end_shot_parent},
};

static const struct element *find_element(const struct reader *r)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(elements); i++) {
		if (!strcmp(elements[i].path, r->path))
			return &elements[i];
	}
	return NULL;
}

/* ---- what expat calls ---- */

static void check_root(struct reader *r, const XML_Char *name, const XML_Char **attributes)
{
	const char *version = "1.0";

	for (; *attributes; attributes += 2) {
		if (!strcmp(attributes[0], "Version"))
			version = attributes[1];
	}
	if (strcmp(name, "Parallels_disk_image") != 0)
		fail(r, "the document is a \"%.60s\", expected a \"Parallels_disk_image\"",
			name);
	else if (strcmp(version, "1.0") != 0)
		fail(r, "the descriptor has version \"%.20s\", expected 1.0", version);
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = user;
	const struct element *e;
	size_t was = strlen(r->path);

	if (r->failed)
		return;
	if (r->depth > DEPTH_MAX) {
		fail(r, "elements are nested more than %d deep", DEPTH_MAX);
		return;
	}
	r->n_text = 0;
	r->content_at = here(r) + (size_t)XML_GetCurrentByteCount(r->xml);
	if (r->depth)
		r->lengths[r->depth - 1] = was;
	if (!r->depth++) {
		check_root(r, name, attributes);
		return;
	}
	if (was + strlen(name) + 2 > sizeof r->path)
		name = "?";
	snprintf(r->path + was, sizeof r->path - was, "%s%.200s", was ? "/" : "", name);
	e = find_element(r);
	if (e && e->begin)
		e->begin(r);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
	struct reader *r = user;
	const struct element *e;
	sv_autofree char *value = NULL;

	(void)name;
	if (r->failed)
		return;
	e = find_element(r);
	if (e && e->end) {
		value = sv_trimmed(r->text, r->n_text);
		if (value)
			e->end(r, value);
		else
			fail_nomem(r);
	}
	r->n_text = 0;
	r->depth--;
	if (r->depth)
		r->path[r->lengths[r->depth - 1]] = 0;
}

static void XMLCALL on_text(void *user, const XML_Char *text, int n)
{
	struct reader *r = user;

	if (r->failed)
		return;
	if ((size_t)n > sizeof r->text - r->n_text) {
		fail(r, "%s holds more than %zu bytes", r->path, sizeof r->text);
		return;
	}
	memcpy(r->text + r->n_text, text, (size_t)n);
	r->n_text += (size_t)n;
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
	const XML_Char *public, int has_subset)
{
	struct reader *r = user;

	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	fail(r, "it has a document type declaration, which no descriptor has");
}

/* ---- the whole ---- */

static int run(struct reader *r, const char *text, size_t n)
{
	XML_SetUserData(r->xml, r);
	XML_SetElementHandler(r->xml, on_start, on_end);
	XML_SetCharacterDataHandler(r->xml, on_text);
	XML_SetStartDoctypeDeclHandler(r->xml, on_doctype);
	if (XML_Parse(r->xml, text, (int)n, XML_TRUE) == XML_STATUS_OK && !r->failed)
		return 0;
	if (r->failed)
		return -1;
	return sv_fail_at(r->err, SV_CORRUPT, NULL, here(r), "it is no XML: %s",
		XML_ErrorString(XML_GetErrorCode(r->xml)));
}

int sv_prl_desc_parse(const char *text, size_t n, struct sv_prl_desc **ret, struct sv_err *err)
{
	sv_autofree struct reader *r = calloc(1, sizeof *r);
	struct sv_err own = SV_ERR_INIT;
	int rc;

	if (n > SV_PRL_DESC_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"the descriptor has %zu bytes, the largest allowed is %u", n,
			SV_PRL_DESC_MAX);
	if (!r)
		return sv_fail_nomem(err);
	r->err = &own;
	r->d = calloc(1, sizeof *r->d);
	r->xml = XML_ParserCreate(NULL);
	if (!r->d || !r->xml) {
		rc = sv_fail_nomem(&own);
	} else {
		r->d->refs = 1;
		rc = run(r, text, n);
	}
	if (!rc)
		rc = sv_prl_desc_check(r->d, &own);
	XML_ParserFree(r->xml);
	if (rc < 0) {
		sv_prl_desc_close(r->d);
		sv_err_copy(err, &own);
		return -1;
	}
	/* UTF-16 has a byte order mark, or a zero byte in its first character */
	r->d->editable = !memchr(text, 0, n) && (uint8_t)*text < 0xfe;
	*ret = r->d;
	return 0;
}

struct sv_prl_desc *sv_prl_desc_ref(struct sv_prl_desc *d)
{
	d->refs++;
	return d;
}

void sv_prl_desc_clear(struct sv_prl_desc *d)
{
	for (size_t i = 0; i < d->n_storages; i++) {
		for (size_t k = 0; d->storages && k < d->storages[i].n_images; k++)
			free(d->storages[i].images[k].file);
		if (d->storages)
			free(d->storages[i].images);
	}
	free(d->storages);
	free(d->shots);
}

void sv_prl_desc_close(struct sv_prl_desc *d)
{
	if (!d || (d->refs && --d->refs))
		return;
	sv_prl_desc_clear(d);
	free(d);
}
