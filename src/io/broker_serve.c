/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker: takes questions from a worker and answers what was granted: see broker.h. A
 * question is bytes from outside, and sv_ask_parse() reads them; descriptors that a worker
 * might send along are not received. One question at a time: nothing here can be raced.
 */
#include "io/broker_private.h"

#include "base/num.h"
#include "base/str.h"
#include "io/charset.h"
#include "io/file.h"
#include "io/process.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BYTES 64 /* what a file is recognised by */

/* What VMware writes into `.encoding`; what iconv knows beside these is not offered. */
static const char *const encodings[] = {"UTF-8", "UTF8", "US-ASCII", "windows-1250",
	"windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255",
	"windows-1256", "windows-1257", "windows-1258", "windows-874", "ISO-8859-1",
	"ISO-8859-2", "ISO-8859-5", "ISO-8859-7", "ISO-8859-9", "ISO-8859-15", "KOI8-R",
	"Shift_JIS", "windows-31J", "EUC-JP", "GBK", "GB2312", "GB18030", "Big5", "EUC-KR",
	"windows-949"};

/* Going through all processes costs some milliseconds: for a worker that asks about many
 * machines it is done once in a while, and asked again only about what was open then. */
#define GATHER_FROM 3
#define GATHER_MS   300

struct serving {
	struct sv_broker *b;
	struct sv_process_writers *writers; /* what processes wrote to at `gathered` */
	struct timespec gathered;
	unsigned asked;
	struct broker_copy copy;
	FILE *spool;
	struct answer answer;
};

static int put_data(struct answer *a, const void *bytes, size_t n, struct sv_err *err)
{
	if (n > sizeof a->data)
		return sv_fail(err, SV_NOMEM, NULL, "an answer of %zu bytes", n);
	if (n)
		memcpy(a->data, bytes, n);
	a->head.n = (uint32_t)n;
	return 0;
}

/* ---- sending ---- */

static int send_answer(struct serving *s, struct sv_err *err)
{
	struct answer *a = &s->answer;
	int fd = a->dev ? sv_file_fd(a->dev) : a->fd;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {&a->head, sizeof a->head + a->head.n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	a->head.has_fd = fd >= 0;
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control.room;
		control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	}
	while (sendmsg(s->b->socket, &m, MSG_NOSIGNAL) < 0) {
		if (errno == EPIPE || errno == ECONNRESET)
			return 0; /* the worker is gone: recv will say so */
		if (errno != EINTR)
			return sv_fail_errno(err, errno, NULL, "cannot answer the reader");
	}
	return 0;
}

/* ---- files and folders ---- */

static int refuse(const char *path, const char *folder, struct sv_err *err)
{
	sv_fail(err, SV_PERMISSION, path,
		"it lies outside the machine's folder, and does not look like a disk");
	return sv_hint(
		err, "if you know that file, allow its folder: --allow-path '%s'", folder);
}

static int open_file(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	const unsigned known = SV_OPEN_NOFOLLOW | SV_OPEN_LOCK;
	struct sv_broker *b = s->b;
	sv_autodev struct sv_dev *dev = NULL;
	sv_autofree char *real = NULL;
	sv_autofree char *folder = NULL;
	uint8_t first[FIRST_BYTES];
	size_t n;

	if (ask->head.a & ~(uint64_t)known)
		return sv_fail(err, SV_PERMISSION, ask->text, "a reader never writes");
	if (sv_host_open(b->host, ask->text, (unsigned)ask->head.a, &dev, err) < 0)
		return -1;
	real = sv_host_real_path(b->host, ask->text, err);
	folder = real ? sv_path_dir(real) : NULL;
	if (!real || !folder)
		return real ? sv_fail_nomem(err) : -1;
	n = (size_t)SV_MIN(sv_dev_size(dev), (uint64_t)sizeof first);
	if (sv_dev_read(dev, first, n, 0, err) < 0)
		return -1;
	if (!sv_grants_file(b->grants, real, first, n))
		return refuse(real, folder, err);
	s->answer.head.a = sv_dev_size(dev);
	s->answer.dev = SV_STEAL(dev);
	return 0;
}

