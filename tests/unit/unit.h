/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every unit test includes: cmocka with its prerequisites, and checks of errors. */
#ifndef SV_TESTS_UNIT_H
#define SV_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* Shows the error's text when a call that must succeed fails. */
#define assert_ok(call)                                                                        \
	do {                                                                                   \
		if ((call) != 0)                                                               \
			fail_msg("%s: %s: %s", #call, err.path, err.message);                  \
	} while (0)

/* A call that must fail, with this code, a message, and (for offset != UINT64_MAX) there. */
#define assert_fails(call, want_code, want_offset)                                             \
	do {                                                                                   \
		assert_int_equal((call), -1);                                                  \
		assert_string_equal(sv_code_name(err.code), sv_code_name(want_code));          \
		assert_true(err.message[0] != 0);                                              \
		if ((want_offset) != UINT64_MAX) {                                             \
			assert_true(err.has_offset);                                           \
			assert_int_equal(err.offset, (want_offset));                           \
		}                                                                              \
	} while (0)

#endif
