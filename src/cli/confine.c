/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker of a command, and the parent that stays behind: see confine.h. */
#include "cli/confine.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/machine.h"
#include "io/broker.h"
#include "io/sandbox.h"
#include "io/tar.h"
#include "vm/library.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- what the words grant ---- */

/* The longest part of a word that exists: "a.vmx:C:/x", "disk.qcow2@monday" and "a.ova/b.vmdk"
 * begin with one. A folder counts only where the word does not go on below it: it would grant
 * what nobody named. */
static char *existing_part(struct sv_host *h, const char *word)
{
	sv_autofree char *part = strdup(word);
	struct sv_host_stat st;
	char cut = 0;

	for (size_t n = part ? strlen(part) : 0; n; n--) {
		if (part[n] && !strchr(":@/", part[n]))
			continue;
		cut = word[n];
		part[n] = 0;
		if (sv_host_stat(h, part, &st, NULL) == 0)
			return cut != '/' || st.type == SV_HOST_FILE ? SV_STEAL(part) : NULL;
	}
	return NULL;
}

static int add_place(void *user, const char *path, struct sv_err *err)
{
	return sv_grants_add(user, sv_host_posix(), path, err);
}

int sv_grant_library(struct sv_grants *g, struct sv_err *err)
{
	const char *home = getenv("HOME");

	return home && *home ? sv_library_places(sv_host_posix(), home, add_place, g, err) : 0;
}

/* A word that is no path may be a machine's name, which is looked for where machines are.
 * A link is followed to what it means, and what lies beside the link counts too. */
static int grant_word(struct sv_grants *g, const char *word, struct sv_err *err)
{
	struct sv_host *h = sv_host_posix();
	sv_autofree char *part = existing_part(h, word);
	sv_autofree char *folder = part ? sv_path_dir(part) : NULL;
	struct sv_host_stat st;

	if (!part)
		return strcspn(word, "/") < strcspn(word, ":") ? 0 : sv_grant_library(g, err);
	if (!folder)
		return sv_fail_nomem(err);
	if (sv_host_lstat(h, part, &st, NULL) == 0 && st.type == SV_HOST_LINK &&
		sv_grants_add(g, h, folder, err) < 0)
		return -1;
	return sv_grants_add(g, h, part, err);
}

int sv_grant_first(struct sv_cli *cli, const void *args, size_t n, struct sv_grants *ret,
	struct sv_err *err)
{
	const struct sv_vm_args *a = args;

