/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The monitor's client, with the test in QEMU's part. */
#include "unit.h"

#include "run/qmp.h"

#include <sys/socket.h>
#include <unistd.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

struct peer {
	int fd, ours;
	struct sv_qmp *q;
	struct sv_err err;
	bool answered;
};

static int setup(void **state)
{
	struct peer *p = calloc(1, sizeof *p);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	p->ours = pair[0];
	p->fd = pair[1];
	p->q = sv_qmp_new(p->ours, &p->err);
	assert_non_null(p->q);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct peer *p = *state;

	sv_qmp_free(p->q);
	close(p->ours);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
	return 0;
}

static int say(struct peer *p, const char *text)
{
	assert_int_equal(write(p->fd, text, strlen(text)), strlen(text));
	return sv_qmp_receive(p->q, &p->answered, &p->err);
}

static void hears(struct peer *p, const char *want)
{
	char got[512] = "";
	ssize_t n = recv(p->fd, got, sizeof got - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	assert_string_equal(got, want);
}

static void greet(struct peer *p)
{
	assert_int_equal(say(p, GREETING), 0);
	hears(p, "{\"execute\":\"qmp_capabilities\"}\n");
	assert_int_equal(say(p, "{\"return\": {}}\r\n"), 0);
	assert_false(p->answered);
	assert_int_equal(sv_qmp_state(p->q), SV_QMP_IDLE);
}

static void answers_the_greeting_by_itself(void **state)
{
	struct peer *p = *state;

	assert_int_equal(sv_qmp_state(p->q), SV_QMP_GREETING);
	greet(p);
}

static void takes_an_answer_in_pieces_and_passes_over_events(void **state)
{
	struct peer *p = *state;

	greet(p);
	assert_int_equal(
		sv_qmp_send(p->q, "screendump", json_pack("{s:s}", "filename", "/x"), &p->err),
		0);
	hears(p, "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"/x\"}}\n");
	assert_int_equal(say(p, "{\"event\": \"RESET\"}\n{\"ret"), 0);
	assert_false(p->answered);
	assert_int_equal(sv_qmp_state(p->q), SV_QMP_WAITING);
	assert_int_equal(say(p, "urn\": {}}\n{\"event\": \"STOP\"}\n"), 0);
	assert_true(p->answered);
	assert_int_equal(sv_qmp_state(p->q), SV_QMP_IDLE);
}

static void tells_in_qemus_words_why_a_command_was_refused(void **state)
{
	struct peer *p = *state;

	greet(p);
	assert_int_equal(sv_qmp_send(p->q, "fly", NULL, &p->err), 0);
	assert_int_equal(
		say(p, "{\"error\": {\"class\": \"X\", \"desc\": \"no wings\"}}\n"), -1);
	assert_int_equal(p->err.code, SV_IO);
	assert_string_equal(p->err.message, "QEMU refused a command: no wings");
	assert_int_equal(sv_qmp_state(p->q), SV_QMP_IDLE);
}

static void refuses_what_is_no_json(void **state)
{
	struct peer *p = *state;
	static const char *const junk[] = {"hello\n", "[1]\n", "{\n"};

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(say(p, junk[i]), -1);
		assert_int_equal(p->err.code, SV_CORRUPT);
	}
}

static void refuses_a_line_without_end(void **state)
{
	struct peer *p = *state;
	static char chunk[1 << 14];
	int rc = 0;

	memset(chunk, ' ', sizeof chunk - 1);
	for (unsigned i = 0; i < 100 && rc == 0; i++)
		rc = say(p, chunk);
	assert_int_equal(rc, -1);
	assert_int_equal(p->err.code, SV_CORRUPT);
}

static void notices_that_qemu_hung_up(void **state)
{
	struct peer *p = *state;

	greet(p);
	close(p->fd);
	p->fd = -1;
	assert_int_equal(sv_qmp_receive(p->q, &p->answered, &p->err), 0);
	assert_int_equal(sv_qmp_state(p->q), SV_QMP_CLOSED);
}

int main(void)
{
#define QMP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		QMP_TEST(answers_the_greeting_by_itself),
		QMP_TEST(takes_an_answer_in_pieces_and_passes_over_events),
		QMP_TEST(tells_in_qemus_words_why_a_command_was_refused),
		QMP_TEST(refuses_what_is_no_json),
		QMP_TEST(refuses_a_line_without_end),
		QMP_TEST(notices_that_qemu_hung_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
