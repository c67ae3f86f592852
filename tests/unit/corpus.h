/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The corpus of real images and hives that other projects publish: a folder beside this tree
 * (../shared/corpus), or SHAREVM_CORPUS. Its EXPECTED.tsv holds facts that other tools found.
 * Tests that need it print "skip: no corpus folder" and exit with 77 where it is missing.
 */
#ifndef SV_TESTS_CORPUS_H
#define SV_TESTS_CORPUS_H

#include "unit.h"

#include "base/hash.h"
#include "base/str.h"

#include <unistd.h>

struct corpus {
	char *dir;
	char *facts; /* EXPECTED.tsv */
};

static inline char *corpus_slurp(FILE *f, size_t *ret_n)
{
	sv_autostr struct sv_str s = {0};
	char buf[65536];
	size_t n;

	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof buf, f)))
		sv_str_addn(&s, buf, n);
	*ret_n = s.len;
	return sv_str_take(&s);
}

static inline bool corpus_begin(struct corpus *c)
{
	const char *set = getenv("SHAREVM_CORPUS"), *root = getenv("SHAREVM_SOURCE_ROOT");
	sv_autofree char *path = NULL;
	size_t n;
	FILE *f;

	c->dir = set ? strdup(set) : sv_format("%s/../shared/corpus", root ? root : ".");
	path = sv_format("%s/EXPECTED.tsv", c->dir);
	f = fopen(path, "r");
	if (!f) {
		printf("skip: no corpus folder (%s; SHAREVM_CORPUS names another)\n", c->dir);
		free(c->dir);
		return false;
	}
	c->facts = corpus_slurp(f, &n);
	fclose(f);
	return true;
}

static inline void corpus_end(struct corpus *c)
{
	free(c->dir);
	free(c->facts);
}

/* The column `column` of the nth row of `file` whose key begins with `key`; NULL: no such row.
 * Caller frees. Columns: file, sha256, kind, key, value, source. */
static inline char *corpus_row(const struct corpus *c, const char *file, const char *key,
	unsigned nth, unsigned column)
{
	for (const char *line = c->facts; line && *line;) {
		const char *end = strchrnul(line, '\n'), *at[6] = {line};
		size_t len[6] = {0};

		for (unsigned i = 0; i < 6; i++) {
			len[i] = (size_t)(strpbrk(at[i], "\t\n") - at[i]);
			if (i < 5)
				at[i + 1] = at[i] + len[i] + 1;
		}
		if (len[0] == strlen(file) && !strncmp(line, file, len[0]) &&
			!strncmp(at[3], key, strlen(key)) && !nth--)
			return strndup(at[column], len[column]);
		line = *end ? end + 1 : end;
	}
	return NULL;
}

/* The one fact under exactly this key, as the first row has it; it must be there. */
static inline char *corpus_fact(const struct corpus *c, const char *file, const char *key)
{
	for (unsigned nth = 0;; nth++) {
		sv_autofree char *found = corpus_row(c, file, key, nth, 3);

		if (!found)
			fail_msg("EXPECTED.tsv has no %s of %s", key, file);
		if (strcmp(found, key) == 0)
			return corpus_row(c, file, key, nth, 4);
	}
}

/* A file of the corpus, unpacked, with the SHA-256 that EXPECTED.tsv tells. Caller frees. */
static inline void *corpus_file(const struct corpus *c, const char *file, size_t *ret_n)
{
	sv_autofree char *command = sv_format("xz -dc '%s/%s.xz'", c->dir, file);
	sv_autofree char *expected = corpus_row(c, file, "", 0, 1);
	uint8_t digest[SV_SHA256_SIZE];
	struct sv_err err = SV_ERR_INIT;
	char text[SV_SHA256_TEXT];
	FILE *f = popen(command, "r");
	char *bytes = corpus_slurp(f, ret_n);

	assert_int_equal(pclose(f), 0);
	assert_ok(sv_sha256_bytes(bytes, *ret_n, digest, &err));
	sv_hex(digest, sizeof digest, text);
	assert_string_equal(text, expected);
	return bytes;
}

#endif
