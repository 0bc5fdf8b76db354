/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - what a service's chains, counter and sets are called, and whose a chain is.
 *
 * Names are at most IR_NAME_MAX with the NUL, and live in the arena.
 */
#ifndef UIDWALL_PLAN_NAMES_H
#define UIDWALL_PLAN_NAMES_H

#include "base/arena.h"

#define PLAN_UNITS "units" /* the map from control groups to chains */

/* Those of "transparent". */
#define PLAN_WAYS "way-services"
#define PLAN_WAY_UNITS "way-units"
#define PLAN_WAY_RANGES "way-ranges"

const char *name_service_chain(struct arena *arena, const char *service);
const char *name_service_counter(struct arena *arena, const char *service);
const char *name_way_chain(struct arena *arena, const char *service);
const char *name_chain_set(struct arena *arena, const char *chain, uint32_t digest);
const char *name_guard_chain(struct arena *arena, const char *service, unsigned number);

enum chain_kind {
	CHAIN_SHARED,  /* of no service alone */
	CHAIN_SERVICE, /* what the service's own packets go through */
	CHAIN_WAY,     /* which of its connections are led to the proxy */
	CHAIN_GUARD,   /* who may connect to one of its ports */
};

/* Of a service's chain also whose: the length of a name that begins at *ret_service, in the
 * chain's.
 */
enum chain_kind name_parse_chain(const char *chain, const char **ret_service, size_t *ret_length);

#endif
