/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CRC-32C by the vectors of RFC 3720 appendix B.4, in any pieces, with and without the
 * processor's instruction. */
#include "unit.h"

#include "base/hash.h"

static void gives_the_published_sums(void **state)
{
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(sv_crc32c(0, "123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(sv_crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof bytes);
	assert_int_equal(sv_crc32c(0, bytes, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(sv_crc32c(0, bytes, 32), 0x46dd794e);
	assert_int_equal(sv_crc32c_portable(0, bytes, 32), 0x46dd794e);
}

static void sums_pieces_like_the_whole(void **state)
{
	uint8_t bytes[200];
	uint32_t whole;

	(void)state;
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37);
	whole = sv_crc32c(0, bytes, sizeof bytes);
	for (size_t cut = 0; cut <= sizeof bytes; cut++) {
		uint32_t crc = sv_crc32c(0, bytes, cut);

		assert_int_equal(sv_crc32c(crc, bytes + cut, sizeof bytes - cut), whole);
		assert_int_equal(
			sv_crc32c_portable(crc, bytes + cut, sizeof bytes - cut), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_published_sums),
		cmocka_unit_test(sums_pieces_like_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
