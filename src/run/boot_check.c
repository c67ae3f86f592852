/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The boot check: see boot_check.h. One loop turns every 50 ms: it looks at the cancel flag,
 * takes what the serial console said, asks for a picture of the screen twice a second, and ends
 * at the first sign of life (watch.h), at the guest's end, or when the time is up. However it
 * ends, QEMU is killed and its folder removed.
 */
#include "run/boot_check.h"

#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"
#include "run/qemu.h"
#include "run/qmp.h"
#include "run/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEFAULT_TIMEOUT_S 120
#define MEMORY_MIB        2048
#define TURN_MS           50
#define PICTURE_EVERY_S   0.5
#define LAST_PICTURE_S    5.0           /* patience with the picture that is kept */
#define PICTURE_CAP       (64 * SV_MIB) /* a PPM of 4K is 25 MiB */
#define SERIAL_LINES      20

struct boot {
	const struct sv_boot_opts *opts;
	struct sv_job *job;
	struct sv_qemu *qemu;
	struct sv_qmp *qmp;
	struct sv_watch watch;
	char *picture; /* path that QEMU writes pictures to */
	double start, next_picture, timeout;
	bool serial_open, started, ended;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int take_serial(struct boot *b, struct sv_err *err)
{
	char bytes[4096];

	while (b->serial_open) {
		ssize_t n = read(sv_qemu_serial(b->qemu), bytes, sizeof bytes);

		if (n > 0) {
			sv_watch_serial(&b->watch, bytes, (size_t)n);
		} else if (n == 0 || errno == ECONNRESET) {
			b->serial_open = false;
		} else if (errno == EAGAIN) {
			return 0;
		} else if (errno != EINTR) {
			return sv_fail_errno(
				err, errno, NULL, "cannot read the serial console");
		}
	}
	return 0;
}

static int ask_for_picture(
	struct boot *b, const char *path, const char *format, struct sv_err *err)
{
	return sv_qmp_send(b->qmp, "screendump",
		json_pack("{s:s, s:s}", "filename", path, "format", format), err);
}

/* A picture that cannot be read (the guest is changing its mode) is none; not an error. */
static int take_picture(struct boot *b, struct sv_err *err)
{
	uint8_t digest[SV_SHA256_SIZE];
	size_t n = 0;
	sv_autofree char *bytes =
		sv_host_read_file(sv_host_posix(), b->picture, PICTURE_CAP, &n, NULL);

	if (!bytes)
		return 0;
	if (sv_sha256_bytes(bytes, n, digest, err))
		return -1;
	sv_watch_picture(&b->watch, digest);
	return 0;
}

static int fail_start(struct boot *b, struct sv_err *err)
{
	sv_autofree char *why = sv_qemu_complaint(b->qemu);

	return sv_fail(err, SV_IO, b->opts->disk, "QEMU cannot start: %.400s",
		why && *why ? why : "it ended without a word");
}

static int take_monitor(struct boot *b, struct sv_err *err)
{
	bool answered = false;

	if (sv_qmp_receive(b->qmp, &answered, err) || (answered && take_picture(b, err)))
		return -1;
	b->ended = sv_qmp_state(b->qmp) == SV_QMP_CLOSED;
	if (b->ended && !b->started)
		return fail_start(b, err);
	b->started = sv_qmp_state(b->qmp) != SV_QMP_GREETING;
	if (sv_qmp_state(b->qmp) != SV_QMP_IDLE || now() < b->next_picture)
		return 0;
	b->next_picture = now() + PICTURE_EVERY_S;
	return ask_for_picture(b, b->picture, "ppm", err);
}

/* The monitor goes first: when it hangs up, the console has said all that it will say. */
static int turn(struct boot *b, struct sv_err *err)
{
	struct pollfd fds[] = {
		{.fd = sv_qemu_monitor(b->qemu), .events = POLLIN},
		{.fd = b->serial_open ? sv_qemu_serial(b->qemu) : -1, .events = POLLIN},
	};

	if (sv_job_check(b->job, err))
		return -1;
	poll(fds, SV_ARRAY_LEN(fds), TURN_MS);
	if (take_monitor(b, err) || take_serial(b, err))
		return -1;
	sv_job_progress(
		b->job, "booting in QEMU", (uint64_t)(now() - b->start), (uint64_t)b->timeout);
	return 0;
}

static int watch_guest(struct boot *b, struct sv_boot_report *r, struct sv_err *err)
{
	char seen[sizeof r->sign];

	do {
		if (turn(b, err))
			return -1;
		r->seconds = now() - b->start;
		r->alive = sv_watch_alive(&b->watch, seen, sizeof seen);
	} while (!r->alive && !b->ended && r->seconds < b->timeout);
	if (r->alive)
		snprintf(r->sign, sizeof r->sign, "%s", seen);
	else if (b->ended)
		snprintf(r->sign, sizeof r->sign,
			"the guest stopped or restarted after %.1f s: %.180s", r->seconds,
			seen);
	else
		snprintf(r->sign, sizeof r->sign, "no sign of life in %.0f s: %.200s",
			r->seconds, seen);
	return 0;
}

/* Waits until a command can be sent, or its answer came; false when QEMU is gone or silent. */
static bool await_idle(struct boot *b, struct sv_err *err)
{
	double until = now() + LAST_PICTURE_S;

	while (sv_qmp_state(b->qmp) != SV_QMP_IDLE) {
		struct pollfd fd = {.fd = sv_qemu_monitor(b->qemu), .events = POLLIN};
		bool answered;

		if (sv_qmp_state(b->qmp) == SV_QMP_CLOSED || now() > until ||
			sv_job_check(b->job, err))
			return false;
		poll(&fd, 1, TURN_MS);
		if (sv_qmp_receive(b->qmp, &answered, err))
			return false;
	}
	return true;
}

/* The last picture, where one is wanted. That there is none is no failure of the check. */
static int keep_picture(struct boot *b, struct sv_boot_report *r, struct sv_err *err)
{
	const char *to = b->opts->screenshot;
	sv_autofree char *bytes = NULL;
	size_t n = 0;

	if (!to || b->ended || !await_idle(b, NULL))
		return sv_job_check(b->job, err);
	if (ask_for_picture(
		    b, b->picture, sv_ends_with_nocase(to, ".png") ? "png" : "ppm", NULL) ||
		!await_idle(b, NULL))
		return sv_job_check(b->job, err);
	bytes = sv_host_read_file(sv_host_posix(), b->picture, PICTURE_CAP, &n, NULL);
	if (!bytes)
		return 0;
	if (sv_publish_file(sv_host_posix(), to, bytes, n, true, err))
		return -1;
	free(r->screenshot);
	r->screenshot = strdup(to);
	return r->screenshot ? 0 : sv_fail_nomem(err);
}

static int check_guest(struct boot *b, struct sv_boot_report *r, struct sv_err *err)
{
	if (watch_guest(b, r, err) || keep_picture(b, r, err))
		return -1;
	r->serial = sv_watch_last_lines(&b->watch, SERIAL_LINES);
	return r->serial ? 0 : sv_fail_nomem(err);
}

static int run_guest(struct boot *b, const struct sv_qemu_opts *opts, struct sv_boot_report *r,
	struct sv_err *err)
{
	SV_CLEANUP(sv_qemu_killp) struct sv_qemu *qemu = NULL;
	SV_CLEANUP(sv_qmp_freep) struct sv_qmp *qmp = NULL;
	sv_autofree char *picture = NULL;

