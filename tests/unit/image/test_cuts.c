/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power is cut at each step of work on each kind of image (kinds.h), and each step fails
 * once. Whatever is left opens, with the old size or the new one, has no fault but lost space,
 * and holds in each sector what was flushed last or what was written since; it can be written
 * again, and other programs read the same of it. SHAREVM_SOAK=1 tries every step.
 */
#include "host_fault.h"
#include "image/kinds.h"

#include <dirent.h>

enum {
	SECTORS = 4 * 2048 + 78, /* of the disk, and after its growth */
	GROWN = 6 * 2048 + 5,
	OPS = 45,
	GROW_AT = 25,
	FLUSH_EACH = 7,
	JUDGE_EACH = 30, /* outcomes */
	ZERO = 0,        /* what a word of a sector holds: the number of its write, or */
	BASE = 60,       /* what link 0 had, link 1 ... */
	AFTER = 63,      /* written after the cut */
};

/* What the words of a sector may be: a bit each. */
struct sector {
	uint64_t durable; /* as of the last flush */
	uint64_t since;   /* written later */
	uint64_t now;     /* what a reader sees */
};

struct file {
	char *name;
	uint8_t *bytes; /* NULL: a folder */
	size_t n;
};

struct job {
	const struct kind *kind;
	struct file files[24]; /* as they were made */
	size_t n_files;
	struct sector made[GROWN], sectors[GROWN];
	bool grow_begun, grow_done;
	bool lost; /* a flush has failed: nothing becomes durable any more */
	unsigned seed, looked;
	const char *tolerated; /* what the check may say */
	char wrong[600];
};

static unsigned draw(struct job *j, unsigned below)
{
	j->seed = j->seed * 1664525U + 1013904223U;
	return (unsigned)((uint64_t)(j->seed >> 8) * below >> 24);
}

/* ---- the image as it is made ---- */

static int write_words(
	struct sv_image *img, uint64_t off, uint64_t n, uint16_t word, struct sv_err *err)
{
	uint16_t *buf = malloc(n + 2);
	int rc;

	for (size_t i = 0; i <= n / 2; i++)
		buf[i] = word;
	rc = sv_dev_write(sv_image_dev(img), buf, n, off, err);
	free(buf);
	return rc;
}

/* The base holds its first two thirds, each link above it a part of that; the rest is free. */
static void fill(void *user, struct sv_image *img, unsigned link)
{
	struct job *j = user;
	struct sv_err err = SV_ERR_INIT;
	uint64_t size = sv_dev_size(sv_image_dev(img)) / SV_SECTOR, first = link * 1500;
	uint64_t n = SV_MIN(size, 2 * SECTORS / 3 - link * 1000) - first;

	assert_ok(write_words(
		img, first * SV_SECTOR, n * SV_SECTOR, (uint16_t)(BASE + link), &err));
	for (uint64_t i = first; i < first + n; i++)
		j->made[i].durable = UINT64_C(1) << (BASE + link);
}

static void take_files(struct job *j, const char *dir, const char *below);

/* `name` is relative to the folder; of a folder it is what it holds, after itself. */
static void take_file(struct job *j, const char *dir, const char *name)
{
	sv_autofree char *path = in_folder(dir, name);
	struct file *f = &j->files[j->n_files];
	struct sv_err err = SV_ERR_INIT;
	struct stat st;

	assert_in_range(++j->n_files, 1, SV_ARRAY_LEN(j->files));
	f->name = strdup(name);
	assert_int_equal(stat(path, &st), 0);
	if (S_ISDIR(st.st_mode)) {
		take_files(j, dir, name);
		return;
	}
	f->bytes = (uint8_t *)sv_host_read_file(sv_host_posix(), path, 1 << 26, &f->n, &err);
	assert_non_null(f->bytes);
}

/* Keeps what a folder holds in memory, to put it into others. */
static void take_files(struct job *j, const char *dir, const char *below)
{
	sv_autofree char *folder = in_folder(dir, below);
	struct dirent *e;
	DIR *d = opendir(folder);

	assert_non_null(d);
	while ((e = readdir(d))) {
		sv_autofree char *name =
			sv_format("%s%s%s", below, *below ? "/" : "", e->d_name);

		if (*e->d_name != '.')
			take_file(j, dir, name);
	}
	closedir(d);
}

