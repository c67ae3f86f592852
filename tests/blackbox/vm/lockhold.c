/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Takes VMware's lock on a file with our code, for VMware's own code to meet it.
 *
 *   lockhold hold FILE           says "held" and holds it until its input ends; 3: busy
 *   lockhold race FILE TIMES OWNER   takes it so many times, against whoever does the same.
 *                                Who has it makes OWNER, which must not exist, and removes it.
 *                                Both begin when both are there: they meet at a pipe
 * OWNER.start
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vm/lock.h"

#define WORK_NSEC 2000000

static int lock(const char *path, struct sv_lock **ret, struct sv_err *err)
{
	struct sv_computer machine;

	sv_machine_look(&machine);
	return sv_lock_take(sv_host_posix(), path, &machine, ret, err);
}

static int hold(const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock *l;
	char byte;

	if (lock(path, &l, &err) < 0) {
		fprintf(stderr, "%s: %s\n%s\n", err.path, err.message, err.hint);
		return err.code == SV_BUSY ? 3 : 1;
	}
	puts("held");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	sv_lock_release(l);
	return 0;
}

static int work_alone(const char *owner)
{
	int fd = open(owner, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);

	if (fd < 0) {
		fprintf(stderr, "%s: somebody else has the lock, too\n", owner);
		return 1;
	}
	close(fd);
	nanosleep(&(struct timespec){.tv_nsec = WORK_NSEC}, NULL);
	return unlink(owner) < 0;
}

/* Opening a named pipe to write waits for who opens it to read, and the other way round. */
static int meet(const char *owner)
{
	char start[4096];
	int fd;

	snprintf(start, sizeof start, "%s.start", owner);
	fd = open(start, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(start);
		return 1;
	}
	close(fd);
	return 0;
}

static int race(const char *path, unsigned long times, const char *owner)
{
	struct sv_err err = SV_ERR_INIT;
	unsigned long had = 0, tried = 0;
	struct sv_lock *l;

	if (meet(owner))
		return 1;
	for (; had < times; tried++) {
		if (lock(path, &l, &err) < 0) {
			if (err.code == SV_BUSY)
				continue;
			fprintf(stderr, "%s: %s\n", err.path, err.message);
			return 1;
		}
		if (work_alone(owner))
			return 1;
		sv_lock_release(l);
		had++;
	}
	printf("had it %lu times of %lu\n", had, tried);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "race"))
		return race(argv[2], strtoul(argv[3], NULL, 10), argv[4]);
	fprintf(stderr, "usage: lockhold hold FILE | race FILE TIMES OWNER\n");
	return 2;
}
