/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digests: SHA-256 and MD5 through OpenSSL, CRC-32 as GPT uses it, CRC-32C, XXH64 and BLAKE2b
 * as btrfs uses them; random bytes. */
#ifndef SV_BASE_HASH_H
#define SV_BASE_HASH_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SV_SHA256_SIZE 32
#define SV_SHA256_TEXT 65 /* hex digits and NUL */

struct sv_sha256;

struct sv_sha256 *sv_sha256_new(struct sv_err *err);
void sv_sha256_add(struct sv_sha256 *h, const void *bytes, size_t n);
/* Gives the digest; the object can only be freed afterwards. */
int sv_sha256_end(struct sv_sha256 *h, uint8_t ret[SV_SHA256_SIZE], struct sv_err *err);
void sv_sha256_free(struct sv_sha256 *h);
SV_DEFINE_CLEANUP(struct sv_sha256, sv_sha256_free)

/* One call for bytes in memory. */
int sv_sha256_bytes(
	const void *bytes, size_t n, uint8_t ret[SV_SHA256_SIZE], struct sv_err *err);

#define SV_MD5_SIZE 16

/* A checksum that some formats keep; against no attacker. */
int sv_md5_bytes(const void *bytes, size_t n, uint8_t ret[SV_MD5_SIZE], struct sv_err *err);

void sv_hex(const uint8_t *bytes, size_t n, char *out); /* 2n+1 characters */
/* Reads exactly 2n hex digits; false where the text is anything else. */
bool sv_unhex(const char *text, uint8_t *out, size_t n);

/* Random bytes for identifiers (content ids, UUIDs), from OpenSSL's generator. */
int sv_random(void *ret, size_t n, struct sv_err *err);

/* CRC-32 (IEEE 802.3, reflected), as in UEFI 2.10 section 4.2. Begin with crc 0. */
uint32_t sv_crc32(uint32_t crc, const void *bytes, size_t n);

/* CRC-32C (Castagnoli), as in ext4, XFS, btrfs and VHDX. Begin with crc 0; where a format does
 * without the inversion at both ends (ext4's seeds), it is ~sv_crc32c(~seed, ...). */
uint32_t sv_crc32c(uint32_t crc, const void *bytes, size_t n);
/* The same where the processor has no instruction for it; for the tests. */
uint32_t sv_crc32c_portable(uint32_t crc, const void *bytes, size_t n);

/* XXH64 with seed 0. */
uint64_t sv_xxh64(const void *bytes, size_t n);

/* BLAKE2b (RFC 7693) with a digest of 32 bytes, without a key. */
#define SV_BLAKE2B256_SIZE 32
void sv_blake2b256(const void *bytes, size_t n, uint8_t ret[SV_BLAKE2B256_SIZE]);

#endif
