/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The broker runs in a child, and the test is the worker: what it asks for beyond its grants it
 * does not get. */
#include "tempdir.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/str.h"
#include "io/broker.h"
#include "io/broker_wire.h"
#include "io/process.h"

struct fixture {
	char *dir; /* with vm/a.vmx, vm/sub/b, other/secret, other/base.vmdk, out/ */
	struct sv_grants grants;
	int socket;
	pid_t broker;
	struct sv_host *host;
};

static void never(void *user)
{
	(void)user;
}

static void begin(struct fixture *f)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	f->broker = fork();
	if (!f->broker) {
		struct sv_broker b = {.socket = pair[0],
			.host = sv_host_posix(),
			.grants = &f->grants,
			.interrupted = never};

		close(pair[1]);
		_exit(sv_broker_serve(&b, NULL) < 0
				? 99
				: (int)(b.at.item + b.at.from + (size_t)b.at.result));
	}
	close(pair[0]);
	f->socket = pair[1];
	f->host = sv_broker_host(f->socket, NULL);
	assert_non_null(f->host);
}

/* What the broker was told last. */
static int end(struct fixture *f)
{
	int status = 0;

	sv_host_close(f->host);
	close(f->socket);
	assert_int_equal(waitpid(f->broker, &status, 0), f->broker);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char *vm;

	f->dir = make_temp_dir();
	put_dir(f->dir, "vm");
	put_dir(f->dir, "vm/sub");
	put_dir(f->dir, "other");
	put_dir(f->dir, "out");
	put_text(f->dir, "vm/a.vmx", "config");
	put_text(f->dir, "vm/sub/b", "below");
	put_text(f->dir, "other/secret", "secret");
	put_text(f->dir, "other/base.vmdk", "any");
	put_text(f->dir, "other/base", "KDMV, and more");
	vm = in_dir(f->dir, "vm/a.vmx");
	assert_int_equal(sv_grants_add(&f->grants, sv_host_posix(), vm, NULL), 0);
	free(vm);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sv_grants_free(&f->grants);
	remove_tree(f->dir);
	free(f);
	return 0;
}

static int read_file(struct fixture *f, const char *name, char **ret, struct sv_err *err)
{
	char *path = in_dir(f->dir, name);

	*ret = sv_host_read_file(f->host, path, 1000, NULL, err);
	free(path);
	return *ret ? 0 : -1;
}

static void assert_reads(struct fixture *f, const char *name, const char *text)
{
	struct sv_err err = SV_ERR_INIT;
	char *got = NULL;

	assert_ok(read_file(f, name, &got, &err));
	assert_string_equal(got, text);
	free(got);
}

static void assert_refused(struct fixture *f, const char *name, enum sv_code code)
{
	struct sv_err err = SV_ERR_INIT;
	char *got = NULL;

	assert_fails(read_file(f, name, &got, &err), code, UINT64_MAX);
}

static void opens_what_lies_with_the_machine_and_disks_elsewhere(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_reads(f, "vm/a.vmx", "config");
	assert_reads(f, "vm/sub/b", "below");
	assert_reads(f, "other/base.vmdk", "any");
	assert_reads(f, "other/base", "KDMV, and more");
	assert_refused(f, "other/secret", SV_PERMISSION);
	assert_refused(f, "vm/../other/secret", SV_PERMISSION);
	assert_refused(f, "vm/none", SV_NOTFOUND);
	end(f);
}

static void follows_no_link_out_of_the_folder(void **state)
{
	struct fixture *f = *state;
	char *link = in_dir(f->dir, "vm/link.txt");

	assert_int_equal(symlink("../other/secret", link), 0);
	begin(f);
	assert_refused(f, "vm/link.txt", SV_PERMISSION);
	end(f);
	free(link);
}

static void never_opens_for_writing(void **state)
{
	struct fixture *f = *state;
	char *path = in_dir(f->dir, "vm/a.vmx");
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = NULL;

	begin(f);
	assert_fails(sv_host_open(f->host, path, SV_OPEN_WRITE, &dev, &err), SV_PERMISSION,
		UINT64_MAX);
	assert_fails(sv_host_unlink(f->host, path, &err), SV_PERMISSION, UINT64_MAX);
	assert_fails(
		sv_host_rename(f->host, path, path, true, &err), SV_PERMISSION, UINT64_MAX);
	end(f);
	free(path);
}

