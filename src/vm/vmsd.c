/* SPDX-License-Identifier: GPL-3.0-or-later */
/* VMware's snapshot list, see vmsd.h. What it counts of itself (numSnapshots, numClones) is not
 * believed: the keys that are there count. */
#include "vm/vmsd.h"

#include "base/num.h"
#include "base/str.h"
#include "vm/vmx.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "snapshot12.uid": gives 12 and ".uid"; NULL where the name is no snapshot's. */
static const char *parse_name(const char *name, unsigned *ret_number)
{
	const size_t prefix = strlen("snapshot");
	unsigned n = 0;
	const char *p;

	if (strncasecmp(name, "snapshot", prefix) != 0)
		return NULL;
	for (p = name + prefix; *p >= '0' && *p <= '9'; p++) {
		if (n > 1000000)
			return NULL;
		n = n * 10 + (unsigned)(*p - '0');
	}
	*ret_number = n;
	/* VMware writes no leading zeros: "snapshot00" is not snapshot 0 */
	if (name[prefix] == '0' && p > name + prefix + 1)
		return NULL;
	return p > name + prefix && *p == '.' ? p : NULL;
}

static char *text_of(const struct sv_vmx *vmx, unsigned number, const char *key)
{
	char name[64];
	char *text;

	snprintf(name, sizeof name, "snapshot%u.%s", number, key);
	text = sv_vmx_get_text(vmx, name);
	return text ? text : strdup("");
}

static int add_snapshot(
	struct sv_vmsd *vmsd, const struct sv_vmx *vmx, unsigned number, struct sv_err *err)
{
	const char *type = sv_vmx_getf(vmx, "snapshot%u.type", number);
	struct sv_vmsd_snapshot *s;

	if (vmsd->n_snapshots == SV_VMSD_SNAPSHOTS_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"a snapshot list of more than %d snapshots", SV_VMSD_SNAPSHOTS_MAX);
	s = realloc(vmsd->snapshots, (vmsd->n_snapshots + 1) * sizeof *s);
	if (!s)
		return sv_fail_nomem(err);
	vmsd->snapshots = s;
	s += vmsd->n_snapshots++;
	*s = (struct sv_vmsd_snapshot){
		.number = number,
		.uid = text_of(vmx, number, "uid"),
		.parent = text_of(vmx, number, "parent"),
		.name = text_of(vmx, number, "displayName"),
		.memory = type && strcmp(type, "1") == 0,
	};
	return s->uid && s->parent && s->name ? 0 : sv_fail_nomem(err);
}

static int add_clone(
	struct sv_vmsd *vmsd, const struct sv_vmx *vmx, const char *name, struct sv_err *err)
{
	char **grown;

	if (vmsd->n_clones == SV_VMSD_CLONES_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"a snapshot list of more than %d linked clones", SV_VMSD_CLONES_MAX);
	grown = realloc(vmsd->clones, (vmsd->n_clones + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	vmsd->clones = grown;
	grown[vmsd->n_clones] = sv_vmx_get_text(vmx, name);
	if (!grown[vmsd->n_clones])
		return sv_fail_nomem(err);
	vmsd->n_clones++;
	return 0;
}

static bool is_clone_key(const char *key)
{
	return strncasecmp(key, ".clone", 6) == 0 && key[6] >= '0' && key[6] <= '9';
}

static int collect(struct sv_vmsd *vmsd, const struct sv_vmx *vmx, struct sv_err *err)
{
	const char *name, *value, *key;
	unsigned number;

	for (size_t pos = 0; sv_vmx_next(vmx, &pos, &name, &value);) {
		key = parse_name(name, &number);
		if (!key || !*value)
			continue;
		if (strcasecmp(key, ".uid") == 0 && add_snapshot(vmsd, vmx, number, err) < 0)
			return -1;
		if (is_clone_key(key) && add_clone(vmsd, vmx, name, err) < 0)
			return -1;
	}
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct sv_vmsd_snapshot *s = a, *t = b;

	return (s->number > t->number) - (s->number < t->number);
}

int sv_vmsd_parse(const void *bytes, size_t n, struct sv_vmsd *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vmx_freep) struct sv_vmx *vmx = NULL;

	*ret = (struct sv_vmsd){0};
	if (sv_vmx_parse(bytes, n, &vmx, err) < 0 || collect(ret, vmx, err) < 0)
		return -1;
	if (ret->n_snapshots)
		qsort(ret->snapshots, ret->n_snapshots, sizeof *ret->snapshots,
			compare_numbers);
	ret->current = sv_vmx_get_text(vmx, "snapshot.current");
	/* "0" is how VMware writes that there is none */
	if (!ret->current || strcmp(ret->current, "0") == 0) {
		free(ret->current);
		ret->current = strdup("");
	}
	return ret->current ? 0 : sv_fail_nomem(err);
}

void sv_vmsd_clear(struct sv_vmsd *vmsd)
{
	for (size_t i = 0; i < vmsd->n_snapshots; i++) {
		free(vmsd->snapshots[i].uid);
		free(vmsd->snapshots[i].parent);
		free(vmsd->snapshots[i].name);
	}
	for (size_t i = 0; i < vmsd->n_clones; i++)
		free(vmsd->clones[i]);
	free(vmsd->snapshots);
	free(vmsd->clones);
	free(vmsd->current);
	*vmsd = (struct sv_vmsd){0};
}
