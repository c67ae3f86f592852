/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scoped ownership: SV_CLEANUP(fn) calls fn(&variable) when the scope ends. */
#ifndef SV_BASE_CLEANUP_H
#define SV_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define SV_CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void sv_freep(void *p)
{
	free(*(void **)p);
}

static inline void sv_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define sv_autofree SV_CLEANUP(sv_freep)
#define sv_autofd   SV_CLEANUP(sv_closep)

/* Takes the pointer out of an owning variable: `return SV_STEAL(p);` */
#define SV_STEAL(p)                                                                            \
	__extension__({                                                                        \
		__typeof__(p) *sv_from_ = &(p);                                                \
		__typeof__(p) sv_taken_ = *sv_from_;                                           \
		*sv_from_ = NULL;                                                              \
		sv_taken_;                                                                     \
	})

/* Declares the cleanup twin of `void close_fn(type *)`. */
#define SV_DEFINE_CLEANUP(type, close_fn)                                                      \
	static inline void close_fn##p(type **p)                                               \
	{                                                                                      \
		close_fn(*p);                                                                  \
	}

#endif