	if (sv_qemu_start(opts, &qemu, err))
		return -1;
	qmp = sv_qmp_new(sv_qemu_monitor(qemu), err);
	if (!qmp)
		return -1;
	picture = sv_path_join(sv_qemu_folder(qemu), "screen");
	if (!picture)
		return sv_fail_nomem(err);
	b->qemu = qemu;
	b->qmp = qmp;
	b->picture = picture;
	return check_guest(b, r, err);
}

/* With KVM first; a KVM that cannot start the guest costs only the attempt. */
static int run_somehow(
	struct boot *b, const char *disk, struct sv_boot_report *r, struct sv_err *err)
{
	struct sv_qemu_opts opts = {.disk = disk,
		.format = b->opts->format,
		.efi = b->opts->efi,
		.kvm = sv_qemu_may_kvm(),
		.memory_mib = MEMORY_MIB};
	int rc;

	b->serial_open = true;
	rc = run_guest(b, &opts, r, err);
	if (rc == 0 || !opts.kvm || b->started || !b->ended)
		return rc;
	opts.kvm = false;
	b->serial_open = true;
	b->ended = false;
	return run_guest(b, &opts, r, err);
}

static int check_opts(const struct sv_boot_opts *opts, struct sv_err *err)
{
	if (opts->expect && (!*opts->expect || strlen(opts->expect) > SV_WATCH_EXPECT))
		return sv_fail(err, SV_USAGE, NULL,
			"the expected text has %zu bytes, allowed are 1 to %d",
			strlen(opts->expect), SV_WATCH_EXPECT);
	return 0;
}

static struct boot *new_boot(
	const struct sv_boot_opts *opts, struct sv_job *job, struct sv_err *err)
{
	struct boot *b = calloc(1, sizeof *b);

	if (!b) {
		sv_fail_nomem(err);
		return NULL;
	}
	b->opts = opts;
	b->job = job;
	b->start = now();
	b->timeout = opts->timeout_s ? opts->timeout_s : DEFAULT_TIMEOUT_S;
	sv_watch_init(&b->watch, opts->expect);
	return b;
}

int sv_boot_check(const struct sv_boot_opts *opts, struct sv_job *job,
	struct sv_boot_report *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_boot_report_free) struct sv_boot_report r = {0};
	sv_autofree char *disk = NULL;
	sv_autofree struct boot *b = NULL;

	if (check_opts(opts, err))
		return -1;
	disk = sv_host_real_path(sv_host_posix(), opts->disk, err);
	if (!disk)
		return -1;
	r.screenshot = strdup("");
	if (!r.screenshot)
		return sv_fail_nomem(err);
	b = new_boot(opts, job, err);
	if (!b || run_somehow(b, disk, &r, err))
		return -1;
	*ret = r;
	r = (struct sv_boot_report){0};
	return 0;
}

void sv_boot_report_free(struct sv_boot_report *r)
{
	free(r->serial);
	free(r->screenshot);
	r->serial = r->screenshot = NULL;
}
