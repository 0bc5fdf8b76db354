/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owner.h - a TCP connection's four-tuple → whose socket its near end is, as the kernel has it at
 * this moment (sock_diag(7)). Needs no privilege.
 */
#ifndef UIDWALL_KERNEL_OWNER_H
#define UIDWALL_KERNEL_OWNER_H

#include "base/addr.h"

struct owners;

int owners_open(struct owners **ret_owners); /* 0 or -errno */
void owners_close(struct owners *owners);    /* NULL is fine */
DEFINE_CLEANUP(owners, struct owners *, owners_close)

struct owner {
	uint32_t uid;	 /* fsuid of whoever opened the socket: what `meta skuid` compares */
	uint64_t cgroup; /* the number of its control group; 0: not told (before Linux 5.8) */
	uint32_t inode;	 /* never 0 */
};

/* The socket whose own address is from:sport and whose peer is to:dport. A program must hold it: an
 * orphan, TIME_WAIT, a listener in its place are -ENOENT. About 3 us.
 */
int owners_find(struct owners *owners, const struct prefix *from, uint16_t sport,
		const struct prefix *to, uint16_t dport, struct owner *ret_owner);

#endif
