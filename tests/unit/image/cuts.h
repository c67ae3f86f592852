/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power is cut at each step of work on a disk. Whatever is left opens, has no fault but
 * leaks, and holds in each sector what was flushed last or what was written since. The test
 * says how the disk is made, and may have its own look at each outcome.
 */
#ifndef SV_TESTS_IMAGE_CUTS_H
#define SV_TESTS_IMAGE_CUTS_H

#include "image/scratch.h"

#include "host_fault.h"

enum { CUT_SIZE = 6 << 20, CUT_SECTORS = CUT_SIZE / 512, CUT_OPS = 45, CUT_SPAN = 1500 };

/* A sector is full of the number of the write that it comes from. */
struct cut_sector {
	uint16_t flushed; /* the last one that was flushed */
	uint64_t since;   /* bit set of those that came later, by their number */
};

struct cut_job {
	/* ---- the test's ---- */
	const char *image; /* its name in the folder */
	/* Fills the folder with a disk of CUT_SIZE bytes, each sector full of `base`. */
	void (*make)(struct cut_job *j, const char *dir);
	/* Another look at what is left; NULL where it is right. May be NULL. */
	const char *(*look)(struct cut_job *j, const char *dir, const uint16_t *content);
	uint64_t grown; /* 0: it does not grow */
	bool no_discard;
	uint16_t base;

	/* ---- the machinery's ---- */
	char *made;
	struct cut_sector sectors[CUT_SECTORS];
	bool grow_begun, grow_done;
	char wrong[600];
};

static inline struct sv_image *cut_open(struct cut_job *j, struct sv_host *h, const char *dir,
	bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	char *path = in_dir(dir, j->image);
	struct sv_image *img = NULL;

	sv_image_open(h, path, &opts, &img, err);
	free(path);
	return img;
}

static inline int cut_write(
	struct sv_image *img, uint64_t first, uint64_t n, uint16_t number, struct sv_err *err)
{
	uint16_t *buf = malloc(n * 512);
	int rc;

	for (size_t i = 0; i < n * 256; i++)
		buf[i] = number;
	rc = sv_dev_write(sv_image_dev(img), buf, n * 512, first * 512, err);
	free(buf);
	return rc;
}

static inline void cut_prepare(const char *dir, void *user)
{
	struct cut_job *j = user;
	char *from = sv_format("%s/.", j->made);

	assert_int_equal(run("cp", "-a", "--sparse=always", from, dir), 0);
	free(from);
}

/* ---- the work ---- */

/* `last`: the number that each sector holds now. */
static inline void cut_note_flush(struct cut_job *j, const uint16_t *last)
{
	for (uint64_t i = 0; i < CUT_SECTORS; i++)
		j->sectors[i] = (struct cut_sector){last[i], 0};
}

/* Number 0 is a discard. */
static inline int cut_op(struct cut_job *j, struct sv_image *img, uint16_t number,
	uint16_t *last, struct sv_err *err)
{
	uint64_t n = 1 + (uint64_t)random() % (random() % 4 ? 40 : CUT_SPAN);
	uint64_t first = (uint64_t)random() % (CUT_SECTORS - CUT_SPAN);
	bool discard = random() % 3 == 0 && !j->no_discard;

	if (random() % 2)
		first = sv_align_down(first, 128);
	number = discard ? 0 : number;
	for (uint64_t i = first; i < first + n; i++) {
		j->sectors[i].since |= UINT64_C(1) << number;
		last[i] = number;
	}
	return discard ? sv_dev_discard(sv_image_dev(img), first * 512, n * 512, err)
		       : cut_write(img, first, n, number, err);
}

static inline int cut_ops(struct cut_job *j, struct sv_image *img, struct sv_err *err)
{
	uint16_t *last = malloc(CUT_SECTORS * sizeof *last);
	int rc = 0;

	srandom(7);
	for (size_t i = 0; i < CUT_SECTORS; i++)
		last[i] = j->base;
	cut_note_flush(j, last);
	for (uint16_t i = 1; i <= CUT_OPS && !rc; i++) {
		rc = cut_op(j, img, i, last, err);
		if (!rc && i % 9 == 0) {
			rc = sv_dev_flush(sv_image_dev(img), err);
			if (!rc)
				cut_note_flush(j, last);
		}
	}
	free(last);
	return rc;
}

static inline int cut_grow(struct cut_job *j, struct sv_image *img, struct sv_err *err)
{
	if (!j->grown)
		return 0;
	j->grow_begun = true;
	if (sv_image_grow(img, j->grown, err) < 0)
		return -1;
	j->grow_done = true;
	return 0;
}