static int stat_file(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	struct sv_host_stat st;

	if (s->b->host->ops->stat(s->b->host, ask->text, ask->head.a != 0, &st, err) < 0)
		return -1;
	return put_data(&s->answer, &st, sizeof st, err);
}

/* As many as one message holds, each with its NUL. */
static size_t put_names(struct answer *a, char **names, size_t n)
{
	size_t i;

	a->head.n = 0;
	for (i = 0; i < n; i++) {
		size_t len = strlen(names[i]) + 1;

		if (a->head.n + len > sizeof a->data)
			break;
		memcpy(a->data + a->head.n, names[i], len);
		a->head.n += (uint32_t)len;
	}
	return i;
}

static int list_folder(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	struct sv_host *h = s->b->host;
	sv_autofree char *real = sv_host_real_path(h, ask->text, err);
	char **names = NULL;
	size_t n = 0, done = 0;
	int rc = 0;

	if (!real)
		return -1;
	if (!sv_grants_folder(s->b->grants, real))
		return sv_fail(err, SV_PERMISSION, ask->text, "no machine of yours lies here");
	if (sv_host_list(h, real, &names, &n, err) < 0)
		return -1;
	for (;;) {
		done += put_names(&s->answer, names + done, n - done);
		s->answer.head.more = done < n;
		if (done == n || rc < 0)
			break;
		rc = send_answer(s, err);
	}
	sv_host_free_names(names, n);
	return rc;
}

static int find_real_path(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	sv_autofree char *real = sv_host_real_path(s->b->host, ask->text, err);

	return real ? put_data(&s->answer, real, strlen(real) + 1, err) : -1;
}

/* ---- the rest ---- */

static bool is_recent(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - t->tv_sec) * 1000 + (now.tv_nsec - t->tv_nsec) / 1000000 <
	       GATHER_MS;
}

/* Was none of the files open for writing a moment ago? False where that is not known. */
static bool was_closed(struct serving *s, const struct sv_file_id *ids, size_t n)
{
	struct sv_process p;
	size_t file;

	if (++s->asked < GATHER_FROM)
		return false;
	if (!s->writers || !is_recent(&s->gathered)) {
		sv_process_writers_free(s->writers);
		clock_gettime(CLOCK_MONOTONIC, &s->gathered);
		s->writers = sv_process_writers_gather(NULL);
	}
	return s->writers && !sv_process_writers_find(s->writers, ids, n, &p, &file);
}

static int find_writer(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	struct sv_process p = {0};
	size_t file = 0, n = ask->head.data_n / sizeof(struct sv_file_id);
	sv_autofree struct sv_file_id *ids = calloc(n ? n : 1, sizeof *ids);

	if (!ids)
		return sv_fail_nomem(err);
	memcpy(ids, ask->data, n * sizeof *ids);
	if (was_closed(s, ids, n) || !sv_host_find_writer(s->b->host, ids, n, &p, &file))
		return 0;
	s->answer.head.a = file + 1;
	return put_data(&s->answer, &p, sizeof p, err);
}

static int find_process(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	struct sv_process p = {0};

	s->answer.head.a = sv_host_process_exists(s->b->host, (int64_t)ask->head.a, &p);
	return put_data(&s->answer, &p, sizeof p, err);
}

static int tell_computer(struct serving *s, struct sv_err *err)
{
	struct sv_computer c;

	sv_host_look_at_computer(s->b->host, &c);
	c.host = NULL;
	return put_data(&s->answer, &c, sizeof c, err);
}

