/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the parent of a differencing VHD may be: the parent locators of all platforms, and the
 * name in the header (MS-VHD, "Parent Locator Entry"). Relative locators as they stand; of
 * absolute paths, which another machine wrote, the file's name, to be looked for beside the
 * child. Of the locator "Mac " (an alias record of Mac OS 9) no path is known.
 */
#include "image/vhd/vhd.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

enum encoding { UTF_16, BYTES, URL };

/* Best first. */
static const struct platform {
	char code[5];
	enum encoding encoding;
	bool relative;
} relative[] = {{"W2ru", UTF_16, true}, {"Wi2r", BYTES, true}},
  absolute[] = {{"W2ku", UTF_16, false}, {"Wi2k", BYTES, false}, {"MacX", URL, false}};

static int add_hint(struct sv_vhd *v, const char *text, struct sv_err *err)
{
	size_t i = 0;

	if (!*text)
		return 0;
	while (v->hints[i] && strcmp(v->hints[i], text) != 0)
		i++;
	if (v->hints[i] || i + 1 == SV_ARRAY_LEN(v->hints))
		return 0;
	v->hints[i] = strdup(text);
	return v->hints[i] ? 0 : sv_fail_nomem(err);
}

/* What stands behind the last / or \ of a path of any system. */
static const char *base_of(const char *path)
{
	const char *base = path;

	for (const char *c = path; *c; c++) {
		if (*c == '/' || *c == '\\')
			base = c + 1;
	}
	return base;
}

/* "%20" becomes a space, in place; what is no such number stays. */
static void decode_url(char *text)
{
	char *out = text, hex[3] = "";

	for (; *text; text++) {
		bool coded = *text == '%' && isxdigit((unsigned char)text[1]) &&
			     isxdigit((unsigned char)text[2]);

		if (!coded) {
			*out++ = *text;
			continue;
		}
		memcpy(hex, text + 1, 2);
		*out++ = (char)strtoul(hex, NULL, 16);
		text += 2;
	}
	*out = 0;
}

static char *locator_text(struct sv_vhd *v, const struct sv_vhd_locator *l,
	enum encoding encoding, struct sv_err *err)
{
	sv_autofree char *bytes = malloc(l->length + 1);
	char *text;

	if (!bytes) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_read(v->file, bytes, l->length, l->offset, err) < 0)
		return NULL;
	bytes[l->length] = 0;
	text = encoding == UTF_16 ? sv_utf16_to_utf8(bytes, l->length / 2, NULL)
				  : strdup(bytes);
	if (!text)
		sv_fail_nomem(err);
	else if (encoding == URL)
		decode_url(text);
	return text;
}

static int add_locator(struct sv_vhd *v, const struct sv_vhd_locator *l,
	const struct platform *p, struct sv_err *err)
{
	sv_autofree char *text = locator_text(v, l, p->encoding, err);

	if (!text)
		return -1;
	if (!p->relative)
		return add_hint(v, base_of(text), err);
	for (char *c = text; *c; c++) {
		if (*c == '\\')
			*c = '/';
	}
	return sv_path_is_absolute(text) ? 0 : add_hint(v, text, err);
}

static int add_locators(
	struct sv_vhd *v, const struct platform *platforms, size_t n, struct sv_err *err)
{
	for (size_t k = 0; k < n; k++) {
		for (size_t i = 0; i < SV_VHD_LOCATORS; i++) {
			const struct sv_vhd_locator *l = &v->header.locators[i];

			if (!strcmp(l->code, platforms[k].code) &&
				add_locator(v, l, &platforms[k], err) < 0)
				return -1;
		}
	}
	return 0;
}

int sv_vhd_read_names(struct sv_vhd *v, const struct sv_vhd_disk_header *h, struct sv_err *err)
{
	uint8_t le[sizeof h->parent_name];

	for (size_t i = 0; i < sizeof le; i += 2) {
		le[i] = h->parent_name[i + 1];
		le[i + 1] = h->parent_name[i];
	}
	v->parent_name = sv_utf16_to_utf8(le, sizeof le / 2, NULL);
	if (!v->parent_name)
		return sv_fail_nomem(err);
	if (add_locators(v, relative, SV_ARRAY_LEN(relative), err) < 0 ||
		add_hint(v, base_of(v->parent_name), err) < 0 ||
		add_locators(v, absolute, SV_ARRAY_LEN(absolute), err) < 0)
		return -1;
	/* made on this machine, perhaps */
	return *v->parent_name == '/' ? add_hint(v, v->parent_name, err) : 0;
}
