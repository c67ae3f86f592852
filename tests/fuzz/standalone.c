/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replays a corpus folder through a fuzzer's entry without libFuzzer, so that any compiler
 * runs it in the ordinary tests. Fails when the folder has no input: an idle harness is none.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes;
	size_t n;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		exit(1);
	}
	/* exactly as large as the input, so that a sanitizer sees each byte read beyond it */
	bytes = malloc((size_t)st.st_size ? (size_t)st.st_size : 1);
	n = bytes ? fread(bytes, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (!bytes || n != (size_t)st.st_size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return 1;
}

static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	char path[4096];
	struct dirent *e;
	int count = 0;

	if (!dir) {
		perror(folder);
		exit(1);
	}
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		count += replay(path);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_folder(argv[i]);
	printf("%d inputs replayed\n", count);
	return count ? 0 : 1;
}
