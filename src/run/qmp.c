/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's machine protocol: see qmp.h. A line is complete at its newline, never before. */
#include "run/qmp.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct sv_qmp {
	int fd;
	enum sv_qmp_state state;
	bool negotiating; /* greeted; the answer to qmp_capabilities comes from its main loop */
	char *line;
	size_t have;
};

struct sv_qmp *sv_qmp_new(int fd, struct sv_err *err)
{
	struct sv_qmp *q = calloc(1, sizeof *q);

	if (q)
		q->line = malloc(SV_QMP_LINE_MAX);
	if (!q || !q->line) {
		free(q);
		sv_fail_nomem(err);
		return NULL;
	}
	q->fd = fd;
	return q;
}

void sv_qmp_free(struct sv_qmp *q)
{
	if (!q)
		return;
	free(q->line);
	free(q);
}

enum sv_qmp_state sv_qmp_state(const struct sv_qmp *q)
{
	return q->state;
}

/* A command is far smaller than a socket's buffer, and only one is ever under way. */
static int send_text(struct sv_qmp *q, const char *text, struct sv_err *err)
{
	size_t n = strlen(text);
	ssize_t sent = send(q->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent == (ssize_t)n) {
		q->state = q->negotiating ? SV_QMP_GREETING : SV_QMP_WAITING;
		return 0;
	}
	if (sent < 0 && errno == EPIPE) {
		q->state = SV_QMP_CLOSED;
		return 0;
	}
	return sv_fail_errno(
		err, sent < 0 ? errno : EAGAIN, NULL, "cannot send a command to QEMU");
}

int sv_qmp_send(struct sv_qmp *q, const char *command, json_t *arguments, struct sv_err *err)
{
	sv_autofree char *text = NULL;
	json_t *doc =
		arguments ? json_pack("{s:s, s:o}", "execute", command, "arguments", arguments)
			  : json_pack("{s:s}", "execute", command);
	sv_autostr struct sv_str out = {0};

	if (doc)
		text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (!text)
		return sv_fail_nomem(err);
	sv_str_addf(&out, "%s\n", text);
	if (out.failed)
		return sv_fail_nomem(err);
	return send_text(q, out.data, err);
}

static int take_answer(struct sv_qmp *q, bool *ret_answered)
{
	q->state = SV_QMP_IDLE;
	*ret_answered = !q->negotiating;
	q->negotiating = false;
	return 0;
}

static int take_document(
	struct sv_qmp *q, const json_t *doc, bool *ret_answered, struct sv_err *err)
{
	const char *refusal = NULL;

	if (json_object_get(doc, "QMP") && q->state == SV_QMP_GREETING && !q->negotiating) {
		q->negotiating = true;
		return sv_qmp_send(q, "qmp_capabilities", NULL, err);
	}
	if (q->state != SV_QMP_WAITING && !q->negotiating)
		return 0;
	if (json_object_get(doc, "return"))
		return take_answer(q, ret_answered);
	if (json_unpack((json_t *)doc, "{s:{s:s}}", "error", "desc", &refusal) == 0) {
		take_answer(q, ret_answered);
		return sv_fail(err, SV_IO, NULL, "QEMU refused a command: %s", refusal);
	}
	return 0; /* an event */
}

static int take_line(struct sv_qmp *q, size_t n, bool *ret_answered, struct sv_err *err)
{
	json_t *doc = json_loadb(q->line, n, 0, NULL);
	int rc;

	if (!json_is_object(doc)) {
		json_decref(doc);
		return sv_fail(err, SV_CORRUPT, NULL,
			"QEMU's monitor sent %zu bytes that are no JSON object", n);
	}
	rc = take_document(q, doc, ret_answered, err);
	json_decref(doc);
	return rc;
}

static int take_lines(struct sv_qmp *q, bool *ret_answered, struct sv_err *err)
{
	char *end;

	while (q->have && (end = memchr(q->line, '\n', q->have))) {
		size_t n = (size_t)(end - q->line);
		int rc = n ? take_line(q, n, ret_answered, err) : 0;

		q->have -= n + 1;
		memmove(q->line, end + 1, q->have);
		if (rc)
			return -1;
	}
	if (q->have == SV_QMP_LINE_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"QEMU's monitor sent a line of more than %u bytes", SV_QMP_LINE_MAX);
	return 0;
}

int sv_qmp_receive(struct sv_qmp *q, bool *ret_answered, struct sv_err *err)
{
	*ret_answered = false;
	while (q->state != SV_QMP_CLOSED) {
		ssize_t n =
			recv(q->fd, q->line + q->have, SV_QMP_LINE_MAX - q->have, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0 && errno != ECONNRESET)
			return sv_fail_errno(err, errno, NULL, "cannot read QEMU's monitor");
		if (n <= 0) {
			q->state = SV_QMP_CLOSED;
			return 0;
		}
		q->have += (size_t)n;
		if (take_lines(q, ret_answered, err))
			return -1;
	}
	return 0;
}
