/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crossing.h - one packet as policies see it: whether they let it pass, and the fewest changes of
 * their lines that would turn that.
 *
 * What is in force is said by the evaluator. This is for what it cannot know: what other lines
 * would do. Tests hold both to one another, and every change to a plan made anew.
 */
#ifndef UIDWALL_WHY_CROSSING_H
#define UIDWALL_WHY_CROSSING_H

#include "policy/policy_set.h"

struct crossing {
	const struct policy_set *set;
	const struct service *service; /* governs the sender; NULL: nobody does, or it is off */
	bool is_shared;		       /* two services share the uid: everything is refused */
	uint32_t uid;
	const char *user; /* its name, or NULL */
	uint8_t protocol; /* enum policy_protocol; ICMP: echo requests */
	struct prefix to;
	uint16_t sport, dport;
	const char *oifname;
	bool is_answer;	  /* no initial SYN; of the other's making, where conntrack is asked */
	bool declares;	  /* as if the sender declared the port that it sends to */
	bool as_enforced; /* services in monitor mode count as if they were not */
	int64_t now;	  /* seconds since 1970 */
};

enum change_kind {
	CHANGE_ADD_CONNECT,
	CHANGE_ADD_LISTEN,
	CHANGE_ADD_FROM,
	CHANGE_SET_DNS,
	CHANGE_SET_PROXY,
	CHANGE_SET_TRANSPARENT,
	CHANGE_ENFORCE,
	CHANGE_DROP_CONNECT,
	CHANGE_DROP_LISTEN,
	CHANGE_DROP_FROM,
	CHANGE_ADD_HOST,
	CHANGE_DROP_HOST,
};

/* One change of one policy. */
struct change {
	uint8_t kind; /* enum change_kind */
	const struct service *service;
	size_t line; /* index in connect, listen or hosts, of the line that goes or gets a user */
	size_t user; /* CHANGE_DROP_FROM: index in from */
	/* CHANGE_ADD_CONNECT and CHANGE_ADD_LISTEN; to: family ADDR_NONE is "localhost" */
	struct prefix to;
	const char *interface; /* NULL: any */
	uint8_t protocol;
	uint16_t port;
	/* CHANGE_ADD_FROM */
	uint32_t uid;
	const char *name; /* CHANGE_ADD_HOST: the entry */
	bool value;	  /* CHANGE_SET_... */
};

struct changes {
	struct arena *arena;
	struct change *list;
	size_t n;
};

bool crossing_passes(const struct crossing *c);
bool crossing_passes_enforced(const struct crossing *c); /* with as_enforced */

/* Changes that make it pass, or be refused, each of them needed. False: no line of a policy can do
 * that; then nothing was added.
 */
bool crossing_allow(const struct crossing *c, struct changes *changes);
bool crossing_refuse(const struct crossing *c, struct changes *changes);

/* Makes a "from" of that service keep the sender out, where that alone does. */
bool crossing_close_guard(const struct crossing *c, const struct service *service,
			  struct changes *changes);

/* The first "from" that names the sender, or does not, among those that guard the port. */
bool crossing_find_guard(const struct crossing *c, bool names, const struct service **ret_service,
			 const struct listener **ret_listener);

/* Whether a line of the sender's policy would let it pass but for its date or its interface. */
bool crossing_is_near(const struct crossing *c, const struct endpoint *endpoint);

/* Whether a user is named by a listener's "from", and by which entry. */
const struct user_ref *crossing_named(const struct listener *listener, uint32_t uid);

#endif
