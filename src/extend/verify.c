/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is an extended machine sound, and are its originals what they were? Originals are told by
 * size, time and samples; with `full` every byte of them is hashed: the first full look records
 * the hashes in the manifest, later ones compare.
 */
#include "extend/priv.h"

#include "base/str.h"

#include <string.h>

struct verify {
	struct sv_host *host;
	const char *dir;
	bool full;
	struct sv_job *job;
	struct sv_verify_report *report;
	struct sv_manifest *manifest;
	struct sv_allow *allow;
	char **read_files; /* every file that the result's disks are read from */
	size_t n_read_files;
	bool knows_reads; /* all of its disks opened */
	bool hashes_added;
	size_t image_faults;
};

#define OK(v, ...) sv_list_add(&(v)->report->ok, &(v)->report->n_ok, err, __VA_ARGS__)
#define FAULT(v, ...)                                                                          \
	sv_list_add(&(v)->report->faults, &(v)->report->n_faults, err, __VA_ARGS__)

/* Hashes the whole original; the recorded hash, where there is one, must be the same. */
static int hash_original(
	struct verify *v, struct sv_manifest_file *f, bool *ret_same, struct sv_err *err)
{
	sv_autodev struct sv_dev *dev = NULL;
	uint8_t digest[SV_SHA256_SIZE];
	char hex[SV_SHA256_TEXT];

	if (sv_host_open(v->host, f->name, SV_OPEN_READ | SV_OPEN_LOCK, &dev, err) < 0 ||
		sv_dev_hash(dev, 0, sv_dev_size(dev), digest, v->job, err) < 0)
		return -1;
	sv_hex(digest, sizeof digest, hex);
	*ret_same = !*f->full || !strcmp(f->full, hex);
	if (!*f->full) {
		free(f->full);
		f->full = strdup(hex);
		if (!f->full)
			return sv_fail_nomem(err);
		v->hashes_added = true;
	}
	return 0;
}

static int note_reads(struct verify *v, struct sv_image *image, struct sv_err *err)
{
	for (size_t l = 0; l < sv_image_links(image); l++) {
		const struct sv_image_link *link = sv_image_link(image, l);

		for (size_t f = 0; f < link->n_files; f++) {
			if (sv_list_add(&v->read_files, &v->n_read_files, err, "%s",
				    link->files[f].path) < 0)
				return -1;
		}
	}
	return 0;
}

/* Which files is the result read from? Unknown when a disk of it does not open. */
static int look_at_reads(struct verify *v, struct sv_err *err)
{
	sv_autofree char *config = sv_path_join(v->dir, v->manifest->config);
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;
	struct sv_image_opts opts = {.allow = v->allow};

	if (!config)
		return sv_fail_nomem(err);
	if (sv_vm_open(v->host, config, &vm, NULL) < 0)
		return 0;
	for (size_t i = 0; i < vm->n_disks; i++) {
		SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;

		if (sv_image_open(v->host, vm->disks[i].path, &opts, &image, NULL) < 0)
			return 0;
		if (note_reads(v, image, err) < 0)
			return -1;
	}
	v->knows_reads = true;
	return 0;
}

static bool is_read(const struct verify *v, const char *original)
{
	for (size_t i = 0; i < v->n_read_files; i++) {
		if (!strcmp(v->read_files[i], original))
			return true;
	}
	return !v->knows_reads;
}

/* A changed original is a fault only for what is still read from it. */
static int report_changed(
	struct verify *v, const char *original, const char *why, struct sv_err *err)
{
	if (is_read(v, original))
		return FAULT(v, "%s: the original has changed: %s", original, why);
	return OK(v, "%s: the original has changed or is gone, and is not needed any more",
		original);
}

/* What is told of the `good` ones. */
static int report_originals(struct verify *v, size_t good, struct sv_err *err)
{
	size_t n = v->manifest->n_originals;
	bool needed = !v->knows_reads;

	for (size_t i = 0; i < n; i++)
		needed |= is_read(v, v->manifest->originals[i].name);
	if (!needed)
		return OK(v, "it is independent: nothing is read from the original");
	if (!good)
		return 0;
	return OK(v, "%s%zu of %zu files of the original are as they were (%s)",
		good == n ? "" : "only ", good, n,
		v->full ? "every byte hashed" : "size, time, samples");
}

static int check_originals(struct verify *v, struct sv_err *err)
{
	struct sv_manifest *m = v->manifest;
	size_t good = 0;
	char why[SV_IDENTITY_WHY];

	for (size_t i = 0; i < m->n_originals; i++) {
		struct sv_manifest_file *f = &m->originals[i];
		bool same = true;

		sv_job_progress(v->job, "checking the originals", i, m->n_originals);
		if (!sv_identity_same(v->host, f->name, &f->identity, why)) {
			if (report_changed(v, f->name, why, err) < 0)
				return -1;
			continue;
		}
		if (v->full && hash_original(v, f, &same, err) < 0)
			return -1;
		good += same;
		if (!same && report_changed(v, f->name, "its hash differs", err) < 0)
			return -1;
	}
	return report_originals(v, good, err);
}

static void report_image_fault(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct verify *v = user;

	if (leak)
		return;
	v->image_faults++;
	sv_list_add(&v->report->faults, &v->report->n_faults, NULL, "%s: offset 0x%llx: %s",
		path, (unsigned long long)offset, message);
}

