/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sample machine of this room's tests: see sample.h. */
#include "sample.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static const char *const tools[] = {
	"/usr/sbin/mkntfs", "/usr/bin/ntfs-3g", "/usr/bin/qemu-img", "/usr/sbin/sfdisk", NULL};

static void skip_without_tools(void)
{
	for (const char *const *t = tools; *t; t++) {
		if (access(*t, X_OK) < 0) {
			printf("skip: %s is not installed\n", *t);
			exit(77);
		}
	}
	if (access("/dev/fuse", R_OK | W_OK) < 0) {
		printf("skip: /dev/fuse cannot be used\n");
		exit(77);
	}
}

char *sample_make(const char *const *options)
{
	const char *root = getenv("SHAREVM_SOURCE_ROOT");
	char *script = in_dir(root ? root : ".", "tools/make-sample-vm.sh");
	const char *argv[32] = {"bash", script};
	char *dir = make_temp_dir();
	int n = 2, status;
	pid_t pid;

	skip_without_tools();
	argv[n++] = dir;
	for (; *options && n < 31; options++)
		argv[n++] = *options;
	if (posix_spawnp(&pid, "bash", NULL, NULL, (char *const *)argv, environ) != 0 ||
		waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "%s failed\n", script);
		exit(1);
	}
	free(script);
	return dir;
}

static void copy_file(const char *from, const char *to)
{
	char buf[65536];
	struct stat st;
	ssize_t n;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0666);

	assert_true(in >= 0 && out >= 0);
	assert_int_equal(fstat(in, &st), 0);
	while ((n = read(in, buf, sizeof buf)) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	assert_int_equal(n, 0);
	assert_int_equal(futimens(out, (struct timespec[2]){st.st_atim, st.st_mtim}), 0);
	close(in);
	close(out);
}

void sample_copy(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *e;

	assert_non_null(dir);
	assert_int_equal(mkdir(to, 0777), 0);
	while ((e = readdir(dir))) {
		char *a, *b;

		if (e->d_name[0] == '.')
			continue;
		a = in_dir(from, e->d_name);
		b = in_dir(to, e->d_name);
		copy_file(a, b);
		free(a);
		free(b);
	}
	closedir(dir);
}

/* Their i-node, size and times of change are the same: nobody wrote to either. */
static bool same_state(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool sample_untouched(const char *dir, struct sample_state *s)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;
	bool same = true;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char *path = in_dir(dir, e->d_name);
		struct stat st;

		assert_int_equal(lstat(path, &st), 0);
		free(path);
		if (!S_ISREG(st.st_mode))
			continue;
		assert_true(n < SAMPLE_FILES_MAX);
		if (!s->known)
			s->files[n] = st;
		same &= n < s->n || !s->known ? same_state(&s->files[n], &st) : false;
		n++;
	}
	closedir(d);
	same &= !s->known || n == s->n;
	s->n = n;
	s->known = true;
	return same;
}

static bool same_bytes(const char *a, const char *b)
{
	char x[65536], y[65536];
	FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
	bool same = f && g;
	size_t n, m;

	while (same) {
		n = fread(x, 1, sizeof x, f);
		m = fread(y, 1, sizeof y, g);
		same = n == m && !memcmp(x, y, n);
		if (!n)
			break;
	}
	if (f)
		fclose(f);
	if (g)
		fclose(g);
	return same;
}

static bool is_passed_over(const char *name, const char *but)
{
	return but && (sv_ends_with(name, but) || sv_ends_with(name, ".lck"));
}

/* Each file of a must be in b; with `compare` with the same bytes. */
static const char *lacks(const char *a, const char *b, bool compare, const char *but)
{
	static char text[600];
	DIR *dir = opendir(a);
	const char *wrong = NULL;
	struct dirent *e;

	assert_non_null(dir);
	while (!wrong && (e = readdir(dir))) {
		char *x, *y;

		if (e->d_name[0] == '.' || is_passed_over(e->d_name, but))
			continue;
		x = in_dir(a, e->d_name);
		y = in_dir(b, e->d_name);
		if (compare ? !same_bytes(x, y) : access(y, F_OK) < 0) {
			snprintf(text, sizeof text, "%s is %s", x, compare ? "changed" : "new");
			wrong = text;
		}
		free(x);
		free(y);
	}
	closedir(dir);
	return wrong;
}

const char *sample_differs(const char *a, const char *b, const char *but)
{
	const char *wrong = lacks(a, b, true, NULL);

	return wrong ? wrong : lacks(b, a, false, but);
}