static void lists_only_the_machines_folder(void **state)
{
	struct fixture *f = *state;
	char *vm = in_dir(f->dir, "vm"), *other = in_dir(f->dir, "other"), *file;
	struct sv_err err = SV_ERR_INIT;
	char **names = NULL;
	size_t n = 0;

	/* more than one message holds */
	for (int i = 0; i < 1500; i++) {
		char name[80];

		snprintf(name, sizeof name, "vm/%060d", i);
		put_text(f->dir, name, "");
	}
	begin(f);
	assert_ok(sv_host_list(f->host, vm, &names, &n, &err));
	assert_int_equal(n, 1502);
	assert_string_equal(names[1499] + 56, "1499");
	assert_string_equal(names[1500], "a.vmx");
	assert_fails(sv_host_list(f->host, other, &names, &n, &err), SV_PERMISSION, UINT64_MAX);
	file = sv_host_real_path(f->host, names[0], NULL);
	assert_null(file);
	end(f);
	sv_host_free_names(names, 1502);
	free(vm);
	free(other);
}

static void tells_who_runs_and_where_the_work_is(void **state)
{
	struct fixture *f = *state;
	struct sv_process p;
	struct sv_computer c;
	struct sv_err err = SV_ERR_INIT;
	char *text;

	begin(f);
	assert_true(sv_host_process_exists(f->host, getpid(), &p));
	assert_int_equal(p.pid, getpid());
	assert_false(sv_host_process_exists(f->host, -1, &p));
	sv_host_look_at_computer(f->host, &c);
	assert_ptr_equal(c.host, f->host);
	text = sv_host_recode(f->host, "caf\xe9", "windows-1252", true);
	assert_string_equal(text, "caf\xc3\xa9");
	free(text);
	assert_null(sv_host_recode(f->host, "\xe9", "ISO-2022-CN-EXT", true));
	assert_ok(sv_broker_tell(f->host, &(struct sv_broker_at){40, 20, 8}, &err));
	assert_int_equal(end(f), 68);
}

/* ---- copies ---- */

static const struct sv_extract_meta meta = {.mtime_sec = 1000, .has_mode = true, .mode = 04755};

static void grant_copy(struct fixture *f, const char *name)
{
	f->grants.into = in_dir(f->dir, "out");
	assert_int_equal(sv_grants_add_name(&f->grants, name, NULL), 0);
}