static void put_file(const char *dir, const struct file *f)
{
	sv_autofree char *path = in_folder(dir, f->name);
	int fd;

	if (!f->bytes) {
		assert_int_equal(mkdir(path, 0700), 0);
		return;
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_int_equal(ftruncate(fd, (off_t)f->n), 0);
	for (size_t at = 0; at < f->n; at += 4096) {
		size_t n = SV_MIN(f->n - at, (size_t)4096);

		if (!sv_is_zero(f->bytes + at, n))
			put_at(fd, f->bytes + at, n, at);
	}
	close(fd);
}

static void prepare(const char *dir, void *user)
{
	struct job *j = user;

	for (size_t i = 0; i < j->n_files; i++)
		put_file(dir, &j->files[i]);
}

static int begin(void **state)
{
	struct job *j = calloc(1, sizeof *j);
	void *scratch;

	j->kind = *state;
	*state = j;
	for (size_t i = 0; i < GROWN; i++)
		j->made[i].durable = 1 << ZERO;
	if (make_scratch(&scratch))
		return -1;
	if (!j->kind->content && !(j->kind->options && !has("qemu-img"))) {
		make_kind(((struct scratch *)scratch)->dir, j->kind, SECTORS * SV_SECTOR, fill,
			j);
		take_files(j, ((struct scratch *)scratch)->dir, "");
	}
	return drop_scratch(&scratch);
}

static int end(void **state)
{
	struct job *j = *state;

	for (size_t i = 0; i < j->n_files; i++) {
		free(j->files[i].name);
		free(j->files[i].bytes);
	}
	free(j);
	return 0;
}

/* ---- the work ---- */

static struct sv_image *open_in(struct sv_host *h, const char *dir, const struct kind *k,
	bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	sv_autofree char *path = in_folder(dir, k->file);
	struct sv_image *img = NULL;

	sv_image_open(h, path, &opts, &img, err);
	return img;
}

/* Bytes [off, off+n) were written with a word, or the attempt failed. */
static void note(struct job *j, uint64_t off, uint64_t n, uint16_t word, bool done)
{
	for (uint64_t i = off / SV_SECTOR; i < sv_div_up(off + n, SV_SECTOR); i++) {
		struct sector *s = &j->sectors[i];
		uint64_t bit = UINT64_C(1) << word;
		bool whole = done && i * SV_SECTOR >= off && (i + 1) * SV_SECTOR <= off + n;

		s->since |= bit;
		s->now = whole ? bit : s->now | bit;
	}
}

static void note_flush(struct job *j)
{
	for (size_t i = 0; i < GROWN; i++) {
		j->sectors[i].durable = j->sectors[i].now;
		j->sectors[i].since = 0;
	}
}

static int write_or_discard(
	struct job *j, struct sv_image *img, uint16_t number, struct sv_err *err)
{
	uint64_t size = sv_dev_size(sv_image_dev(img));
	uint64_t n = (1 + draw(j, draw(j, 4) ? 40 : 1500)) * SV_SECTOR;
	uint64_t off = draw(j, (unsigned)(size / SV_SECTOR)) * SV_SECTOR;
	bool discard = draw(j, 3) == 0;
	unsigned borders = draw(j, 4);
	int rc;

	if (borders < 2) /* whole blocks */
		off = sv_align_down(off, 65536);
	if (borders == 3) { /* parts of sectors */
		off = SV_MIN(off + 2 * draw(j, 256), size - 2);
		n += 2 * draw(j, 256);
	}
	n = SV_MIN(n, size - off);
	rc = discard ? sv_dev_discard(sv_image_dev(img), off, n, err)
		     : write_words(img, off, n, number, err);
	note(j, off, n, discard ? ZERO : number, rc == 0);
	return rc;
}

static int flush(struct job *j, struct sv_image *img, struct sv_err *err)
{
	if (sv_dev_flush(sv_image_dev(img), err) < 0)
		return -1;
	if (!j->lost)
		note_flush(j);
	return 0;
}

/* After a step that failed once the work goes on; without power it ends. */
static bool goes_on(struct job *j, struct sv_host *h, const struct sv_err *err)
{
	const char *at = strstr(err->message, "injected fault at step ");

	if (!at)
		return false;
	at += strlen("injected fault at step ");
	if (sv_starts_with(host_fault_step(h, strtoull(at, NULL, 10)), "flush"))
		j->lost = true;
	return true;
}

static const char *compare(struct job *j, struct sv_image *img, bool now);

static int grow(struct job *j, struct sv_host *h, struct sv_image *img, struct sv_err *err)
{
	if (!j->kind->grows || j->lost)
		return 0;
	j->grow_begun = true;
	if (sv_image_grow(img, GROWN * SV_SECTOR, err) < 0) {
		if (goes_on(j, h, err) && compare(j, img, true))
			fail_msg("%s: after a growth that failed: %s", j->kind->name, j->wrong);
		return -1;
	}
	j->grow_done = true;
	return flush(j, img, err);
}

static int play(struct job *j, struct sv_host *h, struct sv_image *img, struct sv_err *err)
{
	for (uint16_t i = 1; i <= OPS; i++) {
		int rc = write_or_discard(j, img, i, err);

		if (rc == 0 && i == GROW_AT)
			rc = grow(j, h, img, err);
		if (rc == 0 && i % FLUSH_EACH == 0)
			rc = flush(j, img, err);
		if (rc < 0 && !goes_on(j, h, err))
			return -1;
	}
	if (flush(j, img, err) < 0 && !goes_on(j, h, err))
		return -1;
	/* what is read before it is closed */
	if (compare(j, img, true))
		fail_msg("%s: before it was closed: %s", j->kind->name, j->wrong);
	return 0;
}

static int work(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	struct job *j = user;
	struct sv_image *img;
	int rc;

	*j->wrong = 0;
	j->grow_begun = j->grow_done = j->lost = false;
	j->seed = 7;
	memcpy(j->sectors, j->made, sizeof j->sectors);
	for (size_t i = 0; i < GROWN; i++)
		j->sectors[i].now = j->sectors[i].durable;
	img = open_in(h, dir, j->kind, true, err);
	if (!img)
		return -1;
	rc = play(j, h, img, err);
	sv_image_close(img);
	return rc;
}

/* ---- what is left ---- */

__attribute__((format(printf, 2, 3))) static const char *say(
	struct job *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->wrong, sizeof j->wrong, fmt, ap);
	va_end(ap);
	return j->wrong;
}

