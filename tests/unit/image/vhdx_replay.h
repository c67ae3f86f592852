/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A VHDX with a log to be replayed shows one content: to us, who replay it in memory; on copies
 * of which we replay it on the disk; and, unless it has a parent, on one of which qemu-img
 * does.
 */
#ifndef SV_TESTS_IMAGE_VHDX_REPLAY_H
#define SV_TESTS_IMAGE_VHDX_REPLAY_H

#include "tempdir.h"

#include "image/scratch.h"

/* Blocks of 1 MiB in a new disk: nothing guards the metadata against a change. */
static inline void set_blocks_of_1_mib(const char *path)
{
	const off_t metadata = 2 * SV_MIB, items = 65536;
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, "\0\0\x10", 4, metadata + items), 4);
	close(fd);
}

/* Does it show n bytes of content? NULL or what is wrong. */
static inline const char *shows_same(
	const char *path, const void *content, size_t n, const char *wrong)
{
	struct sv_image *img = open_image(path, false);
	const char *found = NULL;
	struct sv_err err = SV_ERR_INIT;
	void *buf = malloc(n);

	if (sv_dev_read(sv_image_dev(img), buf, n, 0, &err) < 0 || memcmp(buf, content, n) != 0)
		found = wrong;
	free(buf);
	sv_image_close(img);
	return found;
}

/* qemu compares n bytes only: it reads holes, too, from end to end. */
static inline const char *qemu_replays_same(
	const char *dir, const char *copy, const void *content, size_t n)
{
	char *raw = in_dir(dir, "content.raw");
	char *one = sv_format(
		"driver=raw,size=%zu,file.driver=vhdx,file.file.filename=%s", n, copy);
	char *other = sv_format("driver=raw,file.filename=%s", raw);
	const char *found = NULL;

	put_bytes(dir, "content.raw", content, n);
	if (run("qemu-img", "check", "-q", "-r", "all", copy) != 0)
		found = "qemu-img cannot replay the log";
	else if (run("qemu-img", "compare", "--image-opts", one, other) != 0)
		found = "after its own replay qemu-img shows something else";
	else
		found = shows_same(
			copy, content, n, "after qemu's replay it shows something else");
	free(raw);
	free(one);
	free(other);
	return found;
}

/* `content`: the first n bytes as the image in `dir` shows them before any replay on the disk.
 */
static inline const char *replays_same(
	const char *dir, const char *path, bool ask_qemu, const void *content, size_t n)
{
	char *copy = in_dir(dir, "copy.vhdx");
	const char *found;
	struct sv_image *img;

	assert_int_equal(run("cp", "--sparse=always", path, copy), 0);
	sv_image_close(open_image(copy, true));
	img = open_image(copy, false);
	assert_false(sv_image_link(img, 0)->dirty);
	sv_image_close(img);
	found = shows_same(copy, content, n, "replayed on the disk it shows something else");
	assert_int_equal(run("cp", "--sparse=always", path, copy), 0);
	if (!found && ask_qemu)
		found = qemu_replays_same(dir, copy, content, n);
	unlink(copy);
	free(copy);
	return found;
}

#endif