static void makes_only_what_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	struct stat st;
	char *path = in_dir(f->dir, "out/etc/conf"), *got;
	int fd = -1;

	grant_copy(f, "etc");
	begin(f);
	assert_fails(sv_broker_put(f->host, "etc", "x", 1, &meta, &err), SV_PERMISSION,
		UINT64_MAX); /* not opened yet */
	assert_ok(sv_broker_extract_open(f->host, &err));
	assert_fails(sv_broker_extract_open(f->host, &err), SV_PERMISSION, UINT64_MAX);
	assert_fails(sv_broker_put(f->host, ".profile", "x", 1, &meta, &err), SV_PERMISSION,
		UINT64_MAX);
	assert_fails(sv_broker_enter(f->host, "..", &err), SV_PERMISSION, UINT64_MAX);
	assert_ok(sv_broker_enter(f->host, "etc", &err));
	assert_fails(sv_broker_enter(f->host, "..", &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_broker_begin(f->host, "../x", &fd, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(sv_broker_put(f->host, "conf", "text", 4, &meta, &err));
	assert_fails(
		sv_broker_put(f->host, "conf", "more", 4, &meta, &err), SV_EXISTS, UINT64_MAX);
	assert_fails(
		sv_broker_again(f->host, "two", "passwd", &err), SV_PERMISSION, UINT64_MAX);
	assert_ok(sv_broker_again(f->host, "two", "etc/conf", &err));
	assert_ok(sv_broker_link(f->host, "l", "conf", &meta, &err));
	assert_ok(sv_broker_leave(f->host, &meta, &err));
	assert_fails(sv_broker_leave(f->host, &meta, &err), SV_INTERNAL, UINT64_MAX);
	assert_fails(sv_broker_enter(f->host, "usr", &err), SV_PERMISSION, UINT64_MAX);
	end(f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755); /* no set-id bits without --archive */
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(st.st_mtime, 1000);
	got = sv_host_read_file(sv_host_posix(), path, 100, NULL, NULL);
	assert_string_equal(got, "text");
	free(got);
	free(path);
}

static void hands_over_one_file_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;
	char *path = in_dir(f->dir, "out/big"), *got;
	int fd = -1, other = -1;

	grant_copy(f, "big");
	begin(f);
	assert_ok(sv_broker_extract_open(f->host, &err));
	assert_fails(sv_broker_finish(f->host, 1, &meta, &err), SV_INTERNAL, UINT64_MAX);
	assert_ok(sv_broker_begin(f->host, "big", &fd, &err));
	assert_fails(sv_broker_begin(f->host, "big", &other, &err), SV_INTERNAL, UINT64_MAX);
	assert_fails(sv_broker_enter(f->host, "big", &err), SV_INTERNAL, UINT64_MAX);
	assert_int_equal(pwrite(fd, "end", 3, 3), 3);
	close(fd);
	assert_ok(sv_broker_finish(f->host, 8, &meta, &err));
	end(f);
	got = sv_host_read_file(sv_host_posix(), path, 100, NULL, NULL);
	assert_memory_equal(got, "\0\0\0end\0\0", 8);
	free(got);
	free(path);
}

static void copies_nothing_where_nothing_is_granted(void **state)
{
	struct fixture *f = *state;
	struct sv_err err = SV_ERR_INIT;

	begin(f);
	assert_fails(sv_broker_extract_open(f->host, &err), SV_PERMISSION, UINT64_MAX);
	end(f);
}

/* ---- messages that no worker of ours would send ---- */

static void refuses_questions_that_lie(void **state)
{
	struct {
		struct sv_ask_head head;
		char text[8];
	} m = {.head = {.op = SV_ASK_STAT, .text_n = 2}, .text = "/"};
	const size_t n = sizeof m.head + 2;
	struct sv_err err = SV_ERR_INIT;
	struct sv_ask ask;

	(void)state;
	assert_ok(sv_ask_parse(&m, n, &ask, &err));
	assert_string_equal(ask.text, "/");
	assert_fails(sv_ask_parse(&m, n - 1, &ask, &err), SV_CORRUPT, 4);
	assert_fails(sv_ask_parse(&m, 10, &ask, &err), SV_CORRUPT, 0);
	m.text[1] = 'x';
	assert_fails(sv_ask_parse(&m, n, &ask, &err), SV_CORRUPT, sizeof m.head);
	m.text[0] = 0, m.text[1] = 0;
	assert_fails(sv_ask_parse(&m, n, &ask, &err), SV_CORRUPT, sizeof m.head);
	m.head.op = SV_ASK_OPS;
	assert_fails(sv_ask_parse(&m, n, &ask, &err), SV_CORRUPT, 0);
	m.head.op = SV_ASK_LEAVE; /* takes no text */
	assert_fails(sv_ask_parse(&m, n, &ask, &err), SV_CORRUPT, 4);
	m.head = (struct sv_ask_head){.op = SV_ASK_LEAVE, .meta.mtime_nsec = 1000000000};
	assert_fails(sv_ask_parse(&m, sizeof m.head, &ask, &err), SV_CORRUPT,
		offsetof(struct sv_ask_head, meta));
	m.head = (struct sv_ask_head){.op = SV_ASK_LINK, .text_n = 2, .data_n = 1};
	memcpy(m.text, "a\0b", 3);
	assert_fails(sv_ask_parse(&m, n + 1, &ask, &err), SV_CORRUPT, sizeof m.head + 2);
}

static void gives_a_file_without_a_name(void **state)
{
	struct fixture *f = *state;
	char text[8] = "";
	FILE *spool;

	begin(f);
	spool = sv_broker_spool(f->host);
	assert_non_null(spool);
	assert_true(fputs("kept", spool) >= 0);
	rewind(spool);
	assert_int_equal(fread(text, 1, sizeof text, spool), 4);
	assert_string_equal(text, "kept");
	fclose(spool);
	end(f);
}

static void answers_rubbish_with_an_error_and_goes_on(void **state)
{
	struct fixture *f = *state;
	char rubbish[200];
	struct {
		struct sv_answer_head head;
		struct sv_err err;
	} answer;

	memset(rubbish, 0xff, sizeof rubbish);
	begin(f);
	assert_int_equal(send(f->socket, rubbish, sizeof rubbish, 0), sizeof rubbish);
	assert_int_equal(recv(f->socket, &answer, sizeof answer, 0), sizeof answer);
	assert_int_equal(answer.head.rc, -1);
	assert_int_equal(answer.err.code, SV_CORRUPT);
	assert_reads(f, "vm/a.vmx", "config");
	end(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(opens_what_lies_with_the_machine_and_disks_elsewhere),
		TEST(follows_no_link_out_of_the_folder),
		TEST(never_opens_for_writing),
		TEST(lists_only_the_machines_folder),
		TEST(tells_who_runs_and_where_the_work_is),
		TEST(makes_only_what_was_asked_for),
		TEST(hands_over_one_file_at_a_time),
		TEST(copies_nothing_where_nothing_is_granted),
		cmocka_unit_test(refuses_questions_that_lie),
		TEST(gives_a_file_without_a_name),
		TEST(answers_rubbish_with_an_error_and_goes_on),
	};

	return cmocka_run_group_tests_name("io/broker", tests, NULL, NULL);
}
