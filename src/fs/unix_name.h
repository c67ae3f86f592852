/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of Unix file systems as UTF-8. Private to the fs room. */
#ifndef SV_FS_UNIX_NAME_H
#define SV_FS_UNIX_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define SV_FS_UNIX_NAME (255 * 3 + 1) /* bytes of a name of 255 bytes, each replaced */

/* Bytes that are no UTF-8, NUL and '/' become U+FFFD; true where one did. `len` is at most 255.
 */
bool sv_fs_unix_name(const uint8_t *name, unsigned len, char ret[SV_FS_UNIX_NAME]);

#endif