	(void)cli;
	for (size_t i = 0; i < n; i++) {
		if (grant_word(ret, a->common.operands.item[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < a->allow.n; i++) {
		if (sv_grants_add(ret, sv_host_posix(), a->allow.item[i], err) < 0)
			return -1;
	}
	return 0;
}

int sv_grant_operands(
	struct sv_cli *cli, const void *args, struct sv_grants *ret, struct sv_err *err)
{
	const struct sv_vm_args *a = args;

	return sv_grant_first(cli, args, a->common.operands.n, ret, err);
}

/* ---- several machines ---- */

static int tell_death(const char *name, int signal, struct sv_err *err)
{
	if (signal == SIGKILL) {
		sv_fail(err, SV_NOMEM, name, "the process that reads it was killed (signal 9)");
		return sv_hint(err, "see whether memory ran out (dmesg), then try again");
	}
	sv_fail(err, SV_INTERNAL, name,
		signal == SIGSYS
			? "the process that reads it did what no reader does, and was stopped "
			  "(signal %d)"
			: "the process that reads it stopped (signal %d)",
		signal);
	return sv_hint(err,
		"something in it is damaged or made to do harm; that process can neither write "
		"nor send, so nothing else is touched. Please report it as a fault of sharevm");
}

int sv_confine_at(struct sv_cli *cli, const char *name, size_t item, size_t from, int result,
	struct sv_err *err)
{
	const struct sv_broker_at at = {item, from, result};

	if (!cli->broker)
		return 0;
	for (size_t i = 0; i < cli->again.n_dead; i++) {
		if (cli->again.dead[i] == item)
			return tell_death(name, cli->again.signal[i], err);
	}
	fflush(cli->out.file);
	return sv_broker_tell(cli->broker, &at, err);
}

/* ---- the worker ---- */

/* Tells what the kernel could not give, where somebody asked. */
static int judge_sandbox(struct sv_cli *cli, const struct sv_sandbox *s, struct sv_err *err)
{
	if (!s->missing[0])
		return 0;
	if (cli->global.sandbox == SV_SANDBOX_REQUIRE && !s->filter) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"what reads cannot be shut off here: there is no %s", s->missing);
		return sv_hint(err,
			"in a container, allow it seccomp; or trust what is read, and leave out "
			"--sandbox=require");
	}
	if (cli->global.verbose)
		sv_job_note(
			&cli->job, "what reads is not wholly shut off: without %s", s->missing);
	return 0;
}

static int become_worker(struct sv_cli *cli, int socket, pid_t parent, struct sv_err *err)
{
	struct sv_sandbox s;
	struct sv_host *host;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(SV_EXIT_FAILED); /* it ended meanwhile */
	tzset();                       /* the file of it cannot be opened later */
	if (sv_sandbox_enter(socket, &s, err) < 0 || judge_sandbox(cli, &s, err) < 0)
		return -1;
	cli->broker = sv_broker_host(socket, err);
	host = cli->broker ? sv_tar_host(cli->broker, err) : NULL;
	if (!host)
		return -1;
	sv_host_close(cli->host);
	cli->host = host;
	return 0;
}

/* ---- the parent ---- */

struct parent {
	struct sv_cli *cli;
	const struct sv_cmd *cmd;
	const struct sv_args *args;
	pid_t worker;
	bool told; /* the worker knows that it shall stop */
};

/* Ctrl-C reached the worker by itself; what was sent to this process alone is passed on. */
static void pass_on(void *user)
{
	struct parent *p = user;

	if (p->told || !atomic_load(&p->cli->job.cancel))
		return;
	p->told = true;
	kill(p->worker, SIGTERM);
}

/* A worker that was cut off may have left a bar, or a colour. */
static void clean_terminal(struct sv_cli *cli)
{
	if (cli->out.colour)
		sv_out_bytes(&cli->out, "\033[0m", 4);
	if (cli->msg.colour)
		sv_out_bytes(&cli->msg, "\033[0m", 4);
	if (cli->msg.terminal)
		sv_out_bytes(&cli->msg, "\r\033[K", 4);
	fflush(cli->out.file);
	fflush(cli->msg.file);
}

/* Waits; its exit code, or minus the signal that ended it. */
static int await(struct parent *p)
{
	int status = 0;

	while (waitpid(p->worker, &status, 0) < 0) {
		if (errno != EINTR)
			return -SIGKILL; /* somebody else has waited for it */
		pass_on(p);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	clean_terminal(p->cli);
	return -WTERMSIG(status);
}

/* Who was started without standard output must not print into the socket. */
static int behind_standard(int fd)
{
	int other = fd > STDERR_FILENO ? fd : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (other != fd)
		close(fd);
	return other;
}

/* Starts a worker: in it 0 is returned and *ret_worker is 0. */
static int start(struct parent *p, int *ret_socket, struct sv_err *err)
{
	pid_t self = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sv_fail_errno(err, errno, NULL, "cannot make a socket");
	pair[0] = behind_standard(pair[0]);
	pair[1] = behind_standard(pair[1]);
	fflush(p->cli->out.file); /* what is buffered is printed once */
	p->worker = fork();
	if (p->worker < 0) {
		close(pair[0]);
		close(pair[1]);
		return sv_fail_errno(err, errno, NULL, "cannot start the reader");
	}
	close(pair[p->worker ? 1 : 0]);
	*ret_socket = pair[p->worker ? 0 : 1];
	return p->worker ? 0 : become_worker(p->cli, *ret_socket, self, err);
}

/* Until the worker has ended; as await(). */
static int serve(struct parent *p, int socket, const struct sv_grants *g,
	struct sv_broker_at *ret, struct sv_err *err)
{
	struct sv_broker b = {.socket = socket,
		.host = sv_host_posix(),
		.grants = g,
		.at = {SV_BROKER_ANY, p->cli->again.from, p->cli->again.result},
		.interrupted = pass_on,
		.user = p};

	if (sv_broker_serve(&b, err) < 0)
		kill(p->worker, SIGKILL);
	close(socket); /* a worker that still waits for an answer sees that none comes */
	*ret = b.at;
	return await(p);
}

/* Notes what a fresh worker has to know; false where it would fare no better. */
static bool begin_again(struct sv_cli *cli, const struct sv_broker_at *at, int signal)
{
	bool known = at->item != SV_BROKER_ANY;

	if ((!known && cli->again.careful) || cli->again.n_dead == SV_DEATHS_MAX ||
		atomic_load(&cli->job.cancel))
		return false;
	if (known) {
		cli->again.dead[cli->again.n_dead] = at->item;
		cli->again.signal[cli->again.n_dead++] = signal;
	}
	cli->again.careful = true;
	cli->again.from = at->from;
	cli->again.result = at->result;
	return true;
}

/* Worker after worker, until one has done what is left. */
static int run_workers(struct parent *p, const struct sv_grants *g, struct sv_err *err)
{
	const struct sv_words *w = &p->args->operands;
	struct sv_broker_at at;
	int socket = -1, rc;

	for (;;) {
		rc = start(p, &socket, err);
		if (p->worker < 0)
			return -1;
		if (p->worker == 0)
			return rc < 0 ? -1 : p->cmd->run(p->cli, p->args, err);
		rc = serve(p, socket, g, &at, err);
		if (rc >= 0)
			return rc;
		/* with one machine there is nothing to go on with */
		if ((w->n == 1 && at.item == SV_BROKER_ANY) || !begin_again(p->cli, &at, -rc))
			return tell_death(w->n ? w->item[0] : NULL, -rc, err);
	}
}

int sv_confine(struct sv_cli *cli, const struct sv_cmd *cmd, const struct sv_args *args,
	struct sv_err *err)
{
	SV_CLEANUP(sv_grants_free) struct sv_grants g = {0};
	struct parent p = {.cli = cli, .cmd = cmd, .args = args};

	if (!cmd->grant || cli->global.sandbox == SV_SANDBOX_OFF)
		return cmd->run(cli, args, err);
	if (cmd->grant(cli, args, &g, err) < 0)
		return -1;
	return run_workers(&p, &g, err);
}
