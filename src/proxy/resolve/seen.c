/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seen.c - the addresses that a name had lately, each with the end of its time. */
#include "proxy/resolve/seen.h"

struct seen_address {
	struct prefix address;
	int64_t until_ms;
};

static struct seen_address *find(const struct seen *seen, const struct prefix *address)
{
	for (size_t i = 0; i < seen->n; i++)
		if (!prefix_compare(&seen->list[i].address, address))
			return &seen->list[i];
	return NULL;
}

static void grow(struct seen *seen, size_t max)
{
	size_t size = seen->size ? seen->size * 2 : 8;
	struct seen_address *list;

	if (size > max)
		size = max;
	list = size > seen->size ? reallocarray(seen->list, size, sizeof(*list)) : NULL;
	if (!list)
		return;
	seen->list = list;
	seen->size = size;
}

static struct seen_address *make_room(struct seen *seen, size_t max)
{
	struct seen_address *oldest;

	if (seen->n == seen->size)
		grow(seen, max);
	if (seen->n < seen->size)
		return &seen->list[seen->n++];
	oldest = seen->list; /* NULL without memory */
	for (size_t i = 1; i < seen->n; i++)
		if (seen->list[i].until_ms < oldest->until_ms)
			oldest = &seen->list[i];
	return oldest;
}

void seen_note(struct seen *seen, const struct prefix *address, int64_t until_ms, size_t max)
{
	struct seen_address *at = find(seen, address);

	if (!at)
		at = make_room(seen, max);
	if (at)
		*at = (struct seen_address){ *address, until_ms };
}

int64_t seen_until(const struct seen *seen, const struct prefix *address)
{
	const struct seen_address *at = find(seen, address);

	return at ? at->until_ms : INT64_MIN;
}

void seen_done(struct seen *seen)
{
	free(seen->list);
	*seen = (struct seen){ 0 };
}
