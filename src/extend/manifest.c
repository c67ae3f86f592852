/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The manifest: see manifest.h. It is read with jansson and every field is checked: the folder
 * may come from anywhere. Names of made files must be plain names, so that deleting "what
 * extend made" can never leave the folder.
 */
#include "extend/manifest.h"

#include "base/json.h"

#include <jansson.h>
#include <string.h>

static void free_files(struct sv_manifest_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(files[i].name);
		free(files[i].full);
	}
	free(files);
}

void sv_manifest_free(struct sv_manifest *m)
{
	if (!m)
		return;
	free(m->name);
	free(m->mode);
	free(m->undo);
	free(m->config);
	free(m->disk);
	free(m->volume);
	free_files(m->made, m->n_made);
	free_files(m->originals, m->n_originals);
	for (size_t i = 0; i < m->n_pending; i++)
		free(m->pending[i]);
	free(m->pending);
	free(m);
}

/* ---- reading ---- */

static bool is_plain_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static int bad_field(const char *path, const char *field, struct sv_err *err)
{
	return sv_fail(err, SV_CORRUPT, path, "the manifest's field \"%s\" is missing or wrong",
		field);
}

static int take_string(
	json_t *from, const char *field, const char *path, char **ret, struct sv_err *err)
{
	const char *text = json_string_value(json_object_get(from, field));

	if (!text)
		return bad_field(path, field, err);
	*ret = strdup(text);
	return *ret ? 0 : sv_fail_nomem(err);
}