static int recode(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	sv_autofree char *text = NULL;

	for (size_t i = 0; i < SV_ARRAY_LEN(encodings) && !text; i++) {
		if (strcasecmp(encodings[i], ask->text) == 0)
			text = sv_host_recode(s->b->host, (const char *)ask->data, encodings[i],
				ask->head.a != 0);
	}
	if (!text)
		return sv_fail(err, SV_UNSUPPORTED, NULL, "it does not fit that encoding");
	return put_data(&s->answer, text, strlen(text) + 1, err);
}

/* One for all of a worker's life is enough. */
static int make_spool(struct serving *s, struct sv_err *err)
{
	if (!s->spool)
		s->spool = tmpfile();
	if (!s->spool)
		return sv_fail_errno(err, errno, NULL, "cannot make a temporary file");
	s->answer.fd = fileno(s->spool);
	return 0;
}

static int answer(struct serving *s, const struct sv_ask *ask, struct sv_err *err)
{
	struct sv_broker *b = s->b;

	switch (ask->head.op) {
	case SV_ASK_OPEN:
		return open_file(s, ask, err);
	case SV_ASK_STAT:
		return stat_file(s, ask, err);
	case SV_ASK_LIST:
		return list_folder(s, ask, err);
	case SV_ASK_REAL_PATH:
		return find_real_path(s, ask, err);
	case SV_ASK_FREE_SPACE:
		return sv_host_free_space(b->host, ask->text, &s->answer.head.a, err);
	case SV_ASK_PROCESS:
		return find_process(s, ask, err);
	case SV_ASK_WRITER:
		return find_writer(s, ask, err);
	case SV_ASK_COMPUTER:
		return tell_computer(s, err);
	case SV_ASK_RECODE:
		return recode(s, ask, err);
	case SV_ASK_SPOOL:
		return make_spool(s, err);
	case SV_ASK_AT:
		b->at = (struct sv_broker_at){.item = (size_t)ask->head.a,
			.from = (size_t)(ask->head.b >> 8),
			.result = (int)(ask->head.b & 0xff)};
		return 0;
	default:
		return sv_broker_copy(&s->copy, b->grants, ask, &s->answer, err);
	}
}

/* ---- one message after another ---- */

/* 1: a message; 0: the worker is gone. */
static int receive(struct serving *s, void *buf, size_t size, size_t *ret_n, struct sv_err *err)
{
	for (;;) {
		struct iovec iov = {buf, size};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = recvmsg(s->b->socket, &m, 0);

		if (n < 0 && errno == EINTR) {
			s->b->interrupted(s->b->user);
			continue;
		}
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n < 0)
			return sv_fail_errno(err, errno, NULL, "cannot hear the reader");
		*ret_n = m.msg_flags & MSG_TRUNC ? 0 : (size_t)n;
		return 1;
	}
}

/* What is wrong with a question is the answer to it. */
static int serve_one(struct serving *s, const void *bytes, size_t n, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	struct sv_ask ask;
	int rc;

	s->answer.head = (struct sv_answer_head){0};
	s->answer.dev = NULL;
	s->answer.fd = -1;
	rc = sv_ask_parse(bytes, n, &ask, &what);
	if (rc == 0)
		rc = answer(s, &ask, &what);
	if (rc < 0) {
		s->answer.head = (struct sv_answer_head){.rc = -1};
		put_data(&s->answer, &what, sizeof what, NULL);
	}
	rc = send_answer(s, err);
	sv_dev_close(s->answer.dev);
	return rc;
}

int sv_broker_serve(struct sv_broker *b, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(SV_ASK_MAX);
	sv_autofree struct serving *s = calloc(1, sizeof *s);
	size_t n = 0;
	int rc;

	if (!buf || !s)
		return sv_fail_nomem(err);
	s->b = b;
	while ((rc = receive(s, buf, SV_ASK_MAX, &n, err)) > 0) {
		if (serve_one(s, buf, n, err) < 0) {
			rc = -1;
			break;
		}
	}
	sv_broker_copy_end(&s->copy);
	if (s->spool)
		fclose(s->spool);
	sv_process_writers_free(s->writers);
	return rc;
}
