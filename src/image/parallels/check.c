/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking a Parallels disk: of a folder, all files of one snapshot, each as hds_check.c does,
 * and against what the descriptor says of it.
 */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct look {
	const struct sv_link_env *env;
	const char *path; /* of what is checked, and the open file */
	struct sv_dev *file;
	struct sv_image_faults *faults;
	struct sv_job *job;
};

__attribute__((format(printf, 4, 5))) static void report(
	const struct look *k, const char *path, uint64_t at, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	k->faults->errors++;
	if (!k->faults->report)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->faults->report(k->faults->user, false, path, at, text);
}

/* What the header says, and what the descriptor says. */
static int compare_header(const struct look *k, struct sv_dev *file,
	const struct sv_prl_storage *s, const char *path, struct sv_err *err)
{
	uint8_t head[sizeof(struct sv_prl_disk_header)];
	uint64_t length = s->end - s->start;
	struct sv_prl_header h;

	if (sv_dev_read(file, head, sizeof head, 0, err) < 0 ||
		sv_prl_header_parse(head, sizeof head, sv_dev_size(file), &h, err) < 0)
		return -1;
	if (h.size < length) /* a growth that was cut off leaves a larger one */
		report(k, path, offsetof(struct sv_prl_disk_header, n_sectors),
			"the image has %llu sectors, the descriptor says %llu",
			(unsigned long long)(h.size / SV_SECTOR),
			(unsigned long long)(length / SV_SECTOR));
	if (h.cluster != s->cluster)
		report(k, path, offsetof(struct sv_prl_disk_header, cluster_sectors),
			"the image has clusters of %llu sectors, the descriptor says %llu",
			(unsigned long long)(h.cluster / SV_SECTOR),
			(unsigned long long)(s->cluster / SV_SECTOR));
	return 0;
}

static int check_image(const struct look *k, const struct sv_prl_storage *s,
	const struct sv_prl_image *image, const char *path, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;

	if (!strcmp(path, k->path))
		file = sv_dev_ref(k->file);
	else if (sv_link_open_file(k->env, path, false, &file, err) < 0)
		return -1;
	if (!image->plain)
		return sv_hds_check(file, k->faults, k->job, err) < 0
			       ? -1
			       : compare_header(k, file, s, path, err);
	if (sv_dev_size(file) < s->end - s->start)
		report(k, path, sv_dev_size(file),
			"the file has %llu bytes, the descriptor says %llu",
			(unsigned long long)sv_dev_size(file),
			(unsigned long long)(s->end - s->start));
	return 0;
}

static int check_shot(const struct look *k, const struct sv_prl_desc *d, const char *desc_path,
	size_t shot, struct sv_err *err)
{
	for (size_t i = 0; i < d->n_storages; i++) {
		const struct sv_prl_image *image =
			sv_prl_storage_image(&d->storages[i], d->shots[shot].guid);
		sv_autofree char *path = sv_prl_image_path(k->env, desc_path, image, true, err);

		if (!path || check_image(k, &d->storages[i], image, path, err) < 0)
			return -1;
	}
	return 0;
}

static int check_folder(const struct look *k, struct sv_err *err)
{
	struct sv_prl_desc *d;
	int rc;

	if (sv_prl_read_desc(k->env->host, k->path, &d, err) < 0)
		return -1;
	rc = check_shot(k, d, k->path, d->top, err);
	sv_prl_desc_close(d);
	return rc;
}

static int check_file(const struct look *k, struct sv_err *err)
{
	sv_autofree char *desc_path = NULL;
	struct sv_prl_desc *d;
	size_t shot;
	int rc;

	if (sv_prl_find_desc(k->env->host, k->path, &d, &desc_path, &shot, err) < 0)
		return -1;
	if (!d)
		return sv_hds_check(k->file, k->faults, k->job, err);
	rc = check_shot(k, d, desc_path, shot, err);
	sv_prl_desc_close(d);
	return rc;
}

int sv_prl_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	const struct look k = {env, path, file, faults, job};
	bool expanding;

	if (sv_prl_is_expanding(file, &expanding, err) < 0)
		return -1;
	return expanding ? check_file(&k, err) : check_folder(&k, err);
}
