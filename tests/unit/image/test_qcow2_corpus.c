/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The qcow2 images of the corpus: size and SHA-256 of what the guest sees are the published
 * ones, the tables are sound, and a copy and a linked disk show the same.
 */
#include "image/scratch.h"

#include "corpus.h"

struct golden {
	struct corpus corpus;
	struct scratch *scratch;
};

static void assert_hash(const char *path, uint64_t size, const char *expected)
{
	struct sv_image *img = open_image(path, false);
	uint8_t digest[SV_SHA256_SIZE];
	struct sv_err err = SV_ERR_INIT;
	char text[SV_SHA256_TEXT];

	assert_true(sv_dev_size(sv_image_dev(img)) >= size);
	assert_ok(sv_dev_hash(sv_image_dev(img), 0, size, digest, NULL, &err));
	sv_hex(digest, sizeof digest, text);
	assert_string_equal(text, expected);
	sv_image_close(img);
}

static void assert_derived(
	struct scratch *s, const char *path, enum sv_image_derive how, const char *expected)
{
	struct sv_image *img = open_image(path, false);
	uint64_t size = sv_dev_size(sv_image_dev(img));
	struct sv_err err = SV_ERR_INIT;
	char *derived = NULL;

	assert_ok(sv_image_derive(sv_host_posix(), img, how, s->dir, "derived", 2 * size + 512,
		NULL, &derived, &err));
	sv_image_close(img);
	assert_hash(derived, size, expected);
	assert_sound(derived);
	assert_int_equal(run("qemu-img", "check", "-q", derived), 0);
	assert_true(qemu_says_equal(path, derived));
	unlink(derived);
	free(derived);
}

static void look_at(struct golden *g, const char *name)
{
	sv_autofree char *sha = corpus_fact(&g->corpus, name, "guest.sha256");
	sv_autofree char *size = corpus_fact(&g->corpus, name, "guest.size");
	const char *path = at(g->scratch, "golden.qcow2");
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	size_t n;
	sv_autofree void *bytes = corpus_file(&g->corpus, name, &n);

	print_message("%s\n", name);
	unlink(path);
	assert_ok(sv_host_write_file(sv_host_posix(), path, bytes, n, &err));
	img = open_image(path, false);
	assert_string_equal(sv_image_link(img, 0)->format, "qcow2");
	assert_int_equal(sv_dev_size(sv_image_dev(img)), strtoull(size, NULL, 10));
	sv_image_close(img);
	assert_hash(path, strtoull(size, NULL, 10), sha);
	assert_sound(path);
	path = at(g->scratch, "golden.qcow2");
	assert_derived(g->scratch, path, SV_DERIVE_COPY, sha);
	assert_derived(g->scratch, path, SV_DERIVE_LINKED, sha);
}

static void shows_what_others_have_found(void **state)
{
	struct golden *g = *state;
	char *facts = strdup(g->corpus.facts), *save = NULL;
	unsigned count = 0;

	for (char *line = strtok_r(facts, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		if (!strstr(line, "\tQCOW2\tguest.sha256\t"))
			continue;
		*strchr(line, '\t') = 0;
		look_at(g, line);
		count++;
	}
	assert_true(count > 0);
	free(facts);
}

static int begin(void **state)
{
	struct golden *g = calloc(1, sizeof *g);

	*state = g;
	return corpus_begin(&g->corpus) ? make_scratch((void **)&g->scratch) : -1;
}

static int end(void **state)
{
	struct golden *g = *state;

	drop_scratch((void **)&g->scratch);
	corpus_end(&g->corpus);
	free(g);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shows_what_others_have_found, begin, end)};
	struct corpus c;

	if (!corpus_begin(&c))
		return 77;
	corpus_end(&c);
	need_qemu();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
