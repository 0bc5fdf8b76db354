/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.h - who sends what where → the packet, the way it would leave, the verdict on it. */
#ifndef UIDWALL_WHY_PROBE_H
#define UIDWALL_WHY_PROBE_H

#include "backend/packet.h"
#include "why/crossing.h"
#include "why/target.h"
#include "why/why.h"

/* Whose sockets. */
struct sender {
	const struct service *service; /* governs the uid, though it may be off; NULL: none does */
	const struct uid_owner *owner; /* who the uid belongs to, or NULL */
	uint32_t uid;
	const char *user; /* the uid's name, or NULL */
};

/* The uid that stands for a service, one that it really governs; false: it governs nobody. */
bool sender_of_service(const struct why_world *world, const struct service *service,
		       struct sender *ret_sender);
void sender_of_uid(const struct why_world *world, uint32_t uid, const char *user,
		   struct sender *ret_sender);

enum way_state {
	WAY_FOUND,
	WAY_NONE,    /* the kernel knows none */
	WAY_UNKNOWN, /* the kernel cannot be asked */
};

struct way {
	uint8_t state; /* enum way_state */
	char oifname[IFNAMSIZ];
};

/* Points into itself: not to be copied. */
struct probe {
	struct sender sender;
	struct way way;
	struct crossing crossing;
	struct packet packet;
	struct eval_result result;
	/* Services declare every port that a call without a policy could come from: it is judged
	 * as theirs.
	 */
	bool is_odd;
};

/* What a socket of the sender's opens, or says first. */
void probe_call(const struct why_world *world, const struct sender *sender,
		const struct target *target, struct probe *ret_probe);

/* What a server's socket on target->port answers to somebody at target->to. */
void probe_answer(const struct why_world *world, const struct sender *sender,
		  const struct target *target, struct probe *ret_probe);

/* The same packet of another user's. */
bool probe_is_refused_for(const struct why_world *world, const struct probe *probe, uint32_t uid);

#endif
