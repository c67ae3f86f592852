/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BLAKE2b with 32 bytes: digests that Python's hashlib gives. */
#include "unit.h"

#include "base/hash.h"

static void expect(const void *bytes, size_t n, const char *hex)
{
	uint8_t sum[SV_BLAKE2B256_SIZE];
	char text[2 * SV_BLAKE2B256_SIZE + 1];

	sv_blake2b256(bytes, n, sum);
	sv_hex(sum, sizeof sum, text);
	assert_string_equal(text, hex);
}

static void hashes_nothing_and_little(void **state)
{
	expect("", 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	expect("abc", 3, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

static void hashes_a_whole_block_and_many(void **state)
{
	uint8_t bytes[4064];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	expect(bytes, 128, "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1");
	expect(bytes, sizeof bytes,
		"475e9ba3915bee79219897e6d732aa7df3724f2687f0ebcd349724cf12cc175a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_nothing_and_little),
		cmocka_unit_test(hashes_a_whole_block_and_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