static bool holds(uint64_t may_be, const uint16_t *words)
{
	for (size_t i = 0; i < SV_SECTOR / 2; i++) {
		if (words[i] > 63 || !(may_be >> words[i] & 1))
			return false;
	}
	return true;
}

/* May the sector show a footer that the growth had no time to clear? */
static bool is_old_footer(const struct job *j, size_t i, const uint16_t *words)
{
	return j->kind->old_footer && j->grow_begun && !j->grow_done && i == SECTORS &&
	       !memcmp(words, SV_VHD_COOKIE, 8);
}

static const char *compare(struct job *j, struct sv_image *img, bool now)
{
	uint64_t size = sv_dev_size(sv_image_dev(img));
	sv_autofree uint16_t *words = malloc(size);
	struct sv_err err = SV_ERR_INIT;

	if (sv_dev_read(sv_image_dev(img), words, size, 0, &err) < 0)
		return say(j, "read: %s", err.message);
	for (size_t i = 0; i < size / SV_SECTOR; i++) {
		const struct sector *s = &j->sectors[i];
		const uint16_t *w = words + i * SV_SECTOR / 2;

		if (!holds(now ? s->now : s->durable | s->since, w) && !is_old_footer(j, i, w))
			return say(j,
				"sector %zu holds %u..%u, flushed was %llx, since then %llx, now "
				"%llx",
				i, w[0], w[255], (unsigned long long)s->durable,
				(unsigned long long)s->since, (unsigned long long)s->now);
	}
	return NULL;
}

