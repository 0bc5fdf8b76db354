/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.h - one policy → the chain of its service. */
#ifndef UIDWALL_PLAN_SERVICE_H
#define UIDWALL_PLAN_SERVICE_H

#include "plan/build.h"
#include "policy/policy_set.h"

/* A list longer than this becomes a named set. */
enum { PLAN_HANDFUL = 8 };

/* Chains and maps that the chains of services refer to; IR_NONE where there is none. */
struct plan_shared {
	struct arena *names;
	uint32_t refuse;
	uint32_t observe;
	uint32_t dns;
	uint32_t proxy;
	struct number_range *proxy_ports;
	size_t n_proxy_ports;
	const struct config *config; /* for services that have a port of their own at the proxy */
	uint32_t guards[2]; /* maps, by PROTOCOL_TCP and PROTOCOL_UDP: port → who may connect */
	uint32_t *service_chains; /* by service; IR_NONE: off */
	uint32_t *service_counters;
	/* where connections of transparent services are led, by family (v4, v6); NULL: nowhere */
	const struct proxy_address *led_to[2];
	struct number_range led_ports; /* of that address: among these NAT chooses */
	bool keeps_options;	       /* as in struct policy_set */
};

void plan_service_counters(struct build *b, const struct policy_set *set,
			   struct plan_shared *shared);

/* Returns the chain; IR_NONE where the service is off. */
uint32_t plan_service(struct build *b, const struct service *service, size_t number,
		      const struct plan_shared *shared);

/* "blog.json:5 connect" */
struct ir_origin policy_origin(const struct policy *policy, struct place place, const char *what);

#endif
