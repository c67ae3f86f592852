/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digests: see hash.h. CRC-32 through zlib. */
#include "base/hash.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <zlib.h>

struct sv_sha256 {
	EVP_MD_CTX *ctx;
	bool failed;
};

struct sv_sha256 *sv_sha256_new(struct sv_err *err)
{
	struct sv_sha256 *h = calloc(1, sizeof *h);

	if (!h) {
		sv_fail_nomem(err);
		return NULL;
	}
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
		sv_fail(err, SV_INTERNAL, NULL, "the SHA-256 of libcrypto cannot be used");
		sv_sha256_free(h);
		return NULL;
	}
	return h;
}

void sv_sha256_add(struct sv_sha256 *h, const void *bytes, size_t n)
{
	if (n && EVP_DigestUpdate(h->ctx, bytes, n) != 1)
		h->failed = true;
}

int sv_sha256_end(struct sv_sha256 *h, uint8_t ret[SV_SHA256_SIZE], struct sv_err *err)
{
	if (h->failed || EVP_DigestFinal_ex(h->ctx, ret, NULL) != 1)
		return sv_fail(err, SV_INTERNAL, NULL, "SHA-256 failed in libcrypto");
	return 0;
}

void sv_sha256_free(struct sv_sha256 *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

int sv_sha256_bytes(
	const void *bytes, size_t n, uint8_t ret[SV_SHA256_SIZE], struct sv_err *err)
{
	if (EVP_Digest(bytes, n, ret, NULL, EVP_sha256(), NULL) != 1)
		return sv_fail(err, SV_INTERNAL, NULL, "SHA-256 failed in libcrypto");
	return 0;
}

int sv_md5_bytes(const void *bytes, size_t n, uint8_t ret[SV_MD5_SIZE], struct sv_err *err)
{
	if (EVP_Digest(bytes, n, ret, NULL, EVP_md5(), NULL) != 1)
		return sv_fail(err, SV_INTERNAL, NULL, "MD5 failed in libcrypto");
	return 0;
}

void sv_hex(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = 0;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool sv_unhex(const char *text, uint8_t *out, size_t n)
{
	if (strlen(text) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int sv_random(void *ret, size_t n, struct sv_err *err)
{
	if (n > INT_MAX || RAND_bytes(ret, (int)n) != 1)
		return sv_fail(err, SV_INTERNAL, NULL, "libcrypto gives no random bytes");
	return 0;
}

uint32_t sv_crc32(uint32_t crc, const void *bytes, size_t n)
{
	return (uint32_t)crc32_z(crc, bytes, n);
}
