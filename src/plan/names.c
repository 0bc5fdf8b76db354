/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - service → names in the table, and back.
 *
 * A service's name has no '.', so what follows one cannot be part of another service's name. The
 * prefix keeps names like "log" or "accept" off the words of nft's own language.
 */
#include "plan/names.h"

#include <string.h>

#define SERVICE_PREFIX "svc-"
#define WAY_PREFIX "way-"
#define GUARD_PREFIX "from-"

const char *name_service_chain(struct arena *arena, const char *service)
{
	return arena_printf(arena, SERVICE_PREFIX "%s", service);
}

const char *name_service_counter(struct arena *arena, const char *service)
{
	return arena_printf(arena, "refused-%s", service);
}

const char *name_way_chain(struct arena *arena, const char *service)
{
	return arena_printf(arena, WAY_PREFIX "%s", service);
}

const char *name_chain_set(struct arena *arena, const char *chain, uint32_t digest)
{
	return arena_printf(arena, "%s.%08x", chain, digest);
}

const char *name_guard_chain(struct arena *arena, const char *service, unsigned number)
{
	return arena_printf(arena, GUARD_PREFIX "%s.%u", service, number);
}

enum chain_kind name_parse_chain(const char *chain, const char **ret_service, size_t *ret_length)
{
	static const struct {
		const char *prefix;
		enum chain_kind kind;
	} prefixes[] = { { SERVICE_PREFIX, CHAIN_SERVICE },
			 { WAY_PREFIX, CHAIN_WAY },
			 { GUARD_PREFIX, CHAIN_GUARD } };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i].prefix);

		if (strncmp(chain, prefixes[i].prefix, n) != 0)
			continue;
		*ret_service = chain + n;
		*ret_length = strcspn(chain + n, ".");
		return prefixes[i].kind;
	}
	return CHAIN_SHARED;
}
