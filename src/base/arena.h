/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena.h - memory that is freed all at once.
 *
 * A generation (policies and their ruleset) lives in one arena. Allocation never fails: out of
 * memory ends the process, and the kernel keeps the wall up (see arena.c).
 */
#ifndef UIDWALL_BASE_ARENA_H
#define UIDWALL_BASE_ARENA_H

#include "base/util.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* NULL is fine */
DEFINE_CLEANUP(arena, struct arena *, arena_free)

/* Zeroed memory, aligned for any type; size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t n); /* copies exactly n bytes */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF(2, 3);
size_t arena_bytes(const struct arena *arena); /* allocated from the system so far */

/* Appends room for one element to a growing array in the arena and returns it, zeroed.
 * *array has *n elements, its capacity is derived from *n; old copies stay in the arena until it
 * is freed, so the sum is at most twice the final size.
 */
void *arena_grow(struct arena *arena, void *array, size_t *n, size_t element_size);
#define ARENA_APPEND(arena, array, n)                                                              \
	((__typeof__(*(array)) *)arena_grow((arena), &(array), &(n), sizeof(*(array))))

#endif
