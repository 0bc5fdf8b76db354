/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge.h - open sockets x ruleset → those that it refuses, and the lines that do. */
#ifndef UIDWALL_RUNTIME_JUDGE_H
#define UIDWALL_RUNTIME_JUDGE_H

#include "backend/packet.h"
#include "kernel/sockets.h"
#include "policy/families.h"
#include "runtime/live.h"

/* As live_judge(). */
int judge_sockets(struct sockets *sockets, const struct policy_set *set,
		  const struct ir_ruleset *rules, struct arena *arena,
		  struct live_judgement *ret_judgement, struct diags *diags);

/* The packet that a socket would send next, but for the way it takes: oifname "", not foreign. It
 * points into the families.
 */
void judge_packet(const struct live_socket *socket, const struct families *families,
		  int64_t time_ns, struct packet *ret_packet);

#endif
