/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How files of a guest look: times, modes and attributes, entries of JSON documents. */
#ifndef SV_CLI_LISTING_H
#define SV_CLI_LISTING_H

#include "base/json.h"
#include "cli/tree.h"

#define SV_TIME_TEXT 40
/* RFC 3339, UTC, nanoseconds: for JSON. "" for a time that no calendar has. */
const char *sv_time_utc(struct sv_fs_time t, char buf[SV_TIME_TEXT]);
/* "2024-05-03 12:33", of the host's time zone: for people. */
const char *sv_time_local(struct sv_fs_time t, char buf[SV_TIME_TEXT]);

const char *sv_type_word(enum sv_fs_type type); /* "file", "dir", "symlink", "other" */

/* The same with seconds, their fraction and the zone. */
const char *sv_time_exact(struct sv_fs_time t, char buf[SV_TIME_TEXT]);

#define SV_MODE_TEXT 12
/* "-rw-r--r--", or of Windows "-rhsac-": read-only, hidden, system, archive, compressed,
 * encrypted. */
const char *sv_mode_text(const struct sv_fs_stat *st, char buf[SV_MODE_TEXT]);

#define SV_SIZE_COLUMN 24
/* "1.2M"; "-" of a folder; "8,1" of a device, its major and minor number. */
const char *sv_size_column(const struct sv_fs_stat *st, char buf[SV_SIZE_COLUMN]);

/* "read-only, hidden": every attribute by its name; `sep` between them. */
void sv_attributes_words(uint32_t attributes, const char *sep, struct sv_str *out);

/* The fields "type" … "target" of an object that is being written. `link` may be NULL. */
void sv_listing_fields(struct sv_json *j, const struct sv_fs_stat *st, const char *link);
/* "path_raw": base64 of the guest's own bytes of the name, where they were lossy. */
void sv_listing_raw(struct sv_json *j, const struct sv_entry *entry);

#endif
