/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The host that a worker sees: looking goes to the broker, everything else is refused. See
 * broker.h.
 */
#include "io/broker_ask.h"

#include "base/num.h"
#include "base/str.h"
#include "io/file.h"
#include "io/process.h"

#include <string.h>
#include <unistd.h>

static struct broker_host *of(struct sv_host *h)
{
	return (struct broker_host *)h;
}

static int broker_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	struct question q = {.op = SV_ASK_OPEN, .text = path, .a = flags};
	uint64_t size = 0;
	int fd = -1;

	if (sv_ask_for_fd(h, &q, &fd, &size, err) < 0)
		return -1;
	*ret = sv_file_from_fd(fd, path, size, false, false, err);
	if (*ret)
		return 0;
	close(fd);
	return -1;
}

static int broker_stat(struct sv_host *h, const char *path, bool follow,
	struct sv_host_stat *ret, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_STAT, .text = path, .a = follow};

	return sv_ask_for(h, &q, NULL, ret, sizeof *ret, err);
}

/* The names of one answer are added to the list. */
static int add_names(
	const struct broker_host *b, char ***names, size_t *n, size_t *cap, struct sv_err *err)
{
	const char *p = (const char *)b->answer.data, *end = p + b->answer.head.n;

	for (; p < end; p += strlen(p) + 1) {
		if (*n == *cap) {
			size_t more = *cap ? 2 * *cap : 32;
			char **grown = realloc(*names, more * sizeof *grown);

			if (!grown)
				return sv_fail_nomem(err);
			*names = grown;
			*cap = more;
		}
		(*names)[*n] = strdup(p);
		if (!(*names)[*n])
			return sv_fail_nomem(err);
		++*n;
	}
	return 0;
}

static int broker_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_LIST, .text = path};
	struct broker_host *b = of(h);
	char **names = NULL;
	size_t n = 0, cap = 0;
	int rc, fd, kept = 0;

	pthread_mutex_lock(&b->lock);
	rc = sv_ask_now(b, &q, NULL, err);
	while (rc == 0) { /* all parts are taken, whatever becomes of them */
		kept = kept ? kept : add_names(b, &names, &n, &cap, err);
		if (!b->answer.head.more)
			break;
		rc = sv_ask_more(b, &fd, err);
	}
	pthread_mutex_unlock(&b->lock);
	if (rc < 0 || kept < 0) {
		sv_host_free_names(names, n);
		return -1;
	}
	*ret = names;
	*ret_n = n;
	return 0;
}

static char *broker_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_REAL_PATH, .text = path};

	return sv_ask_for_text(h, &q, err);
}

static int broker_free_space(
	struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_FREE_SPACE, .text = path};

	return sv_ask_for(h, &q, ret, NULL, 0, err);
}

static bool broker_process_exists(struct sv_host *h, int64_t pid, struct sv_process *ret)
{
	struct question q = {.op = SV_ASK_PROCESS, .a = (uint64_t)pid};
	uint64_t exists = 1; /* where nobody answers it may exist */

	*ret = (struct sv_process){.pid = pid};
	sv_ask_for(h, &q, &exists, ret, sizeof *ret, NULL);
	return exists != 0;
}

static bool broker_find_writer(struct sv_host *h, const struct sv_file_id *files, size_t n,
	struct sv_process *ret, size_t *ret_file)
{
	struct question q = {.op = SV_ASK_WRITER,
		.data = files,
		.data_n = SV_MIN(n * sizeof *files, (size_t)SV_ASK_DATA_MAX)};
	uint64_t found = 0;

	if (sv_ask_for(h, &q, &found, ret, sizeof *ret, NULL) < 0 || !found)
		return false;
	*ret_file = (size_t)found - 1;
	return true;
}

static void broker_look_at_computer(struct sv_host *h, struct sv_computer *ret)
{
	struct question q = {.op = SV_ASK_COMPUTER};

	*ret = (struct sv_computer){0};
	sv_ask_for(h, &q, NULL, ret, sizeof *ret, NULL);
}

static char *broker_recode(
	struct sv_host *h, const char *text, const char *encoding, bool to_utf8)
{
	struct question q = {.op = SV_ASK_RECODE,
		.text = encoding,
		.data = text,
		.data_n = strlen(text) + 1,
		.a = to_utf8};

	return sv_ask_for_text(h, &q, NULL);
}

/* ---- what a reader does not do ---- */

static int refuse(const char *path, struct sv_err *err)
{
	return sv_fail(err, SV_PERMISSION, path, "a reader never writes");
}

static int broker_make_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	return refuse(path, err);
}

static int broker_rename(
	struct sv_host *h, const char *from, const char *to, bool replace, struct sv_err *err)
{
	(void)h;
	(void)from;
	(void)replace;
	return refuse(to, err);
}

static int broker_reflink(
	struct sv_host *h, const char *src, const char *dst, struct sv_err *err)
{
	(void)h;
	(void)src;
	return refuse(dst, err);
}

static void broker_close(struct sv_host *h)
{
	pthread_mutex_destroy(&of(h)->lock);
	free(h);
}

static const struct sv_host_ops broker_ops = {
	.open = broker_open,
	.stat = broker_stat,
	.list = broker_list,
	.make_dir = broker_make_dir,
	.rename = broker_rename,
	.unlink = broker_make_dir,
	.remove_dir = broker_make_dir,
	.sync_dir = broker_make_dir,
	.reflink = broker_reflink,
	.free_space = broker_free_space,
	.real_path = broker_real_path,
	.process_exists = broker_process_exists,
	.find_writer = broker_find_writer,
	.look_at_computer = broker_look_at_computer,
	.recode = broker_recode,
	.close = broker_close,
};

struct sv_host *sv_broker_host(int socket, struct sv_err *err)
{
	struct broker_host *b = calloc(1, sizeof *b);

	if (!b) {
		sv_fail_nomem(err);
		return NULL;
	}
	b->host.ops = &broker_ops;
	b->socket = socket;
	pthread_mutex_init(&b->lock, NULL);
	return &b->host;
}

FILE *sv_broker_spool(struct sv_host *h)
{
	struct question q = {.op = SV_ASK_SPOOL};
	int fd = -1;
	FILE *f = sv_ask_for_fd(h, &q, &fd, NULL, NULL) == 0 ? fdopen(fd, "w+") : NULL;

	if (!f && fd >= 0)
		close(fd);
	return f;
}

int sv_broker_tell(struct sv_host *h, const struct sv_broker_at *at, struct sv_err *err)
{
	struct question q = {.op = SV_ASK_AT,
		.a = at->item,
		.b = (uint64_t)at->from << 8 | (uint64_t)(at->result & 0xff)};

	return sv_ask_for(h, &q, NULL, NULL, 0, err);
}
