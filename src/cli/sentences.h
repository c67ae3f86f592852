/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of sentences, as plans and reports hold them. */
#ifndef SV_CLI_SENTENCES_H
#define SV_CLI_SENTENCES_H

#include "cli/out.h"

/* A sentence a line after a mark: tick (good), cross (bad), or a dash. */
void sv_put_good(struct sv_out *o, char *const *item, size_t n);
void sv_put_bad(struct sv_out *o, char *const *item, size_t n);
void sv_put_todo(struct sv_out *o, char *const *item, size_t n);
/* "KEY":["…", …] */
void sv_put_json_list(struct sv_json *j, const char *key, char *const *item, size_t n);

#endif
