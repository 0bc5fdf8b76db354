/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privileges.h - the user and the capabilities of the daemon. */
#ifndef UIDWALL_RUNTIME_PRIVILEGES_H
#define UIDWALL_RUNTIME_PRIVILEGES_H

#include "runtime/sandbox.h"

/* Becomes the daemon's own user, where root started it and the user can do the work; keeps
 * CAP_NET_ADMIN and no other capability. Fills in what it says of both.
 */
void privileges_drop(const struct sandbox_options *options, struct sandbox *ret_sandbox);

#endif
