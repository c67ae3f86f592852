/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which format, and which kind of it, a new image shall be. */
#include "image/image.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

static int refuse_format(const char *path, const char *name, struct sv_err *err)
{
	sv_autostr struct sv_str all = {0};
	struct sv_image_format f;

	for (size_t i = 0; sv_image_format(i, &f); i++)
		if (f.can_create)
			sv_str_addf(&all, "%s%s", all.len ? ", " : "", f.name);
	if (name)
		sv_fail(err, SV_USAGE, path, "no image format \"%s\" can be written", name);
	else
		sv_fail(err, SV_USAGE, path, "its name does not tell which format to make");
	return sv_hint(err, "name one of: %s", all.data ? all.data : "");
}

static bool is_named_like(const struct sv_image_format *f, const char *path)
{
	static const struct {
		const char *format, *extension;
	} more[] = {{"raw", ".raw"}, {"parallels", ".hds"}};

	if (sv_ends_with_nocase(path, f->extension))
		return true;
	for (size_t i = 0; i < SV_ARRAY_LEN(more); i++)
		if (!strcmp(f->name, more[i].format) &&
			sv_ends_with_nocase(path, more[i].extension))
			return true;
	return false;
}

int sv_image_choose_format(
	const char *path, const char *name, struct sv_image_format *ret, struct sv_err *err)
{
	struct sv_image_format f;

	for (size_t i = 0; sv_image_format(i, &f); i++) {
		if (!f.can_create ||
			!(name ? !strcasecmp(f.name, name) : is_named_like(&f, path)))
			continue;
		*ret = f;
		return 0;
	}
	return refuse_format(path, name, err);
}

int sv_image_choose_subformat(const char *path, const struct sv_image_format *f,
	const char *name, const char **ret, struct sv_err *err)
{
	sv_autostr struct sv_str all = {0};

	if (!name) {
		*ret = f->subformats[0] ? f->subformats[0] : "";
		return 0;
	}
	for (const char *const *kind = f->subformats; *kind; kind++) {
		if (!strcasecmp(*kind, name)) {
			*ret = *kind;
			return 0;
		}
		sv_str_addf(&all, "%s%s", all.len ? ", " : "", *kind);
	}
	sv_fail(err, SV_USAGE, path, "no %s image of kind \"%s\" can be made", f->name, name);
	if (!all.len)
		return sv_hint(err, "leave out the kind: there is only one");
	return sv_hint(err, "the kinds are: %s", all.data);
}
