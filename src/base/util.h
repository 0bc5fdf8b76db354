/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util.h - the few macros every file uses.
 *
 * AUTO(x) declares a variable that is released with x_free() when it goes out of scope,
 * TAKE(p) takes a pointer out of such a variable.
 */
#ifndef UIDWALL_BASE_UTIL_H
#define UIDWALL_BASE_UTIL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define AUTO(type) __attribute__((cleanup(type##_cleanup)))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Moves a pointer out of an AUTO variable, leaving NULL behind. */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) take_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

/* DEFINE_CLEANUP(arena, struct arena *, arena_free) makes AUTO(arena) work. */
#define DEFINE_CLEANUP(name, type, function)                                                       \
	__attribute__((unused)) static inline void name##_cleanup(type *p)                         \
	{                                                                                          \
		function(*p);                                                                      \
	}

static inline void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

static inline void file_close(FILE *f)
{
	if (f)
		fclose(f);
}

static inline void mem_free(void *p)
{
	free(p);
}

DEFINE_CLEANUP(fd, int, fd_close)
DEFINE_CLEANUP(file, FILE *, file_close)
/* For any pointer that malloc returned: AUTO(mem) char *text = NULL. */
__attribute__((unused)) static inline void mem_cleanup(void *p)
{
	free(*(void **)p);
}

#endif
