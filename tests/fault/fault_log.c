/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be undone after a power cut, see fault_log.h. */
#include "fault_log.h"

#include "base/num.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ULL

struct fault_node {
	struct fault_node *next;
	dev_t dev;
	ino_t ino;
	int fd;
	uint64_t id;
	bool poisoned;
};

enum kind { WRITE, RESIZE, CREATE, MAKE_DIR, UNLINK, REMOVE_DIR, RENAME };

struct op {
	enum kind kind;
	uint64_t seq;
	struct fault_node *at, *to; /* the file; of names the folder, and a rename's target */
	bool at_durable, to_durable;
	char *name, *to_name; /* within the folders */
	char *stash;          /* name in the stash of what was deleted or replaced */
	uint64_t off, len;    /* of the old content */
	uint8_t *old;
	uint64_t old_size, new_size;
};

struct fault_log {
	char *root;  /* canonical */
	char *stash; /* path of the folder */
	int stash_fd;
	uint64_t n_stashed, n_nodes, bytes;
	struct fault_node *nodes;
	struct op *ops;
	size_t n_ops;
};

static int fail(struct sv_err *err, const char *path, const char *what)
{
	return sv_fail_errno(err, errno, path, "fault log: cannot %s", what);
}

/* ---- life ---- */

struct fault_log *fault_log_new(const char *dir, struct sv_err *err)
{
	struct fault_log *log = calloc(1, sizeof *log);

