/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of Unix file systems: bytes, of which all but NUL and '/' are allowed. */
#include "fs/unix_name.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

/* The length of the valid UTF-8 sequence at s, 0 where there is none. */
static size_t sequence(const uint8_t *s, size_t n)
{
	for (size_t len = 1; len <= SV_MIN(n, (size_t)4); len++) {
		if (sv_utf8_valid((const char *)s, len))
			return len;
	}
	return 0;
}

bool sv_fs_unix_name(const uint8_t *name, unsigned len, char ret[SV_FS_UNIX_NAME])
{
	static const char replacement[] = "\xef\xbf\xbd";
	bool lossy = false;
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		size_t n = name[i] < 0x80 ? 1 : sequence(name + i, len - i);

		if (n && name[i] && name[i] != '/') {
			memcpy(ret + out, name + i, n);
			out += n;
			i += n;
			continue;
		}
		memcpy(ret + out, replacement, 3);
		out += 3;
		i++;
		lossy = true;
	}
	ret[out] = 0;
	return lossy;
}