static int check_image(struct verify *v, const char *path, struct sv_err *err)
{
	struct sv_image_opts opts = {.allow = v->allow};
	struct sv_image_faults faults = {.report = report_image_fault, .user = v};
	struct sv_err why = SV_ERR_INIT;

	if (sv_image_check(v->host, path, &opts, &faults, v->job, &why) < 0)
		return FAULT(v, "%s: %s", *why.path ? why.path : path, why.message);
	return v->image_faults ? 0 : OK(v, "the disk's own tables are sound");
}

static int check_volume(struct verify *v, struct sv_guest *g, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_fs *fs;
	size_t i;

	for (i = 0; i < g->n_volumes; i++) {
		if (!strcmp(g->volumes[i].id, v->manifest->volume))
			break;
	}
	/* an id counts the disks of the machine; here only the extended one is open */
	if (i == g->n_volumes && g->n_volumes && strchr(v->manifest->volume, 'p')) {
		const char *part = strchr(v->manifest->volume, 'p');

		for (i = 0; i < g->n_volumes; i++) {
			const char *here = strchr(g->volumes[i].id, 'p');

			if (here && !strcmp(here, part))
				break;
		}
	}
	if (i == g->n_volumes)
		return FAULT(v, "volume %s is not there any more", v->manifest->volume);
	if (sv_guest_fs(g, i, &fs, &why) < 0)
		return FAULT(
			v, "volume %s does not open: %s", v->manifest->volume, why.message);
	return OK(v, "the partition table is valid and the file system opens");
}

static int check_disk(struct verify *v, struct sv_err *err)
{
	sv_autofree char *path = sv_path_join(v->dir, v->manifest->disk);
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	SV_CLEANUP(sv_guest_closep) struct sv_guest *guest = NULL;
	struct sv_image_opts opts = {.lock = true, .allow = v->allow};
	struct sv_err why = SV_ERR_INIT;
	struct sv_dev *dev;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_image_open(v->host, path, &opts, &image, &why) < 0)
		return FAULT(v, "%s: the extended disk does not open: %s",
			*why.path ? why.path : path, why.message);
	if (check_image(v, path, err) < 0)
		return -1;
	dev = sv_image_dev(image);
	if (sv_guest_open_volumes(&dev, 1, v->job, &guest, &why) < 0)
		return FAULT(v, "%s: %s", path, why.message);
	return check_volume(v, guest, err);
}

static int check_made(struct verify *v, struct sv_err *err)
{
	sv_autofree char *why = NULL;

	for (size_t i = 0; i < v->manifest->n_made; i++) {
		sv_autofree char *path = sv_path_join(v->dir, v->manifest->made[i].name);

		if (path && !sv_host_exists(v->host, path) &&
			FAULT(v, "%s: it is missing", path) < 0)
			return -1;
	}
	if (sv_manifest_was_used(v->manifest, v->host, v->dir, &why))
		return OK(v, "the extended machine was used since it was made");
	return OK(v, "the extended machine was not used yet: rollback is possible");
}

static int run(struct verify *v, struct sv_err *err)
{
	sv_autofree char *path = sv_path_join(v->dir, SV_MANIFEST_NAME);

	if (!path)
		return sv_fail_nomem(err);
	if (sv_manifest_load(v->host, path, &v->manifest, err) < 0) {
		if (err && err->code == SV_NOTFOUND) {
			sv_fail(err, SV_NOTFOUND, v->dir,
				"it is not a folder that extend made");
			sv_hint(err, "name the folder that `sharevm extend` printed");
		}
		return -1;
	}
	v->report->name = strdup(v->manifest->name);
	if (!v->report->name)
		return sv_fail_nomem(err);
	if (sv_extend_allow_originals(v->host, v->dir, v->allow, err) < 0 ||
		look_at_reads(v, err) < 0 || check_made(v, err) < 0 ||
		check_originals(v, err) < 0 || check_disk(v, err) < 0)
		return -1;
	return v->hashes_added ? sv_manifest_save(v->host, path, v->manifest, err) : 0;
}

int sv_extend_verify(struct sv_host *host, const char *dir, bool full, struct sv_job *job,
	struct sv_verify_report *ret, struct sv_err *err)
{
	struct sv_verify_report report = {0};
	struct verify v = {
		.host = host, .dir = dir, .full = full, .job = job, .report = &report};
	int rc;

	v.allow = sv_allow_new(err);
	if (!v.allow)
		return -1;
	rc = run(&v, err);
	sv_allow_free(v.allow);
	sv_manifest_free(v.manifest);
	sv_list_free(v.read_files, v.n_read_files);
	if (rc < 0)
		sv_verify_report_free(&report);
	else
		*ret = report;
	return rc;
}

int sv_extend_allow_originals(struct sv_host *host, const char *config_or_dir,
	struct sv_allow *allow, struct sv_err *err)
{
	SV_CLEANUP(sv_manifest_freep) struct sv_manifest *m = NULL;
	struct sv_err why = SV_ERR_INIT;
	struct sv_host_stat st;
	sv_autofree char *dir = NULL;

	if (sv_host_stat(host, config_or_dir, &st, err) < 0)
		return -1;
	dir = st.type == SV_HOST_DIR ? strdup(config_or_dir) : sv_path_dir(config_or_dir);
	if (!dir)
		return sv_fail_nomem(err);
	if (sv_manifest_load_dir(host, dir, &m, &why) < 0) {
		if (why.code == SV_NOTFOUND)
			return 0;
		sv_err_copy(err, &why);
		return -1;
	}
	for (size_t i = 0; i < m->n_originals; i++) {
		const struct sv_manifest_file *f = &m->originals[i];

		if (sv_allow_add_file(allow, f->name, f->identity.size, f->identity.mtime_sec,
			    f->identity.mtime_nsec, err) < 0)
			return -1;
	}
	return 0;
}