static int take_u64(
	json_t *from, const char *field, const char *path, uint64_t *ret, struct sv_err *err)
{
	json_t *value = json_object_get(from, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return bad_field(path, field, err);
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int take_identity(
	json_t *from, const char *path, struct sv_identity *ret, struct sv_err *err)
{
	sv_autofree char *sample = NULL;
	uint8_t digest[SV_SHA256_SIZE];
	uint64_t nsec;
	json_t *sec = json_object_get(from, "mtime_sec");

	if (take_u64(from, "size", path, &ret->size, err) < 0 ||
		take_u64(from, "mtime_nsec", path, &nsec, err) < 0 ||
		take_string(from, "sample", path, &sample, err) < 0)
		return -1;
	if (!json_is_integer(sec) || nsec > 999999999)
		return bad_field(path, "mtime_sec", err);
	if (*sample && !sv_unhex(sample, digest, sizeof digest))
		return bad_field(path, "sample", err);
	ret->mtime_sec = json_integer_value(sec);
	ret->mtime_nsec = (uint32_t)nsec;
	snprintf(ret->sample, sizeof ret->sample, "%s", sample);
	return 0;
}

static int take_files(json_t *root, const char *field, bool plain, const char *path,
	struct sv_manifest_file **ret, size_t *ret_n, struct sv_err *err)
{
	json_t *list = json_object_get(root, field), *item;
	size_t i;

	if (!json_is_array(list))
		return bad_field(path, field, err);
	*ret = calloc(json_array_size(list) + 1, sizeof **ret);
	if (!*ret)
		return sv_fail_nomem(err);
	json_array_foreach(list, i, item)
	{
		struct sv_manifest_file *f = &(*ret)[i];

		*ret_n = i + 1;
		if (take_string(item, plain ? "name" : "path", path, &f->name, err) < 0 ||
			take_string(item, "sha256", path, &f->full, err) < 0 ||
			take_identity(item, path, &f->identity, err) < 0)
			return -1;
		f->disk = json_is_true(json_object_get(item, "disk"));
		if (plain ? !is_plain_name(f->name) : f->name[0] != '/')
			return bad_field(path, plain ? "name" : "path", err);
	}
	return 0;
}

static int take_names(json_t *root, const char *field, const char *path, char ***ret,
	size_t *ret_n, struct sv_err *err)
{
	json_t *list = json_object_get(root, field), *item;
	size_t i;

	if (!json_is_array(list))
		return bad_field(path, field, err);
	*ret = calloc(json_array_size(list) + 1, sizeof **ret);
	if (!*ret)
		return sv_fail_nomem(err);
	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(item);

		if (!name || !is_plain_name(name))
			return bad_field(path, field, err);
		(*ret)[i] = strdup(name);
		if (!(*ret)[i])
			return sv_fail_nomem(err);
		*ret_n = i + 1;
	}
	return 0;
}

static int parse(json_t *root, const char *path, struct sv_manifest *m, struct sv_err *err)
{
	const char *schema = json_string_value(json_object_get(root, "schema"));

	if (!schema || strcmp(schema, "sharevm.extended/1")) {
		sv_fail(err, SV_UNSUPPORTED, path,
			"its schema is \"%s\", expected \"sharevm.extended/1\"",
			schema ? schema : "");
		return sv_hint(err, "it was made by another version of sharevm");
	}
	if (take_string(root, "name", path, &m->name, err) < 0 ||
		take_string(root, "mode", path, &m->mode, err) < 0 ||
		take_string(root, "undo", path, &m->undo, err) < 0 ||
		take_string(root, "config", path, &m->config, err) < 0 ||
		take_string(root, "disk", path, &m->disk, err) < 0 ||
		take_string(root, "volume", path, &m->volume, err) < 0 ||
		take_u64(root, "from", path, &m->from, err) < 0 ||
		take_u64(root, "to", path, &m->to, err) < 0 ||
		take_files(root, "made", true, path, &m->made, &m->n_made, err) < 0 ||
		take_files(root, "originals", false, path, &m->originals, &m->n_originals,
			err) < 0 ||
		take_names(root, "pending", path, &m->pending, &m->n_pending, err) < 0)
		return -1;
	m->asks_check = json_is_true(json_object_get(root, "asks_check"));
	m->used = json_is_true(json_object_get(root, "used"));
	if (!is_plain_name(m->config))
		return bad_field(path, "config", err);
	if (!is_plain_name(m->disk))
		return bad_field(path, "disk", err);
	return 0;
}

int sv_manifest_load_dir(
	struct sv_host *host, const char *dir, struct sv_manifest **ret, struct sv_err *err)
{
	sv_autofree char *path = sv_path_join(dir, SV_MANIFEST_NAME);

	return path ? sv_manifest_load(host, path, ret, err) : sv_fail_nomem(err);
}

int sv_manifest_load(
	struct sv_host *host, const char *path, struct sv_manifest **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_manifest_freep) struct sv_manifest *m = calloc(1, sizeof *m);
	sv_autofree char *text = NULL;
	json_error_t where;
	json_t *root;
	size_t n;
	int rc;

	if (!m)
		return sv_fail_nomem(err);
	text = sv_host_read_file(host, path, SV_MANIFEST_MAX, &n, err);
	if (!text)
		return -1;
	root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return sv_fail_at(err, SV_CORRUPT, path, (uint64_t)where.position,
			"it is not JSON: %s", where.text);
	rc = parse(root, path, m, err);
	json_decref(root);
	if (rc < 0)
		return -1;
	*ret = SV_STEAL(m);
	return 0;
}

/* ---- writing ---- */

