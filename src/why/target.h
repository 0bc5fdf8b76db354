/* SPDX-License-Identifier: GPL-2.0-or-later */
/* target.h - "tcp 192.0.2.7:25" → where something is to go. */
#ifndef UIDWALL_WHY_TARGET_H
#define UIDWALL_WHY_TARGET_H

#include <net/if.h>

#include "base/addr.h"
#include "base/arena.h"

struct target {
	const char *text;    /* as asked */
	uint8_t protocol;    /* enum policy_protocol */
	struct prefix to;    /* family ADDR_NONE: a port alone, "tcp 3000" */
	char zone[IFNAMSIZ]; /* of a link-local address: "eth0" of fe80::1%eth0; else "" */
	uint16_t port;	     /* 0: ICMP has none */
	const char *note;    /* what the address stands for, or NULL */
};

/* "tcp 192.0.2.7:25", "udp [2001:db8::1]:53", "icmp 192.0.2.1", "tcp 3000". 0, or -EINVAL and
 * *ret_error (in the arena) says what was expected and found.
 */
int target_parse(const char *text, struct arena *arena, struct target *ret_target,
		 const char **ret_error);

/* "tcp", "udp", "icmp", by enum policy_protocol. */
extern const char *const target_protocols[];

#endif
