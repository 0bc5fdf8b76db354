/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena.c - chunks of memory, each larger than malloc's mmap threshold.
 *
 * glibc gives allocations above 128 KiB back to the system when they are freed (mallopt(3),
 * M_MMAP_THRESHOLD), so a replaced generation leaves no hole behind. The first chunk is small:
 * most machines have a dozen services.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <string.h>

enum { FIRST_CHUNK = 8 * 1024, SMALL_CHUNK = 64 * 1024, LARGE_CHUNK = 512 * 1024 };

struct chunk {
	struct chunk *next;
	size_t size; /* of the whole chunk, header included */
	size_t used;
};

struct arena {
	struct chunk *chunks; /* the one in use first */
	size_t bytes;
};

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (!arena)
		abort();
	return arena;
}

void arena_free(struct arena *arena)
{
	struct chunk *next;

	if (!arena)
		return;
	for (struct chunk *c = arena->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(arena);
}

static size_t align_up(size_t n)
{
	return (n + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
}

static struct chunk *chunk_add(struct arena *arena, size_t need)
{
	size_t header = align_up(sizeof(struct chunk));
	size_t size = arena->bytes == 0		 ? FIRST_CHUNK :
		      arena->bytes < LARGE_CHUNK ? SMALL_CHUNK :
						   LARGE_CHUNK;
	struct chunk *c;

	if (need > SIZE_MAX - header)
		abort();
	if (size < need + header)
		size = need + header;
	c = malloc(size);
	if (!c)
		abort();
	c->size = size;
	c->used = header;
	arena->bytes += size;
	/* A chunk made for one large object must not hide the rest of the current one. */
	if (arena->chunks && need > LARGE_CHUNK / 4) {
		c->next = arena->chunks->next;
		arena->chunks->next = c;
	} else {
		c->next = arena->chunks;
		arena->chunks = c;
	}
	return c;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct chunk *c = arena->chunks;
	void *p;

	if (size > SIZE_MAX / 2)
		abort();
	size = align_up(size ? size : 1);
	if (!c || c->size - c->used < size)
		c = chunk_add(arena, size);
	p = (char *)c + c->used;
	c->used += size;
	return memset(p, 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t n)
{
	char *copy = arena_alloc(arena, n + 1);

	memcpy(copy, text, n);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		abort();
	text = arena_alloc(arena, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

size_t arena_bytes(const struct arena *arena)
{
	return arena->bytes;
}

/* The capacity of an array of n elements is the next power of two: many lists in policies have
 * one entry.
 */
static bool is_full(size_t n)
{
	return (n & (n - 1)) == 0;
}

void *arena_grow(struct arena *arena, void *array, size_t *n, size_t element_size)
{
	char *old, *element;

	memcpy(&old, array, sizeof(old));
	if (is_full(*n)) {
		size_t capacity = *n ? *n * 2 : 1;
		char *grown;

		if (capacity > SIZE_MAX / 2 / element_size)
			abort();
		grown = arena_alloc(arena, capacity * element_size);
		if (*n)
			memcpy(grown, old, *n * element_size);
		memcpy(array, &grown, sizeof(grown));
		old = grown;
	}
	element = old + *n * element_size;
	++*n;
	return memset(element, 0, element_size); /* the array may have shrunk before */
}
