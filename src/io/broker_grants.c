/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a broker hands out: see broker.h. In the folders of what was named, everything;
 * elsewhere what looks like a disk, because parents of a chain lie anywhere, and VMware's locks
 * beside them. Nothing of it depends on what a worker says but the path itself.
 */
#include "io/broker.h"

#include "base/num.h"
#include "base/str.h"

#include <fnmatch.h>
#include <string.h>

static const char *const endings[] = {".vmdk", ".vhd", ".vhdx", ".avhd", ".avhdx", ".vdi",
	".qcow2", ".qcow", ".img", ".raw", ".hdd", ".hds", ".iso", ".ova", ".ovf"};

static const struct {
	const char *bytes;
	size_t n;
} beginnings[] = {{"KDMV", 4}, {"COWD", 4}, {"# Disk DescriptorFile", 21}, {"conectix", 8},
	{"vhdxfile", 8}, {"<<< ", 4}, {"QFI\xfb", 4}, {"WithoutFreeSpace", 16},
	{"WithouFreSpacExt", 16}};

static int add(char ***list, size_t *n, char *text, struct sv_err *err)
{
	char **grown = text ? realloc(*list, (*n + 1) * sizeof *grown) : NULL;

	if (!grown) {
		free(text);
		return sv_fail_nomem(err);
	}
	*list = grown;
	grown[(*n)++] = text;
	return 0;
}

static bool is_in_folders(const struct sv_grants *g, const char *path)
{
	for (size_t i = 0; i < g->n_folders; i++) {
		if (sv_path_is_below(path, g->folders[i]))
			return true;
	}
	return false;
}

static bool is_known(const struct sv_grants *g, const char *path, bool folder)
{
	return folder ? sv_grants_folder(g, path) : is_in_folders(g, path);
}

int sv_grants_add(struct sv_grants *g, struct sv_host *h, const char *path, struct sv_err *err)
{
	sv_autofree char *real = sv_host_real_path(h, path, NULL);
	struct sv_host_stat st;

	if (!real || sv_host_stat(h, real, &st, NULL) < 0)
		return 0;
	if (is_known(g, real, st.type == SV_HOST_DIR))
		return 0;
	return add(&g->folders, &g->n_folders,
		st.type == SV_HOST_DIR ? strdup(real) : sv_path_dir(real), err);
}

int sv_grants_add_name(struct sv_grants *g, const char *name, struct sv_err *err)
{
	return add(&g->names, &g->n_names, strdup(name), err);
}

void sv_grants_free(struct sv_grants *g)
{
	for (size_t i = 0; i < g->n_folders; i++)
		free(g->folders[i]);
	for (size_t i = 0; i < g->n_names; i++)
		free(g->names[i]);
	free(g->folders);
	free(g->names);
	free(g->into);
	*g = (struct sv_grants){0};
}

/* "*.txt" was asked for. Capitals count for the guest to know, not here. */
static bool fits_pattern(const char *pattern, const char *name)
{
	return strpbrk(pattern, "*?[") &&
	       fnmatch(pattern, name, FNM_PERIOD | FNM_CASEFOLD) == 0;
}

bool sv_grants_name(const struct sv_grants *g, const char *name, size_t n)
{
	sv_autofree char *text = NULL;

	if (g->any_name && n && name[0] != '.')
		return true;
	text = strndup(name, n);
	for (size_t i = 0; text && i < g->n_names; i++) {
		if (!strcmp(g->names[i], text) || fits_pattern(g->names[i], text))
			return true;
	}
	return false;
}

static bool looks_like_disk(const char *path, const void *first, size_t n)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(endings); i++) {
		if (sv_ends_with_nocase(path, endings[i]))
			return true;
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(beginnings); i++) {
		if (n >= beginnings[i].n &&
			memcmp(first, beginnings[i].bytes, beginnings[i].n) == 0)
			return true;
	}
	return false;
}

bool sv_grants_file(const struct sv_grants *g, const char *path, const void *first, size_t n)
{
	sv_autofree char *folder = sv_path_dir(path);

	if (is_in_folders(g, path) || looks_like_disk(path, first, n))
		return true;
	return folder && sv_ends_with(folder, ".lck") && sv_ends_with(path, ".lck");
}

bool sv_grants_folder(const struct sv_grants *g, const char *path)
{
	for (size_t i = 0; i < g->n_folders; i++) {
		if (strcmp(path, g->folders[i]) == 0)
			return true;
	}
	return is_in_folders(g, path) || sv_ends_with(path, ".lck");
}
