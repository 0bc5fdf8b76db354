/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect.h - the endpoints of "connect" → rules and named sets. */
#ifndef UIDWALL_PLAN_CONNECT_H
#define UIDWALL_PLAN_CONNECT_H

#include "plan/ports.h"

/* Those that the predicate picks. */
void plan_connect_some(struct build *b, const struct policy *policy, struct service_sets *sets,
		       bool (*is_picked)(const struct endpoint *endpoint, const void *data),
		       const void *data);
void plan_connect(struct build *b, const struct policy *policy, struct service_sets *sets);

#endif
