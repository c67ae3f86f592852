/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Identities of host files: see identity.h. */
#include "extend/identity.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SAMPLES     16
#define SAMPLE_SIZE 4096ULL

static int add_samples(struct sv_dev *dev, struct sv_sha256 *hash, struct sv_err *err)
{
	uint64_t size = sv_dev_size(dev), step;
	uint8_t block[SAMPLE_SIZE];

	if (size <= SAMPLES * SAMPLE_SIZE) {
		for (uint64_t off = 0; off < size; off += SAMPLE_SIZE) {
			size_t n = (size_t)SV_MIN(SAMPLE_SIZE, size - off);

			if (sv_dev_read(dev, block, n, off, err) < 0)
				return -1;
			sv_sha256_add(hash, block, n);
		}
		return 0;
	}
	/* the first block, the last one, and fourteen between them */
	step = (size - SAMPLE_SIZE) / (SAMPLES - 1);
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t off = i == SAMPLES - 1 ? size - SAMPLE_SIZE : i * step;

		if (sv_dev_read(dev, block, sizeof block, off, err) < 0)
			return -1;
		sv_sha256_add(hash, block, sizeof block);
	}
	return 0;
}

static int take_sample(
	struct sv_host *host, const char *path, char ret[SV_SHA256_TEXT], struct sv_err *err)
{
	SV_CLEANUP(sv_sha256_freep) struct sv_sha256 *hash = sv_sha256_new(err);
	sv_autodev struct sv_dev *dev = NULL;
	uint8_t digest[SV_SHA256_SIZE];

	if (!hash || sv_host_open(host, path, SV_OPEN_READ, &dev, err) < 0 ||
		add_samples(dev, hash, err) < 0 || sv_sha256_end(hash, digest, err) < 0)
		return -1;
	sv_hex(digest, sizeof digest, ret);
	return 0;
}

int sv_identity_of(struct sv_host *host, const char *path, bool sampled,
	struct sv_identity *ret, struct sv_err *err)
{
	struct sv_identity id = {0};
	struct sv_host_stat st;

	if (sv_host_stat(host, path, &st, err) < 0)
		return -1;
	id.size = st.size;
	id.mtime_sec = st.mtime_sec;
	id.mtime_nsec = st.mtime_nsec;
	if (sampled && take_sample(host, path, id.sample, err) < 0)
		return -1;
	*ret = id;
	return 0;
}

static void print_time(int64_t sec, char buf[32])
{
	time_t t = (time_t)sec;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(buf, 32, "%lld", (long long)sec);
}

bool sv_identity_same(struct sv_host *host, const char *path,
	const struct sv_identity *recorded, char why[SV_IDENTITY_WHY])
{
	struct sv_identity now;
	struct sv_err err = SV_ERR_INIT;
	char then_text[32], now_text[32];

	if (sv_identity_of(host, path, recorded->sample[0], &now, &err) < 0) {
		snprintf(why, SV_IDENTITY_WHY, "%s", err.message);
		return false;
	}
	if (now.size != recorded->size) {
		snprintf(why, SV_IDENTITY_WHY, "its size was %llu bytes, now it is %llu",
			(unsigned long long)recorded->size, (unsigned long long)now.size);
		return false;
	}
	if (now.mtime_sec != recorded->mtime_sec || now.mtime_nsec != recorded->mtime_nsec) {
		print_time(recorded->mtime_sec, then_text);
		print_time(now.mtime_sec, now_text);
		snprintf(why, SV_IDENTITY_WHY, "it was last written %s, recorded was %s",
			now_text, then_text);
		return false;
	}
	if (strcmp(now.sample, recorded->sample)) {
		snprintf(why, SV_IDENTITY_WHY,
			"size and time are as recorded, but its content has changed");
		return false;
	}
	return true;
}