	if (!log) {
		sv_fail_nomem(err);
		return NULL;
	}
	log->stash_fd = -1;
	log->root = realpath(dir, NULL);
	log->stash = log->root ? sv_format("%s.stash", log->root) : NULL;
	if (log->stash && mkdir(log->stash, 0777) == 0)
		log->stash_fd = open(log->stash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->stash_fd >= 0)
		return log;
	fail(err, dir, "make the stash");
	fault_log_free(log);
	return NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void free_op(struct op *op)
{
	free(op->name);
	free(op->to_name);
	free(op->stash);
	free(op->old);
}

void fault_log_free(struct fault_log *log)
{
	if (!log)
		return;
	for (size_t i = 0; i < log->n_ops; i++)
		free_op(&log->ops[i]);
	free(log->ops);
	for (struct fault_node *n = log->nodes, *next; n; n = next) {
		next = n->next;
		close(n->fd);
		free(n);
	}
	if (log->stash_fd >= 0) {
		close(log->stash_fd);
		nftw(log->stash, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
	free(log->root);
	free(log->stash);
	free(log);
}

/* ---- files and folders ---- */

static bool is_below(const struct fault_log *log, const char *path)
{
	sv_autofree char *real = realpath(path, NULL);
	size_t n = strlen(log->root);

	return real && strncmp(real, log->root, n) == 0 && (real[n] == '/' || !real[n]);
}

struct fault_node *fault_log_node(struct fault_log *log, const char *path, struct sv_err *err)
{
	struct fault_node *n;
	struct stat st;

	if (!is_below(log, path)) {
		sv_fail(err, SV_INTERNAL, path, "it does not exist, or is outside of %s",
			log->root);
		return NULL;
	}
	if (stat(path, &st) < 0) {
		fail(err, path, "look at it");
		return NULL;
	}
	for (n = log->nodes; n; n = n->next) {
		if (n->dev == st.st_dev && n->ino == st.st_ino)
			return n;
	}
	n = calloc(1, sizeof *n);
	if (!n) {
		sv_fail_nomem(err);
		return NULL;
	}
	n->fd = open(path, (S_ISDIR(st.st_mode) ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (n->fd < 0) {
		fail(err, path, "open");
		free(n);
		return NULL;
	}
	n->dev = st.st_dev;
	n->ino = st.st_ino;
	n->id = log->n_nodes++;
	n->next = log->nodes;
	log->nodes = n;
	return n;
}

static struct fault_node *folder_of(struct fault_log *log, const char *path, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);

	return dir ? fault_log_node(log, dir, err) : NULL;
}

/* ---- recording ---- */

static struct op *add_op(
	struct fault_log *log, enum kind kind, struct fault_node *at, struct sv_err *err)
{
	struct op *grown = realloc(log->ops, (log->n_ops + 1) * sizeof *grown);

	if (!grown) {
		sv_fail_nomem(err);
		return NULL;
	}
	log->ops = grown;
	grown[log->n_ops] = (struct op){.kind = kind, .seq = log->n_ops, .at = at};
	return &grown[log->n_ops++];
}

static uint64_t size_of(const struct fault_node *file)
{
	struct stat st;

	return fstat(file->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Keeps the bytes of [off, off+len), as far as they are in the file. */
static int keep_old(
	struct fault_log *log, struct op *op, uint64_t off, uint64_t len, struct sv_err *err)
{
	len = off < op->old_size ? SV_MIN(len, op->old_size - off) : 0;
	op->off = off;
	op->len = len;
	log->bytes += len;
	if (log->bytes > FAULT_LOG_BYTES_MAX)
		return sv_fail(err, SV_NOMEM, NULL, "fault log: too many old bytes to keep");
	op->old = malloc(len ? (size_t)len : 1);
	if (!op->old)
		return sv_fail_nomem(err);
	if (pread(op->at->fd, op->old, (size_t)len, (off_t)off) != (ssize_t)len)
		return fail(err, NULL, "read the old content");
	return 0;
}

int fault_log_write(struct fault_log *log, struct fault_node *file, uint64_t off, uint64_t len,
	struct sv_err *err)
{
	struct op *op = add_op(log, WRITE, file, err);

	if (!op)
		return -1;
	op->old_size = op->new_size = size_of(file);
	return keep_old(log, op, off, len, err);
}

int fault_log_resize(
	struct fault_log *log, struct fault_node *file, uint64_t size, struct sv_err *err)
{
	struct op *op = add_op(log, RESIZE, file, err);

	if (!op)
		return -1;
	op->old_size = size_of(file);
	op->new_size = size;
	return keep_old(log, op, size, UINT64_MAX, err);
}

int fault_log_filled(struct fault_log *log, struct fault_node *file, struct sv_err *err)
{
	struct op *op = add_op(log, RESIZE, file, err);

	if (!op)
		return -1;
	op->new_size = size_of(file);
	return 0;
}

int fault_log_created(struct fault_log *log, const char *path, bool dir, struct sv_err *err)
{
	struct fault_node *folder = folder_of(log, path, err);
	struct op *op = folder ? add_op(log, dir ? MAKE_DIR : CREATE, folder, err) : NULL;

	if (!op)
		return -1;
	op->name = strdup(sv_path_base(path));
	return op->name ? 0 : sv_fail_nomem(err);
}

/* A fresh name in the stash. */
static char *stash_name(struct fault_log *log)
{
	return sv_format("%llu", (unsigned long long)log->n_stashed++);
}

/* Puts what is to be deleted aside and records it; its folder is `folder`. */
static int put_aside(struct fault_log *log, enum kind kind, struct fault_node *folder,
	const char *path, struct sv_err *err)
{
	struct op *op = add_op(log, kind, folder, err);

	if (!op)
		return -1;
	op->name = strdup(sv_path_base(path));
	op->stash = stash_name(log);
	if (!op->name || !op->stash)
		return sv_fail_nomem(err);
	if (renameat(folder->fd, op->name, log->stash_fd, op->stash) == 0)
		return 0;
	fail(err, path, "delete it");
	free_op(&log->ops[--log->n_ops]);
	return -1;
}

int fault_log_unlink(struct fault_log *log, const char *path, struct sv_err *err)
{
	struct fault_node *folder = folder_of(log, path, err);
	struct stat st;

	if (!folder)
		return -1;
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return fail(err, path, "delete it");
	}
	return put_aside(log, UNLINK, folder, path, err);
}

static bool is_empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!dir)
		return false;
	while ((e = readdir(dir)))
		n++;
	closedir(dir);
	return n == 2;
}

int fault_log_remove_dir(struct fault_log *log, const char *path, struct sv_err *err)
{
	struct fault_node *folder = folder_of(log, path, err);

	if (!folder)
		return -1;
	if (!is_empty_dir(path)) {
		errno = ENOTEMPTY;
		return fail(err, path, "delete the folder");
	}
	return put_aside(log, REMOVE_DIR, folder, path, err);
}

int fault_log_rename(struct fault_log *log, const char *from, const char *to, bool replace,
	struct sv_err *err)
{
	struct fault_node *at = folder_of(log, from, err);
	struct fault_node *target = at ? folder_of(log, to, err) : NULL;
	struct op *op = target ? add_op(log, RENAME, at, err) : NULL;

	if (!op)
		return -1;
	op->to = target;
	op->name = strdup(sv_path_base(from));
	op->to_name = strdup(sv_path_base(to));
	op->stash = replace ? stash_name(log) : NULL;
	if (!op->name || !op->to_name || (replace && !op->stash))
		return sv_fail_nomem(err);
	/* a second name keeps what is replaced; there may be nothing to keep */
	if (replace && linkat(target->fd, op->to_name, log->stash_fd, op->stash, 0) < 0) {
		free(op->stash);
		op->stash = NULL;
	}
	if (renameat2(at->fd, op->name, target->fd, op->to_name,
		    replace ? 0 : RENAME_NOREPLACE) == 0)
		return 0;
	fail(err, to, "rename to it");
	free_op(&log->ops[--log->n_ops]);
	return -1;
}

void fault_log_durable(struct fault_log *log, struct fault_node *node)
{
	if (node->poisoned)
		return;
	for (size_t i = 0; i < log->n_ops; i++) {
		log->ops[i].at_durable |= log->ops[i].at == node;
		log->ops[i].to_durable |= log->ops[i].to == node;
	}
}

void fault_log_poison(struct fault_node *file)
{
	file->poisoned = true;
}

/* ---- undoing ---- */

static bool is_data(const struct op *op)
{
	return op->kind == WRITE || op->kind == RESIZE;
}

/* splitmix64: one well-mixed number for each (seed, file, page) */
static uint64_t mix(uint64_t x)
{
	x += 0x9E3779B97F4A7C15;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
	x = (x ^ x >> 27) * 0x94D049BB133111EB;
	return x ^ x >> 31;
}

struct choice {
	enum host_fault_mode mode;
	uint64_t seed;
	uint64_t end; /* beyond the last op */
};

/*
 * The moment since its last flush as of which a part of a node survives: ops from there on are
 * undone. `first` is the node's first op that is not durable.
 */
static uint64_t moment(
	const struct choice *c, const struct fault_node *node, uint64_t part, uint64_t first)
{
	if (c->mode == HOST_FAULT_KEEP)
		return c->end;
	if (c->mode == HOST_FAULT_DROP)
		return 0;
	return first + mix(mix(c->seed ^ node->id << 40) ^ part) % (c->end - first + 1);
}

static uint64_t first_lost(const struct fault_log *log, const struct fault_node *node)
{
	for (size_t i = 0; i < log->n_ops; i++) {
		const struct op *op = &log->ops[i];

		if ((op->at == node && !op->at_durable) || (op->to == node && !op->to_durable))
			return i;
	}
	return log->n_ops;
}

/* Puts the old bytes of one page of an op back. */
static int undo_page(const struct op *op, uint64_t page, struct sv_err *err)
{
	uint64_t start = SV_MAX(op->off, page * PAGE);
	uint64_t end = SV_MIN(op->off + op->len, (page + 1) * PAGE);
	const uint8_t *old = op->old + (start - op->off);

	if (pwrite(op->at->fd, old, (size_t)(end - start), (off_t)start) !=
		(ssize_t)(end - start))
		return fail(err, NULL, "put old content back");
	return 0;
}

static int undo_data(
	const struct op *op, const struct choice *c, uint64_t first, struct sv_err *err)
{
	if (!op->len)
		return 0;
	for (uint64_t page = op->off / PAGE; page <= (op->off + op->len - 1) / PAGE; page++) {
		if (op->seq >= moment(c, op->at, page, first) && undo_page(op, page, err) < 0)
			return -1;
	}
	return 0;
}

#define SIZE_PART UINT64_MAX /* the size is a part of a file like its pages */

/* Not touched when it has that size: what survives whole keeps its time, too. */
static int set_size(const struct fault_node *file, uint64_t size)
{
	return size_of(file) == size ? 0 : ftruncate(file->fd, (off_t)size);
}

/* Brings one file to what survives of it. */
static int settle_file(const struct fault_log *log, const struct fault_node *file,
	const struct choice *c, struct sv_err *err)
{
	uint64_t first = first_lost(log, file), size = size_of(file), largest = size;
	uint64_t as_of = moment(c, file, SIZE_PART, first);

	for (size_t i = log->n_ops; i-- > first;) {
		const struct op *op = &log->ops[i];

		if (op->at != file || op->kind != RESIZE || op->at_durable)
			continue;
		largest = SV_MAX(largest, op->old_size);
		size = op->seq >= as_of ? op->old_size : size;
	}
	/* room for old content that was cut off */
	if (set_size(file, largest) < 0)
		return fail(err, NULL, "give a file room");
	for (size_t i = log->n_ops; i-- > first;) {
		const struct op *op = &log->ops[i];

		if (op->at == file && !op->at_durable && undo_data(op, c, first, err) < 0)
			return -1;
	}
	return set_size(file, size) < 0 ? fail(err, NULL, "put an old size back") : 0;
}

static bool name_survives(
	const struct fault_log *log, const struct op *op, const struct choice *c)
{
	bool at = op->at_durable || op->seq < moment(c, op->at, 0, first_lost(log, op->at));
	bool to = !op->to || op->to_durable ||
		  op->seq < moment(c, op->to, 0, first_lost(log, op->to));

	return at && to;
}

static int undo_rename(const struct fault_log *log, const struct op *op)
{
	if (renameat2(op->to->fd, op->to_name, op->at->fd, op->name, RENAME_NOREPLACE) < 0)
		return -1;
	return op->stash ? linkat(log->stash_fd, op->stash, op->to->fd, op->to_name, 0) : 0;
}

static int undo_name(struct fault_log *log, const struct op *op, struct sv_err *err)
{
	sv_autofree char *lost = stash_name(log);
	int rc = -1;

	if (!lost)
		return sv_fail_nomem(err);
	switch (op->kind) {
	case CREATE:
	case MAKE_DIR: /* with all that it holds */
		rc = renameat(op->at->fd, op->name, log->stash_fd, lost);
		break;
	case UNLINK:
	case REMOVE_DIR:
		rc = renameat2(
			log->stash_fd, op->stash, op->at->fd, op->name, RENAME_NOREPLACE);
		break;
	case RENAME:
		rc = undo_rename(log, op);
		break;
	case WRITE:
	case RESIZE:
		rc = 0;
		break;
	}
	return rc < 0 ? fail(err, op->name, "undo a name") : 0;
}

int fault_log_settle(
	struct fault_log *log, enum host_fault_mode mode, uint64_t seed, struct sv_err *err)
{
	const struct choice c = {mode, seed, log->n_ops};

	for (struct fault_node *n = log->nodes; n; n = n->next) {
		bool touched = false;

		for (size_t i = 0; i < log->n_ops; i++)
			touched |= is_data(&log->ops[i]) && log->ops[i].at == n;
		if (touched && settle_file(log, n, &c, err) < 0)
			return -1;
	}
	for (size_t i = log->n_ops; i-- > 0;) {
		const struct op *op = &log->ops[i];

		if (!is_data(op) && !name_survives(log, op, &c) && undo_name(log, op, err) < 0)
			return -1;
	}
	return 0;
}
