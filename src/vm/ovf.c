/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Descriptions of appliances: see ovf.h. expat reads the XML; the first fault stops it. */
#include "vm/ovf.h"

#include "base/num.h"
#include "base/str.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

struct parser {
	XML_Parser xml;
	struct sv_ovf *ovf;
	unsigned depth;
	unsigned system_depth; /* of the first virtual system's element; 0 before it */
	bool in_item;
	struct sv_str text; /* of the element in work */
	bool wants_text;
	bool failed;
	struct sv_err *err;
};

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static bool is(const char *name, const char *word)
{
	return !strcmp(local_name(name), word);
}

/* ---- faults ---- */

__attribute__((format(printf, 3, 4))) static void fail(
	struct parser *p, enum sv_code code, const char *fmt, ...)
{
	XML_Index at = XML_GetCurrentByteIndex(p->xml);
	char text[160];
	va_list ap;

	if (p->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sv_fail_at(p->err, code, NULL, at < 0 ? 0 : (uint64_t)at, "%s", text);
	p->failed = true;
	XML_StopParser(p->xml, XML_FALSE);
}

static void fail_nomem(struct parser *p)
{
	if (!p->failed)
		sv_fail_nomem(p->err);
	p->failed = true;
	XML_StopParser(p->xml, XML_FALSE);
}

/* ---- lists ---- */

/* A list with room for one element more, which is zeros; NULL after a failure. */
static void *grow(struct parser *p, void *list, size_t n, size_t size)
{
	uint8_t *grown;

	if (n == SV_OVF_LIST_MAX) {
		fail(p, SV_CORRUPT, "more than %d files, disks or items", SV_OVF_LIST_MAX);
		return NULL;
	}
	grown = realloc(list, (n + 1) * size);
	if (!grown) {
		fail_nomem(p);
		return NULL;
	}
	memset(grown + n * size, 0, size);
	return grown;
}

/* ---- elements ---- */

/* A copy of an attribute's value, "" where it is absent. */
static char *attribute(struct parser *p, const char *const *attrs, const char *name)
{
	const char *value = "";
	char *copy;

	for (size_t i = 0; attrs[i]; i += 2) {
		if (is(attrs[i], name))
			value = attrs[i + 1];
	}
	if (strlen(value) > SV_OVF_TEXT_MAX)
		fail(p, SV_CORRUPT, "a value of %zu bytes, the largest allowed has %d",
			strlen(value), SV_OVF_TEXT_MAX);
	copy = strdup(value);
	if (!copy)
		fail_nomem(p);
	return copy;
}

static void begin_file(struct parser *p, const char *const *attrs)
{
	struct sv_ovf *o = p->ovf;
	struct sv_ovf_file *f = grow(p, o->files, o->n_files, sizeof *f);

	if (!f)
		return;
	o->files = f;
	f += o->n_files++;
	f->id = attribute(p, attrs, "id");
	f->href = attribute(p, attrs, "href");
	f->compression = attribute(p, attrs, "compression");
	f->chunk_size = attribute(p, attrs, "chunkSize");
}

static void begin_disk(struct parser *p, const char *const *attrs)
{
	struct sv_ovf *o = p->ovf;
	struct sv_ovf_disk *d = grow(p, o->disks, o->n_disks, sizeof *d);

	if (!d)
		return;
	o->disks = d;
	d += o->n_disks++;
	d->id = attribute(p, attrs, "diskId");
	d->file = attribute(p, attrs, "fileRef");
	d->parent = attribute(p, attrs, "parentRef");
}

static void begin_system(struct parser *p, const char *const *attrs)
{
	if (p->ovf->n_systems++)
		return;
	p->system_depth = p->depth;
	free(p->ovf->name);
	p->ovf->name = attribute(p, attrs, "id"); /* until a <Name> says better */
}

static void begin_item(struct parser *p)
{
	struct sv_ovf *o = p->ovf;
	struct sv_ovf_item *m = grow(p, o->items, o->n_items, sizeof *m);

	p->in_item = m != NULL;
	if (!m)
		return;
	o->items = m;
	o->n_items++;
}

/* Is it the machine's own name, or a product's? */
static bool is_system_name(const struct parser *p, const char *name)
{
	return is(name, "Name") && p->ovf->n_systems == 1 && p->depth == p->system_depth + 1;
}

static bool is_item_value(const struct parser *p, const char *name)
{
	static const char *const known[] = {"ResourceType", "InstanceID", "InstanceId",
		"Parent", "Address", "AddressOnParent", "HostResource"};

	for (size_t i = 0; p->in_item && i < SV_ARRAY_LEN(known); i++) {
		if (is(name, known[i]))
			return true;
	}
	return false;
}

static void on_start(void *user, const char *name, const char **attrs)
{
	struct parser *p = user;

	if (p->failed)
		return;
	if (++p->depth > SV_OVF_DEPTH_MAX) {
		fail(p, SV_CORRUPT, "elements lie more than %d deep", SV_OVF_DEPTH_MAX);
		return;
	}
	if (p->depth == 1 && !is(name, "Envelope")) {
		fail(p, SV_CORRUPT, "it is no OVF: it begins with <%.40s>, not with <Envelope>",
			name);
		return;
	}
	p->text.len = 0;
	p->wants_text = is_item_value(p, name);
	if (is(name, "File"))
		begin_file(p, attrs);
	else if (is(name, "Disk"))
		begin_disk(p, attrs);
	else if (is(name, "VirtualSystem") || (is(name, "Content") && p->depth == 2))
		begin_system(p, attrs);
	else if (is(name, "Item") || is(name, "StorageItem"))
		begin_item(p);
	p->wants_text |= is_system_name(p, name);
}

static void on_text(void *user, const char *bytes, int n)
{
	struct parser *p = user;

	if (p->failed || !p->wants_text)
		return;
	if (p->text.len + (size_t)n > SV_OVF_TEXT_MAX) {
		fail(p, SV_CORRUPT, "a value of more than %d bytes", SV_OVF_TEXT_MAX);
		return;
	}
	sv_str_addn(&p->text, bytes, (size_t)n);
	if (p->text.failed)
		fail_nomem(p);
}

/* Puts the text in a field's place: the first that is not empty stays. */
static void take_text(struct parser *p, char **field)
{
	if (*field && **field)
		return;
	free(*field);
	*field = sv_trimmed(p->text.data ? p->text.data : "", p->text.len);
	if (!*field)
		fail_nomem(p);
}

static void take_type(struct parser *p, struct sv_ovf_item *item)
{
	sv_autofree char *text = sv_trimmed(p->text.data ? p->text.data : "", p->text.len);
	unsigned type = 0;

	if (!text) {
		fail_nomem(p);
		return;
	}
	if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return;
	for (const char *c = text; *c; c++)
		type = type * 10 + (unsigned)(*c - '0');
	item->type = type;
}

static void take_item_value(struct parser *p, const char *name)
{
	struct sv_ovf_item *item = &p->ovf->items[p->ovf->n_items - 1];

	if (is(name, "ResourceType"))
		take_type(p, item);
	else if (is(name, "InstanceID") || is(name, "InstanceId"))
		take_text(p, &item->instance);
	else if (is(name, "Parent"))
		take_text(p, &item->parent);
	else if (is(name, "Address"))
		take_text(p, &item->address);
	else if (is(name, "AddressOnParent"))
		take_text(p, &item->on_parent);
	else
		take_text(p, &item->resource);
}

static void on_end(void *user, const char *name)
{
	struct parser *p = user;

	if (p->failed)
		return;
	if (p->wants_text && is_system_name(p, name)) {
		free(p->ovf->name);
		p->ovf->name = NULL;
		take_text(p, &p->ovf->name);
	} else if (p->wants_text) {
		take_item_value(p, name);
	}
	p->wants_text = false;
	p->text.len = 0;
	if (is(name, "Item") || is(name, "StorageItem"))
		p->in_item = false;
	p->depth--;
}

static void on_doctype(
	void *user, const char *name, const char *system, const char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	fail(user, SV_UNSUPPORTED,
		"it has a document type declaration, which no OVF has: refused");
}

/* ---- the whole ---- */

/* What was not said becomes "". */
static int fill_texts(struct sv_ovf *o, struct sv_err *err)
{
	for (size_t i = 0; i < o->n_items; i++) {
		struct sv_ovf_item *m = &o->items[i];
		char **const texts[] = {
			&m->instance, &m->parent, &m->address, &m->on_parent, &m->resource};

		for (size_t k = 0; k < SV_ARRAY_LEN(texts); k++) {
			if (!*texts[k] && !(*texts[k] = strdup("")))
				return sv_fail_nomem(err);
		}
	}
	if (!o->name && !(o->name = strdup("")))
		return sv_fail_nomem(err);
	return 0;
}

static int finish(struct parser *p, bool parsed)
{
	XML_Index at = XML_GetCurrentByteIndex(p->xml);

	if (p->failed)
		return -1;
	if (!parsed)
		return sv_fail_at(p->err, SV_CORRUPT, NULL, at < 0 ? 0 : (uint64_t)at,
			"the XML of the OVF is damaged: %s",
			XML_ErrorString(XML_GetErrorCode(p->xml)));
	return fill_texts(p->ovf, p->err);
}

int sv_ovf_parse(const char *text, size_t n, struct sv_ovf *ret, struct sv_err *err)
{
	struct sv_ovf ovf = {0};
	struct parser p = {.ovf = &ovf, .err = err};
	int rc;

	if (n > SV_OVF_SIZE_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"the OVF has %zu bytes, the largest allowed is %u", n, SV_OVF_SIZE_MAX);
	p.xml = XML_ParserCreate(NULL);
	if (!p.xml)
		return sv_fail_nomem(err);
	XML_SetUserData(p.xml, &p);
	XML_SetElementHandler(p.xml, on_start, on_end);
	XML_SetCharacterDataHandler(p.xml, on_text);
	XML_SetStartDoctypeDeclHandler(p.xml, on_doctype);
	rc = finish(&p, XML_Parse(p.xml, text, (int)n, XML_TRUE) == XML_STATUS_OK);
	XML_ParserFree(p.xml);
	sv_str_free(&p.text);
	if (rc < 0)
		sv_ovf_clear(&ovf);
	else
		*ret = ovf;
	return rc;
}

void sv_ovf_clear(struct sv_ovf *o)
{
	for (size_t i = 0; i < o->n_files; i++) {
		free(o->files[i].id);
		free(o->files[i].href);
		free(o->files[i].compression);
		free(o->files[i].chunk_size);
	}
	for (size_t i = 0; i < o->n_disks; i++) {
		free(o->disks[i].id);
		free(o->disks[i].file);
		free(o->disks[i].parent);
	}
	for (size_t i = 0; i < o->n_items; i++) {
		free(o->items[i].instance);
		free(o->items[i].parent);
		free(o->items[i].address);
		free(o->items[i].on_parent);
		free(o->items[i].resource);
	}
	free(o->files);
	free(o->disks);
	free(o->items);
	free(o->name);
	*o = (struct sv_ovf){0};
}

const struct sv_ovf_file *sv_ovf_find_file(const struct sv_ovf *o, const char *id)
{
	for (size_t i = 0; i < o->n_files; i++) {
		if (!strcmp(o->files[i].id, id))
			return &o->files[i];
	}
	return NULL;
}

const struct sv_ovf_disk *sv_ovf_find_disk(const struct sv_ovf *o, const char *id)
{
	for (size_t i = 0; i < o->n_disks; i++) {
		if (!strcmp(o->disks[i].id, id))
			return &o->disks[i];
	}
	return NULL;
}
