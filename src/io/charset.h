/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From and to the encodings that VMware names in `.encoding`: "UTF-8", "windows-1252", "GBK",
 * "Shift_JIS", ... */
#ifndef SV_IO_CHARSET_H
#define SV_IO_CHARSET_H

/*
 * Converts a NUL-terminated text between two encodings. NULL where one of them is unknown, the
 * text does not fit it, or memory is gone. Caller frees.
 */
char *sv_charset_convert(const char *text, const char *from, const char *to);

#endif
