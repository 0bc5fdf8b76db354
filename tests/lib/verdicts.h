/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdicts.h - a packet as text x ruleset → verdict, deciding line and what is counted.
 *
 * Who, protocol, where to, and what is odd about it, as in "app tcp 127.0.0.1:5432 by eth0 from
 * 3000 ack". TCP without flags is an initial SYN; loopback addresses leave by lo, others by eth0;
 * ICMP asks for an echo; it is before 2030 unless "in-2030". "in 3/5": of a socket in control group
 * 5, which is in 3. "bound": to the interface; "later", "older": of a connection that the rules led
 * away, or from before.
 */
#ifndef UIDWALL_TESTS_LIB_VERDICTS_H
#define UIDWALL_TESTS_LIB_VERDICTS_H

#include "backend/eval.h"
#include "policy/policy_set.h"

struct verdict_case {
	const char *packet;
	enum eval_verdict verdict;
	const char *origin;  /* as comments have it; NULL: no policy had a say */
	const char *counted; /* whose refusal it counts as; NULL: nobody's */
};

/* The last two of a packet that a service may not send. */
#define NO_LINE(service) service ".json no line allows it", service

/* What stands for which user: "app" is 1001; PACKET_NO_OWNER for "nobody". */
int64_t verdicts_uid(const char *who);

/* Plans the policies; how many packets are judged otherwise, each said on stderr. */
size_t verdicts_wrong(const struct policy_set *set, const struct verdict_case *cases, size_t n);

#endif
