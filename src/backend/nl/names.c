/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - name → index in an array, for rulesets of ten thousand chains. */
#include "backend/nl/names.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"

static const char *name_at(const struct names *names, uint32_t index)
{
	const char *name;

	memcpy(&name, (const char *)names->array + index * names->stride, sizeof(name));
	return name;
}

int names_init(struct names *names, const void *array, size_t n, size_t stride)
{
	uint32_t size = 16;

	while (size < n * 2)
		size *= 2;
	*names = (struct names){ .array = array, .stride = stride, .mask = size - 1 };
	names->slots = calloc(size, sizeof(*names->slots));
	if (!names->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = hash_text(name_at(names, i)) & names->mask;

		while (names->slots[at])
			at = (at + 1) & names->mask;
		names->slots[at] = i + 1;
	}
	return 0;
}

void names_done(struct names *names)
{
	free(names->slots);
	names->slots = NULL;
}

uint32_t names_find(const struct names *names, const char *name)
{
	uint32_t at = hash_text(name) & names->mask;

	for (; names->slots[at]; at = (at + 1) & names->mask)
		if (strcmp(name_at(names, names->slots[at] - 1), name) == 0)
			return names->slots[at] - 1;
	return UINT32_MAX;
}
