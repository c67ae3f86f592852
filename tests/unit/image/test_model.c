/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random writes, reads, discards, flushes, reopenings and growths of each kind of image
 * (kinds.h) against a plain buffer. At the end the tables are sound, and other programs read
 * what the buffer says; each of them is then shown a buffer with one wrong byte, which it must
 * reject. SHAREVM_SOAK=1 plays longer.
 */
#include "image/kinds.h"

enum {
	SIZE = 16 * 1024 * 1024 + 512 * 78,
	GROWTHS = 8,
	GROW_MAX = 3000, /* sectors */
	MAX = SIZE + GROWTHS * GROW_MAX * 512,
	STEPS = 20000,
	MAX_RUN = 200000,
};

struct model {
	const struct kind *kind;
	struct scratch *s;
	struct sv_image *img;
	uint64_t size;
	uint8_t *bytes, *buf;
	unsigned seed;
};

static int begin(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	void *scratch;

	m->kind = *state;
	m->bytes = calloc(1, MAX);
	m->buf = malloc(MAX_RUN + 65536);
	m->size = SIZE;
	m->seed = 1;
	*state = m;
	if (make_scratch(&scratch))
		return -1;
	m->s = scratch;
	return 0;
}

static int end(void **state)
{
	struct model *m = *state;
	void *scratch = m->s;

	sv_image_close(m->img);
	free(m->bytes);
	free(m->buf);
	free(m);
	return drop_scratch(&scratch);
}

static unsigned draw(struct model *m, unsigned below)
{
	m->seed = m->seed * 1664525U + 1013904223U;
	return (unsigned)((uint64_t)(m->seed >> 8) * below >> 24);
}

/* Mostly short ranges, some long ones, often at the borders of sectors and blocks. */
static void draw_range(struct model *m, uint64_t *off, size_t *n)
{
	unsigned unit = (unsigned[]){1, 512, 4096, 65536}[draw(m, 4)];

	*off = draw(m, (unsigned)(m->size / unit)) * (uint64_t)unit;
	*n = draw(m, draw(m, 20) ? 6000 : MAX_RUN) + 1;
	if (unit > 1 && draw(m, 2))
		*n = (size_t)sv_align_up(*n, unit);
	*n = (size_t)SV_MIN((uint64_t)*n, m->size - *off);
}

static void reopen(struct model *m)
{
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_dev_flush(sv_image_dev(m->img), &err));
	sv_image_close(m->img);
	m->img = open_image(at(m->s, m->kind->file), true);
	assert_int_equal(sv_dev_size(sv_image_dev(m->img)), m->size);
}

static void step(struct model *m)
{
	struct sv_dev *d = sv_image_dev(m->img);
	struct sv_err err = SV_ERR_INIT;
	unsigned what = draw(m, 1000);
	uint64_t off;
	size_t n;

	draw_range(m, &off, &n);
	if (what < 450) {
		fill_pattern(m->buf, n, m->seed);
		memcpy(m->bytes + off, m->buf, n);
		assert_ok(sv_dev_write(d, m->buf, n, off, &err));
	} else if (what < 570) {
		memset(m->bytes + off, 0, n);
		assert_ok(sv_dev_discard(d, off, n, &err));
	} else if (what < 996) {
		assert_ok(sv_dev_read(d, m->buf, n, off, &err));
		assert_memory_equal(m->buf, m->bytes + off, n);
	} else if (what < 998) {
		assert_ok(sv_dev_flush(d, &err));
	} else {
		reopen(m);
	}
}

static void grow(struct model *m)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t more = m->size + (1 + draw(m, GROW_MAX)) * SV_SECTOR;

	if (!m->kind->grows)
		return;
	assert_ok(sv_image_grow(m->img, more, &err));
	m->size = more;
	if (draw(m, 2))
		reopen(m);
}

/* Data and holes tell the truth: what is no data reads as zeros. */
static void compare_extents(struct model *m)
{
	struct sv_dev *d = sv_image_dev(m->img);
	struct sv_err err = SV_ERR_INIT;
	struct sv_extent e;

	for (uint64_t off = 0; off < m->size; off += e.length) {
		assert_ok(sv_dev_extent(d, off, m->size, &e, &err));
		if (e.kind != SV_EXTENT_DATA)
			assert_true(sv_is_zero(m->bytes + off, e.length));
	}
}

static void compare_all(struct model *m)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t *all = malloc(m->size);

	compare_extents(m);
	assert_ok(sv_dev_read(sv_image_dev(m->img), all, m->size, 0, &err));
	assert_memory_equal(all, m->bytes, m->size);
	free(all);
}

/* What others say; and that they would say something else of something else. */
static void ask_others(struct model *m)
{
	const char *path = at(m->s, m->kind->file), *raw = at(m->s, "model.raw"), *wrong;
	struct sv_err err = SV_ERR_INIT;
	int fd;

	if (!m->kind->judge) {
		print_message("%s: no other program here reads it\n", m->kind->name);
		return;
	}
	if (!has(m->kind->judge->program)) {
		print_message("%s: %s is missing\n", m->kind->name, m->kind->judge->program);
		return;
	}
	assert_ok(sv_host_write_file(sv_host_posix(), raw, m->bytes, m->size, &err));
	wrong = m->kind->judge->judge(path, raw, false);
	if (wrong)
		fail_msg("%s: %s", m->kind->name, wrong);
	fd = open(raw, O_RDWR);
	m->bytes[m->size / 2 + 7] ^= 1;
	assert_int_equal(
		pwrite(fd, m->bytes + m->size / 2 + 7, 1, (off_t)(m->size / 2 + 7)), 1);
	close(fd);
	if (!m->kind->judge->judge(path, raw, false))
		fail_msg("%s: its judge does not see a wrong byte", m->kind->name);
}

/* The links below the leaf get something to shine through. */
static void fill(void *user, struct sv_image *img, unsigned link)
{
	struct model *m = user;
	uint64_t size = sv_dev_size(sv_image_dev(img));

	for (unsigned i = 0; m->kind->parents && i < 40; i++) {
		uint64_t off = ((link + 1) * 7919 + i * UINT64_C(1770001)) % (size - 100000);

		write_pattern(sv_image_dev(img), off, 100000, link * 40 + i);
		fill_pattern(m->bytes + off, 100000, link * 40 + i);
	}
}

static void load_content(struct model *m)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *raw;

	if (!m->kind->content)
		return;
	assert_ok(sv_host_open(
		sv_host_posix(), at(m->s, "content.raw"), SV_OPEN_READ, &raw, &err));
	assert_ok(sv_dev_read(raw, m->bytes, SIZE, 0, &err));
	sv_dev_close(raw);
}

static void matches_a_plain_buffer(void **state)
{
	struct model *m = *state;
	int steps = getenv("SHAREVM_SOAK") ? 10 * STEPS : STEPS;

	if (m->kind->options && !has("qemu-img"))
		skip();
	make_kind(m->s->dir, m->kind, SIZE, fill, m);
	load_content(m);
	m->img = open_image(at(m->s, m->kind->file), true);
	assert_int_equal(sv_image_links(m->img), m->kind->parents + 1);
	for (int i = 1; i <= steps; i++) {
		step(m);
		if (i % (steps / GROWTHS) == 0)
			grow(m);
	}
	assert_true(m->size > SIZE || !m->kind->grows);
	reopen(m);
	compare_all(m);
	sv_image_close(m->img);
	m->img = NULL;
	assert_sound(at(m->s, m->kind->file));
	ask_others(m);
}

int main(int argc, char **argv)
{
	return run_kinds(argc, argv, matches_a_plain_buffer, begin, end);
}
