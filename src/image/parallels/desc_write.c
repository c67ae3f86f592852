/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing DiskDescriptor.xml: a new one, or changes in one that others made. See desc.h. */
#include "image/parallels/desc.h"

#include "base/num.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* XML 1.0 cannot tell control characters, and bytes that are no UTF-8, at all. */
static bool is_tellable(const char *text)
{
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20)
			return false;
	}
	/* white space at its ends would be lost */
	return sv_utf8_valid(text, strlen(text)) && *text != ' ' &&
	       (!*text || text[strlen(text) - 1] != ' ');
}

static void add_escaped(struct sv_str *s, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			sv_str_add(s, "&amp;");
			break;
		case '<':
			sv_str_add(s, "&lt;");
			break;
		case '>':
			sv_str_add(s, "&gt;");
			break;
		default:
			sv_str_addn(s, text, 1);
		}
	}
}

static int check_names(const struct sv_prl_storage *s, struct sv_err *err)
{
	for (size_t i = 0; i < s->n_images; i++) {
		if (!is_tellable(s->images[i].file))
			return sv_fail(err, SV_UNSUPPORTED, s->images[i].file,
				"an XML file cannot name it: it is no UTF-8, or has control "
				"characters or blanks at its ends");
	}
	return 0;
}

/* ---- a new one ---- */

static void add_parameters(struct sv_str *s, const struct sv_prl_desc *d)
{
	struct sv_prl_geometry g = sv_prl_geometry(d->size);

	sv_str_addf(s,
		"    <Disk_Parameters>\n"
		"        <Disk_size>%llu</Disk_size>\n"
		"        <Cylinders>%llu</Cylinders>\n"
		"        <PhysicalSectorSize>4096</PhysicalSectorSize>\n"
		"        <LogicSectorSize>512</LogicSectorSize>\n"
		"        <Heads>%u</Heads>\n"
		"        <Sectors>%u</Sectors>\n"
		"        <Padding>0</Padding>\n"
		"        <Encryption>\n"
		"            <Engine>{%s}</Engine>\n"
		"            <Data></Data>\n"
		"        </Encryption>\n"
		"        <UID>{%s}</UID>\n"
		"        <Miscellaneous>\n"
		"            <CompatLevel>level2</CompatLevel>\n"
		"            <Bootable>1</Bootable>\n"
		"            <SuspendState>0</SuspendState>\n"
		"        </Miscellaneous>\n"
		"    </Disk_Parameters>\n",
		(unsigned long long)(d->size / SV_SECTOR), (unsigned long long)g.cylinders,
		g.heads, g.sectors, SV_PRL_NULL_GUID, d->uid);
}

static void add_image(struct sv_str *s, const struct sv_prl_image *i)
{
	sv_str_addf(s,
		"            <Image>\n"
		"                <GUID>{%s}</GUID>\n"
		"                <Type>%s</Type>\n"
		"                <File>",
		i->guid, i->plain ? "Plain" : "Compressed");
	add_escaped(s, i->file);
	sv_str_add(s, "</File>\n            </Image>\n");
}

static void add_storage(struct sv_str *s, const struct sv_prl_storage *storage)
{
	sv_str_addf(s,
		"        <Storage>\n"
		"            <Start>%llu</Start>\n"
		"            <End>%llu</End>\n"
		"            <Blocksize>%llu</Blocksize>\n",
		(unsigned long long)(storage->start / SV_SECTOR),
		(unsigned long long)(storage->end / SV_SECTOR),
		(unsigned long long)(storage->cluster / SV_SECTOR));
	for (size_t i = 0; i < storage->n_images; i++)
		add_image(s, &storage->images[i]);
	sv_str_add(s, "        </Storage>\n");
}

static void add_shots(struct sv_str *s, const struct sv_prl_desc *d)
{
	sv_str_add(s, "    <Snapshots>\n");
	if (strcmp(d->top_guid, SV_PRL_TOP_GUID) != 0)
		sv_str_addf(s, "        <TopGUID>{%s}</TopGUID>\n", d->top_guid);
	for (size_t i = 0; i < d->n_shots; i++)
		sv_str_addf(s,
			"        <Shot>\n"
			"            <GUID>{%s}</GUID>\n"
			"            <ParentGUID>{%s}</ParentGUID>\n"
			"        </Shot>\n",
			d->shots[i].guid, d->shots[i].parent);
	sv_str_add(s, "    </Snapshots>\n");
}

char *sv_prl_desc_print(const struct sv_prl_desc *d, struct sv_err *err)
{
	sv_autostr struct sv_str s = {0};
	char *text;

	for (size_t i = 0; i < d->n_storages; i++) {
		if (check_names(&d->storages[i], err) < 0)
			return NULL;
	}
	sv_str_add(&s, "<?xml version='1.0' encoding='UTF-8'?>\n"
		       "<Parallels_disk_image Version=\"1.0\">\n");
	add_parameters(&s, d);
	sv_str_add(&s, "    <StorageData>\n");
	for (size_t i = 0; i < d->n_storages; i++)
		add_storage(&s, &d->storages[i]);
	sv_str_add(&s, "    </StorageData>\n");
	add_shots(&s, d);
	sv_str_add(&s, "</Parallels_disk_image>\n");
	text = sv_str_take(&s);
	if (!text)
		sv_fail_nomem(err);
	return text;
}

/* ---- changes ---- */

static int by_place(const void *a, const void *b)
{
	const struct sv_prl_edit *x = a, *y = b;

	return (x->span.at > y->span.at) - (x->span.at < y->span.at);
}

char *sv_prl_desc_edit(const char *text, size_t n, struct sv_prl_edit *edits, size_t n_edits,
	struct sv_err *err)
{
	sv_autostr struct sv_str s = {0};
	size_t at = 0;
	char *result;

	qsort(edits, n_edits, sizeof *edits, by_place);
	for (size_t i = 0; i < n_edits; i++) {
		const struct sv_prl_span *span = &edits[i].span;

		if (!is_tellable(edits[i].text)) {
			sv_fail(err, SV_UNSUPPORTED, edits[i].text,
				"an XML file cannot name it: it is no UTF-8, or has control "
				"characters or blanks at its ends");
			return NULL;
		}
		sv_str_addn(&s, text + at, span->at - at);
		add_escaped(&s, edits[i].text);
		at = span->at + span->n;
	}
	sv_str_addn(&s, text + at, n - at);
	result = sv_str_take(&s);
	if (!result)
		sv_fail_nomem(err);
	return result;
}