static void note_bad(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct job *j = user;

	(void)path;
	if (!leak && !*j->wrong && !(j->tolerated && strstr(message, j->tolerated)))
		say(j, "check: offset %llu: %s", (unsigned long long)offset, message);
}

static const char *check_tables(struct job *j, const char *dir)
{
	struct sv_image_faults faults = {.report = note_bad, .user = j};
	sv_autofree char *path = in_folder(dir, j->kind->file);
	struct sv_err err = SV_ERR_INIT;

	if (sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err) < 0)
		say(j, "check: %s", err.message);
	return *j->wrong ? j->wrong : NULL;
}

static const char *ask_others(struct job *j, const char *dir, struct sv_image *img)
{
	const struct judge *judge = j->kind->judge;
	sv_autofree char *path = in_folder(dir, j->kind->file);
	sv_autofree char *raw = in_folder(dir, "shown.raw");
	const char *wrong;

	if (!judge || !has(judge->program))
		return NULL;
	unlink(raw);
	dump(sv_image_dev(img), raw);
	wrong = judge->judge(path, raw, true);
	return wrong ? say(j, "%s", wrong) : NULL;
}

static const char *look(struct job *j, const char *dir, bool others)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = open_in(sv_host_posix(), dir, j->kind, false, &err);
	const char *wrong = NULL;
	uint64_t size;

	if (!img)
		return say(j, "open: %s", err.message);
	size = sv_dev_size(sv_image_dev(img)) / SV_SECTOR;
	if ((size != SECTORS || j->grow_done) && (size != GROWN || !j->grow_begun))
		wrong = say(j, "the disk has %llu sectors", (unsigned long long)size);
	if (!wrong)
		wrong = compare(j, img, false);
	if (!wrong && others)
		wrong = ask_others(j, dir, img);
	sv_image_close(img);
	return wrong;
}

/* A disk that was cut off must take new data, without harm to the old. */
static const char *write_again(struct job *j, const char *dir)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = open_in(sv_host_posix(), dir, j->kind, true, &err);

	if (!img)
		return say(j, "open for writing: %s", err.message);
	for (uint64_t i = 100; i < SECTORS && !*j->wrong; i += 1999) {
		if (write_words(img, i * SV_SECTOR, 3 * SV_SECTOR, AFTER, &err) < 0)
			say(j, "write again: %s", err.message);
		for (uint64_t k = i; k < i + 3; k++)
			j->sectors[k] = (struct sector){.durable = UINT64_C(1) << AFTER};
	}
	if (!*j->wrong && sv_dev_flush(sv_image_dev(img), &err) < 0)
		say(j, "flush again: %s", err.message);
	sv_image_close(img);
	return *j->wrong ? j->wrong : NULL;
}

/* The durable order is what is tested, not the disk that the tests run on. */
static const char *check(const char *dir, void *user, bool done)
{
	struct job *j = user;
	bool others = j->looked++ % JUDGE_EACH == 0;

	(void)done;
	*j->wrong = 0;
	j->tolerated = j->kind->cut_fault;
	if (check_tables(j, dir) || look(j, dir, others) || write_again(j, dir))
		return j->wrong;
	/* a redundant table is put right with the table's next change only */
	j->tolerated = strcmp(j->kind->format, "vmdk") ? NULL : j->kind->cut_fault;
	return check_tables(j, dir) ? j->wrong : look(j, dir, others);
}

/* ---- */

static void keeps_what_was_flushed(void **state)
{
	struct job *j = *state;
	struct host_fault_sweep s = {
		prepare, work, check, j, .seeds = 2, .max_cuts = 15, .failures = true};

	if (!j->n_files)
		skip();
	if (getenv("SHAREVM_SOAK")) {
		s.max_cuts = 0;
		s.seeds = 5;
	}
	print_message(
		"%s: %llu outcomes\n", j->kind->name, (unsigned long long)host_fault_sweep(&s));
}

int main(int argc, char **argv)
{
	return run_kinds(argc, argv, keeps_what_was_flushed, begin, end);
}
