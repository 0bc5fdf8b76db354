/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box.h - a machine for the proof: two ways out that swallow everything, addresses, routes.
 *
 *     lo      127.0.0.1/8  ::1
 *     eth0    198.51.100.2  10.1.2.1  2001:db8:100::2  2001:db8::a  fe80::2   default
 *     wg-a.1  203.0.113.1  192.0.2.200  2001:db8:f::1                          203.0.113.0/24
 * 2001:db8:f::/64
 *
 * All of it is in network namespaces that go with the process. What comes in is dropped, but for
 * resets and errors of ICMP: they are the answers of refusals.
 */
#ifndef UIDWALL_TESTS_PROOF_BOX_H
#define UIDWALL_TESTS_PROOF_BOX_H

#include "base/addr.h"

enum box_device { BOX_ANY, BOX_LO, BOX_ETH0, BOX_WG, BOX_DEVICE_COUNT };

extern const char *const box_devices[BOX_DEVICE_COUNT]; /* their names; NULL: bound to none */

/* Makes it and enters it. What is missing for that, or NULL. Aborts where it fails half way. */
const char *box_make(void);
void box_leave(void); /* what was opened is closed */

/* What connection tracking looks at: UDP, and initial SYNs of TCP as well. No other packet has a
 * direction.
 */
void box_track(bool syns);

/* Whether what comes in is let in, so that connections come about. */
void box_let_in(bool all);

/* Whose address it is; BOX_ANY: none of this machine's. */
enum box_device box_home(const struct prefix *address);
bool box_is_own(const struct prefix *address);
/* Means something only together with a device. */
bool box_is_link_local(const struct prefix *address);
/* Neither to one machine nor from one: nobody answers such a packet. */
bool box_is_for_many(const struct prefix *address);
/* The device by which a packet leaves, from a socket that is bound to `bound`, or to none: an
 * address of this machine's counts as its own only on the way by the device that has it.
 */
enum box_device box_way(const struct prefix *to, enum box_device bound);
/* An address of this machine's, of all it has. */
const struct prefix *box_own(unsigned number);
unsigned box_n_own(void);

/* Marks that make the kernel send a copy of root's packet that no socket owns. */
unsigned box_ownerless_mark(enum box_device way);

#endif
