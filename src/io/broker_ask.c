/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One message to the broker and its answer, under a lock: see broker.h. What the broker says is
 * believed.
 */
#include "io/broker_ask.h"

#include "base/num.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct broker_host *of(struct sv_host *h)
{
	return (struct broker_host *)h;
}

static void fill_meta(struct sv_ask_meta *ret, const struct sv_extract_meta *m)
{
	if (!m)
		return;
	*ret = (struct sv_ask_meta){
		.mtime_sec = m->mtime_sec,
		.atime_sec = m->atime_sec,
		.mtime_nsec = m->mtime_nsec % 1000000000,
		.atime_nsec = m->atime_nsec % 1000000000,
		.has_mode = m->has_mode,
		.mode = m->mode,
		.uid = m->uid,
		.gid = m->gid,
	};
}

static int gone(struct sv_err *err, int sys)
{
	return sv_fail_errno(err, sys ? sys : EPIPE, NULL, "the broker does not answer");
}

static int send_question(struct broker_host *b, const struct question *q, struct sv_err *err)
{
	size_t text_n = q->text ? strlen(q->text) + 1 : 0;
	struct sv_ask_head head = {.op = q->op, .a = q->a, .b = q->b};
	struct iovec iov[] = {
		{&head, sizeof head}, {(void *)q->text, text_n}, {(void *)q->data, q->data_n}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = SV_ARRAY_LEN(iov)};

	if (text_n > SV_ASK_TEXT_MAX || q->data_n > SV_ASK_DATA_MAX)
		return sv_fail_errno(err, ENAMETOOLONG, NULL, "cannot ask for it");
	head.text_n = (uint32_t)text_n;
	head.data_n = (uint32_t)q->data_n;
	fill_meta(&head.meta, q->meta);
	while (sendmsg(b->socket, &m, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR)
			return gone(err, errno);
	}
	return 0;
}

static int take_fd(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

int sv_ask_more(struct broker_host *b, int *ret_fd, struct sv_err *err)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {&b->answer, sizeof b->answer};
	struct msghdr m;
	struct sv_err what;
	ssize_t n;

	do {
		m = (struct msghdr){.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control};
		n = recvmsg(b->socket, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof b->answer.head ||
		(size_t)n != sizeof b->answer.head + b->answer.head.n)
		return gone(err, n < 0 ? errno : 0);
	*ret_fd = take_fd(&m);
	if (b->answer.head.rc == 0)
		return 0;
	memcpy(&what, b->answer.data, sizeof what);
	sv_err_copy(err, &what);
	return -1;
}

int sv_ask_now(struct broker_host *b, const struct question *q, int *ret_fd, struct sv_err *err)
{
	int fd = -1;

	if (send_question(b, q, err) < 0 || sv_ask_more(b, &fd, err) < 0)
		return -1;
	if (ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return 0;
}

int sv_ask_for(struct sv_host *h, const struct question *q, uint64_t *ret_a, void *ret,
	size_t n, struct sv_err *err)
{
	struct broker_host *b = of(h);
	int rc;

	pthread_mutex_lock(&b->lock);
	rc = sv_ask_now(b, q, NULL, err);
	if (rc == 0 && ret_a)
		*ret_a = b->answer.head.a;
	if (rc == 0 && ret)
		memcpy(ret, b->answer.data, SV_MIN(n, (size_t)b->answer.head.n));
	pthread_mutex_unlock(&b->lock);
	return rc;
}

char *sv_ask_for_text(struct sv_host *h, const struct question *q, struct sv_err *err)
{
	struct broker_host *b = of(h);
	char *text = NULL;

	pthread_mutex_lock(&b->lock);
	if (sv_ask_now(b, q, NULL, err) == 0) {
		text = strndup((char *)b->answer.data, b->answer.head.n);
		if (!text)
			sv_fail_nomem(err);
	}
	pthread_mutex_unlock(&b->lock);
	return text;
}

int sv_ask_for_fd(struct sv_host *h, const struct question *q, int *ret_fd, uint64_t *ret_a,
	struct sv_err *err)
{
	struct broker_host *b = of(h);
	int rc;

	pthread_mutex_lock(&b->lock);
	rc = sv_ask_now(b, q, ret_fd, err);
	if (rc == 0 && *ret_fd < 0)
		rc = gone(err, EMFILE); /* the kernel had no room for it here */
	if (rc == 0 && ret_a)
		*ret_a = b->answer.head.a;
	pthread_mutex_unlock(&b->lock);
	return rc;
}