static inline int cut_work(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	struct cut_job *j = user;
	struct sv_image *img;
	int rc;

	j->grow_begun = j->grow_done = false;
	for (size_t i = 0; i < CUT_SECTORS; i++)
		j->sectors[i] = (struct cut_sector){j->base, 0};
	img = cut_open(j, h, dir, true, err);
	if (!img)
		return -1;
	rc = cut_ops(j, img, err);
	if (!rc)
		rc = cut_grow(j, img, err);
	sv_image_close(img);
	return rc;
}

/* ---- what is left ---- */

static inline void cut_fault(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct cut_job *j = user;

	(void)path;
	if (!leak && !*j->wrong)
		snprintf(j->wrong, sizeof j->wrong, "offset %llu: %s",
			(unsigned long long)offset, message);
}

static inline void cut_check_tables(struct cut_job *j, const char *dir)
{
	struct sv_image_faults faults = {.report = cut_fault, .user = j};
	struct sv_err err = SV_ERR_INIT;
	char *path = in_dir(dir, j->image);

	if (sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err) < 0)
		snprintf(j->wrong, sizeof j->wrong, "check: %s", err.message);
	free(path);
}

/* Also in parts: a write that fails has done its first half, wherever that ends. */
static inline bool cut_holds(const struct cut_sector *s, const uint16_t *words)
{
	for (size_t i = 0; i < 256; i++) {
		if (words[i] != s->flushed && (words[i] > 63 || !(s->since >> words[i] & 1)))
			return false;
	}
	return true;
}

static inline void cut_check_content(
	struct cut_job *j, const char *dir, struct sv_image *img, uint16_t *buf)
{
	struct sv_err err = SV_ERR_INIT;
	const char *found;

	if (sv_dev_read(sv_image_dev(img), buf, CUT_SIZE, 0, &err) < 0)
		snprintf(j->wrong, sizeof j->wrong, "read: %s", err.message);
	for (size_t i = 0; i < CUT_SECTORS && !*j->wrong; i++) {
		const struct cut_sector *s = &j->sectors[i];

		if (!cut_holds(s, buf + i * 256))
			snprintf(j->wrong, sizeof j->wrong,
				"sector %zu holds %u..%u, flushed was %u, since then %llx", i,
				buf[i * 256], buf[i * 256 + 255], s->flushed,
				(unsigned long long)s->since);
	}
	found = !*j->wrong && j->look ? j->look(j, dir, buf) : NULL;
	if (found)
		snprintf(j->wrong, sizeof j->wrong, "%s", found);
}

/* What lies behind the old end reads as zeros, stored or not. */
static inline const char *cut_check_new_space(struct sv_image *img)
{
	uint64_t size = sv_dev_size(sv_image_dev(img)), n = SV_MIN(size - CUT_SIZE, SV_MIB);
	struct sv_err err = SV_ERR_INIT;
	uint8_t *buf = malloc(SV_MIB);
	const char *found = NULL;

	if (sv_dev_read(sv_image_dev(img), buf, n, CUT_SIZE, &err) < 0)
		found = "the new space cannot be read";
	else if (!sv_is_zero(buf, n))
		found = "the new space has data";
	free(buf);
	return found;
}

static inline void cut_check_size(struct cut_job *j, struct sv_image *img)
{
	uint64_t size = sv_dev_size(sv_image_dev(img));
	const char *found = NULL;

	if ((size != CUT_SIZE || j->grow_done) && (size != j->grown || !j->grow_begun))
		found = "the size is neither the old nor the new one";
	else if (size != CUT_SIZE)
		found = cut_check_new_space(img);
	if (found && !*j->wrong)
		snprintf(j->wrong, sizeof j->wrong, "%s", found);
}

static inline const char *cut_check(const char *dir, void *user, bool done)
{
	struct cut_job *j = user;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint16_t *buf;

	(void)done;
	*j->wrong = 0;
	cut_check_tables(j, dir);
	img = cut_open(j, sv_host_posix(), dir, false, &err);
	if (!img) {
		snprintf(j->wrong, sizeof j->wrong, "open: %s", err.message);
		return j->wrong;
	}
	buf = malloc(CUT_SIZE);
	cut_check_content(j, dir, img, buf);
	cut_check_size(j, img);
	free(buf);
	sv_image_close(img);
	return *j->wrong ? j->wrong : NULL;
}

/* Frees nothing of the test's. `failures`: each step fails once, too. */
static inline void cut_sweep(struct cut_job *j, bool failures)
{
	struct host_fault_sweep s = {cut_prepare, cut_work, cut_check, j, .seeds = 2,
		.max_cuts = 30, .failures = failures};
	uint64_t looked;

	if (getenv("SHAREVM_SOAK")) {
		s.max_cuts = 0;
		s.seeds = 6;
	}
	j->made = make_temp_dir();
	j->make(j, j->made);
	looked = host_fault_sweep(&s);
	print_message("%llu outcomes\n", (unsigned long long)looked);
	remove_tree(j->made);
}

#endif