static void print_files(
	struct sv_json *j, const char *key, const struct sv_manifest_file *files, size_t n)
{
	sv_json_key(j, key);
	sv_json_array(j);
	for (size_t i = 0; i < n; i++) {
		const struct sv_identity *id = &files[i].identity;

		sv_json_object(j);
		sv_json_kstring(j, files[i].name[0] == '/' ? "path" : "name", files[i].name);
		sv_json_kbool(j, "disk", files[i].disk);
		sv_json_ku64(j, "size", id->size);
		sv_json_key(j, "mtime_sec");
		sv_json_i64(j, id->mtime_sec);
		sv_json_ku64(j, "mtime_nsec", id->mtime_nsec);
		sv_json_kstring(j, "sample", id->sample);
		sv_json_kstring(j, "sha256", files[i].full);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
}

static void print(const struct sv_manifest *m, struct sv_str *out)
{
	struct sv_json j;

	sv_json_to_str(&j, out);
	j.pretty = true;
	sv_json_object(&j);
	sv_json_kstring(&j, "schema", "sharevm.extended/1");
	sv_json_kstring(&j, "name", m->name);
	sv_json_kstring(&j, "mode", m->mode);
	sv_json_kstring(&j, "undo", m->undo);
	sv_json_kstring(&j, "config", m->config);
	sv_json_kstring(&j, "disk", m->disk);
	sv_json_kstring(&j, "volume", m->volume);
	sv_json_ku64(&j, "from", m->from);
	sv_json_ku64(&j, "to", m->to);
	sv_json_kbool(&j, "asks_check", m->asks_check);
	sv_json_kbool(&j, "used", m->used);
	print_files(&j, "made", m->made, m->n_made);
	print_files(&j, "originals", m->originals, m->n_originals);
	sv_json_key(&j, "pending");
	sv_json_array(&j);
	for (size_t i = 0; i < m->n_pending; i++)
		sv_json_string(&j, m->pending[i]);
	sv_json_end_array(&j);
	sv_json_end_object(&j);
}

int sv_manifest_save(
	struct sv_host *host, const char *path, const struct sv_manifest *m, struct sv_err *err)
{
	struct sv_str out = {0};
	sv_autofree char *text = NULL;

	print(m, &out);
	text = sv_str_take(&out);
	if (!text)
		return sv_fail_nomem(err);
	return sv_publish_file(host, path, text, strlen(text), true, err);
}

/* ---- entries ---- */

/* The entry of that name, or a new one at the end. */
static struct sv_manifest_file *make_entry(
	struct sv_manifest_file **files, size_t *n, const char *name, struct sv_err *err)
{
	struct sv_manifest_file *grown, *f;

	for (size_t i = 0; i < *n; i++) {
		if (!strcmp((*files)[i].name, name))
			return &(*files)[i];
	}
	grown = realloc(*files, (*n + 1) * sizeof *grown);
	if (!grown) {
		sv_fail_nomem(err);
		return NULL;
	}
	*files = grown;
	f = &grown[*n];
	*f = (struct sv_manifest_file){.name = strdup(name), .full = strdup("")};
	if (!f->name || !f->full) {
		free(f->name);
		free(f->full);
		sv_fail_nomem(err);
		return NULL;
	}
	++*n;
	return f;
}

int sv_manifest_add_made(struct sv_manifest *m, struct sv_host *host, const char *dir,
	const char *name, bool disk, struct sv_err *err)
{
	sv_autofree char *path = sv_path_join(dir, name);
	struct sv_manifest_file *f;

	if (!path)
		return sv_fail_nomem(err);
	f = make_entry(&m->made, &m->n_made, name, err);
	if (!f)
		return -1;
	f->disk = disk;
	return sv_identity_of(host, path, disk, &f->identity, err);
}

int sv_manifest_add_original(struct sv_manifest *m, struct sv_host *host, const char *path,
	bool disk, struct sv_err *err)
{
	struct sv_manifest_file *f = make_entry(&m->originals, &m->n_originals, path, err);

	if (!f)
		return -1;
	f->disk = disk;
	return sv_identity_of(host, path, true, &f->identity, err);
}

const struct sv_manifest_file *sv_manifest_find_made(
	const struct sv_manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_made; i++) {
		if (!strcmp(m->made[i].name, name))
			return &m->made[i];
	}
	return NULL;
}

bool sv_manifest_is_pending(const struct sv_manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_pending; i++) {
		if (!strcmp(m->pending[i], name))
			return true;
	}
	return false;
}

bool sv_manifest_was_used(
	const struct sv_manifest *m, struct sv_host *host, const char *dir, char **ret_why)
{
	char why[SV_IDENTITY_WHY];

	if (m->used) {
		*ret_why = strdup("it was used before it was flattened");
		return true;
	}
	for (size_t i = 0; i < m->n_made; i++) {
		sv_autofree char *path = sv_path_join(dir, m->made[i].name);

		if (!m->made[i].disk || !path)
			continue;
		if (!sv_identity_same(host, path, &m->made[i].identity, why)) {
			*ret_why = sv_format("%s: %s", m->made[i].name, why);
			return true;
		}
	}
	return false;
}
