/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies into a folder of the host, from a process that can make no file: the broker makes
 * them. A small file is kept until it is whole, and goes as one message; of a large one the
 * broker gives the descriptor.
 */
#include "cli/sink.h"

#include "io/broker.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct broker_sink {
	struct sv_sink base;
	struct sv_host *broker;
	char *name; /* of the file at hand */
	int fd;     /* -1: it is a small one, in `small` */
	uint8_t small[SV_BROKER_PUT];
};

static struct broker_sink *of(struct sv_sink *s)
{
	return (struct broker_sink *)s;
}

static int make_folder(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	(void)o;
	return sv_broker_enter(of(s)->broker, name, err);
}

static int end_folder(struct sv_sink *s, const struct sv_object *o, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);

	return sv_broker_leave(of(s)->broker, &meta, err);
}

static int begin_file(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	struct broker_sink *b = of(s);

	free(b->name);
	b->name = strdup(name);
	if (!b->name)
		return sv_fail_nomem(err);
	b->fd = -1;
	if (o->st.size > sizeof b->small)
		return sv_broker_begin(b->broker, name, &b->fd, err);
	memset(b->small, 0, (size_t)o->st.size);
	return 0;
}

static int write_file(
	struct sv_sink *s, const void *bytes, size_t n, uint64_t off, struct sv_err *err)
{
	struct broker_sink *b = of(s);
	int sys;

	if (b->fd < 0 && (off > sizeof b->small || n > sizeof b->small - off))
		return sv_fail_at(err, SV_INTERNAL, b->name, off, "a file became longer");
	if (b->fd < 0) {
		memcpy(b->small + off, bytes, n);
		return 0;
	}
	sys = sv_extract_write_to(b->fd, bytes, n, off);
	return sys ? sv_fail_errno(err, sys, b->name, "cannot write") : 0;
}

static int end_file(
	struct sv_sink *s, const struct sv_object *o, bool whole, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);
	struct broker_sink *b = of(s);

	if (b->fd < 0)
		return whole ? sv_broker_put(b->broker, b->name, b->small, (size_t)o->st.size,
				       &meta, err)
			     : 0;
	close(b->fd);
	b->fd = -1;
	return whole ? sv_broker_finish(b->broker, o->st.size, &meta, err)
		     : sv_broker_drop(b->broker, err);
}

static int make_link(struct sv_sink *s, const char *name, const char *target,
	const struct sv_object *o, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);

	return sv_broker_link(of(s)->broker, name, target, &meta, err);
}

static int make_node(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);

	return sv_broker_node(of(s)->broker, name, sv_sink_mode(o->st.type), o->st.dev_major,
		o->st.dev_minor, &meta, err);
}

static int make_again(struct sv_sink *s, const char *name, const char *first,
	const struct sv_object *o, struct sv_err *err)
{
	(void)o;
	return sv_broker_again(of(s)->broker, name, first, err);
}

static int end_all(struct sv_sink *s, struct sv_err *err)
{
	return sv_broker_left_out(of(s)->broker, &s->left_out, err);
}

static void close_sink(struct sv_sink *s)
{
	if (of(s)->fd >= 0)
		close(of(s)->fd);
	free(of(s)->name);
	free(s);
}

static const struct sv_sink_ops broker_ops = {
	.folder = make_folder,
	.end_folder = end_folder,
	.file = begin_file,
	.write = write_file,
	.end_file = end_file,
	.link = make_link,
	.node = make_node,
	.again = make_again,
	.end = end_all,
	.close = close_sink,
};

struct sv_sink *sv_sink_broker(struct sv_host *broker, bool archive, struct sv_err *err)
{
	struct broker_sink *b = calloc(1, sizeof *b);

	if (!b) {
		sv_fail_nomem(err);
		return NULL;
	}
	b->base = (struct sv_sink){.ops = &broker_ops,
		.keeps_all_links = archive,
		.keeps_devices = archive,
		.keeps_sockets = archive,
		.wants_attrs = true};
	b->broker = broker;
	b->fd = -1;
	if (sv_broker_extract_open(broker, err) < 0) {
		free(b);
		return NULL;
	}
	return &b->base;
}
