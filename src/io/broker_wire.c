/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A question to the broker, checked: see broker_wire.h. */
#include "io/broker_wire.h"

#include "base/num.h"

#include <string.h>

static const char *const names[SV_ASK_OPS] = {"open", "stat", "list", "real path", "free space",
	"process", "writer", "computer", "recode", "at", "copy", "enter", "leave", "begin",
	"finish", "drop", "put", "link", "node", "again", "attribute", "left out", "spool"};

/* What of a message each question may have. */
static bool takes_text(uint32_t op)
{
	switch (op) {
	case SV_ASK_OPEN:
	case SV_ASK_STAT:
	case SV_ASK_LIST:
	case SV_ASK_REAL_PATH:
	case SV_ASK_FREE_SPACE:
	case SV_ASK_RECODE:
	case SV_ASK_ENTER:
	case SV_ASK_BEGIN:
	case SV_ASK_PUT:
	case SV_ASK_LINK:
	case SV_ASK_NODE:
	case SV_ASK_AGAIN:
	case SV_ASK_ATTR:
		return true;
	default:
		return false;
	}
}

static bool takes_data(uint32_t op)
{
	switch (op) {
	case SV_ASK_WRITER:
	case SV_ASK_RECODE:
	case SV_ASK_PUT:
	case SV_ASK_LINK:
	case SV_ASK_AGAIN:
	case SV_ASK_ATTR:
		return true;
	default:
		return false;
	}
}

/* Where the data is a string, it ends with its only NUL. */
static bool is_string(const uint8_t *bytes, size_t n)
{
	return n && memchr(bytes, 0, n) == bytes + n - 1;
}

static bool data_is_string(uint32_t op)
{
	return op == SV_ASK_RECODE || op == SV_ASK_LINK || op == SV_ASK_AGAIN;
}

static int check_head(const struct sv_ask_head *h, size_t n, struct sv_err *err)
{
	if (h->op >= SV_ASK_OPS)
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_ask_head, op),
			"question %u of %u", h->op, SV_ASK_OPS);
	if (h->text_n > SV_ASK_TEXT_MAX || h->data_n > SV_ASK_DATA_MAX || h->zero ||
		sizeof *h + h->text_n + h->data_n != n)
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_ask_head, text_n),
			"\"%s\": %u and %u bytes in a message of %zu", names[h->op], h->text_n,
			h->data_n, n);
	if (!h->text_n == takes_text(h->op) || (h->data_n && !takes_data(h->op)))
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_ask_head, text_n),
			"\"%s\" with %u and %u bytes", names[h->op], h->text_n, h->data_n);
	if (h->meta.mtime_nsec > 999999999 || h->meta.atime_nsec > 999999999)
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct sv_ask_head, meta),
			"\"%s\": a time beyond its second", names[h->op]);
	return 0;
}

int sv_ask_parse(const void *bytes, size_t n, struct sv_ask *ret, struct sv_err *err)
{
	const uint8_t *p = bytes;
	struct sv_ask ask = {.text = ""};

	if (n < sizeof ask.head)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "a question of %zu bytes", n);
	memcpy(&ask.head, p, sizeof ask.head);
	if (check_head(&ask.head, n, err) < 0)
		return -1;
	p += sizeof ask.head;
	ask.data = p + ask.head.text_n;
	if (ask.head.text_n && !is_string(p, ask.head.text_n))
		return sv_fail_at(err, SV_CORRUPT, NULL, sizeof ask.head,
			"\"%s\": a text that is no string", names[ask.head.op]);
	if (data_is_string(ask.head.op) && !is_string(ask.data, ask.head.data_n))
		return sv_fail_at(err, SV_CORRUPT, NULL, sizeof ask.head + ask.head.text_n,
			"\"%s\": data that is no string", names[ask.head.op]);
	if (ask.head.text_n)
		ask.text = (const char *)p;
	*ret = ask;
	return 0;
}
